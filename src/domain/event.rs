//! Lead events: calls, notes and follow-ups; the newest word on each stays, and a deleted one is marked.

use chrono::{DateTime, Utc};

use super::Effect;
use super::facts::{EventFacts, Source};
use super::stamp::{LeadOrder, Stamp, hear_tie};
use super::world::{Event, Row, RowId, Tenant};

/// What an event came with.
#[derive(Clone, Copy, Debug)]
pub struct Of {
    /// The cluster that the payload names.
    pub cluster: Option<RowId>,
    /// The lead that carries it; a cluster's events name none.
    pub lead: Option<RowId>,
    /// The feed.
    pub source: Source,
    /// When the sender said that it belongs there.
    pub said_at: Option<DateTime<Utc>>,
}

/// Hears one event; says what it became, and whether its row must be written: for a time alone, where nothing else changed.
pub fn hear(tenant: &mut Tenant, facts: EventFacts, of: Of, received_at: DateTime<Utc>) -> (Effect, bool) {
    let EventFacts { external_id, modified_at, columns } = facts;
    let stamp = |at: Option<DateTime<Utc>>| {
        let at = at.unwrap_or(received_at);
        Stamp { at, then: at, source: of.source, lead: LeadOrder::default(), arrived_at: received_at }
    };
    let said_at = stamp(of.said_at);
    let at = stamp(modified_at.or(columns.source_created_at));
    let Some(row) = tenant.events.get_mut(&external_id) else {
        let mut event = Event { columns, at, modified_at, cluster: None, lead: None };
        hear_tie(&mut event.cluster, of.cluster, &said_at);
        hear_tie(&mut event.lead, of.lead, &said_at);
        tenant.events.insert(external_id, Row::new(event));
        return (Effect::Created, true);
    };
    let event = &mut row.value;
    let ties = hear_tie(&mut event.cluster, of.cluster, &said_at).and(hear_tie(&mut event.lead, of.lead, &said_at));
    let same = event.columns == columns && event.modified_at == modified_at;
    let newer = at > event.at && !(same && at.repeats(&event.at));
    if newer {
        event.columns = columns;
        event.modified_at = modified_at;
        event.at = at;
    }
    let changed = ties.changed || (newer && !same);
    let wrote = ties.writes() || newer;
    if wrote {
        row.touch();
    }
    (if changed { Effect::Updated } else { Effect::Unchanged }, wrote)
}
