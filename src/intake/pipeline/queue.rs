//! Deliveries that wait in their workspace's queue: each in a slot that is emptied when its batch begins, or when nobody
//! waits for it there any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tracing::Span;

use crate::domain::delivery::Delivery;
use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::unchanged::ContentSummary;
use crate::intake::attempt::AttemptInfo;
use crate::intake::body_cache::CachedBody;
use crate::intake::in_flight::Claim;
use crate::intake::memory::TakenMemory;
use crate::intake::reply::Reply;

/// How many bytes of bodies are written together at the most, where there is more than one delivery.
const BATCH_BYTES: usize = 4 << 20;

/// What is to be done with a delivery.
#[derive(Clone, Debug)]
pub(in crate::intake) enum Task {
    /// Apply its facts; those of a vehicle also come as a summary, by which a repetition is known.
    Apply(Box<Facts>, Option<Arc<ContentSummary>>),
    /// The same bytes were read before: apply them where the tables have come to know something else since.
    ApplyIfChanged(Arc<CachedBody>),
    /// Store it as rejected, with the findings that give the reason.
    Reject,
    /// Store it as failed: reading it ended in a panic.
    Fail,
}

/// A delivery that waits to be written.
#[derive(Debug)]
pub(in crate::intake) struct QueueEntry {
    /// Parsed, with the memory that it holds until it is committed.
    pub(in crate::intake) delivery: Delivery,
    /// What is to be done with it.
    pub(in crate::intake) task: Task,
    /// What its reading found.
    pub(in crate::intake) findings: Vec<Finding>,
    /// What is known of earlier attempts.
    pub(in crate::intake) attempt: AttemptInfo,
    /// When work on it began.
    pub(in crate::intake) began_at: DateTime<Utc>,
    /// Where the reply goes. Where nobody waits for it any more, work is neither begun nor repeated.
    pub(in crate::intake) reply: oneshot::Sender<Reply>,
    /// The sole right to work on it; none where a person asked for this attempt.
    pub(in crate::intake) claim: Option<Claim>,
    /// The memory that it takes.
    pub(in crate::intake) memory: TakenMemory,
    /// The span that it came in, in which its outcome is logged.
    pub(in crate::intake) span: Span,
}

/// A delivery's place in its queue, emptied when its batch begins, or by whoever gives up waiting.
pub(super) type QueueSlot = Arc<Mutex<Option<QueueEntry>>>;

/// Keeps a delivery in its queue; dropped, it takes the delivery out again where its batch has not begun, so that what was
/// stored elsewhere costs no memory while Postgres is away.
#[derive(Debug)]
pub(in crate::intake) struct QueueGuard(pub(super) QueueSlot);

impl Drop for QueueGuard {
    fn drop(&mut self) {
        drop(dequeue(&self.0));
    }
}

/// Takes a delivery out of its slot, if it is still there.
pub(super) fn dequeue(slot: &QueueSlot) -> Option<QueueEntry> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether its delivery still waits there.
pub(super) fn is_waiting(slot: &QueueSlot) -> bool {
    slot.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Takes the next deliveries, at most so many, and no more bytes than one transaction should hold. Slots that nobody waits
/// for any more are passed over.
pub(super) fn next_batch(slots: &mut VecDeque<QueueSlot>, most: usize) -> Vec<QueueEntry> {
    let mut batch: Vec<QueueEntry> = Vec::new();
    let mut bytes = 0;
    while batch.len() < most
        && let Some(slot) = slots.pop_front()
    {
        let Some(entry) = dequeue(&slot) else { continue };
        bytes += entry.delivery.body.len();
        if bytes > BATCH_BYTES && !batch.is_empty() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
            slots.push_front(slot);
            break;
        }
        batch.push(entry);
    }
    batch
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::delivery::Body;
    use crate::domain::feed::Feed;
    use crate::domain::workspace::Permitted;

    /// A delivery of so many bytes in its slot, the guard that keeps it there, and whether its body is gone.
    fn waiting(bytes: usize) -> (QueueSlot, QueueGuard, impl Fn() -> bool) {
        let body = Body::from(vec![0; bytes]);
        let is_gone = body.watch();
        let delivery = Delivery {
            id: Uuid::now_v7(),
            feed: Feed::Lead,
            received_at: DateTime::UNIX_EPOCH,
            credential: "all".to_owned(),
            permitted: Permitted::All,
            remote_address: None,
            content_type: None,
            body,
            posted_body: None,
            undecoded: None,
            dealership_id: None,
            external_id: None,
            schema_version: None,
        };
        let (reply, _nobody) = oneshot::channel();
        let entry = QueueEntry {
            delivery,
            task: Task::Reject,
            findings: vec![],
            attempt: AttemptInfo::first(),
            began_at: DateTime::UNIX_EPOCH,
            reply,
            claim: None,
            memory: TakenMemory::default(),
            span: Span::none(),
        };
        let slot: QueueSlot = Arc::new(Mutex::new(Some(entry)));
        (Arc::clone(&slot), QueueGuard(slot), is_gone)
    }

    #[test]
    fn what_nobody_waits_for_any_more_costs_no_memory_and_is_passed_over() {
        let (first, second) = (waiting(10), waiting(20));
        let mut slots = VecDeque::from([first.0, second.0]);
        drop(first.1);
        assert!(first.2(), "its body is gone while its slot still waits");
        let batch = next_batch(&mut slots, 10);
        assert_eq!(batch.iter().map(|entry| entry.delivery.body.len()).collect::<Vec<_>>(), [20]);
        drop(second.1);
        assert!(!second.2(), "its batch has begun");
    }

    #[test]
    fn large_deliveries_are_written_in_several_batches_and_none_is_left_out() {
        let sizes = [BATCH_BYTES / 2, BATCH_BYTES / 2, 1, 2 * BATCH_BYTES, 5];
        let all: Vec<_> = sizes.into_iter().map(waiting).collect();
        let mut slots: VecDeque<QueueSlot> = all.iter().map(|(slot, _, _)| Arc::clone(slot)).collect();
        let mut batches = Vec::new();
        while !slots.is_empty() {
            batches.push(next_batch(&mut slots, 10).iter().map(|entry| entry.delivery.body.len()).collect::<Vec<_>>());
        }
        assert_eq!(batches, [&sizes[..2], &sizes[2..3], &sizes[3..4], &sizes[4..]]);
    }
}
