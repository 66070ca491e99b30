//! Replays that run: one of a delivery at a time, so that what is told and noted of each is its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// The deliveries that are being replayed. Copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Replays(Arc<Mutex<BTreeSet<Uuid>>>);

/// The sole right to replay a delivery, until it is dropped.
#[derive(Debug)]
pub(super) struct Sole {
    id: Uuid,
    all: Replays,
}

impl Replays {
    /// Begins one, unless one runs.
    pub(super) fn begin(&self, id: Uuid) -> Option<Sole> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        is_new.then(|| Sole { id, all: self.clone() })
    }
}

impl Drop for Sole {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_replayed_by_one_at_a_time() {
        let replays = Replays::default();
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let first = replays.begin(one).unwrap();
        assert!(replays.begin(one).is_none());
        assert!(replays.begin(other).is_some(), "another one does not wait");
        drop(first);
        assert!(replays.begin(one).is_some());
    }
}
