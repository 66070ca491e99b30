//! The tables brought to this version, with a word about how far that is: on large tables it takes its time.

use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::intake::rereading;
use crate::store::actions::{self, Action, Counts};
use crate::store::{self, Pending, Store};

use super::progress::Progress;

/// Brings the tables to this version: first their shape, then what is stored in them. Gives how many migrations there were,
/// which a row of `intake.actions` tells, too.
pub(super) async fn bring_up(store: &Store, progress: &Progress, acted_by: &str) -> Result<usize, store::Error> {
    let begun = Mutex::new(Vec::new());
    let migrated = store
        .migrate_telling(&|migration, missing| {
            begun.lock().unwrap_or_else(PoisonError::into_inner).push(migration.version);
            let more = if missing == 1 { String::new() } else { format!(" and {} more", missing - 1) };
            progress.turn_to(&format!("applying migration {}{more}", named(&migration)), 0);
        })
        .await;
    let mut applied = begun.into_inner().unwrap_or_else(PoisonError::into_inner);
    if migrated.is_err() {
        // The last one was begun, and undone.
        applied.pop();
    }
    let count = applied.len();
    record(store, acted_by, applied).await;
    migrated?;
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
    Ok(count)
}

/// Leaves a row of the migrations that were applied, if there were any.
pub(super) async fn record(store: &Store, acted_by: &str, applied: Vec<i64>) {
    if applied.is_empty() {
        return;
    }
    let counts =
        Counts::from_iter([("migrations".to_owned(), json!(applied.len())), ("versions".to_owned(), json!(applied))]);
    if let Err(error) = actions::record_alone(store, Action::Migrate, acted_by, counts).await {
        tracing::warn!(error = error.without_values(), "the migrations could not be noted in intake.actions");
    }
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
