//! From an authenticated request to a stored delivery with one outcome.
//!
//! [`Intake::accept`] reads a delivery, finds its workspace and puts it into the workspace's lane; the lane's answer comes
//! only after the transaction that holds the delivery and everything it changed.

pub mod clock;
mod directory;
mod drift;
mod lanes;
pub mod rejected;
pub mod replay;
mod reply;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::{Locale, Permitted};
use crate::domain::world::RowId;
pub use crate::domain::{Effect, Outcome, Tally, Told};
use crate::feeds::{self, DealershipKey, Document, Feed, Reading};
use crate::store::deliveries::Arrived;
use crate::store::{Store, workspaces};
pub use directory::Directory;
use directory::{Found, Place};
use lanes::{Lanes, Pending, Work};
pub use reply::Reply;

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
}

/// Takes deliveries in.
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
    settings: Settings,
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
        let lanes = Lanes::new(store.clone(), settings.writers, settings.clock);
        let drift = drift::Drift::default();
        tokio::spawn(drift.clone().run(store.clone()));
        let directory = watch::Sender::new(Arc::new(directory));
        Self { shared: Arc::new(Shared { store, directory, lanes, drift, settings }) }
    }

    /// Takes one delivery in. Dropping the future does not undo what was begun.
    ///
    /// # Errors
    /// When nothing could store the delivery while the request was held.
    pub async fn accept(&self, arrival: Arrival) -> Result<Reply, Unavailable> {
        let Arrival {
            feed,
            received_at,
            credential,
            permitted,
            remote_address,
            content_type,
            body,
            posted_body: _,
            undecoded,
        } = arrival;
        let arrived = Arrived {
            id: Uuid::now_v7(),
            received_at,
            feed: feed.name().to_owned(),
            dealership_id: None,
            credential,
            remote_address,
            content_type,
            body,
            schema_version: None,
        };
        let intake = self.clone();
        let taken = tokio::spawn(async move { intake.take(feed, arrived, 0, &permitted, undecoded).await });
        taken.await.unwrap_or(Err(Unavailable))
    }

    /// Reads a delivery, finds its workspace, and waits for the lane's answer for as long as requests are held.
    async fn take(
        &self,
        feed: Feed,
        mut arrived: Arrived,
        attempts: i32,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> Result<Reply, Unavailable> {
        let hold = self.shared.settings.hold;
        let began_at = if attempts == 0 { arrived.received_at } else { self.now() };
        let work = async {
            let heard = AssertUnwindSafe(self.read(feed, &mut arrived, permitted, undecoded)).catch_unwind().await;
            // A panic is our fault: the delivery is kept, and tried again.
            let (workspace, work, findings) = heard.unwrap_or((None, Work::Fail, Vec::new()));
            let (reply, answer) = oneshot::channel();
            let pending = Pending { arrived, work, findings, attempts, asked: false, began_at, reply };
            self.shared.lanes.send(workspace, pending).await;
            answer.await
        };
        match tokio::time::timeout(hold, work).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(Unavailable),
        }
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
        let among = match document.feed() {
            Feed::Inventory | Feed::LeadPro => self.directory().permitted(permitted),
            Feed::Lead | Feed::LeadCluster => return None,
        };
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

    /// Finds the workspace, and reads the payload into facts where there is one.
    async fn read(
        &self,
        feed: Feed,
        arrived: &mut Arrived,
        permitted: &Permitted,
        undecoded: Option<Finding>,
    ) -> (Option<RowId>, Work, Vec<Finding>) {
        let plan = self.plan(feed, arrived, permitted, undecoded).await;
        let (Some(place), Some(document)) = (plan.place, plan.document) else {
            return (None, Work::Reject, plan.findings);
        };
        let reading = reading_of(document, place.locale, arrived.body.len()).await;
        let unknown = reading.unknown_paths;
        self.shared.drift.count(place.workspace, feed, unknown, arrived.id, arrived.received_at);
        (Some(place.workspace), Work::Hear(Box::new(reading.facts)), reading.findings)
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
