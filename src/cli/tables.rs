//! The tables brought to this version, with a word about how far that is: on large tables it takes its time.

use crate::intake::rereading;
use crate::store::{self, Pending, Store};

use super::progress::Progress;

/// Brings the tables to this version: first their shape, then what is stored in them. Gives how many migrations there were.
pub(super) async fn bring_up(store: &Store, progress: &Progress) -> Result<usize, store::Error> {
    let applied = std::sync::atomic::AtomicUsize::new(0);
    store
        .migrate_telling(&|migration, missing| {
            applied.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let more = if missing == 1 { String::new() } else { format!(" and {} more", missing - 1) };
            progress.turn_to(&format!("applying migration {}{more}", named(&migration)), 0);
        })
        .await?;
    let applied = applied.into_inner();
    if let Some(hindrance) = rereading_hindrance(store).await? {
        return Err(store::Error::Migration(hindrance));
    }
    rereading::run_telling(store, &|step| match step {
        rereading::Step::Persons(workspace, count) => {
            progress.turn_to(&format!("reading persons of workspace {workspace} anew, done"), count);
        }
        rereading::Step::LookedAt(count) => progress.add(count),
        rereading::Step::Rest(workspace) => {
            progress.turn_to(&format!("reading the other values of workspace {workspace} anew"), 0);
        }
    })
    .await?;
    Ok(applied)
}

/// Why stored values that are to be read anew are not: that is the owner's to do, as migrations are.
async fn rereading_hindrance(store: &Store) -> Result<Option<String>, store::Error> {
    if store::rereading::workspaces(store).await? == 0 {
        return Ok(None);
    }
    let hindrance = store.hindrance_to_migrate().await?;
    Ok(hindrance.map(|hindrance| format!("stored values are to be read anew, and {hindrance}")))
}

/// A migration by its number and its name.
pub(super) fn named(migration: &Pending) -> String {
    format!("{:04} ({})", migration.version, migration.description)
}
