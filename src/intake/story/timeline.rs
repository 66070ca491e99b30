//! What happened, the oldest first: deliveries by their arrival, changes by the sender's time, and what healed when.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::delivery::{self, Told};
use super::gather::{Gathered, MOST_ENTRIES};
use super::types::{Change, Entry, Event, Healed};
use crate::store::story::{ChangeRow, DeliveryRow, LeadRow};

/// The timeline, and whether older entries are left out.
pub(super) fn timeline(gathered: &Gathered) -> (Vec<Entry>, bool) {
    let Gathered { leads, deliveries, changes, .. } = gathered;
    let mut entries: Vec<(DateTime<Utc>, u8, Event)> = Vec::new();
    let of_story = Told { leads, deliveries };
    for row in relevant(deliveries, leads) {
        entries.push((row.received_at, 0, Event::Delivery(Box::new(delivery::read(row, of_story)))));
    }
    for change in changes {
        entries.push((change.changed_at, 1, Event::Change(told(change, gathered))));
    }
    for (at, healed) in all_healed(leads, deliveries) {
        entries.push((at, 2, Event::Healed(healed)));
    }
    let erased: BTreeSet<DateTime<Utc>> = leads.iter().filter_map(|lead| lead.erased_at).collect();
    entries.extend(erased.into_iter().map(|at| (at, 3, Event::Erased)));
    // Sorting is stable: what happened at one moment stands in the order of its kinds, and then as it was found.
    entries.sort_by_key(|(at, kind, _)| (*at, *kind));
    let left_out = entries.len().saturating_sub(MOST_ENTRIES);
    let entries = entries.into_iter().skip(left_out).map(|(at, _, event)| Entry { at, event });
    (entries.collect(), left_out > 0)
}

/// The deliveries without those of vehicles from before the first lead, of which the newest is told: how the vehicle stood
/// when the lead came.
fn relevant<'a>(deliveries: &'a [DeliveryRow], leads: &[LeadRow]) -> Vec<&'a DeliveryRow> {
    let first = leads.iter().map(|lead| lead.received_at).min();
    let is_before = |row: &&DeliveryRow| row.feed == "inventory" && first.is_some_and(|first| row.received_at < first);
    let (before, after): (Vec<&DeliveryRow>, Vec<&DeliveryRow>) = deliveries.iter().partition(is_before);
    before.into_iter().next_back().into_iter().chain(after).collect()
}

fn told(change: &ChangeRow, gathered: &Gathered) -> Change {
    let lead = gathered.leads.iter().find(|lead| change.of_lead && lead.id == change.of);
    let of = lead.map_or_else(|| "the vehicle".to_owned(), |lead| format!("lead {}", lead.external_id));
    Change { of, field: change.field.clone(), from: change.old_value.clone(), to: change.new_value.clone() }
}

/// When leads got their bookings by what was not their own delivery: what deliveries say of other leads' bookings; and of
/// bookings from before they did, by the booking.
fn all_healed(leads: &[LeadRow], deliveries: &[DeliveryRow]) -> Vec<(DateTime<Utc>, Healed)> {
    let mut healed = Vec::new();
    let mut known = BTreeSet::new();
    for row in deliveries {
        let others = delivery::healed(row);
        for lead in leads.iter().rev().filter(|lead| others.contains(&lead.external_id)) {
            known.insert(lead.id);
            healed.push((row.received_at, by(lead, Some(row.id), Some(row.feed.clone()))));
        }
    }
    for lead in leads.iter().filter(|lead| !known.contains(&lead.id)) {
        healed.extend(healed_before(lead, deliveries));
    }
    healed
}

/// The booking of a lead that a delivery of something else made, or that nothing of its own did after it was blocked.
fn healed_before(lead: &LeadRow, deliveries: &[DeliveryRow]) -> Option<(DateTime<Utc>, Healed)> {
    let booked_at = lead.booked_at?;
    let own = |row: &&DeliveryRow| {
        row.feed == "lead_cluster" || row.feed != "inventory" && row.external_id.as_ref() == Some(&lead.external_id)
    };
    if let Some(id) = lead.delivery_id {
        let made = deliveries.iter().find(|row| row.id == id)?;
        return (!own(&made)).then(|| (made.received_at, by(lead, Some(id), Some(made.feed.clone()))));
    }
    let was_blocked = deliveries.iter().filter(own).any(|row| {
        row.received_at < booked_at && row.changes.get("booking").is_some_and(|booking| booking == "blocked")
    });
    was_blocked.then(|| (booked_at, by(lead, None, None)))
}

fn by(lead: &LeadRow, delivery_id: Option<Uuid>, feed: Option<String>) -> Healed {
    Healed { lead: lead.external_id.clone(), delivery_id, feed }
}
