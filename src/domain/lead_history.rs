//! What a lead's watched values were over time, whatever the order in which deliveries told it: the changes that
//! `lead_changes` holds are computed from that, so a value that comes late takes its place by the sender's time.
//!
//! A lead keeps, of each watched value, when it was told. The first value is no change, so a lead that was told once has
//! no history: its columns and their versions are that.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::facts::{LeadColumns, Source};
use super::ids::LeadId;
use super::version::{FieldVersions, Version};

/// The columns whose changes are kept. Clusters are told by the sender's id.
pub const WATCHED: [&str; 4] = ["status", "status_type", "salesperson_name", CLUSTER];
const CLUSTER: &str = "lead_cluster_id";

/// How many times are kept of a value. Of more, those go first between which the value was the same, then the oldest:
/// what is told of the time before that is no longer taken in.
const MOST: usize = 24;

/// When a value was told: the sender's time, and of equal times the feed that wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueTime {
    /// The sender's time.
    pub at: DateTime<Utc>,
    /// The feed.
    pub source: Source,
}

impl From<&Version> for ValueTime {
    fn from(version: &Version) -> Self {
        Self { at: version.at, source: version.source }
    }
}

/// A value with a moment at which it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub moment: ValueTime,
    /// The value.
    pub value: String,
}

/// The watched values over time, by column, in the order of the sender's times; only of columns that were told at two
/// moments at least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadHistory(pub BTreeMap<&'static str, Vec<Point>>);

/// One change of a watched value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeadChange {
    /// The lead.
    pub lead: LeadId,
    /// The column.
    pub field: &'static str,
    /// What it was.
    pub old_value: String,
    /// What it became.
    pub new_value: String,
    /// When, by the sender's clock.
    pub changed_at: DateTime<Utc>,
}

/// Changes that are to be added, and stored ones that are none any more, because a value came late that was between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadChanges {
    /// To be added.
    pub made: Vec<LeadChange>,
    /// To be removed.
    pub gone: Vec<LeadChange>,
}

impl LeadChanges {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { made, gone } = self;
        made.is_empty() && gone.is_empty()
    }

    /// Adds what a later delivery of the same batch does: what one makes and another undoes is not written at all.
    pub fn extend(&mut self, later: Self) {
        for change in later.gone {
            take_or_push(&mut self.made, &mut self.gone, change);
        }
        for change in later.made {
            take_or_push(&mut self.gone, &mut self.made, change);
        }
    }
}

fn take_or_push(opposite: &mut Vec<LeadChange>, to: &mut Vec<LeadChange>, change: LeadChange) {
    match opposite.iter().position(|known| *known == change) {
        Some(place) => _ = opposite.remove(place),
        None => to.push(change),
    }
}

/// The watched values, each with a moment.
pub type TimedValues = BTreeMap<&'static str, Point>;

/// The watched values of a lead as it is known, each with its version.
#[must_use]
pub fn known(columns: &LeadColumns, versions: &FieldVersions, cluster: Option<(&str, &Version)>) -> TimedValues {
    let columns = values(columns).into_iter().filter_map(|(column, value)| {
        let moment = versions.of(column)?.into();
        Some((column, Point { moment, value: value?.to_owned() }))
    });
    let cluster = cluster.map(|(value, at)| (CLUSTER, Point { moment: at.into(), value: value.to_owned() }));
    columns.chain(cluster).collect()
}

/// The watched values that a delivery brings: columns with the version of the lead, its cluster with one of its own.
#[must_use]
pub fn delivered(columns: &LeadColumns, at: &Version, cluster: Option<(&str, &Version)>) -> TimedValues {
    let columns = values(columns)
        .into_iter()
        .filter_map(|(column, value)| Some((column, Point { moment: at.into(), value: value?.to_owned() })));
    let cluster = cluster.map(|(value, at)| (CLUSTER, Point { moment: at.into(), value: value.to_owned() }));
    columns.chain(cluster).collect()
}

fn values(columns: &LeadColumns) -> [(&'static str, Option<&String>); 3] {
    let LeadColumns { status, status_type, salesperson_name, .. } = columns;
    let [of_status, of_type, of_salesperson, _] = WATCHED;
    [(of_status, status.as_ref()), (of_type, status_type.as_ref()), (of_salesperson, salesperson_name.as_ref())]
}

/// What a delivery did to a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Whether the history is another now.
    pub wrote: bool,
    /// The changes that come of it.
    pub changes: LeadChanges,
}

