//! Undocumented fields, counted in memory and written now and then, apart from the deliveries' transactions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::world::RowId;
use crate::feeds::Feed;
use crate::store::Store;
use crate::store::drift::{self, Seen};

/// How often the counts are written.
const PERIOD: Duration = Duration::from_millis(500);
/// How many paths are counted in memory at the most.
const MOST_PATHS: usize = 10_000;

type Counts = BTreeMap<(RowId, Feed), BTreeMap<String, Seen>>;

/// The counts that are not written yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Drift {
    counts: Arc<Mutex<Counts>>,
    /// Held while counts are written.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Drift {
    /// Counts the undocumented paths of a delivery.
    pub(super) fn count(
        &self,
        workspace: RowId,
        feed: Feed,
        paths: &BTreeSet<String>,
        delivery: Uuid,
        received_at: DateTime<Utc>,
    ) {
        if paths.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let known: usize = counts.values().map(BTreeMap::len).sum();
        let mut room = MOST_PATHS.saturating_sub(known);
        let counts = counts.entry((workspace, feed)).or_default();
        for path in paths {
            if let Some(seen) = counts.get_mut(path) {
                seen.times += 1;
                seen.last = received_at.max(seen.last);
                seen.first = received_at.min(seen.first);
            } else if room > 0 {
                room -= 1;
                let (first, last) = (received_at, received_at);
                let feed = feed.name();
                let seen = Seen { workspace, feed, path: path.clone(), first, last, times: 1, example: delivery };
                counts.insert(path.clone(), seen);
            }
        }
    }

    /// Writes the counts for as long as the service runs.
    pub(super) async fn run(self, store: Store) {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.write(&store).await;
        }
    }

    /// Writes the counts, after those that are being written; those that could not be written are lost, which costs a
    /// count and nothing else.
    pub(super) async fn write(&self, store: &Store) {
        let _turn = self.turn.lock().await;
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return;
        }
        let seen: Vec<Seen> = counts.into_values().flat_map(BTreeMap::into_values).collect();
        if let Err(error) = drift::save(store, &seen).await {
            tracing::warn!(%error, "undocumented fields could not be noted");
        }
    }
}
