//! The lead cluster webhook: a customer's leads together, with what happened to them (Dealer Studio's cluster page).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::facts::{ClusterColumns, ClusterFacts, LeadColumns, LeadFacts, ProspectFacts, Source};
use crate::domain::workspace::DealershipId;
use crate::feeds::lenient::{
    Amount, Flag, Id, KeptInHalves, List, Nested, NumberId, OneOf, Position, SendersTime, Text, payload,
};

use super::by_id;
use super::documents::{self, AdditionalDetailsPayload};
use super::enquiry::{self, Category, Enquiry, EnquirySource, LocationPayload, OfferPayload, TradeInPayload};
use super::event::{self, EventPayload};
use super::handling::{NamedPayload, id_and_name};
use super::item::{self, ItemPayload};
use super::prospect::{self, ClusterProspectPayload, ContactPayload};

payload! {
    /// A lead cluster, as the lead cluster webhook posts it.
    pub struct LeadClusterPayload<'a> {
        /// ID of the lead cluster, as the example spells it.
        "id" => id: Id<'a>,
        /// The same, as the table spells it.
        "Id" => capital_id: Id<'a>,
        /// ID of the dealership.
        "dealership_id" => dealership_id: NumberId<'a>,
        /// The sender's name for itself.
        "provider" => provider: Text<'a>,
        /// Status of the cluster: New, Contacted, Lost, Converted, or one of the dealer's own.
        "status" => status: Text<'a>,
        /// The customer.
        "contact" => contact: Nested<ContactPayload<'a>>,
        /// Who approved the changes of status.
        "approver" => approver: Nested<NamedPayload<'a>>,
        /// The assigned salesperson.
        "assigned_salesperson" => assigned_salesperson: Nested<NamedPayload<'a>>,
        /// When the cluster was made.
        "created" => created: SendersTime<'a>,
        /// When the cluster was last changed.
        "modified" => modified: SendersTime<'a>,
        /// The pipeline that the cluster is in; in the example alone.
        "pipeline" => pipeline: Nested<NamedPayload<'a>>,
        /// When the first lead of the cluster was made.
        "first_lead_created_at" => first_lead_created_at: SendersTime<'a>,
        /// When the last lead of the cluster was made.
        "last_lead_created_at" => last_lead_created_at: SendersTime<'a>,
        /// The leads of the cluster.
        "leads" => leads: List<Box<ClusterLeadPayload<'a>>>,
        /// What happened to the cluster.
        "lead_events" => lead_events: List<Box<EventPayload<'a>>>,
    }
}

payload! {
    /// An entry of `leads`.
    pub struct ClusterLeadPayload<'a> {
        /// Lead ID.
        "id" => id: Id<'a>,
        /// The same, in the other spelling.
        "Id" => capital_id: Id<'a>,
        /// The lead's website.
        "website_url" => website_url: Text<'a>,
        /// Where the enquiry came from.
        "source" => source: OneOf<'a, EnquirySource>,
        /// Kind of enquiry.
        "category" => category: OneOf<'a, Category>,
        /// Where the lead was submitted, mostly a location of the dealership.
        "location" => location: Nested<LocationPayload<'a>>,
        /// The customer.
        "prospect" => prospect: Nested<ClusterProspectPayload<'a>>,
        /// Whether the customer wants the newsletter.
        "subscription" => subscription: Nested<SubscriptionPayload<'a>>,
        /// The lead's message.
        "comments" => comments: Text<'a>,
        /// Budget for the vehicle, of a finance enquiry.
        "budget" => budget: Amount<'a>,
        /// Purchase price, of a finance enquiry.
        "purchase_price" => purchase_price: Amount<'a>,
        /// When the lead was made.
        "created" => created: SendersTime<'a>,
        /// When the lead was last changed.
        "modified" => modified: SendersTime<'a>,
        /// The vehicle asked about.
        "item" => item: Nested<ItemPayload<'a>>,
        /// Any fields that have no place of their own.
        "additional_details" => additional_details: KeptInHalves<Nested<AdditionalDetailsPayload<'a>>>,
        /// Date of a test drive or a service.
        "booking_date" => booking_date: Text<'a>,
        /// Time of a test drive or a service.
        "booking_time" => booking_time: Text<'a>,
        /// The car that the customer offers.
        "trade_in_data" => trade_in_data: Nested<TradeInPayload<'a>>,
        /// The special offer asked for.
        "offer_data" => offer_data: Nested<OfferPayload<'a>>,
    }
}

payload! {
    /// `subscription` of a cluster's lead.
    pub struct SubscriptionPayload<'a> {
        /// Whether the customer opted in; the sender sets it to true by default.
        "newsletter" => newsletter: Flag<'a>,
    }
}

/// What the cluster gives for each of its leads.
struct Holder {
    external_id: Option<String>,
    said_at: Option<DateTime<Utc>>,
    dealership_id: Option<DealershipId>,
}

