//! The feeds: which there are, where they are posted to, and how a body becomes facts.

pub mod claims;
pub mod dealer_studio;
mod identity;
pub mod json;
mod leadpro;
pub mod posted;
pub mod scan;
pub mod shape;
pub mod weight;
pub mod wire;

use std::collections::BTreeSet;

use serde_json::error::Category;

use crate::domain::facts::Facts;
pub use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::{DealershipId, Locale};
use wire::{Notes, Object, Value};

/// A body that is JSON, not yet read.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    feed: Feed,
    root: Value<'a>,
}

/// What a body says about the dealership it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealershipKey {
    /// Nothing.
    Missing,
    /// Something that is not a dealership id, and so cannot be configured.
    Unusable,
    /// The sender's id.
    Id(DealershipId),
}

/// Everything that was read from a body.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says.
    pub facts: Facts,
    /// What a person should know about it.
    pub findings: Vec<Finding>,
    /// Paths of fields that are not documented, array positions as `[]`.
    pub unknown_paths: BTreeSet<String>,
}

impl DealershipKey {
    /// What a field says, read leniently.
    fn of(holder: &Object<'_>, field: &'static str) -> Self {
        match holder.number_id(field) {
            Some(id) => Self::Id(id),
            None if holder.holds_scalar(field) => Self::Unusable,
            None => Self::Missing,
        }
    }
}

/// Makes a tree of a body, whatever it says; a byte order mark before it is skipped. How much memory that may take is to
/// be asked of [`scan::scan`] before.
///
/// # Errors
///
/// The finding `body_unreadable` with line and column where it is not JSON. It repeats nothing of the body.
pub fn open(feed: Feed, body: &[u8]) -> Result<Document<'_>, Finding> {
    match json::parse(body) {
        Ok(root) => Ok(Document { feed, root }),
        Err(error) => Err(Finding::whole(Code::BodyUnreadable, reason(&error))),
    }
}

/// Reads what a body says, for the place and time it came to.
#[must_use]
pub fn read(document: &Document<'_>, locale: &Locale) -> Reading {
    let notes = Notes::default();
    let root = Object::root(&document.root, &notes);
    let facts = match document.feed {
        Feed::Lead => Facts::Lead(Box::new(dealer_studio::lead::read(&root, locale))),
        Feed::LeadCluster => Facts::Cluster(Box::new(dealer_studio::lead_cluster::read(&root, locale))),
        Feed::Inventory => Facts::Vehicle(Box::new(dealer_studio::inventory::read(&root, locale))),
        Feed::LeadPro => leadpro::read(&root, locale),
    };
    drop(root);
    let (findings, unknown_paths) = notes.into_parts();
    Reading { facts, findings, unknown_paths }
}

/// Why a body is not JSON, with line and column. Errors about syntax do not quote the body; others might.
fn reason(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Syntax | Category::Eof => error.to_string(),
        Category::Data | Category::Io => format!("not JSON at line {} column {}", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests;
