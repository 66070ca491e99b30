//! Lead clusters: a customer's leads together, with their events; the rows are those that the lead feed fills, too.

use serde_json::{Value, json};

use crate::support::db_snapshot::{DbSnapshot, Delivery, db_snapshot, in_any_order};
use crate::support::payloads::{VIN, car, enquiry, lead, with};
use crate::support::service::CONFIG;
use crate::support::{TestService, assert_holds, counts, fixture, service, service_with};

/// The sender's time at the beginning of a day of October.
fn october(day: i64) -> String {
    format!("2025-10-{day:02}T00:00:00Z")
}

/// The cluster 7 as it was on a day of October, of which no more is known than whose it is; then the changes.
fn cluster(day: i64, changes: Value) -> Value {
    let whole = json!({
        "id": 7, "dealership_id": 356, "created": october(1), "modified": october(day),
        "contact": { "email": "ann@example.com" }, "leads": [], "lead_events": [],
    });
    with(whole, changes)
}

/// A lead inside a cluster, made on the first and last changed on a day of October; then the changes.
fn inside(id: i64, day: i64, changes: Value) -> Value {
    let whole = json!({
        "id": id, "created": october(1), "modified": october(day), "prospect": { "email": "ann@example.com" },
    });
    with(whole, changes)
}

/// A cluster's lead that asks for a booking and lacks nothing but the car.
fn asking(id: i64, changes: Value) -> Value {
    let asks = lead(json!({ "id": id, "dealership": null, "updated_at": null, "modified": october(1) }));
    with(asks, changes)
}

/// An event, last changed on a day of October; then the changes.
fn event(id: i64, day: i64, changes: Value) -> Value {
    let whole = json!({
        "id": id, "event_type": "note", "description": format!("as of {day}"), "created_at": october(1),
        "updated_at": october(day), "followup_status": "pending",
    });
    with(whole, changes)
}

/// The enquiry of the lead feed, last changed on a day of October.
fn enquired(day: i64, changes: Value) -> Delivery {
    Delivery::Lead(with(enquiry(json!({ "updated_at": october(day) })), changes))
}

/// What a column of each row of a table holds, each beside the sender's id, in the order of the ids.
fn by_id(db_snapshot: &DbSnapshot, table: &str, column: &str) -> Value {
    let rows = db_snapshot[table].iter().map(|row| (row["external_id"].as_str().unwrap(), &row[column]));
    json!(rows.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect::<Vec<_>>())
}

/// The row of a sender's id.
fn of_id<'a>(db_snapshot: &'a DbSnapshot, table: &str, id: &str) -> &'a Value {
    db_snapshot[table].iter().find(|row| row["external_id"] == id).unwrap()
}

#[tokio::test]
async fn the_pages_example_fills_the_cluster_and_its_event_column_by_column() {
    let service = service_with(&CONFIG.replace("[356, 357]", "[356, 357, 121]")).await;
    let answer = service.cluster(&fixture("dealer_studio/lead_cluster/page_example.json")).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    let expected = json!({
        "external_id": "112233", "person": "john.doe@hotmail.com", "provider": "Dealer Studio",
        "status": "New", "contact_business_name": null, "contact_first_name": "John", "contact_last_name": "Doe",
        "contact_email": "john.doe@hotmail.com", "contact_phone": "+61411111111", "contact_postcode": "4567",
        "contact_date_of_birth": null, "approver_id": "12", "approver_name": "Approver", "salesperson_id": "112",
        "salesperson_name": "Salesperson", "pipeline_id": "123", "pipeline_name": "Sales",
        "first_lead_created_at": "2025-03-13T12:21:08+00:00", "last_lead_created_at": "2025-03-13T12:21:08+00:00",
        "source_created_at": "2025-03-13T12:08:32.458+00:00", "source_modified_at": "2025-03-13T12:22:11.904+00:00",
    });
    let rows = db_snapshot(&service, "alpha").await;
    assert_eq!(rows["lead_clusters"].len(), 1);
    assert_holds(&rows["lead_clusters"][0], expected);
    assert_eq!(service.value("dealership_id", "lead_clusters").await, 121);
    let expected = json!({
        "external_id": "6", "cluster": "112233", "lead": null, "event_type": "sms",
        "description": "Tried calling, but didnt answer!", "external_service": "Impel", "followup_status": "completed",
        "followup_reason": null, "followup_at": null, "followup_completed_at": "2024-06-04T03:06:20.343+00:00",
        "user_name": "John Don", "source_created_at": "2024-06-04T01:06:20.343+00:00",
        "source_modified_at": "2024-06-04T01:06:20.343+00:00", "deleted_at": null,
    });
    assert_eq!(rows["lead_events"], [expected]);
    let lead = &rows["leads"][0];
    let expected = json!({
        "external_id": "1041902", "cluster": "112233", "person": null, "contact_first_name": "SMS",
        "contact_phone": "+61414632323", "requested_at": "2025-03-13T01:00:00+00:00",
    });
    assert_holds(lead, expected);
    assert_eq!((&lead["item"]["interior_colour"], &lead["location"]["postcode"]), (&json!("Red"), &json!("4009")));
    assert_eq!(answer.body["person"], counts(1, 0, 0));
    assert_eq!(answer.body["lead"], counts(1, 0, 0));
    assert_eq!(answer.paths("email_missing"), ["leads[0].prospect.email"]);
}

