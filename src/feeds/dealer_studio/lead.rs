//! The lead webhook, v1 to v3 (Dealer Studio's lead page, Loopit's leads page).

use crate::domain::facts::{AppointmentColumns, AppointmentFacts, LeadColumns, LeadFacts, ProspectFacts, Source};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::domain::workspace::Locale;
use crate::feeds::wire::{Object, Rebuilt};

use super::{enquiry, event, item, keyed, prospect};

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
    let external_id = keyed::own_id(root, "lead");
    let prospect = customer(root, locale, &mut columns);
    origin(root, &mut columns);
    handling(root, &mut columns);
    enquiry::read(root, locale, &mut columns);
    item::read(&root.object("item"), &mut columns);
    plan(root, &mut columns);
    let modified_at = root.senders_time("updated_at", locale);
    LeadFacts {
        path_prefix: root.place(),
        source: Source::LeadFeed,
        external_id,
        cluster_external_id: root.identifier("lead_cluster_id"),
        timezone: locale.timezone,
        created_at: root.senders_time("created", locale),
        cluster_membership_at: modified_at,
        modified_at,
        prospect,
        columns,
        trade_in: enquiry::trade_in(&root.object("trade_in_data")),
        property: None,
        appointments: appointments(root, locale),
        events: event::list(root, locale),
    }
}

/// The customer, with the documents of whom the free-form details may tell.
fn customer(root: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> ProspectFacts {
    let (licence, passport) = enquiry::details(root, locale, columns);
    ProspectFacts { licence, passport, ..prospect::read(&root.object("prospect"), locale, columns) }
}

/// Who passes the enquiry on, and from where.
fn origin(root: &Object<'_>, columns: &mut LeadColumns) {
    let dealership = root.object("dealership");
    columns.dealership_id = dealership.number_id("id");
    columns.dealership_name = dealership.text("name");
    columns.dealership_slug = dealership.text("slug");
    columns.subcategory = root.text("subcategory");
    columns.marketing_source = root.word("marketing_source", &MARKETING_SOURCES);
    columns.utm_campaign = root.text("utm_campaign");
    columns.provider = root.text("provider");
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

/// The list of appointments, by id; of one that is listed twice the last counts.
fn appointments(root: &Object<'_>, locale: &Locale) -> Option<Vec<AppointmentFacts>> {
    let list = root.array("appointments")?;
    let entries = keyed::entries(list, "appointment", |appointment| appointment_columns(appointment, locale));
    Some(entries.map(|(external_id, columns)| AppointmentFacts { external_id, columns }).collect())
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