/// The facts of a cluster; of its leads before those of its many events, of which each may have findings.
pub(in crate::feeds) fn facts(payload: LeadClusterPayload<'_>, at: &Position<'_>) -> ClusterFacts {
    #[rustfmt::skip]
    let LeadClusterPayload {
        id, capital_id, dealership_id, provider, status, contact, approver, assigned_salesperson, created, modified,
        pipeline, first_lead_created_at, last_lead_created_at, leads, lead_events, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let external_id = by_id::own_id(id, capital_id, at, "lead cluster");
    let modified_at = modified.read(at, "modified");
    let named = |named: Nested<NamedPayload<'_>>, name| {
        let here = at.field(name);
        id_and_name(named.read(&here), &here)
    };
    let (approver_id, approver_name) = named(approver, "approver");
    let (salesperson_id, salesperson_name) = named(assigned_salesperson, "assigned_salesperson");
    let (pipeline_id, pipeline_name) = named(pipeline, "pipeline");
    let mut columns = ClusterColumns {
        dealership_id: dealership_id.read(at, "dealership_id"),
        provider: provider.read(at, "provider"),
        status: status.read(at, "status"),
        approver_id,
        approver_name,
        salesperson_id,
        salesperson_name,
        pipeline_id,
        pipeline_name,
        first_lead_created_at: first_lead_created_at.read(at, "first_lead_created_at"),
        last_lead_created_at: last_lead_created_at.read(at, "last_lead_created_at"),
        source_created_at: created.read(at, "created"),
        ..ClusterColumns::default()
    };
    let here = at.field("contact");
    let contact = prospect::contact(contact.read(&here), &here, &mut columns);
    let holder = Holder {
        external_id: external_id.clone(),
        said_at: modified_at.or(columns.source_created_at),
        dealership_id: columns.dealership_id,
    };
    let here = at.field("leads");
    let leads = leads.read(&here).into_iter().flatten();
    let leads = last_of_each(leads.map(|(at, lead)| lead_facts(*lead, &holder, &at)).collect());
    let events = event::list(lead_events, &at.field("lead_events"));
    ClusterFacts { external_id, modified_at, contact, columns, leads, events }
}

/// Of a lead that is listed twice as it was at one moment, the last counts.
fn last_of_each(leads: Vec<LeadFacts>) -> Vec<LeadFacts> {
    let said = |lead: &LeadFacts| {
        let (created, modified) = (lead.created_at, lead.modified_at);
        Some((lead.external_id.clone()?, created.or(modified), modified.or(created)))
    };
    let positions = leads.iter().enumerate().filter_map(|(index, lead)| Some((said(lead)?, index)));
    let last: BTreeMap<_, _> = positions.collect();
    let counts = |index: usize, lead: &LeadFacts| said(lead).is_none_or(|said| last.get(&said) == Some(&index));
    leads.into_iter().enumerate().filter(|(index, lead)| counts(*index, lead)).map(|(_, lead)| lead).collect()
}

fn lead_facts(payload: ClusterLeadPayload<'_>, holder: &Holder, at: &Position<'_>) -> LeadFacts {
    #[rustfmt::skip]
    let ClusterLeadPayload {
        id, capital_id, website_url, source, category, location, prospect, subscription, comments, budget,
        purchase_price, created, modified, item, additional_details, booking_date, booking_time, trade_in_data,
        offer_data, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let mut columns = LeadColumns { dealership_id: holder.dealership_id, ..LeadColumns::default() };
    let external_id = by_id::own_id(id, capital_id, at, "lead");
    let (licence, passport) = documents::facts(additional_details, at, &mut columns);
    let here = at.field("prospect");
    let customer = prospect::facts_in_cluster(prospect.read(&here), &here, &mut columns);
    let enquiry = Enquiry { category, source, comments, offer_data, location, booking_date, booking_time };
    enquiry.facts(at, &mut columns);
    let here = at.field("subscription");
    let SubscriptionPayload { newsletter, unknown } = subscription.read(&here);
    here.note_unknown(&unknown);
    columns.contact_newsletter = newsletter.read(&here, "newsletter");
    columns.website_url = website_url.read(at, "website_url");
    columns.budget = budget.read(at, "budget");
    columns.purchase_price = purchase_price.read(at, "purchase_price");
    let here = at.field("item");
    item::facts(item.read(&here), &here, &mut columns);
    LeadFacts {
        path_prefix: at.prefix(),
        source: Source::Cluster,
        external_id,
        cluster_external_id: holder.external_id.clone(),
        timezone: at.locale().timezone,
        cluster_membership_at: holder.said_at,
        created_at: created.read(at, "created"),
        modified_at: modified.read(at, "modified"),
        prospect: ProspectFacts { licence, passport, ..customer },
        columns,
        trade_in: enquiry::trade_in(trade_in_data, at),
        property: None,
        // A list of appointments would be the whole list of the cluster; the page has none here.
        appointments: None,
        events: Vec::new(),
    }
}
