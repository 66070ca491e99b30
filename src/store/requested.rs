//! What bookings need, asked for in one question: listings, as far as they decide on bookings, locations and packages.
//! Locations and packages are loaded by their names, because a workspace may have any number of them.

use crate::domain::ids::{ListingId, LocationId, WorkspaceId};
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::leads::{number_texts, vin_texts};
use super::listings::read_status;
use super::locations::{self, PlaceRow};
use super::stored::{LoadError, Place, Unreadable};
use super::unnest::list;
use crate::domain::facts::SaleStatus;
use crate::domain::keys::{Keys, Names};
use crate::domain::state::{Listing, Row, WorkspaceState};
use crate::domain::values::{StockNumber, Vin};
use crate::domain::version::SourceTime;

/// A listing, a location or a package.
struct RequestedRow {
    kind: String,
    id: i64,
    name: Option<String>,
    key: Option<String>,
    dealership_id: Option<i64>,
    status: Option<String>,
    claims: Option<bool>,
    at: Option<DateTime<Utc>>,
    arrived_at: Option<DateTime<Utc>>,
    locations: Option<Vec<i64>>,
    configured: Option<Value>,
    reported: Option<Value>,
}

/// Loads what decides on the bookings of leads: the listings that they ask for or have booked, and the locations and
/// packages that they name or that those listings have.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    keys: &Keys,
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    let booked = state.bookings.values().map(|row| row.value.listing);
    let booked: Vec<ListingId> = booked.filter(|id| !state.listings.contains_key(id)).collect();
    let listings = (vin_texts(&keys.requested_vins), number_texts(&keys.requested_stock_numbers), booked);
    ask(tx, workspace, listings, keys.asked_by_leads(state), state).await
}

/// Loads the locations and packages of these names, as far as they were not asked for before.
pub(super) async fn load_named(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    names: Names,
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    ask(tx, workspace, <_>::default(), names, state).await
}

async fn ask(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    (vins, numbers, listings): (Vec<String>, Vec<String>, Vec<ListingId>),
    names: Names,
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    let names = names.without_loaded(state);
    if vins.is_empty() && numbers.is_empty() && listings.is_empty() && names.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query_file_as!(
        RequestedRow,
        "src/store/load_requested.sql",
        workspace.get(),
        &vins,
        &numbers,
        &list(&listings, |id| id.get()),
        &names.locations.iter().map(String::as_str).collect::<Vec<_>>() as &[&str],
        &names.location_ids.iter().copied().map(LocationId::get).collect::<Vec<_>>(),
        &names.packages.iter().map(String::as_str).collect::<Vec<_>>() as &[&str],
    )
    .fetch_all(tx)
    .await?;
    names.locations.into_iter().for_each(|name| state.locations.ask(name));
    names.packages.into_iter().for_each(|name| state.packages.ask(name));
    Ok(rows.into_iter().try_for_each(|row| add(row, state))?)
}

fn add(row: RequestedRow, state: &mut WorkspaceState) -> Result<(), Unreadable> {
    if row.kind == "listing" {
        let id = ListingId::from(row.id);
        if !state.listings.contains_key(&id) {
            state.listings.insert(id, Row::known(read_listing(row)?));
            state.looked_at.insert(id);
        }
        return Ok(());
    }
    let RequestedRow { id, name, key, at, arrived_at, configured, reported, .. } = row;
    let name = Place::new("locations", "id", id).need("name", name)?;
    let row =
        PlaceRow { id, name, name_key: key, configured, reported, reported_at: at, reported_arrived_at: arrived_at };
    locations::add(row, state)
}

/// A listing of which nothing is known but what decides on bookings.
fn read_listing(row: RequestedRow) -> Result<Listing, Unreadable> {
    let RequestedRow { id, name: vin, key: number, dealership_id, status, claims, at, arrived_at, locations, .. } = row;
    let place = Place::new("listings", "id", id);
    let status = place.read("status", status.as_deref(), read_status)?;
    Ok(Listing {
        id: id.into(),
        vin: place.read("vin", vin.as_deref(), Vin::stored)?,
        displayed_source: None,
        content_at: arrived_at.map(|arrived_at| SourceTime { at, arrived_at }),
        holds_stock_number: claims.unwrap_or_default(),
        content: None,
        stock_number: place.read("stock_number", number.as_deref(), StockNumber::stored)?,
        dealership_id,
        prices: BTreeMap::new(),
        sale_status: SaleStatus::ForSale,
        withdrawn_at: None,
        status: place.need("status", status)?,
        locations: locations.into_iter().flatten().map(LocationId::from).collect(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    })
}
