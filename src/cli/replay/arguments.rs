//! What `forecourt replay` can be asked for.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;
use uuid::Uuid;

use crate::domain::Outcome;
use crate::domain::feed::Feed;
use crate::domain::finding::Code;
use crate::store::replay_filter::ReplayFilter;

/// Which deliveries to replay, and how. What is asked for together must hold together.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Arguments {
    /// The id of a delivery; may be given several times, as may --outcome, --finding, --feed, --address and
    /// --fingerprint
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<Uuid>,
    /// Deliveries of this outcome: applied, unchanged, ignored, rejected or failed
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome, conflicts_with = "rejected")]
    outcomes: Vec<Outcome>,
    /// Deliveries that have a finding of this code, as `dealership_unknown`
    #[arg(long = "finding", value_name = "CODE", value_parser = code, conflicts_with = "rejected")]
    codes: Vec<Code>,
    /// Deliveries of this feed
    #[arg(long = "feed", value_name = "FEED", value_parser = feed)]
    feeds: Vec<Feed>,
    /// From this arrival on: RFC 3339, or a date, which begins at midnight UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Before this arrival: RFC 3339, or a date, which begins at midnight UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Deliveries of this workspace
    #[arg(long, value_name = "SLUG", conflicts_with = "rejected")]
    workspace: Option<String>,
    /// So many at the most, the oldest first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// All of them, where nothing else is asked for
    #[arg(long)]
    all: bool,
    /// Say what would come of it, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Replay requests that were refused for want of a valid credential, in place of deliveries
    #[arg(long)]
    pub(super) rejected: bool,
    /// With --rejected: those from this address
    #[arg(long = "address", value_name = "ADDRESS", requires = "rejected")]
    addresses: Vec<IpAddr>,
    /// With --rejected: those that presented what has this fingerprint
    #[arg(long = "fingerprint", value_name = "DIGITS", requires = "rejected")]
    fingerprints: Vec<String>,
    /// Apply them as deliveries of this feed, where the credential may post to it: what was posted to another feed's door and
    /// is not applied, and what was posted to no door
    #[arg(long = "as-feed", value_name = "FEED", value_parser = feed)]
    pub(super) as_feed: Option<Feed>,
    /// The credential as which they are applied [default: of deliveries their own; of refused requests the only one that
    /// may post to their feed]
    #[arg(long, value_name = "NAME")]
    pub(super) credential: Option<String>,
}

impl Arguments {
    /// What is chosen, among all that arrived before `now`.
    pub(super) fn replay_filter(&self, now: DateTime<Utc>) -> Result<ReplayFilter, &'static str> {
        let lists = [self.ids.len(), self.outcomes.len(), self.codes.len(), self.feeds.len()];
        let lists = lists.into_iter().chain([self.addresses.len(), self.fingerprints.len()]);
        let ranges = self.since.is_some() || self.until.is_some() || self.workspace.is_some();
        if lists.sum::<usize>() == 0 && !ranges && !self.all {
            return Err(
                "say which: by --id, --outcome, --finding, --feed, --since, --until or --workspace, or of refused \
                requests by --rejected with --address or --fingerprint; or all of them, by --all",
            );
        }
        Ok(ReplayFilter {
            ids: self.ids.clone(),
            feeds: self.feeds.clone(),
            since: self.since,
            until: self.until.unwrap_or(now).min(now),
            outcomes: self.outcomes.iter().map(|outcome| outcome.name().to_owned()).collect(),
            codes: self.codes.iter().map(|code| code.name().to_owned()).collect(),
            workspace: self.workspace.clone(),
            of_no_door: false,
            addresses: self.addresses.clone(),
            fingerprints: self.fingerprints.iter().map(|digits| digits.to_ascii_lowercase()).collect(),
        })
    }

    /// Of refused requests, those that were posted to no door, where it is said which feed they are of, and nothing is asked
    /// for that only deliveries have. What was refused at a door is of that door's feed, whatever is said.
    pub(super) fn of_no_door(&self, replay_filter: &ReplayFilter) -> Option<ReplayFilter> {
        let of_deliveries = !self.outcomes.is_empty() || !self.codes.is_empty() || self.workspace.is_some();
        let is_asked = self.as_feed.is_some() && !of_deliveries;
        is_asked.then(|| ReplayFilter { of_no_door: true, ..replay_filter.clone() })
    }

    /// How many at the most.
    pub(super) fn limit(&self) -> i64 {
        self.limit.map_or(i64::MAX, i64::from)
    }

    /// The ids that were asked for.
    pub(super) fn ids(&self) -> &[Uuid] {
        &self.ids
    }
}

fn outcome(name: &str) -> Result<Outcome, String> {
    Outcome::named(name).ok_or_else(|| "write one of applied, unchanged, ignored, rejected, failed".to_owned())
}

fn code(name: &str) -> Result<Code, String> {
    Code::named(name).ok_or_else(|| "no finding has this code; intake.finding_codes lists them".to_owned())
}

fn feed(name: &str) -> Result<Feed, String> {
    let known: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    Feed::named(name).ok_or_else(|| format!("write one of {}", known.join(", ")))
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let date = |text: &str| Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    time.or_else(|| date(text)).ok_or_else(|| "write a time such as 2026-11-21T10:42:00+10:00, or a date".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_with_its_offset_or_a_date() {
        let at = |text: &str| moment(text).map(|at| at.to_rfc3339());
        assert_eq!(at("2026-11-21T10:42:00+10:00").unwrap(), "2026-11-21T00:42:00+00:00");
        assert_eq!(at("2026-11-21").unwrap(), "2026-11-21T00:00:00+00:00");
        for wrong in ["2026-11-21 10:42", "2026-11-31", "yesterday", ""] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn at_least_one_thing_is_asked_for() {
        let now = moment("2026-11-21").unwrap();
        assert!(Arguments::default().replay_filter(now).is_err());
        assert!(
            Arguments { rejected: true, dry_run: true, limit: Some(1), ..Arguments::default() }
                .replay_filter(now)
                .is_err()
        );
        let later = moment("2027-01-01").unwrap();
        for enough in [
            Arguments { all: true, ..Arguments::default() },
            Arguments { until: Some(later), ..Arguments::default() },
            Arguments { feeds: vec![Feed::Lead], ..Arguments::default() },
        ] {
            assert_eq!(enough.replay_filter(now).unwrap().until, now, "what arrives meanwhile is left alone");
        }
    }
}
