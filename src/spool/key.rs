//! Where a delivery stands in the spool: by its arrival, and by its id where several arrived at once.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::delivery::Delivery;

/// A delivery's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    microseconds: u64,
    id: Uuid,
}

/// How many bytes a key has on disk.
pub(super) const LENGTH: usize = 24;

impl Key {
    /// The key of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self::new(delivery.received_at, delivery.id)
    }

    /// The key of the delivery that arrived then and has this id.
    #[must_use]
    pub fn new(received_at: DateTime<Utc>, id: Uuid) -> Self {
        Self { microseconds: u64::try_from(received_at.timestamp_micros()).unwrap_or(0), id }
    }

    /// When the delivery arrived.
    #[must_use]
    pub fn received_at(&self) -> DateTime<Utc> {
        let microseconds = i64::try_from(self.microseconds).unwrap_or(i64::MAX);
        DateTime::from_timestamp_micros(microseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// As it stands on disk: sorted bytes are sorted keys.
    pub(super) fn to_bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let (time, id) = bytes.split_at_mut(8);
        time.copy_from_slice(&self.microseconds.to_be_bytes());
        id.copy_from_slice(self.id.as_bytes());
        bytes
    }

    /// As it is read from disk.
    pub(super) fn from_bytes(bytes: &[u8; LENGTH]) -> Self {
        let (mut time, mut id) = ([0; 8], [0; 16]);
        let (first, second) = bytes.split_at(8);
        time.copy_from_slice(first);
        id.copy_from_slice(second);
        Self { microseconds: u64::from_be_bytes(time), id: Uuid::from_bytes(id) }
    }
}

/// As the delivery's id, under which everything else knows it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
