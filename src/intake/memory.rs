//! The memory of the deliveries that are being read and applied: each takes its part before anything is built of its body,
//! and gives it back when nothing of what was built is left.
//!
//! Ordinary deliveries have a part of their own, so that none waits behind a huge one. Of the huge ones a workspace has
//! one at a time, and of the ordinary part half at the most, so that no workspace takes all of it. Who waits too long
//! goes to the spool, which needs no reading.

use crate::budget::{ByteBudget, ByteShare, Eviction, Limits};
use crate::domain::ids::WorkspaceId;

/// From so many bytes on a delivery is a large one.
pub(super) const LARGE: usize = 1 << 20;

/// The memory for reading and applying. Copies share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    small: ByteBudget,
    large: ByteBudget,
    /// The most that one delivery can take of each.
    most: (usize, usize),
}

/// Memory that was taken; dropped, it is given back.
#[derive(Debug, Default)]
pub(super) struct TakenMemory {
    _share: Option<ByteShare>,
    is_large: bool,
}

impl TakenMemory {
    /// Whether it is that of a large delivery.
    pub(super) fn is_large(&self) -> bool {
        self.is_large
    }
}

impl Memory {
    /// So many bytes, a quarter of them for ordinary deliveries.
    pub(super) fn new(bytes: usize) -> Self {
        let small = (bytes / 4).max(LARGE);
        let (half, large) = ((small / 2).max(LARGE), (bytes - bytes / 4).max(1));
        let limits = |total, most_of_one| Limits { total, reserve: 0, most_of_one, eviction: Eviction::Never };
        Self {
            small: ByteBudget::new(limits(small, half)),
            // Who has one gets no second one.
            large: ByteBudget::new(limits(large, 0)),
            most: (half, large),
        }
    }

    /// Waits until so many bytes are left for a workspace, and takes them. What is larger than everything gets everything.
    pub(super) async fn take(&self, workspace: Option<WorkspaceId>, bytes: usize) -> TakenMemory {
        let is_large = bytes >= LARGE;
        let (budget, most) = if is_large { (&self.large, self.most.1) } else { (&self.small, self.most.0) };
        let mut share = budget.share(workspace.map_or(0, WorkspaceId::get).to_string(), None);
        // Nobody has to go, and nobody gives up.
        let _ = share.take(0, bytes.min(most)).await;
        TakenMemory { _share: Some(share), is_large }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    fn now(memory: &Memory, workspace: i64, bytes: usize) -> Option<TakenMemory> {
        memory.take(Some(workspace.into()), bytes).now_or_never()
    }

    #[tokio::test]
    async fn an_ordinary_delivery_does_not_wait_behind_a_huge_one_and_a_workspace_has_one_huge_one() {
        let memory = Memory::new(64 << 20);
        let huge = now(&memory, 1, 40 << 20).unwrap();
        assert!(now(&memory, 1, LARGE).is_none(), "a second one of the same workspace");
        let beside = now(&memory, 2, 4 << 20).unwrap();
        assert!(now(&memory, 3, 16 << 20).is_none(), "there is no room for it");
        assert!(now(&memory, 1, LARGE - 1).is_some() && now(&memory, 3, LARGE - 1).is_some());
        drop((huge, beside));
        assert!(now(&memory, 1, 900 << 20).is_some(), "what is larger than everything gets everything");
        assert!(now(&memory, 3, 16 << 20).is_some(), "and gives it back");
    }

    #[tokio::test]
    async fn a_workspace_takes_no_more_than_half_of_what_ordinary_deliveries_have() {
        let memory = Memory::new(64 << 20);
        let all: Vec<TakenMemory> = std::iter::from_fn(|| now(&memory, 1, LARGE / 2)).collect();
        assert_eq!(all.len(), 16);
        assert!(now(&memory, 2, LARGE / 2).is_some());
    }

    #[tokio::test]
    async fn huge_ones_have_their_turn_in_order() {
        let memory = Memory::new(64 << 20);
        let first = now(&memory, 1, 40 << 20).unwrap();
        let (second, third) = (memory.clone(), memory.clone());
        let second = tokio::spawn(async move { second.take(Some(2.into()), 40 << 20).await });
        tokio::task::yield_now().await;
        let third = tokio::spawn(async move { third.take(Some(3.into()), 1 << 20).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!second.is_finished() && !third.is_finished(), "what comes later does not overtake");
        drop(first);
        let (_second, _third) = (second.await.unwrap(), third.await.unwrap());
    }
}
