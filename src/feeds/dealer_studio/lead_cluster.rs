//! The lead cluster webhook: a customer's leads together, with what happened to them (Dealer Studio's cluster page).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::facts::{ClusterColumns, ClusterFacts, LeadColumns, LeadFacts, ProspectFacts, Source};
use crate::domain::workspace::{DealershipId, Locale};
use crate::feeds::wire::Object;

use super::{enquiry, event, item, keyed, prospect};

/// Reads a cluster; its leads before its many events, of which each may have findings.
pub(in crate::feeds) fn read(root: &Object<'_>, locale: &Locale) -> ClusterFacts {
    let external_id = keyed::own_id(root, "lead cluster");
    let modified_at = root.senders_time("modified", locale);
    let mut columns = handling(root, locale);
    let contact = prospect::contact(&root.object("contact"), locale, &mut columns);
    let holder = Holder {
        external_id,
        said_at: modified_at.or(columns.source_created_at),
        dealership_id: columns.dealership_id,
    };
    let leads = root.array("leads").into_iter().flatten();
    let leads = last_of_each(leads.map(|lead| read_lead(&lead, &holder, locale)).collect());
    let events = event::list(root, locale);
    ClusterFacts { external_id: holder.external_id, modified_at, contact, columns, leads, events }
}

/// What the cluster says for each of its leads.
struct Holder {
    external_id: Option<String>,
    said_at: Option<DateTime<Utc>>,
    dealership_id: Option<DealershipId>,
}

/// Who handles the cluster and how far that has come; a status may be the dealer's own.
fn handling(root: &Object<'_>, locale: &Locale) -> ClusterColumns {
    let approver = root.object("approver");
    let salesperson = root.object("assigned_salesperson");
    let pipeline = root.object("pipeline");
    ClusterColumns {
        dealership_id: root.number_id("dealership_id"),
        provider: root.text("provider"),
        status: root.text("status"),
        approver_id: approver.identifier("id"),
        approver_name: approver.text("name"),
        salesperson_id: salesperson.identifier("id"),
        salesperson_name: salesperson.text("name"),
        pipeline_id: pipeline.identifier("id"),
        pipeline_name: pipeline.text("name"),
        first_lead_created_at: root.senders_time("first_lead_created_at", locale),
        last_lead_created_at: root.senders_time("last_lead_created_at", locale),
        source_created_at: root.senders_time("created", locale),
        ..ClusterColumns::default()
    }
}

/// Of a lead that is listed twice as it was at one moment, the last counts.
fn last_of_each(leads: Vec<LeadFacts>) -> Vec<LeadFacts> {
    let said = |lead: &LeadFacts| {
        let (created, modified) = (lead.created_at, lead.modified_at);
        Some((lead.external_id.clone()?, created.or(modified), modified.or(created)))
    };
    let places = leads.iter().enumerate().filter_map(|(place, lead)| Some((said(lead)?, place)));
    let last: BTreeMap<_, _> = places.collect();
    let counts = |place: usize, lead: &LeadFacts| said(lead).is_none_or(|said| last.get(&said) == Some(&place));
    leads.into_iter().enumerate().filter(|(place, lead)| counts(*place, lead)).map(|(_, lead)| lead).collect()
}

fn read_lead(lead: &Object<'_>, holder: &Holder, locale: &Locale) -> LeadFacts {
    let mut columns = LeadColumns { dealership_id: holder.dealership_id, ..LeadColumns::default() };
    let external_id = keyed::own_id(lead, "lead");
    let (licence, passport) = enquiry::details(lead, locale, &mut columns);
    let customer = prospect::read_in_cluster(&lead.object("prospect"), locale, &mut columns);
    enquiry::read(lead, locale, &mut columns);
    columns.contact_newsletter = lead.object("subscription").boolean("newsletter");
    columns.website_url = lead.text("website_url");
    columns.budget = lead.decimal("budget");
    columns.purchase_price = lead.decimal("purchase_price");
    item::read(&lead.object("item"), &mut columns);
    LeadFacts {
        path_prefix: lead.place(),
        source: Source::Cluster,
        external_id,
        cluster_external_id: holder.external_id.clone(),
        timezone: locale.timezone,
        cluster_membership_at: holder.said_at,
        created_at: lead.senders_time("created", locale),
        modified_at: lead.senders_time("modified", locale),
        prospect: ProspectFacts { licence, passport, ..customer },
        columns,
        trade_in: enquiry::trade_in(&lead.object("trade_in_data")),
        property: None,
        // A list of appointments would be the whole list of the cluster; the page has none here.
        appointments: None,
        events: Vec::new(),
    }
}
