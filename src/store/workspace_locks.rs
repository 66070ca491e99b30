//! The row of `intake.workspace_locks` by which a workspace is written by one transaction at a time, in any number of
//! processes: whoever writes the workspace holds it to the end of the transaction, and has raised its version.
//!
//! Nobody holds two of them, so that nobody can wait in a circle.

use std::fmt::Write as _;
use std::time::Duration;

use sqlx::PgConnection;

use super::Error;
use crate::domain::ids::WorkspaceId;

/// Adds to the message that begins a transaction that the workspace's row is taken, and for how long it is waited for
/// where somebody else has it. Postgres keeps those who wait in the order of asking. The message returns the row's
/// version, and nothing where there is no such row.
///
/// Whether anything was erased in the workspace is asked by a statement of its own, which sees what was committed while the
/// row was waited for.
///
/// One statement takes the row and raises the version. What is undone, as by a dry run, has raised nothing.
pub(super) fn take(sql: &mut String, workspace: WorkspaceId, wait: Duration) {
    let wait = wait.as_millis().max(1);
    // What stands in it are numbers.
    let _ = write!(
        sql,
        "; set local lock_timeout = {wait}\
        ; update intake.workspace_locks set version = version + 1 where workspace_id = {workspace} returning version\
        ; set local lock_timeout = 0\
        ; select exists (select from intake.erasures where workspace_id = {workspace}) as erasures"
    );
}

/// Makes the rows of these workspaces that are not there, in a transaction that does nothing else.
pub(super) async fn make(tx: &mut PgConnection, workspaces: &[WorkspaceId]) -> Result<(), Error> {
    let workspaces: Vec<i64> = workspaces.iter().copied().map(WorkspaceId::get).collect();
    sqlx::query!(
        "insert into intake.workspace_locks (workspace_id) select workspace_id from unnest($1::bigint[]) as w (workspace_id)
        on conflict do nothing",
        &workspaces
    )
    .execute(tx)
    .await?;
    Ok(())
}
