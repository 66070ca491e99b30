//! What the rules are given of each delivery of a batch: its facts, or that they change nothing.

use crate::domain::ids::WorkspaceId;
use std::borrow::Cow;

use super::erased::Erased;
use super::failure::Failure;
use super::queue::{QueueEntry, Task};
use crate::domain::erasure;
use crate::domain::facts::Facts;
use crate::domain::unchanged::{self, ContentSummary};
use crate::intake::body_cache::CachedBody;
use crate::store;

/// What the rules are given of one delivery.
pub(super) enum BatchInput<'a> {
    /// Facts that are to be applied.
    Apply(Cow<'a, Facts>),
    /// It repeats what is known.
    Unchanged,
    /// An earlier attempt has its outcome.
    AlreadyDone,
    /// It is rejected, and has no facts.
    Rejected,
}

/// What is at hand of a delivery before its summary was compared with the tables.
enum Source<'a> {
    Facts(&'a Facts, Option<&'a ContentSummary>),
    Cached(&'a CachedBody),
    AlreadyDone,
    Rejected,
}

impl<'a> Source<'a> {
    fn of(entry: &'a QueueEntry, is_open: &(dyn Fn(&QueueEntry) -> bool + Sync)) -> Self {
        match &entry.task {
            Task::Apply(..) | Task::ApplyIfChanged(_) if !is_open(entry) => Self::AlreadyDone,
            Task::Apply(facts, summary) => Self::Facts(facts, summary.as_deref()),
            Task::ApplyIfChanged(cached) => Self::Cached(cached),
            Task::Reject | Task::Fail => Self::Rejected,
        }
    }

    fn facts(&self) -> Option<&'a Facts> {
        match self {
            Self::Facts(facts, _) => Some(facts),
            Self::Cached(_) | Self::AlreadyDone | Self::Rejected => None,
        }
    }

    fn summary(&self) -> Option<&'a ContentSummary> {
        match self {
            Self::Facts(_, summary) => *summary,
            Self::Cached(cached) => Some(&cached.summary),
            Self::AlreadyDone | Self::Rejected => None,
        }
    }
}

/// The inputs of a batch, in its order, without what is personal of those who were erased. What is known of the vehicles
/// that it names is loaded for that.
pub(super) async fn of<'a>(
    tx: &mut store::Connection,
    workspace: WorkspaceId,
    batch: &'a [QueueEntry],
    is_open: &(dyn Fn(&QueueEntry) -> bool + Sync),
    erased: &Erased,
) -> Result<Vec<BatchInput<'a>>, Failure> {
    let sources: Vec<Source<'_>> = batch.iter().map(|entry| Source::of(entry, is_open)).collect();
    let summaries: Vec<Option<&ContentSummary>> = sources.iter().map(Source::summary).collect();
    let named: Vec<&ContentSummary> = summaries.iter().flatten().copied().collect();
    let known = store::unchanged::load(tx, workspace, &named).await?;
    let facts: Vec<Option<&Facts>> = sources.iter().map(Source::facts).collect();
    let unchanged = unchanged::among(&facts, &summaries, &known);
    let inputs = sources.into_iter().zip(batch).enumerate().map(|(place, (source, entry))| match source {
        Source::Facts(..) | Source::Cached(_) if unchanged.contains(&place) => Ok(BatchInput::Unchanged),
        Source::Facts(facts, _) => Ok(BatchInput::Apply(match erased.of(place) {
            Some(subjects) => Cow::Owned(erasure::strip(facts.clone(), subjects)),
            None => Cow::Borrowed(facts),
        })),
        Source::Cached(cached) => match cached.facts(&entry.delivery.body) {
            Some(facts) => Ok(BatchInput::Apply(Cow::Owned(facts))),
            None => Err(Failure::Poison("a body is not the one that was read before".to_owned())),
        },
        Source::AlreadyDone => Ok(BatchInput::AlreadyDone),
        Source::Rejected => Ok(BatchInput::Rejected),
    });
    inputs.collect()
}
