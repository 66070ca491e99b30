//! What is known of the customers that deliveries speak of: clusters, leads and persons, asked for in one question, because
//! each question waits for its answer before the next is put.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::PgConnection;

use super::lead_words::want_text;
use super::stored::{LoadError, Unreadable};
use super::{clusters, leads, persons};
use crate::domain::values::Email;
use crate::domain::wish::Want;
use crate::domain::world::{Cluster, Lead, LeadKey, Person, Row};

/// Whom deliveries speak of.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    /// Leads by sender and the sender's id.
    pub(super) leads: Vec<&'a LeadKey>,
    /// Clusters by the sender's id.
    pub(super) clusters: Vec<&'a str>,
    /// Persons by address; leads and clusters that wait for one of them are meant too.
    pub(super) emails: Vec<&'a str>,
    /// Leads that wait for one of these.
    pub(super) wants: BTreeSet<Want>,
    /// Blocked leads for want of a location or a package, whichever.
    pub(super) any_missing_name: bool,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) clusters: BTreeMap<String, Row<Cluster>>,
    pub(super) leads: BTreeMap<LeadKey, Row<Lead>>,
    pub(super) persons: BTreeMap<Email, Row<Person>>,
}

/// Loads what is known. Each arm has an index of its own. How many leads wait is badly guessed, so the rows are looked up
/// one by one, whatever Postgres expects (`offset 0`).
pub(super) async fn load(tx: &mut PgConnection, workspace: i64, asked: &Asked<'_>) -> Result<Known, LoadError> {
    let Asked { leads: keys, clusters, emails, wants, any_missing_name } = asked;
    if keys.is_empty() && clusters.is_empty() && emails.is_empty() && wants.is_empty() && !any_missing_name {
        return Ok(Known::default());
    }
    let wants: Vec<String> = wants.iter().map(|want| want_text(workspace, want)).collect();
    let senders: Vec<&str> = keys.iter().map(|key| key.sender.name()).collect();
    let external_ids: Vec<&str> = keys.iter().map(|key| key.external_id.as_str()).collect();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query_file!(
        "src/store/load_known.sql",
        workspace,
        &senders as &[&str],
        &external_ids as &[&str],
        &wants,
        emails as &[&str],
        *any_missing_name,
        clusters as &[&str],
    )
    .fetch(tx);
    let mut known = Known::default();
    while let Some(row) = rows.try_next().await? {
        known.add(&row.kind, &row.row, (row.first.as_ref(), row.second.as_ref(), row.third))?;
    }
    Ok(known)
}

impl Known {
    /// Adds a row with its rows in other tables: a person's licence and passport, a lead's trade-in, property and documents.
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
