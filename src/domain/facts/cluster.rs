//! What the cluster feed can say: a customer's leads together.

use chrono::{DateTime, NaiveDate, Utc};

use super::event::EventFacts;
use super::lead::{LeadFacts, ProspectFacts};
use crate::domain::columns::listed_columns;

/// The sender's grouping of one customer's leads, as one delivery tells it.
#[derive(Clone, Debug)]
pub struct ClusterFacts {
    /// The sender's cluster id; `None` where there is no usable one.
    pub external_id: Option<String>,
    /// When the sender last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The customer.
    pub contact: ProspectFacts,
    /// The cluster's own columns, replaced as a whole.
    pub columns: ClusterColumns,
    /// Its leads; each names the cluster, and the cluster's modification as the time when that was said.
    pub leads: Vec<LeadFacts>,
    /// Its events.
    pub events: Vec<EventFacts>,
}

listed_columns! {
    /// The columns of `lead_clusters` that a sender fills.
    pub struct ClusterColumns listed as ClusterLists {
        /// Dealership id of the sender.
        dealership_id: i64,
        /// The sender's name for itself.
        provider: String,
        /// Status of the cluster.
        status: String,
        /// `contact.business_name`
        contact_business_name: String,
        /// `contact.first_name`
        contact_first_name: String,
        /// `contact.last_name`
        contact_last_name: String,
        /// `contact.email` as sent.
        contact_email: String,
        /// `contact.mobile_phone`, E.164 where valid.
        contact_phone: String,
        /// `contact.postcode`
        contact_postcode: String,
        /// `contact.dob`, where valid.
        contact_date_of_birth: NaiveDate,
        /// `approver.id`
        approver_id: String,
        /// `approver.name`
        approver_name: String,
        /// `assigned_salesperson.id`
        salesperson_id: String,
        /// `assigned_salesperson.name`
        salesperson_name: String,
        /// `pipeline.id`
        pipeline_id: String,
        /// `pipeline.name`
        pipeline_name: String,
        /// When its first lead was made.
        first_lead_created_at: DateTime<Utc>,
        /// When its last lead was made.
        last_lead_created_at: DateTime<Utc>,
        /// When the sender made it.
        source_created_at: DateTime<Utc>,
    }
}
