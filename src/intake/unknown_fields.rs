//! Undocumented fields, counted in memory and written now and then, apart from the deliveries' transactions.
//!
//! The room is shared out: each workspace and feed counts as many paths as are kept of it in the tables, and where all
//! together are too many, the workspace that has most gives way. One that sends ever new names loses its own notes only.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::feed::Feed;
use crate::store::Store;
use crate::store::drift::{self, MOST_PATHS, Seen};

/// How often the counts are written.
const PERIOD: Duration = Duration::from_millis(500);
/// How many paths of all workspaces are counted in memory at the most.
const MOST_OF_ALL: usize = 20_000;
/// How much of a path is kept, in characters: with this it fits into an index.
const LONGEST_PATH: usize = 255;
/// How long the tables are waited for, for one workspace and feed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is reported that there is more than is noted.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// The counts of one workspace.
type OfWorkspace = BTreeMap<Feed, BTreeMap<String, Seen>>;

/// The counts that are not written yet.
#[derive(Debug, Default)]
struct Counts {
    workspaces: BTreeMap<WorkspaceId, OfWorkspace>,
    /// How many paths were left out, by workspace, since that was reported.
    dropped: BTreeMap<WorkspaceId, u64>,
}

/// Counts undocumented fields.
#[derive(Clone, Debug, Default)]
pub(super) struct UnknownFields {
    counts: Arc<Mutex<Counts>>,
    /// Held while counts are written. When it was last reported that paths were left out.
    turn: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

impl UnknownFields {
    /// Counts the undocumented paths of a delivery.
    pub(super) fn count(
        &self,
        workspace: WorkspaceId,
        feed: Feed,
        paths: &BTreeSet<String>,
        delivery: Uuid,
        received_at: DateTime<Utc>,
    ) {
        if paths.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths {
            let path = path.chars().take(LONGEST_PATH).collect();
            let (first, last) = (received_at, received_at);
            counts.add(workspace, feed, Seen { path, first, last, times: 1, example: delivery });
        }
    }

    /// Writes the counts for as long as the service runs.
    pub(super) async fn run(self, store: Store) {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.write(&store).await;
        }
    }

    /// Writes the counts, after those that are being written: those of each workspace and feed on their own, so that what
    /// keeps one from being written costs no other. Those that could not be written are lost, which costs a count and
    /// nothing else; while Postgres is away they are kept.
    pub(super) async fn write(&self, store: &Store) {
        let mut reported_at = self.turn.lock().await;
        let taken = std::mem::take(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner).workspaces);
        let mut is_away = false;
        for (workspace, feeds) in taken {
            for (feed, paths) in feeds {
                let seen: Vec<Seen> = paths.into_values().collect();
                if is_away || !save(store, workspace, feed, &seen).await {
                    is_away = true;
                    self.put_back(workspace, feed, seen);
                }
            }
        }
        if reported_at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL) && self.report_dropped() {
            *reported_at = Some(Instant::now());
        }
    }

    fn put_back(&self, workspace: WorkspaceId, feed: Feed, seen: Vec<Seen>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for seen in seen {
            counts.add(workspace, feed, seen);
        }
    }

    fn report_dropped(&self) -> bool {
        let dropped = std::mem::take(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner).dropped);
        for (workspace, paths) in &dropped {
            tracing::warn!(workspace = workspace.get(), paths, "more undocumented fields came at once than are noted");
        }
        !dropped.is_empty()
    }
}

/// Writes what was seen in one workspace and feed; returns whether the counts may be forgotten: they are written, or never can be.
async fn save(store: &Store, workspace: WorkspaceId, feed: Feed, seen: &[Seen]) -> bool {
    match tokio::time::timeout(TIMEOUT, drift::save(store, workspace, feed, seen)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.is_transient() => return false,
        Ok(Err(error)) => {
            tracing::warn!(
                workspace = workspace.get(),
                error = error.without_values(),
                "undocumented fields could not be noted"
            );
        }
        Err(_elapsed) => tracing::warn!(workspace = workspace.get(), "undocumented fields could not be noted in time"),
    }
    true
}

