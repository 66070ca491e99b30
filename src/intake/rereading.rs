//! Stored values read anew, once, where a migration says that they are read otherwise now: persons get the form of
//! their address that is matched today and become one where two have the same, vehicles that a placeholder such as
//! TBA had made one are separated, and the deliveries that may be parsed otherwise today are marked, to be merged again by
//! and by.
//!
//! Each step is a transaction that has the workspace to itself, and begins where the last one ended.

use crate::domain::ids::{PersonId, WorkspaceId};
use crate::domain::person;
use crate::domain::values::Email;
use crate::store::{self, Store, rereading};

/// Reads the stored values of every workspace anew for which that is still to be done.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or a row cannot be read.
pub async fn run(store: &Store) -> Result<(), store::Error> {
    run_telling(store, &|_step| {}).await
}

/// How far a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many persons of this workspace are to be looked at.
    Persons(WorkspaceId, u64),
    /// So many more were looked at.
    LookedAt(u64),
    /// What is left of this workspace is done in one go.
    Rest(WorkspaceId),
}

/// As [`run`], with a report of the progress.
///
/// # Errors
/// The same.
pub async fn run_telling(store: &Store, report: &(dyn Fn(Step) + Sync)) -> Result<(), store::Error> {
    while let Some(workspace) = rereading::next(store).await? {
        tracing::info!(workspace = workspace.get(), "stored values are read anew");
        let left = rereading::persons_left(store, workspace).await?;
        report(Step::Persons(workspace, u64::try_from(left).unwrap_or_default()));
        loop {
            let count = rekey_some(store, workspace).await?;
            if count == 0 {
                break;
            }
            report(Step::LookedAt(u64::try_from(count).unwrap_or_default()));
        }
        report(Step::Rest(workspace));
        let mut tx = store.begin(Some(workspace)).await?;
        rereading::finish(&mut tx, workspace).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Gives the next persons the address that is matched today; returns how many were looked at, none at the end.
async fn rekey_some(store: &Store, workspace: WorkspaceId) -> Result<usize, store::Error> {
    let mut tx = store.begin(Some(workspace)).await?;
    let addresses = rereading::addresses(&mut tx, workspace).await?;
    let (mut rekeyed, mut merged) = (0, 0);
    for (id, stored) in &addresses {
        match Email::parse(stored).filter(|email| email.as_str() != stored) {
            Some(email) if rekey(&mut tx, workspace, *id, stored, &email).await? => merged += 1,
            Some(_) => rekeyed += 1,
            None => {}
        }
    }
    let last = addresses.last().map(|(id, _)| *id);
    let counted = [("persons_rekeyed", rekeyed), ("persons_merged", merged)];
    rereading::count(&mut tx, workspace, last, &counted).await?;
    tx.commit().await?;
    Ok(addresses.len())
}

/// Gives a person another address. Where another person has it, the two are merged, and the result is true.
async fn rekey(
    tx: &mut store::Connection,
    workspace: WorkspaceId,
    id: PersonId,
    stored: &str,
    email: &Email,
) -> Result<bool, store::Error> {
    let mut persons = rereading::persons_of(tx, workspace, [stored, email.as_str()]).await?;
    let former = Email::stored(stored).and_then(|stored| persons.remove(&stored));
    if let (Some(former), Some(mut row)) = (former, persons.remove(email)) {
        person::absorb(&mut row.value, former.value);
        row.mark_dirty();
        rereading::save_joined(tx, workspace, id, email, row).await?;
        return Ok(true);
    }
    rereading::rename_person(tx, workspace, id, email).await?;
    Ok(false)
}
