//! From an authenticated request to a stored delivery with one outcome.
//!
//! [`reception::Reception::accept`] takes an authenticated request and answers once the delivery is durable: applied to the tables by
//! the [`Intake`], or, where that takes too long, written to the [`spool`](crate::spool) and applied later.
//!
//! The intake reads a delivery, finds its workspace and puts it into the workspace's lane; the lane's answer comes only
//! after the transaction that holds the delivery and everything it changed.

mod budget;
pub mod clock;
pub mod complaints;
pub mod configuration;
mod delivery;
mod directory;
mod drain;
mod drift;
mod held;
mod lanes;
mod reading;
mod recall;
pub mod reception;
pub mod replay;
mod reply;
pub mod rereading;
mod under_way;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{oneshot, watch};

use crate::domain::finding::Finding;
use crate::domain::workspace::Permitted;
pub use crate::domain::{Effect, EffectSummary, Outcome, Tally};
use crate::feeds::Feed;
use crate::store::Store;
pub use delivery::Delivery;
pub use directory::Directory;
pub use lanes::BeforeRules;
use lanes::{Lanes, Pending, Seat};
use reading::{Glance, Gone, Heard, LARGE_BODY, Reader, is_fragment};
pub use reply::{Answer, Reply};
use under_way::{Claim, UnderWay};

/// An authenticated request, read to its end.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The kind of delivery.
    pub feed: Feed,
    /// When its head arrived.
    pub received_at: DateTime<Utc>,
    /// The name of the credential that let it in.
    pub credential: String,
    /// The workspaces that the credential may write to.
    pub permitted: Permitted,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body, its `Content-Encoding` undone where that was possible.
    pub body: Vec<u8>,
    /// What was posted where the body is something else: the claims of a signed token.
    pub posted_body: Option<Vec<u8>>,
    /// Why the `Content-Encoding` could not be undone.
    pub undecoded: Option<Finding>,
}

/// Nothing could store the delivery in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be stored in time")]
pub struct Unavailable;

/// How the intake works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a request is held while nothing can store its delivery.
    pub hold: Duration,
    /// How many batches are written at a time.
    pub writers: usize,
    /// How many bytes what is built of bodies may take, while they are read and applied.
    pub reading_bytes: usize,
    /// The clock.
    pub clock: fn() -> DateTime<Utc>,
    /// What is done before the rules hear a delivery: nothing in a service; a test can let it panic as a rule might.
    pub before_rules: Option<BeforeRules>,
}

/// Applies deliveries to the tables.
#[derive(Clone, Debug)]
pub struct Intake {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    reader: Reader,
    lanes: Lanes,
    drift: drift::Drift,
    under_way: UnderWay,
    /// How many large deliveries are being read or applied.
    large: AtomicUsize,
    settings: Settings,
}

/// How often a delivery was tried before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    /// How often it failed, or was rejected and stored; nought for one that is not known to be stored.
    pub(crate) attempts: i32,
    /// Whether an earlier try may have stored it without anybody having seen the end of that.
    pub(crate) perhaps_stored: bool,
}

/// A delivery that is being worked on, or waits for that. Dropped, it is given up where that has not begun.
pub(crate) struct Waiting {
    _kept: Kept,
    /// Whether the memory of a large delivery was taken for it.
    has_memory: bool,
    answer: oneshot::Receiver<Reply>,
    noted: Option<Box<dyn FnOnce() + Send>>,
}

impl Waiting {
    /// The reply, once the delivery is committed; `None` where its lane ended by a fault.
    pub(crate) async fn settled(self) -> Option<Reply> {
        let reply = self.answer.await.ok()?;
        if let Some(note) = self.noted {
            note();
        }
        Some(reply)
    }

    /// What others made of it.
    fn over(reply: Reply) -> Self {
        let (told, answer) = oneshot::channel();
        // Its other end is here.
        let _ = told.send(reply);
        Self { _kept: Kept::Over, has_memory: false, answer, noted: None }
    }

    /// Nothing comes of it.
    fn given_up() -> Self {
        let (_nobody, answer) = oneshot::channel();
        Self { _kept: Kept::Over, has_memory: false, answer, noted: None }
    }
}

/// What keeps a delivery from being given up; only dropped.
#[expect(dead_code, reason = "each is held for what its drop does")]
enum Kept {
    InLane(Seat),
    Aside(oneshot::Sender<()>),
    Over,
}

/// A large delivery, among all that are under way.
struct Large(Intake);

