//! The LeadPro webhook: enquiries about properties, told event by event (LeadPro's page, "Using Webhooks").
//!
//! The document is `{"event": ..., "data": {...}}`, as posted or as the claims of the token that came with it; a token's
//! registered claims (RFC 7519 §4.1) may stand beside the two.

mod customer;
mod limits;
mod property;

use chrono::{DateTime, Utc};

use crate::domain::facts::{Facts, LeadColumns, LeadFacts, Source, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::domain::workspace::Locale;
use crate::feeds::identity;
use crate::feeds::wire::Object;

/// The claims of a token that say nothing of the lead; `iat` is read.
const CLAIMS: [&str; 6] = ["iss", "sub", "aud", "exp", "nbf", "jti"];

/// The events, and what they make of what is said.
const EVENTS: [(&str, Source); 2] = [("lead.created", Source::LeadCreated), ("lead.updated", Source::LeadUpdated)];

const TYPES: [&str; 5] = ["sale", "vendor", "landlord", "let", "mortgage_request"];
const STATUSES: [&str; 5] = ["UNREAD", "IN_PROGRESS", "NO_BUSINESS", "BUSINESS", "DUPLICATE"];

/// How long a message may be, in characters.
const MESSAGE: usize = 8_192;
/// How large `meta` may be, in bytes of JSON.
const META: usize = 1_024;

/// Reads a delivery: a lead, or nothing that is handled.
pub(in crate::feeds) fn read(root: &Object<'_>, locale: &Locale) -> Facts {
    root.pass_over(&CLAIMS);
    let Some(source) = event(root) else {
        root.pass_over(&["iat", "data"]);
        return Facts::Ignored;
    };
    let issued_at = issued_at(root, locale);
    Facts::Lead(Box::new(lead(&root.object("data"), source, issued_at, locale)))
}

/// Which of the two events it is, without regard to case.
fn event(root: &Object<'_>) -> Option<Source> {
    let event = root.text("event");
    let is_named = |name: &str| event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case(name));
    let known = EVENTS.iter().find(|(name, _)| is_named(name));
    if known.is_none() {
        let message = match event {
            Some(_) => "neither lead.created nor lead.updated; the delivery is kept and nothing is made of it",
            None => "no event is named; the delivery is kept and nothing is made of it",
        };
        root.note(Code::EventUnknown, "event", message);
    }
    known.map(|(_, source)| *source)
}

/// When the token was made (RFC 7519 §4.1.6), which is when the sender said what is in it.
fn issued_at(root: &Object<'_>, locale: &Locale) -> Option<DateTime<Utc>> {
    let seconds = root.decimal("iat")?;
    let time = values::unix_time(seconds).and_then(|time| values::not_ahead(time, locale.received_at));
    if time.is_none() {
        let message = "not a time in seconds between 1970 and 24 hours after the delivery arrived; read as absent";
        root.note(Code::DateInvalid, "iat", message);
    }
    time
}

fn lead(data: &Object<'_>, source: Source, issued_at: Option<DateTime<Utc>>, locale: &Locale) -> LeadFacts {
    let external_id = data.identifier("id");
    if external_id.is_none() {
        data.note(Code::IdMissing, "id", "the lead has no usable id and is not stored");
    }
    let mut columns = LeadColumns::default();
    let property = property::read(data, data.word("type", &TYPES));
    let prospect = customer::read(data, &property, &mut columns);
    columns.category.clone_from(&property.enquiry_type);
    columns.source = data.text("source");
    columns.status = data.word("status", &STATUSES);
    columns.comments = limits::text(data, "message", MESSAGE);
    meta(data, &mut columns);
    limits::note_missing(data, property.enquiry_type.as_deref());
    LeadFacts {
        path_prefix: String::new(),
        source,
        external_id,
        cluster_external_id: None,
        cluster_membership_at: None,
        timezone: locale.timezone,
        created_at: data.senders_time("createdAt", locale),
        modified_at: issued_at,
        prospect,
        columns,
        trade_in: TradeInColumns::default(),
        property: Some(Box::new(property)),
        appointments: None,
        events: Vec::new(),
    }
}

/// The free-form details; what belongs to an identity document is kept apart, as it is for every sender.
fn meta(data: &Object<'_>, columns: &mut LeadColumns) {
    let meta = data.free_form_object("meta");
    (columns.additional_details, columns.documents) = meta.split(identity::is_identity_key);
    limits::json(data, "meta", META);
    if !meta.holds_only_texts() {
        data.note(Code::FieldType, "meta", "holds values that are not texts; kept as sent");
    }
}
