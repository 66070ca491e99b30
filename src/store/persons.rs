//! Persons, with their licences and passports; they are saved with all of `customers`.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::json_row;
use super::stored::{Stored, Unreadable};
use crate::domain::consent::Consent;
use crate::domain::facts::{Address, Licence, Passport, PersonColumns};
use crate::domain::ids::LeadId;
use crate::domain::state::{Person, Row};
use crate::domain::values::{Country, Email};

/// A person as it was loaded, with its rows in other tables.
pub(super) fn read_row(
    person: &Value,
    licence: Option<&Value>,
    passport: Option<&Value>,
) -> Result<(Email, Row<Person>), Unreadable> {
    let row = Stored::row("persons", "id", person)?;
    let email = row.parsed("email", Email::stored)?;
    Ok((row.need("email", email)?, Row::known(read(row, licence, passport)?)))
}

fn read(row: Stored<'_>, licence: Option<&Value>, passport: Option<&Value>) -> Result<Person, Unreadable> {
    Ok(Person {
        id: row.id(),
        columns: PersonColumns {
            title: row.text("title")?,
            first_name: row.text("first_name")?,
            middle_name: row.text("middle_name")?,
            last_name: row.text("last_name")?,
            business_name: row.text("business_name")?,
            date_of_birth: row.date("date_of_birth")?,
            mobile_phone: row.text("mobile_phone")?,
            home_phone: row.text("home_phone")?,
            postcode: row.text("postcode")?,
            marketing_opt_in: row.flag("marketing_opt_in")?,
            address: read_address(row)?,
            licence: licence.map(read_licence).transpose()?,
            passport: passport.map(read_passport).transpose()?,
        },
        versions: row.versions("clocks")?,
        consent_lead: row.pointer("marketing_opt_in_lead_id")?,
        created_at: row.needed_instant("created_at")?,
        updated_at: row.needed_instant("updated_at")?,
    })
}

/// An address is there whole or not at all.
fn read_address(row: Stored<'_>) -> Result<Option<Address>, Unreadable> {
    let parts = ["address_street", "address_city", "address_state", "address_postcode", "address_country"];
    if parts.iter().all(|part| row.value(part).is_none()) {
        return Ok(None);
    }
    let country = row.parsed("address_country", Country::parse)?;
    Ok(Some(Address {
        street: row.needed_text("address_street")?,
        city: row.needed_text("address_city")?,
        state: row.needed_text("address_state")?,
        postcode: row.needed_text("address_postcode")?,
        country: row.need("address_country", country)?,
    }))
}

fn read_licence(licence: &Value) -> Result<Licence, Unreadable> {
    let row = Stored::row("identity.driver_licences", "person_id", licence)?;
    Ok(Licence {
        number: row.needed_text("number")?,
        card_number: row.text("card_number")?,
        state: row.text("state")?,
        expires_on: row.needed_date("expires_on")?,
        date_of_birth: row.needed_date("date_of_birth")?,
    })
}

fn read_passport(passport: &Value) -> Result<Passport, Unreadable> {
    let row = Stored::row("identity.passports", "person_id", passport)?;
    let country = row.parsed("country", Country::parse)?;
    Ok(Passport {
        number: row.needed_text("number")?,
        country: row.need("country", country)?,
        expires_on: row.needed_date("expires_on")?,
        date_of_birth: row.needed_date("date_of_birth")?,
    })
}

/// Persons as lists: what is not told of them.
#[derive(Debug, Default)]
pub(super) struct PersonRows<'a> {
    pub(super) id: Vec<i64>,
    pub(super) email: Vec<&'a str>,
    pub(super) created_at: Vec<DateTime<Utc>>,
    pub(super) updated_at: Vec<DateTime<Utc>>,
    pub(super) clocks: Vec<String>,
    pub(super) marketing_opt_in_at: Vec<Option<DateTime<Utc>>>,
    pub(super) marketing_opt_in_lead_id: Vec<Option<i64>>,
}

impl<'a> PersonRows<'a> {
    /// Adds a row.
    pub(super) fn push(&mut self, email: &'a Email, person: &Person, consent: Option<Consent>) {
        let Person { id, columns: _, versions, consent_lead: _, created_at, updated_at } = person;
        self.id.push(id.get());
        self.email.push(email.as_str());
        self.created_at.push(*created_at);
        self.updated_at.push(*updated_at);
        self.clocks.push(json_row::versions(versions).to_string());
        self.marketing_opt_in_at.push(consent.map(|consent| consent.at));
        self.marketing_opt_in_lead_id.push(consent.and_then(|consent| consent.lead).map(LeadId::get));
    }
}

