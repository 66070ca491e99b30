//! Erasures done over on a database that was restored from before them, by the file that says what was erased and not whom
//! it was about: the fingerprint of everybody that the tables know is compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::job::Job;
use super::journal::{self, Line};
use super::order::{Erased, ErasureError, Mode, Order, Target};
use crate::domain::erasure::Subjects;
use crate::domain::ids::WorkspaceId;
use crate::store::{self, Store, erased_rows, erasures};

/// What an order of the file erased.
struct Past {
    erased_at: DateTime<Utc>,
    /// By workspace.
    fingerprints: BTreeMap<i64, BTreeSet<String>>,
}

/// Does the erasures of a file over that the tables do not have. Gives how many orders there were, and what they came to.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or the file is none that an erasure writes.
pub async fn again(
    store: &Store,
    text: &str,
    acted_by: &str,
    mode: Mode,
    journal: Option<&Path>,
) -> Result<(usize, Erased), ErasureError> {
    let key = store.erasure_key().ok_or(store::Error::ErasureKey)?;
    let (lines, unreadable) = journal::read(text);
    match (lines.first(), unreadable.first()) {
        (None, Some(first)) => return Err(ErasureError::Line(*first)),
        (Some(_), Some(_)) => tracing::warn!(lines = ?unreadable, "lines that cannot be read are passed over"),
        (Some(_) | None, None) => {}
    }
    if let Some(place) = lines.iter().position(|line| line.key_id != key.id()) {
        return Err(ErasureError::Line(place + 1));
    }
    let open = open(store, lines).await?;
    let mut erased = Erased::default();
    for (id, past) in &open {
        let Past { erased_at, fingerprints } = past;
        let order = Order {
            id: *id,
            erased_at: *erased_at,
            // Whom it was about is not known.
            target: Target::Lead(String::new()),
            workspace: None,
            reason: Some("done again after a restore".to_owned()),
            acted_by: acted_by.to_owned(),
        };
        let mut whom = Vec::new();
        for (workspace, wanted) in fingerprints.iter().filter(|(workspace, _)| **workspace != 0) {
            let workspace = WorkspaceId::from(*workspace);
            let mut tx = store.begin(None).await?;
            let all = erased_rows::all_subjects(&mut tx, workspace).await?;
            tx.rollback().await?;
            let is_wanted = |subject: &_| wanted.contains(&key.fingerprint(workspace.get(), subject));
            whom.push((workspace, all.into_iter().filter(is_wanted).collect::<Subjects>()));
        }
        let job = Job { order: &order, mode, key: key.clone(), fingerprints: fingerprints.clone(), journal };
        let done = job.run(store, whom).await?;
        erased.other_addresses.extend(done.other_addresses);
        for (table, count) in done.counts {
            *erased.counts.entry(table).or_default() += count;
        }
    }
    Ok((open.len(), erased))
}

/// The orders of a file, less what the tables have of them: an erasure that a dump holds was done before it.
async fn open(store: &Store, lines: Vec<Line>) -> Result<BTreeMap<Uuid, Past>, ErasureError> {
    let ids: BTreeSet<Uuid> = lines.iter().map(|line| line.order_id).collect();
    let mut tx = store.begin(None).await?;
    let done = erasures::done(&mut tx, &Vec::from_iter(ids)).await?;
    tx.rollback().await?;
    let mut open: BTreeMap<Uuid, Past> = BTreeMap::new();
    for line in lines.into_iter().filter(|line| !done.contains(&(line.order_id, line.workspace))) {
        let Line { order_id, erased_at, workspace, fingerprint, .. } = line;
        let past = open.entry(order_id).or_insert_with(|| Past { erased_at, fingerprints: BTreeMap::new() });
        past.fingerprints.entry(workspace).or_default().insert(fingerprint);
    }
    Ok(open)
}