#[tokio::test]
async fn a_reply_counts_each_kind_and_places_its_findings_in_the_list() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let email = |email: &str| json!({ "prospect": { "email": email } });
    let said = json!({
        "contact": { "email": "cat@example.com" },
        "leads": [
            asking(1, json!({})),
            asking(2, json!({ "item": { "vin": "JTDBR32E729999999" } })),
            inside(3, 1, email("bea@example.com")),
            asking(4, email("ann at home")),
            inside(5, 1, json!({ "prospect": { "email": null } })),
        ],
        "lead_events": [event(5, 1, json!({})), event(6, 1, json!({ "id": null }))],
    });
    let first = service.cluster(&cluster(1, said.clone())).await;
    let mut reply = first.body.clone();
    for field in ["delivery_id", "findings", "findings_total"] {
        reply.as_object_mut().unwrap().remove(field);
    }
    let expected = json!({
        "outcome": "applied", "lead_cluster": "created",
        // Cat, Ann and Bea; Ann again.
        "person": { "created": 3, "updated": 0, "unchanged": 1 },
        "lead": { "created": 5, "updated": 0, "unchanged": 0 },
        "lead_event": { "created": 1, "updated": 0, "unchanged": 0 },
        "booking": { "created": 1, "updated": 0, "unchanged": 0, "blocked": 2 },
    });
    assert_eq!(reply, expected);
    assert_eq!(first.paths("asset_not_found"), ["leads[1].item.vin"]);
    assert_eq!(first.paths("email_invalid"), ["leads[3].prospect.email"]);
    assert_eq!(first.paths("email_missing"), ["leads[4].prospect.email"]);
    assert_eq!(first.paths("id_missing"), ["lead_events[1].id"]);
    let findings = first.body["findings"].clone();
    assert_eq!(service.record(&first).await["findings"], findings);
    assert!(!findings.to_string().contains("example.com") && !findings.to_string().contains("ann at home"));

    // What changed is counted apart from what did not.
    let leads = json!([
        asking(1, json!({})),
        inside(3, 2, json!({ "prospect": { "email": "bea@example.com", "title": "Ms" } })),
        inside(6, 2, json!({})),
    ]);
    let events = json!([event(5, 2, json!({})), event(7, 1, json!({}))]);
    let second = service.cluster(&cluster(2, json!({ "status": "Lost", "leads": leads, "lead_events": events }))).await;
    assert_eq!(second.body["lead_cluster"], "updated");
    assert_eq!(second.body["person"], counts(0, 1, 3));
    assert_eq!(second.body["lead"], counts(1, 1, 1));
    assert_eq!(second.body["lead_event"], counts(1, 1, 0));
    assert_eq!(second.body["booking"], counts(0, 0, 1));
}

#[tokio::test]
async fn a_reply_about_a_cluster_alone_names_nothing_else() {
    let service = service().await;
    let answer = service.cluster(&cluster(1, json!({ "contact": null, "leads": null, "lead_events": null }))).await;
    answer.expect_parts(json!({ "outcome": "applied", "lead_cluster": "created" }));
    for kind in ["person", "lead", "lead_event", "booking", "listing"] {
        assert!(answer.body.get(kind).is_none(), "{kind}: {answer:?}");
    }
}

#[tokio::test]
async fn a_reply_holds_a_hundred_findings_and_the_record_holds_all() {
    let service = service().await;
    let leads: Vec<Value> = (1..=120).map(|id| inside(id, 1, json!({ "prospect": { "email": "x" } }))).collect();
    let answer = service.cluster(&cluster(1, json!({ "leads": leads }))).await;
    assert_eq!(answer.codes().len(), 100);
    assert_eq!(answer.body["findings_total"], 120, "{:?}", answer.body.as_object().unwrap().keys());
    assert_eq!(service.record(&answer).await["findings"].as_array().unwrap().len(), 120);
}

#[tokio::test]
async fn a_lead_told_by_both_feeds_is_one_row_of_the_newest_values_in_any_order() {
    let prospect = json!({ "email": "ann@example.com", "name": "Annie", "last_name": "Bell" });
    let told = json!({
        "comments": "by the cluster", "website_url": "https://a.example", "prospect": prospect,
        "trade_in_data": { "make": "Mazda", "kms": 9 },
    });
    let db_snapshot = in_any_order(&[
        enquired(
            1,
            json!({ "comments": "by the lead feed", "utm_campaign": "spring", "prospect": { "first_name": "A" } }),
        ),
        Delivery::Cluster(cluster(2, json!({ "leads": [inside(1, 2, told)] }))),
        enquired(3, json!({ "lost_reason": "Price", "trade_in_data": { "make": "Subaru" } })),
    ])
    .await;
    assert_eq!((db_snapshot["leads"].len(), db_snapshot["persons"].len(), db_snapshot["trade_ins"].len()), (1, 1, 1));
    let lead = &db_snapshot["leads"][0];
    assert_holds(
        lead,
        json!({
        "comments": "by the cluster",
        "website_url": "https://a.example",
        "utm_campaign": "spring",
        "lost_reason": "Price",
        "contact_first_name": "Annie",
        "contact_last_name": "Bell",
        "source_modified_at": "2025-10-03T00:00:00+00:00",
        "cluster": "7",
        "person": "ann@example.com",
        }),
    );
    assert_holds(&db_snapshot["trade_ins"][0], json!({ "make": "Subaru", "kilometres": 9 }));
}

#[tokio::test]
async fn at_equal_times_the_lead_feed_wins_over_the_cluster_in_any_order() {
    let told = json!({
        "comments": "by the cluster", "website_url": "https://a.example",
        "prospect": { "name": "Annie", "last_name": "Bell", "mobile_phone": "0400 000 002" },
    });
    let contact = json!({ "first_name": "Anna", "last_name": "Cole", "business_name": "Ann Pty Ltd" });
    let db_snapshot = in_any_order(&[
        enquired(1, json!({ "comments": "by the lead feed", "prospect": { "first_name": "Ann" } })),
        Delivery::Cluster(cluster(
            1,
            json!({ "contact": contact, "last_lead_created_at": october(1), "leads": [inside(1, 1, told)] }),
        )),
    ])
    .await;
    let (lead, person) = (&db_snapshot["leads"][0], &db_snapshot["persons"][0]);
    let expected = json!({
        "comments": "by the lead feed", "contact_first_name": "Ann",
        "website_url": "https://a.example", "contact_last_name": "Bell",
    });
    assert_holds(lead, expected);
    // The lead feed over the cluster's lead over its contact, each where those before say nothing.
    assert_holds(person, json!({ "first_name": "Ann", "last_name": "Bell", "business_name": "Ann Pty Ltd" }));
}

