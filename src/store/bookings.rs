//! Bookings, one for each lead.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::record;
use crate::domain::world::{Booking, Row, RowId, Tenant};

/// Loads the bookings of these leads.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: i64,
    leads: &[RowId],
) -> Result<BTreeMap<RowId, Row<Booking>>, sqlx::Error> {
    let rows = sqlx::query!(
        "select lead_id, person_id, listing_id, location_id, package_id, wish, created_at, updated_at from bookings
        where workspace_id = $1 and lead_id = any($2)",
        workspace,
        leads,
    )
    .fetch_all(tx)
    .await?;
    let bookings = rows.into_iter().filter_map(|row| {
        let booking = Booking {
            person: row.person_id,
            listing: row.listing_id,
            location: row.location_id,
            package: row.package_id,
            wish: record::read_wish(&row.wish)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Some((row.lead_id, Row::known(booking)))
    });
    Ok(bookings.collect())
}

/// Writes the bookings that changed.
pub(super) async fn save(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.bookings.iter().filter(|(_, row)| row.is_dirty());
    let bookings: Vec<Value> = dirty.map(|(lead, row)| write(workspace, *lead, &row.value)).collect();
    if bookings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into bookings
            (workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish,
            created_at, updated_at)
        select workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish,
            created_at, updated_at
        from jsonb_populate_recordset(null::bookings, $1)
        on conflict (workspace_id, lead_id) do update set
            person_id = excluded.person_id, listing_id = excluded.listing_id, location_id = excluded.location_id,
            package_id = excluded.package_id, wish = excluded.wish, updated_at = excluded.updated_at",
        Value::Array(bookings),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write(workspace: i64, lead: RowId, booking: &Booking) -> Value {
    let Booking { person, listing, location, package, wish, created_at, updated_at } = booking;
    json!({
        "workspace_id": workspace, "lead_id": lead, "person_id": person, "listing_id": listing,
        "location_id": location, "package_id": package, "status": "requested", "wish": record::wish(wish),
        "created_at": record::time(*created_at), "updated_at": record::time(*updated_at),
    })
}
