//! The one way of a delivery into the pipeline, whether it comes from a door, the spool or the tables: claim, parse, queue.

use crate::domain::ids::WorkspaceId;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::Span;

use super::Intake;
use super::attempt::AttemptInfo;
use super::cancellation::Cancellation;
use super::in_flight::Claim;
use super::memory;
use super::parse::{LARGE_BODY, Parsed, Peek};
use super::pipeline::{QueueEntry, QueueGuard, Task};
use super::reply::Reply;
use crate::domain::delivery::Delivery;
use crate::domain::retention::without_old_documents;

/// A delivery that is worked on, or waits for that. Dropped, it is given up where that has not begun.
pub(super) struct Submitted {
    _kept: Kept,
    /// Whether the memory of a large delivery was taken for it.
    has_memory: bool,
    reply: oneshot::Receiver<Reply>,
    /// Counts its undocumented fields.
    count: Option<Box<dyn FnOnce() + Send>>,
    /// The queue that it is in; none where it is read in a task of its own, and goes to its end there.
    queue: Option<QueueKey>,
}

/// Names a queue: that of a workspace, or that of what has none.
#[derive(Clone, Copy, Debug)]
struct QueueKey(Option<WorkspaceId>);

/// What becomes of a delivery that need not be waited for.
#[derive(Debug)]
pub(super) enum Resubmitted {
    /// It is committed.
    Done(Reply),
    /// Its queue ended by a fault, or nothing comes of it.
    GivenUp,
    /// Somebody else holds its workspace for long, so that it has left the queue.
    Held,
}

/// How long somebody must have held a workspace before what was stored elsewhere leaves its queue.
const HELD_INTERVAL: Duration = Duration::from_secs(1);

impl Submitted {
    /// The reply, once the delivery is committed; `None` where its queue ended by a fault.
    pub(super) async fn settled(self) -> Option<Reply> {
        let reply = self.reply.await.ok()?;
        if let Some(count) = self.count {
            count();
        }
        Some(reply)
    }

    /// The same for a delivery that is stored: where somebody else holds its workspace, it waits where it is stored, so
    /// that those of other workspaces need not wait for it.
    pub(super) async fn settled_unless_held(self, intake: &Intake) -> Resubmitted {
        let queue = self.queue;
        let held = async {
            loop {
                sleep(HELD_INTERVAL).await;
                if queue.is_some_and(|QueueKey(workspace)| intake.is_held(workspace)) {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            reply = self.settled() => reply.map_or(Resubmitted::GivenUp, Resubmitted::Done),
            () = held => Resubmitted::Held,
        }
    }

    /// Somebody else has done it.
    fn over(reply: Reply) -> Self {
        let (told, answer) = oneshot::channel();
        // Its other end is here.
        let _ = told.send(reply);
        Self { _kept: Kept::Over, has_memory: false, reply: answer, count: None, queue: None }
    }

    /// Nothing comes of it.
    fn given_up() -> Self {
        let (_nobody, reply) = oneshot::channel();
        Self { _kept: Kept::Over, has_memory: false, reply, count: None, queue: None }
    }
}

/// What keeps a delivery from being given up; only dropped.
#[expect(dead_code, reason = "each is held for what its drop does")]
enum Kept {
    InQueue(QueueGuard),
    InTask(oneshot::Sender<()>),
    Over,
}

/// A large delivery, among all that are in flight.
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

/// A delivery that is to be parsed and queued.
struct Job {
    delivery: Delivery,
    attempt: AttemptInfo,
    began_at: DateTime<Utc>,
    claim: Option<Claim>,
    span: Span,
}

/// A delivery that is parsed.
pub(super) struct Prepared {
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) entry: QueueEntry,
    pub(super) reply: oneshot::Receiver<Reply>,
    /// Counts its undocumented fields.
    count: Option<Box<dyn FnOnce() + Send>>,
}

impl Intake {
    /// Parses a delivery and puts it into its workspace's queue, where it stays until it is settled or what is given back
    /// here is dropped. Waits while somebody else works on it. One that is large is settled without being waited for, once
    /// it was begun: it may take longer than anybody waits. What a person asks for is taken in order, and waits for its
    /// parsing here.
    pub(super) async fn submit(&self, delivery: Delivery, attempt: AttemptInfo, peek: Option<Peek>) -> Submitted {
        let claim = if attempt.is_manual { None } else { Some(self.shared.in_flight.claim(delivery.id).await) };
        if let Some(reply) = claim.as_ref().and_then(Claim::earlier_reply) {
            return Submitted::over(reply);
        }
        let began_at = if attempt.may_be_stored { self.now() } else { delivery.received_at };
        let small = delivery.bytes() < LARGE_BODY;
        let peek = match peek {
            None if small => Some(self.shared.parser.peek_in_turn(&delivery).await),
            known => known,
        };
        let is_small = peek.as_ref().is_some_and(|peek| peek.weight(&delivery) < memory::LARGE);
        let job = Job { delivery, attempt, began_at, claim, span: Span::current() };
        if attempt.is_manual || small && is_small {
            let submitted = self.queue(job, peek, &mut Cancellation::default()).await;
            return submitted.unwrap_or_else(Submitted::given_up);
        }
        let (here, other_end) = oneshot::channel();
        let (told, reply) = oneshot::channel();
        let intake = self.clone();
        tokio::spawn(async move {
            let _large = Large::new(&intake);
            let mut cancellation = Cancellation::on_drop_of(other_end);
            let Some(submitted) = intake.queue(job, peek, &mut cancellation).await else { return };
            // What has taken no memory, as one that is rejected, is kept only for as long as it is waited for.
            let has_memory = submitted.has_memory;
            let settled = submitted.settled();
            let reply = if has_memory { settled.await } else { cancellation.or(settled).await.flatten() };
            if let Some(reply) = reply {
                // It may be waited for elsewhere by now.
                let _ = told.send(reply);
            }
        });
        Submitted { _kept: Kept::InTask(here), has_memory: false, reply, count: None, queue: None }
    }

