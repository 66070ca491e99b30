//! Where the deliveries of a replay come from: the stored ones, or the requests that were refused.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use crate::config::{Config, Credential};
use crate::domain::Outcome;
use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::workspace::Permitted;
use crate::intake::Intake;
use crate::intake::replay::ReplayItem;
use crate::store::due::{NotRepeatable, Obstacle, Stored};
use crate::store::rejected::{self, Refused};
use crate::store::replay_filter::{self, Cursor, Match, ReplayFilter};
use crate::store::{self, Store};

use super::arguments::Arguments;
use super::report::Before;

/// What is replayed, and from where.
pub(super) struct Source<'s> {
    /// Where it goes.
    pub(super) intake: &'s Intake,
    /// As whom refused requests enter; none where stored deliveries are replayed.
    pub(super) identity: Option<&'s ReplayIdentity>,
    /// As what, and as whose, stored deliveries are applied.
    pub(super) of_stored: &'s OfStored,
    /// What is asked for.
    pub(super) replay_filter: &'s ReplayFilter,
}

/// One delivery of a round.
pub(super) struct Item {
    /// What it was.
    pub(super) before: Before,
    /// What is replayed, or why it cannot be.
    pub(super) work: Result<ReplayItem, String>,
    /// Where the next round begins.
    pub(super) cursor: Cursor,
}

/// As whom the refused requests of each feed enter.
pub(super) struct ReplayIdentity {
    by_feed: BTreeMap<Feed, (String, Permitted)>,
    /// The feed as whose they are applied, in place of their own.
    as_feed: Option<Feed>,
}

/// As what, and as whose, stored deliveries are applied.
#[derive(Default)]
pub(super) struct OfStored {
    /// What they may be applied to, in place of what their own credentials may write to.
    permitted: Option<Permitted>,
    /// The feed as whose they are applied, in place of their own; with what each credential may write to that may post to it.
    as_feed: Option<(Feed, BTreeMap<String, Permitted>)>,
}

/// Both.
pub(super) struct Entrances {
    /// None where only stored deliveries are asked for.
    pub(super) of_refused: Option<ReplayIdentity>,
    /// Of no use where only refused requests are asked for.
    pub(super) of_stored: OfStored,
}

impl Entrances {
    /// Those that are asked for: the credential that is named, else the only one of each feed, or a delivery's own.
    pub(super) async fn find(
        arguments: &Arguments,
        config: &Config,
        store: &Store,
        replay_filter: &ReplayFilter,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (named, as_feed) = (arguments.credential.as_deref(), arguments.as_feed);
        let permitted = named.map(|name| permission(config, name)).transpose()?;
        if let (Some(_), Some(feed)) = (named, as_feed) {
            credential_of(config, named, feed)?;
        }
        let feeds = match as_feed {
            Some(feed) => vec![feed],
            None if arguments.rejected => rejected::feeds(store, replay_filter).await?,
            None => Vec::new(),
        };
        let found = ReplayIdentity::find(config, named, &feeds).map(|by_feed| ReplayIdentity { by_feed, as_feed });
        let of_refused = match found {
            // A stored delivery has a credential of its own.
            Err(_ambiguous) if !arguments.rejected => None,
            found => Some(found?),
        };
        let may_post = |feed: Feed| {
            let fitting = config.credentials.iter().filter(|credential| credential.feeds.contains(&feed));
            fitting.map(|credential| (credential.name.clone(), credential.permitted.clone())).collect()
        };
        let as_feed = as_feed.map(|feed| (feed, may_post(feed)));
        Ok(Self { of_refused, of_stored: OfStored { permitted, as_feed } })
    }
}

impl ReplayIdentity {
    fn find(
        config: &Config,
        named: Option<&str>,
        feeds: &[Feed],
    ) -> Result<BTreeMap<Feed, (String, Permitted)>, String> {
        let mut identity = BTreeMap::new();
        for feed in feeds.iter().copied() {
            let credential = credential_of(config, named, feed)?;
            identity.insert(feed, (credential.name.clone(), credential.permitted.clone()));
        }
        Ok(identity)
    }
}

impl OfStored {
    /// As which feed, and to what, a delivery is applied; or why it is not.
    fn of(
        &self,
        delivery: &Delivery,
        outcome: &str,
        own: impl FnOnce() -> Permitted,
    ) -> Result<(Feed, Permitted), String> {
        let Some((feed, may_post)) = &self.as_feed else {
            return Ok((delivery.feed, self.permitted.clone().unwrap_or_else(own)));
        };
        if delivery.feed != *feed && [Outcome::Applied.name(), Outcome::Unchanged.name()].contains(&outcome) {
            return Err(format!("it is {outcome} as what it was posted as"));
        }
        let permitted = self.permitted.as_ref().or_else(|| may_post.get(&delivery.credential)).ok_or_else(|| {
            format!("its credential may not post to {}: name one that may by `--credential`", feed.name())
        })?;
        Ok((*feed, permitted.clone()))
    }
}

/// What a credential of the configuration may write to.
fn permission(config: &Config, name: &str) -> Result<Permitted, String> {
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
        Ok(match self.identity {
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
            Err(NotRepeatable { obstacle: _, id, received_at, feed }) => (*id, *received_at, feed.clone()),
        };
        let before = Before { id, feed, outcome: Some(outcome), codes: codes.into_iter().collect() };
        let work = match stored {
            Ok(Stored { delivery, workspace, attempts, was_applied: _ }) => {
                let own = || self.intake.router().permission(&delivery.credential, workspace);
                let of = self.of_stored.of(&delivery, before.outcome.as_deref().unwrap_or_default(), own);
                of.map(|(feed, permitted)| ReplayItem {
                    delivery: Delivery { feed, permitted, ..delivery },
                    attempts,
                    is_unread,
                })
            }
            Err(NotRepeatable { obstacle, .. }) => Err(obstacle.to_string()),
        };
        Item { before, work, cursor: (received_at, id) }
    }
}

/// A refused request on its way in. It keeps its id and its arrival, so that a second replay finds it there.
fn entering(identity: &ReplayIdentity, refused: Refused) -> Item {
    let Refused {
        id,
        received_at,
        path: _,
        feed,
        of_no_door,
        remote_address,
        scheme: _,
        fingerprint: _,
        credential: _,
        content_type,
        body,
        outcome,
    } = refused;
    let feed = identity.as_feed.or(feed);
    let name = feed.map_or("-", Feed::name).to_owned();
    let before = Before { id, feed: name, outcome, codes: BTreeSet::new() };
    let credential = feed.and_then(|feed| Some((feed, identity.by_feed.get(&feed)?)));
    let work = match (credential, body) {
        (_, None) => Err("its body could not be kept".to_owned()),
        (None, Some(_)) if of_no_door => {
            Err("it was posted to no door: say which feed it is of by `--as-feed`".to_owned())
        }
        (None, Some(_)) => Err(Obstacle::UnknownFeed.to_string()),
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
                external_id: None,
                schema_version: None,
            },
            attempts: 0,
            is_unread: true,
        }),
    };
    Item { before, work, cursor: (received_at, id) }
}
