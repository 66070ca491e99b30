//! The names that payloads give dealerships: they stand in for those that the configuration does not say.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Error;
use super::dealership_feeds::Accepted;
use super::unnest::list;
use crate::domain::ids::WorkspaceId;
use crate::domain::workspace::DealershipId;

/// A name that a delivery gave a dealership.
#[derive(Debug)]
struct Reported {
    dealership: DealershipId,
    name: String,
    received_at: DateTime<Utc>,
}

/// Stores the names that the newest of these deliveries gave their dealerships, where they are other ones than before.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save_reported(tx: &mut PgConnection, workspace: WorkspaceId, accepted: &[Accepted]) -> Result<(), Error> {
    let mut reported = load(tx, workspace, accepted).await?;
    // Of a dealership the newest last, and each once: no row may be written twice.
    reported.sort_by_key(|one| (one.dealership, one.received_at));
    reported.reverse();
    reported.dedup_by_key(|one| one.dealership);
    if reported.is_empty() {
        return Ok(());
    }
    // A name that is older than the known one is no news.
    sqlx::query!(
        "update dealerships d set reported_name = r.name, reported_name_at = r.received_at,
            name = coalesce(d.configured_name, r.name)
        from unnest($2::bigint[], $3::text[], $4::timestamptz[]) as r (dealership_id, name, received_at)
        where d.workspace_id = $1 and d.dealership_id = r.dealership_id and d.reported_name is distinct from r.name
            and (d.reported_name_at is null or d.reported_name_at < r.received_at)",
        workspace.get(),
        &list(&reported, |one| one.dealership),
        &list(&reported, |one| one.name.as_str()) as &[&str],
        &list(&reported, |one| one.received_at),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What the rows that these deliveries are about call their dealerships: a lead's `dealership.name`, a vehicle's `Seller.Name`.
async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    accepted: &[Accepted],
) -> Result<Vec<Reported>, sqlx::Error> {
    sqlx::query_as!(
        Reported,
        r#"select k.dealership as "dealership!", n.name as "name!", k.received_at as "received_at!"
        from unnest($2::bigint[], $3::uuid[], $4::timestamptz[]) as k (dealership, delivery, received_at)
        cross join lateral (
            select feed, external_id from intake.deliveries
            where workspace_id = $1 and id = k.delivery and received_at = k.received_at offset 0
        ) e
        cross join lateral (
            select dealership_name as name from leads
            where e.feed = 'lead' and workspace_id = $1 and sender = 'dealer_studio' and external_id = e.external_id
                and dealership_id = k.dealership
            union all
            select v.seller_name from (
                select listing_id from listing_identifiers
                where e.feed = 'inventory' and workspace_id = $1 and identifier = e.external_id offset 0
            ) i
            cross join lateral (
                select seller_name, dealership_id from listings where workspace_id = $1 and id = i.listing_id offset 0
            ) v
            where v.dealership_id = k.dealership
        ) n
        where n.name is not null"#,
        workspace.get(),
        &list(accepted, |one| one.dealership),
        &list(accepted, |one| one.last_id),
        &list(accepted, |one| one.last_at),
    )
    .fetch_all(tx)
    .await
}
