//! The customer of a lead: contact details, address, licence and passport (Loopit's page, field information).

use crate::domain::facts::{
    AddressParts, Given, LeadColumns, LicenceParts, PassportParts, PersonColumns, ProspectFacts,
};
use crate::domain::finding::Code;
use crate::domain::values::{self, Country};
use crate::domain::workspace::Locale;
use crate::feeds::wire::{Object, Rebuilt};

/// Reads `prospect`: what is known of the person, and the contact columns of the lead.
pub(super) fn read(prospect: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> ProspectFacts {
    let (contact_email, email) = prospect.email("email");
    let date_of_birth = prospect.birth_date("dob", locale);
    let address = address(&prospect.object("address"), locale, columns);
    let person = PersonColumns {
        title: prospect.text("title"),
        first_name: prospect.text("first_name"),
        middle_name: prospect.text("middle_name"),
        last_name: prospect.text("last_name"),
        date_of_birth: valid(&date_of_birth),
        mobile_phone: prospect.phone("mobile_phone", locale),
        postcode: prospect.postcode("postcode", locale.country.is_australia()),
        marketing_opt_in: prospect.boolean("opt_in_to_marketing"),
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
    columns.contact_marketing_opt_in = person.marketing_opt_in;
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

/// Whether a key of the free-form details belongs to an identity document: the documented ones, and what websites make
/// of them, as `drivers_license_number`.
pub(super) fn is_identity_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["license", "licence", "passport"].iter().any(|word| name.contains(word))
}

/// Reads an address into its parts; the lead keeps it as it was sent.
fn address(address: &Object<'_>, locale: &Locale, columns: &mut LeadColumns) -> Option<AddressParts> {
    let (street, city) = (address.text("street"), address.text("city"));
    let (state, state_long) = (address.text("state"), address.text("state_long"));
    let (country_sent, country) = address.country("country");
    let in_australia = match (&country_sent, &country) {
        (None, _) => locale.country.is_australia(),
        (Some(_), country) => country.as_ref().is_some_and(Country::is_australia),
    };
    let postcode = address.postcode("postcode", in_australia);
    let parts = AddressParts {
        state: state_part(address, state.as_deref(), state_long.as_deref(), in_australia),
        street: street.clone(),
        city: city.clone(),
        postcode: postcode.clone(),
        country,
    };
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

fn valid<T: Clone>(given: &Given<T>) -> Option<T> {
    match given {
        Given::Valid(value) => Some(value.clone()),
        Given::Absent | Given::Invalid => None,
    }
}

fn known_state(object: &Object<'_>, name: &str, text: &str) -> Option<String> {
    let state = values::australian_state(text);
    if state.is_none() {
        object.note(Code::StateUnknown, name, "not an Australian state or territory; read as absent");
    }
    state.map(str::to_owned)
}