/// Persons as lists: what is told of them.
#[derive(Debug, Default)]
pub(super) struct PersonLists<'a> {
    pub(super) title: Vec<Option<&'a str>>,
    pub(super) first_name: Vec<Option<&'a str>>,
    pub(super) middle_name: Vec<Option<&'a str>>,
    pub(super) last_name: Vec<Option<&'a str>>,
    pub(super) business_name: Vec<Option<&'a str>>,
    pub(super) date_of_birth: Vec<Option<NaiveDate>>,
    pub(super) mobile_phone: Vec<Option<&'a str>>,
    pub(super) home_phone: Vec<Option<&'a str>>,
    pub(super) postcode: Vec<Option<&'a str>>,
    pub(super) marketing_opt_in: Vec<Option<bool>>,
    pub(super) address_street: Vec<Option<&'a str>>,
    pub(super) address_city: Vec<Option<&'a str>>,
    pub(super) address_state: Vec<Option<&'a str>>,
    pub(super) address_postcode: Vec<Option<&'a str>>,
    pub(super) address_country: Vec<Option<&'a str>>,
    pub(super) licence_number: Vec<Option<&'a str>>,
    pub(super) licence_card_number: Vec<Option<&'a str>>,
    pub(super) licence_state: Vec<Option<&'a str>>,
    pub(super) licence_expires_on: Vec<Option<NaiveDate>>,
    pub(super) licence_date_of_birth: Vec<Option<NaiveDate>>,
    pub(super) passport_number: Vec<Option<&'a str>>,
    pub(super) passport_country: Vec<Option<&'a str>>,
    pub(super) passport_expires_on: Vec<Option<NaiveDate>>,
    pub(super) passport_date_of_birth: Vec<Option<NaiveDate>>,
}

impl<'a> PersonLists<'a> {
    /// Adds a row.
    pub(super) fn push(&mut self, columns: &'a PersonColumns) {
        let PersonColumns {
            title,
            first_name,
            middle_name,
            last_name,
            business_name,
            date_of_birth,
            mobile_phone,
            home_phone,
            postcode,
            marketing_opt_in,
            address,
            licence,
            passport,
        } = columns;
        self.title.push(title.as_deref());
        self.first_name.push(first_name.as_deref());
        self.middle_name.push(middle_name.as_deref());
        self.last_name.push(last_name.as_deref());
        self.business_name.push(business_name.as_deref());
        self.date_of_birth.push(*date_of_birth);
        self.mobile_phone.push(mobile_phone.as_deref());
        self.home_phone.push(home_phone.as_deref());
        self.postcode.push(postcode.as_deref());
        self.marketing_opt_in.push(*marketing_opt_in);
        self.push_address(address.as_ref());
        self.push_licence(licence.as_ref());
        self.push_passport(passport.as_ref());
    }

    fn push_address(&mut self, address: Option<&'a Address>) {
        let parts = address.map(|Address { street, city, state, postcode, country }| {
            (street.as_str(), city.as_str(), state.as_str(), postcode.as_str(), country.code())
        });
        self.address_street.push(parts.map(|(street, ..)| street));
        self.address_city.push(parts.map(|(_, city, ..)| city));
        self.address_state.push(parts.map(|(_, _, state, ..)| state));
        self.address_postcode.push(parts.map(|(_, _, _, postcode, _)| postcode));
        self.address_country.push(parts.map(|(.., country)| country));
    }

    fn push_licence(&mut self, licence: Option<&'a Licence>) {
        self.licence_number.push(licence.map(|licence| licence.number.as_str()));
        self.licence_card_number.push(licence.and_then(|licence| licence.card_number.as_deref()));
        self.licence_state.push(licence.and_then(|licence| licence.state.as_deref()));
        self.licence_expires_on.push(licence.map(|licence| licence.expires_on));
        self.licence_date_of_birth.push(licence.map(|licence| licence.date_of_birth));
    }

    fn push_passport(&mut self, passport: Option<&'a Passport>) {
        self.passport_number.push(passport.map(|passport| passport.number.as_str()));
        self.passport_country.push(passport.map(|passport| passport.country.code()));
        self.passport_expires_on.push(passport.map(|passport| passport.expires_on));
        self.passport_date_of_birth.push(passport.map(|passport| passport.date_of_birth));
    }
}
