//! A holder's account, and the bodies in it: what each holds, and in which order they would have to go.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A body's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::budget) struct BodyId(pub(super) u64);

/// Who has to go where there is no room: always one of the account that holds most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// Nobody: who finds no room waits.
    Never,
    /// The body that made the least progress of late.
    LeastProgress,
    /// The newest one. Those of so many bytes cost nobody anything, and go only where there are no others.
    NewestFirst {
        /// Bodies of at most so many bytes are spared.
        spared: usize,
    },
}

/// With so many bytes of progress a body begins, because it is too early to judge that it makes none.
pub(super) const CREDIT: u64 = 64 << 10;
/// Progress counts half as much each time this has passed.
pub(super) const HALF_LIFE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Account {
    /// Bytes of all its bodies, those that were let go aside.
    pub(super) held: usize,
    /// As many of them are of bodies that are still being read.
    pub(super) readable: usize,
    /// How many bodies it has, those that were let go aside.
    pub(super) bodies: usize,
    /// Those that are being read and hold something, in the order in which they would have to go.
    pub(super) by_rank: BTreeSet<(Rank, BodyId)>,
    /// Those that wait for room, in the order in which they asked.
    pub(super) waiting: VecDeque<BodyId>,
}

#[derive(Debug)]
pub(super) struct Body<T> {
    pub(super) account: Arc<str>,
    pub(super) tag: T,
    pub(super) common: usize,
    pub(super) reserved: usize,
    /// How many bytes it waits for; nought where it does not wait.
    pub(super) wants: usize,
    /// The number of its question.
    pub(super) asked: u64,
    /// Whether it has waited long enough to cost a body of its own account.
    pub(super) presses: bool,
    pub(super) progress: Progress,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Reading,
    /// Read to its end: it goes when its delivery is stored, and is not let go.
    Whole,
    LetGo,
}

/// The bytes that came of late: halved for each half-life that has passed since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) bytes: u64,
    /// How many half-lives there were before.
    pub(super) half_lives: u64,
}

/// The least goes first. Of progress it is the logarithm of the bytes, and how late they came: time passes for all alike,
/// so that it changes only with what arrives.
pub(super) type Rank = (u64, u64);

impl Progress {
    pub(super) fn add(&mut self, bytes: usize, half_lives: u64) {
        let passed = u32::try_from(half_lives.saturating_sub(self.half_lives)).unwrap_or(u32::MAX);
        let left = self.bytes.checked_shr(passed).unwrap_or(0);
        self.bytes = left.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)).max(1);
        self.half_lives = self.half_lives.max(half_lives);
    }

    pub(super) fn rank(self) -> Rank {
        (self.half_lives + u64::from(self.bytes.ilog2()), self.bytes << self.bytes.leading_zeros())
    }
}

impl Account {
    /// Of its bodies that are being read and hold something, the one that would have to go first.
    pub(super) fn first_to_go(&self) -> Option<BodyId> {
        self.by_rank.first().map(|(_, id)| *id)
    }
}

impl<T> Body<T> {
    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        self.common + self.reserved
    }

    /// Its place among those of its account that would have to go.
    pub(super) fn rank(&self, id: BodyId, eviction: Eviction) -> Rank {
        match eviction {
            Eviction::Never | Eviction::LeastProgress => self.progress.rank(),
            Eviction::NewestFirst { spared } => (u64::from(self.held() <= spared), u64::MAX - id.0),
        }
    }
}
