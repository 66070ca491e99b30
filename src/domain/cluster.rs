//! Lead clusters: the sender's grouping of one customer's leads, merged with everything in it.

use chrono::{DateTime, Utc};

use super::facts::{ClusterColumns, ClusterFacts, Source};
use super::finding::{Code, Finding};
use super::ids::ClusterId;
use super::state::WorkspaceState;
use super::values::Email;
use super::version::{LeadOrder, Version};
use super::{Counts, Effect, Effects, booking, event, lead, person};

/// Merges a cluster: its contact, itself, its leads, its events.
pub fn apply(
    state: &mut WorkspaceState,
    facts: ClusterFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Effects {
    let (at, contact_at) = versions(&facts, received_at);
    let ClusterFacts { external_id, modified_at, contact, columns, leads, events } = facts;
    let linked_at = modified_at.or(columns.source_created_at);
    let mut counts = Counts::default();
    let mut effects = Effects::default();

    let email = contact.email.valid().cloned();
    let person_merge = person::merge(state, contact, "", &contact_at, findings);
    effects.other_rows_changed |= person_merge.as_ref().is_some_and(|person_merge| person_merge.wrote);
    counts.person.add(person_merge.as_ref().map(|person_merge| person_merge.effect));
    if let Some(person_merge) = person_merge.filter(|person_merge| person_merge.effect == Effect::Created) {
        booking::person_created(state, &person_merge.email, received_at);
    }
    let cluster = external_id.map(|external_id| {
        let (effect, id) = merge(state, &external_id, (columns, email.as_ref()), modified_at, &at, findings);
        effects.lead_cluster = Some(effect);
        id
    });
    for facts in leads {
        let of_lead = lead::apply(state, facts, received_at, findings);
        counts.person.add(of_lead.person);
        counts.lead.add(of_lead.lead);
        counts.booking.add(of_lead.booking);
        effects.other_rows_changed |= of_lead.other_rows_changed;
    }
    for facts in events {
        let of = event::Of { cluster, lead: None, source: Source::Cluster, linked_at };
        let (effect, wrote) = event::merge(state, facts, of, received_at);
        counts.lead_event.add(Some(effect));
        effects.other_rows_changed |= wrote;
    }
    effects.counts = Some(counts);
    effects
}

/// The two times of a cluster: of its row, and of its contact, which counts as given with its last lead.
fn versions(facts: &ClusterFacts, received_at: DateTime<Utc>) -> (Version, Version) {
    let modified = facts.modified_at.or(facts.columns.source_created_at).unwrap_or(received_at);
    let given = facts.columns.last_lead_created_at.unwrap_or(modified);
    let version =
        |at, source| Version { at, tiebreak: modified, source, lead: LeadOrder::default(), arrived_at: received_at };
    (version(modified, Source::Cluster), version(given, Source::Contact))
}

/// The newest word on a cluster stays, whole; its person is that of its contact's address.
fn merge(
    state: &mut WorkspaceState,
    external_id: &str,
    (columns, email): (ClusterColumns, Option<&Email>),
    modified_at: Option<DateTime<Utc>>,
    at: &Version,
    findings: &mut Vec<Finding>,
) -> (Effect, ClusterId) {
    let (id, is_new) = state.get_or_add_cluster(external_id);
    let person = email.and_then(|email| state.persons.get(email)).map(|row| row.value.id);
    let Some(row) = state.clusters.get_mut(external_id) else { return (Effect::Unchanged, id) };
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
    row.mark_dirty();
    (if is_new { Effect::Created } else { Effect::Updated }, id)
}
