//! What was accepted of each dealership and feed: counted in memory, and written once a minute, apart from the deliveries'
//! transactions, so that it costs them nothing.
//!
//! Counted is what was stored for a dealership, whatever its outcome; what was spooled once it is applied, as of its arrival.
//! What an operator replays is no word of the sender. The room is bounded by the configuration: a workspace and a dealership
//! that it does not name are not counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::attempt::AttemptInfo;
use super::complaints::Complaints;
use super::router::WorkspaceRouter;
use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::ids::WorkspaceId;
use crate::domain::silence::{self, DealershipFeed};
use crate::domain::workspace::DealershipId;
use crate::store::dealership_feeds::{self, Accepted, Newest};
use crate::store::{self, Store, dealership_names};

/// How many seconds are counted together: no zone's day begins within a quarter of an hour.
const QUARTER: i64 = 900;
/// How many quarters are kept of a dealership and feed, the newest: more than a day has.
const MOST_QUARTERS: usize = 200;

/// Whose deliveries are counted together. The dealership as the payload names it, which the configuration knows.
type Key = (WorkspaceId, Option<DealershipId>, Feed);

/// What was counted of one.
#[derive(Clone, Debug)]
struct Counted {
    last_at: DateTime<Utc>,
    last_id: Uuid,
    /// How many arrived in each quarter of an hour.
    quarters: BTreeMap<i64, i64>,
}

impl Counted {
    fn add(&mut self, other: Self) {
        if other.last_at >= self.last_at {
            (self.last_at, self.last_id) = (other.last_at, other.last_id);
        }
        for (quarter, count) in other.quarters {
            *self.quarters.entry(quarter).or_default() += count;
        }
        while self.quarters.len() > MOST_QUARTERS {
            self.quarters.pop_first();
        }
    }

    /// How many arrived on a day, or later by a clock that is ahead.
    fn on(&self, day: NaiveDate, of: &DealershipFeed) -> i64 {
        let is_of_day = |quarter: i64| {
            let began = DateTime::from_timestamp(quarter * QUARTER, 0);
            began.is_some_and(|began| silence::day(of.timezone, began) >= day)
        };
        self.quarters.iter().filter(|(quarter, _)| is_of_day(**quarter)).map(|(_, count)| count).sum()
    }
}

type Counts = BTreeMap<Key, Counted>;

/// Counts what is accepted. Copies count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity {
    counts: Arc<Mutex<Counts>>,
    complaints: Arc<Complaints>,
}

impl Activity {
    /// Counts a delivery that is committed. One that another attempt has stored before moves the time of the last one only.
    pub(super) fn note(&self, workspace: Option<WorkspaceId>, delivery: &Delivery, attempt: AttemptInfo, is_new: bool) {
        let Some(workspace) = workspace.filter(|_| !attempt.is_manual) else { return };
        let key = (workspace, delivery.dealership_id, delivery.feed);
        let quarter = delivery.received_at.timestamp().div_euclid(QUARTER);
        let quarters = if is_new && attempt.attempts == 0 { [(quarter, 1)].into() } else { BTreeMap::new() };
        self.add([(key, Counted { last_at: delivery.received_at, last_id: delivery.id, quarters })]);
    }

    /// Makes up for what an end that nobody could prepare for has left uncounted.
    fn recall(&self, newest: Newest) {
        let counted = |(last_at, last_id)| Counted { last_at, last_id, quarters: BTreeMap::new() };
        self.add(newest.into_iter().map(|(key, last)| (key, counted(last))));
    }

