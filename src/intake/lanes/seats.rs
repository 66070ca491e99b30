//! Deliveries that wait in a lane: each in a place that it leaves when the lane begins with it, or when nobody waits for
//! it there any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::unchanged::ContentSummary;
use crate::intake::budget::Taken;
use crate::intake::recall::Recalled;
use crate::intake::reply::Reply;
use crate::intake::under_way::Claim;
use crate::store::deliveries::Arrived;

/// How many bytes of bodies are written together at the most, where there is more than one delivery.
const BATCH_BYTES: usize = 4 << 20;

/// What a lane does with a delivery.
#[derive(Clone, Debug)]
pub(in crate::intake) enum Work {
    /// Hear what it says; of a vehicle also in short.
    Hear(Box<Facts>, Option<Arc<ContentSummary>>),
    /// Hear what it says, which is known in short because the same bytes were read before.
    Recall(Arc<Recalled>),
    /// Store it with the findings that say why it is rejected.
    Reject,
    /// Store it as failed: reading it ended in a panic.
    Fail,
}

/// A delivery on its way through a lane.
#[derive(Debug)]
pub(in crate::intake) struct Pending {
    /// What arrived.
    pub(in crate::intake) arrived: Arrived,
    /// What is to be done.
    pub(in crate::intake) work: Work,
    /// What its reading found.
    pub(in crate::intake) findings: Vec<Finding>,
    /// How often it was tried before; nought for one that is not stored yet.
    pub(in crate::intake) attempts: i32,
    /// Whether a person asked for this try, which is then told in its record.
    pub(in crate::intake) asked: bool,
    /// Whether it may be stored already, by an earlier try whose end nobody saw.
    pub(in crate::intake) perhaps_stored: bool,
    /// When work on it began.
    pub(in crate::intake) began_at: DateTime<Utc>,
    /// Where the reply goes. Where nobody waits for it any more, work is neither begun nor repeated.
    pub(in crate::intake) reply: oneshot::Sender<Reply>,
    /// The right to work on it; none where a person asked for this try.
    pub(in crate::intake) claim: Option<Claim>,
    /// The memory that it takes.
    pub(in crate::intake) taken: Taken,
}

/// A delivery's place in its lane, emptied by the lane when it begins with it, or by whoever gives up waiting.
pub(super) type Slot = Arc<Mutex<Option<Pending>>>;

/// Keeps a delivery in its lane; dropped, it takes the delivery out again where the lane has not begun with it, so that
/// what was stored elsewhere costs no memory while Postgres is away.
#[derive(Debug)]
pub(in crate::intake) struct Seat(pub(super) Slot);

impl Drop for Seat {
    fn drop(&mut self) {
        drop(leave(&self.0));
    }
}

/// Takes a delivery out of its place, if it is still there.
pub(super) fn leave(slot: &Slot) -> Option<Pending> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Takes the next of what waits, at most so many, so that one transaction is bounded, also where the deliveries are large. What nobody
/// waits for any more is passed over.
pub(super) fn portion(slots: &mut VecDeque<Slot>, most: usize) -> Vec<Pending> {
    let mut portion: Vec<Pending> = Vec::new();
    let mut bytes = 0;
    while portion.len() < most
        && let Some(slot) = slots.pop_front()
    {
        let Some(pending) = leave(&slot) else { continue };
        bytes += pending.arrived.body.len();
        if bytes > BATCH_BYTES && !portion.is_empty() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
            slots.push_front(slot);
            break;
        }
        portion.push(pending);
    }
    portion
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use uuid::Uuid;

    use super::*;

    /// A delivery of so many bytes in its slot, the seat that keeps it there, and its body as long as somebody has it.
    fn waiting(bytes: usize) -> (Slot, Seat, Weak<Vec<u8>>) {
        let arrived = Arrived {
            id: Uuid::now_v7(),
            received_at: DateTime::UNIX_EPOCH,
            feed: "lead".to_owned(),
            dealership_id: None,
            credential: "all".to_owned(),
            remote_address: None,
            content_type: None,
            body: Arc::new(vec![0; bytes]),
            posted_body: None,
            schema_version: None,
        };
        let body = Arc::downgrade(&arrived.body);
        let (reply, _nobody) = oneshot::channel();
        let (work, began_at) = (Work::Reject, DateTime::UNIX_EPOCH);
        let pending = Pending {
            arrived,
            work,
            findings: vec![],
            attempts: 0,
            asked: false,
            perhaps_stored: false,
            began_at,
            reply,
            claim: None,
            taken: Taken::default(),
        };
        let slot: Slot = Arc::new(Mutex::new(Some(pending)));
        (Arc::clone(&slot), Seat(slot), body)
    }

    #[test]
    fn what_nobody_waits_for_any_more_costs_no_memory_and_is_passed_over() {
        let (first, second) = (waiting(10), waiting(20));
        let mut slots = VecDeque::from([first.0, second.0]);
        drop(first.1);
        assert!(first.2.upgrade().is_none(), "its body is gone while its slot still waits");
        let portion = portion(&mut slots, 10);
        assert_eq!(portion.iter().map(|pending| pending.arrived.body.len()).collect::<Vec<_>>(), [20]);
        drop(second.1);
        assert!(second.2.upgrade().is_some(), "the lane has begun with it");
    }

    #[test]
    fn large_deliveries_are_written_in_several_portions_and_none_is_left_out() {
        let sizes = [BATCH_BYTES / 2, BATCH_BYTES / 2, 1, 2 * BATCH_BYTES, 5];
        let all: Vec<_> = sizes.into_iter().map(waiting).collect();
        let mut slots: VecDeque<Slot> = all.iter().map(|(slot, _, _)| Arc::clone(slot)).collect();
        let mut portions = Vec::new();
        while !slots.is_empty() {
            portions.push(portion(&mut slots, 10).iter().map(|pending| pending.arrived.body.len()).collect::<Vec<_>>());
        }
        assert_eq!(portions, [&sizes[..2], &sizes[2..3], &sizes[3..4], &sizes[4..]]);
    }
}
