//! From an authenticated request to a stored delivery with one outcome.
//!
//! [`reception::Reception::accept`] takes an authenticated request and answers once the delivery is durable: applied to the tables by
//! the [`Intake`], or, where that takes too long, written to the [`spool`] and applied later.
//!
//! The intake reads a delivery, finds its workspace and puts it into the workspace's lane; the lane's answer comes only
//! after the transaction that holds the delivery and everything it changed.

pub mod clock;
pub mod configuration;
mod delivery;
mod directory;
mod drain;
mod drift;
mod held;
mod lanes;
mod recall;
pub mod reception;
pub mod rejected;
pub mod replay;
mod reply;
pub mod rereading;
pub mod spool;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{oneshot, watch};

use crate::domain::finding::{Code, Finding};
use crate::domain::repetition::Saying;
use crate::domain::workspace::{Locale, Permitted};
use crate::domain::world::RowId;
pub use crate::domain::{Effect, Outcome, Tally, Told};
use crate::feeds::{self, DealershipKey, Document, Feed, Reading};
use crate::store::deliveries::Arrived;
use crate::store::{Store, workspaces};
pub use delivery::Delivery;
pub use directory::Directory;
use directory::{Found, Place};
pub use lanes::BeforeRules;
use lanes::{Lanes, Pending, Seat, Work};
use recall::Recall;
pub use reply::{Answer, Reply};

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
    directory: watch::Sender<Arc<Directory>>,
    lanes: Lanes,
    drift: drift::Drift,
    recall: Recall,
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

/// A delivery in its lane. Dropped, it is given up where the lane has not begun with it.
pub(crate) struct Waiting {
    _seat: Seat,
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
}

/// What a delivery says, and in which lane that is to be heard.
struct Heard {
    workspace: Option<RowId>,
    work: Work,
    findings: Vec<Finding>,
    unknown: Option<Arc<BTreeSet<String>>>,
}

/// What is to be done with a delivery, and in which lane.
struct Plan {
    place: Option<Place>,
    document: Option<Document>,
    findings: Vec<Finding>,
}

impl Intake {
    /// An intake over a store, for the workspaces of a directory. Must be made inside a runtime.
    #[must_use]
    pub fn new(store: Store, directory: Directory, settings: Settings) -> Self {
        let lanes = Lanes::new(store.clone(), settings.writers, settings.clock, settings.before_rules);
        let drift = drift::Drift::default();
        tokio::spawn(drift.clone().run(store.clone()));
        let directory = watch::Sender::new(Arc::new(directory));
        Self { shared: Arc::new(Shared { store, directory, lanes, drift, recall: Recall::default(), settings }) }
    }

    /// Puts a stored delivery through its lane again, and waits for the answer for as long as requests are held.
    async fn take(
        &self,
        feed: Feed,
        arrived: Arrived,
        attempts: i32,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> Result<Reply, Unavailable> {
        let tries = Tries { attempts, perhaps_stored: true };
        let work = async { self.enqueue(feed, arrived, tries, permitted, undecoded).await.settled().await };
        match tokio::time::timeout(self.shared.settings.hold, work).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(_) => Err(Unavailable),
        }
    }

