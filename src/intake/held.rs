//! The bytes of deliveries that wait for a store, counted by credential. Where there are too many, the credential that
//! holds most lets go of its newest: what one sender brings costs no other its wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Up to so many bytes a delivery is a small one, which waits all the same: a few huge ones that wait send no lead to the
/// spool. What there is of small ones is bounded by the room that they had to arrive.
const SMALL: usize = 64 << 10;

/// What waits for a store. Copies share it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    most: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    next: u64,
    by_credential: BTreeMap<String, Share>,
}

/// What waits of one credential, in the order of arrival.
#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    deliveries: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    let_go: oneshot::Sender<()>,
}

/// A delivery among those that wait, until it is dropped.
#[derive(Debug)]
pub(super) struct Holding {
    held: Held,
    credential: String,
    number: u64,
    let_go: oneshot::Receiver<()>,
}

impl Held {
    /// At most so many bytes wait.
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Arc::default() }
    }

    /// Counts a delivery of a credential. Where it is too much, it or others are let go, and not counted any more.
    pub(super) fn hold(&self, credential: &str, bytes: usize) -> Holding {
        let (let_go, told) = oneshot::channel();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.bytes += bytes;
        let share = state.by_credential.entry(credential.to_owned()).or_default();
        share.bytes += bytes;
        share.deliveries.insert(number, Waiting { bytes, let_go });
        while bytes > SMALL && state.bytes > self.most {
            let Some(waiting) = state.take_newest_of_most() else { break };
            // One that has just been settled does not hear it.
            let _ = waiting.let_go.send(());
        }
        Holding { held: self.clone(), credential: credential.to_owned(), number, let_go: told }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_newest_of_most(&mut self) -> Option<Waiting> {
        let (credential, share) = self.by_credential.iter().max_by_key(|(_, share)| share.bytes)?;
        let mut newest = share.deliveries.iter().rev();
        let large = newest.clone().find(|(_, waiting)| waiting.bytes > SMALL);
        let (credential, newest) = (credential.clone(), *large.or_else(|| newest.next())?.0);
        self.take(&credential, newest)
    }

    fn take(&mut self, credential: &str, number: u64) -> Option<Waiting> {
        let share = self.by_credential.get_mut(credential)?;
        let waiting = share.deliveries.remove(&number)?;
        share.bytes -= waiting.bytes;
        self.bytes -= waiting.bytes;
        if share.deliveries.is_empty() {
            self.by_credential.remove(credential);
        }
        Some(waiting)
    }
}

impl Holding {
    /// Ready when the delivery is to wait no longer.
    pub(super) async fn let_go(&mut self) {
        // The other end is dropped with this one, or after the delivery was let go.
        let _ = (&mut self.let_go).await;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.state().take(&self.credential, self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const MIB: usize = 1 << 20;

    fn is_let_go(holding: &mut Holding) -> bool {
        holding.let_go().now_or_never().is_some()
    }

    #[test]
    fn of_too_much_the_newest_of_the_credential_that_holds_most_is_let_go() {
        let held = Held::new(100 * MIB);
        let mut many: Vec<_> = (0..9).map(|_| held.hold("many", 10 * MIB)).collect();
        let mut other = held.hold("other", 10 * MIB);
        assert!(many.iter_mut().chain([&mut other]).all(|holding| !is_let_go(holding)), "as much as there may be");
        let mut another = held.hold("another", 15 * MIB);
        let gone: Vec<_> = many.iter_mut().map(is_let_go).collect();
        assert_eq!(gone, [[false; 7].as_slice(), &[true; 2]].concat());
        assert!(!is_let_go(&mut other) && !is_let_go(&mut another));
        assert!(is_let_go(&mut held.hold("many", 10 * MIB)), "and what it brings now");
        drop((many, other, another));
        let state = held.state();
        assert_eq!((state.bytes, state.by_credential.len()), (0, 0));
    }

    #[test]
    fn what_is_larger_than_all_waits_for_nothing_and_costs_nobody() {
        let held = Held::new(100 * MIB);
        let mut small = held.hold("small", 60 * MIB);
        assert!(is_let_go(&mut held.hold("large", 1_000 * MIB)));
        assert!(!is_let_go(&mut small) && !is_let_go(&mut held.hold("other", 40 * MIB)));
    }

    #[test]
    fn small_ones_have_room_of_their_own_beside_large_ones_of_their_credential() {
        let held = Held::new(100 * MIB);
        let mut large = held.hold("one", 100 * MIB);
        let mut lead = held.hold("one", SMALL);
        assert!(!is_let_go(&mut large) && !is_let_go(&mut lead));
        assert!(is_let_go(&mut held.hold("one", SMALL + 1)));
    }
}
