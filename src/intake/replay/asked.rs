//! Replays that a person asks for: stored deliveries, and refused requests under a credential that is named for them,
//! through the same path again, with today's code and configuration. Or only tried out, to see what would come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::budget::Taken;
use super::super::lanes::{Pending, Seat};
use super::super::reading::{Gone, Heard};
use super::super::{Delivery, EffectSummary, Intake, Outcome};
use crate::domain::finding::{Code, Finding};
use crate::domain::state::RowId;
use crate::domain::workspace::Permitted;
use crate::feeds::Feed;
use crate::store;
use crate::store::deliveries::Arrived;

/// A delivery that a person asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its feed.
    pub feed: Feed,
    /// What arrived.
    pub arrived: Arrived,
    /// How often it was tried; nought for a refused request that is to become a delivery.
    pub attempts: i32,
    /// Whether its undocumented fields are still to be counted, because it was never read.
    pub unread: bool,
    /// The workspaces that its credential may write to now.
    pub permitted: Permitted,
}

/// What a replay made of a delivery, or would make.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Its fate in this try.
    pub outcome: Outcome,
    /// What became of each kind of row.
    pub effects: Vec<(&'static str, EffectSummary)>,
    /// The codes of its findings.
    pub codes: BTreeSet<Code>,
}

impl Made {
    fn of(outcome: Outcome, effects: Vec<(&'static str, EffectSummary)>, findings: &[Finding]) -> Self {
        Self { outcome, effects, codes: findings.iter().map(|finding| finding.code).collect() }
    }
}

/// Puts deliveries through their lanes, and gives what became of each, in their order; `None` where nothing came of it
/// while requests are held, as when Postgres is away.
pub async fn replay(intake: &Intake, asked: Vec<Asked>) -> Vec<Option<Made>> {
    let mut patience = intake.shared.settings.hold;
    let mut answers = Vec::with_capacity(asked.len());
    for one in asked {
        let (reply, answer) = oneshot::channel();
        // Whoever is not sent on in time has its answer's other end dropped, which is an answer, too.
        let seat = tokio::time::timeout(patience, send(intake, one, reply)).await;
        // What was waited for once in vain is not waited for again: it is away for all of them.
        patience = seat.as_ref().map_or(Duration::ZERO, |_| patience);
        answers.push((answer, seat.ok()));
    }
    let mut made = Vec::with_capacity(answers.len());
    for (answer, _seat) in answers {
        let answered = tokio::time::timeout(patience, answer).await;
        patience = answered.as_ref().map_or(Duration::ZERO, |_| patience);
        let reply = answered.ok().and_then(Result::ok);
        made.push(reply.map(|reply| Made::of(reply.outcome, reply.effects, &reply.findings)));
    }
    made
}

async fn send(intake: &Intake, asked: Asked, reply: oneshot::Sender<super::super::Reply>) -> Seat {
    let count = asked.unread;
    let (workspace, pending) = pending(intake, asked, reply, count).await;
    intake.shared.lanes.send(workspace, pending).await
}

/// What would become of deliveries if they were replayed now, in their order: each workspace's together, so that one
/// sees what the other would bring. Nothing is written.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn rehearse(intake: &Intake, asked: Vec<Asked>) -> Result<Vec<Made>, store::Error> {
    let ids: Vec<Uuid> = asked.iter().map(|one| one.arrived.id).collect();
    let mut batches: BTreeMap<Option<RowId>, Vec<Pending>> = BTreeMap::new();
    for one in asked {
        let (reply, _unused) = oneshot::channel();
        let (workspace, mut pending) = pending(intake, one, reply, false).await;
        // All of them are there at once: the next one cannot wait until this one gives its memory back.
        pending.taken = Taken::default();
        batches.entry(workspace).or_default().push(pending);
    }
    let mut made = BTreeMap::new();
    for (workspace, batch) in batches {
        let settled = intake.shared.lanes.rehearse(workspace, &batch).await?;
        for (pending, settled) in batch.iter().zip(settled) {
            let effects = settled.effects.summary();
            made.insert(pending.arrived.id, Made::of(settled.outcome, effects, &settled.findings));
        }
    }
    Ok(ids.iter().filter_map(|id| made.remove(id)).collect())
}

/// A delivery as its lane takes it.
async fn pending(
    intake: &Intake,
    asked: Asked,
    reply: oneshot::Sender<super::super::Reply>,
    count: bool,
) -> (Option<RowId>, Pending) {
    let began_at = intake.now();
    let Asked { feed, arrived, attempts, unread: _, permitted } = asked;
    let mut delivery = Delivery { feed, arrived, permitted, undecoded: None };
    // It is not given up, so that there is always something.
    let heard = intake.shared.reader.hear(&mut delivery, None, &mut Gone::default()).await;
    let Heard { workspace, work, findings, unknown, taken } = heard.unwrap_or_else(Heard::fault);
    let arrived = delivery.arrived;
    if let (Some(workspace), Some(unknown), true) = (workspace, unknown, count) {
        intake.shared.drift.count(workspace, feed, &unknown, arrived.id, arrived.received_at);
    }
    let (asked, perhaps_stored, claim) = (true, true, None);
    let pending = Pending { arrived, work, findings, attempts, asked, perhaps_stored, began_at, reply, claim, taken };
    (workspace, pending)
}
