//! The facts of a vehicle of the inventory feed.

use std::collections::BTreeMap;

use crate::domain::facts::{
    ListingColumns, ListingContent, LocationColumns, PackagePrices, SaleStatus, SellerLocation, VehicleFacts,
};
use crate::domain::finding::Code;
use crate::domain::values::text::matched;
use crate::domain::values::{self, Json, Vin};
use crate::feeds::lenient::{Kept, List, Nested, Position, Text, TextOrNumber, TextOrNumberValue, kind};

use super::inventory::{
    AttributePayload, CertificationPayload, ColourPayload, DestinationPayload, ExternalIdentifierPayload,
    IdentificationPayload, MediaPayload, OdometerPayload, OperatingHoursPayload, PackagePayload, PartialDatePayload,
    PhotoPayload, PhotoSizePayload, PricePayload, RegistrationPayload, SellerAddressPayload, SellerContactPayload,
    SellerPayload, SpecificationPayload, VehiclePayload, VendorDataPayload, WarrantyPayload,
};

/// The facts of a vehicle.
pub(in crate::feeds) fn facts(payload: VehiclePayload<'_>, at: &Position<'_>) -> VehicleFacts {
    #[rustfmt::skip]
    let VehiclePayload {
        vehicle_type, identifier, listing_type, sale_status, sale_type, description, slug, registration,
        identification, colours, odometer_readings, seller, specification, features, media, compliance_date,
        build_date, warranty, price_list, certification, last_modified, created, vendor_data, destinations,
        subscription_pricing, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let mut columns = ListingColumns::default();
    let identifier = identifier.read(at, "Identifier");
    let vin = self::identification(identification, &at.kept("Identification"), &mut columns);
    columns.vehicle_type = vehicle_type.read(at, "Type");
    columns.listing_type = listing_type.read(at, "ListingType");
    columns.sale_type = sale_type.read(at, "SaleType");
    columns.description = description.read(at, "Description");
    columns.slug = slug.read(at, "Slug");
    columns.source_created_at = created.read(at, "CreatedUtc");
    let sale_status = self::sale_status(sale_status, at, &mut columns);
    let location = self::seller(seller, &at.kept("Seller"), &mut columns);
    self::specification(specification, &at.field("Specification"), &mut columns);
    self::colours(colours, &at.kept("Colours"), &mut columns);
    self::registration(registration, &at.field("Registration"), &mut columns);
    (columns.build_date, columns.build_year, columns.build_month) = partial_date(build_date, &at.kept("BuildDate"));
    (columns.compliance_date, columns.compliance_year, columns.compliance_month) =
        partial_date(compliance_date, &at.kept("ComplianceDate"));
    self::certification(certification, &at.field("Certification"), &mut columns);
    prices(price_list, &at.kept("PriceList"), &mut columns);
    odometer(odometer_readings, &at.kept("OdometerReadings"), &mut columns);
    let packages = packages(subscription_pricing, &at.kept("SubscriptionPricing"), &mut columns);
    columns.features = features.read(&at.kept("Features"));
    columns.media = self::media(media, &at.kept("Media"));
    columns.warranty = self::warranty(warranty, &at.kept("Warranty"));
    columns.vendor_data = self::vendor_data(vendor_data, &at.kept("VendorData"));
    columns.destinations = self::destinations(destinations, &at.kept("Destinations"));
    let modified_at = last_modified.read(at, "LastModifiedUtc");
    VehicleFacts { identifier, vin, sale_status, modified_at, content: ListingContent { columns, location, packages } }
}

/// What the vehicle is known by; the first usable VIN and stock number count.
fn identification(
    list: Kept<List<IdentificationPayload<'_>>>,
    here: &Position<'_>,
    columns: &mut ListingColumns,
) -> Option<Vin> {
    let (kept, entries) = list.read(here);
    let mut vin = None;
    for (at, IdentificationPayload { kind, value, unknown }) in entries {
        at.note_unknown(&unknown);
        let kind = kind.look(&at, "Type");
        if kind.eq_ignore_ascii_case("VIN") && vin.is_none() {
            vin = value.as_kind::<kind::Vin>().read(&at, "Value");
        } else if kind.eq_ignore_ascii_case("StockNumber") && columns.stock_number.is_none() {
            columns.stock_number = value.as_kind::<kind::StockNumber>().read(&at, "Value");
        }
    }
    columns.identification = kept;
    vin
}

/// Whether the vehicle is for sale.
fn sale_status(status: Text<'_>, at: &Position<'_>, columns: &mut ListingColumns) -> Option<SaleStatus> {
    columns.sale_status = status.read(at, "SaleStatus");
    let Some(sent) = columns.sale_status.as_deref() else {
        at.note(Code::FieldMissing, "SaleStatus", "without it the listing keeps its status");
        return None;
    };
    let sent = matched(sent);
    let is = |known: &str| sent.eq_ignore_ascii_case(known);
    if is("For Sale") || is("In Stock") {
        Some(SaleStatus::ForSale)
    } else if is("WITHDRAWN") || is("Sold") {
        Some(SaleStatus::Withdrawn)
    } else {
        at.note(Code::ValueUnlisted, "SaleStatus", "not a documented status; the listing keeps its own");
        None
    }
}

/// The seller, and the location where the vehicle stands.
fn seller(
    seller: Kept<Nested<SellerPayload<'_>>>,
    at: &Position<'_>,
    columns: &mut ListingColumns,
) -> Option<SellerLocation> {
    let payload;
    (columns.seller, payload) = seller.read(at);
    let SellerPayload {
        identifier,
        kind: _,
        name,
        external_identifiers,
        location_code,
        location_name,
        location_id,
        logo: _,
        dealer_licence_number: _,
        dealership_group_names: _,
        addresses,
        contact,
        unknown,
    } = payload;
    at.note_unknown(&unknown);
    columns.dealership_id = identifier.read(at, "Identifier");
    columns.seller_name = name.read(at, "Name");
    columns.location_name = location_name.read(at, "LocationName").or_else(|| columns.seller_name.clone());
    let list = at.field("ExternalIdentifiers");
    for (at, external) in external_identifiers.read(&list).into_iter().flatten() {
        let ExternalIdentifierPayload { identifier_name: _, primary_code: _, unknown } = external;
        at.note_unknown(&unknown);
    }
    let list = at.field("Addresses");
    let addresses = addresses.read(&list).into_iter().flatten();
    let address = addresses.map(|(at, address)| location_address(*address, &at)).reduce(|first, _| first);
    let at_contact = at.field("Contact");
    let SellerContactPayload { phone, operating_hours, unknown } = contact.read(&at_contact);
    at_contact.note_unknown(&unknown);
    let list = at_contact.kept("OperatingHours");
    let (operating_hours, days) = operating_hours.read(&list);
    for (at, OperatingHoursPayload { weekday: _, status: _, open: _, close: _, unknown }) in days {
        at.note_unknown(&unknown);
    }
    let location = LocationColumns {
        phone: phone.read(&at_contact, "Phone"),
        operating_hours,
        sender_location_id: location_id.read(at, "LocationId"),
        sender_location_code: location_code.read(at, "LocationCode"),
        ..address.unwrap_or_default()
    };
    columns.location_name.clone().map(|name| SellerLocation { name, columns: location })
}

fn location_address(payload: SellerAddressPayload<'_>, at: &Position<'_>) -> LocationColumns {
    let SellerAddressPayload { line1, suburb, state, postcode, latitude, longitude, unknown } = payload;
    at.note_unknown(&unknown);
    let state = state.read(at, "State");
    LocationColumns {
        street: line1.read(at, "Line1"),
        suburb: suburb.read(at, "Suburb"),
        state: state.map(|state| values::australian_state(&state).map_or(state, str::to_owned)),
        postcode: postcode.read(at, "Postcode"),
        latitude: latitude.read(at, "Latitude"),
        longitude: longitude.read(at, "Longitude"),
        ..LocationColumns::default()
    }
}

fn specification(specification: Nested<SpecificationPayload<'_>>, at: &Position<'_>, columns: &mut ListingColumns) {
    #[rustfmt::skip]
    let SpecificationPayload {
        identifier, source, code, description, country_code, make, model, series, release_date, title, attributes,
        unknown,
    } = specification.read(at);
    at.note_unknown(&unknown);
    columns.specification_identifier = identifier.read(at, "Identifier");
    columns.specification_source = source.read(at, "SpecificationSource");
    columns.specification_code = code.read(at, "SpecificationCode");
    columns.specification_description = description.read(at, "description");
    columns.country_code = country_code.read(at, "CountryCode");
    columns.make = make.read(at, "Make");
    columns.model = model.read(at, "Model");
    columns.series = series.read(at, "Series");
    columns.title = title.read(at, "Title");
    (columns.release_date, columns.year, _) = partial_date(release_date, &at.kept("ReleaseDate"));
    self::attributes(attributes, &at.kept("Attributes"), columns);
}

/// The attributes that have columns; the first usable of each name counts.
fn attributes(list: Kept<List<AttributePayload<'_>>>, here: &Position<'_>, columns: &mut ListingColumns) {
    let (kept, attributes) = list.read(here);
    columns.attributes = kept;
    for (at, AttributePayload { name, value, unknown }) in attributes {
        at.note_unknown(&unknown);
        let text = |column: &mut Option<String>, value: TextOrNumber<'_>| {
            if column.is_none() {
                *column = value.read(&at, "Value").map(TextOrNumberValue::into_text);
            }
        };
        let count = |column: &mut Option<i64>, value: TextOrNumber<'_>| {
            if column.is_none() {
                *column = value.as_kind::<kind::Whole>().read(&at, "Value");
            }
        };
        let name = name.look(&at, "Name");
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("badge") => text(&mut columns.badge, value),
            () if is("bodystyle") => text(&mut columns.body_style, value),
            () if is("transmission") => text(&mut columns.transmission, value),
            () if is("fueltype") => text(&mut columns.fuel_type, value),
            () if is("drive") => text(&mut columns.drive, value),
            () if is("doors") => count(&mut columns.doors, value),
            () if is("seats") => count(&mut columns.seats, value),
            () => {}
        }
    }
}

