//! Leads: one row each, of every column the newest value, and what they belong to.

use serde_json::{Value, json};

use crate::support::db_snapshot::{Delivery, db_snapshot, in_any_order};
use crate::support::payloads::{enquiry, lead, with};
use crate::support::service::CONFIG;
use crate::support::{TestService, assert_holds, fixture, service, service_with};

async fn row(service: &TestService, columns: &str) -> Value {
    service.row(&format!("select {columns} from leads l where external_id = '1'")).await
}

/// The enquiry as it was on a day of October.
fn on(day: i64, changes: Value) -> Value {
    with(enquiry(json!({ "updated_at": format!("2025-10-{day:02}T00:00:00Z") })), changes)
}

#[tokio::test]
async fn of_every_column_the_newest_value_stays_in_any_order() {
    let status = |id: i64, name: &str, kind: &str| json!({ "lead_status_option": { "id": id, "name": name, "status_type": kind } });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(
            1,
            with(
                status(138, "Fresh", "new"),
                json!({
                    "comments": "first", "utm_campaign": "spring", "item": { "make": "Suzuki" },
                    "trade_in_data": { "make": "Mazda", "kms": 210_000, "offer_accepted": true },
                }),
            ),
        )),
        Delivery::Lead(on(
            2,
            with(
                status(139, "Rung", "contacted"),
                json!({
                    "comments": "second", "item": { "make": "Toyota", "model": "Yaris" }, "has_test_drives": true,
                    "trade_in_data": { "make": "Subaru", "kms": null },
                }),
            ),
        )),
        Delivery::Lead(on(
            3,
            with(
                status(140, "Gone cold", "lost"),
                json!({
                    "comments": "  ", "lost_reason": "Price", "has_test_drives": false,
                }),
            ),
        )),
    ])
    .await;
    assert_eq!(db_snapshot["leads"].len(), 1);
    let lead = &db_snapshot["leads"][0];
    let expected = json!({
        "comments": "second", "utm_campaign": "spring", "status": "Gone cold", "status_type": "lost",
        "status_option_id": "140", "lost_reason": "Price", "item_make": "Toyota", "item_model": "Yaris",
        "has_test_drives": false, "source_modified_at": "2025-10-03T00:00:00+00:00",
        "source_created_at": "2025-10-01T00:00:00+00:00", "item": { "make": "Toyota", "model": "Yaris" },
    });
    assert_holds(lead, expected);
    let car = &db_snapshot["trade_ins"][0];
    assert_holds(car, json!({ "make": "Subaru", "kilometres": 210_000, "offer_accepted": true }));
}

#[tokio::test]
async fn the_same_value_said_again_later_outlives_another_said_in_between() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(1, json!({ "comments": "same" }))),
        Delivery::Lead(on(2, json!({ "comments": "other" }))),
        Delivery::Lead(on(3, json!({ "comments": "same" }))),
    ])
    .await;
    assert_eq!(db_snapshot["leads"][0]["comments"], "same");
}

#[tokio::test]
async fn an_older_delivery_is_unchanged_and_says_so_and_one_that_adds_is_applied() {
    let service = service().await;
    service.lead(&on(3, json!({ "comments": "new" }))).await;
    let before = service.row("select * from leads").await;

    let older = service.lead(&on(2, json!({ "comments": "old" }))).await;
    older.expect("unchanged", &["older_than_known"]);
    older.expect_parts(json!({ "lead": "unchanged" }));
    assert_eq!(service.row("select * from leads").await, before);
    let record = service.record(&older).await;
    assert_eq!(record["outcome"], "unchanged");
    assert_eq!(record["findings"][0]["code"], "older_than_known");

    let adds = service.lead(&on(2, json!({ "comments": "old", "lost_reason": "Price" }))).await;
    adds.expect_parts(json!({ "outcome": "applied", "lead": "updated" }));
    assert!(adds.codes().is_empty());
    assert_eq!(row(&service, "comments, lost_reason").await, json!({ "comments": "new", "lost_reason": "Price" }));
    assert_eq!(service.value("source_modified_at", "leads where external_id = '1'").await, "2025-10-03T00:00:00+00:00");
}