impl Counts {
    fn add(&mut self, workspace: WorkspaceId, feed: Feed, seen: Seen) {
        let of_feed = self.workspaces.entry(workspace).or_default().entry(feed).or_default();
        if let Some(known) = of_feed.get_mut(&seen.path) {
            known.times += seen.times;
            known.last = known.last.max(seen.last);
            known.first = known.first.min(seen.first);
            return;
        }
        if of_feed.len() >= MOST_PATHS {
            *self.dropped.entry(workspace).or_default() += 1;
            return;
        }
        of_feed.insert(seen.path.clone(), seen);
        if self.workspaces.values().map(count_of).sum::<usize>() > MOST_OF_ALL {
            self.give_way();
        }
    }

    /// Takes a path from the workspace that has most, where it has most.
    fn give_way(&mut self) {
        let Some((workspace, feeds)) = self.workspaces.iter_mut().max_by_key(|(_, feeds)| count_of(feeds)) else {
            return;
        };
        if let Some(paths) = feeds.values_mut().max_by_key(|paths| paths.len()) {
            paths.pop_last();
            *self.dropped.entry(*workspace).or_default() += 1;
        }
    }
}

/// How many paths of a workspace are counted.
fn count_of(feeds: &OfWorkspace) -> usize {
    feeds.values().map(BTreeMap::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(fields: &UnknownFields, workspace: i64, feed: Feed, names: impl Iterator<Item = String>) {
        fields.count(workspace.into(), feed, &names.collect(), Uuid::nil(), DateTime::UNIX_EPOCH);
    }

    fn paths(fields: &UnknownFields, workspace: i64) -> usize {
        fields.counts.lock().unwrap().workspaces.get(&workspace.into()).map_or(0, count_of)
    }

    /// Names as long as somebody likes, which differ at their beginning.
    fn hostile(from: usize) -> impl Iterator<Item = String> {
        (from..from + 1_000).map(|number| format!("{number}{}", "ä".repeat(400)))
    }

    #[test]
    fn who_sends_ever_new_names_loses_only_its_own() {
        let fields = UnknownFields::default();
        // As many workspaces that flood as would fill the room together, in every feed.
        for round in 0..3 {
            for workspace in 1..=30 {
                for feed in [Feed::Lead, Feed::LeadCluster, Feed::Inventory, Feed::LeadPro] {
                    count(&fields, workspace, feed, hostile(round * 1_000));
                }
            }
        }
        count(&fields, 99, Feed::Lead, ["new".to_owned()].into_iter());
        count(&fields, 98, Feed::Lead, (0..100).map(|number| number.to_string()));
        count(&fields, 1, Feed::Lead, hostile(9_000));
        assert_eq!([paths(&fields, 99), paths(&fields, 98)], [1, 100]);
        let all: usize = (1..=99).map(|workspace| paths(&fields, workspace)).sum();
        assert_eq!(all, MOST_OF_ALL);
        let shares: Vec<usize> = (1..=30).map(|workspace| paths(&fields, workspace)).collect();
        assert!(shares.iter().all(|share| (600..=700).contains(share)), "{shares:?}");
        let counts = fields.counts.lock().unwrap();
        assert!(
            counts.dropped.contains_key(&1.into()) && !counts.dropped.contains_key(&98.into()),
            "{:?}",
            counts.dropped
        );
        let longest =
            counts.workspaces.values().flat_map(BTreeMap::values).flat_map(BTreeMap::keys).map(String::len).max();
        assert!(longest.is_some_and(|bytes| bytes <= 4 * LONGEST_PATH), "{longest:?}");
    }

    #[test]
    fn a_workspace_alone_counts_as_many_paths_as_are_kept_and_those_it_has_go_on_being_counted() {
        let fields = UnknownFields::default();
        count(&fields, 1, Feed::Lead, hostile(0));
        count(&fields, 1, Feed::Lead, hostile(500));
        count(&fields, 1, Feed::Inventory, hostile(0));
        assert_eq!(paths(&fields, 1), 2 * MOST_PATHS);
        let counts = fields.counts.lock().unwrap();
        let times: Vec<i64> = counts.workspaces[&1.into()][&Feed::Lead].values().map(|seen| seen.times).collect();
        assert_eq!((times.iter().filter(|times| **times == 2).count(), counts.dropped[&1.into()]), (500, 500));
    }
}
