//! What a batch needs before it is written: a connection, its workspace, and a permit. Each is given out in the order of
//! asking, and the number of each is bounded whatever the number of workspaces.
//!
//! Postgres and the service share the processors, so more batches at once than there are processors only take longer each.
//! So there are few permits, and they are for work alone: who waits for a workspace that somebody else writes has none yet,
//! who only waits for its commit has none any more, and one that takes long, as behind somebody's lock on a table, is lent
//! out again meanwhile.
//!
//! Who waits for a workspace has a connection, on which Postgres keeps the order among all processes. Where that takes
//! longer than another's batch usually does, it is one of a few connections, and is given back between the tries: a
//! workspace that somebody holds for minutes costs no other workspace anything.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::domain::ids::WorkspaceId;

/// How long the first try waits for a workspace: longer than a batch takes, this one's predecessor or another process's.
const FIRST_TRY: Duration = Duration::from_millis(250);
/// How long each further try waits.
const NEXT_TRY: Duration = Duration::from_secs(1);
/// How long after a try that found it held a workspace counts as held. The next try ends well before.
const HELD: Duration = Duration::from_secs(5);
/// For so long a batch is worked on at the most; after that it waits for something else than a processor.
const LONGEST_WORK: Duration = Duration::from_secs(1);
/// How long the large batch before is waited for.
const LARGE_TIMEOUT: Duration = Duration::from_mins(1);

/// What all queues share.
#[derive(Debug)]
pub(in crate::intake) struct WritePermits {
    /// The connections of batches: those at work, those that are committed, and those that wait for one of both.
    connections: Arc<Semaphore>,
    /// Those of them on which workspaces are waited for that somebody holds for longer.
    long_waits: Semaphore,
    writers: Arc<Semaphore>,
    /// One large batch is written at a time, so that there is always one processor and some writers for the others.
    large: Semaphore,
    /// The workspaces, and what has none, that somebody else held when they were last asked for, and when that was.
    held: Mutex<HashMap<Option<WorkspaceId>, Instant>>,
    /// Those whose server was away, behind the one that answers, when they were last written to; until one is committed.
    away: Mutex<HashMap<Option<WorkspaceId>, Instant>>,
}

/// A connection for a batch.
#[derive(Debug)]
pub(super) struct ConnectionPermit(#[expect(dead_code, reason = "held for what its drop does")] OwnedSemaphorePermit);

/// The permit to work on a batch.
#[derive(Debug)]
pub(super) struct WritePermit(OwnedSemaphorePermit);

/// One try at a workspace; the right to wait on for long ends with it.
#[derive(Debug)]
pub(super) struct LockTry<'a> {
    pub(super) connection: ConnectionPermit,
    /// How long it may wait.
    pub(super) wait: Duration,
    _long_wait: Option<SemaphorePermit<'a>>,
}

impl WritePermits {
    /// For so many batches at a time, over so many connections of the service.
    pub(in crate::intake) fn new(writers: usize, connections: usize) -> Self {
        let connections = of_batches(writers, connections);
        Self {
            connections: Arc::new(Semaphore::new(connections)),
            long_waits: Semaphore::new((connections / 4).max(1)),
            writers: Arc::new(Semaphore::new(writers)),
            large: Semaphore::new(1),
            held: Mutex::default(),
            away: Mutex::default(),
        }
    }

