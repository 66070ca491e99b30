//! How many bytes of bodies are in the process at a time: a request has its body's room before the body is read, and
//! keeps it until it is answered. So memory has a bound, however many requests come at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::header::{CONTENT_ENCODING, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Room for bodies. Copies share it.
#[derive(Clone, Debug)]
pub struct Room {
    kibibytes: Arc<Semaphore>,
    all: u32,
}

/// There was no room in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there was no room for the body in time")]
pub(super) struct Crowded;

/// For so long a request waits for room.
const PATIENCE: Duration = Duration::from_mins(1);

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let all = kibibytes(bytes);
        Self { kibibytes: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX))), all }
    }

    /// Waits for room for so many bytes. What is larger than everything gets everything.
    pub(super) async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Crowded> {
        let taken = Arc::clone(&self.kibibytes).acquire_many_owned(kibibytes(bytes).min(self.all));
        match timeout(PATIENCE, taken).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => Err(Crowded),
        }
    }
}

/// Gives back what a body that has been read does not need.
pub(super) fn keep(room: &mut OwnedSemaphorePermit, bytes: usize) {
    let needed = usize::try_from(kibibytes(bytes)).unwrap_or(usize::MAX);
    let spare = room.num_permits().saturating_sub(needed);
    drop(room.split(spare));
}

/// How many bytes a body needs: as many as it announces, or as it may have where it announces nothing or is encoded.
pub(super) fn needed(body: &Body, headers: &HeaderMap, limit: usize) -> usize {
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    announced.filter(|_| is_plain).unwrap_or(limit).min(limit)
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_has_its_room_before_it_is_read_and_gives_it_back() {
        let room = Room::new(10 << 10);
        let crowded = async |bytes| timeout(Duration::from_millis(50), room.take(bytes)).await.is_err();
        let first = room.take(6 << 10).await.unwrap();
        let second = room.take(4 << 10).await.unwrap();
        assert!(crowded(1).await);
        drop(first);
        assert!(crowded(7 << 10).await && !crowded(6 << 10).await);
        drop(second);
        let mut all = room.take(99 << 10).await.unwrap();
        assert!(crowded(1).await, "one that is larger than everything gets everything");
        keep(&mut all, 4 << 10);
        assert!(crowded(7 << 10).await && !crowded(6 << 10).await, "and gives back what it does not need");
    }

    #[test]
    fn a_body_needs_what_it_announces_or_what_it_may_have() {
        let (plain, encoded) = (HeaderMap::new(), HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]));
        let stream = Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("{}")]));
        assert_eq!(needed(&Body::from("{}"), &plain, 100), 2);
        assert_eq!(needed(&Body::from(vec![0; 1_000]), &plain, 100), 100);
        assert_eq!(needed(&Body::from("{}"), &encoded, 100), 100);
        assert_eq!(needed(&stream, &plain, 100), 100);
    }
}