#[tokio::test]
async fn an_older_delivery_still_brings_its_person_its_cluster_and_its_appointments() {
    let service = service().await;
    service.lead(&on(3, json!({ "prospect": { "email": "bea@example.com" } }))).await;
    let older = on(2, json!({ "lead_cluster_id": 7, "appointments": [{ "id": 5, "status": "pending" }] }));
    let answer = service.lead(&older).await;
    answer.expect_parts(json!({ "person": "created", "outcome": "applied" }));
    let known = db_snapshot(&service, "alpha").await;
    assert_holds(&known["leads"][0], json!({ "cluster": "7", "person": "bea@example.com" }));
    assert_holds(&known["appointments"][0], json!({ "external_id": "5", "cluster": "7", "removed": false }));
}

#[tokio::test]
async fn the_modification_orders_without_it_the_creation_and_without_both_the_arrival() {
    let service = service().await;
    for (comments, created, updated, kept) in [
        ("by creation", json!("2025-10-05T00:00:00Z"), Value::Null, "by creation"),
        ("older modification", json!("2025-10-01T00:00:00Z"), json!("2025-10-04T00:00:00Z"), "by creation"),
        ("newer modification", json!("2025-10-01T00:00:00Z"), json!("2025-10-06T00:00:00Z"), "newer modification"),
        ("by arrival", Value::Null, Value::Null, "by arrival"),
        ("before that", json!("2025-10-01T00:00:00Z"), json!("2025-10-07T00:00:00Z"), "by arrival"),
        // What lies far ahead is no time: this one arrived later.
        ("ahead", Value::Null, json!("2999-01-01T00:00:00Z"), "ahead"),
    ] {
        let said = json!({ "comments": comments, "created": created, "updated_at": updated });
        service.lead(&enquiry(said)).await;
        assert_eq!(service.value("comments", "leads where external_id = '1'").await, kept);
    }
    assert_eq!(service.value("source_modified_at", "leads where external_id = '1'").await, "2025-10-07T00:00:00+00:00");
}

#[tokio::test]
async fn equal_times_leave_what_arrived_later() {
    let service = service().await;
    for comments in ["b", "a"] {
        assert_eq!(service.lead(&on(1, json!({ "comments": comments }))).await.outcome(), "applied");
    }
    assert_eq!(service.value("comments", "leads where external_id = '1'").await, "a");
}

#[tokio::test]
async fn the_person_of_a_lead_follows_its_address_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(1, json!({ "prospect": { "email": "ANN@example.com", "first_name": "Ann" } }))),
        Delivery::Lead(on(2, json!({ "prospect": { "email": "Bea@Example.com", "first_name": "Bea" } }))),
        Delivery::Lead(on(3, json!({ "prospect": { "email": null }, "comments": "no address" }))),
    ])
    .await;
    let lead = &db_snapshot["leads"][0];
    assert_holds(lead, json!({ "contact_email": "Bea@Example.com", "person": "bea@example.com" }));
    assert_eq!(db_snapshot["persons"].len(), 2);
}

#[tokio::test]
async fn a_lead_that_turns_to_an_unusable_address_has_no_person_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(1, json!({}))),
        Delivery::Lead(on(2, json!({ "prospect": { "email": "ann at home" } }))),
    ])
    .await;
    let lead = &db_snapshot["leads"][0];
    assert_holds(lead, json!({ "contact_email": "ann at home", "person": null }));
    assert_eq!(db_snapshot["persons"].len(), 1);
}

#[tokio::test]
async fn a_lead_without_a_person_gets_the_one_that_another_lead_brings_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(1, json!({ "prospect": { "email": " Ann@example.com", "dob": "31/02/2000" } }))),
        Delivery::Lead(on(2, json!({ "id": 2, "prospect": { "dob": "01/02/2000" } }))),
        Delivery::Lead(on(3, json!({ "id": 3, "prospect": { "email": "bea@example.com", "dob": "x" } }))),
    ])
    .await;
    let persons: Vec<&Value> = db_snapshot["leads"].iter().map(|lead| &lead["person"]).collect();
    assert_eq!(persons.iter().filter(|person| **person == "ann@example.com").count(), 2);
    assert_eq!(persons.iter().filter(|person| person.is_null()).count(), 1);
}