    /// Waits for a connection on which to ask for a workspace.
    pub(super) async fn lock_try(&self, workspace: Option<WorkspaceId>) -> LockTry<'_> {
        // No semaphore is ever closed.
        let is_held = self.held().contains_key(&workspace);
        let long_wait = if is_held { self.long_waits.acquire().await.ok() } else { None };
        let wait = if is_held { NEXT_TRY } else { FIRST_TRY };
        LockTry { connection: ConnectionPermit(acquire(&self.connections).await), wait, _long_wait: long_wait }
    }

    /// Notes whether somebody else held a workspace when it was asked for.
    pub(super) fn note(&self, workspace: Option<WorkspaceId>, is_held: bool) {
        if is_held {
            self.held().insert(workspace, Instant::now());
        } else {
            self.held().remove(&workspace);
        }
    }

    /// Notes whether the server of a workspace was away. As long as it is, the workspace is as one that somebody holds.
    pub(super) fn note_away(&self, workspace: Option<WorkspaceId>, is_away: bool) {
        if is_away {
            self.away().insert(workspace, Instant::now());
        } else {
            self.away().remove(&workspace);
        }
    }

    /// Whether somebody else holds a workspace for longer than a batch takes, or its server is away.
    pub(super) fn is_held(&self, workspace: Option<WorkspaceId>) -> bool {
        self.held().get(&workspace).is_some_and(is_recent) || self.away().get(&workspace).is_some_and(is_recent)
    }

    /// Whether somebody holds any workspace so: what is late then is no sign that Postgres is away, because it has answered.
    pub(super) fn is_any_held(&self) -> bool {
        self.held().values().any(is_recent) || self.away().values().any(is_recent)
    }

    fn away(&self) -> std::sync::MutexGuard<'_, HashMap<Option<WorkspaceId>, Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Option<WorkspaceId>, Instant>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    pub(super) async fn writer(&self) -> WritePermit {
        WritePermit(acquire(&self.writers).await)
    }

    /// The right to write a large batch, where nobody has it.
    pub(super) fn try_large(&self) -> Option<SemaphorePermit<'_>> {
        self.large.try_acquire().ok()
    }

    /// Waits until no other large batch is written; not for ever, because the one before it may be behind a lock.
    pub(super) async fn large(&self) -> Option<SemaphorePermit<'_>> {
        timeout(LARGE_TIMEOUT, self.large.acquire()).await.ok().and_then(Result::ok)
    }
}

impl WritePermit {
    /// Works on a batch. The permit ends with the work, and before it where that takes long.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let early = timeout(LONGEST_WORK, work.as_mut()).await;
        drop(self.0);
        match early {
            Ok(done) => done,
            Err(_elapsed) => work.await,
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    loop {
        // It is never closed.
        if let Ok(permit) = Arc::clone(semaphore).acquire_owned().await {
            return permit;
        }
    }
}

fn is_recent(at: &Instant) -> bool {
    at.elapsed() < HELD
}

/// How many connections batches may have. A batch at work, one that is committed and one that is about to begin are enough
/// for each permit; and a fifth of all connections is for whatever else there is to ask.
fn of_batches(writers: usize, connections: usize) -> usize {
    let others = connections / 5;
    (3 * writers + 2).min(connections.saturating_sub(others)).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_left_over_for_others_than_batches() {
        let cases =
            [((4, 10), 8), ((4, 20), 14), ((2, 10), 8), ((2, 100), 8), ((1, 2), 2), ((4, 4), 4), ((19, 20), 16)];
        for ((writers, connections), expected) in cases {
            assert_eq!(of_batches(writers, connections), expected, "{writers} {connections}");
        }
    }

    #[tokio::test]
    async fn a_workspace_that_is_held_is_waited_for_on_few_connections_until_it_is_had_again() {
        let (permits, alpha, beta) = (WritePermits::new(2, 10), Some(1.into()), Some(2.into()));
        assert_eq!(permits.lock_try(alpha).await.wait, FIRST_TRY);
        permits.note(alpha, true);
        assert!(permits.is_held(Some(1.into())) && !permits.is_held(Some(2.into())) && permits.is_any_held());
        let waiting = [permits.lock_try(alpha).await, permits.lock_try(alpha).await];
        assert!(waiting.iter().all(|one| one.wait == NEXT_TRY));
        assert!(timeout(Duration::from_millis(20), permits.lock_try(alpha)).await.is_err());
        assert_eq!(permits.lock_try(beta).await.wait, FIRST_TRY);
        permits.note(alpha, false);
        assert_eq!(permits.lock_try(alpha).await.wait, FIRST_TRY);
        assert!(!permits.is_any_held());
        permits.note(None, true);
        assert!(permits.is_held(None) && permits.is_any_held());
    }

    #[tokio::test]
    async fn a_permit_that_is_held_for_long_is_lent_out_again() {
        let permits = Arc::new(WritePermits::new(1, 10));
        let stuck = permits.writer().await;
        tokio::spawn(stuck.during(std::future::pending::<()>()));
        assert!(timeout(LONGEST_WORK / 10, permits.writer()).await.is_err());
        permits.writer().await.during(async {}).await;
        permits.writer().await.during(async {}).await;
    }
}
