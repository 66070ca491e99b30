//! Who becomes a person, which of the things said about one stays, and where identity documents are kept.

use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

use crate::support::db_snapshot::{Delivery, in_any_order};
use crate::support::payloads::{enquiry, with};
use crate::support::{TestService, assert_holds, fixture, service, tables};

const WHOLE_ADDRESS: [(&str, &str); 5] =
    [("street", "1 High St"), ("city", "Sydney"), ("state", "NSW"), ("postcode", "2000"), ("country", "Australia")];

const WHOLE_LICENCE: [(&str, &str); 3] =
    [("license_number", "L1234567"), ("license_expiry", "01/04/2030"), ("license_dob", "02/05/1980")];

const WHOLE_PASSPORT: [(&str, &str); 4] = [
    ("passport_number", "PB7654321"),
    ("passport_country", "Australia"),
    ("passport_expiry", "03/06/2031"),
    ("passport_dob", "04/07/1981"),
];

fn parts(parts: &[(&str, &str)]) -> Value {
    parts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

async fn person(service: &TestService, columns: &str) -> Value {
    service.row(&format!("select {columns} from persons")).await
}

/// The messages of an answer's findings with this code.
fn messages(answer: &crate::support::Answer, code: &str) -> Vec<String> {
    let findings = answer.body["findings"].as_array().unwrap().iter();
    let of_code = findings.filter(|finding| finding["code"] == code);
    of_code.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn without_a_valid_address_or_with_an_impossible_birth_date_there_is_no_person_and_the_lead_keeps_the_contact() {
    for (id, changes, code) in [
        (1, json!({ "email": null }), "email_missing"),
        (2, json!({ "email": "" }), "email_missing"),
        (3, json!({ "email": "ann" }), "email_invalid"),
        (4, json!({ "email": "ann@example.com, bea@example.com" }), "email_invalid"),
        (5, json!({ "email": 7 }), "email_invalid"),
        (6, json!({ "dob": "2000-02-30" }), "date_invalid"),
        (7, json!({ "dob": "01/04/2999" }), "date_invalid"),
        (8, json!({ "dob": "1 April 2000" }), "date_invalid"),
    ] {
        let service = service().await;
        let prospect = json!({ "first_name": "Ann", "last_name": "Bell", "mobile_phone": "0403 123 123",
            "address": parts(&WHOLE_ADDRESS) });
        let details = with(parts(&WHOLE_LICENCE), parts(&WHOLE_PASSPORT));
        let said = json!({ "id": id, "prospect": prospect, "additional_details": details });
        let answer = service.lead(&with(enquiry(said), json!({ "prospect": changes }))).await;
        assert_eq!(answer.body["person"], Value::Null, "{changes}");
        assert_eq!(answer.outcome(), "applied", "{changes}");
        assert!(answer.codes().contains(&code), "{changes}: {answer:?}");
        for table in ["persons", "identity.driver_licences", "identity.passports"] {
            assert_eq!(service.count(table).await, 0, "{changes}: {table}");
        }
        let sent = changes["email"].as_str().filter(|sent| !sent.is_empty());
        let sent = if changes.get("dob").is_some() { Some("ann@example.com") } else { sent };
        let contact = json!({ "person_id": null, "contact_email": sent, "contact_first_name": "Ann",
            "contact_last_name": "Bell", "contact_phone": "+61403123123" });
        service.expect_row("leads", contact).await;
        // The documents are kept with the lead, person or not.
        assert_eq!(service.count("identity.lead_documents").await, 1, "{changes}");
    }
}

#[tokio::test]
async fn an_impossible_birth_date_changes_no_person_either() {
    let service = service().await;
    service.lead(&enquiry(json!({ "prospect": { "first_name": "Ann", "dob": "01/04/2000" } }))).await;
    let before = service.row("select * from persons").await;
    let later = json!({
        "id": 2, "created": "2025-10-02T00:00:00Z", "updated_at": "2025-10-02T00:00:00Z",
        "prospect": { "first_name": "Other", "dob": "31/04/2000" },
    });
    let answer = service.lead(&enquiry(later)).await;
    assert_eq!(answer.body["person"], Value::Null);
    assert_eq!(service.row("select * from persons").await, before);
    // The address is the person's all the same.
    assert_eq!(service.count("leads where person_id is not null").await, 2);
}

#[tokio::test]
async fn one_address_is_one_person_in_whatever_case_and_space() {
    let service = service().await;
    for (id, email, effect) in [
        (1, "ann.bell@example.com", "created"),
        (2, " Ann.Bell@Example.COM ", "unchanged"),
        (3, "bea@example.com", "created"),
        (4, "josé@münchen.de", "created"),
        (5, "JOSÉ@MÜNCHEN.DE", "unchanged"),
    ] {
        let answer = service.lead(&enquiry(json!({ "id": id, "prospect": { "email": email } }))).await;
        assert_eq!(answer.body["person"], effect, "{email}");
        let of_lead = format!("leads l join persons p on p.id = l.person_id where l.external_id = '{id}'");
        let told = service.table(&format!("contact_email, p.email from {of_lead}")).await;
        let matched = email.trim().to_lowercase().replace("münchen", "xn--mnchen-3ya");
        assert_eq!(told, json!([[email.trim(), matched]]));
    }
    assert_eq!(service.count("persons").await, 3);
}

#[tokio::test]
async fn a_partial_lead_makes_a_person_a_later_one_fills_the_rest_and_null_never_erases() {
    let service = service().await;
    let first = service.lead(&fixture("dealer_studio/lead/only_email_and_name.json")).await;
    assert_eq!(first.body["person"], "created");
    let row = person(&service, "first_name, last_name, mobile_phone, address_city, date_of_birth").await;
    let known = json!({ "first_name": "Alex", "last_name": "Citizen", "mobile_phone": null, "address_city": null,
        "date_of_birth": null });
    assert_eq!(row, known);

    let whole = json!({
        "id": 2, "created": "2025-11-04T00:00:00Z", "updated_at": "2025-11-04T00:00:00Z",
        "prospect": {
            "email": "only.email.and.name@example.com", "title": "Mx", "middle_name": "M", "dob": "01/04/2000",
            "mobile_phone": "0403 123 123", "postcode": 6050, "opt_in_to_marketing": true,
            "address": parts(&WHOLE_ADDRESS),
        },
        "additional_details": with(parts(&WHOLE_LICENCE), parts(&WHOLE_PASSPORT)),
    });
    let second = service.lead(&enquiry(whole)).await;
    assert_eq!(second.body["person"], "updated");
    let columns = "email, title, first_name, middle_name, last_name, date_of_birth, mobile_phone, postcode,
        marketing_opt_in, address_street, address_city, address_state, address_postcode, address_country";
    let filled = json!({
        "email": "only.email.and.name@example.com", "title": "Mx", "first_name": "Alex", "middle_name": "M",
        "last_name": "Citizen", "date_of_birth": "2000-04-01", "mobile_phone": "+61403123123", "postcode": "6050",
        "marketing_opt_in": true, "address_street": "1 High St", "address_city": "Sydney", "address_state": "NSW",
        "address_postcode": "2000", "address_country": "AU",
    });
    assert_eq!(person(&service, columns).await, filled);

    let empty = json!({
        "id": 3, "created": "2025-11-05T00:00:00Z", "updated_at": "2025-11-05T00:00:00Z",
        "prospect": {
            "email": "only.email.and.name@example.com", "title": "", "first_name": Value::Null, "last_name": "  ",
            "mobile_phone": "", "address": {}, "opt_in_to_marketing": "",
        },
        "additional_details": { "license_number": "", "passport_number": "" },
    });
    let third = service.lead(&enquiry(empty)).await;
    assert_eq!(third.body["person"], "unchanged");
    assert_eq!(person(&service, columns).await, filled);
    assert_eq!((service.count("identity.driver_licences").await, service.count("identity.passports").await), (1, 1));
    assert_eq!(service.count("persons").await, 1);
}

/// A lead of the customer with a creation and a modification time (days of October), and a phone.
#[expect(clippy::needless_pass_by_value, reason = "its callers make the value on the spot")]
fn said(id: i64, created: i64, modified: i64, prospect: Value) -> Delivery {
    let at = |day: i64| format!("2025-10-{day:02}T00:00:00Z");
    Delivery::Lead(enquiry(
        json!({ "id": id, "created": at(created), "updated_at": at(modified), "prospect": prospect }),
    ))
}

#[tokio::test]
async fn of_each_field_the_newest_by_the_leads_creation_stays_in_any_order() {
    let db_snapshot = in_any_order(&[
        said(1, 1, 1, json!({ "first_name": "Ann", "mobile_phone": "0403 000 001", "title": "Ms" })),
        said(2, 2, 2, json!({ "first_name": "Anna", "mobile_phone": "0403 000 002", "postcode": "2000" })),
        said(3, 3, 3, json!({ "mobile_phone": "0403 000 003" })),
    ])
    .await;
    let person = &db_snapshot["persons"][0];
    assert_eq!(person["first_name"], "Anna");
    assert_eq!(person["mobile_phone"], "+61403000003");
    assert_holds(person, json!({ "title": "Ms", "postcode": "2000" }));
}

#[tokio::test]
async fn a_status_change_on_an_old_lead_does_not_bring_an_old_phone_number_back() {
    let db_snapshot = in_any_order(&[
        said(1, 1, 1, json!({ "mobile_phone": "0403 000 001" })),
        said(2, 2, 2, json!({ "mobile_phone": "0403 000 002" })),
        said(1, 1, 9, json!({ "mobile_phone": "0403 000 001" })),
    ])
    .await;
    assert_eq!(db_snapshot["persons"][0]["mobile_phone"], "+61403000002");
}

#[tokio::test]
async fn leads_of_one_creation_time_are_ordered_by_their_modification_then_by_the_greater_id() {
    let db_snapshot = in_any_order(&[
        said(3, 1, 2, json!({ "mobile_phone": "0403 000 001", "last_name": "Of the older change" })),
        said(1, 1, 3, json!({ "mobile_phone": "0403 000 002" })),
        said(9, 1, 1, json!({ "first_name": "Ann" })),
        said(10, 1, 1, json!({ "first_name": "Anna" })),
    ])
    .await;
    let person = &db_snapshot["persons"][0];
    assert_eq!(person["mobile_phone"], "+61403000002");
    assert_eq!(person["last_name"], "Of the older change");
    // Ids are numbers: 10 is greater than 9.
    assert_eq!(person["first_name"], "Anna");
}

#[tokio::test]
async fn equal_times_of_one_lead_leave_what_arrived_later() {
    let service = service().await;
    for phone in ["0403 000 002", "0403 000 001"] {
        service.lead(&enquiry(json!({ "prospect": { "mobile_phone": phone } }))).await;
    }
    assert_eq!(service.value("mobile_phone", "persons").await, "+61403000001");
}

#[tokio::test]
async fn an_address_a_licence_and_a_passport_are_one_field_each_in_any_order() {
    let other = |value: &str| json!({ "street": value, "city": value, "state": "VIC", "postcode": 3000, "country": "Australia" });
    let details = |number: &str, state: Value| {
        json!({ "additional_details": {
            "license_number": number, "license_expiry": "01/04/2030", "license_dob": "02/05/1980",
            "license_state": state,
        } })
    };
    let lead = |id: i64, prospect: Value, details: Value| {
        let Delivery::Lead(lead) = said(id, id, id, prospect) else { unreachable!() };
        Delivery::Lead(with(lead, details))
    };
    let db_snapshot = in_any_order(&[
        lead(1, json!({ "address": other("one") }), details("L1", json!("NSW"))),
        lead(2, json!({ "address": other("two") }), details("L2", Value::Null)),
        // Incomplete ones take nothing away.
        lead(
            3,
            json!({ "address": { "street": "three" } }),
            json!({ "additional_details": { "license_number": "L3" } }),
        ),
    ])
    .await;
    let person = &db_snapshot["persons"][0];
    assert_holds(person, json!({ "address_street": "two", "address_city": "two" }));
    let licence = &db_snapshot["driver_licences"][0];
    assert_holds(licence, json!({ "number": "L2", "state": null }));
}

#[tokio::test]
async fn every_missing_part_of_an_address_a_licence_and_a_passport_is_named() {
    let groups = [
        (&WHOLE_ADDRESS[..], "prospect.address", "address_incomplete", "persons where address_street is not null"),
        (&WHOLE_LICENCE[..], "additional_details", "licence_incomplete", "identity.driver_licences"),
        (&WHOLE_PASSPORT[..], "additional_details", "passport_incomplete", "identity.passports"),
    ];
    let service = service().await;
    let mut id = 0;
    for (group, place, code, stored) in groups {
        for lacking in 0_u32..1 << group.len() {
            let is_missing = |position: usize| lacking & (1 << position) != 0;
            let kept: Vec<_> =
                group.iter().enumerate().filter(|(n, _)| !is_missing(*n)).map(|(_, part)| *part).collect();
            let missing: Vec<_> =
                group.iter().enumerate().filter(|(n, _)| is_missing(*n)).map(|(_, part)| part.0).collect();
            id += 1;
            let sent = match place {
                "prospect.address" => json!({ "prospect": { "address": parts(&kept) } }),
                _ => json!({ "additional_details": parts(&kept) }),
            };
            let own = json!({ "id": id, "prospect": { "email": format!("p{id}@example.com") } });
            let before = service.count(stored).await;
            let answer = service.lead(&with(enquiry(own), sent)).await;
            assert_eq!(answer.body["person"], "created");
            let is_whole = missing.is_empty();
            assert_eq!(service.count(stored).await - before, i64::from(is_whole), "{code} {missing:?}");
            if is_whole || kept.is_empty() {
                assert!(answer.codes().is_empty(), "{code} {missing:?}: {answer:?}");
            } else {
                let message = format!("not stored with the person: missing {}", missing.join(", "));
                assert_eq!(messages(&answer, code), [message]);
                assert_eq!(answer.codes(), [code]);
                assert_eq!(answer.body["findings"][0]["path"], place);
            }
        }
    }
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_missing_also_where_it_is_the_only_one() {
    for (changes, code, missing) in [
        (
            json!({ "prospect": { "address": { "country": "Atlantis" } } }),
            "address_incomplete",
            "street, city, state, postcode, country",
        ),
        (
            json!({ "additional_details": { "license_expiry": "31/02/2030" } }),
            "licence_incomplete",
            "license_number, license_expiry, license_dob",
        ),
        (
            json!({ "additional_details": { "passport_country": "Atlantis" } }),
            "passport_incomplete",
            "passport_number, passport_country, passport_expiry, passport_dob",
        ),
    ] {
        let service = service().await;
        let answer = service.lead(&enquiry(changes)).await;
        assert_eq!(messages(&answer, code), [format!("not stored with the person: missing {missing}")]);
    }
}

#[tokio::test]
async fn an_incomplete_address_stays_on_the_lead() {
    let service = service().await;
    let address = json!({ "street": "1 High St", "state": "Queensland", "state_long": "Queensland", "postcode": 4118 });
    service.lead(&enquiry(json!({ "prospect": { "address": address } }))).await;
    let kept = service.row("select contact_address from leads").await;
    let as_sent =
        json!({ "street": "1 High St", "state": "Queensland", "state_long": "Queensland", "postcode": "4118" });
    assert_eq!(kept["contact_address"], as_sent);
    assert_eq!(
        person(&service, "address_street, address_postcode").await,
        json!({
            "address_street": null, "address_postcode": null,
        })
    );
}

#[tokio::test]
async fn states_countries_and_phones_are_stored_in_one_form() {
    let service = service().await;
    for (id, state, country, stored_state, stored_country) in [
        (1, "Queensland", "Australia", "QLD", "AU"),
        (2, "qld", "au", "QLD", "AU"),
        (3, "New South Wales", "AUS", "NSW", "AU"),
        (4, "Kent", "uk", "Kent", "GB"),
        (5, "Ontario", "ca", "Ontario", "CA"),
        (6, "California", "United States", "California", "US"),
    ] {
        let address = with(parts(&WHOLE_ADDRESS), json!({ "state": state, "country": country }));
        let email = format!("p{id}@example.com");
        let answer =
            service.lead(&enquiry(json!({ "id": id, "prospect": { "email": email, "address": address } }))).await;
        assert!(answer.codes().is_empty(), "{answer:?}");
        let row =
            service.row(&format!("select address_state, address_country from persons where email = '{email}'")).await;
        assert_eq!(row, json!({ "address_state": stored_state, "address_country": stored_country }));
    }
    for (id, sent, stored, codes) in [
        (11, json!("0412 123 123"), "+61412123123", vec![]),
        (12, json!("(02) 6280 4440"), "+61262804440", vec![]),
        (13, json!("+44 20 7946 0018"), "+442079460018", vec![]),
        (14, json!("041000000"), "041000000", vec!["phone_invalid"]),
    ] {
        let email = format!("p{id}@example.com");
        let prospect = json!({ "email": email, "mobile_phone": sent });
        let answer = service.lead(&enquiry(json!({ "id": id, "prospect": prospect }))).await;
        assert_eq!(answer.codes(), codes);
        let row = service.row(&format!("select mobile_phone from persons where email = '{email}'")).await;
        assert_eq!(row["mobile_phone"], stored);
    }
}

#[tokio::test]
async fn marketing_opt_in_comes_from_the_prospect_alone_and_false_is_a_word() {
    let service = service().await;
    let details = json!({ "additional_details": { "marketing_opt_in": "true" } });
    service.lead(&enquiry(details)).await;
    assert_eq!(service.value("marketing_opt_in", "persons").await, Value::Null);
    for (id, sent, stored) in [(2, json!("true"), true), (3, json!(false), false), (4, json!("1"), true)] {
        let at = format!("2025-10-{id:02}T00:00:00Z");
        let prospect = json!({ "opt_in_to_marketing": sent });
        service.lead(&enquiry(json!({ "id": id, "created": at, "updated_at": at, "prospect": prospect }))).await;
        assert_eq!(service.value("marketing_opt_in", "persons").await, stored);
    }
}

/// A lead whose identity documents have values that stand nowhere else.
fn documented() -> Value {
    enquiry(json!({
        "prospect": { "dob": "01/04/2000" },
        "additional_details": {
            "license_number": 1_231_231_231, "license_card_number": "CARD987654", "license_state": "NSW",
            "license_expiry": "11/10/2029", "license_dob": "12/10/1980", "license_front": "https://x.test/front.jpg",
            "Licence_Class": "CLASS-C-4711", "drivers_license_number": "DL-551199", "driverLicence": { "no": "DL-551200" },
            "passport_number": "PB12345678", "passport_country": "uk", "passport_expiry": "13/10/2030",
            "passport_dob": "14/10/1981", "hasPassport": "PASS-IMAGE-1",
            "documents": [{ "front": { "passport_scan": "SCAN-0815" } }],
            "identification_type": "drivers-license", "range": 10_405_608,
        },
    }))
}

const SECRETS: [&str; 15] = [
    "1231231231",
    "CARD987654",
    "11/10/2029",
    "2029-10-11",
    "12/10/1980",
    "1980-10-12",
    "front.jpg",
    "4711",
    "PB12345678",
    "13/10/2030",
    "2030-10-13",
    "1981-10-14",
    "DL-5511",
    "DL-551200",
    "SCAN-0815",
];

#[tokio::test]
async fn identity_documents_are_in_their_own_schema_and_nowhere_in_public() {
    let service = service().await;
    service.lead(&documented()).await;
    service.lead(&with(documented(), json!({ "id": 2, "prospect": { "email": "nobody" } }))).await;

    let licence = service.row("select * from identity.driver_licences").await;
    let expected = json!({
        "number": "1231231231", "card_number": "CARD987654", "state": "NSW", "expires_on": "2029-10-11",
        "date_of_birth": "1980-10-12",
    });
    assert_holds(&licence, expected);
    let passport = service.row("select * from identity.passports").await;
    let expected = json!({
        "number": "PB12345678", "country": "GB", "expires_on": "2030-10-13", "date_of_birth": "1981-10-14",
    });
    assert_holds(&passport, expected);
    let documents = service.rows("select documents->>'license_number' as n from identity.lead_documents").await;
    assert_eq!(documents, vec![json!({ "n": "1231231231" }); 2]);
    let details = service.rows("select additional_details from leads").await;
    let rest = json!({ "additional_details": { "identification_type": "drivers-license", "range": 10_405_608 } });
    assert_eq!(details, vec![rest; 2]);

    let mut tables = tables(&service.database.pool, "'public'").await;
    assert!(tables.len() > 15);
    // Findings and drift hold none either.
    tables.extend(["intake.drift", "(select findings from intake.deliveries)"].map(str::to_owned));
    for table in tables {
        let rows = service.rows(&format!("select t::text as row from {table} t")).await;
        for (row, secret) in rows.iter().flat_map(|row| SECRETS.map(|secret| (row, secret))) {
            assert!(!row["row"].as_str().unwrap().contains(secret), "{table}: {secret} in {row}");
        }
    }
}

#[tokio::test]
async fn a_role_that_may_read_the_business_tables_cannot_read_identity_documents() {
    let service = service().await;
    service.lead(&documented()).await;
    let role = format!("reader_of_{}", service.database.name);
    service
        .database
        .execute(&format!("create role {role}; grant select on all tables in schema public to {role}"))
        .await;
    let mut reader = sqlx::PgConnection::connect_with(&service.database.options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set role {role}"))).execute(&mut reader).await.unwrap();
    let row = sqlx::query("select count(*) from persons").fetch_one(&mut reader).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
    for table in ["driver_licences", "passports", "lead_documents"] {
        let query = format!("select * from identity.{table}");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(query)).execute(&mut reader).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{table}");
    }
    reader.close().await.unwrap();
    service.database.execute(&format!("drop owned by {role}; drop role {role}")).await;
}
