//! The lead webhook, v1 to v3 (Dealer Studio's lead page, Loopit's leads page).

use crate::domain::facts::{AppointmentColumns, AppointmentFacts, LeadColumns, LeadFacts, ProspectFacts, Source};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::feeds::lenient::{
    Amount, Flag, Id, JsonBuilder, KeptInHalves, List, Name, Nested, NumberId, OneOf, Position, SendersTime, Text,
    Whole, listed, payload,
};

use super::by_id;
use super::documents::{self, AdditionalDetailsPayload};
use super::enquiry::{self, Category, Enquiry, EnquirySource, LocationPayload, OfferPayload, TradeInPayload};
use super::event::{self, EventPayload};
use super::handling::{NamedPayload, id_and_name};
use super::item::{self, ItemPayload};
use super::prospect::{self, ProspectPayload};

payload! {
    /// A lead, as the lead webhook posts it.
    pub struct LeadPayload<'a> {
        /// The sender's id of the lead, by which updates find it.
        "id" => id: Id<'a>,
        /// The same, in the other spelling.
        "Id" => capital_id: Id<'a>,
        /// The vehicle asked about.
        "item" => item: Nested<ItemPayload<'a>>,
        /// Where the enquiry came from.
        "source" => source: OneOf<'a, EnquirySource>,
        /// When the lead was made.
        "created" => created: SendersTime<'a>,
        /// The website on which it was made.
        "website" => website: Nested<WebsitePayload<'a>>,
        /// Kind of enquiry.
        "category" => category: OneOf<'a, Category>,
        /// The customer's message.
        "comments" => comments: Text<'a>,
        /// Where the customer wants to come.
        "location" => location: Nested<LocationPayload<'a>>,
        /// The customer.
        "prospect" => prospect: Nested<ProspectPayload<'a>>,
        /// The sender's name for itself.
        "provider" => provider: Text<'a>,
        /// The dealership, whose id tells the workspace.
        "dealership" => dealership: Nested<DealershipPayload<'a>>,
        /// When the lead was last changed.
        "updated_at" => updated_at: SendersTime<'a>,
        /// What happened to the lead; always empty on the page.
        "lead_events" => lead_events: List<Box<EventPayload<'a>>>,
        /// UTM campaign.
        "utm_campaign" => utm_campaign: Text<'a>,
        /// The car that the customer offers.
        "trade_in_data" => trade_in_data: Nested<TradeInPayload<'a>>,
        /// The subscription plan that the page of the car offers.
        "subscription_plan" => subscription_plan: Nested<SubscriptionPlanPayload<'a>>,
        /// Id of the lead cluster.
        "lead_cluster_id" => lead_cluster_id: Id<'a>,
        /// Marketing source.
        "marketing_source" => marketing_source: OneOf<'a, MarketingSource>,
        /// Whatever the website sent beside, the plan asked for and identity documents among it.
        "additional_details" => additional_details: KeptInHalves<Nested<AdditionalDetailsPayload<'a>>>,
        /// Status of the lead.
        "lead_status_option" => lead_status_option: Nested<StatusOptionPayload<'a>>,
        /// The assigned salesperson.
        "assigned_salesperson" => assigned_salesperson: Nested<SalespersonPayload<'a>>,
        /// Finer kind of enquiry.
        "subcategory" => subcategory: Text<'a>,
        /// The day on which the customer wants to come.
        "booking_date" => booking_date: Text<'a>,
        /// The time at which the customer wants to come.
        "booking_time" => booking_time: Text<'a>,
        /// The special offer asked for.
        "offer_data" => offer_data: Nested<OfferPayload<'a>>,
        /// The pipeline that the lead is in.
        "pipeline" => pipeline: Nested<NamedPayload<'a>>,
        /// v3: whether the cluster has a test drive.
        "has_test_drives" => has_test_drives: Flag<'a>,
        /// v3: the whole list of the cluster's appointments, by start time.
        "appointments" => appointments: List<Box<AppointmentPayload<'a>>>,
        /// Comment on why the lead was lost.
        "lost_reason_comment" => lost_reason_comment: Text<'a>,
        /// Why the lead was lost.
        "lost_reason" => lost_reason: Text<'a>,
    }
}

payload! {
    /// `website` of the lead page.
    pub struct WebsitePayload<'a> {
        /// The sender's id of the site.
        "id" => id: Id<'a>,
        /// Web address of the site.
        "url" => url: Text<'a>,
        /// Name.
        "name" => name: Text<'a>,
        /// Name in addresses.
        "slug" => slug: Text<'a>,
    }
}

payload! {
    /// `dealership`: decides the workspace.
    pub struct DealershipPayload<'a> {
        /// The id that the configuration lists under a workspace.
        "id" => id: NumberId<'a>,
        /// Name.
        "name" => name: Text<'a>,
        /// Name in addresses.
        "slug" => slug: Text<'a>,
    }
}

