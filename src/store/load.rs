//! What is stored of the customers that deliveries are about: clusters, leads and persons, asked for in one question,
//! because each question waits for its answer before the next is put.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::PgConnection;

use super::lead_codec::dependency_text;
use super::stored::{LoadError, Unreadable};
use super::{clusters, leads, persons};
use crate::domain::booking_request::Dependency;
use crate::domain::state::{Cluster, Lead, LeadKey, Person, Row};
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
    /// Blocked leads for want of a location or a package, whichever.
    pub(super) any_missing_name: bool,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct LoadedRows {
    pub(super) clusters: BTreeMap<String, Row<Cluster>>,
    pub(super) leads: BTreeMap<LeadKey, Row<Lead>>,
    pub(super) persons: BTreeMap<Email, Row<Person>>,
}

/// Loads what is known. Each arm has an index of its own. How many leads wait is badly guessed, so the rows are looked
/// up one by one, whatever Postgres expects (`offset 0`).
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    asked: &LoadKeys<'_>,
) -> Result<LoadedRows, LoadError> {
    let LoadKeys { leads: keys, clusters, emails, dependencies, any_missing_name } = asked;
    if keys.is_empty() && clusters.is_empty() && emails.is_empty() && dependencies.is_empty() && !any_missing_name {
        return Ok(LoadedRows::default());
    }
    let dependencies: Vec<String> =
        dependencies.iter().map(|dependency| dependency_text(workspace, dependency)).collect();
    let senders: Vec<&str> = keys.iter().map(|key| key.sender.name()).collect();
    let external_ids: Vec<&str> = keys.iter().map(|key| key.external_id.as_str()).collect();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query_file!(
        "src/store/load_known.sql",
        workspace.get(),
        &senders as &[&str],
        &external_ids as &[&str],
        &dependencies,
        emails as &[&str],
        *any_missing_name,
        clusters as &[&str],
    )
    .fetch(tx);
    let mut known = LoadedRows::default();
    while let Some(row) = rows.try_next().await? {
        known.add(&row.kind, &row.row, (row.first.as_ref(), row.second.as_ref(), row.third))?;
    }
    Ok(known)
}

impl LoadedRows {
    /// Adds a row with its rows in other tables: a person's licence and passport, a lead's trade-in, property and
    /// documents.
    fn add(
        &mut self,
        kind: &str,
        row: &Value,
        (first, second, third): (Option<&Value>, Option<&Value>, Option<Value>),
    ) -> Result<(), Unreadable> {
        match kind {
            "cluster" => self.clusters.extend([clusters::read_row(row)?]),
            "person" => self.persons.extend([persons::read_row(row, first, second)?]),
            _ => self.leads.extend([leads::read_row(row, first, second, third)?]),
        }
        Ok(())
    }
}
