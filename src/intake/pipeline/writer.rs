//! What writes batches: what all queues share of it. How it begins a batch is in [`super::batch_tx`], how it attempts one in
//! [`super::commit`], and what it does where that fails in [`super::bisect`].

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::permits::WritePermits;
use crate::intake::activity::Activity;
use crate::intake::complaints::Complaints;
use crate::metrics::Metrics;
use crate::store::Store;

/// How long Postgres may work on one batch, locks of others included. A server that has vanished from the network without
/// an answer would otherwise be waited for for ever.
pub(super) const LONGEST: Duration = Duration::from_mins(5);

/// Writes batches. All queues share it.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) permits: WritePermits,
    pub(super) activity: Activity,
    pub(super) clock: fn() -> DateTime<Utc>,
    /// Whether nothing was committed since something failed or took too long.
    pub(super) is_stalled: AtomicBool,
    pub(super) complaints: Complaints,
    pub(super) metrics: Metrics,
}