    /// Reads a delivery, finds its workspace, and puts it into the workspace's lane, where it stays until it is settled
    /// or what is given back here is dropped.
    pub(crate) async fn enqueue(
        &self,
        feed: Feed,
        mut arrived: Arrived,
        tries: Tries,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> Waiting {
        let Tries { attempts, perhaps_stored } = tries;
        let began_at = if perhaps_stored { self.now() } else { arrived.received_at };
        let (id, received_at) = (arrived.id, arrived.received_at);
        let Heard { workspace, work, findings, unknown } = self.hear(feed, &mut arrived, permitted, undecoded).await;
        let (reply, answer) = oneshot::channel();
        let pending = Pending { arrived, work, findings, attempts, asked: false, perhaps_stored, began_at, reply };
        let seat = self.shared.lanes.send(workspace, pending).await;
        let drift = self.shared.drift.clone();
        let noted = workspace
            .zip(unknown)
            .map(|(workspace, paths)| move || drift.count(workspace, feed, &paths, id, received_at));
        Waiting { _seat: seat, answer, noted: noted.map(|noted| Box::new(noted) as Box<dyn FnOnce() + Send>) }
    }

    /// Finds the workspace, or the reason why there is none.
    async fn plan(&self, feed: Feed, arrived: &mut Arrived, permitted: &Permitted, undecoded: Option<Finding>) -> Plan {
        let rejected = |finding: Finding| Plan { place: None, document: None, findings: vec![finding] };
        if let Some(finding) = undecoded {
            return rejected(finding);
        }
        let document = match feeds::open(feed, &arrived.body) {
            Ok(document) => document,
            Err(finding) => return rejected(finding),
        };
        arrived.schema_version = document.schema_version();
        let found = match document.dealership() {
            DealershipKey::Id(dealership) => {
                arrived.dealership_id = Some(dealership);
                self.directory().find(dealership, permitted, arrived.received_at)
            }
            DealershipKey::Unusable => Found::Unknown,
            DealershipKey::Missing => match self.place_of_fragment(&document, permitted, arrived.received_at).await {
                Some(place) => Found::Place(place),
                None => return missing_dealership(&document),
            },
        };
        match found {
            Found::Place(place) => Plan { place: Some(place), document: Some(document), findings: Vec::new() },
            Found::Unknown => {
                rejected(of_dealership(feed, Code::DealershipUnknown, "no workspace has this dealership id"))
            }
            Found::NotPermitted => {
                let message = "the credential may not write to this dealership's workspace";
                rejected(of_dealership(feed, Code::WorkspaceNotPermitted, message))
            }
        }
    }

    /// The workspace of a delivery that names no dealership: the credential's only one, else of a vehicle the one of its
    /// workspaces that knows the identifier. Waits while Postgres is away.
    async fn place_of_fragment(
        &self,
        document: &Document,
        permitted: &Permitted,
        received_at: DateTime<Utc>,
    ) -> Option<Place> {
        if !document.feed().may_name_no_dealership() {
            return None;
        }
        let among = self.directory().permitted(permitted);
        if let [only] = among.as_slice() {
            return self.directory().place(*only, received_at);
        }
        let identifier = document.identifier()?;
        let knowing = loop {
            match workspaces::knowing(&self.shared.store, &identifier, &among).await {
                Ok(knowing) => break knowing,
                Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    tracing::error!(%error, "the workspace of an identifier could not be looked up");
                    return None;
                }
            }
        };
        match knowing.as_slice() {
            [only] => self.directory().place(*only, received_at),
            _ => None,
        }
    }

