//! One attempt at a batch, in one transaction: load what its keys can touch, apply the rules to that, save what changed,
//! record the outcomes; then commit, or roll back where a person only wants to know what would come of it.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use super::batch_input::{self, BatchInput};
use super::batch_tx::BatchTx;
use super::erased::Erased;
use super::failure::Failure;
use super::queue::{QueueEntry, Task};
use super::record;
use super::writer::{LONGEST, Writer};
use crate::domain::finding::Finding;
use crate::domain::keys::Keys;
use crate::domain::state::WorkspaceState;
use crate::domain::{self, Effects, Tally, Verdict, unchanged};
use crate::store;
use crate::store::deliveries::{self, DeliveryRecord, DeliveryResult, Replay, StoredResult};
use crate::store::placements::DeliveryKey;

/// How an attempt ends that has come so far.
#[derive(Debug)]
pub(super) enum Mode {
    /// With a commit. The receiver is notified when the batch is saved and only to be committed: the next one may ask for
    /// the workspace then, which it gets when Postgres has committed this one.
    Commit(Option<oneshot::Sender<()>>),
    /// With a rollback: nothing is written.
    DryRun,
}

/// What an attempt has written.
struct Written {
    results: Vec<DeliveryResult>,
    bookings: Tally,
    /// Of each delivery, whether it is stored for the first time.
    is_new: Vec<bool>,
}

impl Writer {
    /// Attempts a batch, in the transaction that it has or one that is waited for. A panic is the fault of one of its
    /// deliveries, and undoes the transaction as an error does.
    pub(super) async fn attempt(
        &self,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
        is_repeated: bool,
        mode: &mut Mode,
        begun: Option<BatchTx>,
    ) -> Result<Vec<DeliveryResult>, Failure> {
        if batch.iter().any(|entry| matches!(entry.task, Task::Fail)) {
            return Err(Failure::Poison("reading it ended in a panic".to_owned()));
        }
        let work = Box::pin(catching_panics(self.attempt_uncaught(workspace, batch, is_repeated, mode, begun)));
        let attempted = tokio::time::timeout(LONGEST, work).await.unwrap_or_else(|_elapsed| Err(Failure::TimedOut));
        if matches!(attempted, Err(Failure::PartAway(_))) {
            // As one that somebody holds: what is late there says nothing of the others.
            self.permits.note_away(workspace, true);
        }
        attempted
    }

    async fn attempt_uncaught(
        &self,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
        is_repeated: bool,
        mode: &mut Mode,
        begun: Option<BatchTx>,
    ) -> Result<Vec<DeliveryResult>, Failure> {
        let (begun, _large) = self.tx_for(workspace, batch, begun).await?;
        let started = Instant::now();
        let BatchTx { mut tx, permit, connection: _connection } = begun;
        let written = permit.during(self.run_in_tx(&mut tx, workspace, batch, is_repeated)).await?;
        match mode {
            Mode::DryRun => tx.rollback().await?,
            Mode::Commit(saved) => {
                if let Some(saved) = saved.take() {
                    // The queue listens for as long as it lives.
                    let _ = saved.send(());
                }
                tx.commit().await?;
                self.permits.note_away(workspace, false);
                for (entry, is_new) in batch.iter().zip(written.is_new) {
                    self.activity.note(workspace, &entry.delivery, entry.attempt, is_new);
                }
                self.metrics.committed(batch.len(), written.bookings, started.elapsed());
                if self.is_stalled.swap(false, Ordering::Relaxed) {
                    self.complaints.clear();
                }
            }
        }
        Ok(written.results)
    }

