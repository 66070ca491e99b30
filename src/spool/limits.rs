//! What the spool may take up, how full it is, and why it takes nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::key::Key;

/// How much of the disk the spool may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes its deliveries take up at the most.
    pub max_bytes: u64,
    /// How many bytes of the disk it leaves free at the least.
    pub min_free_bytes: u64,
}

/// How full the spool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many deliveries are in it.
    pub deliveries: u64,
    /// How many bytes they take up.
    pub bytes: u64,
    /// The oldest of them.
    pub oldest: Option<Key>,
}

impl Depth {
    /// For how many seconds the oldest one has waited; nought where there is none.
    #[must_use]
    pub fn age(&self, now: DateTime<Utc>) -> u64 {
        let waited = self.oldest.map(|oldest| (now - oldest.received_at()).num_seconds());
        waited.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
    }
}

/// Why the spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the spool in {} is in use by another running process: stop that one, or give this one a data directory of its \
         own with FORECOURT_DATA_DIR",
        dir.display()
    )]
    InUse {
        /// The spool's folder.
        dir: PathBuf,
    },
    /// The system lets us start no thread.
    #[error("the thread that writes the spool could not be started")]
    Thread(#[source] std::io::Error),
}

/// Why the spool did not do what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It holds as much as it may.
    #[error("the spool is full: it holds as much as spool.max_bytes allows")]
    Full,
    /// The disk has no room for more.
    #[error("the disk of the spool has less free space than spool.min_free_bytes")]
    NoRoom,
    /// The disk does not keep up, and as much waits for it as may.
    #[error("the disk of the spool is too slow: too much waits to be written")]
    Slow,
    /// Reading or writing failed.
    #[error("the spool cannot be read or written: {0}")]
    Failed(String),
    /// There is none, or none any more.
    #[error("the spool is closed")]
    Closed,
}

impl Refused {
    /// Its code in `/readyz`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoRoom => "disk_full",
            Self::Slow => "disk_slow",
            Self::Failed(_) => "unreadable",
            Self::Closed => "closed",
        }
    }
}

/// How many bytes of the file a record takes up at the most: whole pages, of which the library takes a power of two.
pub(super) fn footprint(record: usize) -> u64 {
    const PAGE: u64 = 4_096;
    const OVERHEAD: u64 = 64;
    let bytes = u64::try_from(record).unwrap_or(u64::MAX).saturating_add(OVERHEAD);
    bytes.checked_next_power_of_two().unwrap_or(u64::MAX).max(PAGE)
}