#[tokio::test]
async fn a_lead_moves_to_the_cluster_that_held_it_last_and_absence_unties_nothing_in_any_order() {
    let in_cluster =
        |id: i64, day: i64, leads: Value| Delivery::Cluster(cluster(day, json!({ "id": id, "leads": leads })));
    // The lead itself did not change while it moved.
    let db_snapshot = in_any_order(&[
        in_cluster(7, 1, json!([inside(1, 1, json!({})), inside(2, 1, json!({}))])),
        in_cluster(8, 2, json!([inside(1, 1, json!({}))])),
        in_cluster(7, 3, json!([])),
        in_cluster(8, 4, json!([])),
    ])
    .await;
    assert_eq!(by_id(&db_snapshot, "leads", "cluster"), json!([["1", "8"], ["2", "7"]]));
    assert_eq!(db_snapshot["lead_clusters"].len(), 2);
}

#[tokio::test]
async fn the_lead_feed_and_the_cluster_feed_move_a_lead_by_one_clock_in_any_order() {
    for (last, expected) in [(5, "8"), (3, "9")] {
        let db_snapshot = in_any_order(&[
            Delivery::Cluster(cluster(2, json!({ "leads": [inside(1, 9, json!({}))] }))),
            enquired(4, json!({ "lead_cluster_id": 9 })),
            Delivery::Cluster(cluster(last, json!({ "id": 8, "leads": [inside(1, 1, json!({}))] }))),
            enquired(6, json!({ "comments": "names none" })),
        ])
        .await;
        assert_eq!(by_id(&db_snapshot, "leads", "cluster"), json!([["1", expected]]));
        // The cluster that only a lead has named is a row with its id.
        let named = of_id(&db_snapshot, "lead_clusters", "9");
        assert!(
            named.as_object().unwrap().iter().all(|(column, value)| column == "external_id" || value.is_null()),
            "{named}"
        );
    }
}

#[tokio::test]
async fn a_clusters_lead_that_changes_its_address_follows_the_newer_one_in_any_order() {
    let of = |day: i64, email: &str| {
        let prospect = json!({ "prospect": { "email": email } });
        Delivery::Cluster(cluster(day, json!({ "contact": { "email": email }, "leads": [inside(1, day, prospect)] })))
    };
    let db_snapshot =
        in_any_order(&[of(1, "ann@example.com"), of(2, "Bea@Example.com"), enquired(1, json!({ "id": 2 }))]).await;
    assert_eq!(db_snapshot["persons"].len(), 2);
    let contacts = by_id(&db_snapshot, "leads", "contact_email");
    assert_eq!(contacts, json!([["1", "Bea@Example.com"], ["2", "ann@example.com"]]));
    assert_eq!(by_id(&db_snapshot, "leads", "person"), json!([["1", "bea@example.com"], ["2", "ann@example.com"]]));
    let cluster = &db_snapshot["lead_clusters"][0];
    assert_holds(cluster, json!({ "contact_email": "Bea@Example.com", "person": "bea@example.com" }));
}

#[tokio::test]
async fn two_clusters_of_one_address_share_their_person_in_any_order() {
    let of = |id: i64, changes: Value| {
        let said = json!({ "id": id, "leads": [inside(id, 1, json!({}))], "last_lead_created_at": october(id) });
        Delivery::Cluster(cluster(1, with(said, json!({ "contact": changes }))))
    };
    let db_snapshot = in_any_order(&[
        of(7, json!({ "first_name": "Ann", "last_name": "Bell", "mobile_phone": "0400 000 001" })),
        of(8, json!({ "email": " ANN@example.com", "first_name": "Anna", "mobile_phone": "0400 000 002" })),
    ])
    .await;
    assert_eq!(db_snapshot["persons"].len(), 1);
    let person = &db_snapshot["persons"][0];
    assert_holds(person, json!({ "first_name": "Anna", "last_name": "Bell", "mobile_phone": "+61400000002" }));
    // Each cluster keeps the contact that it was sent.
    let phones = by_id(&db_snapshot, "lead_clusters", "contact_phone");
    assert_eq!(phones, json!([["7", "+61400000001"], ["8", "+61400000002"]]));
    assert!(db_snapshot["lead_clusters"].iter().all(|row| row["person"] == "ann@example.com"));
}

#[tokio::test]
async fn a_contact_with_a_phone_and_no_address_makes_no_person_and_the_cluster_has_the_phone() {
    for email in [Value::Null, json!(" "), json!("ann at home")] {
        let service = service().await;
        let contact = json!({ "first_name": "Ann", "mobile_phone": "0411 111 111" });
        let mut payload = cluster(1, json!({ "contact": contact, "leads": [] }));
        payload["contact"]["email"] = email.clone();
        let answer = service.cluster(&payload).await;
        answer.expect_parts(json!({ "outcome": "applied", "lead_cluster": "created" }));
        assert!(answer.body.get("person").is_none(), "{answer:?}");
        let code = if email == "ann at home" { "email_invalid" } else { "email_missing" };
        assert_eq!(answer.paths(code), ["contact.email"]);
        assert_eq!(service.count("persons").await, 0);
        let expected = json!({ "person_id": null, "contact_first_name": "Ann", "contact_phone": "+61411111111" });
        service.expect_row("lead_clusters", expected).await;
    }
}

#[tokio::test]
async fn a_cluster_gets_the_person_that_another_delivery_brings_in_any_order() {
    // The contact alone makes no person: its date of birth is none.
    let contact = json!({ "email": "Cat@example.com", "dob": "31/02/1980" });
    for brings in [
        enquired(2, json!({ "prospect": { "email": "cat@EXAMPLE.com" } })),
        Delivery::Cluster(cluster(1, json!({ "id": 8, "contact": { "email": "cat@example.com" } }))),
        Delivery::Cluster(cluster(
            1,
            json!({ "id": 8, "leads": [inside(1, 1, json!({ "prospect": { "email": "cat@example.com" } }))] }),
        )),
    ] {
        let waits = Delivery::Cluster(cluster(1, json!({ "contact": contact })));
        let db_snapshot = in_any_order(&[waits, brings.clone()]).await;
        assert_eq!(of_id(&db_snapshot, "lead_clusters", "7")["person"], "cat@example.com", "{brings:?}");
    }
    // In one delivery, too.
    let own = inside(1, 1, json!({ "prospect": { "email": "cat@example.com" } }));
    let db_snapshot =
        in_any_order(&[Delivery::Cluster(cluster(1, json!({ "contact": contact, "leads": [own] })))]).await;
    assert_eq!(db_snapshot["lead_clusters"][0]["person"], "cat@example.com");
}

