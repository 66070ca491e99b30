//! What the deliveries of a batch say, and which of them say nothing new.

use std::borrow::Cow;

use super::failure::Failure;
use super::seats::{Pending, Work};
use crate::domain::facts::Facts;
use crate::domain::state::RowId;
use crate::domain::unchanged::{self, ContentSummary};
use crate::intake::recall::Recalled;
use crate::store;

/// What one delivery says.
pub(super) enum Speech<'a> {
    /// Something that the rules must hear.
    News(Cow<'a, Facts>),
    /// What is known already.
    Repetition,
    /// It was settled before.
    Settled,
    /// Nothing: it cannot be heard.
    Nothing,
}

/// What is at hand of a delivery.
enum Spoken<'a> {
    Whole(&'a Facts, Option<&'a ContentSummary>),
    InShort(&'a Recalled),
    Before,
    Nothing,
}

impl<'a> Spoken<'a> {
    fn of(pending: &'a Pending, is_open: &(dyn Fn(&Pending) -> bool + Sync)) -> Self {
        match &pending.work {
            Work::Hear(..) | Work::Recall(_) if !is_open(pending) => Self::Before,
            Work::Hear(facts, summary) => Self::Whole(facts, summary.as_deref()),
            Work::Recall(recalled) => Self::InShort(recalled),
            Work::Reject | Work::Fail => Self::Nothing,
        }
    }

    fn facts(&self) -> Option<&'a Facts> {
        match self {
            Self::Whole(facts, _) => Some(facts),
            Self::InShort(_) | Self::Before | Self::Nothing => None,
        }
    }

    fn summary(&self) -> Option<&'a ContentSummary> {
        match self {
            Self::Whole(_, summary) => *summary,
            Self::InShort(recalled) => Some(&recalled.summary),
            Self::Before | Self::Nothing => None,
        }
    }
}

/// What each delivery of a batch says, in their order.
pub(super) async fn of<'a>(
    tx: &mut store::Connection,
    workspace: RowId,
    batch: &'a [Pending],
    is_open: &(dyn Fn(&Pending) -> bool + Sync),
) -> Result<Vec<Speech<'a>>, Failure> {
    let spoken: Vec<Spoken<'_>> = batch.iter().map(|pending| Spoken::of(pending, is_open)).collect();
    let summaries: Vec<Option<&ContentSummary>> = spoken.iter().map(Spoken::summary).collect();
    let asked: Vec<&ContentSummary> = summaries.iter().flatten().copied().collect();
    let known = store::unchanged::load(tx, workspace, &asked).await?;
    let facts: Vec<Option<&Facts>> = spoken.iter().map(Spoken::facts).collect();
    let repeated = unchanged::among(&facts, &summaries, &known);
    let speeches = spoken.into_iter().zip(batch).enumerate().map(|(place, (spoken, pending))| match spoken {
        Spoken::Whole(..) | Spoken::InShort(_) if repeated.contains(&place) => Ok(Speech::Repetition),
        Spoken::Whole(facts, _) => Ok(Speech::News(Cow::Borrowed(facts))),
        Spoken::InShort(recalled) => match recalled.facts(&pending.arrived.body) {
            Some(facts) => Ok(Speech::News(Cow::Owned(facts))),
            None => Err(Failure::Poison("a body is not the one that was read before".to_owned())),
        },
        Spoken::Before => Ok(Speech::Settled),
        Spoken::Nothing => Ok(Speech::Nothing),
    });
    speeches.collect()
}
