//! The facts of a LeadPro event: a lead, its customer and its property, or nothing that is handled.

use chrono::{DateTime, Utc};

use crate::domain::facts::{Facts, LeadColumns, LeadFacts, Source, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::feeds::lenient::{Amount, Id, KeptInHalves, Nested, Position, Text};

use super::customer::Customer;
use super::entries::TextsByName;
use super::lead::{LeadProEventPayload, LeadProLeadPayload};
use super::limits::{self, Sent};
use super::property::{Estimations, Offices, Subject};

/// The events, and how each changes what is stored.
const EVENTS: [(&str, Source); 2] = [("lead.created", Source::LeadCreated), ("lead.updated", Source::LeadUpdated)];

/// How large `meta` may be, in bytes of JSON.
const META: usize = 1_024;

/// The facts of an event: a lead, or nothing that is handled.
pub(in crate::feeds) fn facts(payload: LeadProEventPayload<'_>, at: &Position<'_>) -> Facts {
    #[rustfmt::skip]
    let LeadProEventPayload {
        event, data, iat, iss: _, sub: _, aud: _, exp: _, nbf: _, jti: _, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let Some(source) = self::event(event, at) else { return Facts::Ignored };
    let issued_at = issued_at(iat, at);
    let here = at.field("data");
    let mut facts = lead(*data.read(&here), &here);
    (facts.source, facts.modified_at) = (source, issued_at);
    Facts::Lead(Box::new(facts))
}

/// Which of the two events it is, without regard to case.
fn event(event: Text<'_>, at: &Position<'_>) -> Option<Source> {
    let event = event.read(at, "event");
    let is_named = |name: &str| event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case(name));
    let known = EVENTS.iter().find(|(name, _)| is_named(name));
    if known.is_none() {
        let message = match event {
            Some(_) => "neither lead.created nor lead.updated; the delivery is kept and nothing is made of it",
            None => "no event is named; the delivery is kept and nothing is made of it",
        };
        at.note(Code::EventUnknown, "event", message);
    }
    known.map(|(_, source)| *source)
}

/// When the token was made (RFC 7519 §4.1.6), the sender's time of its content.
fn issued_at(iat: Amount<'_>, at: &Position<'_>) -> Option<DateTime<Utc>> {
    let seconds = iat.read(at, "iat")?;
    let time = values::unix_time(seconds).and_then(|time| values::not_ahead(time, at.locale().received_at));
    if time.is_none() {
        let message = "not a time in seconds between 1970 and 24 hours after the delivery arrived; read as absent";
        at.note(Code::DateInvalid, "iat", message);
    }
    time
}

/// The facts of a lead. The caller passes the event and its time.
fn lead(payload: LeadProLeadPayload<'_>, at: &Position<'_>) -> LeadFacts {
    #[rustfmt::skip]
    let LeadProLeadPayload {
        id, first_name, last_name, full_name, email, phone, kind, source, address, postcode, advert_address,
        advert_postcode, advert_url, advert_image, title, message, appointment_availability, meta, questionnaire,
        parent_id, created_at, status, stage, gdpr_checkbox, host, average_sale_estimation, average_rent_estimation,
        office_id, property_reference, property_bedrooms, office_name, minimum_sale_estimation,
        maximum_sale_estimation, minimum_rent_estimation, maximum_rent_estimation, comparable_props, international,
        account_id, account_name, referred_by_office_id, referred_by_office_name, referred_by_account_id,
        referred_by_account_name, property_type, unknown,
    } = payload;
    at.note_unknown(&unknown);
    #[rustfmt::skip]
    let sent = Sent {
        full_name: full_name.is_sent(), phone: phone.is_sent(), kind: kind.is_sent(), address: address.is_sent(),
        postcode: postcode.is_sent(), property_reference: property_reference.is_sent(), office_id: office_id.is_sent(),
        advert_address: advert_address.is_sent(), advert_postcode: advert_postcode.is_sent(),
    };
    let external_id = own_id(id, at);
    #[rustfmt::skip]
    let subject = Subject {
        kind, stage, address, postcode, advert_address, advert_postcode, advert_url, advert_image, property_bedrooms,
        property_type, property_reference, international, appointment_availability, questionnaire, comparable_props,
        parent_id, host, gdpr_checkbox,
    };
    #[rustfmt::skip]
    let offices = Offices {
        office_id, office_name, account_id, account_name, referred_by_office_id, referred_by_office_name,
        referred_by_account_id, referred_by_account_name,
    };
    #[rustfmt::skip]
    let estimations = Estimations {
        average_sale: average_sale_estimation, minimum_sale: minimum_sale_estimation,
        maximum_sale: maximum_sale_estimation, average_rent: average_rent_estimation,
        minimum_rent: minimum_rent_estimation, maximum_rent: maximum_rent_estimation,
    };
    let property = Box::new(subject.facts(offices, estimations, at));
    let mut columns = LeadColumns { category: property.enquiry_type.clone(), ..LeadColumns::default() };
    let prospect =
        Customer { email, title, full_name, first_name, last_name, phone }.facts(&property, at, &mut columns);
    columns.source = source.read(at, "source");
    columns.status = status.read(at, "status");
    columns.comments = message.read(at, "message");
    self::meta(meta, at, &mut columns);
    sent.note_missing(property.enquiry_type.as_deref(), at);
    LeadFacts {
        path_prefix: String::new(),
        source: Source::LeadCreated,
        external_id,
        cluster_external_id: None,
        cluster_membership_at: None,
        timezone: at.locale().timezone,
        created_at: created_at.read(at, "createdAt"),
        modified_at: None,
        prospect,
        columns,
        trade_in: TradeInColumns::default(),
        property: Some(property),
        appointments: None,
        events: Vec::new(),
    }
}

/// The id of the lead; without a usable one it cannot be stored, and that is noted.
fn own_id(id: Id<'_>, at: &Position<'_>) -> Option<String> {
    let id = id.read(at, "id");
    if id.is_none() {
        at.note(Code::IdMissing, "id", "the lead has no usable id and is not stored");
    }
    id
}

/// The free-form details; what belongs to an identity document is kept apart, as it is for every sender.
fn meta(meta: KeptInHalves<Nested<TextsByName>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let (bytes, holds_only_texts) = (meta.bytes(), meta.holds_only_texts());
    (columns.additional_details, columns.documents, _) = meta.read(&at.free_form("meta"));
    limits::json(bytes, at, "meta", META);
    if !holds_only_texts {
        at.note(Code::FieldType, "meta", "holds values that are not texts; kept as sent");
    }
}
