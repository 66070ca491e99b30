//! Which deliveries work is being done on: what was begun is not begun a second time beside it.
//!
//! A request that waits too long puts its delivery into the spool, while the reading or writing of it goes on. Whoever
//! takes it up there waits here for the end of that, and is told what it came to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::reply::Reply;

/// The deliveries that somebody works on, or waits to work on. Copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<Uuid, Arc<Entry>>>>);

#[derive(Debug)]
struct Entry {
    turn: Arc<Semaphore>,
    reply: Mutex<Option<Reply>>,
}

/// The sole right to work on a delivery, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    place: Place,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Somebody's interest in a delivery; with the last one it is forgotten.
#[derive(Debug)]
struct Place {
    id: Uuid,
    entry: Arc<Entry>,
    all: UnderWay,
}

impl UnderWay {
    /// Waits until nobody works on a delivery any more.
    pub(super) async fn claim(&self, id: Uuid) -> Claim {
        let entry = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Entry { turn: Arc::new(Semaphore::new(1)), reply: Mutex::default() });
            Arc::clone(all.entry(id).or_insert_with(new))
        };
        let place = Place { id, entry, all: self.clone() };
        // It is never closed.
        let turn = Arc::clone(&place.entry.turn).acquire_owned().await.ok();
        Claim { place, _turn: turn }
    }
}

impl Claim {
    /// What the work came to that was done on it while this one waited.
    pub(super) fn former(&self) -> Option<Reply> {
        self.place.entry.reply.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves what the work came to for whoever waits to do the same, where anybody does.
    pub(super) fn settle(&self, reply: &Reply) {
        // The list has one, and so has this.
        if Arc::strong_count(&self.place.entry) > 2 {
            *self.place.entry.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply.clone());
        }
    }
}

impl Drop for Place {
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
    use crate::intake::Outcome;

    #[tokio::test]
    async fn what_was_begun_is_waited_for_and_tells_what_it_came_to() {
        let under_way = UnderWay::default();
        let id = Uuid::from_u128(7);
        let first = under_way.claim(id).await;
        let mut second = Box::pin(under_way.claim(id));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(under_way.claim(Uuid::from_u128(8)).now_or_never().is_some(), "another delivery does not wait");
        let reply = Reply { delivery_id: id, outcome: Outcome::Applied, effects: vec![], findings: vec![] };
        first.settle(&reply);
        drop(first);
        assert_eq!(second.await.former(), Some(reply));
        assert!(under_way.0.lock().unwrap().is_empty(), "what is over is forgotten");
    }

    #[tokio::test]
    async fn work_that_came_to_nothing_is_begun_again_by_who_waits() {
        let under_way = UnderWay::default();
        let id = Uuid::from_u128(7);
        let first = under_way.claim(id).await;
        let second = under_way.claim(id);
        let given_up = under_way.claim(id).now_or_never();
        assert!(given_up.is_none());
        drop(first);
        assert_eq!(second.await.former(), None);
        assert!(under_way.0.lock().unwrap().is_empty());
    }
}
