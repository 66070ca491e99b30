//! The pipeline: deliveries of one workspace that wait together are written together.
//!
//! A workspace's queue takes whatever is waiting, and while it writes one batch the next one gathers: nothing is added to
//! the answer time of an idle service, and batches grow with the load. A workspace has one queue, so a full feed of one
//! does not hold up the others; write permits are few and given out in the order of asking. In reading order: [`queue`], [`permits`],
//! [`batch_input`], [`commit`], [`record`], and [`bisect`] for what fails.

mod batch_input;
mod bisect;
mod commit;
mod erased;
mod failure;
mod large;
mod permits;
mod queue;
mod record;

use crate::domain::ids::WorkspaceId;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use super::complaints::Complaints;
use crate::store::deliveries::DeliveryResult;
use crate::store::{self, Store};
use commit::Writer;
use permits::{BATCH, WritePermits};
pub(super) use queue::{QueueEntry, QueueGuard, Task};
use queue::{QueueSlot, dequeue, next_batch};

/// How many deliveries wait in one queue at the most; requests beyond that wait.
const WAITING: usize = 1_024;

/// Every queue of the service. Copies share them.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    writer: Arc<Writer>,
    queues: Arc<Mutex<HashMap<Option<WorkspaceId>, WorkspaceQueue>>>,
}

/// The queue of one workspace, or of what has none.
#[derive(Clone, Debug)]
struct WorkspaceQueue(mpsc::Sender<QueueSlot>);

impl Pipeline {
    /// A pipeline that writes to this store, so many batches at a time.
    pub(super) fn new(store: Store, writers: usize, clock: fn() -> DateTime<Utc>) -> Self {
        let (permits, is_stalled) = (WritePermits::new(writers), AtomicBool::new(false));
        let writer = Writer { store, permits, clock, is_stalled, complaints: Complaints::default() };
        Self { writer: Arc::new(writer), queues: Arc::default() }
    }

    /// Whether Postgres is thought to be away: something failed or took too long, and nothing was committed since.
    pub(super) fn is_stalled(&self) -> bool {
        self.writer.is_stalled.load(Ordering::Relaxed)
    }

    /// Notes that a delivery waited too long.
    pub(super) fn note_late(&self) {
        self.writer.is_stalled.store(true, Ordering::Relaxed);
    }

    /// Puts a delivery into its workspace's queue; waits while the queue is full.
    pub(super) async fn enqueue(&self, workspace: Option<WorkspaceId>, entry: QueueEntry) -> QueueGuard {
        let WorkspaceQueue(queue) = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = queues.entry(workspace).or_insert_with(|| self.open_queue(workspace));
            if queue.0.is_closed() {
                *queue = self.open_queue(workspace);
            }
            queue.clone()
        };
        let slot: QueueSlot = Arc::new(Mutex::new(Some(entry)));
        let guard = QueueGuard(Arc::clone(&slot));
        // A queue ends only with the service, when nobody waits for a reply, or by a fault, when the reply never comes.
        if queue.send(slot).await.is_err() {
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

    fn open_queue(&self, workspace: Option<WorkspaceId>) -> WorkspaceQueue {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        let writer = Arc::clone(&self.writer);
        tokio::spawn(async move {
            let mut received = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut received, BATCH).await > 0 {
                let mut slots: VecDeque<QueueSlot> = received.drain(..).collect();
                while !slots.is_empty() {
                    let (saved, next) = oneshot::channel();
                    let most = writer.permits.batch_size(workspace);
                    let (writer, batch) = (Arc::clone(&writer), next_batch(&mut slots, most));
                    tokio::spawn(async move { writer.write(workspace, batch, saved).await });
                    // Sent once the batch is about to be committed, or dropped where it came to its end otherwise.
                    let _ = next.await;
                }
            }
        });
        WorkspaceQueue(queue)
    }
}
