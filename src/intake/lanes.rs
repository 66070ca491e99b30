//! Lanes: deliveries of one workspace that wait together are written together.
//!
//! A lane takes whatever is waiting, and while it writes one batch the next one gathers: nothing is added to the answer
//! time of an idle service, and batches grow with the load. A workspace has one lane, so a full feed of one does not
//! hold up the others; writers are few and taken in turn.

mod failure;
mod large;
mod seats;
mod speech;
mod turns;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use failure::{Failure, backoff};
use large::{aside, is_large};
pub(super) use seats::{Pending, Seat, Work};
use seats::{Slot, leave, portion};
use speech::Speech;
use turns::{BATCH, Turns};

use super::complaints::Complaints;
use super::reply::Reply;
use crate::domain::finding::{Code, Finding};
use crate::domain::keys::Keys;
use crate::domain::state::{RowId, WorkspaceState};
use crate::domain::{self, Effects, Outcome, Verdict, unchanged};
use crate::store::deliveries::{self, Arrived, Known, Replay, Settled};
use crate::store::{self, Store};

/// How many deliveries wait in one lane at the most; more are held at the door.
const WAITING: usize = 1_024;
/// For so long Postgres may work on one batch, locks of others included. A server that has vanished from the network
/// without a word would otherwise be waited for for ever.
const LONGEST: Duration = Duration::from_mins(5);
/// How often a failed delivery is tried at the most.
pub(super) const MOST_ATTEMPTS: i32 = 10;

/// What is done before the rules hear a delivery.
pub type BeforeRules = fn(&Arrived);

/// Every lane of the service.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    shared: Arc<Shared>,
    open: Arc<Mutex<HashMap<Option<RowId>, mpsc::Sender<Slot>>>>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    turns: Turns,
    clock: fn() -> DateTime<Utc>,
    before_rules: Option<BeforeRules>,
    /// Whether nothing was committed since something failed or took too long.
    away: AtomicBool,
    complaints: Complaints,
}

impl Lanes {
    /// Lanes that write to this store, so many at a time.
    pub(super) fn new(
        store: Store,
        writers: usize,
        clock: fn() -> DateTime<Utc>,
        before_rules: Option<BeforeRules>,
    ) -> Self {
        let (turns, away) = (Turns::new(writers), AtomicBool::new(false));
        let shared = Shared { store, turns, clock, before_rules, away, complaints: Complaints::default() };
        Self { shared: Arc::new(shared), open: Arc::default() }
    }

    /// Whether Postgres is thought to be away: something failed or took too long, and nothing was committed since.
    pub(super) fn are_stuck(&self) -> bool {
        self.shared.away.load(Ordering::Relaxed)
    }

    /// Notes that a delivery waited too long.
    pub(super) fn note_late(&self) {
        self.shared.away.store(true, Ordering::Relaxed);
    }

    /// Puts a delivery into its workspace's lane; waits while the lane is full.
    pub(super) async fn send(&self, workspace: Option<RowId>, pending: Pending) -> Seat {
        let lane = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = open.entry(workspace).or_insert_with(|| self.open_lane(workspace));
            if lane.is_closed() {
                *lane = self.open_lane(workspace);
            }
            lane.clone()
        };
        let slot: Slot = Arc::new(Mutex::new(Some(pending)));
        let seat = Seat(Arc::clone(&slot));
        // A lane ends only with the service, when nobody waits for a reply, or by a fault, when the reply never comes.
        if lane.send(slot).await.is_err() {
            drop(leave(&seat.0));
        }
        seat
    }

    /// What a batch of a workspace would come to; nothing is written.
    ///
    /// # Errors
    /// When Postgres is away.
    pub(super) async fn rehearse(
        &self,
        workspace: Option<RowId>,
        batch: &[Pending],
    ) -> Result<Vec<Settled>, store::Error> {
        self.shared.rehearse(workspace, batch).await
    }

    fn open_lane(&self, workspace: Option<RowId>) -> mpsc::Sender<Slot> {
        let (sender, mut waiting) = mpsc::channel(WAITING);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut taken = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut taken, BATCH).await > 0 {
                let mut slots: VecDeque<Slot> = taken.drain(..).collect();
                while !slots.is_empty() {
                    let (saved, next) = oneshot::channel();
                    let most = shared.turns.ask(workspace);
                    let (shared, batch) = (Arc::clone(&shared), portion(&mut slots, most));
                    tokio::spawn(async move { shared.write(workspace, batch, saved).await });
                    // Told once the batch is about to be committed, or dropped where it came to its end otherwise.
                    let _ = next.await;
                }
            }
        });
        sender
    }
}

