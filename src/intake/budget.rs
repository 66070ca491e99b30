//! How much memory the deliveries take that are being read and applied: each takes its part before anything is built of
//! its body, and gives it back when nothing of what was built is left.
//!
//! Ordinary deliveries have a part of their own, so that none waits behind a huge one. Of the huge ones a workspace has
//! one at a time, and of the ordinary part half at the most, so that no workspace takes all of it. Who waits too long
//! goes to the spool, which needs no reading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::state::RowId;

/// From so many bytes on a delivery is a large one.
pub(super) const LARGE: usize = 1 << 20;

/// The memory for reading and applying. Copies share it.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    small: Part,
    large: Part,
    workspaces: Mutex<HashMap<Option<RowId>, Share>>,
}

/// Memory in KiB.
#[derive(Clone, Debug)]
struct Part {
    all: u32,
    left: Arc<Semaphore>,
}

/// What one workspace may take of it.
#[derive(Clone, Debug)]
struct Share {
    small: Part,
    large: Part,
}

/// Memory that was taken; dropped, it is given back.
#[derive(Debug, Default)]
pub(super) struct Taken {
    _permits: Vec<OwnedSemaphorePermit>,
    is_large: bool,
}

impl Taken {
    /// Whether it is that of a large delivery.
    pub(super) fn is_large(&self) -> bool {
        self.is_large
    }
}

impl Part {
    fn of(kibibytes: u32) -> Self {
        let left = Semaphore::new(usize::try_from(kibibytes).unwrap_or(Semaphore::MAX_PERMITS));
        Self { all: kibibytes, left: Arc::new(left) }
    }

    /// Waits for so much, in turn. What is larger than everything gets everything.
    async fn take(&self, kibibytes: u32) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.left).acquire_many_owned(kibibytes.min(self.all)).await.ok()
    }

    fn is_whole(&self) -> bool {
        Arc::strong_count(&self.left) == 1
    }
}

impl Budget {
    /// So many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let small = Part::of(kibibytes(bytes / 4).max(kibibytes(LARGE)));
        let large = Part::of(kibibytes(bytes - bytes / 4));
        Self { shared: Arc::new(Shared { small, large, workspaces: Mutex::default() }) }
    }

    /// Waits until so many bytes are left for a workspace, and takes them.
    pub(super) async fn take(&self, workspace: Option<RowId>, bytes: usize) -> Taken {
        let Share { small, large } = self.share(workspace);
        let is_large = bytes >= LARGE;
        // The workspace's own part first, so that only one of its deliveries stands in the line of all.
        let permits = if is_large {
            [large.take(1).await, self.shared.large.take(kibibytes(bytes)).await]
        } else {
            let kibibytes = kibibytes(bytes);
            [small.take(kibibytes).await, self.shared.small.take(kibibytes).await]
        };
        Taken { _permits: permits.into_iter().flatten().collect(), is_large }
    }

    fn share(&self, workspace: Option<RowId>) -> Share {
        let mut workspaces = self.shared.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if workspaces.len() > MANY {
            workspaces.retain(|_, Share { small, large }| !(small.is_whole() && large.is_whole()));
        }
        let half = (self.shared.small.all / 2).max(kibibytes(LARGE));
        workspaces.entry(workspace).or_insert_with(|| Share { small: Part::of(half), large: Part::of(1) }).clone()
    }
}

/// Above so many workspaces those that have taken nothing are forgotten.
const MANY: usize = 1_000;

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    fn now(budget: &Budget, workspace: RowId, bytes: usize) -> Option<Taken> {
        budget.take(Some(workspace), bytes).now_or_never()
    }

    #[tokio::test]
    async fn an_ordinary_delivery_does_not_wait_behind_a_huge_one_and_a_workspace_has_one_huge_one() {
        let budget = Budget::new(64 << 20);
        let huge = now(&budget, 1, 40 << 20).unwrap();
        assert!(now(&budget, 1, LARGE).is_none(), "a second one of the same workspace");
        let beside = now(&budget, 2, 4 << 20).unwrap();
        assert!(now(&budget, 3, 16 << 20).is_none(), "there is no room for it");
        assert!(now(&budget, 1, LARGE - 1).is_some() && now(&budget, 3, LARGE - 1).is_some());
        drop((huge, beside));
        assert!(now(&budget, 1, 900 << 20).is_some(), "what is larger than everything gets everything");
        assert!(now(&budget, 3, 16 << 20).is_some(), "and gives it back");
    }

    #[tokio::test]
    async fn a_workspace_takes_no_more_than_half_of_what_ordinary_deliveries_have() {
        let budget = Budget::new(64 << 20);
        let all: Vec<Taken> = std::iter::from_fn(|| now(&budget, 1, LARGE / 2)).collect();
        assert_eq!(all.len(), 16);
        assert!(now(&budget, 2, LARGE / 2).is_some());
    }

    #[tokio::test]
    async fn huge_ones_have_their_turn_in_order() {
        let budget = Budget::new(64 << 20);
        let first = now(&budget, 1, 40 << 20).unwrap();
        let (second, third) = (budget.clone(), budget.clone());
        let second = tokio::spawn(async move { second.take(Some(2), 40 << 20).await });
        tokio::task::yield_now().await;
        let third = tokio::spawn(async move { third.take(Some(3), 1 << 20).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!second.is_finished() && !third.is_finished(), "what comes later does not overtake");
        drop(first);
        let (_second, _third) = (second.await.unwrap(), third.await.unwrap());
    }
}
