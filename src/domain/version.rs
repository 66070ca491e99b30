//! The version of a value, and which of two is the newer: the reason why the order of arrival does not matter.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::columns::{Columns, FieldUpdate};
use super::facts::Source;

/// The version of a value, of which the greater is the newer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The moment that counts first: for persons when the customer gave it, for leads when the sender changed it.
    pub at: DateTime<Utc>,
    /// The moment that counts next: for persons when the sender changed it.
    pub tiebreak: DateTime<Utc>,
    /// The feed that sent it.
    pub source: Source,
    /// The lead that sent it, for persons; empty otherwise.
    pub lead: LeadOrder,
    /// When the delivery arrived.
    pub arrived_at: DateTime<Utc>,
}

impl Version {
    /// Whether the sender's times are before the other's; of equal times neither is.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        (self.at, self.tiebreak) < (other.at, other.tiebreak)
    }

    /// Whether the two differ in nothing but their arrival.
    #[must_use]
    pub fn same_source_time(&self, other: &Self) -> bool {
        (self.at, self.tiebreak, self.source, &self.lead) == (other.at, other.tiebreak, other.source, &other.lead)
    }

    /// Whether an equal value with this version is a repetition, for which nothing is written: it has the same time, or
    /// none of the sender's, when nothing tells a repetition from a newer value. Where only the tiebreak is not the
    /// sender's, the rest must be the same: an equal value given at another time is written, for its time.
    #[must_use]
    pub fn repeats(&self, known: &Self) -> bool {
        let same_but_tiebreak = (self.at, self.source, &self.lead) == (known.at, known.source, &known.lead);
        self.at == self.arrived_at
            || self.same_source_time(known)
            || (self.tiebreak == self.arrived_at && same_but_tiebreak)
    }
}

/// A sender's lead id, ordered as a number where it is one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LeadOrder(pub String);

impl Ord for LeadOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for LeadOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a merge has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MergeResult {
    /// A value changed.
    pub changed: bool,
    /// Only the version advanced: the same value came again, with a later time.
    pub timestamp_advanced: bool,
    /// An incoming value is older than the stored one and was not taken over.
    pub stale: bool,
}

impl MergeResult {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            changed: self.changed || other.changed,
            timestamp_advanced: self.timestamp_advanced || other.timestamp_advanced,
            stale: self.stale || other.stale,
        }
    }

    /// Whether the row must be written.
    #[must_use]
    pub fn writes(self) -> bool {
        self.changed || self.timestamp_advanced
    }
}

/// The versions of a row's columns: a last-writer-wins map, kept sparsely as the newest version of the row and, for
/// columns whose value has another one, an override.
///
/// A lead comes at 10:00 with a first name and a phone, and at 12:00 with another first name alone: `newest` is 12:00,
/// and `overrides` has the phone with 10:00. A delivery of 11:00 that arrives after both replaces the phone (its
/// override becomes 11:00) and not the first name, as it would have in any other order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldVersions {
    /// The newest version of any column; `None` for a row of which no column has a value.
    pub newest: Option<Version>,
    /// The version of each column that holds a value of another one.
    pub overrides: BTreeMap<String, Version>,
}

impl FieldVersions {
    /// The version of the value of a column that holds one.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<&Version> {
        self.overrides.get(column).or(self.newest.as_ref())
    }

    /// Merges a group of columns of one version into those that are stored: of each column the newest value stays.
    pub fn merge<C: Columns>(&mut self, known: &mut C, incoming: C, at: &Version) -> MergeResult {
        let mut merged = MergeResult::default();
        let mut updated = Vec::new();
        let non_null_before = known.non_null();
        known.merge_from(incoming, &mut |field| {
            let newer = self.admits(field, at, &mut merged);
            if newer {
                updated.push(field.column);
            }
            newer
        });
        if merged.writes() {
            self.advance(&non_null_before, &updated, at);
        }
        merged
    }

    /// Whether an incoming value replaces the one that the column holds, or confirms it with a newer version.
    fn admits(&self, incoming: FieldUpdate, at: &Version, merged: &mut MergeResult) -> bool {
        let known_at = if incoming.non_null { self.of(incoming.column) } else { None };
        if known_at.is_some_and(|known| at < known) {
            merged.stale |= known_at.is_some_and(|known| at.is_before(known));
            return false;
        }
        if incoming.non_null && incoming.equal && known_at.is_some_and(|known| at.repeats(known)) {
            return false;
        }
        merged.changed = merged.changed || !incoming.equal;
        merged.timestamp_advanced = true;
        true
    }

    /// Stores the version of the columns that were updated, and keeps those of the others.
    fn advance(&mut self, non_null_before: &[&'static str], updated: &[&'static str], at: &Version) {
        let newest = self.newest.as_ref().map_or(at, |known| known.max(at)).clone();
        if let Some(before) = self.newest.take_if(|known| *known != newest) {
            for column in non_null_before.iter().filter(|column| !updated.contains(column)) {
                self.overrides.entry((*column).to_owned()).or_insert_with(|| before.clone());
            }
        }
        if *at == newest {
            self.overrides.retain(|column, time| *time != newest && !updated.contains(&column.as_str()));
        } else {
            self.overrides.extend(updated.iter().map(|column| ((*column).to_owned(), at.clone())));
        }
        self.newest = Some(newest);
    }
}

