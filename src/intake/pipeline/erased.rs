//! What of a batch was received before an erasure and names whom it was about: it contributes nothing personal, and its
//! body is not kept.

use chrono::{DateTime, Utc};

use super::queue::{QueueEntry, Task};
use crate::domain::erasure::{self, Subjects};
use crate::domain::facts::Facts;
use crate::domain::ids::WorkspaceId;
use crate::intake::named;
use crate::store::deliveries::DeliveryResult;
use crate::store::{self, Store, Transaction, erasures};

/// Of each delivery of a batch what was erased after it came, and when; nothing for nearly all.
#[derive(Debug, Default)]
pub(super) struct Erased(Vec<Option<(Subjects, DateTime<Utc>)>>);

impl Erased {
    /// Asks which of those that a batch names were erased. The workspace is locked, so that nothing is erased meanwhile;
    /// where nothing ever was, nothing is asked.
    pub(super) async fn among(
        store: &Store,
        tx: &mut Transaction,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
    ) -> Result<Self, store::Error> {
        if !tx.has_erasures() {
            return Ok(Self::default());
        }
        let named: Vec<Subjects> = batch.iter().map(named_by).collect();
        let all: Subjects = named.iter().flatten().cloned().collect();
        let times = erasures::among(store, tx, workspace, &all).await?;
        let later = named.into_iter().zip(batch).map(|(mut named, entry)| {
            named.retain(|subject| times.get(subject).is_some_and(|at| entry.delivery.received_at < *at));
            let at = named.iter().filter_map(|subject| times.get(subject)).max().copied()?;
            Some((named, at))
        });
        Ok(Self(later.collect()))
    }

    /// What was erased of the delivery at a place of the batch.
    pub(super) fn of(&self, place: usize) -> Option<&Subjects> {
        self.0.get(place)?.as_ref().map(|(subjects, _)| subjects)
    }

    /// Notes on the outcomes of the batch whose bodies are not kept. Without a body, nothing can be tried again.
    pub(super) fn mark<'r>(&self, results: impl IntoIterator<Item = &'r mut DeliveryResult>) {
        for (result, erased) in results.into_iter().zip(&self.0) {
            if let Some((_, at)) = erased {
                result.erased_at = Some(*at);
                result.retry_at = None;
            }
        }
    }
}

fn named_by(entry: &QueueEntry) -> Subjects {
    let delivery = &entry.delivery;
    match &entry.task {
        Task::Apply(facts, _) => match &**facts {
            Facts::Lead(_) | Facts::Cluster(_) => erasure::named(facts),
            // A vehicle is nobody's.
            Facts::Vehicle(_) => Subjects::new(),
            Facts::Ignored => without_facts(entry),
        },
        Task::ApplyIfChanged(_) => Subjects::new(),
        Task::Reject | Task::Fail => without_facts(entry),
    }
    .into_iter()
    .chain(delivery.posted_body.iter().flat_map(|posted| named::addresses(posted)))
    .collect()
}

fn without_facts(entry: &QueueEntry) -> Subjects {
    let delivery = &entry.delivery;
    named::without_facts(delivery.feed, &delivery.body, delivery.received_at)
}
