//! Where the deliveries of a replay come from: the stored ones, or the requests that were refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Credential};
use crate::domain::Outcome;
use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::workspace::Permitted;
use crate::intake::Intake;
use crate::intake::replay::ReplayItem;
use crate::store::deliveries::{Stored, UnknownFeed};
use crate::store::rejected::{self, Refused};
use crate::store::replay_filter::{self, Cursor, Match, ReplayFilter};
use crate::store::{self};

use super::report::Before;

/// What is replayed, and from where.
pub(super) struct Source<'s> {
    /// Where it goes.
    pub(super) intake: &'s Intake,
    /// As whom refused requests enter; none where stored deliveries are replayed.
    pub(super) identity: Option<ReplayIdentity>,
    /// What stored deliveries may be applied to, in place of what their own credentials may write to.
    pub(super) permitted: Option<Permitted>,
    /// What is asked for.
    pub(super) replay_filter: &'s ReplayFilter,
}

/// One delivery of a round.
pub(super) struct Item {
    /// What it was.
    pub(super) before: Before,
    /// What is replayed, or why it cannot be.
    pub(super) work: Result<ReplayItem, &'static str>,
    /// Where the next round begins.
    pub(super) cursor: Cursor,
}

/// As whom the refused requests of each feed enter.
pub(super) struct ReplayIdentity(BTreeMap<Feed, (String, Permitted)>);

impl ReplayIdentity {
    /// The credential that is named, else the only one of each feed.
    pub(super) fn find(config: &Config, named: Option<&str>, feeds: &[Feed]) -> Result<Self, String> {
        if let Some(name) = named {
            permission(config, name)?;
        }
        let mut identity = BTreeMap::new();
        for feed in feeds.iter().copied() {
            let credential = credential_of(config, named, feed)?;
            identity.insert(feed, (credential.name.clone(), credential.permitted.clone()));
        }
        Ok(Self(identity))
    }
}

/// What a credential of the configuration may write to.
pub(super) fn permission(config: &Config, name: &str) -> Result<Permitted, String> {
    let found = config.credentials.iter().find(|credential| credential.name == name);
    found.map(|credential| credential.permitted.clone()).ok_or_else(|| {
        let known: Vec<&str> = config.credentials.iter().map(|credential| credential.name.as_str()).collect();
        format!("there is no credential `{name}`: name one of {}", known.join(", "))
    })
}

fn credential_of<'c>(config: &'c Config, named: Option<&str>, feed: Feed) -> Result<&'c Credential, String> {
    let of_feed = config.credentials.iter().filter(|credential| credential.feeds.contains(&feed));
    let fitting: Vec<_> = of_feed.filter(|credential| named.is_none_or(|name| credential.name == name)).collect();
    let feed = feed.name();
    match (fitting.as_slice(), named) {
        ([only], _) => Ok(only),
        ([], Some(name)) => Err(format!(
            "the credential `{name}` may not post to {feed}: name another one, or choose other requests by `--feed`"
        )),
        ([], None) => Err(format!("no credential may post to {feed}: choose other requests by `--feed`")),
        (several, _) => {
            let all: Vec<&str> = several.iter().map(|credential| credential.name.as_str()).collect();
            Err(format!(
                "several credentials may post to {feed} ({}): name the one they enter as by `--credential`",
                all.join(", ")
            ))
        }
    }
}

impl Source<'_> {
    /// The next round after a cursor.
    pub(super) async fn round(&self, after: Cursor, limit: i64) -> Result<Vec<Item>, store::Error> {
        let store = self.intake.store();
        Ok(match &self.identity {
            None => {
                let matching = replay_filter::deliveries(store, self.replay_filter, after, limit).await?;
                matching.into_iter().map(|matching| self.stored(matching)).collect()
            }
            Some(identity) => {
                let refused = rejected::matching(store, self.replay_filter, after, limit).await?;
                refused.into_iter().map(|refused| entering(identity, refused)).collect()
            }
        })
    }

    fn stored(&self, matching: Match) -> Item {
        let Match { stored, outcome, codes } = matching;
        let is_unread = outcome == Outcome::Rejected.name();
        let (id, received_at, feed) = match &stored {
            Ok(stored) => (stored.delivery.id, stored.delivery.received_at, stored.delivery.feed.name().to_owned()),
            Err(UnknownFeed { id, received_at, feed }) => (*id, *received_at, feed.clone()),
        };
        let before = Before { id, feed, outcome: Some(outcome), codes: codes.into_iter().collect() };
        let work = match stored {
            Ok(Stored { mut delivery, workspace, attempts, was_applied: _ }) => {
                let own = || self.intake.router().permission(&delivery.credential, workspace);
                delivery.permitted = self.permitted.clone().unwrap_or_else(own);
                Ok(ReplayItem { delivery, attempts, is_unread })
            }
            Err(UnknownFeed { .. }) => Err(UNKNOWN_FEED),
        };
        Item { before, work, cursor: (received_at, id) }
    }
}

/// Why what a newer version has stored is not replayed.
const UNKNOWN_FEED: &str = "this version of forecourt does not know its feed";

/// A refused request on its way in. It keeps its id and its arrival, so that a second replay finds it there.
fn entering(identity: &ReplayIdentity, refused: Refused) -> Item {
    let Refused {
        id,
        received_at,
        path: _,
        feed,
        remote_address,
        scheme: _,
        fingerprint: _,
        content_type,
        body,
        outcome,
    } = refused;
    let name = feed.map_or("", Feed::name).to_owned();
    let before = Before { id, feed: name, outcome, codes: BTreeSet::new() };
    let credential = feed.and_then(|feed| Some((feed, identity.0.get(&feed)?)));
    let work = match (credential, body) {
        (_, None) => Err("its body could not be kept"),
        (None, Some(_)) => Err(UNKNOWN_FEED),
        (Some((feed, (credential, permitted))), Some(body)) => Ok(ReplayItem {
            delivery: Delivery {
                id,
                feed,
                received_at,
                credential: credential.clone(),
                permitted: permitted.clone(),
                remote_address,
                content_type,
                body: body.into(),
                posted_body: None,
                undecoded: None,
                dealership_id: None,
                schema_version: None,
            },
            attempts: 0,
            is_unread: true,
        }),
    };
    Item { before, work, cursor: (received_at, id) }
}