/// The row that another row belongs to, and the version of that reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedRef<T> {
    /// The row it belongs to.
    pub to: T,
    /// The version of the reference.
    pub at: Version,
}

/// The newest reference stays; a delivery that has none removes none.
pub fn merge_ref<T: Copy + PartialEq>(known: &mut Option<VersionedRef<T>>, to: Option<T>, at: &Version) -> MergeResult {
    let mut merged = MergeResult::default();
    let Some(to) = to else { return merged };
    match known {
        Some(known) if *at < known.at => merged.stale = at.is_before(&known.at),
        Some(known) if known.to == to && at.repeats(&known.at) => {}
        Some(_) | None => {
            merged.changed = known.as_ref().is_none_or(|known| known.to != to);
            merged.timestamp_advanced = true;
            *known = Some(VersionedRef { to, at: at.clone() });
        }
    }
    merged
}

/// The version of a vehicle's value. `at` is missing where the sender gave no time and none was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceTime {
    /// The sender's time.
    pub at: Option<DateTime<Utc>>,
    /// When the delivery arrived.
    pub arrived_at: DateTime<Utc>,
}

/// A value of a vehicle, with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The sender's time and the arrival of the delivery that brought it.
    pub at: SourceTime,
}

/// Takes over the value unless a newer one is stored.
pub fn merge_newest<T: PartialEq>(known: &mut Option<Versioned<T>>, value: T, at: SourceTime) -> MergeResult {
    let mut merged = MergeResult::default();
    match known {
        Some(known) if at < known.at => merged.stale = true,
        Some(known) if known.value == value && known.at.at == at.at => {}
        Some(known) if known.value == value => {
            known.at = at;
            merged.timestamp_advanced = true;
        }
        Some(_) | None => {
            *known = Some(Versioned { value, at });
            merged.changed = true;
        }
    }
    merged
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares columns for other modules")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::columns::columns;

    columns! {
        pub struct Three {
            first: i64,
            second: i64,
            third: i64,
        }
    }

    fn version(at: i64, arrived_at: i64) -> Version {
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Version {
            at: moment(at),
            tiebreak: moment(at),
            source: Source::LeadFeed,
            lead: LeadOrder::default(),
            arrived_at: moment(arrived_at),
        }
    }

    type Update = (Three, Version);

    fn merged(updates: &[Update]) -> (Three, FieldVersions) {
        let (mut columns, mut versions) = (Three::default(), FieldVersions::default());
        for (incoming, at) in updates {
            versions.merge(&mut columns, incoming.clone(), at);
        }
        (columns, versions)
    }

    /// The expected result: of each column the newest value.
    fn newest(updates: &[Update]) -> Three {
        let last = |column: fn(&Three) -> Option<i64>| {
            let incoming = updates.iter().filter_map(|(incoming, at)| Some((at, column(incoming)?)));
            incoming.max_by_key(|(at, _)| *at).map(|(_, value)| value)
        };
        Three {
            first: last(|incoming| incoming.first),
            second: last(|incoming| incoming.second),
            third: last(|incoming| incoming.third),
        }
    }

    fn three() -> impl Strategy<Value = Three> {
        let value = || prop::option::of(0_i64..3);
        (value(), value(), value()).prop_map(|(first, second, third)| Three { first, second, third })
    }

    /// Updates at different times, in the order of these and in another.
    fn updates() -> impl Strategy<Value = (Vec<Update>, Vec<Update>)> {
        let updates = prop::collection::btree_map(0_i64..20, three(), 1..7);
        let updates = updates.prop_map(|incoming| {
            incoming.into_iter().map(|(at, incoming)| (incoming, version(at, 100 - at))).collect::<Vec<Update>>()
        });
        updates.prop_flat_map(|updates| (Just(updates.clone()), Just(updates).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn any_order_of_the_same_updates_leaves_the_same_columns_and_times((in_order, shuffled) in updates()) {
            let (columns, versions) = merged(&in_order);
            prop_assert_eq!(&columns, &newest(&in_order));
            prop_assert_eq!((columns, versions), merged(&shuffled));
        }

        #[test]
        fn the_same_update_again_later_writes_nothing((updates, again) in updates()) {
            let (mut columns, mut versions) = merged(&updates);
            let before = (columns.clone(), versions.clone());
            for (incoming, at) in again {
                let repeated = Version { arrived_at: at.arrived_at + chrono::TimeDelta::days(1), ..at };
                prop_assert!(!versions.merge(&mut columns, incoming, &repeated).writes());
            }
            prop_assert_eq!((columns, versions), before);
        }

        #[test]
        fn only_columns_of_another_time_than_the_newest_are_overrides((updates, _) in updates()) {
            let (columns, versions) = merged(&updates);
            let non_null = columns.non_null();
            for (column, at) in &versions.overrides {
                prop_assert!(non_null.contains(&column.as_str()));
                prop_assert!(Some(at) < versions.newest.as_ref());
            }
            // Each column that is not null has a version, and it is that of an update with this value.
            for column in non_null {
                let at = versions.of(column).unwrap();
                let (incoming, _) = updates.iter().find(|(_, said_at)| said_at == at).unwrap();
                prop_assert!(incoming.non_null().contains(&column));
            }
        }

        #[test]
        fn of_equal_times_the_later_arrival_stays(values in prop::collection::vec(0_i64..3, 1..6)) {
            let say = |(arrival, value): (i64, &i64)| (Three { first: Some(*value), ..Three::default() }, version(1, arrival));
            let updates: Vec<Update> = (0..).zip(&values).map(say).collect();
            prop_assert_eq!(merged(&updates).0.first, values.last().copied());
        }
    }

    #[test]
    fn a_row_that_was_written_once_holds_one_time() {
        let incoming = Three { first: Some(1), second: Some(2), third: None };
        let (_, versions) = merged(&[(incoming, version(5, 9))]);
        assert_eq!(versions, FieldVersions { newest: Some(version(5, 9)), overrides: BTreeMap::new() });
    }

    #[test]
    fn the_same_value_said_later_moves_its_time_and_is_no_change() {
        let incoming = Three { first: Some(1), ..Three::default() };
        let (mut columns, mut versions) = merged(&[(incoming.clone(), version(1, 1))]);
        let later = versions.merge(&mut columns, incoming.clone(), &version(3, 2));
        assert_eq!(later, MergeResult { changed: false, timestamp_advanced: true, stale: false });
        let between = Three { first: Some(2), ..Three::default() };
        let between = versions.merge(&mut columns, between, &version(2, 3));
        assert_eq!(
            (between, columns),
            (MergeResult { changed: false, timestamp_advanced: false, stale: true }, incoming)
        );
    }

    #[test]
    fn without_the_senders_time_the_same_again_is_no_news_and_another_value_is() {
        let say =
            |value: i64, arrival: i64| (Three { first: Some(value), ..Three::default() }, version(arrival, arrival));
        let (mut columns, mut versions) = merged(&[say(1, 5)]);
        let (same, at) = say(1, 6);
        assert_eq!(versions.merge(&mut columns, same, &at), MergeResult::default());
        let (other, at) = say(2, 7);
        assert!(versions.merge(&mut columns, other, &at).changed);
    }

    #[test]
    fn lead_ids_are_ordered_as_numbers() {
        let order = |id: &str| LeadOrder(id.to_owned());
        assert!(order("9") < order("10"));
        assert!(order("10") < order("11"));
        assert!(order("") < order("1"));
    }
}
