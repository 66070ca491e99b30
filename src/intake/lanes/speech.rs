//! What the deliveries of a batch say, and which of them say nothing new.

use std::borrow::Cow;

use super::failure::Failure;
use super::seats::{Pending, Work};
use crate::domain::facts::Facts;
use crate::domain::repetition::{self, Saying};
use crate::domain::world::RowId;
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
    Whole(&'a Facts, Option<&'a Saying>),
    InShort(&'a Recalled),
    Before,
    Nothing,
}

impl<'a> Spoken<'a> {
    fn of(pending: &'a Pending, is_open: &(dyn Fn(&Pending) -> bool + Sync)) -> Self {
        match &pending.work {
            Work::Hear(..) | Work::Recall(_) if !is_open(pending) => Self::Before,
            Work::Hear(facts, saying) => Self::Whole(facts, saying.as_deref()),
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

    fn saying(&self) -> Option<&'a Saying> {
        match self {
            Self::Whole(_, saying) => *saying,
            Self::InShort(recalled) => Some(&recalled.saying),
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
    let sayings: Vec<Option<&Saying>> = spoken.iter().map(Spoken::saying).collect();
    let asked: Vec<&Saying> = sayings.iter().flatten().copied().collect();
    let known = store::repetition::load(tx, workspace, &asked).await?;
    let facts: Vec<Option<&Facts>> = spoken.iter().map(Spoken::facts).collect();
    let repeated = repetition::among(&facts, &sayings, &known);
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
