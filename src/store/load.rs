//! What is stored of the customers that deliveries are about: clusters, leads and persons, asked for in one question,
//! because each question waits for its answer before the next is put.

use crate::domain::ids::{LeadId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::PgConnection;

use super::dependencies::kind_and_key;
use super::stored::{LoadError, Unreadable};
use super::{bookings, clusters, leads, persons};
use crate::domain::booking_request::Dependency;
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
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct LoadedRows {
    pub(super) clusters: BTreeMap<String, Row<Cluster>>,
    pub(super) leads: BTreeMap<LeadKey, Row<Lead>>,
    pub(super) persons: BTreeMap<Email, Row<Person>>,
    pub(super) bookings: BTreeMap<LeadId, Row<Booking>>,
}

/// A row with its rows in other tables: a person's licence and passport; a lead's trade-in, property and documents, what
/// it waits for, and its booking.
struct KnownRow {
    kind: String,
    row: Value,
    first: Option<Value>,
    second: Option<Value>,
    third: Option<Value>,
    dependencies: Option<Value>,
    booking: Option<Value>,
}

/// Loads what is known.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    asked: &LoadKeys<'_>,
) -> Result<LoadedRows, LoadError> {
    let LoadKeys { leads: keys, clusters, emails, dependencies } = asked;
    if keys.is_empty() && clusters.is_empty() && emails.is_empty() && dependencies.is_empty() {
        return Ok(LoadedRows::default());
    }
    let (kinds, names): (Vec<&str>, Vec<&str>) = dependencies.iter().map(kind_and_key).unzip();
    let senders: Vec<&str> = keys.iter().map(|key| key.sender.name()).collect();
    let external_ids: Vec<&str> = keys.iter().map(|key| key.external_id.as_str()).collect();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query_file_as!(
        KnownRow,
        "src/store/load_known.sql",
        workspace.get(),
        &senders as &[&str],
        &external_ids as &[&str],
        &kinds as &[&str],
        &names as &[&str],
        emails as &[&str],
        clusters as &[&str],
    )
    .fetch(tx);
    let mut known = LoadedRows::default();
    while let Some(row) = rows.try_next().await? {
        known.add(row)?;
    }
    Ok(known)
}

impl LoadedRows {
    fn add(&mut self, row: KnownRow) -> Result<(), Unreadable> {
        let KnownRow { kind, row, first, second, third, dependencies, booking } = row;
        let (first, second) = (first.as_ref(), second.as_ref());
        match kind.as_str() {
            "cluster" => self.clusters.extend([clusters::read_row(&row)?]),
            "person" => self.persons.extend([persons::read_row(&row, first, second)?]),
            _ => self.leads.extend([leads::read_row(&row, first, second, third, dependencies.as_ref())?]),
        }
        if let Some(booking) = booking {
            self.bookings.extend([bookings::read_row(&booking)?]);
        }
        Ok(())
    }
}
