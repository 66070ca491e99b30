//! From a body to what it says, in memory that was taken before.
//!
//! First one pass over the whole body tells whether it can be read, how much it becomes, and whose it is. What it says is
//! read only once there is memory for it. Large bodies are gone over and read aside, a few at a time, so that other
//! requests need not wait for them.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, oneshot, watch};

use super::budget::{self, Budget, Taken};
use super::delivery::Delivery;
use super::directory::{Directory, Found, Place};
use super::lanes::Work;
use super::recall::{self, Digest, Recall, Recalled, Source};
use crate::domain::finding::{Code, Finding};
use crate::domain::state::RowId;
use crate::domain::unchanged::ContentSummary;
use crate::domain::workspace::Permitted;
use crate::feeds::scan::{Scan, scan};
use crate::feeds::shape;
use crate::feeds::weight::{weight, weight_in_short, weight_of_posted};
use crate::feeds::{self, DealershipKey, Feed, Reading};
use crate::store::deliveries::Arrived;
use crate::store::{Store, workspaces};

/// From so many bytes on a body is read aside.
pub(super) const LARGE_BODY: usize = 256 << 10;

/// What a delivery says, and in which lane that is to be heard.
pub(super) struct Heard {
    pub(super) workspace: Option<RowId>,
    pub(super) work: Work,
    pub(super) findings: Vec<Finding>,
    pub(super) unknown: Option<Arc<BTreeSet<String>>>,
    /// The memory that it takes.
    pub(super) taken: Taken,
}

/// What is known of a body before it is read.
pub(super) struct Glance {
    digest: Option<Digest>,
    /// What it said when it was read before.
    recalled: Option<Arc<Recalled>>,
    scan: Option<Result<Scan, Finding>>,
    /// How many bytes it takes to read and apply it.
    pub(super) weight: usize,
}

/// What a body is to be read for.
struct Route {
    place: Place,
    dealership: Option<i64>,
    weight: usize,
}

/// Reads deliveries. Copies share what they work with.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    directory: watch::Sender<Arc<Directory>>,
    recall: Recall,
    budget: Budget,
    /// Who goes over large bodies, or reads them.
    aside: Arc<Semaphore>,
}

impl Reader {
    /// A reader for the workspaces of a directory, which takes so many bytes for what it makes of bodies.
    pub(super) fn new(store: Store, directory: Directory, bytes: usize) -> Self {
        // One processor is left to those who wait.
        let turns = std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        let (directory, aside) = (watch::Sender::new(Arc::new(directory)), Arc::new(Semaphore::new(turns)));
        let shared = Shared { store, directory, recall: Recall::default(), budget: Budget::new(bytes), aside };
        Self { shared: Arc::new(shared) }
    }

