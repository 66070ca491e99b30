//! Who is silent: a dealership and feed of which nothing was accepted for longer than the configuration expects.
//!
//! Silence is counted from the newest delivery, or from when one is expected where there was none. Time in which no service
//! ran is not counted, because nobody could have spoken to it: it moves the start of the count.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::feed::Feed;
use super::ids::WorkspaceId;
use super::workspace::{DealershipId, Slug};

/// The dealership id under which LeadPro's deliveries are counted, which name none.
pub const NO_DEALERSHIP: DealershipId = 0;

/// A dealership and feed that the configuration names: whoever may be heard, or fall silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealershipFeed {
    /// The row of its workspace.
    pub workspace: WorkspaceId,
    /// The workspace's name in the configuration.
    pub slug: Slug,
    /// The workspace's zone, whose days are counted.
    pub timezone: Tz,
    /// The dealership, or [`NO_DEALERSHIP`].
    pub dealership: DealershipId,
    /// The dealership's name for people.
    pub name: Option<String>,
    /// The feed.
    pub feed: Feed,
    /// At least how often a delivery is expected; none where no delivery is.
    pub every: Option<TimeDelta>,
}

/// What is known of a dealership and feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedActivity {
    /// The dealership, or [`NO_DEALERSHIP`].
    pub dealership: DealershipId,
    /// The feed.
    pub feed: Feed,
    /// Arrival of the newest delivery that was stored.
    pub last_accepted_at: Option<DateTime<Utc>>,
    /// What is expected.
    pub expected: Option<Expected>,
    /// Since when a delivery is overdue, as far as that was noted.
    pub silent_since: Option<DateTime<Utc>>,
}

/// What is expected of a dealership and feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// At least how often a delivery.
    pub every: TimeDelta,
    /// Since when.
    pub since: DateTime<Utc>,
    /// From when on silence is counted.
    pub counted_from: DateTime<Utc>,
}

/// What has changed about a dealership and feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has fallen silent.
    FellSilent {
        /// Since when a delivery is overdue.
        since: DateTime<Utc>,
    },
    /// It speaks again.
    SpokeAgain {
        /// Since when it was silent.
        silent_since: DateTime<Utc>,
    },
}

