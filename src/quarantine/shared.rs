//! What those who take refused requests and those who write them have in common.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::rate_limiter::RateLimiter;
use crate::domain::feed::Feed;
use crate::store::rejected::{Bounds, Refused};

/// What is kept of refused requests.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether any are kept.
    pub keep: bool,
    /// How much is kept.
    pub bounds: Bounds,
    /// How many requests of one address are kept in a minute.
    pub per_minute_and_address: u32,
    /// The key of the fingerprints.
    pub fingerprint_key: SecretString,
    /// The current time; tests set their own.
    pub clock: fn() -> DateTime<Utc>,
}

/// By how much less is kept of requests to no door than of refused ones.
const PART: u32 = 10;

impl Settings {
    /// The same for requests to no door: a tenth of all that is kept.
    #[must_use]
    pub fn of_no_door(&self) -> Self {
        let Bounds { of_no_door: _, max_count, max_bytes } = self.bounds;
        let part = i64::from(PART);
        let (max_count, max_bytes) = (max_count.div_euclid(part).max(1), max_bytes.div_euclid(part).max(1));
        let per_minute_and_address = self.per_minute_and_address.div_ceil(PART);
        let bounds = Bounds { of_no_door: true, max_count, max_bytes };
        Self { bounds, per_minute_and_address, ..self.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) readers: Arc<Semaphore>,
    /// The senders whose bodies are being read.
    pub(super) senders: Mutex<Vec<Option<IpAddr>>>,
    pub(super) addresses: Mutex<RateLimiter<Option<IpAddr>>>,
    /// Of requests with a valid credential, to no door: those cost nobody's share but their own.
    pub(super) vouched_readers: Arc<Semaphore>,
    pub(super) credentials: Mutex<RateLimiter<String>>,
    pub(super) lines: Mutex<(RateLimiter<LogKey>, RateLimiter<()>)>,
    pub(super) queue: mpsc::Sender<Queued>,
    /// The other end of the queue, until somebody writes what comes there.
    pub(super) waiting: Mutex<Option<mpsc::Receiver<Queued>>>,
    /// Bytes that may still wait to be written.
    pub(super) room: Arc<Semaphore>,
    /// The bytes of `room` while nothing waits.
    pub(super) room_bytes: u32,
    pub(super) dropped: Dropped,
}

/// The feed and address that a log line is about.
pub(super) type LogKey = (Feed, Option<IpAddr>);

/// A request that waits to be written, with its share of the room.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) refused: Refused,
    pub(super) room: OwnedSemaphorePermit,
}

/// How many requests, since the last log line, were not kept, or not whole.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) over_rate: AtomicU64,
    pub(super) too_many_at_once: AtomicU64,
    pub(super) queue_full: AtomicU64,
    pub(super) not_written: AtomicU64,
    pub(super) without_body: AtomicU64,
}

/// So many bodies of refused requests are read at a time.
pub(super) const READERS: usize = 8;
/// So many of them may be of one address, so that nobody keeps all others out.
pub(super) const READERS_OF_ONE: usize = 4;
/// So many bodies with a valid credential are read at a time beside them.
const VOUCHED_READERS: usize = 64;
/// So many requests wait to be written at the most.
pub(super) const QUEUE: usize = 1_024;
/// So many bytes of bodies wait to be written at the most.
pub(super) const ROOM: u32 = 32 << 20;
/// The most log lines about one feed and address in a minute.
const LINES: u32 = 3;
/// The most log lines about refusals in a minute.
const LINES_IN_ALL: u32 = 60;

impl Shared {
    /// With everything empty.
    pub(super) fn new(settings: Settings) -> Self {
        let part = if settings.bounds.of_no_door { PART } else { 1 };
        let (queue, waiting) = mpsc::channel(QUEUE / usize::try_from(part).unwrap_or(QUEUE));
        let room_bytes = ROOM / part;
        Self {
            readers: Arc::new(Semaphore::new(READERS)),
            senders: Mutex::default(),
            addresses: Mutex::new(RateLimiter::new(settings.per_minute_and_address)),
            vouched_readers: Arc::new(Semaphore::new(VOUCHED_READERS)),
            credentials: Mutex::new(RateLimiter::new(settings.per_minute_and_address.saturating_mul(PART * PART))),
            lines: Mutex::new((RateLimiter::new(LINES), RateLimiter::new(LINES_IN_ALL))),
            queue,
            waiting: Mutex::new(Some(waiting)),
            room: Arc::new(Semaphore::new(usize::try_from(room_bytes).unwrap_or(usize::MAX))),
            room_bytes,
            dropped: Dropped::default(),
            settings,
        }
    }
}
