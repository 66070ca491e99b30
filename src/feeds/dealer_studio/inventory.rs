//! The inventory webhook: one vehicle a delivery (Dealer Studio's inventory page, the standard payload).

use std::collections::BTreeMap;

use crate::domain::facts::{
    ListingColumns, ListingContent, LocationColumns, PackagePrices, SaleStatus, SellerLocation, VehicleFacts,
};
use crate::domain::finding::Code;
use crate::domain::values::text::matched;
use crate::domain::values::{self, Json, Vin};
use crate::domain::workspace::Locale;
use crate::feeds::wire::Object;

const VEHICLE_TYPES: [&str; 7] = ["Car", "Bike", "Boat", "Truck", "Caravan", "Construction", "Agriculture"];
const LISTING_TYPES: [&str; 4] = ["new", "used", "demo", "showroom"];
const SALE_TYPES: [&str; 5] = ["Retail", "Sale", "Share", "Rent", "Auction"];
const IDENTIFICATION_TYPES: [&str; 6] = ["VIN", "HIN", "Engine", "Chassis", "StockNumber", "NetworkId"];
const PRICE_TYPES: [&str; 6] = ["DAP", "EGC", "BeforePrice", "RRP", "IGC", "WHS"];
const UNITS: [&str; 3] = ["KM", "Miles", "Hour"];
const COLOUR_LOCATIONS: [&str; 2] = ["Exterior", "Interior"];

/// Reads a vehicle.
pub(in crate::feeds) fn read(root: &Object<'_>, locale: &Locale) -> VehicleFacts {
    let mut columns = ListingColumns::default();
    let identifier = root.identifier("Identifier");
    let vin = identification(root, &mut columns);
    let sale_status = sale(root, locale, &mut columns);
    let location = seller(root, locale, &mut columns);
    specification(&root.object("Specification"), &mut columns);
    appearance(root, &mut columns);
    papers(root, &mut columns);
    prices(root, &mut columns);
    odometer(root, &mut columns);
    let packages = packages(root, &mut columns);
    kept_whole(root, &mut columns);
    let modified_at = root.senders_time("LastModifiedUtc", locale);
    VehicleFacts { identifier, vin, sale_status, modified_at, content: ListingContent { columns, location, packages } }
}

/// What the vehicle is known by; the first usable VIN and stock number count.
fn identification(root: &Object<'_>, columns: &mut ListingColumns) -> Option<Vin> {
    let (kept, entries) = root.whole_array("Identification");
    let mut vin = None;
    for entry in entries {
        entry.pass_over(&["Value"]);
        let kind = entry.word("Type", &IDENTIFICATION_TYPES).unwrap_or_default();
        if kind.eq_ignore_ascii_case("VIN") && vin.is_none() {
            vin = entry.vin("Value");
        } else if kind.eq_ignore_ascii_case("StockNumber") && columns.stock_number.is_none() {
            columns.stock_number = entry.stock_number("Value");
        }
    }
    columns.identification = kept;
    vin
}

/// Whether and how the vehicle is sold.
fn sale(root: &Object<'_>, locale: &Locale, columns: &mut ListingColumns) -> Option<SaleStatus> {
    columns.vehicle_type = root.word("Type", &VEHICLE_TYPES);
    columns.listing_type = root.word("ListingType", &LISTING_TYPES);
    columns.sale_type = root.word("SaleType", &SALE_TYPES);
    columns.description = root.text("Description");
    columns.slug = root.text("Slug");
    columns.source_created_at = root.senders_time("CreatedUtc", locale);
    columns.sale_status = root.text("SaleStatus");
    match columns.sale_status.as_deref().map(|sent| matched(sent).to_ascii_lowercase()).as_deref() {
        Some("for sale" | "in stock") => Some(SaleStatus::ForSale),
        Some("withdrawn" | "sold") => Some(SaleStatus::Withdrawn),
        Some(_) => {
            root.note(Code::ValueUnlisted, "SaleStatus", "not a documented status; the listing keeps its own");
            None
        }
        None => {
            root.note(Code::FieldMissing, "SaleStatus", "without it the listing keeps its status");
            None
        }
    }
}

