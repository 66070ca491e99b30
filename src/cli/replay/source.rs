//! Where the deliveries of a replay come from: the stored ones, or the requests that were refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Config, Credential};
use crate::domain::Outcome;
use crate::domain::workspace::Permitted;
use crate::feeds::Feed;
use crate::intake::Intake;
use crate::intake::replay::asked::Asked;
use crate::store::deliveries::Arrived;
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
    pub(super) work: Result<Asked, &'static str>,
    /// Where the next round begins.
    pub(super) cursor: Cursor,
}

/// As whom the refused requests of each feed enter.
pub(super) struct ReplayIdentity(BTreeMap<&'static str, (String, Permitted)>);

impl ReplayIdentity {
    /// The credential that is named, else the only one of each feed.
    pub(super) fn find(config: &Config, named: Option<&str>, feeds: &[String]) -> Result<Self, String> {
        if let Some(name) = named {
            permission(config, name)?;
        }
        let mut identity = BTreeMap::new();
        for feed in feeds.iter().filter_map(|feed| Feed::named(feed)) {
            let credential = credential_of(config, named, feed)?;
            identity.insert(feed.name(), (credential.name.clone(), credential.permitted.clone()));
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
    /// How many there are of what is asked for.
    pub(super) async fn count(&self) -> Result<i64, store::Error> {
        let store = self.intake.store();
        match &self.identity {
            None => replay_filter::count(store, self.replay_filter).await,
            Some(_) => rejected::count(store, self.replay_filter).await,
        }
    }

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
        let arrived = stored.arrived;
        let cursor = (arrived.received_at, arrived.id);
        let unread = outcome == Outcome::Rejected.name();
        let before = Before {
            id: arrived.id,
            feed: arrived.feed.clone(),
            outcome: Some(outcome),
            codes: codes.into_iter().collect(),
        };
        let work = match Feed::named(&arrived.feed) {
            Some(feed) => {
                let own = || self.intake.directory().permission(&arrived.credential, stored.workspace);
                let permitted = self.permitted.clone().unwrap_or_else(own);
                Ok(Asked { feed, arrived, attempts: stored.attempts, unread, permitted })
            }
            None => Err("this version of forecourt does not know its feed"),
        };
        Item { before, work, cursor }
    }
}

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
    let name = feed.unwrap_or_default();
    let before = Before { id, feed: name.clone(), outcome, codes: BTreeSet::new() };
    let work = match (Feed::named(&name), identity.0.get(name.as_str()), body) {
        (_, _, None) => Err("its body could not be kept"),
        (Some(feed), Some((credential, permitted)), Some(body)) => Ok(Asked {
            feed,
            arrived: Arrived {
                id,
                received_at,
                feed: name,
                dealership_id: None,
                credential: credential.clone(),
                remote_address,
                content_type,
                body: Arc::new(body),
                posted_body: None,
                schema_version: None,
            },
            attempts: 0,
            unread: true,
            permitted: permitted.clone(),
        }),
        (_, _, Some(_)) => Err("this version of forecourt does not know its feed"),
    };
    Item { before, work, cursor: (received_at, id) }
}
