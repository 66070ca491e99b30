//! Workspaces and dealerships: the configuration, applied to the tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Error, Store};
use crate::domain::state::RowId;
use crate::domain::workspace::{Slug, Workspace};

/// Saves the workspaces and dealerships of the configuration: what it names is there and active afterwards, what it no
/// longer names is inactive. Gives the ids of the workspaces.
///
/// # Errors
/// When Postgres refuses or cannot be reached; then nothing was saved.
pub async fn save(store: &Store, workspaces: &[Workspace]) -> Result<BTreeMap<Slug, RowId>, Error> {
    let mut tx = store.begin(None).await?;
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended('forecourt configuration', 0)) as "lock!: ()""#)
        .execute(&mut *tx)
        .await?;
    let ids = save_workspaces(&mut tx, workspaces).await?;
    save_dealerships(&mut tx, workspaces, &ids).await?;
    tx.commit().await?;
    Ok(ids)
}

/// The ids of the active workspaces, as the tables have them.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn ids(store: &Store) -> Result<BTreeMap<Slug, RowId>, Error> {
    let mut tx = store.begin(None).await?;
    let ids = sqlx::query!("select slug, id from workspaces where active").fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(ids.into_iter().map(|row| (row.slug, row.id)).collect())
}

/// A workspace keeps its row by its slug; one that is not named any more becomes inactive.
async fn save_workspaces(tx: &mut PgConnection, workspaces: &[Workspace]) -> Result<BTreeMap<Slug, RowId>, Error> {
    let rows = workspaces.iter().map(|workspace| {
        json!({
            "slug": workspace.slug, "name": workspace.name, "timezone": workspace.timezone.name(),
            "phone_region": workspace.phone_region.code(), "country": workspace.country.code(), "active": true,
        })
    });
    let rows = Value::Array(rows.collect());
    let slugs: Vec<String> = workspaces.iter().map(|workspace| workspace.slug.clone()).collect();
    sqlx::query!("update workspaces set active = false where active and slug <> all($1)", &slugs)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into workspaces as known (id, slug, name, timezone, phone_region, country, active)
        select nextval('row_ids'), slug, name, timezone, phone_region, country, active
        from jsonb_populate_recordset(null::workspaces, $1)
        on conflict (slug) do update set name = excluded.name, timezone = excluded.timezone,
            phone_region = excluded.phone_region, country = excluded.country, active = excluded.active
        where (known.name, known.timezone, known.phone_region, known.country, known.active) is distinct from
            (excluded.name, excluded.timezone, excluded.phone_region, excluded.country, excluded.active)",
        rows,
    )
    .execute(&mut *tx)
    .await?;
    let ids = sqlx::query!("select slug, id from workspaces where slug = any($1)", &slugs).fetch_all(tx).await?;
    Ok(ids.into_iter().map(|row| (row.slug, row.id)).collect())
}

async fn save_dealerships(
    tx: &mut PgConnection,
    workspaces: &[Workspace],
    ids: &BTreeMap<Slug, RowId>,
) -> Result<(), Error> {
    let rows = workspaces.iter().flat_map(|workspace| {
        workspace.dealerships.iter().map(|dealership| {
            json!({
                "dealership_id": dealership.id, "workspace_id": ids.get(&workspace.slug),
                "timezone": dealership.timezone.map(chrono_tz::Tz::name), "active": true,
            })
        })
    });
    let rows = Value::Array(rows.collect());
    let named = workspaces.iter().flat_map(|workspace| &workspace.dealerships);
    let named: Vec<i64> = named.map(|dealership| dealership.id).collect();
    sqlx::query!("update dealerships set active = false where active and dealership_id <> all($1)", &named)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into dealerships as known (dealership_id, workspace_id, timezone, active)
        select dealership_id, workspace_id, timezone, active from jsonb_populate_recordset(null::dealerships, $1)
        on conflict (dealership_id) do update set workspace_id = excluded.workspace_id,
            timezone = excluded.timezone, active = excluded.active
        where (known.workspace_id, known.timezone, known.active) is distinct from
            (excluded.workspace_id, excluded.timezone, excluded.active)",
        rows,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The workspaces, among these, in which an identifier of a vehicle is known.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn workspaces_with_identifier(store: &Store, identifier: &str, among: &[RowId]) -> Result<Vec<RowId>, Error> {
    let mut tx = store.begin(None).await?;
    let ids = sqlx::query_scalar!(
        "select workspace_id from listing_identifiers where workspace_id = any($1) and identifier = $2",
        among,
        identifier,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ids)
}
