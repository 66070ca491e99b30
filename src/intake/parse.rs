//! Parsing: from a body to facts, in memory that was taken before.
//!
//! First one pass over the whole body finds whether it can be read, how much memory it takes, and which workspace it is for. Its facts are
//! read only once there is memory for them. Large bodies are gone over and read on threads of their own, a few at a time,
//! so that other requests need not wait for them.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::body_cache::{BodyCache, CacheKey, CachedBody};

use super::cancellation::Cancellation;
use super::memory::{self, Memory, TakenMemory};
use super::pipeline::Task;
use super::router::{Found, Route, WorkspaceRouter};
use super::routing::{Rejection, Routing, right_door};
use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::unchanged::ContentSummary;
use crate::feeds::scan::{Scan, scan};
use crate::feeds::weight::{weight, weight_in_short, weight_of_posted};
use crate::feeds::{self, DealershipKey, ParsedPayload};
use crate::store::Store;

/// From so many bytes on a body is read on a thread of its own.
pub(super) const LARGE_BODY: usize = 256 << 10;

/// What is to be done with a delivery, and in which workspace.
pub(super) struct Parsed {
    /// Its workspace, where it has one.
    pub(super) workspace: Option<WorkspaceId>,
    /// What is to be done.
    pub(super) task: Task,
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
    /// Paths of fields that are not documented.
    pub(super) unknown: Option<Arc<BTreeSet<String>>>,
    /// The memory that it takes.
    pub(super) memory: TakenMemory,
}

impl Parsed {
    /// Reading ended by a fault of ours.
    pub(super) fn fault() -> Self {
        Self::without_facts(None, Task::Fail, vec![])
    }

    fn without_facts(workspace: Option<WorkspaceId>, task: Task, findings: Vec<Finding>) -> Self {
        Self { workspace, task, findings, unknown: None, memory: TakenMemory::default() }
    }
}

/// The result of a peek: what one pass over a body finds before it is parsed.
#[derive(Debug)]
pub(super) enum Peek {
    /// The same bytes were read before.
    Cached(Arc<CachedBody>),
    /// What the pass over it found, or why it cannot be read.
    Scanned(Scanned),
}

/// What the pass over a body found, with how many bytes it takes to read and apply it; or why it cannot be read.
type Scanned = Result<(Scan, usize), Finding>;

impl Peek {
    /// Goes over a body once, whatever the cache knows of it.
    pub(super) fn scan(delivery: &Delivery) -> Self {
        Self::Scanned(scanned(delivery))
    }

    /// How many bytes it takes to read and apply the delivery.
    pub(super) fn weight(&self, delivery: &Delivery) -> usize {
        match self {
            Self::Cached(_) => weight_in_short(delivery.bytes()),
            Self::Scanned(scanned) => scanned.as_ref().map_or(0, |(_, weight)| *weight),
        }
    }

    /// Whether it is about a vehicle and names no dealership.
    pub(super) fn is_fragment(&self, delivery: &Delivery) -> bool {
        let names_none = match self {
            Self::Scanned(Ok((scan, _))) => scan.dealership == DealershipKey::Missing,
            Self::Cached(_) | Self::Scanned(Err(_)) => false,
        };
        delivery.feed.may_be_fragment() && names_none
    }
}

fn scanned(delivery: &Delivery) -> Scanned {
    if let Some(finding) = &delivery.undecoded {
        return Err(finding.clone());
    }
    let scan = scan(delivery.feed, &delivery.body)?;
    let posted = delivery.posted_body.as_ref().map_or(0, |posted| weight_of_posted(posted.len()));
    let weight = weight(delivery.feed, &scan, delivery.bytes()).saturating_add(posted);
    Ok((scan, weight))
}

/// Parses deliveries. Copies share what they work with.
#[derive(Clone, Debug)]
pub(super) struct Parser {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    routing: Routing,
    cache: BodyCache,
    memory: Memory,
    /// Permits to go over large bodies, or to read them.
    off_thread: Arc<Semaphore>,
    /// Turns to do so with small ones, by feed: what comes all at once, as a full feed does, waits here and not in the way
    /// of the leads, of batches and of answers, which wait for a processor, too.
    turns: BTreeMap<Feed, Semaphore>,
}

