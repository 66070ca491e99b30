//! The drain: what is in the spool goes through the lanes, in order of arrival, and leaves the spool once it is committed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::delivery::Delivery;
use super::{Intake, Tries, clock};
use crate::spool::{Key, Refused, Spool};

/// Where deliveries are applied.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// Nowhere yet; a start takes a moment.
    Expected,
    /// Nowhere for now.
    Away,
    /// Here.
    Open(Intake),
}

impl Backend {
    /// The intake, where there is one.
    pub(super) fn intake(&self) -> Option<Intake> {
        match self {
            Self::Expected | Self::Away => None,
            Self::Open(intake) => Some(intake.clone()),
        }
    }
}

/// How many deliveries are on their way from the spool at the most.
const ROUND: usize = 256;
/// How long a round is waited for. What is not settled by then stays in the spool, so that a workspace that is stuck
/// does not hold up the others.
const PATIENCE: Duration = Duration::from_secs(10);
/// For so long Postgres may take to answer at all.
const ANSWER: Duration = Duration::from_secs(2);
/// For so long one delivery of a round may take to come into its lane before the next is sent after it.
const LOOK: Duration = Duration::from_millis(100);
/// The same for all of a round together.
const ORDER: Duration = Duration::from_secs(1);
/// The pause after something went wrong.
const PAUSE: Duration = Duration::from_millis(500);
/// So often a delivery is tried that nothing comes of, although Postgres answers, before it is put aside.
const TRIES: u32 = 5;
/// The pause between passes.
const BREATH: Duration = Duration::from_millis(50);
/// For how long a pass goes on before it looks again at what it left behind, and for how long it does that at the most.
const TURN: Duration = Duration::from_secs(30);
/// How often it is logged that the spool is not empty.
const REMINDER: Duration = Duration::from_secs(30);

/// Empties the spool for as long as the service runs.
pub(super) async fn run(spool: Spool, backend: watch::Receiver<Backend>) {
    tokio::join!(watch_over(&spool), empty(&spool, backend));
}

/// Logs when the spool begins to be used, how it fares, and when it is empty again.
async fn watch_over(spool: &Spool) {
    let mut changes = spool.changes();
    while changes.wait_for(|depth| depth.deliveries > 0).await.is_ok() {
        tracing::warn!("the spool is in use: deliveries wait on disk until Postgres can take them");
        let began = Instant::now();
        while timeout_at(Instant::now() + REMINDER, changes.wait_for(|depth| depth.deliveries == 0)).await.is_err() {
            let depth = spool.depth();
            let (deliveries, bytes) = (depth.deliveries, depth.bytes);
            tracing::warn!(deliveries, bytes, oldest_seconds = depth.age(clock::now()), "deliveries wait in the spool");
        }
        tracing::info!(seconds = began.elapsed().as_secs(), "the spool is empty again");
    }
}