/// The colours: outside the one named so, else the first that is not named inside.
fn colours(list: Kept<List<ColourPayload<'_>>>, here: &Position<'_>, columns: &mut ListingColumns) {
    let (kept, colours) = list.read(here);
    columns.colours = kept;
    let mut unplaced = None;
    for (at, ColourPayload { location, name, unknown }) in colours {
        at.note_unknown(&unknown);
        let location = location.look(&at, "Location");
        let name = name.read(&at, "Name");
        let slot = if location.eq_ignore_ascii_case("exterior") {
            &mut columns.colour
        } else if location.eq_ignore_ascii_case("interior") {
            &mut columns.interior_colour
        } else {
            &mut unplaced
        };
        *slot = slot.take().or(name);
    }
    columns.colour = columns.colour.take().or(unplaced);
}

fn registration(registration: Nested<RegistrationPayload<'_>>, at: &Position<'_>, columns: &mut ListingColumns) {
    let RegistrationPayload { number, expires, unknown } = registration.read(at);
    at.note_unknown(&unknown);
    columns.registration_number = number.read(at, "Number");
    columns.registration_expires_at = expires.read(at, "ExpiresUtc");
}

fn certification(certification: Nested<CertificationPayload<'_>>, at: &Position<'_>, columns: &mut ListingColumns) {
    let CertificationPayload { certified, certification_type, unknown } = certification.read(at);
    at.note_unknown(&unknown);
    columns.certified = certified.read(at, "Certified");
    columns.certification_type = certification_type.read(at, "CertificationType");
}