impl Parser {
    /// A parser for the workspaces of a router, which takes so many bytes for what it makes of bodies.
    pub(super) fn new(store: Store, router: WorkspaceRouter, bytes: usize) -> Self {
        // One processor is left to those who wait.
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (routing, off_thread) = (Routing::new(store, router), Arc::new(Semaphore::new(processors.div_ceil(2))));
        // A full feed leaves one processor to the leads.
        let turns_of = |feed: &Feed| if feed.is_sent_again() { processors.div_ceil(2) } else { processors };
        let turns = Feed::ALL.iter().map(|feed| (*feed, Semaphore::new(turns_of(feed)))).collect();
        let (cache, memory) = (BodyCache::default(), Memory::new(bytes));
        Self { shared: Arc::new(Shared { routing, cache, memory, off_thread, turns }) }
    }

    /// Finds workspaces.
    pub(super) fn routing(&self) -> &Routing {
        &self.shared.routing
    }

    /// The turn of a small body.
    async fn turn(&self, feed: Feed) -> Option<SemaphorePermit<'_>> {
        // None is ever closed.
        self.shared.turns.get(&feed)?.acquire().await.ok()
    }

    /// Goes over a small body in its turn, where it was not read before.
    pub(super) async fn peek_in_turn(&self, delivery: &Delivery) -> Peek {
        let _turn = self.turn(delivery.feed).await;
        self.peek(delivery)
    }

    /// Goes over a body, where it was not read before.
    pub(super) fn peek(&self, delivery: &Delivery) -> Peek {
        let may_be_cached = delivery.undecoded.is_none() && delivery.feed.is_sent_again();
        let cached = may_be_cached.then(|| self.shared.cache.find(delivery.body.sha256())).flatten();
        cached.map_or_else(|| Peek::scan(delivery), Peek::Cached)
    }

    /// Parses a delivery, once there is memory for it; `None` where it is cancelled before that is begun. A panic is our
    /// fault: the delivery is kept, and tried again.
    pub(super) async fn parse(
        &self,
        delivery: &mut Delivery,
        peek: Option<Peek>,
        cancellation: &mut Cancellation,
    ) -> Option<Parsed> {
        let parsed = AssertUnwindSafe(self.parse_uncaught(delivery, peek, cancellation)).catch_unwind().await;
        parsed.unwrap_or_else(|_panic| Some(Parsed::fault()))
    }

    async fn parse_uncaught(
        &self,
        delivery: &mut Delivery,
        peek: Option<Peek>,
        cancellation: &mut Cancellation,
    ) -> Option<Parsed> {
        let peek = if let Some(peek) = peek {
            peek
        } else {
            let (parser, copy) = (self.clone(), delivery.clone());
            self.off_thread(delivery.feed, delivery.bytes(), cancellation, move || parser.peek(&copy)).await?
        };
        let scanned = match peek {
            Peek::Scanned(scanned) => scanned,
            Peek::Cached(cached) => match cancellation.or(self.read_from_cache(cached, delivery)).await? {
                Some(parsed) => return Some(parsed),
                // It reads otherwise for the workspace that it is for now.
                None => scanned(delivery),
            },
        };
        let routed = match scanned {
            Ok((scan, weight)) => {
                cancellation.or(self.shared.routing.route(delivery, &scan)).await?.map(|to| (to, weight))
            }
            Err(unreadable) => Err(Rejection { workspace: None, findings: vec![unreadable] }),
        };
        match routed {
            Ok((route, weight)) => self.read(delivery, route, weight, cancellation).await,
            Err(Rejection { workspace, mut findings }) => {
                findings.extend(compare_posted(delivery));
                Some(Parsed::without_facts(workspace, Task::Reject, findings))
            }
        }
    }

    /// Reads the facts of a delivery whose workspace is known, once there is memory for them.
    async fn read(
        &self,
        delivery: &mut Delivery,
        route: Route,
        weight: usize,
        cancellation: &mut Cancellation,
    ) -> Option<Parsed> {
        let Route { workspace, locale } = route;
        let memory = cancellation.or(self.shared.memory.take(Some(workspace), weight)).await?;
        let (mut copy, of) = (delivery.clone(), locale.clone());
        // The memory stays taken for as long as it is read, also where nobody waits for that any more.
        let read = move || {
            let differs = compare_posted(&mut copy);
            let reading = feeds::parse(copy.feed, &copy.body, &of);
            (reading, differs, copy, memory)
        };
        let is_large = weight >= memory::LARGE || delivery.bytes() >= LARGE_BODY;
        if is_large {
            tracing::debug!(delivery = %delivery.id, weight, "a large delivery is read");
        }
        let bytes = if is_large { LARGE_BODY } else { 0 };
        let (reading, differs, read, memory) = self.off_thread(delivery.feed, bytes, cancellation, read).await?;
        *delivery = read;
        let reading = match reading {
            Ok(reading) => reading,
            Err(unreadable) => {
                return Some(Parsed::without_facts(Some(workspace), Task::Reject, vec![unreadable]));
            }
        };
        let summary = ContentSummary::of(&reading.facts).map(Arc::new);
        // What is large is not kept: it would be read again in its batch, in memory that nobody took.
        if let (true, Some(dealership), Some(summary), false) =
            (delivery.feed.is_sent_again(), delivery.dealership_id, &summary, is_large)
        {
            let (feed, sha256) = (delivery.feed, *delivery.body.sha256());
            let key = CacheKey { feed, sha256, dealership, external_id: delivery.external_id.clone(), locale };
            self.shared.cache.insert(&key, &reading, summary);
        }
        let ParsedPayload { facts, mut findings, unknown_paths } = reading;
        for finding in findings.iter_mut().filter(|finding| finding.code == Code::EventUnknown) {
            finding.message += &right_door(delivery.feed, &delivery.body);
        }
        findings.extend(differs);
        let (task, unknown) = (Task::Apply(Box::new(facts), summary), Some(Arc::new(unknown_paths)));
        Some(Parsed { workspace: Some(workspace), task, findings, unknown, memory })
    }

    /// What is known of a body that was read before, where it reads the same for the workspace that it is for now.
    async fn read_from_cache(&self, cached: Arc<CachedBody>, delivery: &mut Delivery) -> Option<Parsed> {
        let router = self.shared.routing.router();
        let route = match router.find(cached.dealership, &delivery.permitted, delivery.received_at) {
            Found::Route(route) => route,
            Found::Unknown | Found::NotPermitted => return None,
        };
        cached.holds_for(&route.locale).then_some(())?;
        delivery.dealership_id = Some(cached.dealership);
        delivery.external_id.clone_from(&cached.external_id);
        // It is read again in its batch where the tables have come to know something else.
        let weight = weight_in_short(delivery.bytes());
        let memory = self.shared.memory.take(Some(route.workspace), weight).await;
        Some(Parsed {
            workspace: Some(route.workspace),
            findings: cached.findings.clone(),
            unknown: Some(Arc::clone(&cached.unknown)),
            task: Task::ApplyIfChanged(cached),
            memory,
        })
    }

    /// Does something with a body of so many bytes: in its turn where it is small, else on a thread of its own, a few at a
    /// time. What was begun there goes on to its end.
    async fn off_thread<T: Send + 'static>(
        &self,
        feed: Feed,
        bytes: usize,
        cancellation: &mut Cancellation,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes < LARGE_BODY {
            let _turn = self.turn(feed).await;
            return Some(work());
        }
        // It is never closed.
        let permit = cancellation.or(Arc::clone(&self.shared.off_thread).acquire_owned()).await?.ok();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        match done.await {
            Ok(done) => Some(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Drops the body posted beside a signed token where it has the same values; else it is kept, with a finding.
fn compare_posted(delivery: &mut Delivery) -> Option<Finding> {
    let posted = delivery.posted_body.as_ref()?;
    if feeds::signed_body::matches_claims(&delivery.body, posted) {
        delivery.posted_body = None;
        return None;
    }
    Some(Finding::whole(Code::BodyDiffers, "the body posted beside the token says something else; the token was used"))
}