impl Large {
    fn new(intake: &Intake) -> Self {
        intake.shared.large.fetch_add(1, Ordering::Relaxed);
        Self(intake.clone())
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.0.shared.large.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery that is to be read and put into its lane.
struct Job {
    delivery: Delivery,
    tries: Tries,
    began_at: DateTime<Utc>,
    claim: Claim,
}

impl Intake {
    /// An intake over a store, for the workspaces of a directory. Must be made inside a runtime.
    #[must_use]
    pub fn new(store: Store, directory: Directory, settings: Settings) -> Self {
        let lanes = Lanes::new(store.clone(), settings.writers, settings.clock, settings.before_rules);
        let drift = drift::Drift::default();
        tokio::spawn(drift.clone().run(store.clone()));
        let reader = Reader::new(store.clone(), directory, settings.reading_bytes);
        let (under_way, large) = (UnderWay::default(), AtomicUsize::new(0));
        let shared = Shared { store, reader, lanes, drift, under_way, large, settings };
        Self { shared: Arc::new(shared) }
    }

    /// Puts a stored delivery through its lane again, and waits for the answer for as long as requests are held.
    async fn take(&self, delivery: Delivery, attempts: i32) -> Result<Reply, Unavailable> {
        let tries = Tries { attempts, perhaps_stored: true };
        let work = async { self.enqueue(delivery, tries).await.settled().await };
        match tokio::time::timeout(self.shared.settings.hold, work).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(_) => Err(Unavailable),
        }
    }

    /// Reads a delivery, finds its workspace, and puts it into the workspace's lane, where it stays until it is settled
    /// or what is given back here is dropped. Waits while somebody else works on it. One that is large is settled without
    /// being waited for, once it was begun: it may take longer than anybody waits.
    pub(crate) async fn enqueue(&self, delivery: Delivery, tries: Tries) -> Waiting {
        let claim = self.shared.under_way.claim(delivery.arrived.id).await;
        if let Some(reply) = claim.former() {
            return Waiting::over(reply);
        }
        let began_at = if tries.perhaps_stored { self.now() } else { delivery.arrived.received_at };
        let glance = (delivery.arrived.bytes() < LARGE_BODY).then(|| self.shared.reader.glance(&delivery));
        let job = Job { delivery, tries, began_at, claim };
        if glance.as_ref().is_some_and(|glance| glance.weight < budget::LARGE) {
            return self.put(job, glance, &mut Gone::default()).await.unwrap_or_else(Waiting::given_up);
        }
        let (here, gone) = oneshot::channel();
        let (told, answer) = oneshot::channel();
        let intake = self.clone();
        tokio::spawn(async move {
            let _large = Large::new(&intake);
            let mut gone = Gone::once(gone);
            let Some(waiting) = intake.put(job, glance, &mut gone).await else { return };
            // What has taken no memory, as one that is rejected, is kept only for as long as it is waited for.
            let has_memory = waiting.has_memory;
            let settled = waiting.settled();
            let reply = if has_memory { settled.await } else { gone.unless(settled).await.flatten() };
            if let Some(reply) = reply {
                // It may be waited for elsewhere by now.
                let _ = told.send(reply);
            }
        });
        Waiting { _kept: Kept::Aside(here), has_memory: false, answer, noted: None }
    }

    /// Reads a delivery and puts it into its lane; `None` where nobody waits for it any more before it was begun.
    async fn put(&self, job: Job, glance: Option<Glance>, gone: &mut Gone) -> Option<Waiting> {
        let Job { mut delivery, tries: Tries { attempts, perhaps_stored }, began_at, claim } = job;
        let heard = self.shared.reader.hear(&mut delivery, glance, gone).await?;
        let Heard { workspace, work, findings, unknown, taken } = heard;
        let Delivery { feed, arrived, .. } = delivery;
        let (id, received_at) = (arrived.id, arrived.received_at);
        let (reply, answer) = oneshot::channel();
        let (asked, claim, has_memory) = (false, Some(claim), taken.is_large());
        let pending =
            Pending { arrived, work, findings, attempts, asked, perhaps_stored, began_at, reply, claim, taken };
        let seat = self.shared.lanes.send(workspace, pending).await;
        let drift = self.shared.drift.clone();
        let noted = workspace
            .zip(unknown)
            .map(|(workspace, paths)| move || drift.count(workspace, feed, &paths, id, received_at));
        let noted = noted.map(|noted| Box::new(noted) as Box<dyn FnOnce() + Send>);
        Some(Waiting { _kept: Kept::InLane(seat), has_memory, answer, noted })
    }

    /// Whether only the tables can tell the workspace of a delivery, so that what came before it must be in them.
    pub(crate) fn must_look_up(&self, feed: Feed, body: &[u8], permitted: &Permitted) -> bool {
        self.directory().permitted(permitted).len() > 1 && is_fragment(feed, body)
    }

    /// Whether Postgres is thought to be away, or so slow that nothing should wait for it.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.shared.lanes.are_stuck()
    }

    /// Notes that a delivery was not settled in time. Beside a large one that says nothing of Postgres: it takes its time,
    /// and so does what waits in its lane.
    pub(crate) fn note_late(&self) {
        if self.shared.large.load(Ordering::Relaxed) == 0 {
            self.shared.lanes.note_late();
        }
    }

    /// Writes what is kept in memory only.
    pub async fn finish(&self) {
        self.shared.drift.write(&self.shared.store).await;
    }

    /// The directory as it is now.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        self.shared.reader.directory()
    }

    /// Tells when the directory is replaced.
    fn directories(&self) -> watch::Receiver<Arc<Directory>> {
        self.shared.reader.directories().subscribe()
    }

    /// Replaces the directory. Deliveries that were rejected for a dealership that it has are tried again.
    pub fn know(&self, directory: Directory) {
        self.shared.reader.directories().send_replace(Arc::new(directory));
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.shared.settings.clock)()
    }
}
