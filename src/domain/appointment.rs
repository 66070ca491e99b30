//! Appointments: a payload carries the whole list for its cluster, so what a newer list lacks is removed.

use super::facts::AppointmentFacts;
use super::stamp::Stamp;
use super::world::{Appointment, LeadKey, Row, RowId, Tenant};

/// Whose list a payload carries.
#[derive(Clone, Copy, Debug)]
pub struct ListOf<'a> {
    /// The lead of the payload, where it has a usable id.
    pub lead: Option<(&'a LeadKey, RowId)>,
    /// The cluster that the payload names; the list is the cluster's, else the lead's.
    pub cluster: Option<(&'a str, RowId)>,
}

impl ListOf<'_> {
    fn lead_id(&self) -> Option<RowId> {
        self.lead.map(|(_, id)| id)
    }

    fn cluster_id(&self) -> Option<RowId> {
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
    fn newest(&self, tenant: &Tenant) -> Option<Stamp> {
        match (self.cluster, self.lead) {
            (Some((cluster, _)), _) => tenant.clusters.get(cluster)?.value.appointments_as_of.clone(),
            (None, Some((lead, _))) => tenant.leads.get(lead)?.value.appointments_as_of.clone(),
            (None, None) => None,
        }
    }

    /// Notes the time of a list that is newer than those known; says whether there is a row to note it in.
    fn advance(&self, tenant: &mut Tenant, at: &Stamp) -> bool {
        match (self.cluster, self.lead) {
            (Some((cluster, _)), _) => {
                let Some(row) = tenant.clusters.get_mut(cluster) else { return false };
                row.value.appointments_as_of = Some(at.clone());
                row.touch();
                true
            }
            (None, Some((lead, _))) => {
                let Some(row) = tenant.leads.get_mut(lead) else { return false };
                row.value.appointments_as_of = Some(at.clone());
                row.touch();
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

/// Hears a whole list of appointments; says whether anything was written.
pub fn hear(tenant: &mut Tenant, list: Vec<AppointmentFacts>, of: ListOf<'_>, at: &Stamp) -> bool {
    let newest = of.newest(tenant);
    let same_moment = newest.as_ref().map_or(of.is_nobodys(), |newest| at.repeats(newest));
    if same_moment && says_what_stands(tenant, &list, of, at) {
        return false;
    }
    let is_newest = newest.as_ref().is_none_or(|newest| newest <= at);
    let mut wrote = false;
    for facts in list {
        if is_newest || !stands(tenant, &facts, of, at) {
            wrote |= hear_one(tenant, facts, of, at);
        }
    }
    let newest = match newest {
        Some(newest) if newest > *at => newest,
        Some(_) | None => {
            wrote |= of.advance(tenant, at);
            at.clone()
        }
    };
    remove_missing(tenant, of, &newest) || wrote
}

/// Whether the list, said again at the same moment, is what stands already: then nothing is written. What a newer list
/// of another cluster has taken over since is not missed here.
fn says_what_stands(tenant: &Tenant, list: &[AppointmentFacts], of: ListOf<'_>, at: &Stamp) -> bool {
    let mut here = 0;
    for facts in list {
        match tenant.appointments.get(&facts.external_id).map(|row| &row.value) {
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
    let standing = tenant.appointments.values().map(|row| &row.value);
    let standing = standing.filter(|known| of.governs(known) && known.removed_at.is_none()).count();
    of.is_nobodys() || standing == here
}

/// Whether an appointment is known just as this list says, since this moment.
fn stands(tenant: &Tenant, facts: &AppointmentFacts, of: ListOf<'_>, at: &Stamp) -> bool {
    tenant.appointments.get(&facts.external_id).is_some_and(|row| {
        let known = &row.value;
        known.as_of.same_moment(at)
            && known.columns == facts.columns
            && (known.lead, known.cluster) == (of.lead_id(), of.cluster_id())
    })
}

/// An appointment is as the newest list that held it says.
fn hear_one(tenant: &mut Tenant, facts: AppointmentFacts, of: ListOf<'_>, at: &Stamp) -> bool {
    let AppointmentFacts { external_id, columns } = facts;
    let said =
        Appointment { columns, lead: of.lead_id(), cluster: of.cluster_id(), as_of: at.clone(), removed_at: None };
    match tenant.appointments.get_mut(&external_id) {
        Some(row) if row.value.as_of > *at => false,
        Some(row) => {
            row.value = said;
            row.touch();
            true
        }
        None => {
            tenant.appointments.insert(external_id, Row::new(said));
            true
        }
    }
}

/// An appointment is removed while the newest list of its cluster is newer than the newest list that held it.
fn remove_missing(tenant: &mut Tenant, of: ListOf<'_>, newest: &Stamp) -> bool {
    let mut wrote = false;
    for row in tenant.appointments.values_mut().filter(|row| of.governs(&row.value)) {
        let gone = row.value.as_of < *newest;
        if gone != row.value.removed_at.is_some() {
            row.value.removed_at = gone.then_some(newest.arrived_at);
            row.touch();
            wrote = true;
        }
    }
    wrote
}
