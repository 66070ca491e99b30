//! Erasure: whom a delivery names, and what of it is personal.
//!
//! What was received before an erasure and names what was erased is applied without what is personal in it: the leads,
//! events and appointments stay as rows that count. Each group of columns says of every one whether it is kept or
//! erased, so that a column that is added cannot be forgotten: without a word about it nothing compiles.

use std::collections::BTreeSet;

use super::facts::{
    AppointmentColumns, AppointmentFacts, ClusterColumns, ClusterFacts, EventColumns, EventFacts, Facts, LeadColumns,
    LeadFacts, ProspectFacts, TradeInColumns,
};
use super::state::LeadKey;
use super::values::Email;

/// What can be erased.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The person of an address.
    Address(Email),
    /// One lead.
    Lead(LeadKey),
}

impl Subject {
    /// Its kind in the table.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Lead(_) => "lead",
        }
    }
}

/// Several subjects.
pub type Subjects = BTreeSet<Subject>;

/// Groups of columns, each with those that are kept and those that are erased.
macro_rules! erasable {
    ($($(#[doc = $doc:literal])* $name:ident, $list:ident: $columns:ident keeps [$($kept:ident)*] erases [$($erased:ident)*];)*) => {
        $($(#[doc = $doc])*
        fn $name(columns: $columns) -> $columns {
            let $columns { $($kept,)* $($erased: _,)* } = columns;
            $columns { $($kept,)* $($erased: None,)* }
        }

        $(#[doc = $doc])*
        pub const $list: &[&str] = &[$(stringify!($erased),)*];)*
    };
}

erasable! {
    /// Of a lead: contact details, what the customer or anybody wrote, documents, finance and employment.
    erase_lead_columns, OF_LEADS: LeadColumns keeps [
        dealership_id dealership_name dealership_slug category subcategory source marketing_source utm_campaign provider
        status status_type status_option_id lost_reason vin stock_number item_id item_make item_model item_year
        item_price item requested_plan offered_plan subscription location_name location booking_date booking_time
        requested_at has_test_drives website website_url salesperson_id salesperson_name salesperson_email pipeline_id
        pipeline_name offer_manufacturer offer_name source_created_at
    ] erases [
        lost_reason_comment comments contact_email contact_title contact_first_name contact_middle_name
        contact_last_name contact_full_name contact_phone contact_home_phone contact_date_of_birth contact_postcode
        contact_address contact_marketing_opt_in contact_newsletter contact_employment_type contact_living_situation
        contact_residency_status budget purchase_price additional_details documents
    ];
    /// Of a cluster: its contact.
    erase_cluster_columns, OF_CLUSTERS: ClusterColumns keeps [
        dealership_id provider status approver_id approver_name salesperson_id salesperson_name pipeline_id
        pipeline_name first_lead_created_at last_lead_created_at source_created_at
    ] erases [
        contact_business_name contact_first_name contact_last_name contact_email contact_phone contact_postcode
        contact_date_of_birth
    ];
    /// Of an event: what was written about it.
    erase_event_columns, OF_EVENTS: EventColumns keeps [
        event_type followup_status followup_at followup_completed_at external_service user_name source_created_at
        deleted_at
    ] erases [description followup_reason];
    /// Of an appointment: its note.
    erase_appointment_columns, OF_APPOINTMENTS: AppointmentColumns keeps [
        starts_at starts_at_local length_minutes status ai_generated user_id sender_location_id car_for_test_drive
    ] erases [note];
}

/// Whom and which leads a delivery names.
#[must_use]
pub fn named(facts: &Facts) -> Subjects {
    match facts {
        Facts::Lead(lead) => named_by_lead(lead).collect(),
        Facts::Cluster(cluster) => {
            let contact = cluster.contact.email.valid().cloned().map(Subject::Address);
            contact.into_iter().chain(cluster.leads.iter().flat_map(named_by_lead)).collect()
        }
        Facts::Vehicle(_) | Facts::Ignored => Subjects::new(),
    }
}

fn named_by_lead(lead: &LeadFacts) -> impl Iterator<Item = Subject> {
    let address = lead.prospect.email.valid().cloned().map(Subject::Address);
    address.into_iter().chain(LeadKey::of(lead).map(Subject::Lead))
}

/// The leads of a delivery that are erased: those that name one of these themselves.
#[must_use]
pub fn leads_of(facts: &Facts, erased: &Subjects) -> BTreeSet<LeadKey> {
    let leads = match facts {
        Facts::Lead(lead) => std::slice::from_ref(&**lead),
        Facts::Cluster(cluster) => cluster.leads.as_slice(),
        Facts::Vehicle(_) | Facts::Ignored => &[],
    };
    leads.iter().filter(|lead| is_erased(lead, erased)).filter_map(LeadKey::of).collect()
}

/// The clusters of a delivery to which one of its erased leads belongs, or which it is about.
#[must_use]
pub fn clusters_of(facts: &Facts) -> BTreeSet<String> {
    match facts {
        Facts::Lead(lead) => lead.cluster_external_id.iter().cloned().collect(),
        Facts::Cluster(cluster) => cluster.external_id.iter().cloned().collect(),
        Facts::Vehicle(_) | Facts::Ignored => BTreeSet::new(),
    }
}

/// What a delivery holds, without what is personal of these.
#[must_use]
pub fn strip(facts: Facts, erased: &Subjects) -> Facts {
    match facts {
        Facts::Lead(lead) => Facts::Lead(Box::new(strip_lead(*lead, erased))),
        Facts::Cluster(cluster) => Facts::Cluster(Box::new(strip_cluster(*cluster, erased))),
        Facts::Vehicle(vehicle) => Facts::Vehicle(vehicle),
        Facts::Ignored => Facts::Ignored,
    }
}

fn is_erased(lead: &LeadFacts, erased: &Subjects) -> bool {
    named_by_lead(lead).any(|subject| erased.contains(&subject))
}

fn strip_lead(lead: LeadFacts, erased: &Subjects) -> LeadFacts {
    if !is_erased(&lead, erased) {
        return lead;
    }
    let LeadFacts {
        path_prefix,
        source,
        external_id,
        cluster_external_id,
        cluster_membership_at,
        timezone,
        created_at,
        modified_at,
        prospect: _,
        columns,
        trade_in: _,
        property: _,
        appointments,
        events,
    } = lead;
    LeadFacts {
        path_prefix,
        source,
        external_id,
        cluster_external_id,
        cluster_membership_at,
        timezone,
        created_at,
        modified_at,
        prospect: ProspectFacts::default(),
        columns: erase_lead_columns(columns),
        trade_in: TradeInColumns::default(),
        property: None,
        appointments: appointments.map(|list| list.into_iter().map(strip_appointment).collect()),
        events: events.into_iter().map(strip_event).collect(),
    }
}

/// A cluster is one customer's: a contact without an address is that of its leads, and its own events may be about any
/// of them. A contact with another address is somebody else, and stays.
fn strip_cluster(cluster: ClusterFacts, erased: &Subjects) -> ClusterFacts {
    let has_erased_lead = cluster.leads.iter().any(|lead| is_erased(lead, erased));
    let contact_is_erased = match cluster.contact.email.valid() {
        Some(email) => erased.contains(&Subject::Address(email.clone())),
        None => has_erased_lead,
    };
    let ClusterFacts { external_id, modified_at, contact, columns, leads, events } = cluster;
    let (contact, columns) =
        if contact_is_erased { (ProspectFacts::default(), erase_cluster_columns(columns)) } else { (contact, columns) };
    let events =
        if contact_is_erased || has_erased_lead { events.into_iter().map(strip_event).collect() } else { events };
    let leads = leads.into_iter().map(|lead| strip_lead(lead, erased)).collect();
    ClusterFacts { external_id, modified_at, contact, columns, leads, events }
}

fn strip_event(event: EventFacts) -> EventFacts {
    let EventFacts { external_id, modified_at, columns } = event;
    EventFacts { external_id, modified_at, columns: erase_event_columns(columns) }
}

fn strip_appointment(appointment: AppointmentFacts) -> AppointmentFacts {
    let AppointmentFacts { external_id, columns } = appointment;
    AppointmentFacts { external_id, columns: erase_appointment_columns(columns) }
}

/// The addresses that stand somewhere in bytes that could not be read: whatever is between two characters that no
/// address has outside quotes, and can be read as one.
#[must_use]
pub fn addresses_in(bytes: &[u8]) -> BTreeSet<Email> {
    let text = String::from_utf8_lossy(bytes);
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"<>()[]{},;:\\=&?'|".contains(c);
    let parts = text.split(is_end).filter(|part| part.contains('@') && part.len() <= LONGEST_WORD);
    parts.filter_map(|part| Email::parse(part.trim_matches(['.', '!']))).collect()
}

/// No address is as long, surrounding signs included.
const LONGEST_WORD: usize = 1_024;

/// Whether a phone number stands somewhere in bytes, with whatever signs between its digits. Its last digits count, which
/// it has with a country code and without.
#[must_use]
pub fn has_phone(bytes: &[u8], phone: &str) -> bool {
    let digits: Vec<u8> = phone.bytes().filter(u8::is_ascii_digit).collect();
    let Some(last) = digits.len().checked_sub(LAST_DIGITS).and_then(|from| digits.get(from..)) else { return false };
    let mut run: Vec<u8> = Vec::new();
    for byte in bytes.iter().copied() {
        match byte {
            b'0'..=b'9' => {
                run.push(byte);
                if run.ends_with(last) {
                    return true;
                }
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' => {}
            _ => run.clear(),
        }
    }
    false
}

/// So many digits at its end tell a number: those of an Australian one without its zero.
const LAST_DIGITS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_found_in_what_cannot_be_read() {
        let text = br#"{"email":"Ada.L@Example.com", 'other':<bob@example.org>, x=carol@example.net&y} broken \xff"#;
        let expected = ["ada.l@example.com", "bob@example.org", "carol@example.net"].map(email);
        assert_eq!(addresses_in(text), expected.into());
        assert!(addresses_in(b"no @ here, and @example.com").is_empty());
    }

    #[test]
    fn phones_are_found_however_they_are_written() {
        for text in ["+61 412 345 678", "0412-345-678", "(0412) 345678", "x0412345678y"] {
            assert!(has_phone(text.as_bytes(), "+61412345678"), "{text}");
        }
        assert!(!has_phone(b"0412 345 679", "+61412345678"));
        assert!(!has_phone(b"1", "1"), "too short to tell anybody");
    }
}
