//! The queue of one workspace: it asks for its workspace, writes what waits once it has that as one batch, and asks again
//! while that batch is committed. What nobody waits for any more by then, because it was stored elsewhere, has left the queue.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::failure::Pause;
use super::queue::{QueueSlot, is_waiting, next_batch};
use super::writer::Writer;
use crate::domain::ids::WorkspaceId;

/// How many deliveries are written together at the most.
const BATCH: usize = 128;
/// The same while other workspaces are written, too: what comes at once is answered at once, and followed by as much again,
/// and all of that is in the way of the others.
const BATCH_BESIDE: usize = 32;
/// How many deliveries wait in one queue at the most; requests beyond that wait.
const WAITING: usize = 1_024;

/// The queue of one workspace, or of what has none.
#[derive(Clone, Debug)]
pub(super) struct WorkspaceQueue(mpsc::Sender<QueueSlot>);

impl WorkspaceQueue {
    /// Opens it. It ends when nobody has it any more.
    pub(super) fn open(writer: Arc<Writer>, workspace: Option<WorkspaceId>) -> Self {
        let (queue, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(writer, workspace, Waiting { slots: VecDeque::new(), receiver }));
        Self(queue)
    }

    /// Whether it has come to its end by a fault.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Puts a delivery into it; waits while it is full. False where it has come to its end.
    pub(super) async fn put(&self, slot: QueueSlot) -> bool {
        self.0.send(slot).await.is_ok()
    }
}

async fn run(writer: Arc<Writer>, workspace: Option<WorkspaceId>, mut waiting: Waiting) {
    let mut pause = Pause::default();
    while waiting.wait().await {
        let begun = match writer.begin_batch(workspace).await {
            Ok(begun) => begun,
            Err(failure) => {
                writer.wait_out(&failure, waiting.slots.len(), &mut pause).await;
                continue;
            }
        };
        pause = Pause::default();
        waiting.gather();
        let most = if writer.permits.has_neighbours(workspace) { BATCH_BESIDE } else { BATCH };
        let batch = next_batch(&mut waiting.slots, most);
        if batch.is_empty() {
            // Where that fails, so will the next one.
            let _ = begun.release().await;
            continue;
        }
        let (saved, next) = oneshot::channel();
        let writer = Arc::clone(&writer);
        tokio::spawn(async move { writer.write(workspace, batch, begun, saved).await });
        // Sent once the batch is about to be committed, or dropped where it came to its end otherwise.
        let _ = next.await;
    }
}

/// The deliveries that wait, in the order in which they came.
struct Waiting {
    slots: VecDeque<QueueSlot>,
    receiver: mpsc::Receiver<QueueSlot>,
}

impl Waiting {
    /// Waits until there is one; false where there will be none any more.
    async fn wait(&mut self) -> bool {
        loop {
            self.gather();
            if !self.slots.is_empty() {
                return true;
            }
            match self.receiver.recv().await {
                Some(slot) => self.slots.push_back(slot),
                None => return false,
            }
        }
    }

    /// Takes in what has come, as far as one batch needs it, and leaves out what nobody waits for any more.
    fn gather(&mut self) {
        self.slots.retain(is_waiting);
        while self.slots.len() < BATCH
            && let Ok(slot) = self.receiver.try_recv()
        {
            if is_waiting(&slot) {
                self.slots.push_back(slot);
            }
        }
    }
}
