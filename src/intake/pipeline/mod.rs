//! The pipeline: deliveries of one workspace that wait together are written together.
//!
//! A workspace's queue asks for its workspace, and takes whatever is waiting once it has that; while it writes one batch the next one
//! gathers: nothing is added to the answer time of an idle service, and batches grow with the load. A workspace has one
//! queue, so a full feed of one does not hold up the others; write permits are few and given out in the order of asking.
//! In reading order: [`queue`], [`workspace_queue`], [`permits`], [`writer`], [`batch_tx`], [`batch_input`], [`commit`], [`record`], and
//! [`bisect`] for what fails.

mod batch_input;
mod batch_tx;
mod bisect;
mod commit;
mod erased;
mod failure;
mod large;
mod permits;
mod queue;
mod record;
mod workspace_queue;
mod writer;

use crate::domain::ids::WorkspaceId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::activity::Activity;
use super::complaints::Complaints;
use crate::metrics::Metrics;
use crate::store::deliveries::DeliveryResult;
use crate::store::{self, Store};
pub(super) use permits::WritePermits;
pub(super) use queue::{QueueEntry, QueueGuard, Task};
use queue::{QueueSlot, dequeue};
use workspace_queue::WorkspaceQueue;
use writer::Writer;

/// Every queue of the service. Copies share them.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    writer: Arc<Writer>,
    queues: Arc<Mutex<HashMap<Option<WorkspaceId>, WorkspaceQueue>>>,
}

impl Pipeline {
    /// A pipeline that writes to this store, with these permits, and counts what it has written.
    pub(super) fn new(
        store: Store,
        permits: WritePermits,
        activity: Activity,
        metrics: Metrics,
        clock: fn() -> DateTime<Utc>,
    ) -> Self {
        let (is_stalled, complaints) = (AtomicBool::new(false), Complaints::default());
        let writer = Writer { store, permits, activity, clock, is_stalled, complaints, metrics };
        Self { writer: Arc::new(writer), queues: Arc::default() }
    }

    /// Whether Postgres is thought to be away: something failed or took too long, and nothing was committed since.
    pub(super) fn is_stalled(&self) -> bool {
        self.writer.is_stalled.load(Ordering::Relaxed)
    }

    /// Notes that a delivery waited too long. Where somebody holds a workspace, that is why, and the others are written.
    pub(super) fn note_late(&self) {
        if !self.writer.permits.is_any_held() {
            self.writer.is_stalled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody else holds a workspace for longer than a batch takes, so that nothing is written to it for now.
    pub(super) fn is_held(&self, workspace: Option<WorkspaceId>) -> bool {
        self.writer.permits.is_held(workspace)
    }

    /// The workspaces of which that is so.
    pub(super) fn held_workspaces(&self) -> Vec<Option<WorkspaceId>> {
        self.writer.permits.held_workspaces()
    }

    /// Puts a delivery into its workspace's queue; waits while the queue is full.
    pub(super) async fn enqueue(&self, workspace: Option<WorkspaceId>, entry: QueueEntry) -> QueueGuard {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let open = || WorkspaceQueue::open(Arc::clone(&self.writer), workspace);
            let queue = queues.entry(workspace).or_insert_with(open);
            if queue.is_closed() {
                *queue = open();
            }
            queue.clone()
        };
        let slot: QueueSlot = Arc::new(Mutex::new(Some(entry)));
        let guard = QueueGuard(Arc::clone(&slot));
        // A queue ends only with the service, when nobody waits for a reply, or by a fault, when the reply never comes.
        if !queue.put(slot).await {
            drop(dequeue(&guard.0));
        }
        guard
    }

    /// What a batch of a workspace would come to; nothing is written.
    ///
    /// # Errors
    /// When Postgres is away.
    pub(super) async fn dry_run(
        &self,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
    ) -> Result<Vec<DeliveryResult>, store::Error> {
        self.writer.dry_run(workspace, batch).await
    }
}
