//! When each sender last spoke: for every dealership and feed that the configuration can have, and no others, so that a
//! payload cannot make a series. A delivery costs two look-ups and one atomic maximum.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::feed::Feed;
use crate::domain::ids::WorkspaceId;
use crate::domain::silence::NO_DEALERSHIP;
use crate::domain::workspace::{DealershipId, Slug, Workspace};

/// A sender that something is expected of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentSender {
    /// The slug of the workspace.
    pub workspace: Slug,
    /// The dealership; [`NO_DEALERSHIP`] for a feed that names none.
    pub dealership: DealershipId,
    /// The feed.
    pub feed: Feed,
    /// Whether it has been silent for longer than is expected.
    pub is_silent: bool,
}

/// What is known of the senders.
#[derive(Debug, Default)]
pub(super) struct Senders {
    rows: Vec<Row>,
    by_dealership: HashMap<DealershipId, usize>,
    /// Of each workspace's row.
    by_workspace: HashMap<WorkspaceId, OfWorkspace>,
    expected: Vec<SilentSender>,
}

/// A dealership of a workspace, with when something last came of it.
#[derive(Debug)]
struct Row {
    workspace: Slug,
    dealership: DealershipId,
    /// Milliseconds since 1970, by feed; nought where nothing came.
    last: [AtomicI64; Feed::ALL.len()],
}

/// Where deliveries count that name no dealership.
#[derive(Clone, Copy, Debug)]
struct OfWorkspace {
    /// Those of feeds that never do.
    without: usize,
    /// Others, where the workspace has no second dealership.
    only: Option<usize>,
}

impl Senders {
    /// Takes over another configuration, with what is known of the senders that it still has.
    pub(super) fn configure(&mut self, workspaces: &[Workspace], ids: &BTreeMap<Slug, WorkspaceId>) {
        let former = std::mem::take(&mut self.rows);
        (self.by_dealership, self.by_workspace) = (HashMap::new(), HashMap::new());
        for workspace in workspaces {
            let without = self.add(&workspace.slug, NO_DEALERSHIP);
            for dealership in &workspace.dealerships {
                let row = self.add(&workspace.slug, dealership.id);
                self.by_dealership.insert(dealership.id, row);
            }
            let only = (workspace.dealerships.len() == 1).then_some(without + 1);
            if let Some(id) = ids.get(&workspace.slug) {
                self.by_workspace.insert(*id, OfWorkspace { without, only });
            }
        }
        for Row { workspace, dealership, last } in former {
            for (feed, at) in Feed::ALL.iter().zip(&last) {
                self.raise(&workspace, dealership, *feed, at.load(Ordering::Relaxed));
            }
        }
    }

    fn add(&mut self, workspace: &Slug, dealership: DealershipId) -> usize {
        let last = [const { AtomicI64::new(0) }; Feed::ALL.len()];
        self.rows.push(Row { workspace: workspace.clone(), dealership, last });
        self.rows.len() - 1
    }

    /// Notes when a delivery arrived, of a workspace that it belongs to.
    pub(super) fn note(&self, workspace: WorkspaceId, dealership: Option<DealershipId>, feed: Feed, at: DateTime<Utc>) {
        let row = match dealership {
            Some(dealership) => self.by_dealership.get(&dealership).copied(),
            None => self
                .by_workspace
                .get(&workspace)
                .and_then(|of| if feed.dealership_path().is_none() { Some(of.without) } else { of.only }),
        };
        if let Some(last) = row.and_then(|row| self.rows.get(row)?.last.get(feed as usize)) {
            last.fetch_max(at.timestamp_millis(), Ordering::Relaxed);
        }
    }

    /// The same for a sender by its names.
    pub(super) fn note_of(&self, workspace: &str, dealership: DealershipId, feed: Feed, at: DateTime<Utc>) {
        self.raise(workspace, dealership, feed, at.timestamp_millis());
    }

    fn raise(&self, workspace: &str, dealership: DealershipId, feed: Feed, milliseconds: i64) {
        let row = self.rows.iter().find(|row| row.workspace == workspace && row.dealership == dealership);
        if let Some(last) = row.and_then(|row| row.last.get(feed as usize)) {
            last.fetch_max(milliseconds, Ordering::Relaxed);
        }
    }

    pub(super) fn set_expected(&mut self, expected: Vec<SilentSender>) {
        self.expected = expected;
    }

    /// Puts it into a registry. A sender of whom nothing came since the start has no time.
    #[expect(clippy::cast_precision_loss, reason = "an f64 has milliseconds of any year that will be asked for")]
    pub(super) fn register(&self, registry: &mut Registry) {
        let last = Family::<[(&'static str, String); 3], Gauge<f64, AtomicU64>>::default();
        for Row { workspace, dealership, last: of_feeds } in &self.rows {
            for (feed, at) in Feed::ALL.iter().zip(of_feeds) {
                let at = at.load(Ordering::Relaxed);
                if at > 0 {
                    last.get_or_create(&labels(workspace, *dealership, *feed)).set(at as f64 / 1_000.0);
                }
            }
        }
        registry.register(
            "forecourt_last_delivery_timestamp_seconds",
            "When the last delivery of a sender arrived, in seconds since 1970; dealership 0 where a feed names none",
            last,
        );
        let silent = Family::<[(&'static str, String); 3], Gauge>::default();
        for SilentSender { workspace, dealership, feed, is_silent } in &self.expected {
            silent.get_or_create(&labels(workspace, *dealership, *feed)).set(i64::from(*is_silent));
        }
        registry.register(
            "forecourt_sender_silent",
            "Whether a sender that is expected to speak has been silent for longer than that (1) or not (0)",
            silent,
        );
    }
}

fn labels(workspace: &Slug, dealership: DealershipId, feed: Feed) -> [(&'static str, String); 3] {
    [("workspace", workspace.clone()), ("dealership", dealership.to_string()), ("feed", feed.name().to_owned())]
}
