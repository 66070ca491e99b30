//! Requests without a valid credential, or to no door, kept aside for a while: a secret that was wrong for a night, or an
//! address, loses nothing. Each kind has an instance and bounds of its own.
//!
//! Nobody knows who posts them, so everything about them is bounded: how many bodies are read at a time, how many
//! an address may leave in a minute, how much waits to be written, how much is stored and for how long, how many log
//! lines it costs. None of it makes anybody wait: what cannot be kept at once is counted and let go.

mod rate_limiter;
mod shared;
mod writer;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::OwnedSemaphorePermit;

use crate::domain::delivery::id_at;
use crate::domain::feed::Feed;
use crate::store::Store;
use crate::store::rejected::{Bounds, Refused};
pub use shared::Settings;
use shared::{Queued, READERS_OF_ONE, Shared};

/// A request that was refused, as far as it was read.
#[derive(Debug)]
pub struct Rejected {
    /// Where it was posted to.
    pub path: String,
    /// The feed of that door; none where it is no door.
    pub feed: Option<Feed>,
    /// The name of the credential that has proven itself, of a request to no door.
    pub credential: Option<String>,
    /// When its head arrived.
    pub received_at: DateTime<Utc>,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// The names of the schemes that were tried.
    pub tried: Vec<&'static str>,
    /// Digests of what was presented.
    pub presented: Vec<[u8; 32]>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body, if it could be had whole.
    pub body: Option<Vec<u8>>,
}

/// Takes refused requests.
#[derive(Clone, Debug)]
pub struct Quarantine {
    shared: Arc<Shared>,
}

/// The permit to read the body of a refused request, until it is dropped.
#[derive(Debug)]
pub struct ReadPermit {
    _turn: OwnedSemaphorePermit,
    shared: Arc<Shared>,
    /// Whether it counts among those of its address, of which there are only so many.
    is_counted: bool,
    sender: Option<IpAddr>,
}

impl Drop for ReadPermit {
    fn drop(&mut self) {
        let mut senders = self.shared.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = senders.iter().position(|sender| *sender == self.sender);
        if let Some(at) = counted.filter(|_| self.is_counted) {
            senders.swap_remove(at);
        }
    }
}

/// A stop waits as long for what is still to be written.
const FINISH: Duration = Duration::from_secs(3);

