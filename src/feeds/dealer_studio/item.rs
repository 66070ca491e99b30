//! The vehicle that a lead asks about. Both lead pages describe it; what either lists is known here.

use crate::domain::facts::LeadColumns;
use crate::domain::values::{Json, StockNumber, Vin};
use crate::feeds::lenient::{
    Amount, Id, JsonBuilder, Kept, List, OneOf, Position, StockText, Text, TextOrNumber, Unread, VinText, Whole,
    either, kind, listed, payload,
};

payload! {
    /// `item`: the vehicle of a lead.
    pub struct ItemPayload<'a> {
        /// Kind of vehicle.
        "type" => kind: OneOf<'a, ItemType>,
        /// New, used or demo.
        "car_type" => car_type: Text<'a>,
        /// The sender's id of the car.
        "id" => id: Id<'a>,
        /// VIN, which identifies the car across dealerships.
        "vin" => vin: VinText<'a>,
        /// Status of the vehicle; null where none belongs to the lead.
        "status" => status: OneOf<'a, ItemStatus>,
        /// Colour outside, in the dealer's words.
        "colour" => colour: Text<'a>,
        /// Shape of the body, as `SUV`.
        "body_type" => body_type: Text<'a>,
        /// Code in `RedBook`.
        "redbook_code" => redbook_code: Id<'a>,
        /// Build date.
        "build_date" => build_date: Text<'a>,
        /// Automatic or Manual.
        "transmission" => transmission: Text<'a>,
        /// Interior colour, as the table of the cluster page spells it.
        "interior_colour" => interior_colour: Text<'a>,
        /// Interior colour, as the examples spell it.
        "interior_color" => interior_color: Text<'a>,
        /// Number of the car in the dealer's stock.
        "stock_number" => stock_number: StockText<'a>,
        /// Deposit, of a finance enquiry.
        "deposit" => deposit: Amount<'a>,
        /// Manufacturer, as the sender writes it.
        "make" => make: Text<'a>,
        /// Model, as `Corolla`.
        "model" => model: Text<'a>,
        /// Badge (trim level) within the model.
        "badge" => badge: Text<'a>,
        /// Year, a whole number.
        "year" => year: Whole<'a>,
        /// Price asked for the car; text with a currency sign is read, too.
        "price" => price: Amount<'a>,
        /// Registration number.
        "rego" => rego: Id<'a>,
        /// Engine size, in cubic centimetres or as `2.0L`.
        "engine_size" => engine_size: TextOrNumber<'a>,
        /// Odometer reading in kilometres.
        "km" => km: Amount<'a>,
        /// The dealer's comments on the car.
        "comments" => comments: Text<'a>,
        /// Series (generation) within the model.
        "series" => series: Text<'a>,
        /// Web page of the car, or of the lead.
        "url" => url: Text<'a>,
        /// Spin code.
        "spin_code" => spin_code: Id<'a>,
        /// The car in other systems.
        "third_party_integrations" => third_party_integrations: Kept<List<IntegrationPayload<'a>>>,
    }
}

payload! {
    /// An entry of `third_party_integrations`, kept as it is.
    pub struct IntegrationPayload<'a> {
        /// Name of the other system.
        "service" => service: Unread<kind::Text>,
        /// Id of the car there.
        "external_id" => external_id: Unread<kind::Id>,
    }
}

listed! {
    /// Kinds of vehicles.
    pub ItemType = ["Car", "Motorcycle", "Boat", "Caravan", "Truck", "Trailer", "Bus", "Machinery", "Other"];
    /// Statuses of vehicles.
    pub ItemStatus = ["In Stock", "Sold", "Coming soon"];
}

/// Reads `item` into its columns, and puts together the whole of it.
pub(super) fn facts(payload: ItemPayload<'_>, at: &Position<'_>, columns: &mut LeadColumns) {
    #[rustfmt::skip]
    let ItemPayload {
        kind, car_type, id, vin, status, colour, body_type, redbook_code, build_date, transmission, interior_colour,
        interior_color, stock_number, deposit, make, model, badge, year, price, rego, engine_size, km, comments, series,
        url, spin_code, third_party_integrations, unknown,
    } = payload;
    at.note_unknown(&unknown);
    columns.item_id = id.read(at, "id");
    columns.vin = vin.read(at, "vin");
    columns.stock_number = stock_number.read(at, "stock_number");
    columns.item_make = make.read(at, "make");
    columns.item_model = model.read(at, "model");
    columns.item_year = year.read(at, "year");
    columns.item_price = price.read(at, "price");
    let (name, interior) = either(("interior_colour", interior_colour), ("interior_color", interior_color));
    columns.item = JsonBuilder::default()
        .text("badge", badge.read(at, "badge").as_deref())
        .text("body_type", body_type.read(at, "body_type").as_deref())
        .text("build_date", build_date.read(at, "build_date").as_deref())
        .text("car_type", car_type.read(at, "car_type").as_deref())
        .text("colour", colour.read(at, "colour").as_deref())
        .text("comments", comments.read(at, "comments").as_deref())
        .number("deposit", deposit.read(at, "deposit"))
        .text_or_number("engine_size", engine_size.read(at, "engine_size").as_ref())
        .id("id", columns.item_id.as_deref())
        .text("interior_colour", interior.read(at, name).as_deref())
        .number("km", km.read(at, "km"))
        .text("make", columns.item_make.as_deref())
        .text("model", columns.item_model.as_deref())
        .number("price", columns.item_price)
        .text("redbook_code", redbook_code.read(at, "redbook_code").as_deref())
        .text("rego", rego.read(at, "rego").as_deref())
        .text("series", series.read(at, "series").as_deref())
        .text("spin_code", spin_code.read(at, "spin_code").as_deref())
        .text("status", status.read(at, "status").as_deref())
        .text("stock_number", columns.stock_number.as_ref().map(StockNumber::as_str))
        .json("third_party_integrations", integrations(third_party_integrations, at).as_ref())
        .text("transmission", transmission.read(at, "transmission").as_deref())
        .text("type", kind.read(at, "type").as_deref())
        .text("url", url.read(at, "url").as_deref())
        .text("vin", columns.vin.as_ref().map(Vin::as_str))
        .whole("year", columns.item_year)
        .into_json();
}

fn integrations(integrations: Kept<List<IntegrationPayload<'_>>>, at: &Position<'_>) -> Option<Json> {
    let list = at.kept("third_party_integrations");
    let (json, entries) = integrations.read(&list);
    for (at, IntegrationPayload { service: _, external_id: _, unknown }) in entries {
        at.note_unknown(&unknown);
    }
    json
}
