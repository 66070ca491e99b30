//! The outcome of a delivery: as it stands in its record, in the log and in the reply.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::failure::{MOST_ATTEMPTS, backoff};
use super::queue::QueueEntry;
use crate::domain::delivery::Delivery;
use crate::domain::finding::{Code, Finding};
use crate::domain::ids::WorkspaceId;
use crate::domain::{Effects, Outcome, Verdict};
use crate::intake::reply::Reply;
use crate::metrics::Metrics;
use crate::store;
use crate::store::deliveries::{self, DeliveryRecord, DeliveryResult};

/// What the rules came to.
pub(super) fn applied(
    entry: &QueueEntry,
    workspace: Option<WorkspaceId>,
    (verdict, findings): (Verdict, Vec<Finding>),
    now: DateTime<Utc>,
) -> DeliveryResult {
    let (outcome, effects) = match verdict {
        Verdict::Merged(effects) if effects.wrote() => (Outcome::Applied, effects),
        Verdict::Merged(effects) => (Outcome::Unchanged, effects),
        Verdict::Ignored => (Outcome::Ignored, Effects::default()),
        Verdict::Rejected => (Outcome::Rejected, Effects::default()),
    };
    DeliveryResult {
        workspace,
        outcome,
        findings,
        effects,
        attempts: entry.attempt.attempts + 1,
        processing_ms: milliseconds(now - entry.began_at),
        settled_at: now,
        retry_at: None,
        replay: None,
        erased_at: None,
        was_settled: false,
    }
}

/// It could not be applied through a fault of ours, and is tried again later, not for ever.
pub(super) fn failed(entry: &QueueEntry, workspace: Option<WorkspaceId>, now: DateTime<Utc>) -> DeliveryResult {
    let mut findings = entry.findings.clone();
    findings.push(Finding::whole(Code::InternalError, "the delivery is kept and tried again by itself"));
    let attempts = entry.attempt.attempts + 1;
    DeliveryResult {
        workspace,
        outcome: Outcome::Failed,
        findings,
        effects: Effects::default(),
        attempts,
        processing_ms: milliseconds(now - entry.began_at),
        settled_at: now,
        retry_at: (attempts < MOST_ATTEMPTS).then(|| now + backoff(attempts)),
        replay: None,
        erased_at: None,
        was_settled: false,
    }
}

/// Writes deliveries with their outcomes. One that was applied stays so, whatever a replay makes of it; the replay is only
/// noted where it wrote nothing. Returns whether all were written.
pub(super) async fn save(
    tx: &mut store::Connection,
    workspace: Option<WorkspaceId>,
    rows: Vec<DeliveryRecord<'_>>,
) -> Result<bool, store::Error> {
    let stays_applied = |DeliveryRecord { result, .. }: &DeliveryRecord<'_>| {
        let before = result.replay.as_ref().and_then(|replay| replay.before.as_ref());
        before.is_some_and(|before| before.outcome == Outcome::Applied) && result.outcome != Outcome::Applied
    };
    let (noted, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(stays_applied);
    let all = deliveries::save(tx, workspace, &written).await?;
    deliveries::note_replays(tx, &noted).await?;
    Ok(all)
}

/// Answers the requests of a batch, counts each delivery that this batch has settled, and logs each once, in the span that
/// it came in.
pub(super) fn answer(metrics: &Metrics, batch: Vec<QueueEntry>, results: Vec<DeliveryResult>) {
    for (entry, result) in batch.into_iter().zip(results) {
        let QueueEntry { delivery, reply, claim, span, .. } = entry;
        span.in_scope(|| log(&delivery, &result));
        let DeliveryResult { workspace, outcome, findings, effects, was_settled, .. } = result;
        if !was_settled {
            metrics.settled(&delivery, workspace, outcome, &effects, &findings);
        }
        let answer = Reply { delivery_id: delivery.id, outcome, effects: effects.summary(), findings };
        if let Some(claim) = &claim {
            claim.settle(&answer);
        }
        // The sender may have gone: the delivery is safe all the same.
        let _ = reply.send(answer);
    }
}

/// One line for each delivery; a warning with the codes of its findings where nothing came of it.
fn log(delivery: &Delivery, result: &DeliveryResult) {
    let DeliveryResult { workspace, outcome, findings, effects, attempts, processing_ms, .. } = result;
    let (feed, credential, outcome_name) = (delivery.feed.name(), &delivery.credential, outcome.name());
    match outcome {
        Outcome::Rejected | Outcome::Failed => {
            let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code.name()).collect();
            let codes = Vec::from_iter(codes).join(" ");
            tracing::warn!(
                delivery = %delivery.id,
                feed,
                credential,
                outcome = outcome_name,
                codes,
                workspace = workspace.map(WorkspaceId::get),
                dealership = delivery.dealership_id,
                attempts,
                milliseconds = processing_ms,
                "delivery"
            );
        }
        Outcome::Applied | Outcome::Unchanged | Outcome::Ignored => tracing::info!(
            delivery = %delivery.id,
            feed,
            credential,
            outcome = outcome_name,
            findings = findings.len(),
            other_bookings = some(effects.other_bookings.len()),
            attempts,
            milliseconds = processing_ms,
            "delivery"
        ),
    }
}

/// A count that is told where there is anything to count.
fn some(count: usize) -> Option<usize> {
    (count > 0).then_some(count)
}

fn milliseconds(duration: TimeDelta) -> f64 {
    (duration.to_std().unwrap_or_default().as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
