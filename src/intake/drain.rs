//! The drain: what is in the spool goes through the lanes, in order of arrival, and leaves the spool once it is committed.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::delivery::Delivery;
use super::spool::{Key, Refused, Spool, Unreadable};
use super::{Intake, Tries, Waiting, clock};

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
/// The pause after something went wrong.
const PAUSE: Duration = Duration::from_millis(500);
/// The pause between passes.
const BREATH: Duration = Duration::from_millis(50);
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
    let mut pass = Pass::default();
    loop {
        if changes.wait_for(|depth| depth.deliveries > 0).await.is_err() {
            return;
        }
        let Ok(intake) = backend.wait_for(|backend| backend.intake().is_some()).await.map(|open| open.intake()) else {
            return;
        };
        let Some(intake) = intake else { continue };
        match round(spool, &intake, pass.after).await {
            Ok(Progress::Further { last, settled }) => {
                pass = Pass { after: Some(last), settled: pass.settled || settled }
            }
            // From the oldest again: what was left over, and what came meanwhile.
            Ok(Progress::End) => {
                sleep(if pass.settled { BREATH } else { PAUSE }).await;
                pass = Pass::default();
            }
            Ok(Progress::Stuck) => sleep(PAUSE).await,
            Err(refused) => {
                tracing::debug!(%refused, "the spool could not be read or emptied");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One pass through the spool, from the oldest to the newest.
#[derive(Default)]
struct Pass {
    /// How far it has come.
    after: Option<Key>,
    /// Whether anything was settled in it.
    settled: bool,
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
async fn round(spool: &Spool, intake: &Intake, after: Option<Key>) -> Result<Progress, Refused> {
    let records = spool.read(after, ROUND).await?;
    let Some((last, _)) = records.last() else { return Ok(Progress::End) };
    let last = *last;
    let mut round = Round::new(spool, intake);
    for (key, record) in records {
        match record {
            Ok(delivery) => round.send(key, delivery).await?,
            Err(unreadable) => set_aside(spool, key, &unreadable).await,
        }
    }
    round.settle().await?;
    Ok(if round.settled < round.sent && intake.is_stuck() {
        Progress::Stuck
    } else {
        Progress::Further { last, settled: round.settled > 0 }
    })
}

/// Takes what cannot be read out of the way of the rest; it stays on disk for a person to look at.
async fn set_aside(spool: &Spool, key: Key, unreadable: &Unreadable) {
    tracing::error!(%key, %unreadable, "a delivery in the spool cannot be read and is set aside");
    if let Err(refused) = spool.set_aside(key).await {
        tracing::error!(%key, %refused, "it could not be set aside and stays in the spool");
    }
}

/// Deliveries on their way from the spool.
struct Round<'a> {
    spool: &'a Spool,
    intake: &'a Intake,
    waiting: Vec<(Key, Waiting)>,
    /// How many were to be put into their lanes.
    sent: usize,
    /// How many of these are committed and have left the spool.
    settled: usize,
    end: Instant,
}

impl<'a> Round<'a> {
    fn new(spool: &'a Spool, intake: &'a Intake) -> Self {
        Self { spool, intake, waiting: Vec::new(), sent: 0, settled: 0, end: Instant::now() + PATIENCE }
    }

    /// Puts one into its lane. One that may depend on those before it stays in the spool until it is the oldest there:
    /// what came before it may be stuck, or have been spooled late, behind the place where the pass is.
    async fn send(&mut self, key: Key, delivery: Delivery) -> Result<(), Refused> {
        let Delivery { feed, arrived, permitted, undecoded } = delivery;
        if self.intake.must_look_up(feed, &arrived.body, &permitted) {
            self.settle().await?;
            if self.spool.depth().oldest.is_some_and(|oldest| oldest < key) {
                return Ok(());
            }
        }
        self.sent += 1;
        let tries = Tries { attempts: 0, perhaps_stored: true };
        let enqueued = self.intake.enqueue(feed, arrived, tries, &permitted, undecoded);
        if let Ok(waiting) = timeout_at(self.end, enqueued).await {
            self.waiting.push((key, waiting));
        }
        Ok(())
    }

    /// Waits for those that are in their lanes, until the round's end, and takes out of the spool what was settled.
    async fn settle(&mut self) -> Result<(), Refused> {
        let end = self.end;
        let waiting = std::mem::take(&mut self.waiting);
        let settled = waiting.into_iter().map(|(key, waiting)| async move {
            let reply = timeout_at(end, waiting.settled()).await.ok().flatten();
            reply.map(|_committed| key)
        });
        let settled: Vec<Key> = join_all(settled).await.into_iter().flatten().collect();
        if settled.is_empty() {
            return Ok(());
        }
        self.settled += settled.len();
        self.spool.remove(settled).await
    }
}
