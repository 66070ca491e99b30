//! The lead webhook, v1 to v3 (Dealer Studio's lead page, Loopit's leads page).

use std::collections::BTreeMap;

use crate::domain::facts::{
    AppointmentColumns, AppointmentFacts, LeadColumns, LeadFacts, ProspectFacts, Source, TradeInColumns,
};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::domain::workspace::Locale;
use crate::feeds::wire::{Object, Rebuilt};

use super::{item, prospect};

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

/// The public lead API.
const MARKETING_SOURCES: [&str; 17] = [
    "Facebook",
    "Adwords",
    "Organic",
    "Unknown",
    "QR Code",
    "Email",
    "SMS",
    "GMB",
    "Carsales",
    "Instagram",
    "Popup",
    "Linkedin",
    "CRM",
    "Messenger",
    "Audience Network",
    "TikTok",
    "YouTube",
];

/// What a status stands for; its name is the dealer's own.
const STATUS_TYPES: [&str; 5] = ["new", "contacted", "lost", "invalid", "converted"];

const APPOINTMENT_STATUSES: [&str; 5] = ["pending", "completed", "cancelled", "no-show", "interest_registered"];

/// Reads a lead.
pub(in crate::feeds) fn read(root: &Object<'_>, locale: &Locale) -> LeadFacts {
    let mut columns = LeadColumns::default();
    let id = root.either("id", "Id");
    let external_id = root.identifier(id);
    if external_id.is_none() {
        root.note(Code::IdMissing, id, "the lead has no usable id and is not stored");
    }
    let prospect = customer(root, locale, &mut columns);
    enquiry(root, &mut columns);
    handling(root, &mut columns);
    item::read(&root.object("item"), &mut columns);
    plan(root, &mut columns);
    place(root, locale, &mut columns);
    requested_time(root, &mut columns);
    // Events are documented here as always empty; the cluster feed carries them.
    root.pass_over(&["lead_events"]);
    LeadFacts {
        place: String::new(),
        source: Source::LeadFeed,
        external_id,
        cluster_external_id: root.identifier("lead_cluster_id"),
        timezone: locale.timezone,
        created_at: root.senders_time("created", locale),
        modified_at: root.senders_time("updated_at", locale),
        prospect,
        columns,
        trade_in: trade_in(&root.object("trade_in_data")),
        appointments: appointments(root, locale),
    }
}

/// The customer, and what the free-form details say of identity documents, which are kept apart from the rest.
fn customer(root: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> ProspectFacts {
    let details = root.free_form_object("additional_details");
    let licence = prospect::licence(&details, locale);
    let passport = prospect::passport(&details, locale);
    columns.requested_plan = details.name("subscription_plan");
    (columns.additional_details, columns.documents) = details.split(prospect::is_identity_key);
    ProspectFacts { licence, passport, ..prospect::read(&root.object("prospect"), locale, columns) }
}

fn enquiry(root: &Object<'_>, columns: &mut LeadColumns) {
    let dealership = root.object("dealership");
    columns.dealership_id = dealership.number_id("id");
    columns.dealership_name = dealership.text("name");
    columns.dealership_slug = dealership.text("slug");
    columns.category = root.word("category", &CATEGORIES);
    columns.subcategory = root.text("subcategory");
    columns.source = root.word("source", &SOURCES);
    columns.marketing_source = root.word("marketing_source", &MARKETING_SOURCES);
    columns.utm_campaign = root.text("utm_campaign");
    columns.provider = root.text("provider");
    columns.comments = root.text("comments");
    columns.has_test_drives = root.boolean("has_test_drives");
    let website = root.object("website");
    columns.website = Rebuilt::default()
        .with_id("id", website.identifier("id").as_deref())
        .with("url", website.text("url"))
        .with("name", website.text("name"))
        .with("slug", website.text("slug"))
        .into_json();
}

fn handling(root: &Object<'_>, columns: &mut LeadColumns) {
    let status = root.object("lead_status_option");
    columns.status = status.text("name");
    columns.status_type = status.word("status_type", &STATUS_TYPES);
    columns.status_option_id = status.identifier("id");
    columns.lost_reason = root.text("lost_reason");
    columns.lost_reason_comment = root.text("lost_reason_comment");
    let salesperson = root.object("assigned_salesperson");
    columns.salesperson_id = salesperson.identifier("id");
    columns.salesperson_name = salesperson.text("name");
    columns.salesperson_email = salesperson.text("email");
    let pipeline = root.object("pipeline");
    columns.pipeline_id = pipeline.identifier("id");
    columns.pipeline_name = pipeline.text("name");
    let offer = root.object("offer_data");
    columns.offer_manufacturer = offer.text("manufacturer");
    columns.offer_name = offer.text("offer_name");
}

fn plan(root: &Object<'_>, columns: &mut LeadColumns) {
    let plan = root.object("subscription_plan");
    columns.offered_plan = plan.name("name");
    columns.subscription = Rebuilt::default()
        .with("name", columns.offered_plan.clone())
        .with_id("subscription_id", plan.identifier("subscription_id").as_deref())
        .with_number("daily_price_for_car", plan.decimal("daily_price_for_car"))
        .with_number("weekly_price_for_car", plan.decimal("weekly_price_for_car"))
        .with_number("fortnightly_price_for_car", plan.decimal("fortnightly_price_for_car"))
        .with_number("monthly_price_for_car", plan.decimal("monthly_price_for_car"))
        .into_json();
}

fn place(root: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) {
    let location = root.object("location");
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

fn trade_in(data: &Object<'_>) -> TradeInColumns {
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

/// The list of appointments, by id; of one that is listed twice the last counts.
fn appointments(root: &Object<'_>, locale: &Locale) -> Option<Vec<AppointmentFacts>> {
    let mut by_id = BTreeMap::new();
    for (position, appointment) in root.array("appointments")?.enumerate() {
        let columns = appointment_columns(&appointment, locale);
        if let Some(external_id) = appointment.identifier("id") {
            by_id.insert(external_id.clone(), (position, AppointmentFacts { external_id, columns }));
        } else {
            appointment.note(Code::IdMissing, "id", "the appointment has no usable id and is not stored");
        }
    }
    let mut in_order: Vec<_> = by_id.into_values().collect();
    in_order.sort_unstable_by_key(|(position, _)| *position);
    Some(in_order.into_iter().map(|(_, appointment)| appointment).collect())
}

fn appointment_columns(appointment: &Object<'_>, locale: &Locale) -> AppointmentColumns {
    let starts_at_local = appointment.text("starts_at");
    let starts_at = starts_at_local.as_deref().and_then(|text| {
        let local = values::local_date_time(text).and_then(|local| values::in_zone(local, locale.timezone));
        local.or_else(|| values::timestamp(text))
    });
    if starts_at_local.is_some() && starts_at.is_none() {
        appointment.note(Code::DateInvalid, "starts_at", "not a time as yyyy-mm-dd hh:mm:ss; kept as text");
    }
    AppointmentColumns {
        starts_at,
        starts_at_local,
        length_minutes: appointment.integer("length_in_minutes"),
        status: appointment.word("status", &APPOINTMENT_STATUSES),
        ai_generated: appointment.boolean("ai_generated"),
        user_id: appointment.identifier("user_id"),
        note: appointment.text("note"),
        sender_location_id: appointment.identifier("location_id"),
        car_for_test_drive: appointment.text("car_for_test_drive"),
    }
}
