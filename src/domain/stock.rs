//! Stock numbers: they mean something only inside a dealership, and dealers use them again.

use std::cmp::Reverse;

use super::stamp::Moment;
use super::values::StockNumber;
use super::workspace::DealershipId;
use super::world::{Listing, ListingStatus, RowId, Tenant};

/// A stock number of one dealership.
pub type Shelf = (DealershipId, StockNumber);

/// The stock number that a listing claims: that of its newest for-sale delivery.
#[must_use]
pub fn claim(listing: &Listing) -> Option<(Shelf, Moment)> {
    let (dealership, number) = (listing.dealership_id?, listing.stock_number.clone()?);
    listing.claims.then_some(())?;
    Some(((dealership, number), listing.content_at?))
}

/// The listing that has the newest claim on a stock number.
#[must_use]
pub fn holder(tenant: &Tenant, shelf: &Shelf) -> Option<RowId> {
    let claims = tenant.listings.values().filter_map(|row| {
        let (claimed, at) = claim(&row.value)?;
        (claimed == *shelf).then_some((at, row.value.id))
    });
    claims.max().map(|(_, id)| id)
}

/// The listing that bears a stock number: of this dealership before others, then one for sale, then of the dealership
/// with the smallest id, so that the choice does not change with every delivery, then the newest.
pub fn listing_with<'a>(
    tenant: &'a Tenant,
    number: &StockNumber,
    dealership: Option<DealershipId>,
    comparable: impl Fn(&Listing) -> bool,
) -> Option<&'a Listing> {
    let bearers = tenant.listings.values().map(|row| &row.value);
    let bearers = bearers.filter(|listing| listing.stock_number.as_ref() == Some(number) && comparable(listing));
    bearers.min_by_key(|listing| {
        let elsewhere = dealership.is_none() || listing.dealership_id != dealership;
        let (unlisted, newest) = (listing.status != ListingStatus::ForSale, Reverse((listing.content_at, listing.id)));
        (elsewhere, unlisted, listing.dealership_id, newest)
    })
}