impl Shared {
    /// Writes a batch. One that fails is halved until the culprit is alone, which is stored as failed.
    ///
    /// Tells when the batch is saved and only to be committed: the next one may ask for the workspace then, which it gets
    /// when Postgres has committed this one.
    async fn write(&self, workspace: Option<RowId>, batch: Vec<Pending>, saved: oneshot::Sender<()>) {
        let mut saved = Some(saved);
        let mut stack = vec![batch];
        let mut pause = Duration::from_millis(50);
        let mut again = false;
        while let Some(mut batch) = stack.pop() {
            batch.retain(|pending| !pending.reply.is_closed());
            if batch.is_empty() {
                continue;
            }
            let attempt = self.attempt_unpanicked(workspace, &batch, again, &mut saved);
            match aside(is_large(&batch), attempt).await {
                Ok(settled) => answer(batch, settled),
                Err(Failure::Transient(error)) => {
                    self.note_away(&error, batch.len());
                    stack.push(batch);
                    again = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(Failure::Overtaken) => {
                    stack.push(batch);
                    again = true;
                }
                Err(Failure::Silent) => {
                    self.away.store(true, Ordering::Relaxed);
                    tracing::warn!(waiting = batch.len(), "postgres does not answer: trying again");
                    stack.push(batch);
                    again = true;
                }
                Err(Failure::Poison(_)) if batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    stack.push(rest);
                    stack.push(batch);
                    again = true;
                }
                Err(Failure::Poison(why)) => {
                    let ids: Vec<Uuid> = batch.iter().map(|pending| pending.arrived.id).collect();
                    tracing::error!(delivery = ?ids, why, "a delivery could not be applied and is kept as failed");
                    self.fail(workspace, batch, &mut stack, &mut again).await;
                }
            }
        }
    }

    fn note_away(&self, error: &store::Error, waiting: usize) {
        self.away.store(true, Ordering::Relaxed);
        let error = error.without_values();
        if let Some(left_out) = self.complaints.take(&error) {
            tracing::warn!(error, waiting, left_out, "postgres is away: trying again");
        }
    }

    /// Attempts a batch; a panic is the fault of one of its deliveries, and undoes the transaction as an error does.
    async fn attempt_unpanicked(
        &self,
        workspace: Option<RowId>,
        batch: &[Pending],
        again: bool,
        saved: &mut Option<oneshot::Sender<()>>,
    ) -> Result<Vec<Settled>, Failure> {
        if batch.iter().any(|pending| matches!(pending.work, Work::Fail)) {
            return Err(Failure::Poison("reading it ended in a panic".to_owned()));
        }
        let attempt = AssertUnwindSafe(self.attempt(workspace, batch, again, saved)).catch_unwind();
        match tokio::time::timeout(LONGEST, attempt).await {
            Ok(Ok(done)) => done,
            Ok(Err(_panic)) => Err(Failure::Poison("applying it ended in a panic".to_owned())),
            Err(_elapsed) => Err(Failure::Silent),
        }
    }

    /// Loads, applies and saves a batch in one transaction.
    async fn attempt(
        &self,
        workspace: Option<RowId>,
        batch: &[Pending],
        again: bool,
        saved: &mut Option<oneshot::Sender<()>>,
    ) -> Result<Vec<Settled>, Failure> {
        let _large = if is_large(batch) { self.turns.take_large().await } else { None };
        let mut turn = self.turns.take().await;
        let mut tx = self.store.begin(workspace).await?;
        let settled = self.carry_out(&mut tx, workspace, batch, again).await?;
        turn.end();
        if let Some(saved) = saved.take() {
            // The lane listens for as long as it lives.
            let _ = saved.send(());
        }
        tx.commit().await?;
        if self.away.swap(false, Ordering::Relaxed) {
            self.complaints.clear();
        }
        Ok(settled)
    }

    /// All of a batch but the commit.
    async fn carry_out(
        &self,
        tx: &mut store::Connection,
        workspace: Option<RowId>,
        batch: &[Pending],
        again: bool,
    ) -> Result<Vec<Settled>, Failure> {
        let known = if again || batch.iter().any(|pending| pending.perhaps_stored || pending.attempts > 0) {
            let ids: Vec<Uuid> = batch.iter().map(|pending| pending.arrived.id).collect();
            deliveries::known(tx, &ids).await?
        } else {
            BTreeMap::new()
        };
        // A delivery is applied at most once: one that another try or another process has settled stays as it is.
        let done =
            |pending: &Pending| known.get(&pending.arrived.id).filter(|known| known.attempts != pending.attempts);
        let is_open = |pending: &Pending| done(pending).is_none();
        let mut settled = match workspace {
            Some(workspace) => self.hear(tx, workspace, batch, &is_open).await?,
            None => batch
                .iter()
                .map(|pending| self.settle(pending, None, (Verdict::Rejected, pending.findings.clone())))
                .collect(),
        };
        let mut fresh = Vec::with_capacity(batch.len());
        for (pending, settled) in batch.iter().zip(&mut settled).filter(|(pending, _)| is_open(pending)) {
            settled.replay = pending.asked.then(|| Replay { before: known.get(&pending.arrived.id).cloned() });
            fresh.push((&pending.arrived, &*settled));
        }
        if !record(tx, fresh).await? {
            return Err(Failure::Overtaken);
        }
        for (pending, settled) in batch.iter().zip(&mut settled) {
            if let Some(Known { feed: _, attempts: _, outcome, effects, findings }) = done(pending).cloned() {
                *settled = Settled { outcome, findings, effects, ..settled.clone() };
            }
        }
        Ok(settled)
    }

