//! Whose turn it is to write: a workspace that receives a full feed does not hold up the others.
//!
//! Postgres and the service share the processors, so batches that are written at once take longer each, and the small ones
//! suffer most. So one batch is written at a time, in the order of asking, and while several workspaces have something to
//! write their batches are small. A batch that takes long, as behind a lock, is not waited for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::domain::state::RowId;

/// How many deliveries are written together at the most.
pub(super) const BATCH: usize = 128;
/// The same while other workspaces have something to write.
const SMALL_BATCH: usize = 16;
/// For so long a workspace counts as one that has something to write.
const OF_LATE: Duration = Duration::from_millis(500);
/// For so long a turn is waited for.
const PATIENCE: Duration = Duration::from_millis(50);
/// For so long the turn of a large batch is waited for.
const LARGE_PATIENCE: Duration = Duration::from_mins(1);

/// The turns of the lanes.
#[derive(Debug)]
pub(super) struct Turns {
    /// How many batches are written at once whatever they take.
    writers: Semaphore,
    turn: Semaphore,
    /// One large batch is written at a time, so that there is always one processor and some writers for the others.
    large: Semaphore,
    asked: Mutex<HashMap<Option<RowId>, Instant>>,
}

/// The leave to write a batch.
pub(super) struct Turn<'a> {
    _writer: Option<SemaphorePermit<'a>>,
    turn: Option<SemaphorePermit<'a>>,
}

impl Turn<'_> {
    /// Lets the next batch begin, while this one is only to be committed.
    pub(super) fn end(&mut self) {
        self.turn = None;
    }
}

impl Turns {
    pub(super) fn new(writers: usize) -> Self {
        Self {
            writers: Semaphore::new(writers),
            turn: Semaphore::new(1),
            large: Semaphore::new(1),
            asked: Mutex::default(),
        }
    }

    /// Notes that a workspace has something to write, and tells how many of its deliveries may be written together.
    pub(super) fn ask(&self, workspace: Option<RowId>) -> usize {
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.duration_since(*at) < OF_LATE);
        asked.insert(workspace, now);
        if asked.len() > 1 { SMALL_BATCH } else { BATCH }
    }

    /// Waits for the turn of a large batch; not for ever, because the one before it may be behind a lock.
    pub(super) async fn take_large(&self) -> Option<SemaphorePermit<'_>> {
        timeout(LARGE_PATIENCE, self.large.acquire()).await.ok().and_then(Result::ok)
    }

    /// Waits for the turn.
    pub(super) async fn take(&self) -> Turn<'_> {
        // Neither is ever closed.
        let turn = timeout(PATIENCE, self.turn.acquire()).await.ok().and_then(Result::ok);
        Turn { _writer: self.writers.acquire().await.ok(), turn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_small_while_several_workspaces_write() {
        let turns = Turns::new(4);
        assert_eq!([turns.ask(Some(1)), turns.ask(Some(1))], [BATCH, BATCH]);
        assert_eq!([turns.ask(Some(2)), turns.ask(Some(1))], [SMALL_BATCH, SMALL_BATCH]);
    }

    #[tokio::test]
    async fn a_turn_that_takes_long_is_not_waited_for() {
        let turns = Turns::new(2);
        let mut first = turns.take().await;
        assert!(first.turn.is_some());
        let second = turns.take().await;
        assert!(second.turn.is_none());
        first.end();
        drop(second);
        assert!(turns.take().await.turn.is_some());
    }
}
