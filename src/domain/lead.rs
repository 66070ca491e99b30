//! Leads: one row for each enquiry, whichever delivery about it comes first.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::appointment::ListOf;
use super::booking::Asking;
use super::facts::{LeadColumns, LeadFacts, TradeInColumns};
use super::finding::{Code, Finding};
use super::stamp::{Clocks, Heard, LeadOrder, Stamp};
use super::world::{BookingState, Cluster, Lead, LeadKey, Membership, Row, RowId, Tenant};
use super::{Effect, Effects, appointment, booking, person, values};

/// The sender of the lead feed and of clusters.
const DEALER_STUDIO: &str = "dealer_studio";

/// Hears one lead: its person, its cluster, itself, its appointments, and its wish for a booking.
pub fn apply(
    tenant: &mut Tenant,
    facts: LeadFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Effects {
    let stamps = Stamps::of(&facts, received_at);
    let LeadFacts {
        place,
        source: _,
        external_id,
        cluster_external_id,
        timezone,
        created_at,
        modified_at,
        prospect,
        columns,
        trade_in,
        appointments,
    } = facts;
    let mut effects = Effects::default();

    let met = person::hear(tenant, prospect, &place, &stamps.person, findings);
    effects.person = met.as_ref().map(|met| met.effect);
    effects.beside |= met.as_ref().is_some_and(|met| met.wrote);
    if let Some(met) = met.filter(|met| met.effect == Effect::Created) {
        effects.beside |= booking::person_appeared(tenant, &met.email, received_at);
    }
    let cluster = cluster_external_id.as_deref().map(|external_id| {
        let (id, is_new) = known_cluster(tenant, external_id);
        effects.beside |= is_new;
        (external_id, id)
    });
    let key = external_id.map(|external_id| LeadKey { sender: DEALER_STUDIO.to_owned(), external_id });
    if let Some(key) = &key {
        let columns = LeadColumns { source_created_at: created_at, ..columns };
        let cluster = cluster.map(|(_, id)| id);
        let said = Said { columns, trade_in, modified_at: modified_at.or(created_at), cluster, timezone };
        let heard = hear(tenant, key, said, &stamps.lead);
        if heard.older && !heard.writes() {
            findings.push(Finding::whole(Code::OlderThanKnown, "a newer delivery of this lead is known"));
        }
        effects.lead = Some(heard.effect);
        effects.beside |= heard.moved;
    }
    if let Some(list) = appointments {
        let lead = key.as_ref().and_then(|key| Some((key, tenant.leads.get(key)?.value.id)));
        effects.beside |= appointment::hear(tenant, list, ListOf { lead, cluster }, &stamps.lead);
    }
    effects.booking = key.and_then(|key| {
        let newest = tenant.leads.get(&key)?.value.clocks.newest.as_ref() == Some(&stamps.lead);
        booking::ask(tenant, Asking { key: &key, place: &place, newest }, received_at, findings)
    });
    effects
}

/// The two times of one lead: one for its own columns, one for its customer's.
struct Stamps {
    lead: Stamp,
    person: Stamp,
}

impl Stamps {
    /// A lead's columns go by its modification, a customer's by when the customer gave them, then by the modification.
    fn of(facts: &LeadFacts, received_at: DateTime<Utc>) -> Self {
        let modified = facts.modified_at.or(facts.created_at).unwrap_or(received_at);
        let given = facts.created_at.or(facts.modified_at).unwrap_or(received_at);
        let source = facts.source;
        let order = LeadOrder(facts.external_id.clone().unwrap_or_default());
        Self {
            lead: Stamp { at: modified, then: modified, source, lead: LeadOrder::default(), arrived_at: received_at },
            person: Stamp { at: given, then: modified, source, lead: order, arrived_at: received_at },
        }
    }
}

/// Finds the cluster, or makes a row of which nothing is known but its id.
fn known_cluster(tenant: &mut Tenant, external_id: &str) -> (RowId, bool) {
    if let Some(row) = tenant.clusters.get(external_id) {
        return (row.value.id, false);
    }
    let id = tenant.take_id();
    tenant.clusters.insert(external_id.to_owned(), Row::new(Cluster { id, appointments_as_of: None }));
    (id, true)
}

/// What a delivery says of the lead itself.
struct Said {
    columns: LeadColumns,
    trade_in: TradeInColumns,
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
fn hear(tenant: &mut Tenant, key: &LeadKey, said: Said, at: &Stamp) -> HeardLead {
    let is_new = !tenant.leads.contains_key(key);
    let id = if is_new { tenant.take_id() } else { RowId::default() };
    let row = tenant.leads.entry(key.clone()).or_insert_with(|| Row::new(unknown(id, at.arrived_at)));
    let lead = &mut row.value;
    let newer_time = said.modified_at > lead.modified_at;
    let wish_before = Wish::of(&mut lead.columns);
    let heard = lead
        .clocks
        .hear(&mut lead.columns, said.columns, at)
        .and(lead.trade_in_clocks.hear(&mut lead.trade_in, said.trade_in, at))
        .and(said.cluster.map_or_else(Heard::default, |cluster| join(&mut lead.membership, cluster, at)));
    if newer_time {
        lead.modified_at = said.modified_at;
    }
    wish_before.restate(&mut lead.columns, said.timezone);
    let email = lead.email();
    let person = email.and_then(|email| tenant.persons.get(&email)).map(|row| row.value.id);
    let changed = heard.changed || newer_time || person != lead.person;
    lead.person = person;
    if changed {
        lead.updated_at = lead.updated_at.max(at.arrived_at);
    }
    if changed || heard.moved {
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
struct Wish {
    day: Option<String>,
    time: Option<String>,
    moment: Option<DateTime<Utc>>,
}

impl Wish {
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
        modified_at: None,
        membership: None,
        person: None,
        appointments_as_of: None,
        booking: BookingState::NotRequested,
        blockers: Vec::new(),
        received_at,
        updated_at: received_at,
    }
}

/// The newest word on which cluster a lead belongs to stays.
fn join(known: &mut Option<Membership>, cluster: RowId, at: &Stamp) -> Heard {
    let mut heard = Heard::default();
    match known {
        Some(known) if *at < known.at => heard.older = true,
        Some(known) if known.cluster == cluster && at.repeats(&known.at) => {}
        Some(_) | None => {
            heard.changed = known.as_ref().is_none_or(|known| known.cluster != cluster);
            heard.moved = true;
            *known = Some(Membership { cluster, at: at.clone() });
        }
    }
    heard
}
