//! Leads as lists, one for each column of the table.

use crate::domain::ids::PersonId;
use chrono::{DateTime, Utc};

use super::json_row;
use super::lead_codec::{state_name, write_booking_requests, write_history};
use super::unnest::array;
use crate::domain::state::{Lead, LeadKey};

/// The columns that are not the sender's own.
#[derive(Debug, Default)]
pub(super) struct LeadRows<'a> {
    pub(super) id: Vec<i64>,
    pub(super) sender: Vec<&'static str>,
    pub(super) external_id: Vec<&'a str>,
    pub(super) lead_cluster_id: Vec<Option<i64>>,
    pub(super) person_id: Vec<Option<i64>>,
    pub(super) person_email: Vec<Option<String>>,
    pub(super) subscription_plan: Vec<Option<&'a str>>,
    pub(super) booking_state: Vec<&'static str>,
    pub(super) booking_blockers: Vec<String>,
    pub(super) source_modified_at: Vec<Option<DateTime<Utc>>>,
    pub(super) received_at: Vec<DateTime<Utc>>,
    pub(super) updated_at: Vec<DateTime<Utc>>,
    pub(super) clocks: Vec<String>,
    pub(super) wishes: Vec<Option<String>>,
    pub(super) membership: Vec<Option<String>>,
    pub(super) appointments_as_of: Vec<Option<String>>,
    pub(super) history: Vec<Option<String>>,
}

impl<'a> LeadRows<'a> {
    /// Adds a row.
    pub(super) fn push(&mut self, key: &'a LeadKey, lead: &'a Lead) {
        let Lead {
            id,
            columns: _,
            versions,
            trade_in: _,
            trade_in_versions: _,
            property: _,
            property_versions: _,
            modified_at,
            cluster,
            cluster_external_id: _,
            history,
            person,
            appointments_as_of,
            booking,
            blockers,
            booking_requests,
            pending_on: _,
            pending_on_stored: _,
            received_at,
            updated_at,
        } = lead;
        let LeadKey { sender, external_id } = key;
        self.id.push(id.get());
        self.sender.push(sender.name());
        self.external_id.push(external_id);
        self.lead_cluster_id.push(cluster.as_ref().map(|versioned_ref| versioned_ref.to.get()));
        self.person_id.push(person.map(PersonId::get));
        self.person_email.push(lead.email().map(|email| email.as_str().to_owned()));
        self.subscription_plan.push(lead.plan());
        self.booking_state.push(state_name(*booking));
        self.booking_blockers.push(array(blockers.iter().map(|code| code.name())));
        self.source_modified_at.push(*modified_at);
        self.received_at.push(*received_at);
        self.updated_at.push(*updated_at);
        self.clocks.push(json_row::versions(versions).to_string());
        self.wishes.push(write_booking_requests(booking_requests).map(|booking_requests| booking_requests.to_string()));
        self.membership.push(cluster.as_ref().map(|versioned_ref| json_row::version(&versioned_ref.at).to_string()));
        self.appointments_as_of.push(appointments_as_of.as_ref().map(|as_of| json_row::version(as_of).to_string()));
        self.history.push(write_history(history).map(|history| history.to_string()));
    }
}
