//! Stock numbers: they mean something only inside a dealership, and dealers use them again.

use std::cmp::Reverse;

use super::ids::ListingId;
use super::state::{Listing, ListingStatus, WorkspaceState};
use super::values::StockNumber;
use super::version::SourceTime;
use super::workspace::DealershipId;

/// A stock number of one dealership.
pub type StockKey = (DealershipId, StockNumber);

/// The stock number that a listing claims: that of its newest for-sale delivery.
#[must_use]
pub fn claim(listing: &Listing) -> Option<(StockKey, SourceTime)> {
    let (dealership, number) = (listing.dealership_id?, listing.stock_number.clone()?);
    listing.holds_stock_number.then_some(())?;
    Some(((dealership, number), listing.content_at?))
}

/// The listing that has the newest claim on a stock number.
#[must_use]
pub fn holder(state: &WorkspaceState, stock_key: &StockKey) -> Option<ListingId> {
    let claims = state.listings.values().filter_map(|row| {
        let (claimed, at) = claim(&row.value)?;
        (claimed == *stock_key).then_some((at, row.value.id))
    });
    claims.max().map(|(_, id)| id)
}

/// The listing that bears a stock number: of this dealership before others, then one for sale, then of the dealership
/// with the smallest id, so that the choice does not change with every delivery, then the newest.
pub fn listing_with<'a>(
    state: &'a WorkspaceState,
    number: &StockNumber,
    dealership: Option<DealershipId>,
    comparable: impl Fn(&Listing) -> bool,
) -> Option<&'a Listing> {
    let bearers = state.listings.values().map(|row| &row.value);
    let bearers = bearers.filter(|listing| listing.stock_number.as_ref() == Some(number) && comparable(listing));
    bearers.min_by_key(|listing| {
        let elsewhere = dealership.is_none() || listing.dealership_id != dealership;
        let (unlisted, newest) = (listing.status != ListingStatus::ForSale, Reverse((listing.content_at, listing.id)));
        (elsewhere, unlisted, listing.dealership_id, newest)
    })
}
