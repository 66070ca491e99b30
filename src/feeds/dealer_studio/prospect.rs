//! The customer of a lead or a cluster: contact details, address, licence and passport (Loopit's page, field
//! information; the cluster page).

use crate::domain::facts::{
    AddressParts, ClusterColumns, Field, LeadColumns, LicenceParts, PassportParts, PersonColumns, ProspectFacts,
};
use crate::domain::finding::Code;
use crate::domain::values::{self, Country};
use crate::domain::workspace::Locale;
use crate::feeds::wire::{Object, Rebuilt};

/// Reads the `prospect` of the lead feed: what is known of the person, and the contact columns of the lead.
pub(super) fn read(prospect: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> ProspectFacts {
    let mut facts = customer(prospect, "first_name", None, locale, columns);
    facts.person.marketing_opt_in = prospect.boolean("opt_in_to_marketing");
    columns.contact_marketing_opt_in = facts.person.marketing_opt_in;
    facts
}

/// Reads the `prospect` of a cluster's lead. Its `name` is the first name, and its address has no country.
pub(super) fn read_in_cluster(prospect: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> ProspectFacts {
    let first_name = prospect.either("name", "first_name");
    let mut facts = customer(prospect, first_name, Some(&locale.country), locale, columns);
    facts.person.home_phone = prospect.phone("home_phone", locale);
    columns.contact_home_phone.clone_from(&facts.person.home_phone);
    columns.contact_employment_type = prospect.text("employment_type");
    columns.contact_living_situation = prospect.text("living_situation");
    columns.contact_residency_status = prospect.text("residency_status");
    columns.documents = Rebuilt::of(columns.documents.as_ref())
        .with("licence_type", prospect.text("licence_type"))
        .with("driver_licence_number", prospect.identifier("driver_licence_number"))
        .into_json();
    facts
}

/// Reads the `contact` of a cluster into its columns.
pub(super) fn contact(contact: &Object<'_>, locale: &Locale, columns: &mut ClusterColumns) -> ProspectFacts {
    let (contact_email, email) = contact.email("email");
    let date_of_birth = contact.birth_date("dob", locale);
    let person = PersonColumns {
        business_name: contact.text("business_name"),
        first_name: contact.text("first_name"),
        last_name: contact.text("last_name"),
        date_of_birth: valid(&date_of_birth),
        mobile_phone: contact.phone("mobile_phone", locale),
        postcode: contact.postcode("postcode", locale.country.is_australia()),
        ..PersonColumns::default()
    };
    columns.contact_email = contact_email;
    columns.contact_business_name.clone_from(&person.business_name);
    columns.contact_first_name.clone_from(&person.first_name);
    columns.contact_last_name.clone_from(&person.last_name);
    columns.contact_phone.clone_from(&person.mobile_phone);
    columns.contact_postcode.clone_from(&person.postcode);
    columns.contact_date_of_birth = person.date_of_birth;
    ProspectFacts { email, date_of_birth, person, ..ProspectFacts::default() }
}

/// Reads what the prospects of both feeds have; `no_country` stands in for the country of an address without one.
fn customer(
    prospect: &Object<'_>,
    first_name: &'static str,
    no_country: Option<&Country>,
    locale: &Locale,
    columns: &mut LeadColumns,
) -> ProspectFacts {
    let (contact_email, email) = prospect.email("email");
    let date_of_birth = prospect.birth_date("dob", locale);
    let address = address(&prospect.object("address"), no_country, locale, columns);
    let person = PersonColumns {
        title: prospect.text("title"),
        first_name: prospect.text(first_name),
        middle_name: prospect.text("middle_name"),
        last_name: prospect.text("last_name"),
        date_of_birth: valid(&date_of_birth),
        mobile_phone: prospect.phone("mobile_phone", locale),
        postcode: prospect.postcode("postcode", locale.country.is_australia()),
        ..PersonColumns::default()
    };
    columns.contact_email = contact_email;
    columns.contact_title.clone_from(&person.title);
    columns.contact_first_name.clone_from(&person.first_name);
    columns.contact_middle_name.clone_from(&person.middle_name);
    columns.contact_last_name.clone_from(&person.last_name);
    columns.contact_phone.clone_from(&person.mobile_phone);
    columns.contact_date_of_birth = person.date_of_birth;
    columns.contact_postcode.clone_from(&person.postcode);
    ProspectFacts { email, date_of_birth, person, address, ..ProspectFacts::default() }
}

/// Reads `license_*` of the free-form details; the British spelling is accepted.
pub(super) fn licence(details: &Object<'_>, locale: &Locale) -> Option<LicenceParts> {
    let number = details.either("license_number", "licence_number");
    let card_number = details.either("license_card_number", "licence_card_number");
    let state = details.either("license_state", "licence_state");
    let expiry = details.either("license_expiry", "licence_expiry");
    let dob = details.either("license_dob", "licence_dob");
    let parts = LicenceParts {
        number: details.identifier(number),
        card_number: details.identifier(card_number),
        state: details.text(state).and_then(|text| known_state(details, state, &text)),
        expires_on: details.date(expiry),
        date_of_birth: valid(&details.birth_date(dob, locale)),
    };
    details.holds_any(&[number, card_number, state, expiry, dob]).then_some(parts)
}

/// Reads `passport_*` of the free-form details.
pub(super) fn passport(details: &Object<'_>, locale: &Locale) -> Option<PassportParts> {
    let parts = PassportParts {
        number: details.identifier("passport_number"),
        country: details.country("passport_country").1,
        expires_on: details.date("passport_expiry"),
        date_of_birth: valid(&details.birth_date("passport_dob", locale)),
    };
    details.holds_any(&["passport_number", "passport_country", "passport_expiry", "passport_dob"]).then_some(parts)
}

/// Reads an address into its parts; the lead keeps it as it was sent.
fn address(
    address: &Object<'_>,
    no_country: Option<&Country>,
    locale: &Locale,
    columns: &mut LeadColumns,
) -> Option<AddressParts> {
    let (street, city) = (address.text("street"), address.text("city"));
    let (state, state_long) = (address.text("state"), address.text("state_long"));
    let (country_sent, country) = address.country("country");
    let in_australia = match (&country_sent, &country) {
        (None, _) => locale.country.is_australia(),
        (Some(_), country) => country.as_ref().is_some_and(Country::is_australia),
    };
    let postcode = address.postcode("postcode", in_australia);
    let mut parts = AddressParts {
        state: state_part(address, state.as_deref(), state_long.as_deref(), in_australia),
        street: street.clone(),
        city: city.clone(),
        postcode: postcode.clone(),
        country,
    };
    if country_sent.is_none() && parts != AddressParts::default() {
        parts.country = no_country.cloned();
    }
    let kept = Rebuilt::default().with("street", street).with("city", city).with("state", state);
    let kept = kept.with("state_long", state_long).with("postcode", postcode).with("country", country_sent);
    columns.contact_address = kept.into_json();
    address.holds_any(&["street", "city", "state", "state_long", "postcode", "country"]).then_some(parts)
}

/// The state of an address: an Australian one abbreviated, one of another country as sent.
fn state_part(address: &Object<'_>, short: Option<&str>, long: Option<&str>, in_australia: bool) -> Option<String> {
    let sent = short.or(long)?;
    if !in_australia {
        return Some(sent.to_owned());
    }
    let known = [short, long].into_iter().flatten().find_map(values::australian_state);
    known.map(str::to_owned).or_else(|| known_state(address, "state", sent))
}

fn valid<T: Clone>(given: &Field<T>) -> Option<T> {
    match given {
        Field::Valid(value) => Some(value.clone()),
        Field::Absent | Field::Invalid => None,
    }
}

fn known_state(object: &Object<'_>, name: &str, text: &str) -> Option<String> {
    let state = values::australian_state(text);
    if state.is_none() {
        object.note(Code::StateUnknown, name, "not an Australian state or territory; read as absent");
    }
    state.map(str::to_owned)
}
