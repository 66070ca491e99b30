//! What customers are and ask for, saved by one statement: persons, clusters, leads and bookings, with what belongs to
//! them and what leads wait for. Each statement more would wait for its answer before the next is sent.

use crate::domain::ids::WorkspaceId;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::bookings::BookingLists;
use super::clusters::ClusterRows;
use super::dependency_codec::DependencyLists;
use super::lead_insert::LeadRows;
use super::leads::write_trade_in;
use super::persons::{PersonLists, PersonRows};
use super::unnest::{list, save_lists};
use crate::domain::consent::consent;
use crate::domain::facts::{ClusterLists, LeadLists, TradeInColumns};
use crate::domain::lead_history::LeadChange;
use crate::domain::state::{Lead, Person, WorkspaceState};

/// What changed of customers, as lists: one for each column.
#[derive(Default)]
struct ChangedRows<'a> {
    person_rows: PersonRows<'a>,
    persons: PersonLists<'a>,
    cluster_rows: ClusterRows<'a>,
    clusters: ClusterLists<'a>,
    lead_rows: LeadRows<'a>,
    leads: LeadLists<'a>,
    trade_ins: Vec<Value>,
    bookings: BookingLists,
    /// What leads no longer wait for.
    met: DependencyLists<'a>,
    /// What leads wait for and did not before.
    new: DependencyLists<'a>,
    documents: DocumentTimes,
    changes: LeadChangeLists<'a>,
}

impl<'a> ChangedRows<'a> {
    fn of(state: &'a WorkspaceState) -> Self {
        let mut changed = Self::default();
        for (email, row) in state.persons.iter().filter(|(_, row)| row.is_dirty()) {
            changed.person_rows.push(email, &row.value, consent(state, &row.value));
            changed.persons.push(&row.value.columns);
            changed.documents.push_person(&row.value);
        }
        for (external_id, row) in state.clusters.iter().filter(|(_, row)| row.is_dirty()) {
            changed.cluster_rows.push(external_id, &row.value);
            changed.clusters.push(&row.value.columns);
        }
        for (key, row) in state.leads.iter().filter(|(_, row)| row.is_dirty()) {
            changed.lead_rows.push(key, &row.value);
            changed.leads.push(&row.value.columns);
            changed.documents.push_lead(&row.value);
            if row.value.trade_in != TradeInColumns::default() {
                changed.trade_ins.push(write_trade_in(&row.value));
            }
        }
        // Also of leads that did not change otherwise.
        for Lead { id, pending_on, pending_on_stored, .. } in state.leads.values().map(|row| &row.value) {
            pending_on_stored.difference(pending_on).for_each(|dependency| changed.met.push(*id, dependency));
            pending_on.difference(pending_on_stored).for_each(|dependency| changed.new.push(*id, dependency));
        }
        for (lead, row) in state.bookings.iter().filter(|(_, row)| row.is_dirty()) {
            changed.bookings.push(*lead, &row.value);
        }
        changed.changes = LeadChangeLists::of(&state.lead_changes.made);
        changed
    }

    fn is_empty(&self) -> bool {
        let Self { person_rows, cluster_rows, lead_rows, bookings, met, new, changes, .. } = self;
        let of_leads = [&lead_rows.id, &bookings.lead_id, &met.lead_id, &new.lead_id, &changes.lead_id];
        [&person_rows.id, &cluster_rows.id].into_iter().chain(of_leads).all(Vec::is_empty)
    }
}

/// Writes what changed of customers.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let changed = ChangedRows::of(state);
    if changed.is_empty() {
        return Ok(());
    }
    let ChangedRows {
        person_rows,
        persons,
        cluster_rows,
        clusters,
        lead_rows,
        leads,
        trade_ins,
        bookings,
        met,
        new,
        documents,
        changes,
    } = changed;
    let trade_ins = Value::Array(trade_ins);
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
        [trade_ins];
        met => lead_id kind key;
        new => lead_id kind key;
        bookings => lead_id person_id listing_id location_id package_id wish created_at updated_at;
        documents => licences passports of_leads;
        lead_rows => history;
        bookings => delivery_id;
        changes => lead_id field old_value new_value changed_at;
        person_rows => marketing_opt_in_at marketing_opt_in_lead_id;
    )
    .execute(&mut *tx)
    .await?;
    remove_changes(tx, workspace, &state.lead_changes.gone).await
}

/// Removes changes between which a value came late: seldom, and so not with all the rest.
async fn remove_changes(tx: &mut PgConnection, workspace: WorkspaceId, gone: &[LeadChange]) -> Result<(), sqlx::Error> {
    if gone.is_empty() {
        return Ok(());
    }
    let LeadChangeLists { lead_id, field, old_value, new_value, changed_at } = LeadChangeLists::of(gone);
    sqlx::query!(
        "delete from lead_changes as known
        using unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
            as g (lead_id, field, old_value, new_value, changed_at)
        where known.workspace_id = $1 and known.lead_id = any($2) and known.lead_id = g.lead_id
            and known.field = g.field and known.changed_at = g.changed_at
            and known.old_value = g.old_value and known.new_value = g.new_value",
        workspace.get(),
        &lead_id,
        &field as &[&str],
        &old_value as &[&str],
        &new_value as &[&str],
        &changed_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Changes of leads' watched values, a list for each column.
#[derive(Debug, Default)]
struct LeadChangeLists<'a> {
    lead_id: Vec<i64>,
    field: Vec<&'a str>,
    old_value: Vec<&'a str>,
    new_value: Vec<&'a str>,
    changed_at: Vec<DateTime<Utc>>,
}

impl<'a> LeadChangeLists<'a> {
    fn of(changes: &'a [LeadChange]) -> Self {
        Self {
            lead_id: list(changes, |change| change.lead.get()),
            field: list(changes, |change| change.field),
            old_value: list(changes, |change| change.old_value.as_str()),
            new_value: list(changes, |change| change.new_value.as_str()),
            changed_at: list(changes, |change| change.changed_at),
        }
    }
}

/// When identity documents arrived: those of persons and of leads, in the order of their lists.
#[derive(Debug, Default)]
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
