//! Listings as lists, one for each column of the table.

use crate::domain::ids::WorkspaceId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::identifiers::sale_status_name;
use super::unnest::save_lists;
use crate::domain::facts::{ListingContent, ListingLists};
use crate::domain::state::Listing;
use crate::domain::values::{StockNumber, Vin};

/// The columns that are not the sender's own, or not only.
#[derive(Debug, Default)]
struct Rows<'a> {
    id: Vec<i64>,
    identifier: Vec<Option<&'a str>>,
    vin: Vec<Option<&'a str>>,
    shows_vin: Vec<Option<&'a str>>,
    status: Vec<&'static str>,
    withdrawn_at: Vec<Option<DateTime<Utc>>>,
    stock_number: Vec<Option<&'a str>>,
    dealership_id: Vec<Option<i64>>,
    source_modified_at: Vec<Option<DateTime<Utc>>>,
    content_arrived_at: Vec<Option<DateTime<Utc>>>,
    claims: Vec<bool>,
    word: Vec<&'static str>,
    created_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, listing: &'a Listing) {
        let Listing {
            id,
            vin,
            displayed_source,
            content_at,
            holds_stock_number,
            content: _,
            stock_number,
            dealership_id,
            prices: _,
            sale_status,
            withdrawn_at,
            status,
            locations: _,
            created_at,
            updated_at,
        } = listing;
        self.id.push(id.get());
        self.identifier.push(displayed_source.as_ref().map(|(identifier, _)| identifier.as_str()));
        self.vin.push(vin.as_ref().map(Vin::as_str));
        self.shows_vin.push(displayed_source.as_ref().and_then(|(_, vin)| vin.as_ref()).map(Vin::as_str));
        self.status.push(status.name());
        self.withdrawn_at.push(*withdrawn_at);
        self.stock_number.push(stock_number.as_ref().map(StockNumber::as_str));
        self.dealership_id.push(*dealership_id);
        self.source_modified_at.push(content_at.and_then(|at| at.at));
        self.content_arrived_at.push(content_at.map(|at| at.arrived_at));
        self.claims.push(*holds_stock_number);
        self.word.push(sale_status_name(*sale_status));
        self.created_at.push(*created_at);
        self.updated_at.push(*updated_at);
    }
}

/// Writes listings whose content changed, or that are new, whole.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listings: impl Iterator<Item = (&Listing, &ListingContent)>,
) -> Result<(), sqlx::Error> {
    let (mut rows, mut columns) = (Rows::default(), ListingLists::default());
    for (listing, content) in listings {
        rows.push(listing);
        columns.push(&content.columns);
    }
    if rows.id.is_empty() {
        return Ok(());
    }
    save_lists!(
        "src/store/save_listings.sql", workspace,
        rows => id identifier vin shows_vin status withdrawn_at stock_number dealership_id source_modified_at
            content_arrived_at claims word created_at updated_at;
        columns => seller_name location_name seller vehicle_type listing_type sale_status sale_type make model series
            badge year body_style transmission fuel_type drive doors seats colour interior_colour odometer
            odometer_unit registration_number registration_expires_at price_egc price_dap price_before price_rrp
            price_igc title description slug specification_identifier specification_source specification_code
            specification_description country_code release_date build_year build_month build_date compliance_year
            compliance_month compliance_date certified certification_type identification colours odometer_readings
            attributes features media warranty price_list vendor_data destinations subscription_pricing
            source_created_at;
    )
    .execute(tx)
    .await?;
    Ok(())
}