payload! {
    /// `subscription_plan`.
    pub struct SubscriptionPlanPayload<'a> {
        /// Name of the plan.
        "name" => name: Name<'a>,
        /// The sender's id of the plan.
        "subscription_id" => subscription_id: Id<'a>,
        /// Price of a day for this car.
        "daily_price_for_car" => daily_price_for_car: Amount<'a>,
        /// Price of a week for this car.
        "weekly_price_for_car" => weekly_price_for_car: Amount<'a>,
        /// Price of a month for this car.
        "monthly_price_for_car" => monthly_price_for_car: Amount<'a>,
        /// Price of a fortnight for this car.
        "fortnightly_price_for_car" => fortnightly_price_for_car: Amount<'a>,
    }
}

payload! {
    /// `lead_status_option`.
    pub struct StatusOptionPayload<'a> {
        /// Id.
        "id" => id: Id<'a>,
        /// The dealer's name of the status.
        "name" => name: Text<'a>,
        /// What the status stands for.
        "status_type" => status_type: OneOf<'a, StatusType>,
    }
}

payload! {
    /// `assigned_salesperson` of a lead.
    pub struct SalespersonPayload<'a> {
        /// Id.
        "id" => id: Id<'a>,
        /// Name.
        "name" => name: Text<'a>,
        /// E-mail address, as sent.
        "email" => email: Text<'a>,
    }
}

payload! {
    /// An entry of `appointments` (v3).
    pub struct AppointmentPayload<'a> {
        /// The sender's id of the appointment.
        "id" => id: Id<'a>,
        /// The same, in the other spelling.
        "Id" => capital_id: Id<'a>,
        /// Whether the booking was made by AI.
        "ai_generated" => ai_generated: Flag<'a>,
        /// Assigned user of the dealership.
        "user_id" => user_id: Id<'a>,
        /// Start, as `yyyy-mm-dd hh:mm:ss` in the dealership's zone; null where it is not set.
        "starts_at" => starts_at: Text<'a>,
        /// Status.
        "status" => status: OneOf<'a, AppointmentStatus>,
        /// Scheduled duration.
        "length_in_minutes" => length_in_minutes: Whole<'a>,
        /// Note on the appointment.
        "note" => note: Text<'a>,
        /// The sender's id of the location where it takes place.
        "location_id" => location_id: Id<'a>,
        /// Name of the car for the test drive, as the dashboard shows it.
        "car_for_test_drive" => car_for_test_drive: Text<'a>,
    }
}

