//! The drain: what is in the spool is submitted, in order of arrival, and leaves the spool once it is committed.

mod cursor;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::attempt::AttemptInfo;
use super::database::Database;
use super::submit::Resubmitted;
use super::{Intake, clock};
use crate::domain::delivery::Delivery;
use crate::spool::{Key, Refused, Spool};
use cursor::DrainCursor;

/// How many deliveries are read from the spool at a time.
const BATCH: usize = 256;
/// How long a batch is waited for. What is not settled by then stays in the spool, so that a workspace that is stuck does
/// not hold up the others.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long Postgres may take to answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one delivery of a batch may take to come into its queue before the next is submitted after it.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(100);
/// The same for all of a batch together.
const ORDER_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause after something went wrong.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How often a delivery is tried that nothing comes of, although Postgres answers, before it is set aside.
const MOST_TRIES: u32 = 5;
/// The pause between passes through the spool.
const PASS_INTERVAL: Duration = Duration::from_millis(50);
/// How often it is logged that the spool is not empty.
const REMINDER_INTERVAL: Duration = Duration::from_mins(1);

/// Empties the spool for as long as the service runs.
pub(super) async fn run(spool: Spool, database: watch::Receiver<Database>) {
    tokio::join!(watch_over(&spool), empty(&spool, database));
}

/// Logs when the spool begins to be used, how it fares, and when it is empty again.
async fn watch_over(spool: &Spool) {
    let mut changes = spool.changes();
    while changes.wait_for(|depth| depth.deliveries > 0).await.is_ok() {
        tracing::warn!("the spool is in use: deliveries wait on disk until Postgres can take them");
        let began = Instant::now();
        while timeout_at(Instant::now() + REMINDER_INTERVAL, changes.wait_for(|depth| depth.deliveries == 0))
            .await
            .is_err()
        {
            let depth = spool.depth();
            let (deliveries, bytes) = (depth.deliveries, depth.bytes);
            tracing::warn!(deliveries, bytes, oldest_seconds = depth.age(clock::now()), "deliveries wait in the spool");
        }
        tracing::info!(seconds = began.elapsed().as_secs(), "the spool is empty again");
    }
}

