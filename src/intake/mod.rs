//! From an authenticated request to a stored delivery with one outcome, in stages that have files of their names.
//!
//! Deliveries come from three sources: a door ([`accept`]), the spool ([`drain`]), and the tables, where those that failed
//! are tried again when they are due ([`due`]) or when a person asks ([`replay`]). All go the one way of [`submit`]:
//!
//! 1. [`parse`]: one pass over the body, its workspace ([`routing`]), and its facts; bodies that were read before come from
//!    the [`body_cache`].
//! 2. [`pipeline`]: the workspace's queue, a permit to write, and one transaction in which a batch is loaded, applied,
//!    saved and recorded.
//! 3. [`reply`]: the answer, only after that transaction.

pub mod accept;
mod activity;
mod attempt;
mod body_cache;
mod cancellation;
pub mod clock;
pub mod complaints;
pub mod configuration;
mod database;
mod drain;
pub mod due;
pub mod erasure;
pub mod expiry;
mod in_flight;
mod memory;
mod named;
mod parse;
pub mod partitions;
mod pipeline;
mod postponed;
pub mod replay;
mod reply;
pub mod rereading;
pub mod retention;
mod router;
mod routing;
pub mod story;
mod submit;
mod unknown_fields;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::domain::delivery::Delivery;
use crate::domain::ids::WorkspaceId;
use crate::domain::retention::Retention;
pub use crate::domain::{Effect, EffectSummary, Outcome, Tally};
use crate::metrics::Metrics;
use crate::store::{self, Store};
use activity::Activity;
use in_flight::InFlight;
use parse::{Parser, Peek};
use pipeline::{Pipeline, WritePermits};
pub use reply::{Answer, Reply};
pub use router::WorkspaceRouter;
use unknown_fields::UnknownFields;

/// Nothing could store the delivery in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be stored in time")]
pub struct Unavailable;

/// How the intake works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a request is held while nothing can store its delivery.
    pub hold: Duration,
    /// How many batches are worked on at a time.
    pub writers: usize,
    /// How many bytes what is built of bodies may take, while they are read and applied.
    pub reading_bytes: usize,
    /// The current time; tests set their own.
    pub clock: fn() -> DateTime<Utc>,
    /// Counts what is committed.
    pub metrics: Metrics,
}

/// Applies deliveries to the tables.
#[derive(Clone, Debug)]
pub struct Intake {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    parser: Parser,
    pipeline: Pipeline,
    unknown_fields: UnknownFields,
    activity: Activity,
    in_flight: InFlight,
    /// How many large deliveries are in flight.
    large: AtomicUsize,
    retention: watch::Sender<Retention>,
    settings: Settings,
}

impl Intake {
    /// An intake over a store, for the workspaces of a router. Must be made inside a runtime.
    #[must_use]
    pub fn new(store: Store, router: WorkspaceRouter, settings: Settings) -> Self {
        let permits = WritePermits::new(settings.writers, store.connections());
        let activity = Activity::default();
        let pipeline =
            Pipeline::new(store.clone(), permits, activity.clone(), settings.metrics.clone(), settings.clock);
        let unknown_fields = UnknownFields::default();
        tokio::spawn(unknown_fields.clone().run(store.clone()));
        let parser = Parser::new(store.clone(), router, settings.reading_bytes);
        let (in_flight, large) = (InFlight::default(), AtomicUsize::new(0));
        let (retention, _kept) = watch::channel(Retention::default());
        let shared =
            Shared { store, parser, pipeline, unknown_fields, activity, in_flight, large, retention, settings };
        Self { shared: Arc::new(shared) }
    }

    /// Whether only the tables can decide the workspace of a delivery, so that what came before it must be in them; with the
    /// peek at its body, where one was needed, so that it is not repeated.
    fn depends_on_tables(&self, delivery: &Delivery) -> (bool, Option<Peek>) {
        if !delivery.feed.may_be_fragment() || self.router().reachable(&delivery.permitted).len() <= 1 {
            return (false, None);
        }
        let peek = self.shared.parser.peek(delivery);
        (peek.is_fragment(delivery), Some(peek))
    }

    /// Whether Postgres is thought to be away, or so slow that nothing should wait for it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.shared.pipeline.is_stalled()
    }

    /// Whether somebody else holds a workspace for longer than a batch takes, so that nothing is written to it for now.
    fn is_held(&self, workspace: Option<WorkspaceId>) -> bool {
        self.shared.pipeline.is_held(workspace)
    }

    /// Notes that a delivery was not settled in time. Beside a large one that is no sign of a slow Postgres: it takes its time,
    /// and so does what waits in its queue.
    fn note_late(&self) {
        if self.shared.large.load(Ordering::Relaxed) == 0 {
            self.shared.pipeline.note_late();
        }
    }

    /// Writes what is kept in memory only.
    pub async fn finish(&self) {
        self.shared.unknown_fields.write(&self.shared.store).await;
        self.write_activity(self.now()).await;
    }

    /// Writes which dealerships were heard of since the last time. What cannot be written is kept.
    pub async fn write_activity(&self, now: DateTime<Utc>) {
        self.shared.activity.write(&self.shared.store, &self.router(), now).await;
    }

    /// Takes into account what was stored since a time, of which a process that was killed may not have counted all.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached.
    pub async fn recall_activity(&self, since: DateTime<Utc>) -> Result<(), store::Error> {
        self.shared.activity.recall_since(&self.shared.store, since).await
    }

    /// The router as it is now.
    #[must_use]
    pub fn router(&self) -> Arc<WorkspaceRouter> {
        self.shared.parser.routing().router()
    }

    /// Notifies when the router is replaced.
    fn routers(&self) -> watch::Receiver<Arc<WorkspaceRouter>> {
        self.shared.parser.routing().routers().subscribe()
    }

    /// Replaces the router. Deliveries that were rejected for a dealership that it has are tried again.
    pub fn set_router(&self, router: WorkspaceRouter) {
        self.shared.parser.routing().routers().send_replace(Arc::new(router));
    }

    /// From now on what arrived is kept so long.
    pub fn set_retention(&self, retention: Retention) {
        self.shared.retention.send_if_modified(|known| std::mem::replace(known, retention) != retention);
    }

    /// How long what arrived is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        *self.shared.retention.borrow()
    }

    /// Notifies when that changes.
    fn retentions(&self) -> watch::Receiver<Retention> {
        self.shared.retention.subscribe()
    }

    /// The database that deliveries are applied to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// What is counted of what is committed.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.settings.metrics
    }

    /// The current time of the clock in the settings.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.shared.settings.clock)()
    }
}
