//! Which connections there are, and which of them wait for their sender. Where all places are taken, room is made for a
//! new one: of those who have most connections in a slow phase, the one that has been in it longest is closed.
//!
//! A phase is slow where the sender is waited for: nothing was sent yet, a head is under way, nothing is asked between two
//! requests (all by address, because nobody has shown a credential), or a body is under way (by credential). A
//! connection whose request is being worked on is never closed for another. Behind a proxy all have one address; there
//! the longest of all goes.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Extensions;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::peer_addr;

/// For so long a connection that is to be closed may take to leave.
pub(super) const LEAVING: Duration = Duration::from_millis(20);
/// The pause where there is nobody to be closed.
const DISMISS_INTERVAL: Duration = Duration::from_millis(100);
/// One of so many connections is closed at a time, so that looking for them costs each new one little.
const PORTION: usize = 256;
/// Bodies under way are broken off only where one credential has more than one of so many places.
const SHARE: usize = 8;

/// The connections, as many as there are places.
pub(super) struct Connections {
    most: usize,
    places: Arc<Semaphore>,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    slots: BTreeMap<u64, Arc<Slot>>,
}

/// A connection's place; dropped with the connection.
pub(super) struct Place {
    slot: Arc<Slot>,
    number: u64,
    open: Arc<Mutex<Open>>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Where a connection reports its phase.
#[derive(Clone, Debug)]
pub(super) struct Phase(Option<Arc<Slot>>);

#[derive(Debug)]
struct Slot {
    address: Owner,
    state: Mutex<State>,
    dismissed: Notify,
}

#[derive(Debug)]
struct State {
    /// Who is waited for.
    owner: Owner,
    /// Since when; nobody is waited for where that is none.
    since: Option<Instant>,
    is_dismissed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Address(IpAddr),
    Credential(Arc<str>),
}

impl Connections {
    /// Places for so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, places: Arc::new(Semaphore::new(most)), open: Arc::default() }
    }

    /// A place for a connection of this address; where there is none, once another one has left.
    pub(super) async fn place(&self, address: IpAddr) -> Place {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break Some(permit);
            }
            let dismissed = self.dismiss_some();
            let freed = Arc::clone(&self.places).acquire_owned();
            // One that has sent something in the last moment stays, and others are asked to go.
            if let Ok(freed) = timeout(if dismissed { LEAVING } else { DISMISS_INTERVAL }, freed).await {
                break freed.ok();
            }
        };
        let owner = Owner::Address(peer_addr::network(address));
        let state = State { owner: owner.clone(), since: Some(Instant::now()), is_dismissed: false };
        let slot = Arc::new(Slot { address: owner, state: Mutex::new(state), dismissed: Notify::new() });
        let mut open = lock(&self.open);
        let number = open.next;
        open.next += 1;
        open.slots.insert(number, Arc::clone(&slot));
        drop(open);
        Place { slot, number, open: Arc::clone(&self.open), _permit: permit }
    }

    /// Asks the longest slow connections of those who have most of them to leave; none where nobody has too many.
    fn dismiss_some(&self) -> bool {
        let mut slow: HashMap<Owner, Vec<(Instant, Arc<Slot>)>> = HashMap::new();
        for slot in lock(&self.open).slots.values() {
            let state = lock(&slot.state);
            if let Some(since) = state.since.filter(|_| !state.is_dismissed) {
                slow.entry(state.owner.clone()).or_default().push((since, Arc::clone(slot)));
            }
        }
        let share = self.most / SHARE;
        slow.retain(|owner, slots| match owner {
            Owner::Address(_) => true,
            Owner::Credential(_) => slots.len() > share,
        });
        let most = slow.into_iter().max_by_key(|(owner, slots)| (slots.len(), matches!(owner, Owner::Address(_))));
        let Some((owner, mut slots)) = most else { return false };
        slots.sort_unstable_by_key(|(since, _)| *since);
        let portion = (self.most / PORTION).max(1);
        slots.iter().take(portion).filter(|(_, slot)| slot.dismiss(&owner)).count() > 0
    }
}