async fn empty(spool: &Spool, mut database: watch::Receiver<Database>) {
    let mut changes = spool.changes();
    let mut cursor = DrainCursor::new(Instant::now());
    let mut unstorable = BTreeMap::new();
    loop {
        if changes.wait_for(|depth| depth.deliveries > 0).await.is_err() {
            return;
        }
        let Ok(intake) = database.wait_for(|database| database.intake().is_some()).await.map(|ready| ready.intake())
        else {
            return;
        };
        let Some(intake) = intake else { continue };
        match drain_batch(spool, &intake, cursor.after(), &mut unstorable).await {
            Ok(Progress::Further { last, settled }) => cursor.advance(last, settled, Instant::now()),
            // From the oldest again: what was left over, and what came meanwhile.
            Ok(Progress::End) => {
                sleep(if cursor.settled { PASS_INTERVAL } else { RETRY_INTERVAL }).await;
                cursor = DrainCursor::new(Instant::now());
            }
            Ok(Progress::Stuck) => sleep(RETRY_INTERVAL).await,
            Err(refused) => {
                tracing::debug!(%refused, "the spool could not be read or emptied");
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

/// What a batch came to.
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

/// Submits the next deliveries of the spool, and takes out of it what was settled.
async fn drain_batch(
    spool: &Spool,
    intake: &Intake,
    after: Option<Key>,
    unstorable: &mut BTreeMap<Key, u32>,
) -> Result<Progress, Refused> {
    let records = spool.read(after, BATCH).await?;
    let Some((last, _)) = records.last() else { return Ok(Progress::End) };
    let last = *last;
    let mut batch = DrainBatch::new(spool, intake);
    for (key, record) in records {
        match record {
            Ok(delivery) => batch.submit(key, delivery).await?,
            Err(unreadable) => set_aside(spool, key, &unreadable.to_string()).await,
        }
    }
    batch.settle().await?;
    for key in std::mem::take(&mut batch.given_up) {
        let tries = unstorable.entry(key).or_default();
        *tries += 1;
        if *tries >= MOST_TRIES {
            unstorable.remove(&key);
            set_aside(spool, key, "it cannot be stored, not even as failed").await;
        }
    }
    // Where Postgres answers, it is a workspace that is stuck, and those behind it need not wait.
    Ok(if batch.settled < batch.submitted && intake.is_stalled() && !answers(intake).await {
        Progress::Stuck
    } else {
        Progress::Further { last, settled: batch.settled > 0 }
    })
}

/// Whether Postgres answers at all.
async fn answers(intake: &Intake) -> bool {
    tokio::time::timeout(ANSWER_TIMEOUT, intake.store().answers()).await.is_ok_and(|probed| probed.is_ok())
}

/// Takes what cannot be read or stored out of the way of the rest; it stays on disk for a person to look at.
async fn set_aside(spool: &Spool, key: Key, why: &str) {
    tracing::error!(%key, why, "a delivery in the spool cannot be read or stored and is set aside");
    if let Err(refused) = spool.set_aside(key).await {
        tracing::error!(%key, %refused, "it could not be set aside and stays in the spool");
    }
}

/// Deliveries on their way from the spool. Dropped, those are given up that work was not begun on.
struct DrainBatch<'a> {
    spool: &'a Spool,
    intake: &'a Intake,
    /// Each with what becomes of it.
    waiting: JoinSet<(Key, Resubmitted)>,
    /// How many were submitted.
    submitted: usize,
    /// How many of these are committed and have left the spool.
    settled: usize,
    /// Those that their queue gave up.
    given_up: Vec<Key>,
    /// How long their order is still waited for.
    order: Duration,
    end: Instant,
}

impl<'a> DrainBatch<'a> {
    fn new(spool: &'a Spool, intake: &'a Intake) -> Self {
        let (submitted, settled, end) = (0, 0, Instant::now() + BATCH_TIMEOUT);
        let (waiting, given_up) = (JoinSet::new(), Vec::new());
        Self { spool, intake, waiting, submitted, settled, given_up, order: ORDER_TIMEOUT, end }
    }

    /// Submits one. One that may depend on those before it stays in the spool until it is the oldest there:
    /// what came before it may be stuck, or have been spooled late, behind the cursor.
    async fn submit(&mut self, key: Key, delivery: Delivery) -> Result<(), Refused> {
        let (depends, peek) = self.intake.depends_on_tables(&delivery);
        if depends {
            self.settle().await?;
            if self.spool.depth().oldest.is_some_and(|oldest| oldest < key) {
                return Ok(());
            }
        }
        self.submitted += 1;
        let (intake, (queued, is_queued)) = (self.intake.clone(), oneshot::channel::<()>());
        self.waiting.spawn(async move {
            let submitted = intake.submit(delivery, AttemptInfo::again(0), peek).await;
            drop(queued);
            (key, submitted.settled_unless_held(&intake).await)
        });
        // In their order, but for those that wait: for their memory, or because work on them goes on since before.
        let began = Instant::now();
        let _queued = timeout(self.order.min(QUEUE_TIMEOUT), is_queued).await;
        self.order = self.order.saturating_sub(began.elapsed());
        Ok(())
    }

    /// Waits for those that are in their queues, until the batch's end, and takes out of the spool what was settled.
    async fn settle(&mut self) -> Result<(), Refused> {
        let mut settled = Vec::new();
        while let Ok(Some(ended)) = timeout_at(self.end, self.waiting.join_next()).await {
            match ended {
                Ok((key, Resubmitted::Done(_))) => settled.push(key),
                Ok((key, Resubmitted::GivenUp)) => self.given_up.push(key),
                Ok((_, Resubmitted::Held)) | Err(_) => {}
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
