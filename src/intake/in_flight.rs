//! Deliveries in flight: work on one that was begun is not begun a second time beside it.
//!
//! A request that waits too long puts its delivery into the spool, while the reading or writing of it goes on. Whoever
//! takes it up there waits here for the end of that, and gets its reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::reply::Reply;

/// The deliveries that somebody works on, or waits to work on. Copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Uuid, Arc<Entry>>>>);

#[derive(Debug)]
struct Entry {
    turn: Arc<Semaphore>,
    reply: Mutex<Option<Reply>>,
}

/// The sole right to work on a delivery, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    interest: Interest,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Somebody's interest in a delivery; with the last one it is forgotten.
#[derive(Debug)]
struct Interest {
    id: Uuid,
    entry: Arc<Entry>,
    all: InFlight,
}

impl InFlight {
    /// Waits until nobody works on a delivery any more.
    pub(super) async fn claim(&self, id: Uuid) -> Claim {
        let entry = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Entry { turn: Arc::new(Semaphore::new(1)), reply: Mutex::default() });
            Arc::clone(all.entry(id).or_insert_with(new))
        };
        let interest = Interest { id, entry, all: self.clone() };
        // It is never closed.
        let turn = Arc::clone(&interest.entry.turn).acquire_owned().await.ok();
        Claim { interest, _turn: turn }
    }
}

impl Claim {
    /// The reply of the work that was done on it while this one waited.
    pub(super) fn earlier_reply(&self) -> Option<Reply> {
        self.interest.entry.reply.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves the reply for whoever waits to do the same work, where anybody does.
    pub(super) fn settle(&self, reply: &Reply) {
        // The list has one, and so has this.
        if Arc::strong_count(&self.interest.entry) > 2 {
            *self.interest.entry.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply.clone());
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.entry) <= 2 {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::domain::Outcome;

    #[tokio::test]
    async fn what_was_begun_is_waited_for_and_tells_what_it_came_to() {
        let in_flight = InFlight::default();
        let id = Uuid::from_u128(7);
        let first = in_flight.claim(id).await;
        let mut second = Box::pin(in_flight.claim(id));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(in_flight.claim(Uuid::from_u128(8)).now_or_never().is_some(), "another delivery does not wait");
        let reply = Reply { delivery_id: id, outcome: Outcome::Applied, effects: vec![], findings: vec![] };
        first.settle(&reply);
        drop(first);
        assert_eq!(second.await.earlier_reply(), Some(reply));
        assert!(in_flight.0.lock().unwrap().is_empty(), "what is over is forgotten");
    }

    #[tokio::test]
    async fn work_that_came_to_nothing_is_begun_again_by_who_waits() {
        let in_flight = InFlight::default();
        let id = Uuid::from_u128(7);
        let first = in_flight.claim(id).await;
        let second = in_flight.claim(id);
        let given_up = in_flight.claim(id).now_or_never();
        assert!(given_up.is_none());
        drop(first);
        assert_eq!(second.await.earlier_reply(), None);
        assert!(in_flight.0.lock().unwrap().is_empty());
    }
}
