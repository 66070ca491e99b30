//! Persons, with their licences and passports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::record::{self, Record};
use crate::domain::facts::{Address, Licence, Passport, PersonColumns};
use crate::domain::values::{Country, Email};
use crate::domain::world::{Person, Row, Tenant};

/// Loads the persons with these addresses.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: i64,
    emails: &BTreeSet<Email>,
) -> Result<BTreeMap<Email, Row<Person>>, sqlx::Error> {
    let emails: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let rows = sqlx::query!(
        r#"select to_jsonb(p) as "person!", to_jsonb(l) as licence, to_jsonb(t) as passport
        from persons p
        left join identity.driver_licences l on l.workspace_id = p.workspace_id and l.person_id = p.id
        left join identity.passports t on t.workspace_id = p.workspace_id and t.person_id = p.id
        where p.workspace_id = $1 and p.email = any($2)"#,
        workspace,
        &emails as &[&str],
    )
    .fetch_all(tx)
    .await?;
    let persons = rows.into_iter().filter_map(|row| {
        let email = Email::parse(row.person.get("email")?.as_str()?)?;
        Some((email, Row::known(read(&row.person, row.licence.as_ref(), row.passport.as_ref())?)))
    });
    Ok(persons.collect())
}

fn read(person: &Value, licence: Option<&Value>, passport: Option<&Value>) -> Option<Person> {
    let text = |name| record::text(person, name);
    Some(Person {
        id: record::int(person, "id")?,
        columns: PersonColumns {
            title: text("title"),
            first_name: text("first_name"),
            middle_name: text("middle_name"),
            last_name: text("last_name"),
            business_name: text("business_name"),
            date_of_birth: record::date(person, "date_of_birth"),
            mobile_phone: text("mobile_phone"),
            home_phone: text("home_phone"),
            postcode: text("postcode"),
            marketing_opt_in: person.get("marketing_opt_in").and_then(Value::as_bool),
            address: read_address(person),
            licence: licence.and_then(read_licence),
            passport: passport.and_then(read_passport),
        },
        clocks: record::read_clocks(person.get("clocks")),
        created_at: record::instant(person, "created_at")?,
        updated_at: record::instant(person, "updated_at")?,
    })
}

fn read_address(person: &Value) -> Option<Address> {
    let text = |name| record::text(person, name);
    Some(Address {
        street: text("address_street")?,
        city: text("address_city")?,
        state: text("address_state")?,
        postcode: text("address_postcode")?,
        country: Country::parse(&text("address_country")?)?,
    })
}

fn read_licence(licence: &Value) -> Option<Licence> {
    Some(Licence {
        number: record::text(licence, "number")?,
        card_number: record::text(licence, "card_number"),
        state: record::text(licence, "state"),
        expires_on: record::date(licence, "expires_on")?,
        date_of_birth: record::date(licence, "date_of_birth")?,
    })
}

fn read_passport(passport: &Value) -> Option<Passport> {
    Some(Passport {
        number: record::text(passport, "number")?,
        country: Country::parse(&record::text(passport, "country")?)?,
        expires_on: record::date(passport, "expires_on")?,
        date_of_birth: record::date(passport, "date_of_birth")?,
    })
}

/// Writes the persons that changed.
pub(super) async fn save(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = || tenant.persons.iter().filter(|(_, row)| row.is_dirty()).map(|(email, row)| (email, &row.value));
    let persons: Vec<Value> = dirty().map(|(email, person)| write(workspace, email, person)).collect();
    if persons.is_empty() {
        return Ok(());
    }
    save_persons(tx, Value::Array(persons)).await?;
    let licences = dirty().filter_map(|(_, person)| write_licence(workspace, person)).collect();
    save_licences(tx, licences).await?;
    let passports = dirty().filter_map(|(_, person)| write_passport(workspace, person)).collect();
    save_passports(tx, passports).await
}