impl Quarantine {
    /// Takes refused requests; they wait in memory until there is a store.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)) }
    }

    /// From now on they are written to this store. Must be called inside a runtime; only the first call counts.
    pub fn open(&self, store: Store) {
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            tokio::spawn(writer::write(Arc::clone(&self.shared), store, waiting));
            tokio::spawn(writer::report(Arc::clone(&self.shared)));
        }
    }

    /// A quarantine that keeps nothing, for where there is no database to keep it in.
    #[must_use]
    pub fn off(clock: fn() -> DateTime<Utc>) -> Self {
        let bounds = Bounds { of_no_door: false, max_count: 0, max_bytes: 0 };
        let fingerprint_key = SecretString::default();
        Self::new(Settings { keep: false, bounds, per_minute_and_address: 0, fingerprint_key, clock })
    }

    /// The permit to read the body of a request of this address; none where that would be too much just now.
    #[must_use]
    pub fn read_permit(&self, remote_address: Option<IpAddr>) -> Option<ReadPermit> {
        let Shared { settings, readers, senders, addresses, dropped, .. } = &*self.shared;
        if !settings.keep {
            return None;
        }
        let sender = remote_address.map(network);
        let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
        let of_sender = senders.iter().filter(|other| **other == sender).count();
        let turn = Arc::clone(readers).try_acquire_owned().ok().filter(|_| of_sender < READERS_OF_ONE);
        let Some(turn) = turn else {
            dropped.too_many_at_once.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.take(&sender, (settings.clock)()).is_none() {
            dropped.over_rate.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        senders.push(sender);
        Some(ReadPermit { _turn: turn, shared: Arc::clone(&self.shared), is_counted: true, sender })
    }

    /// The same for a request that a credential vouches for: a known sender at a wrong address must not lose its place to
    /// whoever shares its address.
    #[must_use]
    pub fn read_permit_of(&self, credential: &str) -> Option<ReadPermit> {
        let Shared { settings, vouched_readers, credentials, dropped, .. } = &*self.shared;
        if !settings.keep {
            return None;
        }
        let Ok(turn) = Arc::clone(vouched_readers).try_acquire_owned() else {
            dropped.too_many_at_once.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let mut credentials = credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if credentials.take(&credential.to_owned(), (settings.clock)()).is_none() {
            dropped.over_rate.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(ReadPermit { _turn: turn, shared: Arc::clone(&self.shared), is_counted: false, sender: None })
    }

    /// Keeps a request, unless too much waits to be written already. Does not wait.
    pub fn keep(&self, _permit: ReadPermit, rejected: Rejected) {
        let Shared { settings, queue, room, room_bytes, dropped, .. } = &*self.shared;
        let refused = refused(settings, rejected);
        if refused.body.is_none() {
            dropped.without_body.fetch_add(1, Ordering::Relaxed);
        }
        // One that is larger than the whole room goes when the room is empty.
        let bytes = u32::try_from(refused.body.as_ref().map_or(0, Vec::len)).unwrap_or(u32::MAX).clamp(1, *room_bytes);
        let queued = Arc::clone(room).try_acquire_many_owned(bytes).ok().map(|room| Queued { refused, room });
        if queued.is_none_or(|queued| queue.try_send(queued).is_err()) {
            dropped.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a refusal gets a log line of its own, and how many of its kind got none in the minute before.
    #[must_use]
    pub fn should_log(&self, feed: Feed, remote_address: Option<IpAddr>) -> Option<u64> {
        let now = (self.shared.settings.clock)();
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_sender, in_all) = &mut *lines;
        let left_out = by_sender.take(&(feed, remote_address.map(network)), now)?;
        in_all.take(&(), now).map(|_left_out_in_all| left_out)
    }

    /// Waits for what is still to be written, but not for long.
    pub async fn finish(&self) {
        let written = tokio::time::timeout(FINISH, self.shared.room.acquire_many(self.shared.room_bytes)).await;
        if written.is_err() {
            tracing::warn!("refused requests that were still to be written are lost: Postgres did not take them");
        }
    }
}

/// The address that counts: of IPv6 the network, because whoever has one address there has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// A request as it is stored. A body that is larger than all that is kept would drive out everything else.
fn refused(settings: &Settings, rejected: Rejected) -> Refused {
    let Rejected { path, feed, credential, received_at, remote_address, tried, presented, content_type, body } =
        rejected;
    let fits = |body: &Vec<u8>| i64::try_from(body.len()).is_ok_and(|bytes| bytes <= settings.bounds.max_bytes);
    Refused {
        id: id_at(received_at),
        received_at,
        path,
        of_no_door: feed.is_none(),
        feed,
        credential,
        remote_address,
        scheme: (!tried.is_empty()).then(|| tried.join(" ")),
        fingerprint: fingerprint(&settings.fingerprint_key, &presented),
        content_type,
        body: body.filter(fits),
        outcome: None,
    }
}

/// The first half of an HMAC-SHA-256 over what was presented, in 16 hexadecimal digits: the same secret gives the same
/// ones, and without the key nobody can try secrets against them. None where nothing was presented.
fn fingerprint(key: &SecretString, presented: &[[u8; 32]]) -> Option<String> {
    if presented.is_empty() {
        return None;
    }
    let mut hmac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
    for digest in presented {
        hmac.update(digest);
    }
    let hex = |byte: u8| format!("{byte:02x}");
    Some(hmac.finalize().into_bytes().into_iter().take(8).map(hex).collect())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::shared::{QUEUE, READERS};
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-02T12:00:00Z".parse().unwrap()
    }

    fn quarantine(max_bytes: i64) -> (Quarantine, mpsc::Receiver<Queued>) {
        let settings = Settings {
            keep: true,
            bounds: Bounds { of_no_door: false, max_count: 10, max_bytes },
            per_minute_and_address: 10_000,
            fingerprint_key: "a key".into(),
            clock: noon,
        };
        let quarantine = Quarantine::new(settings);
        let waiting = quarantine.shared.waiting.lock().unwrap().take().unwrap();
        (quarantine, waiting)
    }

    fn rejected(body: Vec<u8>) -> Rejected {
        Rejected {
            path: Feed::Lead.path().to_owned(),
            feed: Some(Feed::Lead),
            credential: None,
            received_at: noon(),
            remote_address: None,
            tried: vec!["bearer"],
            presented: vec![[7; 32]],
            content_type: None,
            body: Some(body),
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_for_the_same_secret_and_needs_the_key() {
        let print = |key: &str, presented: &[[u8; 32]]| fingerprint(&key.into(), presented);
        let first = print("key", &[[1; 32]]).unwrap();
        assert_eq!(first.len(), 16);
        assert!(first.chars().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(print("key", &[[1; 32]]), Some(first.clone()));
        for (key, presented) in [("key", vec![[2; 32]]), ("other", vec![[1; 32]]), ("key", vec![[1; 32], [1; 32]])] {
            assert_ne!(print(key, &presented), Some(first.clone()));
        }
        assert_eq!(print("key", &[]), None);
    }

    #[test]
    fn only_so_many_bodies_are_read_at_once_and_of_one_address_half_of_them() {
        let (quarantine, _queue) = quarantine(1_000);
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let mut permits: Vec<_> = (0..READERS_OF_ONE).map(|_| quarantine.read_permit(address(1)).unwrap()).collect();
        assert!(quarantine.read_permit(address(1)).is_none());
        permits.extend((READERS_OF_ONE..READERS).map(|_| quarantine.read_permit(address(2)).unwrap()));
        assert!(quarantine.read_permit(address(3)).is_none());
        drop(permits.remove(0));
        assert!(quarantine.read_permit(address(3)).is_some());
        assert!(quarantine.read_permit(address(1)).is_some());
        assert_eq!(quarantine.shared.dropped.too_many_at_once.load(Ordering::Relaxed), 2);
        drop(permits);
        assert!(quarantine.shared.senders.lock().unwrap().is_empty());
    }

    #[test]
    fn a_full_queue_lets_go_at_once_and_counts_it() {
        let (quarantine, mut queue) = quarantine(1_000);
        for _ in 0..QUEUE + 5 {
            quarantine.keep(quarantine.read_permit(None).unwrap(), rejected(vec![b' '; 10]));
        }
        assert_eq!(quarantine.shared.dropped.queue_full.load(Ordering::Relaxed), 5);
        assert!(queue.try_recv().is_ok());
        quarantine.keep(quarantine.read_permit(None).unwrap(), rejected(Vec::new()));
        assert_eq!(quarantine.shared.dropped.queue_full.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn what_waits_is_bounded_by_its_bytes() {
        let (quarantine, mut queue) = quarantine(1 << 40);
        for _ in 0..5 {
            quarantine.keep(quarantine.read_permit(None).unwrap(), rejected(vec![b' '; 10 << 20]));
        }
        assert_eq!(quarantine.shared.dropped.queue_full.load(Ordering::Relaxed), 2);
        assert_eq!(std::iter::from_fn(|| queue.try_recv().ok()).count(), 3);
        // Once that has been written, one larger than the room may go.
        quarantine.keep(quarantine.read_permit(None).unwrap(), rejected(vec![b' '; 40 << 20]));
        assert!(queue.try_recv().is_ok());
    }

    #[test]
    fn a_body_larger_than_all_that_is_kept_does_not_drive_out_the_rest() {
        let (quarantine, mut queue) = quarantine(1_000);
        quarantine.keep(quarantine.read_permit(None).unwrap(), rejected(vec![b' '; 1_001]));
        assert_eq!(queue.try_recv().unwrap().refused.body, None);
    }

    #[test]
    fn an_address_of_ipv6_counts_as_its_network() {
        let parsed = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(parsed("2001:db8:1:2:3:4:5:6")), parsed("2001:db8:1:2::"));
        assert_eq!(network(parsed("192.0.2.1")), parsed("192.0.2.1"));
    }

    #[test]
    fn one_sender_gets_three_log_lines_a_minute_and_all_senders_sixty() {
        let (quarantine, _queue) = quarantine(1_000);
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let lines = (0..50).filter(|_| quarantine.should_log(Feed::Lead, address(1)).is_some()).count();
        assert_eq!(lines, 3);
        assert!(quarantine.should_log(Feed::Inventory, address(1)).is_some());
        let lines = (0..=255).filter(|last| quarantine.should_log(Feed::Lead, address(*last)).is_some()).count();
        assert_eq!(lines, 56);
    }
}
