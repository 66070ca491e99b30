//! Leads as lists, one for each column of the table.

use crate::domain::ids::{PersonId, WorkspaceId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::json_row;
use super::lead_codec::{dependency_text, state_name, write_booking_requests};
use super::unnest::{array, save_lists};
use crate::domain::facts::LeadLists;
use crate::domain::state::{Lead, LeadKey};

/// The columns that are not the sender's own.
#[derive(Debug, Default)]
struct Rows<'a> {
    id: Vec<i64>,
    sender: Vec<&'static str>,
    external_id: Vec<&'a str>,
    lead_cluster_id: Vec<Option<i64>>,
    person_id: Vec<Option<i64>>,
    person_email: Vec<Option<String>>,
    subscription_plan: Vec<Option<&'a str>>,
    booking_state: Vec<&'static str>,
    booking_blockers: Vec<String>,
    source_modified_at: Vec<Option<DateTime<Utc>>>,
    received_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
    clocks: Vec<String>,
    wishes: Vec<Option<String>>,
    waits_for: Vec<Option<String>>,
    membership: Vec<Option<String>>,
    appointments_as_of: Vec<Option<String>>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, workspace: WorkspaceId, key: &'a LeadKey, lead: &'a Lead) {
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
            person,
            appointments_as_of,
            booking,
            blockers,
            booking_requests,
            pending_on,
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
        let pending_on: Vec<String> =
            pending_on.iter().map(|dependency| dependency_text(workspace, dependency)).collect();
        self.waits_for.push((!pending_on.is_empty()).then(|| array(pending_on.iter().map(String::as_str))));
        self.membership.push(cluster.as_ref().map(|versioned_ref| json_row::version(&versioned_ref.at).to_string()));
        self.appointments_as_of.push(appointments_as_of.as_ref().map(|as_of| json_row::version(as_of).to_string()));
    }
}

/// Writes leads that are new or changed, whole.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    leads: impl Iterator<Item = (&LeadKey, &Lead)>,
) -> Result<(), sqlx::Error> {
    let (mut rows, mut columns) = (Rows::default(), LeadLists::default());
    for (key, lead) in leads {
        rows.push(workspace, key, lead);
        columns.push(&lead.columns);
    }
    save_lists!(
        "src/store/save_leads.sql", workspace,
        rows => id sender external_id lead_cluster_id person_id person_email subscription_plan booking_state
            booking_blockers source_modified_at received_at updated_at clocks wishes waits_for membership
            appointments_as_of,
        columns => dealership_id dealership_name dealership_slug category subcategory source marketing_source
            utm_campaign provider status status_type status_option_id lost_reason lost_reason_comment comments
            contact_email contact_title contact_first_name contact_middle_name contact_last_name contact_full_name
            contact_phone contact_home_phone contact_date_of_birth contact_postcode contact_address
            contact_marketing_opt_in contact_newsletter contact_employment_type contact_living_situation
            contact_residency_status vin stock_number item_id item_make item_model item_year item_price item
            requested_plan offered_plan subscription location_name location booking_date booking_time requested_at
            has_test_drives website website_url budget purchase_price salesperson_id salesperson_name
            salesperson_email pipeline_id pipeline_name offer_manufacturer offer_name additional_details
            source_created_at documents
    )
    .execute(tx)
    .await?;
    Ok(())
}