#[tokio::test]
async fn the_newest_cluster_stays_whole_in_any_order() {
    let salesperson = json!({ "assigned_salesperson": { "id": 1, "name": "Sam" }, "status": "Contacted" });
    let db_snapshot = in_any_order(&[
        Delivery::Cluster(cluster(1, with(salesperson, json!({ "pipeline": { "id": 3, "name": "Sales" } })))),
        Delivery::Cluster(cluster(2, json!({ "status": "Called twice", "approver": { "id": 2, "name": "Alex" } }))),
        Delivery::Cluster(cluster(1, json!({ "id": 8, "status": "New" }))),
    ])
    .await;
    let row = of_id(&db_snapshot, "lead_clusters", "7");
    // What the newer one does not say is no longer so.
    let expected = json!({
        "status": "Called twice", "approver_name": "Alex", "salesperson_name": null, "pipeline_name": null,
        "source_modified_at": "2025-10-02T00:00:00+00:00",
    });
    assert_holds(row, expected);
}

#[tokio::test]
async fn an_older_cluster_changes_nothing_and_says_so() {
    let service = service().await;
    let said = |words: &str, day: i64| {
        json!({
            "status": words, "leads": [inside(1, day, json!({ "comments": words }))],
            "lead_events": [event(5, day, json!({ "description": words }))],
        })
    };
    service.cluster(&cluster(3, said("new", 3))).await;
    // Beside that the lead was in this cluster earlier, too, which its history keeps.
    let before = service.content().await;
    let older = service.cluster(&cluster(2, said("old", 2))).await;
    older.expect_parts(json!({ "outcome": "unchanged", "lead_cluster": "unchanged" }));
    assert_eq!(older.body["lead"], counts(0, 0, 1));
    assert_eq!(older.body["lead_event"], counts(0, 0, 1));
    assert_eq!(service.content().await, before);
    assert_eq!(older.codes(), ["older_than_known", "older_than_known"]);
    assert_eq!(older.body["findings"][1]["path"], "leads[0]");

    // What it knows beside the row is still heard.
    let brings = json!({ "leads": [inside(2, 2, json!({}))], "lead_events": [event(6, 2, json!({}))] });
    let brings = service.cluster(&cluster(2, brings)).await;
    brings.expect_parts(json!({ "outcome": "applied", "lead_cluster": "unchanged" }));
    assert_eq!((service.count("leads").await, service.count("lead_events").await), (2, 2));
    assert_eq!(service.value("status", "lead_clusters").await, "new");
}

#[tokio::test]
async fn a_contact_counts_as_given_with_the_last_lead_in_any_order() {
    let phone = |number: i64| format!("0400 000 {number:03}");
    let created = |id: i64, day: i64, number: i64| {
        let prospect = json!({ "mobile_phone": phone(number), "title": format!("of {id}") });
        enquired(9, json!({ "id": id, "created": october(day), "prospect": prospect }))
    };
    let contact = |last: i64, modified: i64, number: i64| {
        let contact = json!({ "mobile_phone": phone(number), "business_name": format!("as of {modified}") });
        Delivery::Cluster(cluster(modified, json!({ "last_lead_created_at": october(last), "contact": contact })))
    };
    for (deliveries, newest) in [
        // The contact is newer than a lead made before, however late that was changed.
        (vec![created(1, 1, 1), contact(2, 3, 2)], "+61400000002"),
        // A lead made later is newer, however late the cluster was changed.
        (vec![created(1, 3, 1), contact(2, 12, 2)], "+61400000001"),
        // Made at the same time, the modification decides.
        (vec![created(1, 2, 1), contact(2, 12, 2)], "+61400000002"),
        (vec![created(1, 2, 1), contact(2, 8, 2)], "+61400000001"),
        // And with that the same, too, the lead.
        (vec![created(1, 2, 1), contact(2, 9, 2)], "+61400000001"),
        (vec![contact(2, 3, 2), contact(2, 4, 3), created(1, 1, 1)], "+61400000003"),
    ] {
        let db_snapshot = in_any_order(&deliveries).await;
        let person = &db_snapshot["persons"][0];
        assert_eq!(person["mobile_phone"], newest, "{deliveries:?}");
        assert_eq!(person["title"], "of 1");
        assert!(person["business_name"].is_string());
    }
}

#[tokio::test]
async fn an_event_is_as_its_newest_word_has_it_whole_in_any_order() {
    let says = |day: i64, event: Value| Delivery::Cluster(cluster(day, json!({ "lead_events": [event] })));
    let follow = json!({ "followup_reason": "Asked", "followup_datetime": october(8), "user_name": "Sam" });
    let db_snapshot = in_any_order(&[
        says(1, event(5, 1, follow)),
        says(2, event(5, 3, json!({ "followup_status": "completed", "followup_completed_at": october(3) }))),
        // A newer cluster repeats an older word on the event.
        says(4, event(5, 2, json!({ "event_type": "phone", "external_service": "Impel" }))),
        says(5, event(6, 2, json!({}))),
    ])
    .await;
    assert_eq!(db_snapshot["lead_events"].len(), 2);
    let row = of_id(&db_snapshot, "lead_events", "5");
    let expected = json!({
        "external_id": "5", "cluster": "7", "lead": null, "event_type": "note", "description": "as of 3",
        "external_service": null, "user_name": null, "followup_status": "completed", "followup_reason": null,
        "followup_at": null, "followup_completed_at": "2025-10-03T00:00:00+00:00",
        "source_created_at": "2025-10-01T00:00:00+00:00", "source_modified_at": "2025-10-03T00:00:00+00:00",
        "deleted_at": null,
    });
    assert_eq!(*row, expected);
}

