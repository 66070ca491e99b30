//! What bookings need, as it was loaded: listings, as far as they decide on bookings, locations and packages. Locations and
//! packages are loaded by their names, because a workspace may have any number of them.

use crate::domain::ids::{ListingId, LocationId};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::DateTime;
use serde_json::Value;

use super::listings::read_status;
use super::locations::{self, PlaceRow};
use super::stored::{Stored, Unreadable};
use crate::domain::facts::SaleStatus;
use crate::domain::keys::Names;
use crate::domain::state::{Listing, Row, WorkspaceState};
use crate::domain::values::{StockNumber, Vin};
use crate::domain::version::SourceTime;

/// What was found of the listings, locations and packages that were asked for.
#[derive(Debug, Default)]
pub(super) struct Requested {
    /// The names that were asked for.
    pub(super) names: Names,
    listings: BTreeMap<ListingId, Listing>,
    places: Vec<PlaceRow>,
}

impl Requested {
    /// Adds a row: that of a listing shows the locations it is at, that of a location the key of its name.
    pub(super) fn add(&mut self, row: &Value) -> Result<(), Unreadable> {
        if row.get("locations").is_some() {
            let listing = read_listing(Stored::row("listings", "id", row)?)?;
            self.listings.insert(listing.id, listing);
        } else {
            let table = if row.get("name_key").is_some() { "locations" } else { "packages" };
            self.places.push(read_place(Stored::row(table, "id", row)?)?);
        }
        Ok(())
    }

    /// Adds what was found to what is known, which stays as it is.
    pub(super) fn show(self, state: &mut WorkspaceState) -> Result<(), Unreadable> {
        let Self { names, listings, places } = self;
        for (id, listing) in listings {
            if let Entry::Vacant(place) = state.listings.entry(id) {
                place.insert(Row::known(listing));
                state.looked_at.insert(id);
            }
        }
        names.locations.into_iter().for_each(|name| state.locations.ask(name));
        names.packages.into_iter().for_each(|name| state.packages.ask(name));
        places.into_iter().try_for_each(|row| locations::add(row, state))
    }
}

fn read_place(row: Stored<'_>) -> Result<PlaceRow, Unreadable> {
    Ok(PlaceRow {
        id: row.id(),
        name: row.needed_text("name")?,
        name_key: row.text("name_key")?,
        configured: row.value("configured").cloned(),
        reported: row.value("reported").cloned(),
        reported_at: row.instant("reported_at")?,
        reported_arrived_at: row.instant("reported_arrived_at")?,
    })
}

/// A listing of which nothing is known but what decides on bookings.
fn read_listing(row: Stored<'_>) -> Result<Listing, Unreadable> {
    let at = row.instant("source_modified_at")?;
    let status = row.parsed("status", read_status)?;
    Ok(Listing {
        id: row.id(),
        vin: row.parsed("vin", Vin::stored)?,
        displayed_source: None,
        content_at: row.instant("content_arrived_at")?.map(|arrived_at| SourceTime { at, arrived_at }),
        holds_stock_number: row.flag("claims")?.unwrap_or_default(),
        content: None,
        stock_number: row.parsed("stock_number", StockNumber::stored)?,
        dealership_id: row.int("dealership_id")?,
        prices: BTreeMap::new(),
        sale_status: SaleStatus::ForSale,
        withdrawn_at: None,
        status: row.need("status", status)?,
        locations: row.list("locations", |id| id.as_i64().map(LocationId::from))?,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    })
}
