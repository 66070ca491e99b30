//! Persons: who is one, and which of a person's values stay.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Effect;
use super::columns::Columns as _;
use super::consent::MARKETING_OPT_IN;
use super::facts::{
    Address, AddressParts, Field, Licence, LicenceParts, Passport, PassportParts, PersonColumns, ProspectFacts,
};
use super::finding::{Code, Finding};
use super::ids::PersonId;
use super::state::{Person, Row, WorkspaceState};
use super::values::Email;
use super::version::{FieldVersions, Version};

/// A group of parts that is stored only when complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group<T> {
    /// Nothing of it was sent.
    Absent,
    /// These parts are missing.
    Incomplete(Vec<&'static str>),
    /// All that is needed is there.
    Complete(T),
}

/// What the person's row became, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonMerge {
    /// The person's address.
    pub email: Email,
    /// What became of the row.
    pub effect: Effect,
    /// Whether the row must be written: for its times alone, where nothing else changed.
    pub wrote: bool,
}

/// Merges a prospect. Without a valid e-mail address, or with an impossible date of birth, there is no person.
pub fn merge(
    state: &mut WorkspaceState,
    prospect: ProspectFacts,
    path_prefix: &str,
    at: &Version,
    findings: &mut Vec<Finding>,
) -> Option<PersonMerge> {
    let ProspectFacts { email, date_of_birth, person, address, licence, passport } = prospect;
    let incoming = PersonColumns {
        address: keep(
            address_of(address),
            Code::AddressIncomplete,
            &format!("{path_prefix}prospect.address"),
            findings,
        ),
        licence: keep(
            licence_of(licence),
            Code::LicenceIncomplete,
            &format!("{path_prefix}additional_details"),
            findings,
        ),
        passport: keep(
            passport_of(passport),
            Code::PassportIncomplete,
            &format!("{path_prefix}additional_details"),
            findings,
        ),
        ..person
    };
    match (email, date_of_birth) {
        (Field::Valid(email), Field::Absent | Field::Valid(_)) => {
            let (effect, wrote) = upsert_person(state, &email, incoming, at);
            Some(PersonMerge { email, effect, wrote })
        }
        (Field::Valid(_), Field::Invalid) | (Field::Absent | Field::Invalid, _) => None,
    }
}

/// Finds or makes the person and merges the columns into it; returns what it became, and whether it must be written.
fn upsert_person(state: &mut WorkspaceState, email: &Email, incoming: PersonColumns, at: &Version) -> (Effect, bool) {
    if let Some(row) = state.persons.get_mut(email) {
        let merged = row.value.versions.merge(&mut row.value.columns, incoming, at);
        if merged.writes() {
            row.mark_dirty();
        }
        if merged.changed {
            row.value.updated_at = row.value.updated_at.max(at.arrived_at);
            return (Effect::Updated, true);
        }
        return (Effect::Unchanged, merged.writes());
    }
    let id = state.take_id();
    let mut person = new_person(id, at.arrived_at);
    person.versions.merge(&mut person.columns, incoming, at);
    state.persons.insert(email.clone(), Row::new(person));
    (Effect::Created, true)
}

/// The column that says whether a customer wants marketing.
/// Takes over what is known of another person who turned out to be the same: of each column the newest value stays.
pub fn absorb(person: &mut Person, other: Person) {
    let Person { id: _, columns, versions, consent_lead, created_at, updated_at } = other;
    let times: BTreeSet<Version> =
        columns.non_null().into_iter().filter_map(|column| versions.of(column).cloned()).collect();
    for at in times {
        let mut incoming = PersonColumns::default();
        incoming.merge_from(columns.clone(), &mut |field| versions.of(field.column) == Some(&at));
        person.versions.merge(&mut person.columns, incoming, &at);
    }
    let is_of_other = person.versions.of(MARKETING_OPT_IN) == versions.of(MARKETING_OPT_IN);
    if columns.marketing_opt_in.is_some() && is_of_other {
        person.consent_lead = consent_lead;
    }
    person.created_at = person.created_at.min(created_at);
    person.updated_at = person.updated_at.max(updated_at);
}

/// A person of whom nothing is known but the address.
fn new_person(id: PersonId, arrived_at: DateTime<Utc>) -> Person {
    Person {
        id,
        columns: PersonColumns::default(),
        versions: FieldVersions::default(),
        consent_lead: None,
        created_at: arrived_at,
        updated_at: arrived_at,
    }
}

