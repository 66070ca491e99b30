//! Workspaces and dealerships: the configuration, applied to the tables.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Error, Store, session, spread};
use crate::domain::reconciliation::{Plan, StoredWorkspace};
use crate::domain::workspace::{Dealership, DealershipId, Slug, Workspace};

/// The workspaces and dealerships as the tables have them, in a transaction that no other configuration is applied
/// beside.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load_for_change(tx: &mut PgConnection) -> Result<Vec<StoredWorkspace>, Error> {
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended('forecourt configuration', 0)) as "lock!: ()""#)
        .execute(&mut *tx)
        .await?;
    if spread::is_distributed(tx).await? {
        // That lock is known to one server only, and this one to all; rows that refer to workspaces are written meanwhile.
        session::run(tx, "lock table public.workspaces in share row exclusive mode").await?;
    }
    load(tx).await
}

/// The workspaces and dealerships as the tables have them.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load(tx: &mut PgConnection) -> Result<Vec<StoredWorkspace>, Error> {
    let workspaces = sqlx::query!("select id, slug, active from workspaces order by id").fetch_all(&mut *tx).await?;
    let dealerships = sqlx::query!("select dealership_id, workspace_id, active from dealerships").fetch_all(tx).await?;
    let mut of_workspace: BTreeMap<WorkspaceId, BTreeMap<DealershipId, bool>> = BTreeMap::new();
    for row in dealerships {
        of_workspace.entry(row.workspace_id.into()).or_default().insert(row.dealership_id, row.active);
    }
    let stored = workspaces.into_iter().map(|row| StoredWorkspace {
        dealerships: of_workspace.remove(&row.id.into()).unwrap_or_default(),
        id: row.id.into(),
        slug: row.slug,
        active: row.active,
    });
    Ok(stored.collect())
}

/// Saves the workspaces and dealerships of the configuration as they are planned: what it names is there and active
/// afterwards, what it no longer names is inactive. Gives the ids of its workspaces, by their slugs in the
/// configuration.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(
    tx: &mut PgConnection,
    workspaces: &[Workspace],
    plan: &Plan,
) -> Result<BTreeMap<Slug, WorkspaceId>, Error> {
    let ids = save_workspaces(tx, workspaces, plan).await?;
    save_dealerships(tx, workspaces, &ids, plan).await?;
    Ok(ids)
}

/// Makes the rows by which workspaces are locked, where they are not there: in a transaction of its own, once the
/// workspaces are committed, so that nobody waits for a row that is still to come.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn make_locks(store: &Store, ids: impl Iterator<Item = WorkspaceId>) -> Result<(), Error> {
    store.make_locks(&ids.collect::<Vec<_>>()).await
}

/// A workspace keeps its row. One that is not named any more becomes inactive, unless a dealership stays in it.
async fn save_workspaces(
    tx: &mut PgConnection,
    workspaces: &[Workspace],
    plan: &Plan,
) -> Result<BTreeMap<Slug, WorkspaceId>, Error> {
    let mut ids = plan.rows.clone();
    let new: Vec<&Slug> =
        workspaces.iter().map(|workspace| &workspace.slug).filter(|slug| !ids.contains_key(*slug)).collect();
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    let fresh = sqlx::query_scalar!(r#"select nextval('row_ids') as "id!" from generate_series(1, $1::bigint)"#, count);
    ids.extend(new.into_iter().cloned().zip(fresh.fetch_all(&mut *tx).await?.into_iter().map(WorkspaceId::from)));
    let rows = workspaces.iter().map(|workspace| {
        json!({
            "id": ids.get(&workspace.slug).copied().map(WorkspaceId::get), "slug": plan.kept_slugs.get(&workspace.slug).unwrap_or(&workspace.slug),
            "name": workspace.name, "timezone": workspace.timezone.name(),
            "phone_region": workspace.phone_region.code(), "country": workspace.country.code(), "active": true,
        })
    });
    let rows = Value::Array(rows.collect());
    let named: Vec<i64> = ids.values().copied().map(WorkspaceId::get).collect();
    let kept: Vec<i64> = plan.kept.values().map(|kept| kept.workspace.get()).collect();
    sqlx::query!(
        "update workspaces set active = id = any($2) where id <> all($1) and active <> (id = any($2))",
        &named,
        &kept
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into workspaces as known (id, slug, name, timezone, phone_region, country, active)
        select id, slug, name, timezone, phone_region, country, active
        from jsonb_populate_recordset(null::workspaces, $1)
        on conflict (id) do update set slug = excluded.slug, name = excluded.name, timezone = excluded.timezone,
            phone_region = excluded.phone_region, country = excluded.country, active = excluded.active
        where (known.slug, known.name, known.timezone, known.phone_region, known.country, known.active)
            is distinct from (excluded.slug, excluded.name, excluded.timezone, excluded.phone_region, excluded.country,
            excluded.active)",
        rows,
    )
    .execute(tx)
    .await?;
    Ok(ids)
}

/// A dealership belongs to the workspace that the configuration has it in, unless it stays where it is.
async fn save_dealerships(
    tx: &mut PgConnection,
    workspaces: &[Workspace],
    ids: &BTreeMap<Slug, WorkspaceId>,
    plan: &Plan,
) -> Result<(), Error> {
    let rows = workspaces.iter().flat_map(|workspace| {
        workspace.dealerships.iter().map(|Dealership { id, name, timezone, moved_from: _ }| {
            let kept = plan.kept.get(id).map(|kept| kept.workspace);
            json!({
                "dealership_id": id, "workspace_id": kept.or(ids.get(&workspace.slug).copied()).map(WorkspaceId::get), "name": name,
                "timezone": timezone.map(chrono_tz::Tz::name), "active": true,
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
        "insert into dealerships as known (dealership_id, workspace_id, name, timezone, active)
        select dealership_id, workspace_id, name, timezone, active from jsonb_populate_recordset(null::dealerships, $1)
        on conflict (dealership_id) do update set workspace_id = excluded.workspace_id, name = excluded.name,
            timezone = excluded.timezone, active = excluded.active
        where (known.workspace_id, known.name, known.timezone, known.active) is distinct from
            (excluded.workspace_id, excluded.name, excluded.timezone, excluded.active)",
        rows,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The workspaces, among these, in which an identifier of a vehicle is known; no more than two of them, because of more than
/// one nothing follows. They are asked one after the other, each where it is.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn workspaces_with_identifier(
    store: &Store,
    identifier: &str,
    among: &[WorkspaceId],
) -> Result<Vec<WorkspaceId>, Error> {
    let mut found = Vec::new();
    let mut tx = store.begin(None).await?;
    for workspace in among {
        let known = sqlx::query_scalar!(
            r#"select exists (
                select from listing_identifiers where workspace_id = $1 and identifier = $2
            ) as "is_known!""#,
            workspace.get(),
            identifier,
        );
        if known.fetch_one(&mut *tx).await? {
            found.push(*workspace);
        }
        if found.len() > 1 {
            break;
        }
    }
    tx.commit().await?;
    Ok(found)
}