impl LeadHistory {
    /// Takes in what a delivery that arrived then told, before or after what was known.
    pub fn note(
        &mut self,
        lead: LeadId,
        known: TimedValues,
        delivered: TimedValues,
        arrived_at: DateTime<Utc>,
    ) -> Noted {
        let mut noted = Noted::default();
        let mut known = known;
        for (column, point) in delivered {
            // The first value is no change.
            let Some(before) = known.remove(column) else { continue };
            let mut points = self.0.get(column).cloned().unwrap_or_else(|| vec![before]);
            let steps = steps(&points, lead, column);
            if !insert(&mut points, point, arrived_at) {
                continue;
            }
            noted.wrote = true;
            let now = self::steps(&points, lead, column);
            let only = |these: &[LeadChange], others: &[LeadChange]| {
                these.iter().filter(|change| !others.contains(change)).cloned().collect()
            };
            noted.changes.extend(LeadChanges { made: only(&now, &steps), gone: only(&steps, &now) });
            trim(&mut points);
            if points.len() > 1 {
                self.0.insert(column, points);
            } else {
                self.0.remove(column);
            }
        }
        noted
    }
}

/// The changes between the points.
fn steps(points: &[Point], lead: LeadId, field: &'static str) -> Vec<LeadChange> {
    let step = |pair: &[Point]| match pair {
        [old, new] if old.value != new.value => Some(LeadChange {
            lead,
            field,
            old_value: old.value.clone(),
            new_value: new.value.clone(),
            changed_at: new.moment.at,
        }),
        _ => None,
    };
    points.windows(2).filter_map(step).collect()
}

/// Puts a point in its place; says whether that changed anything. At one moment one value is told, that of the feed that
/// wins, and of one feed the one that comes later.
fn insert(points: &mut Vec<Point>, point: Point, arrived_at: DateTime<Utc>) -> bool {
    let place = points.partition_point(|known| known.moment < point.moment);
    let before = place.checked_sub(1).and_then(|before| points.get(before));
    // Without the sender's time nothing tells a repetition from a newer value.
    if point.moment.at == arrived_at && before.is_some_and(|before| before.value == point.value) {
        return false;
    }
    let is_beaten_before = before.is_some_and(|before| before.moment.at == point.moment.at);
    match points.get(place) {
        Some(same) if same.moment == point.moment && same.value == point.value => return false,
        Some(same) if same.moment.at == point.moment.at && same.moment != point.moment => return false,
        Some(_) | None => {}
    }
    let is_full = points.len() >= MOST && inner(points).is_none();
    if place == 0 && is_full && points.first().is_some_and(|first| first.moment != point.moment) {
        return false;
    }
    let at = if is_beaten_before { place.saturating_sub(1) } else { place };
    match points.get_mut(at) {
        Some(known) if known.moment.at == point.moment.at => *known = point,
        Some(_) | None => points.insert(at, point),
    }
    true
}

/// Lets go of what there is too much of.
fn trim(points: &mut Vec<Point>) {
    while points.len() > MOST {
        points.remove(inner(points).unwrap_or(0));
    }
}

