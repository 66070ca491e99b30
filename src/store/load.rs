//! What is stored of the customers that deliveries are about, clusters, leads and persons, and what their bookings need:
//! asked for in one question, because each question waits for its answer before the next is put.

use crate::domain::ids::{LeadId, LocationId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::PgConnection;

use super::dependency_codec::kind_and_key;
use super::requested::Requested;
use super::stored::{LoadError, Unreadable};
use super::{bookings, clusters, leads, persons};
use crate::domain::booking_request::Dependency;
use crate::domain::keys::Names;
use crate::domain::state::{Booking, Cluster, Lead, LeadKey, Person, Row};
use crate::domain::values::Email;

/// Whom deliveries are about.
#[derive(Debug, Default)]
pub(super) struct LoadKeys<'a> {
    /// Leads by sender and the sender's id.
    pub(super) leads: Vec<&'a LeadKey>,
    /// Clusters by the sender's id.
    pub(super) clusters: Vec<&'a str>,
    /// Persons by address; leads and clusters that wait for one of them are meant too.
    pub(super) emails: Vec<&'a str>,
    /// Leads that are pending on one of these.
    pub(super) dependencies: BTreeSet<Dependency>,
    /// Listings that leads ask for, by VIN.
    pub(super) vins: Vec<&'a str>,
    /// The same by stock number.
    pub(super) stock_numbers: Vec<&'a str>,
    /// Listings that leads have booked.
    pub(super) listings: Vec<i64>,
    /// Locations and packages.
    pub(super) names: Names,
}

impl LoadKeys<'_> {
    fn is_empty(&self) -> bool {
        let Self { leads, clusters, emails, dependencies, vins, stock_numbers, listings, names } = self;
        let of_customers = leads.is_empty() && clusters.is_empty() && emails.is_empty() && dependencies.is_empty();
        of_customers && vins.is_empty() && stock_numbers.is_empty() && listings.is_empty() && names.is_empty()
    }
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct LoadedRows {
    pub(super) clusters: BTreeMap<String, Row<Cluster>>,
    pub(super) leads: BTreeMap<LeadKey, Row<Lead>>,
    pub(super) persons: BTreeMap<Email, Row<Person>>,
    pub(super) bookings: BTreeMap<LeadId, Row<Booking>>,
    pub(super) requested: Requested,
}

/// A row with its rows in other tables: a person's licence and passport; a lead's trade-in, property and documents, what
/// it waits for, its booking, and the sender's id of its cluster.
struct KnownRow {
    kind: String,
    row: Value,
    first: Option<Value>,
    second: Option<Value>,
    third: Option<Value>,
    dependencies: Option<Value>,
    booking: Option<Value>,
    cluster: Option<String>,
}

/// Loads what is known.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    asked: LoadKeys<'_>,
) -> Result<LoadedRows, LoadError> {
    let mut known = LoadedRows::default();
    if asked.is_empty() {
        return Ok(known);
    }
    let LoadKeys { leads, clusters, emails, dependencies, vins, stock_numbers, listings, names } = asked;
    let (kinds, keys): (Vec<&str>, Vec<&str>) = dependencies.iter().map(kind_and_key).unzip();
    let senders: Vec<&str> = leads.iter().map(|key| key.sender.name()).collect();
    let external_ids: Vec<&str> = leads.iter().map(|key| key.external_id.as_str()).collect();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query_file_as!(
        KnownRow,
        "src/store/load_known.sql",
        workspace.get(),
        &senders as &[&str],
        &external_ids as &[&str],
        &kinds as &[&str],
        &keys as &[&str],
        &emails as &[&str],
        &clusters as &[&str],
        &vins as &[&str],
        &stock_numbers as &[&str],
        &listings,
        &names.locations.iter().map(String::as_str).collect::<Vec<_>>() as &[&str],
        &names.location_ids.iter().copied().map(LocationId::get).collect::<Vec<_>>(),
        &names.packages.iter().map(String::as_str).collect::<Vec<_>>() as &[&str],
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        known.add(row)?;
    }
    drop(rows);
    known.requested.names = names;
    Ok(known)
}

impl LoadedRows {
    fn add(&mut self, row: KnownRow) -> Result<(), Unreadable> {
        let KnownRow { kind, row, first, second, third, dependencies, booking, cluster } = row;
        let (first, second) = (first.as_ref(), second.as_ref());
        match kind.as_str() {
            "cluster" => self.clusters.extend([clusters::read_row(&row)?]),
            "person" => self.persons.extend([persons::read_row(&row, first, second)?]),
            "listing" | "location" | "package" => self.requested.add(&row)?,
            _ => self.leads.extend([leads::read_row(&row, first, second, third, dependencies.as_ref(), cluster)?]),
        }
        if let Some(booking) = booking {
            self.bookings.extend([bookings::read_row(&booking)?]);
        }
        Ok(())
    }
}