impl Expected {
    /// When a delivery is overdue.
    #[must_use]
    pub fn overdue_at(&self) -> DateTime<Utc> {
        self.counted_from.checked_add_signed(self.every).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl FeedActivity {
    /// What is to be noted of it. All deliveries that were accepted until `complete_until` are counted: what came later may
    /// still wait in the spool, so that nobody is taken for silent since then.
    #[must_use]
    pub fn change(&self, now: DateTime<Utc>, complete_until: DateTime<Utc>) -> Option<Change> {
        let expected = self.expected?;
        let since = expected.overdue_at();
        match self.silent_since {
            None if since < now.min(complete_until) => Some(Change::FellSilent { since }),
            Some(silent_since) if now <= since => Some(Change::SpokeAgain { silent_since }),
            None | Some(_) => None,
        }
    }
}

impl FeedActivity {
    /// What is known of it once so much is expected of it, where that is something else than before. Nobody has spoken by
    /// that: it is silent still, unless what is expected now is not overdue.
    #[must_use]
    pub fn expecting(&self, every: Option<TimeDelta>, now: DateTime<Utc>) -> Option<Self> {
        let expected = every.map(|every| match self.expected {
            Some(known) => Expected { every, ..known },
            None => Expected { every, since: now, counted_from: self.last_accepted_at.unwrap_or(now) },
        });
        if expected == self.expected {
            return None;
        }
        let is_overdue = expected.is_some_and(|expected| expected.overdue_at() < now);
        Some(Self { expected, silent_since: self.silent_since.filter(|_| is_overdue), ..self.clone() })
    }
}

/// For how long nobody could hear the senders, where that was longer than usual between two looks.
#[must_use]
pub fn gap(watched_until: DateTime<Utc>, now: DateTime<Utc>, usual: TimeDelta) -> Option<TimeDelta> {
    Some(now - watched_until).filter(|gap| *gap > usual)
}

/// The day of a time in a zone.
#[must_use]
pub fn day(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// As which of its workspace's dealerships a delivery counts. One that names none counts as that of the only one there is.
#[must_use]
pub fn counted_as(feed: Feed, named: Option<DealershipId>, of_workspace: &[DealershipId]) -> Option<DealershipId> {
    match (feed.dealership_path(), named, of_workspace) {
        (None, _, _) => Some(NO_DEALERSHIP),
        (Some(_), Some(named), _) => of_workspace.contains(&named).then_some(named),
        (Some(_), None, [only]) => Some(*only),
        (Some(_), None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn activity(counted_from: &str, silent_since: Option<&str>) -> FeedActivity {
        let (every, since) = (TimeDelta::hours(26), at("2026-11-01T00:00:00Z"));
        FeedActivity {
            dealership: 356,
            feed: Feed::Inventory,
            last_accepted_at: None,
            expected: Some(Expected { every, since, counted_from: at(counted_from) }),
            silent_since: silent_since.map(at),
        }
    }

    #[test]
    fn a_sender_is_silent_once_a_delivery_is_overdue_and_until_one_comes() {
        let (from, due) = ("2026-11-02T09:00:00Z", at("2026-11-03T11:00:00Z"));
        let second = TimeDelta::seconds(1);
        let speaking = activity(from, None);
        let change = |activity: &FeedActivity, now| activity.change(now, now);
        assert_eq!(change(&speaking, due), None);
        assert_eq!(change(&speaking, due + second), Some(Change::FellSilent { since: due }));
        assert_eq!(speaking.change(due + second, due - second), None, "the spool may hold a delivery of it");
        let silent = activity(from, Some("2026-11-03T11:00:00Z"));
        assert_eq!(change(&silent, due + second), None);
        assert_eq!(silent.change(due + second, due - second), None);
        let again = activity("2026-11-05T09:00:00Z", Some("2026-11-03T11:00:00Z"));
        assert_eq!(change(&again, at("2026-11-05T09:01:00Z")), Some(Change::SpokeAgain { silent_since: due }));
        // What came late, as out of a spool, and is itself too old by now changes nothing.
        let late = activity("2026-11-02T10:00:00Z", Some("2026-11-03T11:00:00Z"));
        assert_eq!(change(&late, at("2026-11-05T09:01:00Z")), None);
        let nobody_cares = FeedActivity { expected: None, silent_since: None, ..speaking };
        assert_eq!(change(&nobody_cares, due + TimeDelta::days(400)), None);
    }

    #[test]
    fn another_expectation_is_counted_from_the_same_time_and_none_ends_the_silence() {
        let now = at("2026-11-03T12:00:00Z");
        let silent = activity("2026-11-02T09:00:00Z", Some("2026-11-03T11:00:00Z"));
        assert_eq!(silent.expecting(Some(TimeDelta::hours(26)), now), None);
        let longer = silent.expecting(Some(TimeDelta::hours(48)), now).unwrap();
        assert_eq!((longer.silent_since, longer.expected.unwrap().since), (None, silent.expected.unwrap().since));
        let shorter = silent.expecting(Some(TimeDelta::hours(2)), now).unwrap();
        assert_eq!((shorter.silent_since, shorter.change(now, now)), (silent.silent_since, None));
        let none = silent.expecting(None, now).unwrap();
        assert_eq!((none.expected, none.silent_since), (None, None));
        // One that was heard of before it is expected is late from the first moment on.
        let known_before = FeedActivity { last_accepted_at: Some(now - TimeDelta::days(10)), ..none };
        let again = known_before.expecting(Some(TimeDelta::hours(26)), now).unwrap();
        assert_eq!(
            again.change(now, now),
            Some(Change::FellSilent { since: now - TimeDelta::days(10) + TimeDelta::hours(26) })
        );
    }

    #[test]
    fn only_what_is_longer_than_usual_is_a_gap() {
        let (then, usual) = (at("2026-11-02T09:00:00Z"), TimeDelta::minutes(5));
        assert_eq!(gap(then, then + usual, usual), None);
        assert_eq!(gap(then, then + TimeDelta::hours(2), usual), Some(TimeDelta::hours(2)));
        assert_eq!(gap(then, then - TimeDelta::hours(2), usual), None, "a clock that was put back");
    }

    #[test]
    fn a_day_is_that_of_the_zone() {
        let sydney = Tz::Australia__Sydney;
        let day_of = |text| day(sydney, at(text)).to_string();
        assert_eq!(day_of("2026-11-02T12:59:59Z"), "2026-11-02");
        assert_eq!(day_of("2026-11-02T13:00:00Z"), "2026-11-03");
    }

    #[test]
    fn only_dealerships_of_the_configuration_are_counted() {
        for (feed, named, of_workspace, expected) in [
            (Feed::Lead, Some(356), &[356, 357][..], Some(356)),
            (Feed::Lead, Some(358), &[356, 357], None),
            (Feed::Inventory, None, &[356], Some(356)),
            (Feed::Inventory, None, &[356, 357], None),
            (Feed::LeadPro, None, &[356, 357], Some(NO_DEALERSHIP)),
            (Feed::LeadPro, None, &[], Some(NO_DEALERSHIP)),
        ] {
            assert_eq!(counted_as(feed, named, of_workspace), expected, "{feed:?} {named:?}");
        }
    }
}
