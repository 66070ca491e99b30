//! Stories out of rows: how something stands now, and how that came about. Plain functions, which ask nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::blockers::blockers;
use super::facts;
use super::gather::Gathered;
use super::subject::Subject;
use super::timeline::timeline;
use super::types::{Booking, Fact, Kind, Lead, Link, Story, Workspace};
use crate::store::story::{DeliveryRow, LeadRow, WorkspaceRow};

/// What is told besides what was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling<'a> {
    /// What was looked for.
    pub(super) wanted: &'a str,
    /// The current time.
    pub(super) now: DateTime<Utc>,
    /// For how long a blocked lead is tried again, from its arrival.
    pub(super) retried_for: TimeDelta,
}

/// The story of a subject.
pub(super) fn story(workspace: &WorkspaceRow, subject: &Subject, gathered: &Gathered, telling: Telling<'_>) -> Story {
    let (title, key, facts) = facts::of(subject, gathered, telling.wanted);
    let (timeline, is_cut) = timeline(gathered);
    Story {
        workspace: Some(told(workspace)),
        kind: subject.kind(),
        title,
        key,
        facts,
        leads: leads(gathered, telling),
        timeline,
        has_more: gathered.has_more || is_cut,
    }
}

/// The story of one delivery.
pub(super) fn of_delivery(
    workspace: Option<&WorkspaceRow>,
    row: &DeliveryRow,
    gathered: &Gathered,
    telling: Telling<'_>,
) -> Story {
    let about = row.external_id.as_ref().map(|key| {
        let (label, kind) = match row.feed.as_str() {
            "lead_cluster" => ("about lead cluster", Kind::Cluster),
            "inventory" => ("about vehicle", Kind::Vehicle),
            _ => ("about lead", Kind::Lead),
        };
        Fact { label, value: key.clone(), link: Some(Link { kind, key: key.clone() }) }
    });
    let (timeline, is_cut) = timeline(gathered);
    Story {
        workspace: workspace.map(told),
        kind: Kind::Delivery,
        title: format!("delivery {}", row.id),
        key: row.id.to_string(),
        facts: about.into_iter().collect(),
        leads: leads(gathered, telling),
        timeline,
        has_more: gathered.has_more || is_cut,
    }
}

/// The story of what was sent about something and belongs to no workspace.
pub(super) fn of_nobody(kind: Kind, gathered: &Gathered, telling: Telling<'_>) -> Story {
    let (timeline, is_cut) = timeline(gathered);
    Story {
        workspace: None,
        kind,
        title: format!("{} {}, of which only deliveries are kept", kind.name(), telling.wanted),
        key: telling.wanted.to_owned(),
        facts: Vec::new(),
        leads: Vec::new(),
        timeline,
        has_more: is_cut,
    }
}

fn told(workspace: &WorkspaceRow) -> Workspace {
    let WorkspaceRow { id: _, slug, name, timezone, phone_region: _ } = workspace;
    Workspace { slug: slug.clone(), name: name.clone(), timezone: timezone.clone() }
}

fn leads(gathered: &Gathered, telling: Telling<'_>) -> Vec<Lead> {
    gathered.leads.iter().map(|lead| of_lead(lead, gathered, telling)).collect()
}

fn of_lead(lead: &LeadRow, gathered: &Gathered, telling: Telling<'_>) -> Lead {
    let until = lead.received_at + telling.retried_for;
    let is_retried = lead.booking_state == "blocked" && lead.erased_at.is_none() && until > telling.now;
    Lead {
        external_id: lead.external_id.clone(),
        sender: lead.sender.clone(),
        received_at: lead.received_at,
        status: lead.status.clone(),
        booking_state: lead.booking_state.clone(),
        blockers: blockers(lead, gathered),
        retried_until: is_retried.then_some(until),
        booking: booking(lead, gathered),
        erased_at: lead.erased_at,
    }
}

fn booking(lead: &LeadRow, gathered: &Gathered) -> Option<Booking> {
    let listing = gathered.listings.iter().find(|listing| Some(listing.id) == lead.listing_id);
    Some(Booking {
        created_at: lead.booked_at?,
        updated_at: lead.booking_changed_at?,
        delivery_id: lead.delivery_id,
        vehicle: listing.map_or_else(|| "a vehicle".to_owned(), facts::vehicle),
        location: lead.booked_location.clone().unwrap_or_default(),
        package: lead.booked_package.clone().unwrap_or_default(),
    })
}
