//! Permits to write a batch: a workspace that receives a full feed does not hold up the others.
//!
//! Postgres and the service share the processors, so batches that are written at once take longer each, and the small ones
//! suffer most. So one batch is written at a time, in the order of asking, and while several workspaces have something to
//! write their batches are small. A batch that takes long, as behind a lock, is not waited for.

use crate::domain::ids::WorkspaceId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How many deliveries are written together at the most.
pub(super) const BATCH: usize = 128;
/// The same while other workspaces have something to write.
const SMALL_BATCH: usize = 16;
/// How long a workspace counts as one that has something to write.
const RECENT: Duration = Duration::from_millis(500);
/// How long the batch before is waited for.
const TURN_TIMEOUT: Duration = Duration::from_millis(50);
/// How long the large batch before is waited for.
const LARGE_TIMEOUT: Duration = Duration::from_mins(1);

/// The permits of all queues.
#[derive(Debug)]
pub(super) struct WritePermits {
    /// How many batches are written at once whatever they take.
    writers: Semaphore,
    turn: Semaphore,
    /// One large batch is written at a time, so that there is always one processor and some writers for the others.
    large: Semaphore,
    /// The workspaces that had something to write of late.
    writing: Mutex<HashMap<Option<WorkspaceId>, Instant>>,
}

/// The permit to write a batch.
pub(super) struct Permit<'a> {
    _writer: Option<SemaphorePermit<'a>>,
    turn: Option<SemaphorePermit<'a>>,
}

impl Permit<'_> {
    /// Lets the next batch begin, while this one is only to be committed.
    pub(super) fn end_turn(&mut self) {
        self.turn = None;
    }
}

impl WritePermits {
    pub(super) fn new(writers: usize) -> Self {
        Self {
            writers: Semaphore::new(writers),
            turn: Semaphore::new(1),
            large: Semaphore::new(1),
            writing: Mutex::default(),
        }
    }

    /// Notes that a workspace has something to write, and returns how many of its deliveries may be written together.
    pub(super) fn batch_size(&self, workspace: Option<WorkspaceId>) -> usize {
        let now = Instant::now();
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.retain(|_, at| now.duration_since(*at) < RECENT);
        writing.insert(workspace, now);
        if writing.len() > 1 { SMALL_BATCH } else { BATCH }
    }

    /// Waits until no other large batch is written; not for ever, because the one before it may be behind a lock.
    pub(super) async fn acquire_large(&self) -> Option<SemaphorePermit<'_>> {
        timeout(LARGE_TIMEOUT, self.large.acquire()).await.ok().and_then(Result::ok)
    }

    /// Waits until no other batch is written, but not for long, and then for a writer.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        // Neither is ever closed.
        let turn = timeout(TURN_TIMEOUT, self.turn.acquire()).await.ok().and_then(Result::ok);
        Permit { _writer: self.writers.acquire().await.ok(), turn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_small_while_several_workspaces_write() {
        let permits = WritePermits::new(4);
        assert_eq!([permits.batch_size(Some(1.into())), permits.batch_size(Some(1.into()))], [BATCH, BATCH]);
        assert_eq!(
            [permits.batch_size(Some(2.into())), permits.batch_size(Some(1.into()))],
            [SMALL_BATCH, SMALL_BATCH]
        );
    }

    #[tokio::test]
    async fn a_turn_that_takes_long_is_not_waited_for() {
        let permits = WritePermits::new(2);
        let mut first = permits.acquire().await;
        assert!(first.turn.is_some());
        let second = permits.acquire().await;
        assert!(second.turn.is_none());
        first.end_turn();
        drop(second);
        assert!(permits.acquire().await.turn.is_some());
    }
}