#[tokio::test]
async fn a_lead_belongs_to_the_cluster_it_named_last_and_naming_none_unties_nothing_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(on(1, json!({ "lead_cluster_id": 7 }))),
        Delivery::Lead(on(2, json!({ "lead_cluster_id": "8" }))),
        Delivery::Lead(on(3, json!({ "lead_cluster_id": null, "comments": "none named" }))),
        Delivery::Lead(on(1, json!({ "id": 2, "lead_cluster_id": 8 }))),
    ])
    .await;
    let clusters: Vec<&Value> = db_snapshot["leads"].iter().map(|lead| &lead["cluster"]).collect();
    assert_eq!(clusters, ["8", "8"]);
    // A cluster that leads name is a row of which nothing but its id is known.
    let known: Vec<&Value> = db_snapshot["lead_clusters"].iter().map(|cluster| &cluster["external_id"]).collect();
    assert_eq!(known, ["7", "8"]);
    assert!(db_snapshot["lead_clusters"].iter().all(|cluster| {
        cluster.as_object().unwrap().iter().all(|(column, value)| column == "external_id" || value.is_null())
    }));
}

#[tokio::test]
async fn a_lead_without_a_usable_id_is_not_stored_and_the_person_and_the_rest_are() {
    for id in [Value::Null, json!(""), json!([1]), json!(1.5)] {
        let service = service().await;
        let said = json!({
            "id": id, "lead_cluster_id": 7, "appointments": [{ "id": 5, "starts_at": "2025-10-10 10:00:00" }],
            "additional_details": { "license_number": "L1", "license_expiry": "01/04/2030", "license_dob": "02/05/1980" },
        });
        let payload = with(lead(said), json!({}));
        let first = service.lead(&payload).await;
        assert_eq!(first.outcome(), "applied", "{id}");
        assert_eq!((&first.body["person"], &first.body["lead"]), (&json!("created"), &Value::Null), "{id}");
        assert!(first.codes().contains(&"id_missing"), "{id}");
        assert_eq!(first.body["booking"], Value::Null, "{id}");
        for (table, rows) in [
            ("leads", 0),
            ("bookings", 0),
            ("identity.lead_documents", 0),
            ("persons", 1),
            ("identity.driver_licences", 1),
            ("lead_clusters", 1),
            ("appointments where lead_id is null and lead_cluster_id is not null and removed_at is null", 1),
        ] {
            assert_eq!(service.count(table).await, rows, "{id}: {table}");
        }
        let again = service.lead(&payload).await;
        assert_eq!(again.outcome(), "unchanged", "{id}");
    }
}

#[tokio::test]
async fn a_delivery_without_lead_and_cluster_keeps_its_appointments_and_says_nothing_new_the_second_time() {
    let service = service().await;
    let said = json!({ "id": null, "appointments": [{ "id": 5, "starts_at": "2025-10-10 10:00:00" }] });
    assert_eq!(service.lead(&enquiry(said.clone())).await.outcome(), "applied");
    assert_eq!(service.lead(&enquiry(said)).await.outcome(), "unchanged");
    let empty = json!({ "id": null, "appointments": [] });
    assert_eq!(service.lead(&enquiry(empty)).await.outcome(), "unchanged");
    service.expect_row("appointments", json!({ "lead_id": null, "lead_cluster_id": null, "removed_at": null })).await;
}

#[tokio::test]
async fn trade_in_and_offer_have_typed_columns() {
    let service = service().await;
    service.lead(&fixture("dealer_studio/lead/trade_in_with_money_as_text.json")).await;
    let car = json!({
        "registration": "151VEV", "kilometres": 350_000, "make": "Mazda", "model": "CX-5", "badge": "Maxx",
        "series": "KE Series", "year": 2014, "state": "QLD", "title": "2014 Mazda CX-5 Maxx KE Series Manual MY14",
        "offer_price": 5529, "trade_price": 5529, "retail_price": 8506, "price_adjustment": 0, "offer_accepted": true,
    });
    service.expect_row("trade_ins", car).await;
    service.lead(&fixture("dealer_studio/lead/offer_lost_and_assigned.json")).await;
    let expected = json!({
        "offer_manufacturer": "Manufacturer ABC", "offer_name": "Offer 1234", "lost_reason": "Price",
        "lost_reason_comment": "Bought elsewhere", "salesperson_id": "112", "salesperson_name": "Salesperson",
        "salesperson_email": "sales@example.com", "status": "Gone cold", "status_type": "lost",
    });
    service.expect_row("leads where offer_name is not null", expected).await;
    // A lead that offers no car has no row for one.
    assert_eq!(service.count("trade_ins").await, 1);
}