    /// Parses a delivery and puts it into its queue; `None` where it is cancelled before it was begun.
    async fn queue(&self, job: Job, peek: Option<Peek>, cancellation: &mut Cancellation) -> Option<Submitted> {
        let Prepared { workspace, entry, reply, count } = self.parse(job, peek, cancellation).await?;
        let has_memory = entry.memory.is_large();
        let guard = self.shared.pipeline.enqueue(workspace, entry).await;
        Some(Submitted { _kept: Kept::InQueue(guard), has_memory, reply, count, queue: Some(QueueKey(workspace)) })
    }

    /// Parses a delivery for a dry run, in which nothing of it is counted or claimed.
    pub(super) async fn prepare(&self, delivery: Delivery, attempt: AttemptInfo) -> Option<Prepared> {
        let job = Job { delivery, attempt, began_at: self.now(), claim: None, span: Span::current() };
        self.parse(job, None, &mut Cancellation::default()).await
    }

    async fn parse(&self, job: Job, peek: Option<Peek>, cancellation: &mut Cancellation) -> Option<Prepared> {
        let Job { mut delivery, attempt, began_at, claim, span } = job;
        let parsed = self.shared.parser.parse(&mut delivery, peek, cancellation).await?;
        let Parsed { workspace, mut task, findings, unknown, memory } = parsed;
        let retention = self.retention();
        if let Task::Apply(facts, _) = &mut task
            && retention.identity.is_some()
        {
            without_old_documents(facts, delivery.received_at, retention.documents_before(self.now()));
        }
        let (reply, answer) = oneshot::channel();
        let (id, feed, received_at) = (delivery.id, delivery.feed, delivery.received_at);
        let fields = self.shared.unknown_fields.clone();
        let counted = workspace.zip(unknown).filter(|_| attempt.counts_unknown_fields);
        let count = counted.map(|(workspace, paths)| {
            Box::new(move || fields.count(workspace, feed, &paths, id, received_at)) as Box<dyn FnOnce() + Send>
        });
        let entry = QueueEntry { delivery, task, findings, attempt, began_at, reply, claim, memory, span };
        Some(Prepared { workspace, entry, reply: answer, count })
    }
}
