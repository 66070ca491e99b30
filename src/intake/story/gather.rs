//! The rows that have to do with a subject: its leads with their bookings, clusters and vehicles, and the deliveries about
//! all of them.

use std::collections::BTreeSet;

use super::subject::Subject;
use crate::store::story::{
    self, ChangeRow, ClusterRow, DeliveryKeys, DeliveryRow, LeadRow, Leads, ListingRow, PersonRow, StockNames,
};
use crate::store::{Connection, Error};

/// How many leads a story tells of.
pub(super) const MOST_LEADS: usize = 50;
/// How many entries its timeline has.
pub(super) const MOST_ENTRIES: usize = 200;
/// How many rows of one kind are asked for of one thing.
const MOST_ROWS: i64 = 100;

/// What was found of a subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// The leads, the newest first.
    pub(super) leads: Vec<LeadRow>,
    /// The customers.
    pub(super) persons: Vec<PersonRow>,
    /// The clusters that the story is about.
    pub(super) clusters: Vec<ClusterRow>,
    /// The vehicles that it is about, or that its leads have booked or ask for.
    pub(super) listings: Vec<ListingRow>,
    /// Their identifiers.
    pub(super) identifiers: Vec<(i64, String)>,
    /// Changes of leads and vehicles.
    pub(super) changes: Vec<ChangeRow>,
    /// Deliveries, the oldest first.
    pub(super) deliveries: Vec<DeliveryRow>,
    /// What there is under the names that blocked leads give.
    pub(super) names: StockNames,
    /// Packages that can be booked.
    pub(super) packages: Vec<String>,
    /// Whether there is more than is told.
    pub(super) has_more: bool,
}

/// Gathers what has to do with a subject.
pub(super) async fn gather(tx: &mut Connection, workspace: i64, subject: &Subject) -> Result<Gathered, Error> {
    let mut gathered = Gathered::default();
    let mut wanted = Leads::default();
    match subject {
        Subject::Lead(id) => wanted.ids.push(*id),
        Subject::Person(id) => {
            wanted.persons.push(*id);
            gathered.persons = story::persons(tx, workspace, &[*id]).await?;
        }
        Subject::Nobody(leads, clusters) => {
            wanted.ids.clone_from(leads);
            wanted.clusters.clone_from(clusters);
            gathered.clusters = story::clusters(tx, workspace, clusters).await?;
        }
        Subject::Vehicle(id) => {
            wanted.listings.push(*id);
            gathered.listings = story::listings(tx, workspace, &[*id]).await?;
            wanted.vins.extend(gathered.listings.iter().filter_map(|listing| listing.vin.clone()));
        }
        Subject::Missing(leads) => wanted.ids.clone_from(leads),
        Subject::Cluster(id) => {
            wanted.clusters.push(*id);
            gathered.clusters = story::clusters(tx, workspace, &[*id]).await?;
        }
    }
    find_leads(tx, workspace, &wanted, &mut gathered).await?;
    let is_whole = matches!(subject, Subject::Lead(_) | Subject::Vehicle(_));
    complete(tx, workspace, is_whole, &mut gathered).await?;
    Ok(gathered)
}

/// Gathers what has to do with one delivery: the leads, the vehicle or the cluster that it is about, and the leads whose
/// bookings it made.
pub(super) async fn gather_delivery(
    tx: &mut Connection,
    delivery: DeliveryRow,
    others: Vec<String>,
) -> Result<Gathered, Error> {
    let workspace = delivery.workspace_id;
    let mut gathered = Gathered::default();
    let mut wanted = Leads { external_ids: others, ..Leads::default() };
    if let Some(external_id) = delivery.external_id.clone() {
        match delivery.feed.as_str() {
            "lead" | "leadpro_lead" => wanted.external_ids.push(external_id),
            "lead_cluster" => wanted.clusters = cluster_rows(tx, workspace, external_id).await?,
            _ => {}
        }
    }
    find_leads(tx, workspace, &wanted, &mut gathered).await?;
    find_names(tx, workspace, &mut gathered).await?;
    gathered.listings = story::listings(tx, workspace, &booked(&gathered.leads)).await?;
    gathered.deliveries = vec![delivery];
    Ok(gathered)
}

async fn cluster_rows(tx: &mut Connection, workspace: i64, external_id: String) -> Result<Vec<i64>, Error> {
    let keys = story::HitKeys { cluster: Some(external_id), ..story::HitKeys::default() };
    let hits = story::hits(tx, &[workspace], &keys, 1).await?;
    Ok(hits.into_iter().map(|hit| hit.id).collect())
}