    /// What a batch would come to, each delivery as it would stand in its record: everything but the commit. Where one
    /// of them makes the batch fail, each is tried on its own.
    pub(super) async fn rehearse(
        &self,
        workspace: Option<RowId>,
        batch: &[Pending],
    ) -> Result<Vec<Settled>, store::Error> {
        match self.rehearse_together(workspace, batch).await {
            Ok(settled) => return Ok(settled),
            Err(Failure::Transient(error)) => return Err(error),
            Err(Failure::Poison(_) | Failure::Overtaken | Failure::Silent) => {}
        }
        let mut settled = Vec::with_capacity(batch.len());
        for pending in batch {
            settled.extend(match self.rehearse_together(workspace, std::slice::from_ref(pending)).await {
                Ok(settled) => settled,
                Err(Failure::Transient(error)) => return Err(error),
                Err(Failure::Poison(_) | Failure::Overtaken | Failure::Silent) => vec![self.failed(workspace, pending)],
            });
        }
        Ok(settled)
    }

    async fn rehearse_together(&self, workspace: Option<RowId>, batch: &[Pending]) -> Result<Vec<Settled>, Failure> {
        if batch.iter().any(|pending| matches!(pending.work, Work::Fail)) {
            return Err(Failure::Poison(String::new()));
        }
        let mut tx = self.store.begin(workspace).await?;
        let attempt = AssertUnwindSafe(self.carry_out(&mut tx, workspace, batch, false)).catch_unwind().await;
        tx.rollback().await?;
        attempt.unwrap_or_else(|_panic| Err(Failure::Poison(String::new())))
    }

    /// Lets the workspace hear the deliveries of a batch in their order.
    async fn hear(
        &self,
        tx: &mut store::Connection,
        workspace: RowId,
        batch: &[Pending],
        is_open: &(dyn Fn(&Pending) -> bool + Sync),
    ) -> Result<Vec<Settled>, Failure> {
        let speeches = speech::of(tx, workspace, batch, is_open).await?;
        let mut keys = Keys::default();
        for speech in &speeches {
            if let Speech::News(facts) = speech {
                keys.add(facts);
            }
        }
        let mut state = WorkspaceState::default();
        if !keys.is_empty() {
            state = store::load(&self.store, tx, workspace, keys).await?;
        }
        let heard = batch.iter().zip(speeches).map(|(pending, speech)| self.apply(&mut state, pending, speech));
        let heard: Vec<_> = heard.collect();
        store::save(&self.store, tx, workspace, state).await?;
        Ok(batch.iter().zip(heard).map(|(pending, heard)| self.settle(pending, Some(workspace), heard)).collect())
    }

    /// Lets the rules hear one delivery.
    fn apply(&self, state: &mut WorkspaceState, pending: &Pending, speech: Speech<'_>) -> (Verdict, Vec<Finding>) {
        let mut findings = pending.findings.clone();
        let verdict = match speech {
            Speech::News(facts) => {
                self.before_rules(pending);
                domain::apply(state, facts.into_owned(), pending.arrived.received_at, &mut findings)
            }
            Speech::Repetition => {
                self.before_rules(pending);
                unchanged::verdict()
            }
            Speech::Settled => Verdict::Merged(Effects::default()),
            Speech::Nothing => Verdict::Rejected,
        };
        (verdict, findings)
    }

    fn before_rules(&self, pending: &Pending) {
        if let Some(before_rules) = self.before_rules {
            before_rules(&pending.arrived);
        }
    }

    /// The outcome of a delivery.
    fn settle(&self, pending: &Pending, workspace: Option<RowId>, heard: (Verdict, Vec<Finding>)) -> Settled {
        let (verdict, findings) = heard;
        let (outcome, effects) = match verdict {
            Verdict::Merged(effects) if effects.wrote() => (Outcome::Applied, effects),
            Verdict::Merged(effects) => (Outcome::Unchanged, effects),
            Verdict::Ignored => (Outcome::Ignored, Effects::default()),
            Verdict::Rejected => (Outcome::Rejected, Effects::default()),
        };
        let settled_at = (self.clock)();
        Settled {
            workspace,
            outcome,
            findings,
            effects,
            attempts: pending.attempts + 1,
            processing_ms: milliseconds(settled_at - pending.began_at),
            settled_at,
            retry_at: None,
            replay: None,
        }
    }

