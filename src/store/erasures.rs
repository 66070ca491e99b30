//! What was erased: asked by every batch whose workspace has an erasure, written by those who erase.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::erasure_key::ErasureKey;
use super::unnest::list;
use super::{Error, Store, placements};
use crate::domain::erasure::{Subject, Subjects};
use crate::domain::ids::WorkspaceId;

/// When each of these subjects was erased last in a workspace, of those that were. To be asked after the workspace was
/// locked, so that no erasure comes in between.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or an erasure was made with another key than this process has.
pub async fn among(
    store: &Store,
    tx: &mut PgConnection,
    workspace: Option<WorkspaceId>,
    subjects: &Subjects,
) -> Result<BTreeMap<Subject, DateTime<Utc>>, Error> {
    let workspace = placements::number(workspace);
    let key = key_of(store, tx, workspace).await?;
    let asked: BTreeMap<String, &Subject> =
        subjects.iter().map(|subject| (key.fingerprint(workspace, subject), subject)).collect();
    let fingerprints: Vec<&str> = asked.keys().map(String::as_str).collect();
    let rows = sqlx::query!(
        r#"select fingerprint, max(erased_at) as "erased_at!" from intake.erasures
        where workspace_id = $1 and fingerprint = any($2) group by fingerprint"#,
        workspace,
        &fingerprints as &[&str],
    )
    .fetch_all(tx)
    .await?;
    let known = rows.into_iter().filter_map(|row| Some(((*asked.get(&row.fingerprint)?).clone(), row.erased_at)));
    Ok(known.collect())
}

/// The key of this process, where no erasure of the workspace was made with another one.
///
/// # Errors
/// When there is none, or another one was used.
pub async fn key_of(store: &Store, tx: &mut PgConnection, workspace: i64) -> Result<ErasureKey, Error> {
    let key = store.erasure_key().ok_or(Error::ErasureKey)?;
    let is_foreign = sqlx::query_scalar!(
        r#"select exists (select from intake.erasures where workspace_id = $1 and key_id <> $2) as "is_foreign!""#,
        workspace,
        key.id(),
    );
    if is_foreign.fetch_one(tx).await? { Err(Error::ErasureKey) } else { Ok(key) }
}

/// One row of what was erased, without what it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// The workspace; 0 for none.
    pub workspace: i64,
    /// `address` or `lead`.
    pub kind: String,
    /// The fingerprint.
    pub fingerprint: String,
}

/// Of what order the rows are, and when it was.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Its id.
    pub id: Uuid,
    /// What was received before this is erased.
    pub erased_at: DateTime<Utc>,
    /// Why, in the words of who erased.
    pub reason: Option<&'a str>,
}

/// How many rows of each table were erased, or would be.
pub type Counts = BTreeMap<String, i64>;

/// Writes what was erased, with the counts at the first of the rows. What stands there already stays as it is.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn insert(
    tx: &mut PgConnection,
    order: &Order<'_>,
    key_id: &str,
    rows: &[Fingerprint],
    counts: &Counts,
) -> Result<(), Error> {
    let counts = std::iter::once(json!(counts)).chain(std::iter::repeat(json!({})));
    let counts: Vec<Value> = counts.take(rows.len()).collect();
    sqlx::query!(
        "-- once
        insert into intake.erasures (workspace_id, erased_at, reason, counts, fingerprint, kind, order_id, key_id)
        select workspace_id, $1, $2, counts, fingerprint, kind, $3, $4
        from unnest($5::bigint[], $6::text[], $7::text[], $8::jsonb[]) as e (workspace_id, fingerprint, kind, counts)
        on conflict (workspace_id, fingerprint, erased_at) do nothing",
        order.erased_at,
        order.reason,
        order.id,
        key_id,
        &list(rows, |row| row.workspace),
        &list(rows, |row| row.fingerprint.as_str()) as &[&str],
        &list(rows, |row| row.kind.as_str()) as &[&str],
        &counts,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The ids of the orders that are done in the tables, of these.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn done(tx: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<(Uuid, i64)>, Error> {
    let rows = sqlx::query!(
        "-- once
        select distinct order_id, workspace_id from intake.erasures where order_id = any($1)",
        orders
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.workspace_id)).collect())
}
