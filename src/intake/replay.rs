//! Replays that a person asks for: stored deliveries, and refused requests under a credential that is named for them,
//! submitted again, with today's code and configuration. Or only tried out, to see what would come of it.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::attempt::AttemptInfo;
use super::memory::TakenMemory;
use super::pipeline::QueueEntry;
use super::submit::Prepared;
use super::{EffectSummary, Intake, Outcome};
use crate::domain::delivery::Delivery;
use crate::domain::finding::{Code, Finding};
use crate::store;
use crate::store::due::Stored;

/// A delivery that a person asks for.
#[derive(Clone, Debug)]
pub struct ReplayItem {
    /// The delivery, with what its credential may write to now.
    pub delivery: Delivery,
    /// How often it was tried; nought for a refused request that is to become a delivery.
    pub attempts: i32,
    /// Whether its undocumented fields are still to be counted, because it was never read.
    pub is_unread: bool,
}

impl ReplayItem {
    /// A stored delivery with this outcome, as its own credential may post it now.
    #[must_use]
    pub fn of_stored(intake: &Intake, stored: Stored, outcome: &str) -> Self {
        let Stored { delivery, workspace, attempts, was_applied: _ } = stored;
        let permitted = intake.router().permission(&delivery.credential, workspace);
        let is_unread = outcome == Outcome::Rejected.name();
        Self { delivery: Delivery { permitted, ..delivery }, attempts, is_unread }
    }

    fn attempt(&self) -> AttemptInfo {
        AttemptInfo::manual(self.attempts, self.is_unread)
    }
}

/// What a replay made of a delivery, or would make.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayResult {
    /// Its fate in this attempt.
    pub outcome: Outcome,
    /// What became of each kind of row.
    pub effects: Vec<(&'static str, EffectSummary)>,
    /// The codes of its findings.
    pub codes: BTreeSet<Code>,
}

impl ReplayResult {
    fn of(outcome: Outcome, effects: Vec<(&'static str, EffectSummary)>, findings: &[Finding]) -> Self {
        Self { outcome, effects, codes: findings.iter().map(|finding| finding.code).collect() }
    }
}

/// Submits deliveries, and gives what became of each, in their order; `None` where nothing came of it while requests are
/// held, as when Postgres is away.
pub async fn replay(intake: &Intake, items: Vec<ReplayItem>) -> Vec<Option<ReplayResult>> {
    let mut patience = intake.shared.settings.hold;
    let mut submitted = Vec::with_capacity(items.len());
    for item in items {
        let attempt = item.attempt();
        let one = timeout(patience, intake.submit(item.delivery, attempt, None)).await;
        // What was waited for once in vain is not waited for again: it is away for all of them.
        patience = one.as_ref().map_or(Duration::ZERO, |_| patience);
        submitted.push(one.ok());
    }
    let mut results = Vec::with_capacity(submitted.len());
    for one in submitted {
        let Some(one) = one else {
            results.push(None);
            continue;
        };
        let settled = timeout(patience, one.settled()).await;
        patience = settled.as_ref().map_or(Duration::ZERO, |_| patience);
        let reply = settled.ok().flatten();
        results.push(reply.map(|reply| ReplayResult::of(reply.outcome, reply.effects, &reply.findings)));
    }
    results
}

/// What would become of deliveries if they were replayed now, in their order: each workspace's together, so that one sees
/// what the other would bring. Nothing is written.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn dry_run(intake: &Intake, items: Vec<ReplayItem>) -> Result<Vec<ReplayResult>, store::Error> {
    let ids: Vec<Uuid> = items.iter().map(|item| item.delivery.id).collect();
    let mut batches: BTreeMap<Option<WorkspaceId>, Vec<QueueEntry>> = BTreeMap::new();
    for item in items {
        let attempt = item.attempt();
        // Nobody cancels it, so that there is always something.
        let Some(Prepared { workspace, mut entry, .. }) = intake.prepare(item.delivery, attempt).await else {
            continue;
        };
        // All of them are there at once: the next one cannot wait until this one gives its memory back.
        entry.memory = TakenMemory::default();
        batches.entry(workspace).or_default().push(entry);
    }
    let mut results = BTreeMap::new();
    for (workspace, batch) in batches {
        let of_batch = intake.shared.pipeline.dry_run(workspace, &batch).await?;
        for (entry, result) in batch.iter().zip(of_batch) {
            let effects = result.effects.summary();
            results.insert(entry.delivery.id, ReplayResult::of(result.outcome, effects, &result.findings));
        }
    }
    Ok(ids.iter().filter_map(|id| results.remove(id)).collect())
}