    /// Stores the culprit of a batch as failed, to be tried again later.
    async fn fail(
        &self,
        workspace: Option<RowId>,
        batch: Vec<Pending>,
        stack: &mut Vec<Vec<Pending>>,
        again: &mut bool,
    ) {
        let mut batch = batch;
        let mut settled: Vec<Settled> = batch.iter().map(|pending| self.failed(workspace, pending)).collect();
        let mut saved = self.save_failed(&batch, &mut settled).await;
        if saved.as_ref().is_err_and(store::Error::is_of_the_data) {
            // Whatever the database's encoding is, it has these letters.
            for pending in &mut batch {
                pending.arrived.make_plain();
            }
            settled.iter_mut().for_each(Settled::make_plain);
            saved = self.save_failed(&batch, &mut settled).await;
        }
        match saved {
            Ok(()) => answer(batch, settled),
            Err(error) if error.is_of_the_data() => {
                // Nobody is answered. Who waits at a door goes to the spool, and what is there is put aside.
                tracing::error!(error = error.without_values(), "a delivery cannot be stored, not even as failed");
            }
            Err(error) => {
                tracing::error!(error = error.without_values(), "a failed delivery could not be stored: trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
                *again = true;
                stack.push(batch);
            }
        }
    }

    async fn save_failed(&self, batch: &[Pending], settled: &mut [Settled]) -> Result<(), store::Error> {
        let mut tx = self.store.begin(None).await?;
        let mut rows = Vec::with_capacity(batch.len());
        for (pending, settled) in batch.iter().zip(settled) {
            if pending.asked {
                let mut known = match deliveries::known(&mut tx, &[pending.arrived.id]).await {
                    // Its own record is what cannot be read, which is left as it is.
                    Err(error) if error.is_of_rows() => continue,
                    known => known?,
                };
                settled.replay = Some(Replay { before: known.remove(&pending.arrived.id) });
            }
            rows.push((&pending.arrived, &*settled));
        }
        record(&mut tx, rows).await?;
        tx.commit().await
    }

    fn failed(&self, workspace: Option<RowId>, pending: &Pending) -> Settled {
        let mut findings = pending.findings.clone();
        findings.push(Finding::whole(Code::InternalError, "the delivery is kept and tried again by itself"));
        let attempts = pending.attempts + 1;
        let settled_at = (self.clock)();
        Settled {
            workspace,
            outcome: Outcome::Failed,
            findings,
            effects: Effects::default(),
            attempts,
            processing_ms: milliseconds(settled_at - pending.began_at),
            settled_at,
            retry_at: (attempts < MOST_ATTEMPTS).then(|| settled_at + backoff(attempts)),
            replay: None,
        }
    }
}

/// Writes the deliveries with their outcomes. One that was applied stays so, whatever a replay makes of it; the replay
/// is only noted where it wrote nothing. Tells whether all were written.
async fn record(tx: &mut store::Connection, rows: Vec<(&Arrived, &Settled)>) -> Result<bool, store::Error> {
    let stays = |(_, settled): &(&Arrived, &Settled)| {
        let before = settled.replay.as_ref().and_then(|replay| replay.before.as_ref());
        before.is_some_and(|before| before.outcome == Outcome::Applied) && settled.outcome != Outcome::Applied
    };
    let (noted, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(stays);
    let all = deliveries::save(tx, &written).await?;
    deliveries::note_replays(tx, &noted).await?;
    Ok(all)
}

fn milliseconds(duration: TimeDelta) -> f64 {
    (duration.to_std().unwrap_or_default().as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// Answers the requests of a batch, and logs each delivery once.
fn answer(batch: Vec<Pending>, settled: Vec<Settled>) {
    for (pending, settled) in batch.into_iter().zip(settled) {
        let Settled { outcome, findings, effects, attempts, processing_ms, .. } = settled;
        tracing::info!(
            delivery = %pending.arrived.id,
            feed = pending.arrived.feed,
            credential = pending.arrived.credential,
            outcome = outcome.name(),
            findings = findings.len(),
            attempts,
            milliseconds = processing_ms,
            "delivery"
        );
        let reply = Reply { delivery_id: pending.arrived.id, outcome, effects: effects.summary(), findings };
        if let Some(claim) = &pending.claim {
            claim.settle(&reply);
        }
        // The sender may have gone: the delivery is safe all the same.
        let _ = pending.reply.send(reply);
    }
}