#[tokio::test]
async fn a_deleted_event_is_marked_and_one_that_is_no_longer_listed_is_not_in_any_order() {
    let says = |day: i64, events: Value| Delivery::Cluster(cluster(day, json!({ "lead_events": events })));
    let deleted = |day: i64| json!({ "deleted_at": october(day) });
    let db_snapshot = in_any_order(&[
        says(1, json!([event(4, 1, json!({})), event(5, 1, json!({})), event(6, 1, deleted(1))])),
        says(2, json!([event(5, 2, deleted(2))])),
        // Taken back.
        says(3, json!([event(6, 3, json!({}))])),
    ])
    .await;
    let marks = by_id(&db_snapshot, "lead_events", "deleted_at");
    assert_eq!(marks, json!([["4", null], ["5", "2025-10-02T00:00:00+00:00"], ["6", null]]));
}

#[tokio::test]
async fn an_event_without_a_usable_id_is_not_stored_and_the_others_are() {
    let service = service().await;
    let events = json!([
        event(5, 1, json!({ "id": null })),
        event(5, 1, json!({ "id": "" })),
        event(5, 1, json!({ "id": [1] })),
        event(5, 1, json!({ "id": null, "Id": 9 })),
        event(5, 1, json!({ "id": "5" })),
        event(6, 1, json!({ "event_type": "carrier pigeon" })),
    ]);
    let payload = cluster(1, json!({ "lead_events": events }));
    let first = service.cluster(&payload).await;
    assert_eq!(first.body["lead_event"], counts(3, 0, 0));
    assert_eq!(first.paths("id_missing"), ["lead_events[0].id", "lead_events[1].id", "lead_events[2].id"]);
    assert_eq!(first.paths("value_unlisted"), ["lead_events[5].event_type"]);
    let kept = service.table("external_id, event_type from lead_events order by external_id").await;
    assert_eq!(kept, json!([["5", "note"], ["6", "carrier pigeon"], ["9", "note"]]));
    let again = service.cluster(&payload).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(again.body["lead_event"], counts(0, 0, 3));
}

#[tokio::test]
async fn an_event_told_by_both_feeds_belongs_to_its_lead_and_its_cluster_in_any_order() {
    for days in [(1, 2), (2, 1), (2, 2)] {
        let (of_lead, of_cluster) = days;
        let db_snapshot = in_any_order(&[
            enquired(of_lead, json!({ "lead_events": [event(5, of_lead, json!({}))] })),
            Delivery::Cluster(cluster(of_cluster, json!({ "lead_events": [event(5, of_cluster, json!({}))] }))),
        ])
        .await;
        assert_eq!(db_snapshot["lead_events"].len(), 1, "{days:?}");
        let row = &db_snapshot["lead_events"][0];
        assert_eq!((&row["lead"], &row["cluster"]), (&json!("1"), &json!("7")), "{days:?}");
        assert_eq!(row["description"], "as of 2", "{days:?}");
    }
}

#[tokio::test]
async fn an_event_follows_the_cluster_that_listed_it_last_in_any_order() {
    let says =
        |id: i64, day: i64, events: Value| Delivery::Cluster(cluster(day, json!({ "id": id, "lead_events": events })));
    let same = event(5, 1, json!({}));
    let db_snapshot = in_any_order(&[
        says(7, 1, json!([same])),
        says(8, 2, json!([same])),
        says(7, 3, json!([])),
        says(8, 4, json!([])),
    ])
    .await;
    assert_eq!(db_snapshot["lead_events"].len(), 1);
    assert_eq!(db_snapshot["lead_events"][0]["cluster"], "8");
}

/// What is booked, by the lead's id.
async fn booked(service: &TestService) -> Vec<Value> {
    service
        .rows(
            "select e.external_id as lead, p.email, l.vin, o.name as location, k.name as package, b.status
            from bookings b join leads e on e.id = b.lead_id join persons p on p.id = b.person_id
            join listings l on l.id = b.listing_id join locations o on o.id = b.location_id
            join packages k on k.id = b.package_id order by 1",
        )
        .await
}

#[tokio::test]
async fn a_clusters_lead_is_booked_as_one_of_the_lead_feed_is() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let expected = booked(&service).await;
    assert_eq!(expected.len(), 1);
    let answer = service.cluster(&cluster(1, json!({ "leads": [asking(2, json!({}))] }))).await;
    assert_eq!(answer.body["booking"], counts(1, 0, 0));
    let row = |id: &str| with(expected[0].clone(), json!({ "lead": id }));
    assert_eq!(booked(&service).await, [row("1"), row("2")]);
    // A location that the page calls by no name: the listing's own serves.
    let nameless = asking(3, json!({ "location": { "location_name": null, "city": "Eagle Farm" } }));
    service.cluster(&cluster(2, json!({ "leads": [nameless] }))).await;
    assert_eq!(booked(&service).await, [row("1"), row("2"), row("3")]);
}

#[tokio::test]
async fn a_clusters_lead_is_blocked_for_the_reasons_of_the_lead_feed() {
    for changes in [
        json!({ "prospect": { "email": null } }),
        json!({ "prospect": { "email": "ann at home" } }),
        json!({ "prospect": { "dob": "31/02/1980" } }),
        json!({ "item": { "vin": null } }),
        json!({ "item": { "vin": null, "stock_number": "S9" } }),
        json!({ "location": { "location_name": "Nowhere" } }),
        json!({ "additional_details": { "subscription_plan": null } }),
        json!({ "additional_details": { "subscription_plan": "Gold" } }),
        json!({ "category": "General Enquiry", "additional_details": { "subscription_plan": null } }),
    ] {
        let state = "select booking_state, booking_blockers, person_id is null as nobody from leads";
        let by_feed = service().await;
        let told = by_feed.lead(&lead(changes.clone())).await;
        let by_cluster = service().await;
        let asks = asking(1, changes.clone());
        let payload = cluster(1, json!({ "contact": { "email": "cat@example.com" }, "leads": [asks] }));
        let answer = by_cluster.cluster(&payload).await;
        assert_eq!(by_cluster.row(state).await, by_feed.row(state).await, "{changes}");
        let placed: Vec<_> =
            told.findings().into_iter().map(|(code, path)| (code, format!("leads[0].{path}"))).collect();
        let found: Vec<_> = answer.findings().into_iter().map(|(code, path)| (code, path.to_owned())).collect();
        assert_eq!(found, placed, "{changes}");
    }
}