    /// Where each dealership belongs, as it is now.
    pub(super) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.shared.directory.borrow())
    }

    /// The directory, to be replaced and watched.
    pub(super) fn directories(&self) -> &watch::Sender<Arc<Directory>> {
        &self.shared.directory
    }

    /// Goes over a body, where it was not read before.
    pub(super) fn glance(&self, delivery: &Delivery) -> Glance {
        let Delivery { feed, arrived, permitted: _, undecoded } = delivery;
        if undecoded.is_some() {
            return Glance { digest: None, recalled: None, scan: None, weight: 0 };
        }
        let digest = feed.is_sent_again().then(|| recall::digest(&arrived.body));
        let recalled = digest.and_then(|digest| self.shared.recall.find(&digest));
        if recalled.is_some() {
            let weight = weight_in_short(arrived.bytes());
            return Glance { digest, recalled, scan: None, weight };
        }
        let scan = scan(*feed, &arrived.body);
        let weight = scan.as_ref().map_or(0, |scan| weight_of(*feed, scan, arrived));
        Glance { digest, recalled, scan: Some(scan), weight }
    }

    /// Reads a delivery, once there is memory for it; `None` where nobody waits for it any more before it was begun. A
    /// panic is our fault: the delivery is kept, and tried again.
    pub(super) async fn hear(&self, delivery: &mut Delivery, glance: Option<Glance>, gone: &mut Gone) -> Option<Heard> {
        let heard = AssertUnwindSafe(self.read(delivery, glance, gone)).catch_unwind().await;
        heard.unwrap_or_else(|_panic| Some(Heard::fault()))
    }

    /// Finds the workspace, and reads the payload into facts where there is one.
    async fn read(&self, delivery: &mut Delivery, glance: Option<Glance>, gone: &mut Gone) -> Option<Heard> {
        let glance = if let Some(glance) = glance {
            glance
        } else {
            let (reader, delivery) = (self.clone(), delivery.clone());
            self.aside(delivery.arrived.bytes(), gone, move || reader.glance(&delivery)).await?
        };
        if let Some(recalled) = gone.unless(self.recall(&glance, delivery)).await? {
            return Some(recalled);
        }
        let digest = glance.digest;
        let Route { place: Place { workspace, locale }, dealership, weight } =
            match gone.unless(self.route(delivery, glance)).await? {
                Ok(route) => route,
                Err((workspace, mut findings)) => {
                    findings.extend(compare_posted(&mut delivery.arrived));
                    return Some(Heard::rejected(workspace, Work::Reject, findings));
                }
            };
        let taken = gone.unless(self.shared.budget.take(Some(workspace), weight)).await?;
        let (feed, mut arrived, of) = (delivery.feed, delivery.arrived.clone(), locale.clone());
        // The memory stays taken for as long as it is read, also where nobody waits for that any more.
        let read = move || {
            let differs = compare_posted(&mut arrived);
            let reading = feeds::parse(feed, &arrived.body, &of);
            (reading, differs, arrived, taken)
        };
        let is_large = weight >= budget::LARGE || delivery.arrived.bytes() >= LARGE_BODY;
        if is_large {
            tracing::debug!(delivery = %delivery.arrived.id, weight, "a large delivery is read");
        }
        let (reading, differs, arrived, taken) = self.aside(if is_large { LARGE_BODY } else { 0 }, gone, read).await?;
        delivery.arrived = arrived;
        let reading = match reading {
            Ok(reading) => reading,
            Err(unreadable) => return Some(Heard::rejected(Some(workspace), Work::Reject, vec![unreadable])),
        };
        let summary = ContentSummary::of(&reading.facts).map(Arc::new);
        // What is large is not remembered: it would be read again in its lane, in memory that nobody took.
        if let (Some(digest), Some(dealership), Some(summary), false) = (digest, dealership, &summary, is_large) {
            self.shared.recall.note(&Source { feed, digest, dealership, locale }, &reading, summary);
        }
        let Reading { facts, mut findings, unknown_paths } = reading;
        for finding in findings.iter_mut().filter(|finding| finding.code == Code::EventUnknown) {
            finding.message += &right_door(feed, &delivery.arrived.body);
        }
        findings.extend(differs);
        let (work, unknown) = (Work::Hear(Box::new(facts), summary), Some(Arc::new(unknown_paths)));
        Some(Heard { workspace: Some(workspace), work, findings, unknown, taken })
    }

    /// What a body says that was read before, where it says the same for the place that it is for now.
    async fn recall(&self, glance: &Glance, delivery: &mut Delivery) -> Option<Heard> {
        let recalled = Arc::clone(glance.recalled.as_ref()?);
        let Delivery { arrived, permitted, .. } = delivery;
        let place = match self.directory().find(recalled.dealership, permitted, arrived.received_at) {
            Found::Place(place) => place,
            Found::Unknown | Found::NotPermitted => return None,
        };
        recalled.holds_for(&place.locale).then_some(())?;
        arrived.dealership_id = Some(recalled.dealership);
        // It is read again in its lane where the tables have come to know something else.
        let taken = self.shared.budget.take(Some(place.workspace), glance.weight).await;
        Some(Heard {
            workspace: Some(place.workspace),
            findings: recalled.findings.clone(),
            unknown: Some(Arc::clone(&recalled.unknown)),
            work: Work::Recall(recalled),
            taken,
        })
    }

    /// Finds the workspace, or the reason why the delivery is rejected, with the workspace where that is known.
    async fn route(&self, delivery: &mut Delivery, glance: Glance) -> Result<Route, (Option<RowId>, Vec<Finding>)> {
        let Delivery { feed, arrived, permitted, undecoded } = delivery;
        let rejected = |finding: Finding| Err((None, vec![finding]));
        if let Some(finding) = undecoded {
            return rejected(finding.clone());
        }
        let scan = match glance.scan.unwrap_or_else(|| scan(*feed, &arrived.body)) {
            Ok(scan) => scan,
            Err(finding) => return rejected(finding),
        };
        arrived.schema_version = scan.schema_version;
        let found = match scan.dealership {
            DealershipKey::Id(dealership) => {
                arrived.dealership_id = Some(dealership);
                self.directory().find(dealership, permitted, arrived.received_at)
            }
            DealershipKey::Unusable => Found::Unknown,
            DealershipKey::Missing => {
                match self.place_of_fragment(*feed, &scan, permitted, arrived.received_at).await {
                    Some(place) => Found::Place(place),
                    None => return Err((None, missing_dealership(*feed, &scan, &arrived.body))),
                }
            }
        };
        match found {
            Found::Place(place) => match scan.too_many() {
                None => {
                    let weight = weight_of(*feed, &scan, arrived);
                    Ok(Route { place, dealership: arrived.dealership_id, weight })
                }
                Some(finding) => Err((Some(place.workspace), vec![finding])),
            },
            Found::Unknown => {
                rejected(of_dealership(*feed, Code::DealershipUnknown, "no workspace has this dealership id"))
            }
            Found::NotPermitted => {
                let message = "the credential may not write to this dealership's workspace";
                rejected(of_dealership(*feed, Code::WorkspaceNotPermitted, message))
            }
        }
    }

    /// The workspace of a delivery that names no dealership: the credential's only one, else of a vehicle the one of its
    /// workspaces, or of those in which its dealerships stay, that knows the identifier. Waits while Postgres is away.
    async fn place_of_fragment(
        &self,
        feed: Feed,
        scan: &Scan,
        permitted: &Permitted,
        received_at: DateTime<Utc>,
    ) -> Option<Place> {
        if !feed.may_name_no_dealership() {
            return None;
        }
        let directory = self.directory();
        let among = directory.reachable(permitted);
        if let [only] = among.as_slice() {
            return directory.place(*only, received_at);
        }
        let only = match directory.permitted(permitted).as_slice() {
            [only] => directory.place(*only, received_at),
            _ => None,
        };
        let Some(identifier) = &scan.identifier else { return only };
        let matching = loop {
            match workspaces::workspaces_with_identifier(&self.shared.store, identifier, &among).await {
                Ok(matching) => break matching,
                Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    tracing::error!(%error, "the workspace of an identifier could not be looked up");
                    return None;
                }
            }
        };
        match matching.as_slice() {
            [one] => directory.place(*one, received_at),
            _ => only,
        }
    }

    /// Does something with a body of so many bytes: at once where it is small, else on a thread of its own, a few at a
    /// time. What was begun there goes on to its end.
    async fn aside<T: Send + 'static>(
        &self,
        bytes: usize,
        gone: &mut Gone,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes < LARGE_BODY {
            return Some(work());
        }
        // It is never closed.
        let turn = gone.unless(Arc::clone(&self.shared.aside).acquire_owned()).await?.ok();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        match done.await {
            Ok(done) => Some(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Heard {
    /// Reading ended by a fault of ours.
    pub(super) fn fault() -> Self {
        Self::rejected(None, Work::Fail, vec![])
    }

    fn rejected(workspace: Option<RowId>, work: Work, findings: Vec<Finding>) -> Self {
        Self { workspace, work, findings, unknown: None, taken: Taken::default() }
    }
}

/// Tells whether somebody still waits for a delivery.
#[derive(Debug, Default)]
pub(super) struct Gone(Option<oneshot::Receiver<()>>);

impl Gone {
    /// Nobody waits any more once the other end is dropped.
    pub(super) fn once(gone: oneshot::Receiver<()>) -> Self {
        Self(Some(gone))
    }

    /// Waits for something, unless nobody waits for the delivery any more.
    pub(super) async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let Some(gone) = &mut self.0 else { return Some(work.await) };
        tokio::select! {
            biased;
            done = work => Some(done),
            _gone = gone => None,
        }
    }
}

fn weight_of(feed: Feed, scan: &Scan, arrived: &Arrived) -> usize {
    let posted = arrived.posted_body.as_ref().map_or(0, |posted| weight_of_posted(posted.len()));
    weight(feed, scan, arrived.bytes()).saturating_add(posted)
}

/// Whether it is news of a vehicle that does not say whose it is.
pub(super) fn is_fragment(feed: Feed, body: &[u8]) -> bool {
    match feed {
        Feed::Lead | Feed::LeadCluster | Feed::LeadPro => return false,
        Feed::Inventory => {}
    }
    scan(feed, body).is_ok_and(|scan| scan.dealership == DealershipKey::Missing)
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

fn missing_dealership(feed: Feed, scan: &Scan, body: &[u8]) -> Vec<Finding> {
    let message = match feed {
        Feed::Lead | Feed::LeadCluster | Feed::Inventory => "the delivery does not say which dealership it is for",
        Feed::LeadPro => "a LeadPro delivery names no dealership: its credential must belong to exactly one workspace",
    };
    let mut findings = scan.findings();
    findings.push(of_dealership(feed, Code::DealershipMissing, &(message.to_owned() + &right_door(feed, body))));
    findings
}

/// What is to be said of a body that looks like another feed's than the one whose door it came to; else nothing.
fn right_door(feed: Feed, body: &[u8]) -> String {
    match shape::guess(body).filter(|likely| *likely != feed) {
        Some(likely) => {
            let (door, name) = (likely.path(), likely.name());
            format!(
                "; it looks like what is posted to {door}, and `forecourt replay --as-feed {name}` applies it as that"
            )
        }
        None => String::new(),
    }
}

/// A finding about the dealership, at the place where the feed names it.
fn of_dealership(feed: Feed, code: Code, message: &str) -> Finding {
    Finding { code, path: feed.dealership_path().map(str::to_owned), message: message.to_owned() }
}