/// The first point between two of its own value.
fn inner(points: &[Point]) -> Option<usize> {
    let repeats = |window: &[Point]| matches!(window, [before, same, after] if before.value == same.value && same.value == after.value);
    points.windows(3).position(repeats).map(|before| before + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(second: i64, source: Source) -> ValueTime {
        ValueTime { at: DateTime::from_timestamp(second, 0).unwrap(), source }
    }

    /// What stays of a lead that was told these, in this order: its changes, sorted.
    fn changes(delivered: &[(i64, &str)]) -> Vec<(String, String, i64)> {
        let mut history = LeadHistory::default();
        let mut newest: Option<Point> = None;
        let mut all = LeadChanges::default();
        for (second, value) in delivered {
            let point = Point { moment: moment(*second, Source::LeadFeed), value: (*value).to_owned() };
            let known: TimedValues = newest.iter().map(|point| ("status", point.clone())).collect();
            let delivered: TimedValues = [("status", point.clone())].into();
            all.extend(
                history.note(LeadId::from(7), known, delivered, DateTime::from_timestamp(9_999, 0).unwrap()).changes,
            );
            if newest.as_ref().is_none_or(|known| known.moment <= point.moment) {
                newest = Some(point);
            }
        }
        assert!(all.gone.is_empty(), "nothing is removed that was not made");
        let mut changes: Vec<_> = all
            .made
            .into_iter()
            .map(|change| (change.old_value, change.new_value, change.changed_at.timestamp()))
            .collect();
        changes.sort_by_key(|(_, _, at)| *at);
        changes
    }

    fn step(old: &str, new: &str, at: i64) -> (String, String, i64) {
        (old.to_owned(), new.to_owned(), at)
    }

    #[test]
    fn the_first_value_is_no_change_and_the_second_is_one() {
        assert_eq!(changes(&[(1, "new")]), []);
        assert_eq!(changes(&[(1, "new"), (2, "lost")]), [step("new", "lost", 2)]);
        assert_eq!(changes(&[(1, "new"), (2, "new")]), []);
    }

    #[test]
    fn a_value_that_comes_late_takes_its_place_by_the_senders_time() {
        let delivered = [(1, "new"), (3, "lost"), (2, "contacted")];
        assert_eq!(changes(&delivered), [step("new", "contacted", 2), step("contacted", "lost", 3)]);
        // Before all that was known, and between two equal ones.
        assert_eq!(changes(&[(3, "lost"), (1, "new")]), [step("new", "lost", 3)]);
        let back = [(1, "new"), (3, "new"), (4, "new"), (2, "lost")];
        assert_eq!(changes(&back), [step("new", "lost", 2), step("lost", "new", 3)]);
    }

    #[test]
    fn without_the_senders_time_a_repetition_is_no_point_of_its_own() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let point = |second, value: &str| Point { moment: moment(second, Source::LeadFeed), value: value.to_owned() };
        let mut points = vec![point(1, "new")];
        assert!(!insert(&mut points, point(2, "new"), at(2)));
        assert!(insert(&mut points, point(3, "lost"), at(3)));
        assert_eq!(points, [point(1, "new"), point(3, "lost")]);
    }

    #[test]
    fn of_one_moment_the_feed_that_wins_is_told_whichever_comes_first() {
        let point = |source, value: &str| Point { moment: moment(5, source), value: value.to_owned() };
        let first = Point { moment: moment(1, Source::LeadFeed), value: "first".to_owned() };
        let (cluster, lead) = (point(Source::Cluster, "of the cluster"), point(Source::LeadFeed, "of the lead"));
        for order in [[&cluster, &lead], [&lead, &cluster]] {
            let mut points = vec![first.clone()];
            for point in order {
                insert(&mut points, point.clone(), DateTime::UNIX_EPOCH);
            }
            assert_eq!(points, [first.clone(), lead.clone()]);
        }
    }

    #[test]
    fn a_history_is_bounded_and_keeps_what_is_newest() {
        let mut points = vec![Point { moment: moment(0, Source::LeadFeed), value: "0".to_owned() }];
        let arrival = DateTime::UNIX_EPOCH;
        for second in 1..100 {
            let point = Point { moment: moment(second, Source::LeadFeed), value: second.to_string() };
            assert!(insert(&mut points, point, arrival));
            trim(&mut points);
        }
        assert_eq!((points.len(), points.last().unwrap().value.as_str()), (MOST, "99"));
        let earlier = Point { moment: moment(1, Source::LeadFeed), value: "older".to_owned() };
        assert!(!insert(&mut points, earlier, arrival), "what was before the oldest that is kept is not taken in");
        let mut same: Vec<Point> =
            (0..200).map(|at| Point { moment: moment(at, Source::LeadFeed), value: "a".into() }).collect();
        trim(&mut same);
        assert_eq!((same.first().unwrap().moment.at.timestamp(), same.last().unwrap().moment.at.timestamp()), (0, 199));
    }

    proptest! {
        #[test]
        fn any_order_of_the_same_values_leaves_the_same_changes(
            (in_order, shuffled) in prop::collection::btree_map(0_i64..30, 0_u8..3, 1..12).prop_flat_map(|delivered| {
                let delivered: Vec<(i64, u8)> = delivered.into_iter().collect();
                (Just(delivered.clone()), Just(delivered).prop_shuffle())
            }),
            again in any::<bool>(),
        ) {
            const VALUES: [&str; 3] = ["new", "contacted", "lost"];
            let named = |delivered: &[(i64, u8)]| -> Vec<(i64, &'static str)> {
                delivered.iter().map(|(at, value)| (*at, VALUES[usize::from(*value)])).collect()
            };
            let in_order = named(&in_order);
            let mut expected = Vec::new();
            for pair in in_order.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
                expected.push(step(pair[0].1, pair[1].1, pair[1].0));
            }
            let mut shuffled = named(&shuffled);
            if again {
                shuffled.extend(shuffled.clone());
            }
            prop_assert_eq!(changes(&shuffled), expected);
        }
    }
}
