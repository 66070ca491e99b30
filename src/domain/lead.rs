//! Leads: one row for each enquiry, whichever delivery about it comes first.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::appointment::ListOf;
use super::facts::{EventFacts, LeadColumns, LeadFacts, PropertyColumns, Sender, Source, TradeInColumns};
use super::finding::{Code, Finding};
use super::stamp::{Clocks, LeadOrder, Stamp, hear_tie};
use super::wish::{self, WishColumns};
use super::world::{BookingState, Lead, LeadKey, Row, RowId, Tenant};
use super::{Effect, Effects, appointment, booking, event, person, values};

/// The time of a `lead.created` that names none: before whatever else can be said of the lead. No sender's time is as
/// early.
const BEFORE_ALL: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Hears one lead: its person, its cluster, itself, its appointments, and its wish for a booking.
pub fn apply(
    tenant: &mut Tenant,
    facts: LeadFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Effects {
    let key = LeadKey::of(&facts);
    let first_heard_at = key.as_ref().and_then(|key| tenant.leads.get(key)).map(|row| row.value.received_at);
    let stamps = Stamps::of(&facts, first_heard_at.unwrap_or(received_at), received_at);
    let LeadFacts {
        place,
        source,
        external_id: _,
        cluster_external_id,
        cluster_said_at: _,
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

    let met = person::hear(tenant, prospect, &place, &stamps.person, findings);
    effects.person = met.as_ref().map(|met| met.effect);
    effects.beside |= met.as_ref().is_some_and(|met| met.wrote);
    if let Some(met) = met.filter(|met| met.effect == Effect::Created) {
        effects.beside |= booking::person_appeared(tenant, &met.email, received_at);
    }
    let cluster = cluster_external_id.as_deref().map(|external_id| {
        let (id, is_new) = tenant.known_cluster(external_id);
        effects.beside |= is_new;
        (external_id, id)
    });
    if let Some(key) = &key {
        let columns = LeadColumns { source_created_at: created_at, ..columns };
        let cluster = cluster.map(|(_, id)| id);
        let property = property.map_or_else(PropertyColumns::default, |property| *property);
        let modified_at = modified_at.or(created_at);
        let heard = hear(tenant, key, Said { columns, trade_in, property, modified_at, cluster, timezone }, &stamps);
        if heard.older && !heard.writes() {
            findings.push(older_than_known(&place));
        }
        effects.lead = Some(heard.effect);
        effects.beside |= heard.moved;
    }
    if let Some(list) = appointments {
        let lead = key.as_ref().and_then(|key| Some((key, tenant.leads.get(key)?.value.id)));
        effects.beside |= appointment::hear(tenant, list, ListOf { lead, cluster }, &stamps.lead);
    }
    let lead = key.as_ref().and_then(|key| tenant.leads.get(key)).map(|row| row.value.id);
    let of = event::Of { cluster: cluster.map(|(_, id)| id), lead, source, said_at: Some(stamps.cluster.at) };
    effects.beside |= hear_events(tenant, events, of, received_at);
    effects.booking =
        key.filter(|key| may_ask(key.sender)).and_then(|key| booking::ask(tenant, &key, &place, received_at, findings));
    effects
}

/// Whether the sender's leads may ask for a booking: those about properties never do, whatever their category is called.
fn may_ask(sender: Sender) -> bool {
    match sender {
        Sender::DealerStudio => true,
        Sender::LeadPro => false,
    }
}

/// Hears the events that came with a lead; says whether anything was written.
fn hear_events(tenant: &mut Tenant, events: Vec<EventFacts>, of: event::Of, received_at: DateTime<Utc>) -> bool {
    let wrote = events.into_iter().map(|facts| event::hear(tenant, facts, of, received_at).1);
    wrote.fold(false, |any, wrote| any | wrote)
}

fn older_than_known(place: &str) -> Finding {
    let path = place.strip_suffix('.').map(str::to_owned);
    let message = "a newer delivery of this lead is known".to_owned();
    Finding { code: Code::OlderThanKnown, path, message }
}

/// The times of one lead: for its own columns, for the cluster it belongs to, and for its customer.
struct Stamps {
    lead: Stamp,
    cluster: Stamp,
    person: Stamp,
}

impl Stamps {
    /// A lead's columns go by its modification, a customer's by when the customer gave them, then by the modification.
    ///
    /// LeadPro sends a modification time only with a token. Without it the event stands in, then the arrival; and
    /// where the creation is not told either, the customer counts as having given all of it with the lead's first delivery.
    fn of(facts: &LeadFacts, first_heard_at: DateTime<Utc>, received_at: DateTime<Utc>) -> Self {
        let (modified, otherwise) = match facts.source {
            Source::Contact | Source::Cluster | Source::LeadFeed => {
                (facts.modified_at.or(facts.created_at).unwrap_or(received_at), received_at)
            }
            Source::LeadCreated => (facts.modified_at.unwrap_or(BEFORE_ALL), first_heard_at),
            Source::LeadUpdated => (facts.modified_at.unwrap_or(received_at), first_heard_at),
        };
        let given = facts.created_at.or(facts.modified_at).unwrap_or(otherwise);
        let source = facts.source;
        let order = LeadOrder(facts.external_id.clone().unwrap_or_default());
        let at = |at| Stamp { at, then: at, source, lead: LeadOrder::default(), arrived_at: received_at };
        Self {
            lead: at(modified),
            cluster: at(facts.cluster_said_at.unwrap_or(modified)),
            person: Stamp { at: given, then: modified, source, lead: order, arrived_at: received_at },
        }
    }
}

/// What a delivery says of the lead itself.
struct Said {
    columns: LeadColumns,
    trade_in: TradeInColumns,
    property: PropertyColumns,
    modified_at: Option<DateTime<Utc>>,
    cluster: Option<RowId>,
    timezone: Tz,
}

/// What came of it.
struct HeardLead {
    effect: Effect,
    moved: bool,
    older: bool,
}

impl HeardLead {
    fn writes(&self) -> bool {
        self.moved || self.effect != Effect::Unchanged
    }
}

/// Finds or makes the lead, and lets it hear what was said.
fn hear(tenant: &mut Tenant, key: &LeadKey, said: Said, stamps: &Stamps) -> HeardLead {
    let at = &stamps.lead;
    let is_new = !tenant.leads.contains_key(key);
    let id = if is_new { tenant.take_id() } else { RowId::default() };
    let row = tenant.leads.entry(key.clone()).or_insert_with(|| Row::new(unknown(id, at.arrived_at)));
    let lead = &mut row.value;
    let newer_time = said.modified_at > lead.modified_at;
    let known_wishes = lead.wishes.len();
    if may_ask(key.sender) {
        wish::hear(&mut lead.wishes, WishColumns::of(&said.columns), at);
    }
    let time_before = WishedTime::of(&mut lead.columns);
    let heard = lead
        .clocks
        .hear(&mut lead.columns, said.columns, at)
        .and(lead.trade_in_clocks.hear(&mut lead.trade_in, said.trade_in, at))
        .and(lead.property_clocks.hear(&mut lead.property, said.property, at))
        .and(hear_tie(&mut lead.cluster, said.cluster, &stamps.cluster));
    if newer_time {
        lead.modified_at = said.modified_at;
    }
    time_before.restate(&mut lead.columns, said.timezone);
    let email = lead.email();
    let person = email.and_then(|email| tenant.persons.get(&email)).map(|row| row.value.id);
    let changed = heard.changed || newer_time || person != lead.person;
    lead.person = person;
    if changed {
        lead.updated_at = lead.updated_at.max(at.arrived_at);
    }
    if changed || heard.moved || lead.wishes.len() != known_wishes {
        row.touch();
    }
    let effect = match (is_new, changed) {
        (true, _) => Effect::Created,
        (false, true) => Effect::Updated,
        (false, false) => Effect::Unchanged,
    };
    HeardLead { effect, moved: heard.moved, older: heard.older }
}

/// The wished day and time, and the moment that they name: computed from the two, whichever deliveries said them.
struct WishedTime {
    day: Option<String>,
    time: Option<String>,
    moment: Option<DateTime<Utc>>,
}

impl WishedTime {
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
fn unknown(id: RowId, received_at: DateTime<Utc>) -> Lead {
    Lead {
        id,
        columns: LeadColumns::default(),
        clocks: Clocks::default(),
        trade_in: TradeInColumns::default(),
        trade_in_clocks: Clocks::default(),
        property: PropertyColumns::default(),
        property_clocks: Clocks::default(),
        modified_at: None,
        cluster: None,
        person: None,
        appointments_as_of: None,
        booking: BookingState::NotRequested,
        blockers: Vec::new(),
        wishes: Vec::new(),
        waits_for: BTreeSet::new(),
        received_at,
        updated_at: received_at,
    }
}
