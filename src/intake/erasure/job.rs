//! Carrying an order out, workspace by workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;

use super::gather::{Gathered, Wanted};
use super::journal::{self, Line};
use super::order::{Erased, ErasureError, Mode, Order, Target};
use crate::domain::erasure::{Subject, Subjects};
use crate::domain::facts::Sender;
use crate::domain::ids::WorkspaceId;
use crate::domain::state::LeadKey;
use crate::intake::clock;
use crate::store::actions::Action;
use crate::store::erasures::{Counts, Fingerprint};
use crate::store::{self, ErasureKey, Store, actions, erase_rows, erased_bodies, erased_rows, erasures};

/// A batch that was under way when the gathering began has its outcome from then at the earliest.
const LONGEST_BATCH: TimeDelta = TimeDelta::minutes(10);

/// One part of an order that is to be carried out: whom in which workspaces, and as whose fingerprints.
pub(super) struct Job<'a> {
    pub(super) order: &'a Order,
    pub(super) mode: Mode,
    pub(super) key: ErasureKey,
    /// By workspace: what is known of it by its fingerprint alone.
    pub(super) fingerprints: BTreeMap<i64, BTreeSet<String>>,
    /// Where it is written down.
    pub(super) journal: Option<&'a Path>,
}

/// Erases whom an order is about. Each workspace is done for itself; done again after it was interrupted, it comes to the
/// same. What was done is written into the journal, where one is given.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or there is no such workspace.
pub async fn erase(store: &Store, order: &Order, mode: Mode, journal: Option<&Path>) -> Result<Erased, ErasureError> {
    let key = store.erasure_key().ok_or(store::Error::ErasureKey)?;
    let (workspaces, subjects) = whom(store, order).await?;
    let job = Job { order, mode, key, fingerprints: BTreeMap::new(), journal };
    let whom = workspaces.into_iter().map(|workspace| (workspace, subjects.clone()));
    job.run(store, whom.collect()).await
}

/// The workspaces that a target is looked for in, and what it is known by: a lead by all senders' leads of that id that there
/// are, in the workspaces that have one; where none has, in all of them, because its deliveries may still come.
async fn whom(store: &Store, order: &Order) -> Result<(Vec<WorkspaceId>, Subjects), ErasureError> {
    let mut tx = store.begin(None).await?;
    let all = erased_rows::workspaces(&mut tx).await?;
    let workspaces: Vec<WorkspaceId> = match &order.workspace {
        Some(slug) => vec![*all.get(slug).ok_or_else(|| ErasureError::UnknownWorkspace(slug.clone()))?],
        None => all.into_values().collect(),
    };
    let external_id = match &order.target {
        Target::Address(email) => {
            tx.rollback().await?;
            return Ok((workspaces, [Subject::Address(email.clone())].into()));
        }
        Target::Lead(external_id) => external_id,
    };
    let key = |sender| LeadKey { sender, external_id: external_id.clone() };
    let known = erased_rows::leads_of_id(&mut tx, external_id).await?;
    tx.rollback().await?;
    let here: Vec<_> = known.into_iter().filter(|(workspace, _)| workspaces.contains(workspace)).collect();
    if here.is_empty() {
        let all = [Sender::DealerStudio, Sender::LeadPro].map(|sender| Subject::Lead(key(sender)));
        return Ok((workspaces, all.into()));
    }
    let having: BTreeSet<WorkspaceId> = here.iter().map(|(workspace, _)| *workspace).collect();
    Ok((having.into_iter().collect(), here.into_iter().map(|(_, sender)| Subject::Lead(key(sender))).collect()))
}

impl Job<'_> {
    pub(super) async fn run(&self, store: &Store, whom: Vec<(WorkspaceId, Subjects)>) -> Result<Erased, ErasureError> {
        let mut erased = Erased::default();
        let mut everywhere = Gathered::default();
        for (workspace, subjects) in whom {
            let gathered = self.erase_in(store, workspace, subjects, &mut erased.counts).await?;
            erased.other_addresses.extend(gathered.known.other_addresses.iter().cloned());
            everywhere.known.add(&gathered.known);
        }
        self.erase_unassigned(store, &everywhere, &mut erased.counts).await?;
        Ok(erased)
    }

    /// Whom to look for in a workspace.
    pub(super) fn wanted(&self, workspace: i64) -> Wanted<'_> {
        Wanted { workspace, key: &self.key, fingerprints: self.fingerprints.get(&workspace) }
    }

    /// Erases in one workspace.
    async fn erase_in(
        &self,
        store: &Store,
        workspace: WorkspaceId,
        subjects: Subjects,
        counts: &mut Counts,
    ) -> Result<Gathered, ErasureError> {
        let (wanted, erased_at) = (self.wanted(workspace.get()), self.order.erased_at);
        let began = clock::now();
        let mut gathered = Gathered::of(subjects);
        let mut ahead = store.begin(None).await?;
        gathered.complete(&mut ahead, &wanted, erased_at).await?;
        ahead.rollback().await?;

        let mut tx = store.begin(Some(workspace)).await?;
        erasures::key_of(store, &mut tx, workspace.get()).await?;
        gathered.catch_up(&mut tx, &wanted, erased_at, began - LONGEST_BATCH).await?;
        gathered.complete(&mut tx, &wanted, erased_at).await?;
        let mut here = erase_rows::remove(&mut tx, workspace, &gathered.known, erased_at).await?;
        let bodies: Vec<_> = gathered.deliveries.iter().copied().collect();
        let deleted = erased_bodies::delete(&mut tx, workspace.get(), &bodies, erased_at).await?;
        here.insert("intake.deliveries".to_owned(), deleted);
        let later = gathered.received_since(&mut tx, &wanted, erased_at).await?;
        erased_bodies::apply_again(&mut tx, workspace.get(), &later, clock::now()).await?;
        self.conclude(tx, &wanted, &gathered.known.subjects, &here).await?;
        for (table, count) in here {
            *counts.entry(table).or_default() += count;
        }
        Ok(gathered)
    }

    /// Writes what was erased, and ends the transaction.
    pub(super) async fn conclude(
        &self,
        mut tx: store::Transaction,
        wanted: &Wanted<'_>,
        subjects: &Subjects,
        counts: &Counts,
    ) -> Result<(), ErasureError> {
        let rows = wanted.rows(subjects);
        let key_id = self.key.id();
        let Order { id, erased_at, reason, acted_by, .. } = self.order;
        let order = erasures::Order { id: *id, erased_at: *erased_at, reason: reason.as_deref() };
        erasures::insert(&mut tx, &order, &key_id, &rows, counts).await?;
        match self.mode {
            Mode::DryRun => return Ok(tx.rollback().await?),
            Mode::Commit => {
                actions::record(&mut tx, Action::Erase, acted_by, told(counts)).await?;
                tx.commit().await?;
            }
        }
        let Some(path) = self.journal else { return Ok(()) };
        let lines = rows.into_iter().enumerate().map(|(place, row)| {
            let Fingerprint { workspace, kind, fingerprint } = row;
            let counts = if place == 0 { counts.clone() } else { Counts::new() };
            Line { order_id: *id, erased_at: *erased_at, workspace, kind, fingerprint, key_id: key_id.clone(), counts }
        });
        journal::append(path, &lines.collect::<Vec<_>>())
            .map_err(|error| ErasureError::File(path.display().to_string(), error))
    }
}

/// The counts as an act tells them.
fn told(counts: &Counts) -> actions::Counts {
    counts.iter().map(|(table, count)| (table.clone(), (*count).into())).collect()
}
