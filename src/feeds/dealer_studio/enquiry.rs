//! What a lead says of the enquiry, in the lead feed and in a cluster alike: what kind it is, where and when the customer
//! wants to come, what is asked for beside the car and what is offered in return.

use crate::domain::facts::{LeadColumns, LicenceParts, PassportParts, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::domain::workspace::Locale;
use crate::feeds::identity;
use crate::feeds::wire::{Object, Rebuilt};

use super::prospect;

/// Kinds of enquiry: the cluster page and the public lead API.
const CATEGORIES: [&str; 25] = [
    "New Vehicle Enquiry",
    "Used Vehicle Enquiry",
    "Test Drive Booking",
    "Special Offer Enquiry",
    "Fleet Enquiry",
    "Finance Enquiry",
    "Insurance Enquiry",
    "Subscription Enquiry",
    "Team Member Enquiry",
    "Vehicle Reservation",
    "Online Purchase",
    "Brochure Download",
    "Document Request",
    "Trade-in Enquiry",
    "Sell My Car Enquiry",
    "Service Booking",
    "Service Enquiry",
    "Parts Enquiry",
    "Service Retention",
    "Loan Car Booking",
    "General Enquiry",
    "Survey",
    "Competition Enquiry",
    "Phone Call",
    "Event Enquiry",
];

/// Where enquiries come from: the cluster page, whose dash is not on every keyboard.
const SOURCES: [&str; 11] = [
    "Website",
    "Facebook",
    "Facebook Marketplace",
    "Chatbot",
    "Chatbot — External",
    "Chatbot - External",
    "QR Code",
    "Carsales",
    "Autotrader",
    "Walk In",
    "Phone call",
];

/// Reads what is about the enquiry as a whole.
pub(super) fn read(lead: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) {
    columns.category = lead.word("category", &CATEGORIES);
    columns.source = lead.word("source", &SOURCES);
    columns.comments = lead.text("comments");
    let offer = lead.object("offer_data");
    columns.offer_manufacturer = offer.text("manufacturer");
    columns.offer_name = offer.text("offer_name");
    place(lead, locale, columns);
    requested_time(lead, columns);
}

/// Reads the free-form details: the plan asked for, and identity documents, which are kept apart from the rest.
pub(super) fn details(
    lead: &Object<'_>,
    locale: &Locale,
    columns: &mut LeadColumns,
) -> (Option<LicenceParts>, Option<PassportParts>) {
    let details = lead.free_form_object("additional_details");
    let licence = prospect::licence(&details, locale);
    let passport = prospect::passport(&details, locale);
    columns.requested_plan = details.name("subscription_plan");
    (columns.additional_details, columns.documents) = details.split(identity::is_identity_key);
    (licence, passport)
}

/// Reads the car that the customer offers.
pub(super) fn trade_in(data: &Object<'_>) -> TradeInColumns {
    TradeInColumns {
        registration: data.identifier("rego"),
        kilometres: data.decimal("kms"),
        make: data.text("make"),
        model: data.text("model"),
        badge: data.text("badge"),
        series: data.text("series"),
        year: data.integer("year"),
        state: data.text("state").map(|state| values::australian_state(&state).map_or(state, str::to_owned)),
        title: data.text("title"),
        offer_price: data.decimal("offer_price"),
        trade_price: data.decimal("trade_price"),
        retail_price: data.decimal("retail_price"),
        price_adjustment: data.decimal("price_adjustment"),
        offer_accepted: data.boolean("offer_accepted"),
    }
}

fn place(lead: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) {
    let location = lead.object("location");
    columns.location_name = location.name("location_name");
    columns.location = Rebuilt::default()
        .with("location_name", columns.location_name.clone())
        .with("street", location.text("street"))
        .with("suburb", location.text("suburb"))
        .with("city", location.text("city"))
        .with("state", location.text("state"))
        .with("postcode", location.postcode("postcode", locale.country.is_australia()))
        .into_json();
}

/// The wished date and time, kept as sent.
fn requested_time(root: &Object<'_>, columns: &mut LeadColumns) {
    let (day, time) = (root.text("booking_date"), root.text("booking_time"));
    if day.as_deref().is_some_and(|day| values::date(day).is_none()) {
        root.note(Code::DateInvalid, "booking_date", "not a date; kept as text");
    }
    if time.as_deref().is_some_and(|time| values::time_of_day(time).is_none()) {
        root.note(Code::DateInvalid, "booking_time", "not a time of day; kept as text");
    }
    columns.booking_date = day;
    columns.booking_time = time;
}
