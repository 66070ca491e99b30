//! Appointments: a payload's list is the whole list of its cluster, whenever it arrives.

use serde_json::{Value, json};

use crate::support::db_snapshot::{Delivery, db_snapshot, in_any_order};
use crate::support::payloads::{enquiry, with};
use crate::support::service::CONFIG;
use crate::support::{TestService, assert_holds, fixture, service, service_with};

/// A lead of October with a list of appointments by id, in the cluster 7 unless changed.
fn list(lead: i64, day: i64, ids: &[i64]) -> Value {
    let appointments: Vec<Value> =
        ids.iter().map(|id| json!({ "id": id, "status": "pending", "starts_at": "2025-11-01 10:00:00" })).collect();
    enquiry(json!({
        "id": lead, "updated_at": format!("2025-10-{day:02}T00:00:00Z"), "lead_cluster_id": 7,
        "appointments": appointments,
    }))
}

/// The appointments that stand, as `id@cluster/lead`, and those that are removed, as `-id`.
async fn standing(service: &TestService) -> Vec<String> {
    let query =
        "select case when removed_at is null then format('%s@%s/%s', a.external_id, c.external_id, l.external_id)
            else '-' || a.external_id end
        from appointments a left join leads l on l.id = a.lead_id
        left join lead_clusters c on c.id = a.lead_cluster_id order by a.external_id";
    sqlx::query_scalar(query).fetch_all(&service.database.pool).await.unwrap()
}

#[tokio::test]
async fn the_documented_appointments_have_their_columns() {
    let config = CONFIG.replace("[356, 357]", "[3]");
    let service = service_with(&config).await;
    service.lead(&fixture("dealer_studio/lead/lead_page_example.json")).await;
    let first = json!({
        "external_id": "9041", "lead": "138559", "cluster": "289", "starts_at": "2025-09-18T02:00:00+00:00",
        "starts_at_local": "2025-09-18 12:00:00", "length_minutes": 30, "status": "pending", "ai_generated": false,
        "user_id": "88", "note": "Customer requested SUV demo", "sender_location_id": "12",
        "car_for_test_drive": "2018 Subaru Forester Sport", "removed": false,
    });
    let second = json!({
        "external_id": "9042", "lead": "138559", "cluster": "289", "starts_at": "2025-09-20T03:30:00+00:00",
        "starts_at_local": "2025-09-20 13:30:00", "length_minutes": 45, "status": "completed", "ai_generated": true,
        "user_id": "88", "note": null, "sender_location_id": null,
        "car_for_test_drive": "Toyota Corolla Ascent 2022 (generic car)", "removed": false,
    });
    assert_eq!(db_snapshot(&service, "alpha").await["appointments"], [first, second]);
    assert_eq!(service.value("has_test_drives", "leads").await, true);
}

