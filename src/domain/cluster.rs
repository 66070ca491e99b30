//! Lead clusters: the sender's grouping of one customer's leads, heard with everything in it.

use chrono::{DateTime, Utc};

use super::facts::{ClusterColumns, ClusterFacts, Source};
use super::finding::{Code, Finding};
use super::stamp::{LeadOrder, Stamp};
use super::values::Email;
use super::world::{RowId, Tenant};
use super::{Counts, Effect, Effects, booking, event, lead, person};

/// Hears a cluster: its contact, itself, its leads, its events.
pub fn apply(
    tenant: &mut Tenant,
    facts: ClusterFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Effects {
    let (at, contact_at) = stamps(&facts, received_at);
    let ClusterFacts { external_id, modified_at, contact, columns, leads, events } = facts;
    let said_at = modified_at.or(columns.source_created_at);
    let mut counts = Counts::default();
    let mut effects = Effects::default();

    let met = person::hear(tenant, contact, "", &contact_at, findings);
    effects.beside |= met.as_ref().is_some_and(|met| met.wrote);
    counts.person.add(met.as_ref().map(|met| met.effect));
    if let Some(met) = met.filter(|met| met.effect == Effect::Created) {
        booking::person_appeared(tenant, &met.email, received_at);
    }
    let cluster = external_id.map(|external_id| {
        let (effect, id) = hear(tenant, &external_id, columns, modified_at, &at, findings);
        effects.lead_cluster = Some(effect);
        id
    });
    for facts in leads {
        let of_lead = lead::apply(tenant, facts, received_at, findings);
        counts.person.add(of_lead.person);
        counts.lead.add(of_lead.lead);
        counts.booking.add(of_lead.booking);
        effects.beside |= of_lead.beside;
    }
    for facts in events {
        let of = event::Of { cluster, lead: None, source: Source::Cluster, said_at };
        let (effect, wrote) = event::hear(tenant, facts, of, received_at);
        counts.lead_event.add(Some(effect));
        effects.beside |= wrote;
    }
    effects.counts = Some(counts);
    effects
}

/// The two times of a cluster: of its row, and of its contact, which counts as given with its last lead.
fn stamps(facts: &ClusterFacts, received_at: DateTime<Utc>) -> (Stamp, Stamp) {
    let modified = facts.modified_at.or(facts.columns.source_created_at).unwrap_or(received_at);
    let given = facts.columns.last_lead_created_at.unwrap_or(modified);
    let stamp = |at, source| Stamp { at, then: modified, source, lead: LeadOrder::default(), arrived_at: received_at };
    (stamp(modified, Source::Cluster), stamp(given, Source::Contact))
}

/// The newest word on a cluster stays, whole.
fn hear(
    tenant: &mut Tenant,
    external_id: &str,
    columns: ClusterColumns,
    modified_at: Option<DateTime<Utc>>,
    at: &Stamp,
    findings: &mut Vec<Finding>,
) -> (Effect, RowId) {
    let (id, is_new) = tenant.known_cluster(external_id);
    let person = columns.contact_email.as_deref().and_then(Email::parse);
    let person = person.and_then(|email| tenant.persons.get(&email)).map(|row| row.value.id);
    let Some(row) = tenant.clusters.get_mut(external_id) else { return (Effect::Unchanged, id) };
    let known_at = row.value.at.as_ref();
    if known_at.is_some_and(|known| at < known) {
        findings.push(Finding::whole(Code::OlderThanKnown, "a newer delivery of this cluster is known"));
        return (Effect::Unchanged, id);
    }
    let cluster = &mut row.value;
    let same = cluster.columns == columns && cluster.person == person && cluster.modified_at == modified_at;
    if same && cluster.at.as_ref().is_some_and(|known| at.repeats(known)) {
        return (Effect::Unchanged, id);
    }
    cluster.columns = columns;
    cluster.person = person;
    cluster.modified_at = modified_at;
    cluster.at = Some(at.clone());
    row.touch();
    (if is_new { Effect::Created } else { Effect::Updated }, id)
}
