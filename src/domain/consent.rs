//! What belongs to a customer's newest word on marketing: when it was said, and with which lead.

use chrono::{DateTime, Utc};

use super::ids::LeadId;
use super::state::{LeadKey, Person, WorkspaceState};

/// The column of the word.
pub const MARKETING_OPT_IN: &str = "marketing_opt_in";

/// When a customer said what is known about marketing, and with which lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// When, as the version of the word says.
    pub at: DateTime<Utc>,
    /// The lead; none where it had no usable id.
    pub lead: Option<LeadId>,
}

/// What belongs to the newest word of a customer on marketing; nothing where there is none.
///
/// The word's version names its lead by the sender's id. A word that came with this state's deliveries came with a lead
/// that is in the state; of an older one the lead is stored with the person.
#[must_use]
pub fn consent(state: &WorkspaceState, person: &Person) -> Option<Consent> {
    person.columns.marketing_opt_in?;
    let version = person.versions.of(MARKETING_OPT_IN)?;
    let has_lead = !version.lead.0.is_empty();
    let key = LeadKey { sender: version.source.sender(), external_id: version.lead.0.clone() };
    let lead = || state.leads.get(&key).map(|row| row.value.id).or(person.consent_lead);
    Some(Consent { at: version.at, lead: has_lead.then(lead).flatten() })
}
