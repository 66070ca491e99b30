//! Lead events: calls, notes and follow-ups; the newest version of each stays, and a deleted one is marked.

use chrono::{DateTime, Utc};

use super::Effect;
use super::facts::{EventFacts, Source};
use super::ids::{ClusterId, LeadId};
use super::state::{Event, Row, WorkspaceState};
use super::version::{LeadOrder, Version, merge_ref};

/// What an event came with.
#[derive(Clone, Copy, Debug)]
pub struct Of {
    /// The cluster that the payload names.
    pub cluster: Option<ClusterId>,
    /// The lead that carries it; a cluster's events name none.
    pub lead: Option<LeadId>,
    /// The feed.
    pub source: Source,
    /// The sender's time of the reference to them.
    pub linked_at: Option<DateTime<Utc>>,
}

/// Merges one event; says what it became, and whether its row must be written: for a time alone, where nothing else
/// changed.
pub fn merge(state: &mut WorkspaceState, facts: EventFacts, of: Of, received_at: DateTime<Utc>) -> (Effect, bool) {
    let EventFacts { external_id, modified_at, columns } = facts;
    let version = |at: Option<DateTime<Utc>>| {
        let at = at.unwrap_or(received_at);
        Version { at, tiebreak: at, source: of.source, lead: LeadOrder::default(), arrived_at: received_at }
    };
    let linked_at = version(of.linked_at);
    let at = version(modified_at.or(columns.source_created_at));
    let Some(row) = state.events.get_mut(&external_id) else {
        let mut event = Event { columns, at, modified_at, cluster: None, lead: None };
        merge_ref(&mut event.cluster, of.cluster, &linked_at);
        merge_ref(&mut event.lead, of.lead, &linked_at);
        state.events.insert(external_id, Row::new(event));
        return (Effect::Created, true);
    };
    let event = &mut row.value;
    let links =
        merge_ref(&mut event.cluster, of.cluster, &linked_at).and(merge_ref(&mut event.lead, of.lead, &linked_at));
    let same = event.columns == columns && event.modified_at == modified_at;
    let newer = at > event.at && !(same && at.repeats(&event.at));
    if newer {
        event.columns = columns;
        event.modified_at = modified_at;
        event.at = at;
    }
    let changed = links.changed || (newer && !same);
    let wrote = links.writes() || newer;
    if wrote {
        row.mark_dirty();
    }
    (if changed { Effect::Updated } else { Effect::Unchanged }, wrote)
}
