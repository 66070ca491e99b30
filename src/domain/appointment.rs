//! Appointments: a payload carries the whole list for its cluster, so what a newer list lacks is removed.

use super::facts::AppointmentFacts;
use super::ids::{ClusterId, LeadId};
use super::state::{Appointment, LeadKey, Row, WorkspaceState};
use super::version::Version;

/// Whose list a payload carries.
#[derive(Clone, Copy, Debug)]
pub struct ListOf<'a> {
    /// The lead of the payload, where it has a usable id.
    pub lead: Option<(&'a LeadKey, LeadId)>,
    /// The cluster that the payload names; the list is the cluster's, else the lead's.
    pub cluster: Option<(&'a str, ClusterId)>,
}

impl ListOf<'_> {
    fn lead_id(&self) -> Option<LeadId> {
        self.lead.map(|(_, id)| id)
    }

    fn cluster_id(&self) -> Option<ClusterId> {
        self.cluster.map(|(_, id)| id)
    }

    /// Whether the list that last held the appointment was one of this cluster, or of this lead.
    fn governs(&self, appointment: &Appointment) -> bool {
        match self.cluster_id() {
            Some(cluster) => appointment.cluster == Some(cluster),
            None => appointment.cluster.is_none() && self.lead.is_some() && appointment.lead == self.lead_id(),
        }
    }

    /// The time of the newest list known.
    fn newest(&self, state: &WorkspaceState) -> Option<Version> {
        match (self.cluster, self.lead) {
            (Some((cluster, _)), _) => state.clusters.get(cluster)?.value.appointments_as_of.clone(),
            (None, Some((lead, _))) => state.leads.get(lead)?.value.appointments_as_of.clone(),
            (None, None) => None,
        }
    }

    /// Notes the time of a list that is newer than those known; says whether there is a row to note it in.
    fn advance(&self, state: &mut WorkspaceState, at: &Version) -> bool {
        match (self.cluster, self.lead) {
            (Some((cluster, _)), _) => {
                let Some(row) = state.clusters.get_mut(cluster) else { return false };
                row.value.appointments_as_of = Some(at.clone());
                row.mark_dirty();
                true
            }
            (None, Some((lead, _))) => {
                let Some(row) = state.leads.get_mut(lead) else { return false };
                row.value.appointments_as_of = Some(at.clone());
                row.mark_dirty();
                true
            }
            (None, None) => false,
        }
    }

    /// Whether the list is that of a payload with neither a cluster nor a lead; such a list removes nothing.
    fn is_nobodys(&self) -> bool {
        self.cluster.is_none() && self.lead.is_none()
    }
}

/// Merges a whole list of appointments; says whether anything was written.
pub fn merge(state: &mut WorkspaceState, list: Vec<AppointmentFacts>, of: ListOf<'_>, at: &Version) -> bool {
    let newest = of.newest(state);
    let same_source_time = newest.as_ref().map_or(of.is_nobodys(), |newest| at.repeats(newest));
    if same_source_time && says_what_stands(state, &list, of, at) {
        return false;
    }
    let is_newest = newest.as_ref().is_none_or(|newest| newest <= at);
    let mut wrote = false;
    for facts in list {
        if is_newest || !stands(state, &facts, of, at) {
            wrote |= merge_one(state, facts, of, at);
        }
    }
    let newest = match newest {
        Some(newest) if newest > *at => newest,
        Some(_) | None => {
            wrote |= of.advance(state, at);
            at.clone()
        }
    };
    remove_missing(state, of, &newest) || wrote
}

/// Whether the list, said again at the same moment, is what stands already: then nothing is written. What a newer list
/// of another cluster has taken over since is not missed here.
fn says_what_stands(state: &WorkspaceState, list: &[AppointmentFacts], of: ListOf<'_>, at: &Version) -> bool {
    let mut here = 0;
    for facts in list {
        match state.appointments.get(&facts.external_id).map(|row| &row.value) {
            Some(known) if at.repeats(&known.as_of) => {
                let owners = (known.lead, known.cluster) == (of.lead_id(), of.cluster_id());
                if !owners || known.columns != facts.columns {
                    return false;
                }
                here += 1;
            }
            Some(known) if known.as_of > *at => {}
            Some(_) | None => return false,
        }
    }
    let standing = state.appointments.values().map(|row| &row.value);
    let standing = standing.filter(|known| of.governs(known) && known.removed_at.is_none()).count();
    of.is_nobodys() || standing == here
}

/// Whether an appointment is known just as this list says, since this moment.
fn stands(state: &WorkspaceState, facts: &AppointmentFacts, of: ListOf<'_>, at: &Version) -> bool {
    state.appointments.get(&facts.external_id).is_some_and(|row| {
        let known = &row.value;
        known.as_of.same_source_time(at)
            && known.columns == facts.columns
            && (known.lead, known.cluster) == (of.lead_id(), of.cluster_id())
    })
}

/// An appointment is as the newest list that held it says.
fn merge_one(state: &mut WorkspaceState, facts: AppointmentFacts, of: ListOf<'_>, at: &Version) -> bool {
    let AppointmentFacts { external_id, columns } = facts;
    let incoming =
        Appointment { columns, lead: of.lead_id(), cluster: of.cluster_id(), as_of: at.clone(), removed_at: None };
    match state.appointments.get_mut(&external_id) {
        Some(row) if row.value.as_of > *at => false,
        Some(row) => {
            row.value = incoming;
            row.mark_dirty();
            true
        }
        None => {
            state.appointments.insert(external_id, Row::new(incoming));
            true
        }
    }
}

/// An appointment is removed while the newest list of its cluster is newer than the newest list that held it.
fn remove_missing(state: &mut WorkspaceState, of: ListOf<'_>, newest: &Version) -> bool {
    let mut wrote = false;
    for row in state.appointments.values_mut().filter(|row| of.governs(&row.value)) {
        let gone = row.value.as_of < *newest;
        if gone != row.value.removed_at.is_some() {
            row.value.removed_at = gone.then_some(newest.arrived_at);
            row.mark_dirty();
            wrote = true;
        }
    }
    wrote
}