/// Notes what is missing from a group of which something was sent.
fn keep<T>(group: Group<T>, code: Code, path: &str, findings: &mut Vec<Finding>) -> Option<T> {
    match group {
        Group::Absent => None,
        Group::Incomplete(missing) => {
            let message = format!("not stored with the person: missing {}", missing.join(", "));
            findings.push(Finding::at(code, path, message));
            None
        }
        Group::Complete(whole) => Some(whole),
    }
}

/// The names of the parts that are missing.
fn missing<const N: usize>(parts: [(&'static str, bool); N]) -> Vec<&'static str> {
    parts.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect()
}

/// An address needs all five parts (Loopit's page).
#[must_use]
pub fn address_of(parts: Option<AddressParts>) -> Group<Address> {
    let Some(parts) = parts else { return Group::Absent };
    let missing = missing([
        ("street", parts.street.is_some()),
        ("city", parts.city.is_some()),
        ("state", parts.state.is_some()),
        ("postcode", parts.postcode.is_some()),
        ("country", parts.country.is_some()),
    ]);
    match parts {
        AddressParts {
            street: Some(street),
            city: Some(city),
            state: Some(state),
            postcode: Some(postcode),
            country: Some(country),
        } => Group::Complete(Address { street, city, state, postcode, country }),
        AddressParts { .. } => Group::Incomplete(missing),
    }
}

/// A driver licence needs number, expiry and date of birth (Loopit's page).
#[must_use]
pub fn licence_of(parts: Option<LicenceParts>) -> Group<Licence> {
    let Some(parts) = parts else { return Group::Absent };
    let missing = missing([
        ("license_number", parts.number.is_some()),
        ("license_expiry", parts.expires_on.is_some()),
        ("license_dob", parts.date_of_birth.is_some()),
    ]);
    match parts {
        LicenceParts {
            number: Some(number),
            card_number,
            state,
            expires_on: Some(expires_on),
            date_of_birth: Some(date_of_birth),
        } => Group::Complete(Licence { number, card_number, state, expires_on, date_of_birth }),
        LicenceParts { .. } => Group::Incomplete(missing),
    }
}

/// A passport needs number, country, expiry and date of birth (Loopit's page).
#[must_use]
pub fn passport_of(parts: Option<PassportParts>) -> Group<Passport> {
    let Some(parts) = parts else { return Group::Absent };
    let missing = missing([
        ("passport_number", parts.number.is_some()),
        ("passport_country", parts.country.is_some()),
        ("passport_expiry", parts.expires_on.is_some()),
        ("passport_dob", parts.date_of_birth.is_some()),
    ]);
    match parts {
        PassportParts {
            number: Some(number),
            country: Some(country),
            expires_on: Some(expires_on),
            date_of_birth: Some(date_of_birth),
        } => Group::Complete(Passport { number, country, expires_on, date_of_birth }),
        PassportParts { .. } => Group::Incomplete(missing),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::facts::Source;
    use crate::domain::version::LeadOrder;

    /// Something said of a customer.
    fn update() -> impl Strategy<Value = PersonColumns> {
        let text = || prop::option::of("[ab]");
        (text(), text(), text()).prop_map(|(title, first_name, last_name)| PersonColumns {
            title,
            first_name,
            last_name,
            ..PersonColumns::default()
        })
    }

    fn person(updates: &[(i64, PersonColumns)]) -> Person {
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let mut person = new_person(1.into(), moment(0));
        for (at, incoming) in updates {
            let lead = LeadOrder(at.to_string());
            let (at, arrived_at) = (moment(*at), moment(1_000 + *at));
            let at = Version { at, tiebreak: at, source: Source::LeadFeed, lead, arrived_at };
            person.versions.merge(&mut person.columns, incoming.clone(), &at);
        }
        person
    }

    proptest! {
        #[test]
        fn two_that_become_one_know_what_one_would_have_known(
            updates in prop::collection::btree_map(0..12_i64, update(), 0..8), split in 0_usize..8,
        ) {
            let updates: Vec<_> = updates.into_iter().collect();
            let (of_other, own): (Vec<_>, Vec<_>) =
                updates.iter().cloned().partition(|(at, _)| usize::try_from(*at).unwrap() % 3 == split % 3);
            let mut one = person(&own);
            absorb(&mut one, person(&of_other));
            let expected = person(&updates);
            prop_assert_eq!(&one.columns, &expected.columns);
            for column in expected.columns.non_null() {
                prop_assert_eq!(one.versions.of(column), expected.versions.of(column));
            }
        }
    }
}
