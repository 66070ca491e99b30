//! Bookings, one for each lead.

use crate::domain::ids::{LeadId, PersonId, WorkspaceId};
use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::json_row;
use super::stored::{LoadError, Place, read_booking_request};
use super::unnest::list;
use crate::domain::state::{Booking, Row, WorkspaceState};

/// Loads the bookings of these leads.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    leads: &[LeadId],
) -> Result<BTreeMap<LeadId, Row<Booking>>, LoadError> {
    if leads.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select lead_id, person_id, listing_id, location_id, package_id, wish, created_at, updated_at from bookings
        where workspace_id = $1 and lead_id = any($2)",
        workspace.get(),
        &list(leads, |id| id.get()),
    )
    .fetch_all(tx)
    .await?;
    let bookings = rows.into_iter().map(|row| {
        let place = Place::new("bookings", "lead_id", row.lead_id);
        let booking = Booking {
            person: row.person_id.map(Into::into),
            listing: row.listing_id.into(),
            location: row.location_id.into(),
            package: row.package_id.into(),
            booking_request: place.need("wish", read_booking_request(&row.wish))?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok((row.lead_id.into(), Row::known(booking)))
    });
    bookings.collect()
}

/// Writes the bookings that changed.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.bookings.iter().filter(|(_, row)| row.is_dirty());
    let bookings: Vec<(LeadId, &Booking)> = dirty.map(|(lead, row)| (*lead, &row.value)).collect();
    if bookings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into bookings
            (workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish,
            created_at, updated_at)
        select $1, lead_id, person_id, listing_id, location_id, package_id, 'requested', wish::jsonb,
            created_at, updated_at
        from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
            $8::timestamptz[], $9::timestamptz[])
            as b (lead_id, person_id, listing_id, location_id, package_id, wish, created_at, updated_at)
        on conflict (workspace_id, lead_id) do update set
            person_id = excluded.person_id, listing_id = excluded.listing_id, location_id = excluded.location_id,
            package_id = excluded.package_id, wish = excluded.wish, updated_at = excluded.updated_at",
        workspace.get(),
        &list(&bookings, |(lead, _)| lead.get()),
        &list(&bookings, |(_, booking)| booking.person.map(PersonId::get)) as &[Option<i64>],
        &list(&bookings, |(_, booking)| booking.listing.get()),
        &list(&bookings, |(_, booking)| booking.location.get()),
        &list(&bookings, |(_, booking)| booking.package.get()),
        &list(&bookings, |(_, booking)| json_row::booking_request(&booking.booking_request).to_string()),
        &list(&bookings, |(_, booking)| booking.created_at),
        &list(&bookings, |(_, booking)| booking.updated_at),
    )
    .execute(tx)
    .await?;
    Ok(())
}