listed! {
    /// Marketing sources of the public lead API.
    pub MarketingSource = [
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
    pub StatusType = ["new", "contacted", "lost", "invalid", "converted"];
    /// Statuses of appointments.
    pub AppointmentStatus = ["pending", "completed", "cancelled", "no-show", "interest_registered"];
}

/// The facts of a lead.
pub(in crate::feeds) fn facts(payload: LeadPayload<'_>, at: &Position<'_>) -> LeadFacts {
    #[rustfmt::skip]
    let LeadPayload {
        id, capital_id, item, source, created, website, category, comments, location, prospect, provider, dealership,
        updated_at, lead_events, utm_campaign, trade_in_data, subscription_plan, lead_cluster_id, marketing_source,
        additional_details, lead_status_option, assigned_salesperson, subcategory, booking_date, booking_time,
        offer_data, pipeline, has_test_drives, appointments, lost_reason_comment, lost_reason, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let mut columns = LeadColumns::default();
    let external_id = by_id::own_id(id, capital_id, at, "lead");
    let (licence, passport) = documents::facts(additional_details, at, &mut columns);
    let here = at.field("prospect");
    let customer = prospect::facts(prospect.read(&here), &here, &mut columns);
    self::dealership(dealership, &at.field("dealership"), &mut columns);
    columns.subcategory = subcategory.read(at, "subcategory");
    columns.marketing_source = marketing_source.read(at, "marketing_source");
    columns.utm_campaign = utm_campaign.read(at, "utm_campaign");
    columns.provider = provider.read(at, "provider");
    columns.has_test_drives = has_test_drives.read(at, "has_test_drives");
    self::website(website, &at.field("website"), &mut columns);
    status(lead_status_option, &at.field("lead_status_option"), &mut columns);
    columns.lost_reason = lost_reason.read(at, "lost_reason");
    columns.lost_reason_comment = lost_reason_comment.read(at, "lost_reason_comment");
    salesperson(assigned_salesperson, &at.field("assigned_salesperson"), &mut columns);
    let here = at.field("pipeline");
    (columns.pipeline_id, columns.pipeline_name) = id_and_name(pipeline.read(&here), &here);
    let enquiry = Enquiry { category, source, comments, offer_data, location, booking_date, booking_time };
    enquiry.facts(at, &mut columns);
    let here = at.field("item");
    item::facts(item.read(&here), &here, &mut columns);
    plan(subscription_plan, &at.field("subscription_plan"), &mut columns);
    let modified_at = updated_at.read(at, "updated_at");
    LeadFacts {
        path_prefix: at.prefix(),
        source: Source::LeadFeed,
        external_id,
        cluster_external_id: lead_cluster_id.read(at, "lead_cluster_id"),
        timezone: at.locale().timezone,
        created_at: created.read(at, "created"),
        cluster_membership_at: modified_at,
        modified_at,
        prospect: ProspectFacts { licence, passport, ..customer },
        columns,
        trade_in: enquiry::trade_in(trade_in_data, at),
        property: None,
        appointments: self::appointments(appointments, &at.field("appointments")),
        events: event::list(lead_events, &at.field("lead_events")),
    }
}

fn dealership(dealership: Nested<DealershipPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let DealershipPayload { id, name, slug, unknown } = dealership.read(at);
    at.note_unknown(&unknown);
    columns.dealership_id = id.read(at, "id");
    columns.dealership_name = name.read(at, "name");
    columns.dealership_slug = slug.read(at, "slug");
}

fn website(website: Nested<WebsitePayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let WebsitePayload { id, url, name, slug, unknown } = website.read(at);
    at.note_unknown(&unknown);
    columns.website = JsonBuilder::default()
        .id("id", id.read(at, "id").as_deref())
        .text("name", name.read(at, "name").as_deref())
        .text("slug", slug.read(at, "slug").as_deref())
        .text("url", url.read(at, "url").as_deref())
        .into_json();
}

fn status(status: Nested<StatusOptionPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let StatusOptionPayload { id, name, status_type, unknown } = status.read(at);
    at.note_unknown(&unknown);
    columns.status = name.read(at, "name");
    columns.status_type = status_type.read(at, "status_type");
    columns.status_option_id = id.read(at, "id");
}

fn salesperson(salesperson: Nested<SalespersonPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let SalespersonPayload { id, name, email, unknown } = salesperson.read(at);
    at.note_unknown(&unknown);
    columns.salesperson_id = id.read(at, "id");
    columns.salesperson_name = name.read(at, "name");
    columns.salesperson_email = email.read(at, "email");
}

fn plan(plan: Nested<SubscriptionPlanPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    #[rustfmt::skip]
    let SubscriptionPlanPayload {
        name, subscription_id, daily_price_for_car, weekly_price_for_car, monthly_price_for_car,
        fortnightly_price_for_car, unknown,
    } = plan.read(at);
    at.note_unknown(&unknown);
    columns.offered_plan = name.read(at, "name");
    columns.subscription = JsonBuilder::default()
        .number("daily_price_for_car", daily_price_for_car.read(at, "daily_price_for_car"))
        .number("fortnightly_price_for_car", fortnightly_price_for_car.read(at, "fortnightly_price_for_car"))
        .number("monthly_price_for_car", monthly_price_for_car.read(at, "monthly_price_for_car"))
        .text("name", columns.offered_plan.as_deref())
        .id("subscription_id", subscription_id.read(at, "subscription_id").as_deref())
        .number("weekly_price_for_car", weekly_price_for_car.read(at, "weekly_price_for_car"))
        .into_json();
}

/// The list of appointments, by id; of one that is listed twice the last counts.
fn appointments(list: List<Box<AppointmentPayload<'_>>>, here: &Position<'_>) -> Option<Vec<AppointmentFacts>> {
    let appointments = list.read(here)?;
    let appointments = by_id::last_of_each(appointments.map(|(at, appointment)| self::appointment(*appointment, &at)));
    Some(appointments.into_iter().map(|(external_id, columns)| AppointmentFacts { external_id, columns }).collect())
}

fn appointment(payload: AppointmentPayload<'_>, at: &Position<'_>) -> Option<(String, AppointmentColumns)> {
    #[rustfmt::skip]
    let AppointmentPayload {
        id, capital_id, ai_generated, user_id, starts_at, status, length_in_minutes, note, location_id,
        car_for_test_drive, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let starts_at_local = starts_at.read(at, "starts_at");
    let starts_at = starts_at_local.as_deref().and_then(|text| {
        let local = values::local_date_time(text).and_then(|local| values::in_zone(local, at.locale().timezone));
        local.or_else(|| values::timestamp(text))
    });
    if starts_at_local.is_some() && starts_at.is_none() {
        at.note(Code::DateInvalid, "starts_at", "not a time as yyyy-mm-dd hh:mm:ss; kept as text");
    }
    let columns = AppointmentColumns {
        starts_at,
        starts_at_local,
        length_minutes: length_in_minutes.read(at, "length_in_minutes"),
        status: status.read(at, "status"),
        ai_generated: ai_generated.read(at, "ai_generated"),
        user_id: user_id.read(at, "user_id"),
        note: note.read(at, "note"),
        sender_location_id: location_id.read(at, "location_id"),
        car_for_test_drive: car_for_test_drive.read(at, "car_for_test_drive"),
    };
    Some((by_id::own_id(id, capital_id, at, "appointment")?, columns))
}