    /// All of an attempt but its end.
    async fn run_in_tx(
        &self,
        tx: &mut store::Transaction,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
        is_repeated: bool,
    ) -> Result<Written, Failure> {
        let may_be_stored = |entry: &QueueEntry| entry.attempt.may_be_stored || entry.attempt.attempts > 0;
        let stored = if is_repeated || batch.iter().any(may_be_stored) {
            let keys: Vec<DeliveryKey> = batch.iter().map(|entry| entry.delivery.key()).collect();
            deliveries::known(tx, &keys).await?
        } else {
            BTreeMap::new()
        };
        // A delivery is applied at most once: one that another attempt or another process has settled stays as it is.
        let done = |entry: &QueueEntry| {
            let is_done = |stored: &&StoredResult| {
                stored.attempts != entry.attempt.attempts || !entry.attempt.is_manual && stored.is_settled()
            };
            stored.get(&entry.delivery.id).filter(is_done)
        };
        // One that was read from its row and has none any more, or no body, was erased, or let go with its month.
        let is_gone = |entry: &QueueEntry| {
            let is_kept = stored.get(&entry.delivery.id).is_some_and(|stored| !stored.placement.is_erased());
            entry.attempt.attempts > 0 && !is_kept
        };
        let is_open = |entry: &QueueEntry| done(entry).is_none() && !is_gone(entry);
        let erased = Box::pin(Erased::among(&self.store, tx, workspace, batch)).await?;
        let (applied, bookings) = if let Some(workspace) = workspace {
            self.apply(tx, workspace, batch, (&is_open, &erased)).await?
        } else {
            let rejected = batch.iter().map(|entry| (Verdict::Rejected, entry.findings.clone()));
            (rejected.collect(), Tally::default())
        };
        let results = batch.iter().zip(applied);
        let results = results.map(|(entry, applied)| record::applied(entry, workspace, applied, (self.clock)()));
        let mut results: Vec<DeliveryResult> = results.collect();
        erased.mark(&mut results);
        let mut rows = Vec::with_capacity(batch.len());
        for (entry, result) in batch.iter().zip(&mut results).filter(|(entry, _)| is_open(entry)) {
            let before = stored.get(&entry.delivery.id);
            result.replay = entry.attempt.is_manual.then(|| Replay { before: before.cloned() });
            let placement = before.map(|before| before.placement.clone());
            rows.push(DeliveryRecord { delivery: &entry.delivery, result, placement });
        }
        if !record::save(tx, workspace, rows).await? {
            return Err(Failure::Conflict);
        }
        for (entry, result) in batch.iter().zip(&mut results) {
            if let Some(StoredResult { outcome, effects, findings, .. }) = done(entry).cloned() {
                *result = DeliveryResult { outcome, findings, effects, was_settled: true, ..result.clone() };
            }
        }
        // What is found to be stored was stored by this batch, where nobody saw the end of that, unless others may have.
        let is_new = |entry: &QueueEntry| is_open(entry) || (is_repeated && !may_be_stored(entry));
        let is_new = batch.iter().map(is_new).collect();
        Ok(Written { results, bookings, is_new })
    }

    /// Loads what is known, applies the deliveries in their order, so that the second sees what the first did, and saves
    /// what changed.
    async fn apply(
        &self,
        tx: &mut store::Connection,
        workspace: WorkspaceId,
        batch: &[QueueEntry],
        (is_open, erased): (&(dyn Fn(&QueueEntry) -> bool + Sync), &Erased),
    ) -> Result<(Vec<(Verdict, Vec<Finding>)>, Tally), Failure> {
        let inputs = batch_input::of(tx, workspace, batch, is_open, erased).await?;
        let mut keys = Keys::default();
        for input in &inputs {
            if let BatchInput::Apply(facts) = input {
                keys.add(facts);
            }
        }
        let mut state = if keys.is_empty() {
            WorkspaceState::default()
        } else {
            store::load(&self.store, tx, workspace, keys).await?
        };
        let applied = batch.iter().zip(inputs).map(|(entry, input)| apply_one(&mut state, entry, input));
        let applied = applied.collect();
        let bookings = state.written_bookings();
        store::save(&self.store, tx, workspace, state).await?;
        Ok((applied, bookings))
    }
}

fn apply_one(state: &mut WorkspaceState, entry: &QueueEntry, input: BatchInput<'_>) -> (Verdict, Vec<Finding>) {
    let mut findings = entry.findings.clone();
    let verdict = match input {
        BatchInput::Apply(facts) => domain::apply(state, facts.into_owned(), entry.delivery.received_at, &mut findings),
        BatchInput::Unchanged => unchanged::verdict(),
        BatchInput::AlreadyDone => Verdict::Merged(Effects::default()),
        BatchInput::Rejected => Verdict::Rejected,
    };
    (verdict, findings)
}

/// Makes a panic a failure. What was changed by then is dropped with its transaction.
async fn catching_panics<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|_panic| Err(Failure::Poison("applying it ended in a panic".to_owned())))
}