/// A date of which any part may be missing: whole, its year and its month.
fn partial_date(
    date: Kept<Nested<PartialDatePayload<'_>>>,
    at: &Position<'_>,
) -> (Option<Json>, Option<i64>, Option<i64>) {
    let (kept, PartialDatePayload { day: _, month, year, unknown }) = date.read(at);
    at.note_unknown(&unknown);
    (kept, year.read(at, "Year"), month.read(at, "Month"))
}

/// The prices by type; the first usable of each type counts.
fn prices(list: Kept<List<PricePayload<'_>>>, here: &Position<'_>, columns: &mut ListingColumns) {
    let (kept, prices) = list.read(here);
    columns.price_list = kept;
    for (at, PricePayload { kind, currency: _, amount, unknown }) in prices {
        at.note_unknown(&unknown);
        let amount = amount.read(&at, "Amount");
        let kind = kind.look(&at, "Type");
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        let slot = match () {
            () if is("EGC") => &mut columns.price_egc,
            () if is("DAP") => &mut columns.price_dap,
            () if is("BeforePrice") => &mut columns.price_before,
            () if is("RRP") => &mut columns.price_rrp,
            () if is("IGC") => &mut columns.price_igc,
            () => continue,
        };
        *slot = slot.or(amount);
    }
}

