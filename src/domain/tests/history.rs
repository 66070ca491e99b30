//! Deliveries in small: a few names, so that they meet.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::domain::facts::{
    ListingColumns, ListingContent, LocationColumns, PackagePrices, SaleStatus, SellerLocation, VehicleFacts,
};
use crate::domain::values::{StockNumber, Vin};

/// One vehicle in one delivery. Each number stands for one of a few values.
#[derive(Clone, Debug)]
pub(super) struct Vehicle {
    pub(super) identifier: Option<u8>,
    pub(super) vin: Option<u8>,
    pub(super) number: Option<u8>,
    pub(super) dealership: Option<u8>,
    pub(super) sale_status: Option<SaleStatus>,
    pub(super) content: u8,
}

/// The moment that stands at a place of a history.
pub(super) fn moment(place: usize) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(i64::try_from(place).unwrap())
}

/// Histories: each entry is later, by the sender's clock, than the one before.
pub(super) fn vehicles() -> impl Strategy<Value = Vec<Vehicle>> {
    prop::collection::vec(vehicle(), 1..14)
}

fn vehicle() -> impl Strategy<Value = Vehicle> {
    let identifier = prop_oneof![6 => (0..3_u8).prop_map(Some), 1 => Just(None)];
    let vin = prop_oneof![3 => (0..3_u8).prop_map(Some), 2 => Just(None)];
    let number = prop_oneof![4 => (0..2_u8).prop_map(Some), 1 => Just(None)];
    let dealership = prop_oneof![5 => Just(Some(0_u8)), 2 => Just(Some(1)), 1 => Just(None)];
    let sale_status = prop_oneof![
        5 => Just(Some(SaleStatus::ForSale)),
        3 => Just(Some(SaleStatus::Withdrawn)),
        1 => Just(None),
    ];
    (identifier, vin, number, dealership, sale_status, 0..6_u8).prop_map(
        |(identifier, vin, number, dealership, sale_status, content)| Vehicle {
            identifier,
            vin,
            number,
            dealership,
            sale_status,
            content,
        },
    )
}

impl Vehicle {
    /// What a delivery of it says, at a place of the history.
    pub(super) fn facts(&self, place: usize) -> VehicleFacts {
        VehicleFacts {
            identifier: self.identifier.map(|number| (9_000 + u32::from(number)).to_string()),
            vin: self.vin.and_then(|number| Vin::parse(&format!("VIN{number}"))),
            sale_status: self.sale_status,
            modified_at: Some(moment(place)),
            content: self.content(),
        }
    }

    /// The seller stands in it only with the dealership; the location's details and the prices vary.
    fn content(&self) -> ListingContent {
        let variant = self.content;
        let location = self.dealership.map(|dealership| SellerLocation {
            name: if variant == 5 { format!("yard {dealership}") } else { format!("Yard {dealership}") },
            columns: LocationColumns { street: Some(format!("Street {}", variant % 2)), ..LocationColumns::default() },
        });
        let package = |name: &str, price: u8| PackagePrices {
            name: name.to_owned(),
            daily_price: Some(Decimal::from(price)),
            ..PackagePrices::default()
        };
        let packages = match variant {
            0 => Vec::new(),
            1 | 2 => vec![package("Starter", variant)],
            _ => vec![package("Premium", variant), package("Starter", 1)],
        };
        let columns = ListingColumns {
            stock_number: self.number.and_then(|number| StockNumber::parse(&format!("N{number}"))),
            dealership_id: self.dealership.map(i64::from),
            description: Some(format!("content {variant}")),
            price_egc: (variant != 0).then(|| Decimal::from(1_000 * u32::from(variant % 3))),
            ..ListingColumns::default()
        };
        ListingContent { columns, location, packages }
    }
}
