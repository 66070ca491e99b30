//! The vehicle that a lead asks about. Both lead pages describe it; what either lists is known here.

use crate::domain::facts::LeadColumns;
use crate::domain::values::{StockNumber, Vin};
use crate::feeds::wire::{Object, Rebuilt};

const TYPES: [&str; 9] = ["Car", "Motorcycle", "Boat", "Caravan", "Truck", "Trailer", "Bus", "Machinery", "Other"];
const STATUSES: [&str; 3] = ["In Stock", "Sold", "Coming soon"];

/// Reads `item` into its columns, and keeps the whole of it.
pub(super) fn read(item: &Object<'_>, columns: &mut LeadColumns) {
    columns.item_id = item.identifier("id");
    columns.vin = item.vin("vin");
    columns.stock_number = item.stock_number("stock_number");
    columns.item_make = item.text("make");
    columns.item_model = item.text("model");
    columns.item_year = item.integer("year");
    columns.item_price = item.decimal("price");
    columns.item = appearance(item, sale(item, identity(item, columns))).into_json();
}

fn identity(item: &Object<'_>, columns: &LeadColumns) -> Rebuilt {
    Rebuilt::default()
        .with_id("id", columns.item_id.as_deref())
        .with("type", item.word("type", &TYPES))
        .with("car_type", item.text("car_type"))
        .with("vin", columns.vin.as_ref().map(Vin::as_str))
        .with("stock_number", columns.stock_number.as_ref().map(StockNumber::as_str))
        .with("make", columns.item_make.clone())
        .with("model", columns.item_model.clone())
        .with("badge", item.text("badge"))
        .with("series", item.text("series"))
        .with("year", columns.item_year)
        .with_number("price", columns.item_price)
        .with("rego", item.identifier("rego"))
        .with("spin_code", item.identifier("spin_code"))
        .with("redbook_code", item.identifier("redbook_code"))
}

fn sale(item: &Object<'_>, rebuilt: Rebuilt) -> Rebuilt {
    let (integrations, services) = item.whole_array("third_party_integrations");
    services.for_each(|service| service.pass_over(&["service", "external_id"]));
    rebuilt
        .with("status", item.word("status", &STATUSES))
        .with_number("deposit", item.decimal("deposit"))
        .with("comments", item.text("comments"))
        .with("url", item.text("url"))
        .with_json("third_party_integrations", integrations.as_ref())
}

fn appearance(item: &Object<'_>, rebuilt: Rebuilt) -> Rebuilt {
    rebuilt
        .with("colour", item.text("colour"))
        .with("interior_colour", item.text(item.either("interior_colour", "interior_color")))
        .with("body_type", item.text("body_type"))
        .with("build_date", item.text("build_date"))
        .with("engine_size", item.text_or_number("engine_size"))
        .with("transmission", item.text("transmission"))
        .with_number("km", item.decimal("km"))
}
