//! What customers are and ask for, saved by one statement: persons, clusters, leads and bookings, with what belongs to
//! them and what leads wait for. Each statement more would wait for its answer before the next is sent.

use crate::domain::ids::{LeadId, WorkspaceId};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::bookings::BookingLists;
use super::clusters::ClusterRows;
use super::dependencies::DependencyLists;
use super::lead_insert::LeadRows;
use super::leads::write_trade_in;
use super::persons::{PersonLists, PersonRows};
use super::unnest::save_lists;
use crate::domain::facts::{ClusterLists, LeadLists, TradeInColumns};
use crate::domain::state::{Booking, Lead, Person, WorkspaceState};

/// Writes what changed of customers.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let (mut person_rows, mut persons) = (PersonRows::default(), PersonLists::default());
    let mut documents = DocumentTimes::default();
    for (email, row) in state.persons.iter().filter(|(_, row)| row.is_dirty()) {
        person_rows.push(email, &row.value);
        persons.push(&row.value.columns);
        documents.push_person(&row.value);
    }
    let (mut cluster_rows, mut clusters) = (ClusterRows::default(), ClusterLists::default());
    for (external_id, row) in state.clusters.iter().filter(|(_, row)| row.is_dirty()) {
        cluster_rows.push(external_id, &row.value);
        clusters.push(&row.value.columns);
    }
    let (mut lead_rows, mut leads) = (LeadRows::default(), LeadLists::default());
    let mut trade_ins: Vec<Value> = Vec::new();
    for (key, row) in state.leads.iter().filter(|(_, row)| row.is_dirty()) {
        lead_rows.push(key, &row.value);
        leads.push(&row.value.columns);
        documents.push_lead(&row.value);
        if row.value.trade_in != TradeInColumns::default() {
            trade_ins.push(write_trade_in(&row.value));
        }
    }
    let (met, new) = dependencies(state);
    let bookings = bookings(state);
    let is_empty = [&person_rows.id, &cluster_rows.id, &lead_rows.id, &met.lead_id, &new.lead_id, &bookings.lead_id];
    if is_empty.iter().all(|ids| ids.is_empty()) {
        return Ok(());
    }
    save_lists!(
        "src/store/save_customers.sql", workspace,
        person_rows => id email created_at updated_at clocks;
        persons => title first_name middle_name last_name business_name date_of_birth mobile_phone home_phone postcode
            marketing_opt_in address_street address_city address_state address_postcode address_country licence_number
            licence_card_number licence_state licence_expires_on licence_date_of_birth passport_number passport_country
            passport_expires_on passport_date_of_birth;
        cluster_rows => id external_id person_id person_email source_modified_at said_at appointments_as_of;
        clusters => dealership_id provider status contact_business_name contact_first_name contact_last_name
            contact_email contact_phone contact_postcode contact_date_of_birth approver_id approver_name
            salesperson_id salesperson_name pipeline_id pipeline_name first_lead_created_at
            last_lead_created_at source_created_at;
        lead_rows => id sender external_id lead_cluster_id person_id person_email subscription_plan booking_state
            booking_blockers source_modified_at received_at updated_at clocks wishes membership appointments_as_of;
        leads => dealership_id dealership_name dealership_slug category subcategory source marketing_source
            utm_campaign provider status status_type status_option_id lost_reason lost_reason_comment comments
            contact_email contact_title contact_first_name contact_middle_name contact_last_name contact_full_name
            contact_phone contact_home_phone contact_date_of_birth contact_postcode contact_address
            contact_marketing_opt_in contact_newsletter contact_employment_type contact_living_situation
            contact_residency_status vin stock_number item_id item_make item_model item_year item_price item
            requested_plan offered_plan subscription location_name location booking_date booking_time requested_at
            has_test_drives website website_url budget purchase_price salesperson_id salesperson_name
            salesperson_email pipeline_id pipeline_name offer_manufacturer offer_name additional_details
            source_created_at documents;
        [Value::Array(trade_ins)];
        met => lead_id kind key;
        new => lead_id kind key;
        bookings => lead_id person_id listing_id location_id package_id wish created_at updated_at;
        documents => licences passports of_leads;
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What leads no longer wait for, and what they wait for now and did not before. Those that did not change otherwise
/// are not written.
fn dependencies(state: &WorkspaceState) -> (DependencyLists<'_>, DependencyLists<'_>) {
    let (mut met, mut new) = (DependencyLists::default(), DependencyLists::default());
    for Lead { id, pending_on, pending_on_stored, .. } in state.leads.values().map(|row| &row.value) {
        pending_on_stored.difference(pending_on).for_each(|dependency| met.push(*id, dependency));
        pending_on.difference(pending_on_stored).for_each(|dependency| new.push(*id, dependency));
    }
    (met, new)
}

/// When identity documents arrived: those of persons and of leads, in the order of their lists.
#[derive(Default)]
struct DocumentTimes {
    licences: Vec<DateTime<Utc>>,
    passports: Vec<DateTime<Utc>>,
    of_leads: Vec<DateTime<Utc>>,
}

impl DocumentTimes {
    fn push_person(&mut self, person: &Person) {
        let received_at = |column| person.versions.of(column).map_or(person.updated_at, |version| version.arrived_at);
        self.licences.push(received_at("licence"));
        self.passports.push(received_at("passport"));
    }

    fn push_lead(&mut self, lead: &Lead) {
        let version = lead.versions.of("documents");
        self.of_leads.push(version.map_or(lead.updated_at, |version| version.arrived_at));
    }
}

fn bookings(state: &WorkspaceState) -> BookingLists {
    let dirty = state.bookings.iter().filter(|(_, row)| row.is_dirty());
    let mut lists = BookingLists::default();
    dirty.for_each(|(lead, row): (&LeadId, _)| lists.push(*lead, &row.value as &Booking));
    lists
}