#[tokio::test]
async fn a_clusters_blocked_lead_is_booked_when_its_car_is_listed_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Cluster(cluster(1, json!({ "leads": [asking(1, json!({})), asking(2, json!({}))] }))),
        Delivery::Vehicle(car(json!({}))),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"].len(), 2);
    assert!(db_snapshot["leads"].iter().all(|lead| lead["booking_state"] == "created"));
    assert!(db_snapshot["bookings"].iter().all(|booking| booking["vin"] == VIN));
}

#[tokio::test]
async fn the_newsletter_stays_on_the_lead_and_is_no_consent_to_marketing() {
    for newsletter in [json!(true), json!(false), json!("yes"), Value::Null] {
        let service = service().await;
        let own = inside(1, 1, json!({ "subscription": { "newsletter": newsletter } }));
        service.cluster(&cluster(1, json!({ "leads": [own] }))).await;
        let kept = service.row("select contact_newsletter, contact_marketing_opt_in from leads").await;
        let expected = if newsletter == "yes" { json!(true) } else { newsletter };
        assert_eq!(kept, json!({ "contact_newsletter": expected, "contact_marketing_opt_in": null }));
        assert_eq!(service.value("marketing_opt_in", "persons").await, Value::Null);
        // What the customer said elsewhere is not touched.
        service.lead(&enquiry(json!({ "id": 2, "prospect": { "opt_in_to_marketing": false } }))).await;
        let own = inside(1, 5, json!({ "created": october(5), "subscription": { "newsletter": true } }));
        service.cluster(&cluster(5, json!({ "leads": [own] }))).await;
        assert_eq!(service.value("marketing_opt_in", "persons").await, false);
    }
}

#[tokio::test]
async fn licence_fields_of_a_clusters_prospect_are_kept_apart_with_and_without_a_person() {
    for email in [json!("ann@example.com"), Value::Null] {
        let service = service().await;
        let mut own = inside(
            1,
            1,
            json!({ "prospect": { "licence_type": "Provisional", "driver_licence_number": 987_654_321 } }),
        );
        own["prospect"]["email"] = email.clone();
        own["additional_details"] = json!({ "passport_number": "PB7654321", "more": "details" });
        service.cluster(&cluster(1, json!({ "contact": null, "leads": [own] }))).await;
        let documents = service.row("select documents from identity.lead_documents").await;
        let expected = json!({
            "licence_type": "Provisional", "driver_licence_number": "987654321", "passport_number": "PB7654321",
        });
        assert_eq!(documents["documents"], expected);
        let details = service.row("select additional_details from leads").await;
        assert_eq!(details["additional_details"], json!({ "more": "details" }));
        for secret in ["987654321", "Provisional", "PB7654321"] {
            let holders: Vec<String> = service.dump().await.into_iter().filter(|row| row.contains(secret)).collect();
            assert_eq!(holders.len(), 1, "{secret}: {holders:?}");
            assert!(holders[0].starts_with("identity.lead_documents "), "{holders:?}");
        }
        // A number without an expiry and a date of birth is no licence of the person.
        assert_eq!(service.count("identity.driver_licences").await, 0);
    }
}

/// A cluster of the tests' workspace `alpha` with so many leads and events, each of some length.
fn large(leads: i64, events: i64) -> Value {
    let leads: Vec<Value> = (1..=leads)
        .map(|id| {
            let prospect = json!({ "name": format!("Name {id}"), "email": format!("person{}@example.com", id % 400) });
            let item = json!({ "vin": format!("JTDBR32E7200{id:05}"), "make": "Toyota" });
            asking(id, json!({ "comments": "words ".repeat(50), "prospect": prospect, "item": item }))
        })
        .collect();
    let events: Vec<Value> = (1..=events)
        .map(|id| event(id, 1, json!({ "description": format!("{id} {}", "words ".repeat(20)), "user_name": "Sam" })))
        .collect();
    cluster(1, json!({ "leads": leads, "lead_events": events }))
}

#[tokio::test]
async fn a_very_large_cluster_is_applied_whole_while_other_workspaces_are_answered() {
    let service = service().await;
    let payload = large(1_000, 10_000);
    assert!(payload.to_string().len() < 16 << 20);
    let others = async {
        let mut answers = Vec::new();
        for id in 0..20 {
            let of_beta = enquiry(json!({ "id": id, "dealership": { "id": 285 } }));
            answers.push(service.lead(&of_beta).await);
        }
        answers
    };
    let (first, others) = tokio::join!(service.cluster(&payload), others);
    for answer in others {
        assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &json!("applied")), "{answer:?}");
    }
    assert_eq!(first.outcome(), "applied", "{first:?}");
    assert_eq!(first.body["lead"], counts(1_000, 0, 0));
    assert_eq!(first.body["lead_event"], counts(10_000, 0, 0));
    assert_eq!(first.body["booking"]["blocked"], 1_000);
    // The contact is one person more; each lead after the first of a customer brings another name.
    assert_eq!(first.body["person"], counts(401, 600, 0));
    for (from, rows) in [
        ("leads where lead_cluster_id is not null and person_id is not null", 1_000),
        ("lead_events where lead_cluster_id is not null", 10_000),
        ("lead_clusters where person_id is not null", 1),
        ("persons where email like 'person%'", 400),
    ] {
        assert_eq!(service.count(from).await, rows, "{from}");
    }

    let before = service.versions().await;
    let again = service.cluster(&payload).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(again.body["lead"], counts(0, 0, 1_000));
    assert_eq!(again.body["lead_event"], counts(0, 0, 10_000));
    assert!(service.versions().await == before, "the second time wrote something");
}