async fn find_leads(tx: &mut Connection, workspace: i64, wanted: &Leads, gathered: &mut Gathered) -> Result<(), Error> {
    let most = i64::try_from(MOST_LEADS + 1).unwrap_or(i64::MAX);
    let mut ids = story::lead_ids(tx, workspace, wanted, most).await?;
    gathered.has_more |= ids.len() > MOST_LEADS;
    ids.truncate(MOST_LEADS);
    gathered.leads = story::leads(tx, workspace, &ids).await?;
    Ok(())
}

/// What there is under the names that blocked leads give.
async fn find_names(tx: &mut Connection, workspace: i64, gathered: &mut Gathered) -> Result<(), Error> {
    let blocked: Vec<&LeadRow> = gathered.leads.iter().filter(|lead| lead.booking_state == "blocked").collect();
    if blocked.is_empty() {
        return Ok(());
    }
    let names = |of: fn(&LeadRow) -> Option<&String>| -> Vec<String> {
        let names: BTreeSet<&String> = blocked.iter().filter_map(|lead| of(lead)).collect();
        names.into_iter().cloned().collect()
    };
    let (plans, locations) = (names(|of| of.subscription_plan.as_ref()), names(|of| of.location_name.as_ref()));
    let (vins, numbers) = (names(|of| of.vin.as_ref()), names(|of| of.stock_number.as_ref()));
    gathered.names = story::names_like(tx, workspace, (&plans, &locations), (&vins, &numbers), 10).await?;
    if blocked.iter().any(|lead| lead.booking_blockers.iter().any(|code| code == "package_not_found")) {
        gathered.packages = story::packages(tx, workspace, MOST_ROWS).await?;
    }
    Ok(())
}

fn booked(leads: &[LeadRow]) -> Vec<i64> {
    let ids: BTreeSet<i64> = leads.iter().filter_map(|lead| lead.listing_id).collect();
    ids.into_iter().collect()
}

/// Adds vehicles, changes and deliveries. What happened to vehicles is told where the story is one lead's or the vehicle's.
async fn complete(tx: &mut Connection, workspace: i64, is_whole: bool, gathered: &mut Gathered) -> Result<(), Error> {
    find_names(tx, workspace, gathered).await?;
    let known: BTreeSet<i64> = gathered.listings.iter().map(|listing| listing.id).collect();
    let others: BTreeSet<i64> = booked(&gathered.leads).into_iter().chain(gathered.names.listings.clone()).collect();
    let others: Vec<i64> = others.difference(&known).copied().collect();
    gathered.listings.extend(story::listings(tx, workspace, &others).await?);
    let ids = |is_told: bool| -> Vec<i64> {
        gathered.listings.iter().filter(|_| is_told).map(|listing| listing.id).collect()
    };
    let (vehicles, leads) = (ids(is_whole), gathered.leads.iter().map(|lead| lead.id).collect::<Vec<i64>>());
    gathered.identifiers = story::identifiers(tx, workspace, &vehicles, MOST_ROWS).await?;
    gathered.changes = story::changes(tx, workspace, &leads, &vehicles, MOST_ROWS).await?;
    let keys = about(gathered);
    gathered.deliveries = story::deliveries(tx, workspace, &keys, MOST_ROWS).await?;
    Ok(())
}

/// What deliveries are looked for: those about the leads, the clusters that they are or were in, and the vehicles; and those
/// that made bookings.
fn about(gathered: &Gathered) -> DeliveryKeys {
    let Gathered { leads, clusters, identifiers, changes, .. } = gathered;
    let former = changes.iter().filter(|change| change.of_lead && change.field == "lead_cluster_id");
    let former = former.flat_map(|change| [change.old_value.clone(), change.new_value.clone()]).flatten();
    let clusters: BTreeSet<String> = leads
        .iter()
        .filter_map(|lead| lead.cluster.clone())
        .chain(former)
        .chain(clusters.iter().map(|cluster| cluster.external_id.clone()))
        .collect();
    DeliveryKeys {
        leads: leads.iter().map(|lead| lead.external_id.clone()).collect(),
        clusters: clusters.into_iter().collect(),
        identifiers: identifiers.iter().map(|(_, identifier)| identifier.clone()).collect(),
        ids: leads.iter().filter_map(|lead| lead.delivery_id).collect(),
    }
}
