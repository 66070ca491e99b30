//! The content of a listing as a whole: its digest, and the prices that are watched.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::columns::Scalar;
use super::facts::{ListingColumns, ListingContent, PackagePrices, SellerLocation};
use super::state::WatchedPrices;

impl ListingContent {
    /// A digest that tells whether two contents are the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self { columns, location, packages } = self;
        let mut text = String::with_capacity(8_192);
        columns.visit(&mut |name, value| print(&mut text, name, value.as_ref()));
        if let Some(SellerLocation { name, columns }) = location {
            print(&mut text, "location", Some(&Scalar::Text(name.clone())));
            columns.visit(&mut |name, value| print(&mut text, name, value.as_ref()));
        }
        for PackagePrices { name, daily_price, weekly_price, fortnightly_price, monthly_price } in packages {
            print(&mut text, "package", Some(&Scalar::Text(name.clone())));
            print(&mut text, "daily", daily_price.map(Scalar::Decimal).as_ref());
            print(&mut text, "weekly", weekly_price.map(Scalar::Decimal).as_ref());
            print(&mut text, "fortnightly", fortnightly_price.map(Scalar::Decimal).as_ref());
            print(&mut text, "monthly", monthly_price.map(Scalar::Decimal).as_ref());
        }
        Sha256::digest(text).iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// One column in a form in which equal values are equal texts.
fn print(text: &mut String, name: &str, value: Option<&Scalar>) {
    let value: Cow<'_, str> = match value {
        None => return,
        Some(Scalar::Text(value)) => value.into(),
        Some(Scalar::Int(value)) => value.to_string().into(),
        Some(Scalar::Decimal(value)) => value.normalize().to_string().into(),
        Some(Scalar::Bool(value)) => value.to_string().into(),
        Some(Scalar::Date(value)) => value.to_string().into(),
        Some(Scalar::Time(value)) => value.timestamp_micros().to_string().into(),
        Some(Scalar::Json(value)) => value.as_str().into(),
    };
    let _ = writeln!(text, "{name}:{}:{value}", value.len());
}

/// The columns whose changes are kept.
const WATCHED: [&str; 5] = ["price_egc", "price_dap", "price_before", "price_rrp", "price_igc"];

/// The watched prices, from the columns in their order.
#[must_use]
pub fn prices_of(columns: [Option<Decimal>; 5]) -> WatchedPrices {
    WATCHED.into_iter().zip(columns).filter_map(|(column, price)| Some((column, price?))).collect()
}

impl ListingColumns {
    /// The prices whose changes are kept.
    #[must_use]
    pub fn prices(&self) -> WatchedPrices {
        let mut prices = WatchedPrices::new();
        self.visit(&mut |name, value| {
            if let (Some(column), Some(Scalar::Decimal(price))) = (WATCHED.iter().find(|known| **known == name), value)
            {
                prices.insert(column, price);
            }
        });
        prices
    }
}