#[tokio::test]
async fn a_cluster_without_a_usable_id_is_not_stored_and_its_persons_leads_and_events_are() {
    for id in [Value::Null, json!(" "), json!([1]), json!(1.5), json!({ "id": 1 })] {
        let service = service().await;
        let mut payload = cluster(
            1,
            json!({
                "contact": { "email": "cat@example.com" }, "leads": [inside(1, 1, json!({}))],
                "lead_events": [event(5, 1, json!({}))],
            }),
        );
        payload["id"] = id.clone();
        let first = service.cluster(&payload).await;
        assert_eq!(first.outcome(), "applied", "{id}");
        assert!(first.body.get("lead_cluster").is_none(), "{id}");
        assert_eq!(first.paths("id_missing"), ["id"], "{id}");
        for (from, rows) in [
            ("lead_clusters", 0),
            ("persons", 2),
            ("leads where lead_cluster_id is null and person_id is not null", 1),
            ("lead_events where lead_cluster_id is null", 1),
        ] {
            assert_eq!(service.count(from).await, rows, "{id}: {from}");
        }
        assert_eq!(service.cluster(&payload).await.outcome(), "unchanged", "{id}");
    }
}

#[tokio::test]
async fn id_may_begin_with_a_capital_in_a_cluster_its_leads_and_its_events() {
    let service = service().await;
    let own = inside(1, 1, json!({ "id": null, "Id": "12" }));
    let happened = event(1, 1, json!({ "id": null, "Id": 13 }));
    let said = json!({ "id": null, "Id": 11, "leads": [own], "lead_events": [happened] });
    let answer = service.cluster(&cluster(1, said)).await;
    assert_eq!(answer.codes(), Vec::<&str>::new());
    let ids = "c.external_id, l.external_id, e.external_id from lead_clusters c
        join leads l on l.lead_cluster_id = c.id join lead_events e on e.lead_cluster_id = c.id";
    assert_eq!(service.table(ids).await, json!([["11", "12", "13"]]));
}

#[tokio::test]
async fn leads_without_usable_ids_are_not_stored_and_their_persons_are() {
    let service = service().await;
    let own = |id: Value, email: &str| {
        let mut own = asking(1, json!({ "prospect": { "email": email } }));
        own["id"] = id;
        own
    };
    let leads = json!([
        own(Value::Null, "bea@example.com"),
        own(json!(""), "cat@example.com"),
        own(json!(true), "dan@example.com"),
        own(json!(4), "eve@example.com"),
    ]);
    let payload = cluster(1, json!({ "leads": leads }));
    let answer = service.cluster(&payload).await;
    assert_eq!(answer.body["person"], counts(5, 0, 0));
    assert_eq!(answer.body["lead"], counts(1, 0, 0));
    assert_eq!(answer.body["booking"]["blocked"], 1);
    assert_eq!(answer.paths("id_missing"), ["leads[0].id", "leads[1].id", "leads[2].id"]);
    assert_eq!(service.value("external_id", "leads").await, "4");
    assert_eq!(service.cluster(&payload).await.outcome(), "unchanged");
}

#[tokio::test]
async fn wrong_types_cost_only_the_fields_that_have_them() {
    let service = service().await;
    let leads = json!([
        "a lead",
        inside(
            1,
            1,
            json!({ "comments": ["x"], "item": 5, "location": "here", "trade_in_data": [1], "budget": "much" })
        ),
        7,
        inside(2, 1, json!({ "comments": "kept", "subscription": "yes", "prospect": { "name": { "a": 1 } } })),
    ]);
    let said = json!({
        "status": { "name": "New" }, "approver": "Alex", "assigned_salesperson": { "id": [1], "name": "Sam" },
        "leads": leads, "lead_events": [event(5, 1, json!({ "description": 5.5, "deleted_at": true })), null],
    });
    let answer = service.cluster(&cluster(1, said)).await;
    assert_eq!(answer.outcome(), "applied");
    let wrong = answer.paths("field_type");
    for path in [
        "status",
        "approver",
        "assigned_salesperson.id",
        "leads[0]",
        "leads[1].comments",
        "leads[1].item",
        "leads[1].location",
        "leads[1].trade_in_data",
        "leads[1].budget",
        "leads[2]",
        "leads[3].subscription",
        "leads[3].prospect.name",
        "lead_events[0].deleted_at",
    ] {
        assert!(wrong.contains(&path), "{path}: {wrong:?}");
    }
    let expected = json!({ "status": null, "approver_name": null, "salesperson_name": "Sam" });
    service.expect_row("lead_clusters", expected).await;
    let leads = service.table("external_id, comments, person_id is not null from leads order by 1").await;
    assert_eq!(leads, json!([["1", null, true], ["2", "kept", true]]));
    assert_eq!(service.count("lead_events where deleted_at is null").await, 1);
}

#[tokio::test]
async fn lists_and_objects_of_another_kind_leave_a_cluster_of_the_rest() {
    for wrong in [json!("x"), json!(1), json!(true), json!({ "a": 1 })] {
        let service = service().await;
        let mut payload = cluster(1, json!({ "status": "New" }));
        payload["leads"] = wrong.clone();
        payload["lead_events"] = wrong.clone();
        payload["contact"] = json!([wrong]);
        let answer = service.cluster(&payload).await;
        answer.expect_parts(json!({ "outcome": "applied", "lead_cluster": "created" }));
        let mut places = answer.paths("field_type");
        places.sort_unstable();
        assert_eq!(places, ["contact", "lead_events", "leads"], "{wrong}");
        assert_eq!(service.value("status", "lead_clusters").await, "New");
    }
}