    fn add(&self, counted: impl IntoIterator<Item = (Key, Counted)>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, counted) in counted {
            match counts.get_mut(&key) {
                Some(known) => known.add(counted),
                None => {
                    counts.insert(key, counted);
                }
            }
        }
    }

    /// Takes into account what was stored since a time, of which an earlier process may not have counted all.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached.
    pub(super) async fn recall_since(&self, store: &Store, since: DateTime<Utc>) -> Result<(), store::Error> {
        self.recall(dealership_feeds::newest_since(store, since).await?);
        Ok(())
    }

    /// Writes what was counted, workspace by workspace. What cannot be written is kept.
    pub(super) async fn write(&self, store: &Store, router: &WorkspaceRouter, now: DateTime<Utc>) {
        let mut of_workspaces: BTreeMap<WorkspaceId, Counts> = BTreeMap::new();
        for (key, counted) in std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner)) {
            of_workspaces.entry(key.0).or_default().insert(key, counted);
        }
        let configured = router.dealership_feeds();
        let mut left: Vec<Taken<'_>> =
            of_workspaces.into_values().map(|counts| Taken { activity: self, counts }).collect();
        while let Some(taken) = left.pop() {
            let workspace = taken.counts.keys().next().map(|(workspace, _, _)| *workspace);
            let Some((workspace, known)) = workspace.and_then(|id| Some((id, configured.get(&id)?))) else {
                // The configuration has it no more.
                taken.done();
                continue;
            };
            match write_one(store, workspace, known, &taken.counts, now).await {
                Ok(()) => taken.done(),
                Err(error) => {
                    let error = error.without_values();
                    if let Some(left_out) = self.complaints.take(&error) {
                        tracing::warn!(
                            error,
                            left_out,
                            "when senders were last heard of could not be noted: trying again"
                        );
                    }
                }
            }
        }
    }
}

/// What was taken to be written; dropped before that is done, it is counted again.
struct Taken<'a> {
    activity: &'a Activity,
    counts: Counts,
}

impl Taken<'_> {
    fn done(mut self) {
        self.counts.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.activity.add(std::mem::take(&mut self.counts));
    }
}

/// Writes the counts of a workspace; `known` are its dealerships and feeds.
async fn write_one(
    store: &Store,
    workspace: WorkspaceId,
    known: &[DealershipFeed],
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    let Some(day) = known.first().map(|one| silence::day(one.timezone, now)) else { return Ok(()) };
    let accepted = accepted(known, counts, day);
    if accepted.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin(None).await?;
    dealership_feeds::add(&mut tx, workspace, day, &accepted).await?;
    dealership_names::save_reported(&mut tx, workspace, &accepted).await?;
    tx.commit().await
}

