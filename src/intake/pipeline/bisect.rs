//! Batches that fail: repeated where the same batch may succeed, halved until the culprit is alone where it cannot, and
//! that one stored as failed, so that one bad delivery never takes down the others.

use crate::domain::ids::WorkspaceId;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::batch_tx::BatchTx;
use super::commit::Mode;
use super::erased::Erased;
use super::failure::{Failure, Pause};
use super::large::{is_large, off_thread};
use super::queue::QueueEntry;
use super::record;
use super::writer::{LONGEST, Writer};
use crate::store;
use crate::store::deliveries::{self, DeliveryRecord, DeliveryResult, Replay};
use crate::store::placements::{DeliveryKey, Placement, lock_of, placements};

/// What is still to be written of a batch.
struct Rest {
    /// Parts of it, the next one last.
    parts: Vec<Vec<QueueEntry>>,
    /// Whether something may have been committed without anybody having seen the end of that.
    is_repeated: bool,
}

impl Rest {
    fn repeat(&mut self, part: Vec<QueueEntry>) {
        self.is_repeated = true;
        self.parts.push(part);
    }

    fn halve(&mut self, mut part: Vec<QueueEntry>) {
        let second = part.split_off(part.len() / 2);
        self.repeat(second);
        self.repeat(part);
    }
}

impl Writer {
    /// Writes a batch in the transaction that was begun for it, and in further ones, however long that takes, and answers each
    /// of its deliveries that somebody waits for. Sends on `saved` when the batch is saved and only to be committed.
    pub(super) async fn write(
        &self,
        workspace: Option<WorkspaceId>,
        batch: Vec<QueueEntry>,
        begun: BatchTx,
        saved: oneshot::Sender<()>,
    ) {
        let (mut mode, mut begun) = (Mode::Commit(Some(saved)), Some(begun));
        let mut rest = Rest { parts: vec![batch], is_repeated: false };
        let mut pause = Pause::default();
        while let Some(mut part) = rest.parts.pop() {
            part.retain(|entry| !entry.reply.is_closed());
            if part.is_empty() {
                continue;
            }
            let attempt = Box::pin(self.attempt(workspace, &part, rest.is_repeated, &mut mode, begun.take()));
            match off_thread(is_large(&part), attempt).await {
                Ok(results) => record::answer(&self.metrics, part, results),
                Err(Failure::Poison(_)) if part.len() > 1 => rest.halve(part),
                Err(Failure::Poison(why)) => self.fail(workspace, part, &why, &mut rest).await,
                Err(failure) => {
                    self.wait_out(&failure, part.len(), &mut pause).await;
                    rest.repeat(part);
                }
            }
        }
        if let Some(begun) = begun {
            // Nothing was written in it, so that nothing is lost where that fails.
            let _ = begun.release().await;
        }
    }

    /// Notes why so many deliveries are not written yet, and waits where that is of use before the next try.
    pub(super) async fn wait_out(&self, failure: &Failure, waiting: usize, pause: &mut Pause) {
        match failure {
            Failure::Transient(error) => {
                self.note_away(error, waiting);
                pause.wait().await;
            }
            Failure::PartAway(error) => {
                let error = error.without_values();
                if let Some(left_out) = self.complaints.take(&format!("a part is away: {error}")) {
                    tracing::warn!(
                        error,
                        waiting,
                        left_out,
                        "a server behind postgres is away: the deliveries of its workspaces wait"
                    );
                }
                pause.wait().await;
            }
            Failure::TimedOut => {
                self.is_stalled.store(true, Ordering::Relaxed);
                if let Some(left_out) = self.complaints.take("postgres does not answer") {
                    tracing::warn!(waiting, left_out, "postgres does not answer: trying again");
                }
            }
            // A try at a workspace has waited by itself.
            Failure::Locked | Failure::Conflict | Failure::Poison(_) => {}
        }
    }