/// The seller, and the location where the vehicle stands.
fn seller(root: &Object<'_>, locale: &Locale, columns: &mut ListingColumns) -> Option<SellerLocation> {
    let (kept, seller) = root.whole_object("Seller");
    columns.seller = kept;
    columns.dealership_id = seller.number_id("Identifier");
    columns.seller_name = seller.name("Name");
    columns.location_name = seller.name("LocationName").or_else(|| columns.seller_name.clone());
    seller.pass_over(&["Type", "Logo", "DealerLicenceNumber", "DealershipGroupNames"]);
    for external in seller.array("ExternalIdentifiers").into_iter().flatten() {
        external.pass_over(&["IdentifierName", "PrimaryCode"]);
    }
    let addresses: Vec<_> =
        seller.array("Addresses").into_iter().flatten().map(|address| location_address(&address, locale)).collect();
    let contact = seller.object("Contact");
    let (operating_hours, days) = contact.whole_array("OperatingHours");
    days.for_each(|day| day.pass_over(&["Weekday", "Status", "Open", "Close"]));
    let location = LocationColumns {
        phone: contact.phone("Phone", locale),
        operating_hours,
        sender_location_id: seller.identifier("LocationId"),
        sender_location_code: seller.identifier("LocationCode"),
        ..addresses.into_iter().next().unwrap_or_default()
    };
    columns.location_name.clone().map(|name| SellerLocation { name, columns: location })
}

fn location_address(address: &Object<'_>, locale: &Locale) -> LocationColumns {
    LocationColumns {
        street: address.text("Line1"),
        suburb: address.text("Suburb"),
        state: address.text("State").map(|state| values::australian_state(&state).map_or(state, str::to_owned)),
        postcode: address.postcode("Postcode", locale.country.is_australia()),
        latitude: address.decimal("Latitude"),
        longitude: address.decimal("Longitude"),
        ..LocationColumns::default()
    }
}

fn specification(specification: &Object<'_>, columns: &mut ListingColumns) {
    columns.specification_identifier = specification.identifier("Identifier");
    columns.specification_source = specification.text("SpecificationSource");
    columns.specification_code = specification.identifier("SpecificationCode");
    columns.specification_description = specification.text("description");
    columns.country_code = specification.text("CountryCode");
    columns.make = specification.text("Make");
    columns.model = specification.text("Model");
    columns.series = specification.text("Series");
    columns.title = specification.text("Title");
    (columns.release_date, columns.year, _) = partial_date(specification, "ReleaseDate");
    attributes(specification, columns);
}