/// The counts of a workspace by the dealerships that it has. What names none and what names the only one are one.
fn accepted(known: &[DealershipFeed], counts: &Counts, day: NaiveDate) -> Vec<Accepted> {
    let mut by_dealership: BTreeMap<(DealershipId, &str), Accepted> = BTreeMap::new();
    for ((_, named, feed), counted) in counts {
        let of_feed = known.iter().filter(|one| one.feed == *feed);
        let dealerships: Vec<DealershipId> = of_feed.map(|one| one.dealership).collect();
        let Some(dealership) = silence::counted_as(*feed, *named, &dealerships) else { continue };
        let Some(of) = known.iter().find(|one| one.feed == *feed && one.dealership == dealership) else { continue };
        let (last_at, last_id, on_day) = (counted.last_at, counted.last_id, counted.on(day, of));
        let new = Accepted { dealership, feed: *feed, last_at, last_id, on_day };
        by_dealership
            .entry((dealership, feed.name()))
            .and_modify(|one| {
                one.on_day += new.on_day;
                if new.last_at > one.last_at {
                    (one.last_at, one.last_id) = (new.last_at, new.last_id);
                }
            })
            .or_insert(new);
    }
    by_dealership.into_values().collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use chrono_tz::Tz;

    use super::*;
    use crate::domain::workspace::Permitted;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn delivery(feed: Feed, dealership: Option<DealershipId>, received_at: DateTime<Utc>) -> Delivery {
        Delivery {
            id: Uuid::now_v7(),
            feed,
            received_at,
            credential: "all".to_owned(),
            permitted: Permitted::All,
            remote_address: None,
            content_type: None,
            body: Vec::new().into(),
            posted_body: None,
            undecoded: None,
            external_id: None,
            dealership_id: dealership,
            schema_version: None,
        }
    }

    fn known(dealerships: &[DealershipId]) -> Vec<DealershipFeed> {
        let one = |feed: Feed, dealership: DealershipId| DealershipFeed {
            workspace: WorkspaceId::from(1),
            slug: "alpha".to_owned(),
            timezone: Tz::Australia__Sydney,
            dealership,
            name: None,
            feed,
            every: None,
        };
        let of_feed = |feed: &Feed| match feed.dealership_path() {
            Some(_) => dealerships.iter().map(|id| one(*feed, *id)).collect(),
            None => vec![one(*feed, silence::NO_DEALERSHIP)],
        };
        Feed::ALL.iter().flat_map(of_feed).collect()
    }

    /// What would be written: dealership, feed, how many today.
    fn written(activity: &Activity, dealerships: &[DealershipId], day: &str) -> Vec<(DealershipId, &'static str, i64)> {
        let counts = activity.counts.lock().unwrap().clone();
        let accepted = accepted(&known(dealerships), &counts, day.parse().unwrap());
        accepted.iter().map(|one| (one.dealership, one.feed.name(), one.on_day)).collect()
    }

    #[test]
    fn a_day_begins_at_midnight_in_the_workspaces_zone() {
        let activity = Activity::default();
        for time in ["2026-11-02T12:59:59Z", "2026-11-02T13:00:00Z", "2026-11-02T13:00:01Z"] {
            let delivery = delivery(Feed::Lead, Some(356), at(time));
            activity.note(Some(1.into()), &delivery, AttemptInfo::first(), true);
        }
        assert_eq!(written(&activity, &[356], "2026-11-02"), [(356, "lead", 3)], "a clock may be ahead");
        assert_eq!(written(&activity, &[356], "2026-11-03"), [(356, "lead", 2)]);
        assert_eq!(written(&activity, &[356], "2026-11-04"), [(356, "lead", 0)]);
    }

    #[test]
    fn replays_repetitions_and_what_has_no_workspace_are_not_counted() {
        let activity = Activity::default();
        let noon = at("2026-11-02T02:00:00Z");
        let note = |workspace: Option<i64>, attempt, is_new| {
            activity.note(workspace.map(WorkspaceId::from), &delivery(Feed::Lead, Some(356), noon), attempt, is_new);
        };
        note(None, AttemptInfo::first(), true);
        note(Some(1), AttemptInfo::manual(1, false), true);
        assert_eq!(written(&activity, &[356], "2026-11-02"), []);
        note(Some(1), AttemptInfo::again(0), false);
        note(Some(1), AttemptInfo::again(2), true);
        assert_eq!(written(&activity, &[356], "2026-11-02"), [(356, "lead", 0)], "it is heard, and was counted before");
        note(Some(1), AttemptInfo::again(0), true);
        assert_eq!(written(&activity, &[356], "2026-11-02"), [(356, "lead", 1)]);
        assert_eq!(written(&activity, &[357], "2026-11-02"), [], "the configuration has it no more");
    }

    #[test]
    fn what_names_no_dealership_counts_as_the_only_one() {
        let activity = Activity::default();
        let noon = at("2026-11-02T02:00:00Z");
        for (feed, named, later) in
            [(Feed::Inventory, None, 1), (Feed::Inventory, Some(356), 0), (Feed::LeadPro, None, 0)]
        {
            let delivery = delivery(feed, named, noon + TimeDelta::seconds(later));
            activity.note(Some(1.into()), &delivery, AttemptInfo::first(), true);
        }
        assert_eq!(written(&activity, &[356], "2026-11-02"), [(0, "leadpro_lead", 1), (356, "inventory", 2)]);
        assert_eq!(
            written(&activity, &[356, 357], "2026-11-02"),
            [(0, "leadpro_lead", 1), (356, "inventory", 1)],
            "of several dealerships nobody knows which it was"
        );
    }

    #[test]
    fn what_is_taken_and_not_written_is_counted_again_and_memory_is_bounded() {
        let activity = Activity::default();
        let noon = at("2026-11-02T02:00:00Z");
        for hour in 0..1_000 {
            let delivery = delivery(Feed::Lead, Some(356), noon - TimeDelta::hours(hour));
            activity.note(Some(1.into()), &delivery, AttemptInfo::again(0), true);
        }
        let counts = std::mem::take(&mut *activity.counts.lock().unwrap());
        assert_eq!(counts.values().next().unwrap().quarters.len(), MOST_QUARTERS);
        drop(Taken { activity: &activity, counts });
        assert_eq!(written(&activity, &[356], "2026-11-02"), [(356, "lead", 14)]);
        let counts = std::mem::take(&mut *activity.counts.lock().unwrap());
        Taken { activity: &activity, counts }.done();
        assert_eq!(written(&activity, &[356], "2026-11-02"), []);
    }
}
