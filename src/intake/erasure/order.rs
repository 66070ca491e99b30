//! Orders to erase, and what comes of them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::Email;
use crate::store;
use crate::store::erasures::Counts;

/// Whom an order is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The person of an address.
    Address(Email),
    /// The person of a lead, by the sender's id of it.
    Lead(String),
}

/// An order to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// When it was given: what was received before that is erased.
    pub erased_at: DateTime<Utc>,
    /// Whom it is about.
    pub target: Target,
    /// The slug of the only workspace that it is about.
    pub workspace: Option<String>,
    /// Why, in the words of who gave it.
    pub reason: Option<String>,
    /// Who gave it.
    pub acted_by: String,
}

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is done.
    Commit,
    /// It is only counted.
    DryRun,
}

/// What was erased, or would be.
#[derive(Clone, Debug, Default)]
pub struct Erased {
    /// How many rows of each table.
    pub counts: Counts,
    /// Other addresses that leads of the person have now; their persons stay.
    pub other_addresses: BTreeSet<Email>,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A workspace that there is not.
    #[error("there is no workspace `{0}` in the tables")]
    UnknownWorkspace(String),
    /// A file of the data directory.
    #[error("{0} cannot be read or written: {1}")]
    File(String, #[source] std::io::Error),
    /// A line of a file that is done over.
    #[error("line {0} is none that an erasure writes, or was written with another key")]
    Line(usize),
}

impl ErasureError {
    /// Whether it may be done once Postgres is back.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // For the right key a delivery waits; of an order it is told at once.
            Self::Store(store::Error::ErasureKey) | Self::UnknownWorkspace(_) | Self::File(..) | Self::Line(_) => false,
            Self::Store(error) => error.is_transient(),
        }
    }
}
