//! What both lead feeds can say of what happened to leads.

use chrono::{DateTime, Utc};

use crate::domain::columns::scalar_columns;

/// Something that happened to a lead or a cluster: a call, a note, a follow-up.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFacts {
    /// The sender's event id.
    pub external_id: String,
    /// When the sender last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// Its columns, replaced as a whole.
    pub columns: EventColumns,
}

scalar_columns! {
    /// The columns of `lead_events` that a sender fills.
    pub struct EventColumns {
        /// Kind of event.
        event_type: String,
        /// What happened.
        description: String,
        /// `pending` or `completed`.
        followup_status: String,
        /// Why the customer is to be contacted again.
        followup_reason: String,
        /// When the customer is to be contacted again (`followup_datetime`).
        followup_at: DateTime<Utc>,
        /// When that was done.
        followup_completed_at: DateTime<Utc>,
        /// The service from which the event came.
        external_service: String,
        /// Who made it.
        user_name: String,
        /// When the sender made it.
        source_created_at: DateTime<Utc>,
        /// When the sender deleted it.
        deleted_at: DateTime<Utc>,
    }
}
