//! The feeds: which there are, where they are posted to, and how a body becomes facts.

pub mod claims;
pub mod dealer_studio;
mod identity;
pub mod json;
pub mod leadpro;
pub mod lenient;
pub mod scan;
pub mod shape;
pub mod signed_body;
mod tree;
pub mod weight;

use std::collections::BTreeSet;

use schemars::{Schema, SchemaGenerator};
use serde_json::error::Category;

use crate::domain::facts::Facts;
pub use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::{DealershipId, Locale};
use dealer_studio::{inventory, lead, lead_cluster, vehicle};
pub use identity::is_identity_key;
use lenient::{Diagnostics, Fields, Fill, Position, Scalar, lone_id};

/// The dealership that a body names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealershipKey {
    /// The field is absent, null or empty.
    Missing,
    /// Something that is not a dealership id, and so cannot be configured.
    Unusable,
    /// The sender's id.
    Id(DealershipId),
}

/// Everything that was read from a body.
#[derive(Clone, Debug)]
pub struct ParsedPayload {
    /// The content, in the shape that all feeds share.
    pub facts: Facts,
    /// What a person should know about it.
    pub findings: Vec<Finding>,
    /// Paths of fields that are not documented, array positions as `[]`.
    pub unknown_paths: BTreeSet<String>,
}

impl DealershipKey {
    /// The key in a field, read leniently.
    fn of(sent: &Scalar<'_>) -> Self {
        let holds_scalar = match sent {
            Scalar::Text(_) | Scalar::Number(_) => sent.is_sent(),
            Scalar::Absent | Scalar::Unusable | Scalar::Bool(_) => false,
        };
        match lone_id(sent).and_then(|id| id.parse().ok()) {
            Some(id) => Self::Id(id),
            None if holds_scalar => Self::Unusable,
            None => Self::Missing,
        }
    }
}

/// The finding's message where a body is JSON and no object.
const NO_OBJECT: &str = "expected an object; the body was read as empty";

/// How the payloads of a feed are read, and what they are. With its folder, an entry in [`reader`] is what a feed needs here.
struct Reader {
    /// Parses a payload, and makes facts of it.
    facts: fn(&[u8], &Position<'_>) -> serde_json::Result<Facts>,
    /// Its JSON Schema.
    schema: fn(&mut SchemaGenerator) -> Schema,
}

fn reader(feed: Feed) -> Reader {
    match feed {
        Feed::Lead => Reader {
            facts: |body, root| Ok(Facts::Lead(Box::new(lead::facts(payload(body, root)?, root)))),
            schema: SchemaGenerator::subschema_for::<lead::LeadPayload<'_>>,
        },
        Feed::LeadCluster => Reader {
            facts: |body, root| Ok(Facts::Cluster(Box::new(lead_cluster::facts(payload(body, root)?, root)))),
            schema: SchemaGenerator::subschema_for::<lead_cluster::LeadClusterPayload<'_>>,
        },
        Feed::Inventory => Reader {
            facts: |body, root| Ok(Facts::Vehicle(Box::new(vehicle::facts(payload(body, root)?, root)))),
            schema: SchemaGenerator::subschema_for::<inventory::VehiclePayload<'_>>,
        },
        Feed::LeadPro => Reader {
            facts: |body, root| Ok(leadpro::facts(payload(body, root)?, root)),
            schema: SchemaGenerator::subschema_for::<leadpro::lead::LeadProEventPayload<'_>>,
        },
    }
}

/// The JSON Schema of a feed's payloads: the types that the sender's page gives, from the structs that read them.
pub fn schema(feed: Feed, generator: &mut SchemaGenerator) -> Schema {
    (reader(feed).schema)(generator)
}

/// Parses a body, whatever its content, into facts for the place and time it came to; a byte order mark before it is skipped.
/// How much memory that may take is estimated by [`scan::scan`] before.
///
/// ```
/// use forecourt::domain::facts::Facts;
/// use forecourt::domain::values::{Country, PhoneRegion};
/// use forecourt::domain::workspace::Locale;
/// use forecourt::feeds::{Feed, parse};
///
/// let locale = Locale {
///     received_at: "2026-11-20T00:00:00Z".parse().unwrap(),
///     timezone: chrono_tz::Australia::Sydney,
///     phone_region: PhoneRegion::parse("AU").unwrap(),
///     country: Country::parse("AU").unwrap(),
/// };
/// let parsed = parse(Feed::Lead, br#"{"id": 7, "colour": "red"}"#, &locale).unwrap();
/// let Facts::Lead(lead) = parsed.facts else { unreachable!() };
/// assert_eq!(lead.external_id.as_deref(), Some("7"));
/// assert!(parsed.unknown_paths.contains("colour"));
/// ```
///
/// # Errors
///
/// The finding `body_unreadable` with line and column where it is not JSON. It repeats nothing of the body.
pub fn parse(feed: Feed, body: &[u8], locale: &Locale) -> Result<ParsedPayload, Finding> {
    let diagnostics = Diagnostics::default();
    let facts = (reader(feed).facts)(body, &Position::root(&diagnostics, locale));
    let facts = facts.map_err(|error| Finding::whole(Code::BodyUnreadable, reason(&error)))?;
    let (findings, unknown_paths) = diagnostics.into_parts();
    Ok(ParsedPayload { facts, findings, unknown_paths })
}

/// The payload of a body; the empty one, with a finding, where it is no object.
fn payload<'a, T: Fields<'a>>(body: &'a [u8], root: &Position<'_>) -> serde_json::Result<T> {
    let mut payload = T::default();
    let is_object = json::parse_with(Fill(&mut payload), body)?;
    if !is_object {
        root.note_here(Code::FieldType, NO_OBJECT);
    }
    Ok(payload)
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