/// The first odometer reading that can be used, with its unit.
fn odometer(list: Kept<List<OdometerPayload<'_>>>, here: &Position<'_>, columns: &mut ListingColumns) {
    let (kept, readings) = list.read(here);
    columns.odometer_readings = kept;
    for (at, OdometerPayload { kind: _, value, unit, unknown }) in readings {
        at.note_unknown(&unknown);
        let (value, unit) = (value.read(&at, "Value"), unit.read(&at, "UnitOfMeasure"));
        if columns.odometer.is_none() && value.is_some() {
            (columns.odometer, columns.odometer_unit) = (value, unit);
        }
    }
}

/// Subscription packages with their prices; of one that is named twice the last counts.
fn packages(
    list: Kept<List<Box<PackagePayload<'_>>>>,
    here: &Position<'_>,
    columns: &mut ListingColumns,
) -> Vec<PackagePrices> {
    let (kept, entries) = list.read(here);
    columns.subscription_pricing = kept;
    let mut packages = BTreeMap::new();
    for (at, package) in entries {
        let PackagePayload { name, weekly_price, monthly_price, fortnightly_price, daily_price, unknown } = *package;
        at.note_unknown(&unknown);
        let name = name.read(&at, "Name");
        let prices = PackagePrices {
            name: name.clone().unwrap_or_default(),
            daily_price: daily_price.read(&at, "DailyPrice"),
            weekly_price: weekly_price.read(&at, "WeeklyPrice"),
            fortnightly_price: fortnightly_price.read(&at, "FortnightlyPrice"),
            monthly_price: monthly_price.read(&at, "MonthlyPrice"),
        };
        if let Some(name) = name {
            packages.insert(name, prices);
        } else {
            at.note(Code::FieldMissing, "Name", "a package without a name is left out");
        }
    }
    packages.into_values().collect()
}

fn media(media: Kept<Nested<MediaPayload<'_>>>, at: &Position<'_>) -> Option<Json> {
    let (kept, MediaPayload { photos, unknown }) = media.read(at);
    at.note_unknown(&unknown);
    let list = at.field("Photos");
    for (at, PhotoPayload { url: _, large, thumb, unknown }) in photos.read(&list).into_iter().flatten() {
        at.note_unknown(&unknown);
        for (size, name) in [(large, "Large"), (thumb, "Thumb")] {
            let at = at.field(name);
            let PhotoSizePayload { url: _, unknown } = size.read(&at);
            at.note_unknown(&unknown);
        }
    }
    kept
}

fn warranty(warranty: Kept<Nested<WarrantyPayload<'_>>>, at: &Position<'_>) -> Option<Json> {
    let (kept, WarrantyPayload { unknown }) = warranty.read(at);
    at.note_unknown(&unknown);
    kept
}

fn vendor_data(list: Kept<List<VendorDataPayload<'_>>>, here: &Position<'_>) -> Option<Json> {
    let (kept, vendors) = list.read(here);
    for (at, VendorDataPayload { identifier: _, data: _, unknown }) in vendors {
        at.note_unknown(&unknown);
    }
    kept
}

fn destinations(list: Kept<List<DestinationPayload<'_>>>, here: &Position<'_>) -> Option<Json> {
    let (kept, destinations) = list.read(here);
    for (at, DestinationPayload { kind: _, url: _, name: _, unknown }) in destinations {
        at.note_unknown(&unknown);
    }
    kept
}