fn write(workspace: i64, email: &Email, person: &Person) -> Value {
    let Person { id, columns, clocks, created_at, updated_at } = person;
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
        licence: _,
        passport: _,
    } = columns;
    let mut record = Record::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace));
    put("id", json!(id));
    put("email", json!(email.as_str()));
    put("title", json!(title));
    put("first_name", json!(first_name));
    put("middle_name", json!(middle_name));
    put("last_name", json!(last_name));
    put("business_name", json!(business_name));
    put("date_of_birth", json!(date_of_birth));
    put("mobile_phone", json!(mobile_phone));
    put("home_phone", json!(home_phone));
    put("postcode", json!(postcode));
    put("marketing_opt_in", json!(marketing_opt_in));
    if let Some(Address { street, city, state, postcode, country }) = address {
        put("address_street", json!(street));
        put("address_city", json!(city));
        put("address_state", json!(state));
        put("address_postcode", json!(postcode));
        put("address_country", json!(country.code()));
    }
    put("created_at", record::time(*created_at));
    put("updated_at", record::time(*updated_at));
    put("clocks", record::clocks(clocks));
    Value::Object(record)
}

fn write_licence(workspace: i64, person: &Person) -> Option<Value> {
    let Licence { number, card_number, state, expires_on, date_of_birth } = person.columns.licence.as_ref()?;
    Some(json!({
        "workspace_id": workspace, "person_id": person.id, "number": number, "card_number": card_number,
        "state": state, "expires_on": expires_on, "date_of_birth": date_of_birth,
    }))
}

fn write_passport(workspace: i64, person: &Person) -> Option<Value> {
    let Passport { number, country, expires_on, date_of_birth } = person.columns.passport.as_ref()?;
    Some(json!({
        "workspace_id": workspace, "person_id": person.id, "number": number, "country": country.code(),
        "expires_on": expires_on, "date_of_birth": date_of_birth,
    }))
}

async fn save_persons(tx: &mut PgConnection, persons: Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into persons (workspace_id, id, email, title, first_name, middle_name, last_name, business_name,
            date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street, address_city,
            address_state, address_postcode, address_country, created_at, updated_at, clocks)
        select workspace_id, id, email, title, first_name, middle_name, last_name, business_name,
            date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street, address_city,
            address_state, address_postcode, address_country, created_at, updated_at, clocks
        from jsonb_populate_recordset(null::persons, $1)
        on conflict (workspace_id, id) do update set
            title = excluded.title, first_name = excluded.first_name, middle_name = excluded.middle_name,
            last_name = excluded.last_name, business_name = excluded.business_name,
            date_of_birth = excluded.date_of_birth, mobile_phone = excluded.mobile_phone,
            home_phone = excluded.home_phone, postcode = excluded.postcode,
            marketing_opt_in = excluded.marketing_opt_in, address_street = excluded.address_street,
            address_city = excluded.address_city, address_state = excluded.address_state,
            address_postcode = excluded.address_postcode, address_country = excluded.address_country,
            updated_at = excluded.updated_at, clocks = excluded.clocks",
        persons,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A licence that is as it was is left alone: the person changed, not the licence.
async fn save_licences(tx: &mut PgConnection, licences: Vec<Value>) -> Result<(), sqlx::Error> {
    if licences.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into identity.driver_licences as known
            (workspace_id, person_id, number, card_number, state, expires_on, date_of_birth)
        select workspace_id, person_id, number, card_number, state, expires_on, date_of_birth
        from jsonb_populate_recordset(null::identity.driver_licences, $1)
        on conflict (workspace_id, person_id) do update set
            number = excluded.number, card_number = excluded.card_number, state = excluded.state,
            expires_on = excluded.expires_on, date_of_birth = excluded.date_of_birth
        where (known.number, known.card_number, known.state, known.expires_on, known.date_of_birth)
            is distinct from
            (excluded.number, excluded.card_number, excluded.state, excluded.expires_on, excluded.date_of_birth)",
        Value::Array(licences),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A passport that is as it was is left alone: the person changed, not the passport.
async fn save_passports(tx: &mut PgConnection, passports: Vec<Value>) -> Result<(), sqlx::Error> {
    if passports.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into identity.passports as known
            (workspace_id, person_id, number, country, expires_on, date_of_birth)
        select workspace_id, person_id, number, country, expires_on, date_of_birth
        from jsonb_populate_recordset(null::identity.passports, $1)
        on conflict (workspace_id, person_id) do update set
            number = excluded.number, country = excluded.country,
            expires_on = excluded.expires_on, date_of_birth = excluded.date_of_birth
        where (known.number, known.country, known.expires_on, known.date_of_birth)
            is distinct from (excluded.number, excluded.country, excluded.expires_on, excluded.date_of_birth)",
        Value::Array(passports),
    )
    .execute(tx)
    .await?;
    Ok(())
}