#[tokio::test]
async fn v1_and_v2_carry_no_list_and_remove_nothing() {
    let service = service().await;
    service.lead(&list(1, 1, &[5])).await;
    for (day, changes) in [
        (2, json!({ "appointments": null })),
        (3, json!({ "appointments": "none" })),
        (4, json!({ "appointments": {} })),
    ] {
        let mut payload = list(1, day, &[]);
        payload = with(payload, changes);
        payload["comments"] = format!("day {day}").into();
        assert_eq!(service.lead(&payload).await.outcome(), "applied");
        assert_eq!(standing(&service).await, ["5@7/1"]);
    }
    let versions = service.rows("select schema_version from intake.deliveries order by received_at").await;
    let versions: Vec<&str> = versions.iter().map(|row| row["schema_version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["v3", "v1", "v1", "v1"]);
}

#[tokio::test]
async fn an_empty_list_is_v3_and_removes_what_there_was_and_a_newer_list_brings_it_back() {
    let service = service().await;
    service.lead(&list(1, 1, &[5, 6])).await;
    let answer = service.lead(&list(1, 2, &[])).await;
    assert_eq!(answer.outcome(), "applied");
    assert_eq!(standing(&service).await, ["-5", "-6"]);
    let removed = service
        .row(
            "select bool_and(a.removed_at = d.received_at) as at_its_arrival from appointments a,
            (select max(received_at) as received_at from intake.deliveries) d",
        )
        .await;
    assert_eq!(removed["at_its_arrival"], true);
    service.lead(&list(1, 3, &[6])).await;
    assert_eq!(standing(&service).await, ["-5", "6@7/1"]);
}

#[tokio::test]
async fn an_older_list_changes_nothing_even_after_an_empty_one_that_came_first() {
    let service = service().await;
    service.lead(&list(1, 3, &[])).await;
    service.lead(&list(1, 2, &[5])).await;
    assert_eq!(standing(&service).await, ["-5"]);
    service.lead(&list(1, 4, &[6])).await;
    let late = service.lead(&list(1, 1, &[5, 6])).await;
    late.expect("unchanged", &["older_than_known"]);
    assert_eq!(standing(&service).await, ["-5", "6@7/1"]);
}

#[tokio::test]
async fn lists_of_one_cluster_leave_the_same_in_any_order() {
    let changed = |mut payload: Value, status: &str| {
        payload["appointments"][0]["status"] = status.into();
        Delivery::Lead(payload)
    };
    let db_snapshot = in_any_order(&[
        changed(list(1, 1, &[5, 6]), "pending"),
        changed(list(2, 2, &[5]), "completed"),
        Delivery::Lead(list(1, 3, &[])),
        changed(list(2, 4, &[6]), "cancelled"),
    ])
    .await;
    let told: Vec<_> = db_snapshot["appointments"]
        .iter()
        .map(|row| (row["external_id"].clone(), row["status"].clone(), row["lead"].clone(), row["removed"].clone()))
        .collect();
    assert!(told.contains(&(json!("5"), json!("completed"), json!("2"), json!(true))), "{told:?}");
    assert!(told.contains(&(json!("6"), json!("cancelled"), json!("2"), json!(false))), "{told:?}");
}

#[tokio::test]
async fn two_leads_of_one_cluster_share_its_list() {
    let service = service().await;
    service.lead(&list(1, 1, &[5])).await;
    service.lead(&list(2, 2, &[5, 6])).await;
    assert_eq!(standing(&service).await, ["5@7/2", "6@7/2"]);
    service.lead(&list(1, 3, &[6])).await;
    assert_eq!(standing(&service).await, ["-5", "6@7/1"]);
    // The clusters of others have lists of their own.
    service.lead(&with(list(3, 4, &[]), json!({ "lead_cluster_id": 8 }))).await;
    service.lead(&with(list(4, 4, &[]), json!({ "lead_cluster_id": null }))).await;
    assert_eq!(standing(&service).await, ["-5", "6@7/1"]);
}

#[tokio::test]
async fn without_a_cluster_the_list_is_the_leads_own() {
    let service = service().await;
    let own = |lead: i64, day: i64, ids: &[i64]| with(list(lead, day, ids), json!({ "lead_cluster_id": null }));
    service.lead(&own(1, 1, &[5, 6])).await;
    service.lead(&own(2, 2, &[9])).await;
    assert_eq!(standing(&service).await, ["5@/1", "6@/1", "9@/2"]);
    service.lead(&own(1, 3, &[6])).await;
    assert_eq!(standing(&service).await, ["-5", "6@/1", "9@/2"]);
}

#[tokio::test]
async fn an_appointment_belongs_to_the_cluster_whose_list_held_it_last_in_any_order() {
    let in_cluster =
        |cluster: i64, payload: Value| Delivery::Lead(with(payload, json!({ "lead_cluster_id": cluster })));
    let db_snapshot = in_any_order(&[
        in_cluster(7, list(1, 1, &[5, 6])),
        in_cluster(8, list(2, 2, &[5])),
        in_cluster(7, list(1, 3, &[6])),
    ])
    .await;
    let told: Vec<_> = db_snapshot["appointments"]
        .iter()
        .map(|row| (row["external_id"].clone(), row["cluster"].clone(), row["removed"].clone()))
        .collect();
    assert!(told.contains(&(json!("5"), json!("8"), json!(false))), "{told:?}");
    assert!(told.contains(&(json!("6"), json!("7"), json!(false))), "{told:?}");
    let gone = in_any_order(&[
        in_cluster(7, list(1, 1, &[5])),
        in_cluster(8, list(2, 2, &[5])),
        in_cluster(8, list(2, 3, &[])),
    ])
    .await;
    assert_holds(&gone["appointments"][0], json!({ "cluster": "8", "removed": true }));
}

#[tokio::test]
async fn a_list_sent_again_after_part_of_it_moved_on_writes_nothing() {
    let service = service().await;
    let first = list(1, 1, &[5, 6]);
    service.lead(&first).await;
    service.lead(&with(list(2, 2, &[5]), json!({ "lead_cluster_id": 8 }))).await;
    let all = "select xmin::text, a.* from appointments a order by external_id";
    let before = service.rows(all).await;
    let again = service.lead(&first).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(service.rows(all).await, before);
    assert_eq!(standing(&service).await, ["5@8/2", "6@7/1"]);
}

#[tokio::test]
async fn of_two_lists_of_one_time_the_later_arrival_counts() {
    let service = service().await;
    service.lead(&list(1, 1, &[5, 6])).await;
    service.lead(&list(1, 1, &[6])).await;
    assert_eq!(standing(&service).await, ["-5", "6@7/1"]);
    assert_eq!(service.lead(&list(1, 1, &[6])).await.outcome(), "unchanged");
}

#[tokio::test]
async fn times_are_those_of_the_dealership_before_the_workspaces() {
    let config = CONFIG.replace("[356, 357]", "[356, { id = 357, timezone = \"Australia/Perth\" }]");
    let service = service_with(&config).await;
    for (id, dealership, local, moment) in [
        (1, 356, "2025-12-01 12:00:00", Some("2025-12-01T01:00:00+00:00")),
        (2, 357, "2025-12-01 12:00:00", Some("2025-12-01T04:00:00+00:00")),
        // Skipped in Sydney, read as 03:30.
        (3, 356, "2025-10-05 02:30:00", Some("2025-10-04T16:30:00+00:00")),
        // Shown twice in Sydney, the first counts.
        (4, 356, "2026-04-05 02:30:00", Some("2026-04-04T15:30:00+00:00")),
        (5, 357, "2025-10-05 02:30:00", Some("2025-10-04T18:30:00+00:00")),
        (6, 356, "tomorrow", None),
    ] {
        let appointment = json!({ "id": id, "starts_at": local });
        let payload = json!({ "id": id, "dealership": { "id": dealership }, "appointments": [appointment] });
        let answer = service.lead(&enquiry(payload)).await;
        assert_eq!(answer.codes(), if moment.is_none() { vec!["date_invalid"] } else { vec![] }, "{id}");
        let expected = json!({ "starts_at": moment, "starts_at_local": local });
        service.expect_row(&format!("appointments where external_id = '{id}'"), expected).await;
    }
}

#[tokio::test]
async fn without_a_zone_in_the_configuration_it_is_brisbane() {
    let config = CONFIG.replace("timezone = \"Australia/Sydney\"\n", "");
    let service = service_with(&config).await;
    service.lead(&list(1, 1, &[5])).await;
    let row = service.row("select starts_at from appointments").await;
    assert_eq!(row["starts_at"], "2025-11-01T00:00:00+00:00");
}

#[tokio::test]
async fn whether_there_are_test_drives_is_stored_as_sent() {
    let service = service().await;
    for (id, sent, stored) in [
        (1, json!(true), json!(true)),
        (2, json!(false), json!(false)),
        (3, json!("true"), json!(true)),
        (4, Value::Null, Value::Null),
    ] {
        // No appointment has anything to do with it.
        service.lead(&with(list(id, 1, &[]), json!({ "has_test_drives": sent }))).await;
        let row = service.row(&format!("select has_test_drives from leads where external_id = '{id}'")).await;
        assert_eq!(row["has_test_drives"], stored);
    }
}

#[tokio::test]
async fn an_appointment_without_a_usable_id_is_left_out_and_named_and_the_rest_are_stored() {
    let service = service().await;
    let mut payload = list(1, 1, &[5, 6]);
    payload["appointments"][0]["id"] = Value::Null;
    let answer = service.lead(&payload).await;
    assert_eq!(answer.codes(), ["id_missing"]);
    assert_eq!(answer.body["findings"][0]["path"], "appointments[0].id");
    assert_eq!(standing(&service).await, ["6@7/1"]);
}

#[tokio::test]
async fn of_an_appointment_listed_twice_the_last_counts() {
    let service = service().await;
    let mut payload = list(1, 1, &[5, 5]);
    payload["appointments"][1]["status"] = "completed".into();
    service.lead(&payload).await;
    assert_eq!(service.value("status", "appointments").await, "completed");
}