    /// Reads a delivery. A panic is our fault: the delivery is kept, and tried again.
    async fn hear(
        &self,
        feed: Feed,
        arrived: &mut Arrived,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> Heard {
        let heard = AssertUnwindSafe(self.read(feed, arrived, permitted, undecoded)).catch_unwind().await;
        heard.unwrap_or(Heard { workspace: None, work: Work::Fail, findings: vec![], unknown: None })
    }

    /// Finds the workspace, and reads the payload into facts where there is one.
    async fn read(
        &self,
        feed: Feed,
        arrived: &mut Arrived,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> Heard {
        let digest = (feed.is_sent_again() && undecoded.is_none()).then(|| recall::digest(&arrived.body));
        if let Some(heard) = digest.and_then(|digest| self.recall(&digest, arrived, permitted)) {
            return heard;
        }
        let differs = compare_posted(arrived);
        let mut plan = self.plan(feed, arrived, permitted, undecoded).await;
        let (Some(place), Some(document)) = (plan.place, plan.document) else {
            plan.findings.extend(differs);
            return Heard { workspace: None, work: Work::Reject, findings: plan.findings, unknown: None };
        };
        let locale = place.locale.clone();
        let mut reading = reading_of(document, place.locale, arrived.body.len()).await;
        let saying = Saying::of(&reading.facts).map(Arc::new);
        if let (Some(digest), Some(dealership), Some(saying)) = (digest, arrived.dealership_id, &saying) {
            self.shared.recall.note(&recall::Source { feed, digest, dealership, locale }, &reading, saying);
        }
        reading.findings.extend(differs);
        Heard {
            workspace: Some(place.workspace),
            work: Work::Hear(Box::new(reading.facts), saying),
            findings: reading.findings,
            unknown: Some(Arc::new(reading.unknown_paths)),
        }
    }

    /// What a body says that was read before, where it says the same for the place that it is for now.
    fn recall(&self, digest: &recall::Digest, arrived: &mut Arrived, permitted: &Permitted) -> Option<Heard> {
        let recalled = self.shared.recall.find(digest)?;
        let place = match self.directory().find(recalled.dealership, permitted, arrived.received_at) {
            Found::Place(place) => place,
            Found::Unknown | Found::NotPermitted => return None,
        };
        recalled.holds_for(&place.locale).then_some(())?;
        arrived.dealership_id = Some(recalled.dealership);
        Some(Heard {
            workspace: Some(place.workspace),
            findings: recalled.findings.clone(),
            unknown: Some(Arc::clone(&recalled.unknown)),
            work: Work::Recall(recalled),
        })
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

    /// Notes that a delivery was not settled in time.
    pub(crate) fn note_late(&self) {
        self.shared.lanes.note_late();
    }

    /// Writes what is kept in memory only.
    pub async fn finish(&self) {
        self.shared.drift.write(&self.shared.store).await;
    }

    /// The directory as it is now.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.shared.directory.borrow())
    }

    /// Tells when the directory is replaced.
    fn directories(&self) -> watch::Receiver<Arc<Directory>> {
        self.shared.directory.subscribe()
    }

    /// Replaces the directory. Deliveries that were rejected for a dealership that it has are tried again.
    pub fn know(&self, directory: Directory) {
        self.shared.directory.send_replace(Arc::new(directory));
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

/// Above this many bytes a body is read aside, so that other requests need not wait for it.
const LARGE_BODY: usize = 256 << 10;

async fn reading_of(document: Document, locale: Locale, bytes: usize) -> Reading {
    if bytes < LARGE_BODY {
        return feeds::read(&document, &locale);
    }
    match tokio::task::spawn_blocking(move || feeds::read(&document, &locale)).await {
        Ok(reading) => reading,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Forgets what was posted beside a signed token where it says the same; else it is kept, and noted.
fn compare_posted(arrived: &mut Arrived) -> Option<Finding> {
    let posted = arrived.posted_body.as_ref()?;
    if feeds::posted::says_the_same(&arrived.body, posted) {
        arrived.posted_body = None;
        return None;
    }
    Some(Finding::whole(Code::BodyDiffers, "the body posted beside the token says something else; the token was used"))
}

/// Whether it is news of a vehicle that does not say whose it is.
fn is_fragment(feed: Feed, body: &[u8]) -> bool {
    match feed {
        Feed::Lead | Feed::LeadCluster | Feed::LeadPro => return false,
        Feed::Inventory => {}
    }
    feeds::open(feed, body).is_ok_and(|document| match document.dealership() {
        DealershipKey::Missing => true,
        DealershipKey::Id(_) | DealershipKey::Unusable => false,
    })
}

fn missing_dealership(document: &Document) -> Plan {
    let message = match document.feed() {
        Feed::Lead | Feed::LeadCluster | Feed::Inventory => "the delivery does not say which dealership it is for",
        Feed::LeadPro => "a LeadPro delivery names no dealership: its credential must belong to exactly one workspace",
    };
    let mut findings = document.findings();
    findings.push(of_dealership(document.feed(), Code::DealershipMissing, message));
    Plan { place: None, document: None, findings }
}

/// A finding about the dealership, at the place where the feed names it.
fn of_dealership(feed: Feed, code: Code, message: &str) -> Finding {
    Finding { code, path: feed.dealership_path().map(str::to_owned), message: message.to_owned() }
}
