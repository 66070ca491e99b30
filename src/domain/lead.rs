//! Leads: one row for each enquiry, whichever delivery about it comes first.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::appointment::ListOf;
use super::booking_request::{self, BookingRequestColumns};
use super::facts::{EventFacts, LeadColumns, LeadFacts, PropertyColumns, Sender, Source, TradeInColumns};
use super::finding::{Code, Finding};
use super::ids::{ClusterId, LeadId};
use super::lead_history::{self, LeadHistory, Noted};
use super::state::{BookingState, Lead, LeadKey, Row, WorkspaceState};
use super::version::{FieldVersions, LeadOrder, Version, merge_ref};
use super::{Effect, Effects, appointment, booking, event, person, values};

/// The time of a `lead.created` that names none: before whatever else can be said of the lead. No sender's time is as
/// early.
const BEFORE_ALL: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Merges one lead: its person, its cluster, itself, its appointments, and its booking request.
pub fn apply(
    state: &mut WorkspaceState,
    facts: LeadFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Effects {
    let key = LeadKey::of(&facts);
    let first_received_at = key.as_ref().and_then(|key| state.leads.get(key)).map(|row| row.value.received_at);
    let versions = Versions::of(&facts, first_received_at.unwrap_or(received_at), received_at);
    let LeadFacts {
        path_prefix,
        source,
        external_id: _,
        cluster_external_id,
        cluster_membership_at: _,
        timezone,
        created_at,
        modified_at,
        prospect,
        columns,
        trade_in,
        property,
        appointments,
        events,
    } = facts;
    let mut effects = Effects::default();

    let person_merge = person::merge(state, prospect, &path_prefix, &versions.person, findings);
    effects.person = person_merge.as_ref().map(|person_merge| person_merge.effect);
    effects.other_rows_changed |= person_merge.as_ref().is_some_and(|person_merge| person_merge.wrote);
    if let Some(person_merge) = person_merge.filter(|person_merge| person_merge.effect == Effect::Created) {
        effects.other_rows_changed |= booking::person_created(state, &person_merge.email, received_at);
    }
    let cluster = cluster_external_id.as_deref().map(|external_id| {
        let (id, is_new) = state.get_or_add_cluster(external_id);
        effects.other_rows_changed |= is_new;
        (external_id, id)
    });
    if let Some(key) = &key {
        let columns = LeadColumns { source_created_at: created_at, ..columns };
        let property = property.map_or_else(PropertyColumns::default, |property| *property);
        let modified_at = modified_at.or(created_at);
        let merged =
            merge(state, key, LeadUpdate { columns, trade_in, property, modified_at, cluster, timezone }, &versions);
        if merged.stale && !merged.writes() {
            findings.push(older_than_known(&path_prefix));
        }
        effects.lead = Some(merged.effect);
        effects.other_rows_changed |= merged.timestamp_advanced || !merged.noted.changes.is_empty();
        state.lead_changes.extend(merged.noted.changes);
    }
    if let Some(list) = appointments {
        let lead = key.as_ref().and_then(|key| Some((key, state.leads.get(key)?.value.id)));
        effects.other_rows_changed |= appointment::merge(state, list, ListOf { lead, cluster }, &versions.lead);
    }
    let lead = key.as_ref().and_then(|key| state.leads.get(key)).map(|row| row.value.id);
    let of = event::Of { cluster: cluster.map(|(_, id)| id), lead, source, linked_at: Some(versions.cluster.at) };
    effects.other_rows_changed |= merge_events(state, events, of, received_at);
    let own = key.as_ref().filter(|key| may_ask(key.sender));
    effects.booking = own.and_then(|key| booking::request_booking(state, key, &path_prefix, received_at, findings));
    // What a person whom this delivery made had waited for is no other lead's where it is this one's.
    let own = own.and_then(|key| state.other_bookings.remove(&key.external_id));
    effects.booking = own.filter(|_| effects.booking == Some(Effect::Unchanged)).or(effects.booking);
    effects
}

/// Whether the sender's leads may ask for a booking: those about properties never do, whatever their category is
/// called.
fn may_ask(sender: Sender) -> bool {
    match sender {
        Sender::DealerStudio => true,
        Sender::LeadPro => false,
    }
}

/// Merges the events that came with a lead; says whether anything was written.
fn merge_events(
    state: &mut WorkspaceState,
    events: Vec<EventFacts>,
    of: event::Of,
    received_at: DateTime<Utc>,
) -> bool {
    let wrote = events.into_iter().map(|facts| event::merge(state, facts, of, received_at).1);
    wrote.fold(false, |any, wrote| any | wrote)
}

fn older_than_known(path_prefix: &str) -> Finding {
    let path = path_prefix.strip_suffix('.').map(str::to_owned);
    let message = "a newer delivery of this lead is known".to_owned();
    Finding { code: Code::OlderThanKnown, path, message }
}

/// The times of one lead: for its own columns, for the cluster it belongs to, and for its customer.
struct Versions {
    lead: Version,
    cluster: Version,
    person: Version,
}

impl Versions {
    /// A lead's columns go by its modification, a customer's by when the customer gave them, then by the modification.
    ///
    /// LeadPro sends a modification time only with a token. Without it the event stands in, then the arrival; and where
    /// the creation is not told either, the customer counts as having given all of it with the lead's first delivery.
    fn of(facts: &LeadFacts, first_received_at: DateTime<Utc>, received_at: DateTime<Utc>) -> Self {
        let (modified, otherwise) = match facts.source {
            Source::Contact | Source::Cluster | Source::LeadFeed => {
                (facts.modified_at.or(facts.created_at).unwrap_or(received_at), received_at)
            }
            Source::LeadCreated => (facts.modified_at.unwrap_or(BEFORE_ALL), first_received_at),
            Source::LeadUpdated => (facts.modified_at.unwrap_or(received_at), first_received_at),
        };
        let given = facts.created_at.or(facts.modified_at).unwrap_or(otherwise);
        let source = facts.source;
        let order = LeadOrder(facts.external_id.clone().unwrap_or_default());
        let at = |at| Version { at, tiebreak: at, source, lead: LeadOrder::default(), arrived_at: received_at };
        Self {
            lead: at(modified),
            cluster: at(facts.cluster_membership_at.unwrap_or(modified)),
            person: Version { at: given, tiebreak: modified, source, lead: order, arrived_at: received_at },
        }
    }
}

/// What a delivery holds of the lead itself.
struct LeadUpdate<'a> {
    columns: LeadColumns,
    trade_in: TradeInColumns,
    property: PropertyColumns,
    modified_at: Option<DateTime<Utc>>,
    cluster: Option<(&'a str, ClusterId)>,
    timezone: Tz,
}

/// What came of it.
struct LeadMergeResult {
    effect: Effect,
    timestamp_advanced: bool,
    stale: bool,
    noted: Noted,
}

impl LeadMergeResult {
    fn writes(&self) -> bool {
        self.timestamp_advanced || self.effect != Effect::Unchanged
    }
}

/// Finds or makes the lead, and merges the update into it.
fn merge(state: &mut WorkspaceState, key: &LeadKey, incoming: LeadUpdate<'_>, versions: &Versions) -> LeadMergeResult {
    let at = &versions.lead;
    let is_new = !state.leads.contains_key(key);
    let id = if is_new { state.take_id() } else { LeadId::from(0) };
    let row = state.leads.entry(key.clone()).or_insert_with(|| Row::new(unknown(id, at.arrived_at)));
    let lead = &mut row.value;
    let noted = if is_new { Noted::default() } else { note_history(lead, &incoming, versions) };
    let newer_time = incoming.modified_at > lead.modified_at;
    let known_requests = lead.booking_requests.len();
    if may_ask(key.sender) {
        booking_request::merge(&mut lead.booking_requests, BookingRequestColumns::of(&incoming.columns), at);
    }
    let time_before = RequestedTime::of(&mut lead.columns);
    let merged = lead
        .versions
        .merge(&mut lead.columns, incoming.columns, at)
        .and(lead.trade_in_versions.merge(&mut lead.trade_in, incoming.trade_in, at))
        .and(lead.property_versions.merge(&mut lead.property, incoming.property, at))
        .and(merge_ref(&mut lead.cluster, incoming.cluster.map(|(_, id)| id), &versions.cluster));
    if let Some((external_id, id)) = incoming.cluster
        && lead.cluster.as_ref().is_some_and(|known| known.to == id)
    {
        lead.cluster_external_id = Some(external_id.to_owned());
    }
    if newer_time {
        lead.modified_at = incoming.modified_at;
    }
    time_before.restate(&mut lead.columns, incoming.timezone);
    let email = lead.email();
    let person = email.and_then(|email| state.persons.get(&email)).map(|row| row.value.id);
    let changed = merged.changed || newer_time || person != lead.person;
    lead.person = person;
    if changed {
        lead.updated_at = lead.updated_at.max(at.arrived_at);
    }
    if changed || merged.timestamp_advanced || noted.wrote || lead.booking_requests.len() != known_requests {
        row.mark_dirty();
    }
    let effect = match (is_new, changed) {
        (true, _) => Effect::Created,
        (false, true) => Effect::Updated,
        (false, false) => Effect::Unchanged,
    };
    LeadMergeResult { effect, timestamp_advanced: merged.timestamp_advanced, stale: merged.stale, noted }
}

/// Takes the watched values that the delivery brings into the lead's history, before they are merged.
fn note_history(lead: &mut Lead, incoming: &LeadUpdate<'_>, versions: &Versions) -> Noted {
    let cluster = incoming.cluster.map(|(external_id, _)| (external_id, &versions.cluster));
    let delivered = lead_history::delivered(&incoming.columns, &versions.lead, cluster);
    let stored = lead.cluster.as_ref().zip(lead.cluster_external_id.as_deref());
    let stored = stored.map(|(known, external_id)| (external_id, &known.at));
    let known = lead_history::known(&lead.columns, &lead.versions, stored);
    lead.history.note(lead.id, known, delivered, versions.lead.arrived_at)
}

/// The wished day and time, and the moment that they name: computed from the two, whichever deliveries said them.
struct RequestedTime {
    day: Option<String>,
    time: Option<String>,
    moment: Option<DateTime<Utc>>,
}

impl RequestedTime {
    /// Takes the moment out of the columns, which have a time of being said while it has none.
    fn of(columns: &mut LeadColumns) -> Self {
        let moment = columns.requested_at.take();
        Self { day: columns.booking_date.clone(), time: columns.booking_time.clone(), moment }
    }

    /// Puts the moment back, or the one that the columns name now.
    fn restate(self, columns: &mut LeadColumns, zone: Tz) {
        let Self { day, time, moment } = self;
        if (&day, &time) == (&columns.booking_date, &columns.booking_time) {
            columns.requested_at = moment;
            return;
        }
        let day = columns.booking_date.as_deref().and_then(values::date);
        let time = columns.booking_time.as_deref().and_then(values::time_of_day);
        let local = day.zip(time).map(|(day, time)| day.and_time(time));
        columns.requested_at = local.and_then(|local| values::in_zone(local, zone));
    }
}

/// A lead of which nothing is known yet.
fn unknown(id: LeadId, received_at: DateTime<Utc>) -> Lead {
    Lead {
        id,
        columns: LeadColumns::default(),
        versions: FieldVersions::default(),
        trade_in: TradeInColumns::default(),
        trade_in_versions: FieldVersions::default(),
        property: PropertyColumns::default(),
        property_versions: FieldVersions::default(),
        modified_at: None,
        cluster: None,
        cluster_external_id: None,
        history: LeadHistory::default(),
        person: None,
        appointments_as_of: None,
        booking: BookingState::NotRequested,
        blockers: Vec::new(),
        booking_requests: Vec::new(),
        pending_on: BTreeSet::new(),
        pending_on_stored: BTreeSet::new(),
        received_at,
        updated_at: received_at,
    }
}
