//! The rows of a person, whole, for an export.

use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::Error;
use super::erased_rows::KnownRows;
use crate::domain::ids::WorkspaceId;

/// Every row that belongs to the person, by table. What only the service reads is left out.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn rows(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    known: &KnownRows,
) -> Result<Map<String, Value>, Error> {
    let rows = sqlx::query_file!(
        "src/store/known_person.sql",
        workspace.get(),
        &known.persons,
        &known.own_leads,
        &known.contacts,
        &known.clusters,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.table, row.rows)).collect())
}
