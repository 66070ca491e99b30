//! What is told of a sender that has fallen silent or speaks again: a line in the log, and the JSON that is posted. It holds
//! names of the configuration, counts and times, and never what a sender has sent.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::silence::{Change, DealershipFeed, Expected, FeedActivity};
use crate::store::rejected::OfFingerprint;

/// So many fingerprints are named of refused requests.
const NAMED: usize = 3;

/// What is told of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id, the same however often it is posted.
    pub id: Uuid,
    /// When the change was found.
    pub at: DateTime<Utc>,
    /// Whom it is about.
    pub sender: DealershipFeed,
    /// What is expected.
    pub expected: Expected,
    /// Arrival of the newest delivery.
    pub last_accepted_at: Option<DateTime<Utc>>,
    /// What has changed.
    pub change: Change,
    /// Requests to the feed that were refused since, by what they presented.
    pub refused: Vec<OfFingerprint>,
}

impl Alert {
    pub(super) fn new(
        sender: &DealershipFeed,
        activity: &FeedActivity,
        expected: Expected,
        change: Change,
        refused: Vec<OfFingerprint>,
        at: DateTime<Utc>,
    ) -> Self {
        let (sender, last_accepted_at) = (sender.clone(), activity.last_accepted_at);
        Self { id: Uuid::now_v7(), at, sender, expected, last_accepted_at, change, refused }
    }

    /// Since when the sender is, or was, silent.
    #[must_use]
    pub fn silent_since(&self) -> DateTime<Utc> {
        match self.change {
            Change::FellSilent { since: silent_since } | Change::SpokeAgain { silent_since } => silent_since,
        }
    }

    /// How many requests were refused, and since when.
    fn refused(&self) -> Option<(i64, DateTime<Utc>)> {
        let first = self.refused.iter().map(|one| one.first_at).min()?;
        Some((self.refused.iter().map(|one| one.count).sum(), first))
    }

    /// Its kind, as it is posted.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.change {
            Change::FellSilent { since: _ } => "sender.silent",
            Change::SpokeAgain { silent_since: _ } => "sender.speaking",
        }
    }

    /// The line in the log.
    pub(super) fn log(&self) {
        let DealershipFeed { slug: workspace, dealership, feed, .. } = &self.sender;
        let (silent_since, feed) = (shown(self.silent_since()), feed.name());
        let last_accepted_at = self.last_accepted_at.map(shown);
        match self.change {
            Change::FellSilent { since: _ } => {
                let expected_seconds = self.expected.every.num_seconds();
                let (refused, refused_since) = self.refused().unzip();
                let refused_since = refused_since.map(shown);
                let fingerprints = self.refused().map(|_| self.fingerprints());
                let why = match (self.last_accepted_at, refused) {
                    (Some(_), None) => {
                        "a sender has fallen silent: nothing was accepted from it for longer than expected"
                    }
                    (None, None) => "a sender is silent: nothing was accepted from it since it is expected",
                    (Some(_) | None, Some(_)) => {
                        "a sender is silent, and requests to its feed were refused: they do not count, and may be its own"
                    }
                };
                tracing::warn!(
                    workspace,
                    dealership,
                    feed,
                    silent_since,
                    last_accepted_at,
                    expected_seconds,
                    refused,
                    refused_since,
                    fingerprints,
                    "{why}"
                );
            }
            Change::SpokeAgain { silent_since: _ } => {
                tracing::info!(workspace, dealership, feed, silent_since, last_accepted_at, "a sender speaks again");
            }
        }
    }

    /// The fingerprints with most requests, each with its count.
    fn fingerprints(&self) -> String {
        let named = |one: &OfFingerprint| format!("{} ({})", one.fingerprint.as_deref().unwrap_or("none"), one.count);
        self.refused.iter().take(NAMED).map(named).collect::<Vec<_>>().join(", ")
    }

    /// What is posted.
    #[must_use]
    pub fn payload(&self) -> Value {
        let DealershipFeed { slug, dealership, name, feed, .. } = &self.sender;
        let refused = self.refused().map(|(requests, since)| {
            let fingerprint = |one: &OfFingerprint| json!({ "fingerprint": one.fingerprint, "requests": one.count });
            let fingerprints: Vec<Value> = self.refused.iter().take(NAMED).map(fingerprint).collect();
            json!({ "requests": requests, "since": shown(since), "fingerprints": fingerprints })
        });
        json!({
            "type": self.kind(),
            "timestamp": shown(self.at),
            "data": {
                "workspace": slug,
                "dealership": dealership,
                "dealership_name": name,
                "feed": feed.name(),
                "expected_every_seconds": self.expected.every.num_seconds(),
                "expected_since": shown(self.expected.since),
                "last_accepted_at": self.last_accepted_at.map(shown),
                "silent_since": shown(self.silent_since()),
                "refused": refused,
            },
        })
    }
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