    /// What a batch would come to, each delivery as it would stand in its record; nothing is written. Of a half that fails
    /// the other half knows nothing.
    ///
    /// # Errors
    /// When Postgres is away, or somebody else writes the workspace for longer than anybody waits.
    pub(super) async fn dry_run(
        &self,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
    ) -> Result<Vec<DeliveryResult>, store::Error> {
        let (mut results, began) = (Vec::with_capacity(batch.len()), Instant::now());
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match Box::pin(self.attempt(workspace, part, false, &mut Mode::DryRun, None)).await {
                Ok(of_part) => results.extend(of_part),
                Err(Failure::Transient(error) | Failure::PartAway(error)) => return Err(error),
                Err(Failure::Locked) if began.elapsed() < LONGEST => parts.push(part),
                Err(Failure::Locked) => return Err(store::Error::Locked),
                Err(Failure::Poison(_) | Failure::Conflict | Failure::TimedOut) => {
                    if let [only] = part {
                        results.push(record::failed(only, workspace, (self.clock)()));
                    } else {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
        }
        Ok(results)
    }

    fn note_away(&self, error: &store::Error, waiting: usize) {
        self.is_stalled.store(true, Ordering::Relaxed);
        let error = error.without_values();
        if let Some(left_out) = self.complaints.take(&error) {
            tracing::warn!(error, waiting, left_out, "postgres is away: trying again");
        }
    }

    /// Stores the culprit of a batch as failed, to be tried again later, in a transaction of its own.
    async fn fail(&self, workspace: Option<WorkspaceId>, mut part: Vec<QueueEntry>, why: &str, rest: &mut Rest) {
        let mut results: Vec<DeliveryResult> =
            part.iter().map(|entry| record::failed(entry, workspace, (self.clock)())).collect();
        let mut saved = self.save_failed(workspace, &part, &mut results).await;
        if saved.as_ref().is_err_and(store::Error::is_of_the_data) {
            // Whatever the database's encoding is, it has these letters.
            for entry in &mut part {
                entry.delivery.make_ascii();
            }
            results.iter_mut().for_each(DeliveryResult::make_ascii);
            saved = self.save_failed(workspace, &part, &mut results).await;
        }
        match saved {
            Ok(()) => {
                let ids: Vec<Uuid> = part.iter().map(|entry| entry.delivery.id).collect();
                tracing::error!(delivery = ?ids, why, "a delivery could not be applied and is kept as failed");
                for entry in &part {
                    self.activity.note(workspace, &entry.delivery, entry.attempt, true);
                }
                record::answer(&self.metrics, part, results);
            }
            Err(error) if error.is_of_the_data() => {
                // Nobody is answered. Who waits at a door goes to the spool, and what is there is put aside.
                tracing::error!(error = error.without_values(), "a delivery cannot be stored, not even as failed");
            }
            Err(error) => {
                let error = error.without_values();
                if let Some(left_out) = self.complaints.take(&error) {
                    tracing::error!(why, error, left_out, "a failed delivery could not be stored: trying again");
                }
                tokio::time::sleep(Pause::LAST).await;
                rest.repeat(part);
            }
        }
    }

    async fn save_failed(
        &self,
        workspace: Option<WorkspaceId>,
        part: &[QueueEntry],
        results: &mut [DeliveryResult],
    ) -> Result<(), store::Error> {
        let mut tx = self.store.begin(Some(lock_of(workspace))).await?;
        Erased::among(&self.store, &mut tx, workspace, part).await?.mark(&mut *results);
        let keys: Vec<DeliveryKey> = part.iter().map(|entry| entry.delivery.key()).collect();
        let placements = placements(&mut tx, &keys).await?;
        let mut rows = Vec::with_capacity(part.len());
        for (entry, result) in part.iter().zip(results) {
            let placement = placements.get(&entry.delivery.id).cloned();
            // What another try has settled stays as it is, and what was erased or let go is not written anew.
            let tried = placement.as_ref().map_or(0, Placement::attempts);
            if tried != entry.attempt.attempts || placement.as_ref().is_some_and(Placement::is_erased) {
                continue;
            }
            if entry.attempt.is_manual {
                let mut stored = match deliveries::known(&mut tx, &[entry.delivery.key()]).await {
                    // Its own record is what cannot be read, which is left as it is.
                    Err(error) if error.is_of_rows() => continue,
                    stored => stored?,
                };
                result.replay = Some(Replay { before: stored.remove(&entry.delivery.id) });
            }
            rows.push(DeliveryRecord { delivery: &entry.delivery, result, placement });
        }
        record::save(&mut tx, workspace, rows).await?;
        tx.commit().await
    }
}