#[tokio::test]
async fn the_wished_time_is_one_of_the_dealerships_zone_and_its_text_is_kept() {
    let config = CONFIG.replace("[356, 357]", "[356, { id = 357, timezone = \"Australia/Perth\" }]");
    let service = service_with(&config).await;
    for (id, dealership, day, time, moment) in [
        // Summer time in Sydney, none in Perth.
        (1, 356, "2025-12-13", Some("12:00PM"), Some("2025-12-13T01:00:00+00:00")),
        (2, 357, "2025-12-13", Some("12:00PM"), Some("2025-12-13T04:00:00+00:00")),
        (3, 356, "13/07/2025", Some("9:30"), Some("2025-07-12T23:30:00+00:00")),
        (4, 356, "2025-10-05", Some("02:30"), Some("2025-10-04T16:30:00+00:00")),
        (5, 356, "2026-04-05", Some("02:30"), Some("2026-04-04T15:30:00+00:00")),
        (6, 356, "2025-12-13", None, None),
        (7, 356, "2025-12-13", Some("after lunch"), None),
        (8, 356, "soon", Some("12:00PM"), None),
    ] {
        let said = json!({
            "id": id, "dealership": { "id": dealership }, "booking_date": day, "booking_time": time,
        });
        service.lead(&enquiry(said)).await;
        let kept = json!({ "booking_date": day, "booking_time": time, "requested_at": moment });
        service.expect_row(&format!("leads where external_id = '{id}'"), kept).await;
    }
}

#[tokio::test]
async fn the_wished_time_is_that_of_the_text_beside_it_in_any_order() {
    let wish = |day: i64, date: Option<&str>, time: Option<&str>| {
        Delivery::Lead(on(day, json!({ "booking_date": date, "booking_time": time })))
    };
    let db_snapshot = in_any_order(&[
        wish(1, Some("2025-12-13"), Some("12:00PM")),
        wish(2, Some("2025-12-14"), None),
        wish(3, None, Some("01:00PM")),
    ])
    .await;
    let lead = &db_snapshot["leads"][0];
    let expected = json!({
        "booking_date": "2025-12-14", "booking_time": "01:00PM", "requested_at": "2025-12-14T02:00:00+00:00",
    });
    assert_holds(lead, expected);
}

#[tokio::test]
async fn two_spellings_of_one_field_are_one() {
    let service = service().await;
    let said = |spelling: &str, id: &str, number: i64| {
        let mut lead = enquiry(json!({ "id": null, "item": { spelling: "Black" } }));
        lead[id] = number.into();
        lead
    };
    service.lead(&said("interior_color", "id", 1)).await;
    service.lead(&said("interior_colour", "Id", 2)).await;
    let rows = service.table("external_id, item from leads order by external_id").await;
    let kept = json!({ "interior_colour": "Black" });
    assert_eq!(rows, json!([["1", kept], ["2", kept]]));
    let answer = service.lead(&enquiry(json!({ "id": "2", "comments": "id as text" }))).await;
    assert_eq!(answer.body["lead"], "updated");
}

#[tokio::test]
async fn an_unlisted_value_is_kept_as_sent_and_noted() {
    let service = service().await;
    let said = json!({
        "category": "Moon Landing", "source": "Telepathy",
        "lead_status_option": { "name": "Anything a dealer likes", "status_type": "odd" },
    });
    let answer = service.lead(&enquiry(said)).await;
    assert_eq!(answer.codes(), ["value_unlisted"; 3]);
    let kept = json!({ "category": "Moon Landing", "source": "Telepathy", "status": "Anything a dealer likes",
        "status_type": "odd" });
    assert_eq!(row(&service, "category, source, status, status_type").await, kept);
}