#[tokio::test]
async fn a_lead_and_an_event_that_are_listed_twice_are_one_row_each_and_nothing_new_the_second_time() {
    let service = service().await;
    let twice = |first: &str, second: &str| {
        json!({
            "leads": [inside(1, 2, json!({ "comments": first })), inside(1, 2, json!({ "comments": second }))],
            "lead_events": [event(5, 1, json!({ "description": first })), event(5, 1, json!({ "description": second }))],
        })
    };
    let payload = cluster(1, twice("first", "second"));
    service.cluster(&payload).await;
    let before = db_snapshot(&service, "alpha").await;
    assert_eq!((before["leads"].len(), before["lead_events"].len()), (1, 1));
    assert_eq!(before["leads"][0]["comments"], "second");
    assert_eq!(before["lead_events"][0]["description"], "second");
    let again = service.cluster(&payload).await;
    assert_eq!(again.outcome(), "unchanged", "{again:?}");
    assert_eq!(db_snapshot(&service, "alpha").await, before);
}

#[tokio::test]
async fn a_cluster_that_moves_nothing_but_a_clock_is_applied_and_one_that_writes_nothing_is_unchanged() {
    let service = service().await;
    let said = json!({ "leads": [inside(1, 1, json!({}))], "lead_events": [event(5, 1, json!({}))] });
    service.cluster(&cluster(1, said.clone())).await;
    service.cluster(&cluster(5, json!({}))).await;
    for part in ["leads", "lead_events"] {
        for day in [3, 4] {
            // Older than what is known of the cluster, and the newest word on what belongs to it.
            let payload = cluster(day, json!({ part: said[part] }));
            for outcome in ["applied", "unchanged"] {
                let before = service.versions().await;
                let answer = service.cluster(&payload).await;
                assert_eq!(answer.body["outcome"], outcome, "{part} {day}: {answer:?}");
                assert_eq!(service.versions().await == before, outcome == "unchanged", "{part} {day}");
            }
        }
    }
}

#[tokio::test]
async fn a_cluster_without_a_modification_counts_as_of_its_creation_in_any_order() {
    let event_of = |id: i64, day: i64, modified: Value| {
        let said = json!({ "id": id, "created": october(day), "lead_events": [event(5, 1, json!({}))] });
        let mut payload = cluster(1, with(said, json!({ "leads": [inside(1, 1, json!({}))] })));
        payload["modified"] = modified;
        Delivery::Cluster(payload)
    };
    let newer = json!(october(5));
    let db_snapshot =
        in_any_order(&[event_of(7, 1, Value::Null), event_of(8, 1, newer), event_of(9, 3, Value::Null)]).await;
    assert_eq!(db_snapshot["lead_events"][0]["cluster"], "8");
    assert_eq!(db_snapshot["leads"][0]["cluster"], "8");
}

#[tokio::test]
async fn an_event_of_a_lead_without_a_modification_belongs_to_it_as_of_its_creation_in_any_order() {
    let of = |id: i64, day: i64| {
        let said = json!({ "id": id, "created": october(day), "lead_events": [event(5, 1, json!({}))] });
        Delivery::Lead(with(enquiry(said), json!({ "updated_at": null })))
    };
    let db_snapshot = in_any_order(&[of(1, 1), of(2, 3), of(3, 2)]).await;
    assert_eq!(db_snapshot["lead_events"][0]["lead"], "2");
}

#[tokio::test]
async fn a_lead_listed_twice_as_of_two_moments_is_heard_as_of_both() {
    let service = service().await;
    let own = |day: i64, changes: Value| inside(1, day, changes);
    let leads = json!([
        own(3, json!({ "comments": "newer", "prospect": { "email": "bea@example.com" } })),
        own(2, json!({ "comments": "older", "website_url": "https://a.example" })),
    ]);
    let payload = cluster(1, json!({ "leads": leads }));
    assert_eq!(service.cluster(&payload).await.outcome(), "applied");
    let row =
        service.row("select comments, website_url, p.email from leads l join persons p on p.id = l.person_id").await;
    let expected = json!({ "comments": "newer", "website_url": "https://a.example", "email": "bea@example.com" });
    assert_eq!(row, expected);
    assert_eq!(service.cluster(&payload).await.outcome(), "unchanged");
}

#[tokio::test]
async fn without_times_of_the_sender_the_same_cluster_again_is_unchanged_and_another_replaces_it() {
    let service = service().await;
    let timeless = |words: &str| {
        let own = inside(1, 1, json!({ "created": null, "modified": null, "comments": words }));
        let happened = event(5, 1, json!({ "created_at": null, "updated_at": null, "description": words }));
        let said =
            json!({ "created": null, "modified": null, "status": words, "leads": [own], "lead_events": [happened] });
        cluster(1, said)
    };
    for words in ["first", "second", "first"] {
        assert_eq!(service.cluster(&timeless(words)).await.outcome(), "applied", "{words}");
        let before = service.versions().await;
        assert_eq!(service.cluster(&timeless(words)).await.outcome(), "unchanged", "{words}");
        assert_eq!(service.versions().await, before);
        let told =
            service.table("c.status, l.comments, e.description from lead_clusters c, leads l, lead_events e").await;
        assert_eq!(told, json!([[words, words, words]]));
    }
}

#[tokio::test]
async fn the_rows_of_a_lead_are_the_same_whether_the_feeds_meet_in_one_process_or_two() {
    let service = service().await;
    let other = service.beside(CONFIG).await;
    let (of_lead, of_cluster) = (
        enquiry(json!({ "lead_events": [event(5, 1, json!({}))] })),
        cluster(1, json!({ "leads": [inside(1, 1, json!({}))], "lead_events": [event(5, 1, json!({}))] })),
    );
    let (first, second) = tokio::join!(service.lead(&of_lead), other.cluster(&of_cluster));
    assert_eq!((&first.body["outcome"], &second.body["outcome"]), (&json!("applied"), &json!("applied")));
    for table in ["persons", "leads", "lead_clusters"] {
        assert_eq!(service.count(table).await, 1, "{table}");
    }
    assert_eq!(service.count("lead_events where lead_id is not null and lead_cluster_id is not null").await, 1);
}