/// The attributes that have columns; the first usable of each name counts.
fn attributes(specification: &Object<'_>, columns: &mut ListingColumns) {
    let (kept, attributes) = specification.whole_array("Attributes");
    columns.attributes = kept;
    for attribute in attributes {
        attribute.pass_over(&["Value"]);
        let text = |column: &mut Option<String>| {
            if column.is_none() {
                *column = attribute
                    .text_or_number("Value")
                    .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        };
        let count = |column: &mut Option<i64>| {
            if column.is_none() {
                *column = attribute.integer("Value");
            }
        };
        match attribute.text("Name").unwrap_or_default().to_ascii_lowercase().as_str() {
            "badge" => text(&mut columns.badge),
            "bodystyle" => text(&mut columns.body_style),
            "transmission" => text(&mut columns.transmission),
            "fueltype" => text(&mut columns.fuel_type),
            "drive" => text(&mut columns.drive),
            "doors" => count(&mut columns.doors),
            "seats" => count(&mut columns.seats),
            _ => {}
        }
    }
}

/// The colours: outside the one named so, else the first that is not named inside.
fn appearance(root: &Object<'_>, columns: &mut ListingColumns) {
    let (kept, colours) = root.whole_array("Colours");
    columns.colours = kept;
    let mut unplaced = None;
    for colour in colours {
        let place = colour.word("Location", &COLOUR_LOCATIONS).unwrap_or_default();
        let name = colour.text("Name");
        let slot = match place.to_ascii_lowercase().as_str() {
            "exterior" => &mut columns.colour,
            "interior" => &mut columns.interior_colour,
            _ => &mut unplaced,
        };
        *slot = slot.take().or(name);
    }
    columns.colour = columns.colour.take().or(unplaced);
}

fn papers(root: &Object<'_>, columns: &mut ListingColumns) {
    let registration = root.object("Registration");
    columns.registration_number = registration.identifier("Number");
    columns.registration_expires_at = registration.timestamp("ExpiresUtc");
    (columns.build_date, columns.build_year, columns.build_month) = partial_date(root, "BuildDate");
    (columns.compliance_date, columns.compliance_year, columns.compliance_month) = partial_date(root, "ComplianceDate");
    let certification = root.object("Certification");
    columns.certified = certification.boolean("Certified");
    columns.certification_type = certification.text("CertificationType");
}

/// A date of which any part may be missing: whole, its year and its month.
fn partial_date(holder: &Object<'_>, name: &'static str) -> (Option<Json>, Option<i64>, Option<i64>) {
    let (kept, date) = holder.whole_object(name);
    date.pass_over(&["Day"]);
    (kept, date.integer("Year"), date.integer("Month"))
}

/// The prices by type; the first usable of each type counts.
fn prices(root: &Object<'_>, columns: &mut ListingColumns) {
    let (kept, prices) = root.whole_array("PriceList");
    columns.price_list = kept;
    for price in prices {
        price.pass_over(&["Currency"]);
        let amount = price.decimal("Amount");
        let slot = match price.word("Type", &PRICE_TYPES).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EGC" => &mut columns.price_egc,
            "DAP" => &mut columns.price_dap,
            "BEFOREPRICE" => &mut columns.price_before,
            "RRP" => &mut columns.price_rrp,
            "IGC" => &mut columns.price_igc,
            _ => continue,
        };
        *slot = slot.or(amount);
    }
}

fn odometer(root: &Object<'_>, columns: &mut ListingColumns) {
    let (kept, readings) = root.whole_array("OdometerReadings");
    columns.odometer_readings = kept;
    for reading in readings {
        reading.pass_over(&["Type"]);
        let (value, unit) = (reading.decimal("Value"), reading.word("UnitOfMeasure", &UNITS));
        if columns.odometer.is_none() && value.is_some() {
            (columns.odometer, columns.odometer_unit) = (value, unit);
        }
    }
}

/// Subscription packages with their prices; of one that is named twice the last counts.
fn packages(root: &Object<'_>, columns: &mut ListingColumns) -> Vec<PackagePrices> {
    let (kept, entries) = root.whole_array("SubscriptionPricing");
    columns.subscription_pricing = kept;
    let mut packages = BTreeMap::new();
    for entry in entries {
        let name = entry.name("Name");
        let prices = PackagePrices {
            name: name.clone().unwrap_or_default(),
            daily_price: entry.decimal("DailyPrice"),
            weekly_price: entry.decimal("WeeklyPrice"),
            fortnightly_price: entry.decimal("FortnightlyPrice"),
            monthly_price: entry.decimal("MonthlyPrice"),
        };
        if let Some(name) = name {
            packages.insert(name, prices);
        } else {
            entry.note(Code::FieldMissing, "Name", "a package without a name is left out");
        }
    }
    packages.into_values().collect()
}

/// What has no columns of its own.
fn kept_whole(root: &Object<'_>, columns: &mut ListingColumns) {
    columns.features = root.free_form("Features");
    let (media, files) = root.whole_object("Media");
    columns.media = media;
    for photo in files.array("Photos").into_iter().flatten() {
        photo.pass_over(&["Url"]);
        photo.object("Large").pass_over(&["Url"]);
        photo.object("Thumb").pass_over(&["Url"]);
    }
    // The page shows an empty object and lists no field.
    columns.warranty = root.whole_object("Warranty").0;
    let (vendor_data, vendors) = root.whole_array("VendorData");
    columns.vendor_data = vendor_data;
    vendors.for_each(|vendor| vendor.pass_over(&["Identifier", "Data"]));
    let (destinations, entries) = root.whole_array("Destinations");
    columns.destinations = destinations;
    entries.for_each(|entry| entry.pass_over(&["type", "url", "name"]));
}