async fn empty(spool: &Spool, mut backend: watch::Receiver<Backend>) {
    let mut changes = spool.changes();
    let mut pass = Pass::new(Instant::now());
    let mut unstorable = BTreeMap::new();
    loop {
        if changes.wait_for(|depth| depth.deliveries > 0).await.is_err() {
            return;
        }
        let Ok(intake) = backend.wait_for(|backend| backend.intake().is_some()).await.map(|open| open.intake()) else {
            return;
        };
        let Some(intake) = intake else { continue };
        match round(spool, &intake, pass.after(), &mut unstorable).await {
            Ok(Progress::Further { last, settled }) => pass.went(last, settled, Instant::now()),
            // From the oldest again: what was left over, and what came meanwhile.
            Ok(Progress::End) => {
                sleep(if pass.settled { BREATH } else { PAUSE }).await;
                pass = Pass::new(Instant::now());
            }
            Ok(Progress::Stuck) => sleep(PAUSE).await,
            Err(refused) => {
                tracing::debug!(%refused, "the spool could not be read or emptied");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One pass through the spool, from the oldest to the newest. While deliveries keep coming it has no end, so that it
/// takes turns: ahead, and again over what it has left behind and what was spooled there late. Neither holds up the other.
#[derive(Debug)]
struct Pass {
    /// How far it has come.
    ahead: Option<Key>,
    /// How far it has looked again; from the oldest where that is none.
    behind: Option<Key>,
    turn: Turn,
    /// When the turn began.
    since: Instant,
    /// Whether anything was settled in it.
    settled: bool,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Ahead,
    Behind,
}

impl Pass {
    fn new(now: Instant) -> Self {
        Self { ahead: None, behind: None, turn: Turn::Ahead, since: now, settled: false }
    }

    /// After which key the next round begins.
    fn after(&self) -> Option<Key> {
        match self.turn {
            Turn::Ahead => self.ahead,
            Turn::Behind => self.behind,
        }
    }

    /// Notes how far a round went, and whether anything was settled in it.
    fn went(&mut self, last: Key, settled: bool, now: Instant) {
        self.settled |= settled;
        let is_over = now.duration_since(self.since) >= TURN;
        let next = match self.turn {
            Turn::Ahead => {
                self.ahead = Some(last);
                if is_over { Turn::Behind } else { return }
            }
            Turn::Behind => {
                let has_caught_up = self.ahead <= Some(last);
                self.ahead = self.ahead.max(Some(last));
                self.behind = (!has_caught_up).then_some(last);
                // What is stuck still costs one round in each turn.
                if has_caught_up || is_over || !settled { Turn::Ahead } else { return }
            }
        };
        (self.turn, self.since) = (next, now);
    }
}

/// What a round came to.
enum Progress {
    /// There may be more.
    Further {
        /// The last one that was tried.
        last: Key,
        /// Whether anything was settled.
        settled: bool,
    },
    /// There was nothing more.
    End,
    /// Not everything was settled, because Postgres is away.
    Stuck,
}

/// Puts the next of what is in the spool through the lanes, and takes out of it what was settled.
async fn round(
    spool: &Spool,
    intake: &Intake,
    after: Option<Key>,
    unstorable: &mut BTreeMap<Key, u32>,
) -> Result<Progress, Refused> {
    let records = spool.read(after, ROUND).await?;
    let Some((last, _)) = records.last() else { return Ok(Progress::End) };
    let last = *last;
    let mut round = Round::new(spool, intake);
    for (key, record) in records {
        match record {
            Ok(delivery) => round.send(key, delivery).await?,
            Err(unreadable) => set_aside(spool, key, &unreadable.to_string()).await,
        }
    }
    round.settle().await?;
    for key in std::mem::take(&mut round.given_up) {
        let tries = unstorable.entry(key).or_default();
        *tries += 1;
        if *tries >= TRIES {
            unstorable.remove(&key);
            set_aside(spool, key, "it cannot be stored, not even as failed").await;
        }
    }
    // Where Postgres answers, it is a workspace that is stuck, and those behind it need not wait.
    Ok(if round.settled < round.sent && intake.is_stuck() && !answers(intake).await {
        Progress::Stuck
    } else {
        Progress::Further { last, settled: round.settled > 0 }
    })
}

/// Whether Postgres answers at all.
async fn answers(intake: &Intake) -> bool {
    tokio::time::timeout(ANSWER, intake.store().answers()).await.is_ok_and(|probed| probed.is_ok())
}

/// Takes what cannot be read or stored out of the way of the rest; it stays on disk for a person to look at.
async fn set_aside(spool: &Spool, key: Key, why: &str) {
    tracing::error!(%key, why, "a delivery in the spool cannot be read or stored and is set aside");
    if let Err(refused) = spool.set_aside(key).await {
        tracing::error!(%key, %refused, "it could not be set aside and stays in the spool");
    }
}

/// Deliveries on their way from the spool. Dropped, those are given up that work was not begun on.
struct Round<'a> {
    spool: &'a Spool,
    intake: &'a Intake,
    /// Each with what becomes of it.
    waiting: JoinSet<(Key, bool)>,
    /// How many were to be put into their lanes.
    sent: usize,
    /// How many of these are committed and have left the spool.
    settled: usize,
    /// Those that their lane gave up.
    given_up: Vec<Key>,
    /// For so long their order is still waited for.
    order: Duration,
    end: Instant,
}

impl<'a> Round<'a> {
    fn new(spool: &'a Spool, intake: &'a Intake) -> Self {
        let (sent, settled, end) = (0, 0, Instant::now() + PATIENCE);
        let (waiting, given_up) = (JoinSet::new(), Vec::new());
        Self { spool, intake, waiting, sent, settled, given_up, order: ORDER, end }
    }

    /// Puts one into its lane. One that may depend on those before it stays in the spool until it is the oldest there:
    /// what came before it may be stuck, or have been spooled late, behind the place where the pass is.
    async fn send(&mut self, key: Key, delivery: Delivery) -> Result<(), Refused> {
        if self.intake.must_look_up(delivery.feed, &delivery.arrived.body, &delivery.permitted) {
            self.settle().await?;
            if self.spool.depth().oldest.is_some_and(|oldest| oldest < key) {
                return Ok(());
            }
        }
        self.sent += 1;
        let tries = Tries { attempts: 0, perhaps_stored: true };
        let (intake, (in_lane, sent)) = (self.intake.clone(), oneshot::channel::<()>());
        self.waiting.spawn(async move {
            let waiting = intake.enqueue(delivery, tries).await;
            drop(in_lane);
            (key, waiting.settled().await.is_some())
        });
        // In their order, but for those that wait: for their memory, or because work on them goes on since before.
        let began = Instant::now();
        let _in_lane = timeout(self.order.min(LOOK), sent).await;
        self.order = self.order.saturating_sub(began.elapsed());
        Ok(())
    }

    /// Waits for those that are in their lanes, until the round's end, and takes out of the spool what was settled.
    async fn settle(&mut self) -> Result<(), Refused> {
        let mut settled = Vec::new();
        while let Ok(Some(ended)) = timeout_at(self.end, self.waiting.join_next()).await {
            match ended {
                Ok((key, true)) => settled.push(key),
                Ok((key, false)) => self.given_up.push(key),
                Err(_panic_or_stop) => {}
            }
        }
        // What is not settled by then is tried again.
        self.waiting.abort_all();
        if settled.is_empty() {
            return Ok(());
        }
        self.settled += settled.len();
        self.spool.remove(settled).await
    }
}

#[cfg(test)]
mod tests {
    //! How a pass goes through the spool.

    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::store::deliveries::Arrived;

    /// The key of the delivery that arrived in such a second.
    fn key(second: i64) -> Key {
        Key::of(&Arrived {
            id: Uuid::nil(),
            received_at: chrono::DateTime::from_timestamp(second, 0).unwrap(),
            feed: String::new(),
            dealership_id: None,
            credential: String::new(),
            remote_address: None,
            content_type: None,
            body: Arc::default(),
            posted_body: None,
            schema_version: None,
        })
    }

    #[test]
    fn a_pass_without_an_end_looks_again_at_the_oldest_and_goes_on_where_it_was() {
        let began = Instant::now();
        let mut pass = Pass::new(began);
        for second in 1..30 {
            pass.went(key(second), true, began + Duration::from_secs(second.unsigned_abs()));
            assert_eq!(pass.after(), Some(key(second)));
        }
        pass.went(key(30), true, began + TURN);
        assert_eq!(pass.after(), None, "the oldest");
        // Rounds over what is behind, until there is no more of it.
        pass.went(key(12), true, began + TURN);
        assert_eq!(pass.after(), Some(key(12)));
        pass.went(key(31), true, began + TURN);
        assert_eq!(pass.after(), Some(key(31)), "ahead again, after all that was tried");
        pass.went(key(32), true, began + TURN * 2);
        assert_eq!(pass.after(), None, "the oldest again");
    }

    #[test]
    fn what_is_stuck_behind_holds_a_pass_up_for_one_round_and_is_tried_a_piece_at_a_time() {
        let began = Instant::now();
        let mut pass = Pass::new(began);
        pass.went(key(100), false, began + TURN);
        pass.went(key(10), false, began + TURN);
        assert_eq!(pass.after(), Some(key(100)));
        pass.went(key(200), true, began + TURN * 2);
        assert_eq!(pass.after(), Some(key(10)), "the next piece");
        pass.went(key(20), true, began + TURN * 3);
        assert_eq!(pass.after(), Some(key(200)), "its turn is over, though it is not at its end");
    }
}