impl Place {
    /// Where the connection reports its phases.
    pub(super) fn phase(&self) -> Phase {
        Phase(Some(Arc::clone(&self.slot)))
    }

    /// Ready when the connection is to be closed.
    pub(super) async fn dismissed(&self) {
        while !lock(&self.slot.state).is_dismissed {
            self.slot.dismissed.notified().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.open).slots.remove(&self.number);
    }
}

impl Phase {
    /// That of a request's connection; of none, where a request came without one.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or(Self(None))
    }

    /// Something is expected of the sender, who has shown no credential.
    pub(super) fn waiting(&self) {
        self.set(|slot| Some(slot.address.clone()));
    }

    /// A body of this credential is under way, or its request waits for the end of the hold.
    pub(super) fn reading(&self, credential: &str) {
        self.set(|_| Some(Owner::Credential(credential.into())));
    }

    /// Nothing is expected of the sender.
    pub(super) fn working(&self) {
        self.set(|_| None);
    }

    fn set(&self, owner: impl FnOnce(&Slot) -> Option<Owner>) {
        let Some(slot) = &self.0 else { return };
        let owner = owner(slot);
        let mut state = lock(&slot.state);
        state.since = owner.is_some().then(Instant::now);
        state.is_dismissed = false;
        state.owner = owner.unwrap_or_else(|| slot.address.clone());
    }
}

impl Slot {
    /// Asks the connection to leave, unless it has come into another phase since it was chosen.
    fn dismiss(&self, owner: &Owner) -> bool {
        let mut state = lock(&self.state);
        let stays = state.since.is_none() || state.owner != *owner;
        state.is_dismissed |= !stays;
        drop(state);
        if !stays {
            self.dismissed.notify_one();
        }
        !stays
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    async fn places(connections: &Connections, address: IpAddr, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(connections.place(address).await);
        }
        places
    }

    fn dismissed(places: &[Place]) -> Vec<usize> {
        let gone = |place: &Place| place.dismissed().now_or_never().is_some();
        places.iter().enumerate().filter(|(_, place)| gone(place)).map(|(index, _)| index).collect()
    }

    #[tokio::test]
    async fn of_the_address_with_most_the_longest_goes() {
        let connections = Connections::new(10);
        let few = places(&connections, OTHER, 4).await;
        let many = places(&connections, ONE, 6).await;
        assert!(connections.dismiss_some() && connections.dismiss_some());
        assert_eq!((dismissed(&few), dismissed(&many)), (vec![], vec![0, 1]));
        assert!(connections.dismiss_some());
        // Four are left of each.
        assert_eq!(dismissed(&few).len() + dismissed(&many).len(), 3);
    }

    #[tokio::test]
    async fn of_the_credential_with_most_the_longest_goes_before_those_who_only_just_came() {
        let connections = Connections::new(16);
        let slow = places(&connections, ONE, 12).await;
        for place in &slow {
            place.phase().reading("slow");
        }
        let new = places(&connections, OTHER, 4).await;
        assert!(connections.dismiss_some());
        assert_eq!((dismissed(&slow), dismissed(&new)), (vec![0], vec![]));
    }

    #[tokio::test]
    async fn who_is_worked_for_and_who_has_a_small_share_stays() {
        let connections = Connections::new(16);
        let places = places(&connections, ONE, 16).await;
        for (index, place) in places.iter().enumerate() {
            place.phase().reading(&format!("credential {}", index / 2));
        }
        assert!(!connections.dismiss_some(), "two of sixteen are nobody's too many");
        for place in &places {
            place.phase().working();
        }
        assert!(!connections.dismiss_some());
        places[3].phase().waiting();
        assert!(connections.dismiss_some());
        assert_eq!(dismissed(&places), [3]);
        places[3].phase().working();
        assert_eq!(dismissed(&places), [0; 0], "one that has spoken in the last moment stays");
    }

    #[tokio::test]
    async fn many_are_asked_to_go_at_once_where_there_are_many() {
        let connections = Connections::new(2_560);
        let places = places(&connections, ONE, 2_560).await;
        assert!(connections.dismiss_some());
        assert_eq!(dismissed(&places), (0..10).collect::<Vec<_>>());
    }
}
