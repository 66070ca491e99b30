//! Odd input: whatever an authenticated sender posts is answered 200, kept byte for byte, and has one outcome.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{
    Answer, INVENTORY, LEADS, TOKEN, TestService, a_lead, assert_holds, fixture, fixture_bytes, fixtures, packed,
    service, service_with,
};

/// The limit of both feeds, in bytes.
const LIMIT: usize = 2 * 1024 * 1024;

/// Posts a body, and looks at what every delivery must have.
async fn post_kept(service: &TestService, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    let body = body.into();
    let answer = service.post(path, body.clone()).await;
    assert_kept(service, &answer, &body).await;
    answer
}

async fn assert_kept(service: &TestService, answer: &Answer, body: &[u8]) {
    let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    assert_eq!(answer.status, 200, "{start}");
    assert_eq!(service.stored_body(answer).await, body, "{start}");
    let record = service.record(answer).await;
    assert_eq!(record["outcome"], answer.outcome(), "{start}");
    assert_ne!(record["outcome"], "failed", "{start} {record}");
}

#[tokio::test]
async fn what_is_not_json_is_kept_with_the_place_where_it_stops_being_json() {
    let service = service().await;
    let deep = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    let bodies: [(&[u8], &str); 12] = [
        (b"", "line 1 column 0"),
        (b" \n", "line 2 column 0"),
        (b"not json", "line 1 column 2"),
        (b"<xml/>", "line 1 column 1"),
        (b"{\"id\": 1,\n  \"a\"}", "line 2 column 6"),
        (b"{} {}", "line 1 column 4"),
        (b"{\"id\": NaN}", "line 1 column 8"),
        (b"{\"a\": \"\xff\xfe\"}", "line 1 column"),
        (br#"{"a": "\ud83d"}"#, "line 1 column"),
        (br#"{"a": "\ude00\ud83d"}"#, "line 1 column"),
        (br#"{"a": 1e400}"#, "line 1 column"),
        (&deep(10_000), "line 1 column 128"),
    ];
    for (body, place) in bodies {
        for path in [LEADS, INVENTORY] {
            let answer = post_kept(&service, path, body).await;
            let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(answer.codes(), ["body_unreadable"], "{start}");
            assert_eq!(answer.outcome(), "rejected", "{start}");
            let message = answer.body["findings"][0]["message"].as_str().unwrap();
            assert!(message.contains(place), "{start}: {message}");
        }
    }
    let kept = service.count("intake.deliveries where workspace_id = 0 and dealership_id is null").await;
    assert_eq!(kept, 24);
    assert_eq!(service.dump().await, service_tables_of_the_configuration(&service).await);
}

/// What there is of business rows before any delivery.
async fn service_tables_of_the_configuration(service: &TestService) -> Vec<String> {
    let mut lines = service.dump().await;
    lines.retain(|line| {
        ["dealerships", "locations", "packages", "workspaces"]
            .iter()
            .any(|table| line.starts_with(&format!("public.{table} ")))
    });
    lines
}

#[tokio::test]
async fn the_page_of_loopit_as_printed_is_kept_with_line_and_column_of_its_comma() {
    let service = service().await;
    let body = fixture_bytes("dealer_studio/lead/loopit_page_example_as_printed.txt");
    let answer = post_kept(&service, LEADS, body).await;
    assert_eq!((answer.codes(), &answer.body["outcome"]), (vec!["body_unreadable"], &json!("rejected")));
    let message = answer.body["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("trailing comma at line 34 column"), "{message}");
}

#[tokio::test]
async fn json_that_is_not_an_object_is_read_as_empty() {
    let service = service().await;
    for body in ["[]", "[{\"id\": 1}]", "\"text\"", "5", "-0.0", "true", "null"] {
        for path in [LEADS, INVENTORY] {
            let answer = post_kept(&service, path, body).await;
            assert_eq!(answer.codes(), ["field_type", "dealership_missing"], "{body}");
            assert_eq!(answer.outcome(), "rejected", "{body}");
        }
    }
}

#[tokio::test]
async fn a_hundred_and_twenty_seven_levels_are_read_and_one_more_is_not() {
    let service = service().await;
    let nested = |levels: usize| {
        let mut body = a_lead(1);
        let inner = (0..levels - 3).fold(json!([]), |inner, _| json!([inner]));
        body["additional_details"] = json!({"deep": inner});
        body.to_string()
    };
    let answer = post_kept(&service, LEADS, nested(127)).await;
    assert_eq!((answer.codes(), &answer.body["lead"]), (vec![], &json!("created")));
    let depth: i64 = service
        .database
        .value("select (length(d) - length(replace(d, '[', '')))::bigint from (select additional_details::text as d from leads) l")
        .await;
    // With the body and the details these are 127.
    assert_eq!(depth, 125);
    let answer = post_kept(&service, LEADS, nested(128)).await;
    assert_eq!(answer.codes(), ["body_unreadable"]);
}

#[tokio::test]
async fn wrong_types_in_every_field_cost_those_fields_only() {
    let service = service().await;
    for (path, feed) in [(LEADS, "lead"), (INVENTORY, "inventory")] {
        for case in ["wrong_types_in_every_field", "wrong_types_in_every_object", "null_in_every_field"] {
            let mut body = fixture(&format!("dealer_studio/{feed}/{case}.json"));
            body["dealership"] = json!({"id": 356});
            body["Seller"] = json!({"Identifier": 356});
            let (identity, name) = if feed == "lead" { ("id", 77) } else { ("Identifier", 78) };
            body[identity] = json!(name);
            let answer = post_kept(&service, path, body.to_string()).await;
            let noted = answer.codes().contains(&"field_type");
            assert_eq!(noted, case != "null_in_every_field", "{feed} {case} {answer:?}");
            assert_ne!(answer.outcome(), "rejected", "{feed} {case} {answer:?}");
        }
    }
    assert_eq!((service.count("leads").await, service.count("listings").await), (1, 1));
}

#[tokio::test]
async fn every_fixture_is_kept_and_has_one_outcome() {
    let service = service().await;
    let mut posted = 0;
    for feed in forecourt::domain::feed::Feed::ALL {
        for body in fixtures(*feed) {
            post_kept(&service, feed.path(), body).await;
            posted += 1;
        }
    }
    assert_eq!(service.count("intake.deliveries").await, posted);
    assert_eq!(service.count("intake.deliveries where outcome = 'failed'").await, 0);
}

#[tokio::test]
async fn the_character_zero_is_taken_out_wherever_it_stands() {
    let service = service().await;
    let mut body = a_lead(1).comments("\0be\0fore").email("a\0da@example.com").with(json!({
        "category": "General\0 Enquiry", "prospect": { "first_name": "A\0da" },
        "item": { "vin": "JSAGJB74V0\u{0}0202326", "\0": 1, "comments": "\0" },
    }));
    body["unknown\0field"] = json!("\0");
    body["additional_details"] = json!({"a\0b": ["c\0d", {"\0": "\0"}], "license_number": "12\u{0}3"});
    let answer = post_kept(&service, LEADS, body.to_string()).await;
    assert!(answer.codes().contains(&"nul_removed"), "{answer:?}");
    assert_eq!(answer.outcome(), "applied");
    let row = service.row("select comments, category, contact_first_name, vin, additional_details from leads").await;
    assert_eq!(
        row,
        json!({
            "comments": "before", "category": "General Enquiry", "contact_first_name": "Ada",
            "vin": "JSAGJB74V00202326", "additional_details": {"ab": ["cd", {"": ""}]},
        })
    );
    assert_eq!(service.count("persons where email = 'ada@example.com'").await, 1);
    service.intake().finish().await;
    let drift = service.table("path from intake.drift order by path").await;
    assert_eq!(drift, json!([["item."], ["unknownfield"]]));

    let mut car = fixture("dealer_studio/inventory/vehicle_of_the_loopit_example.json");
    car["Specification"]["Make"] = json!("Su\0zuki");
    car["Identification"][1]["Value"] = json!("JSA\u{0}GJB74V00202326");
    car["VendorData"] = json!([{"Name": "v\0", "Data": {"k\0": "\0"}}]);
    let answer = post_kept(&service, INVENTORY, car.to_string()).await;
    assert!(answer.codes().contains(&"nul_removed"), "{answer:?}");
    assert_eq!(service.row("select make, vin from listings").await["make"], "Suzuki");
}

#[tokio::test]
async fn numbers_beyond_what_a_column_holds_are_noted_and_the_rest_is_kept() {
    let service = service().await;
    let numbers = ["9223372036854775808", "-9223372036854775809", "1e300", "18446744073709551616", "-1e-300", "1e28"];
    for number in numbers {
        let body = a_lead(1).to_string().replace(
            "\"dealership\"",
            &format!(
                "\"item\":{{\"year\":{number},\"price\":{number},\"km\":{number},\"id\":{number}}},\
                \"trade_in_data\":{{\"kms\":{number},\"year\":{number},\"offer_price\":{number}}},\
                \"additional_details\":{{\"n\":{number}}},\"lead_cluster_id\":{number},\"dealership\""
            ),
        );
        let answer = post_kept(&service, LEADS, body).await;
        assert!(answer.codes().contains(&"field_type"), "{number} {answer:?}");
        assert_ne!(answer.outcome(), "rejected", "{number}");
    }
    for id in ["9223372036854775808", "1e300", "1.5", "-1e400"] {
        let body = format!("{{\"dealership\":{{\"id\":{id}}},\"id\":1}}");
        let answer = post_kept(&service, LEADS, body).await;
        assert_eq!(answer.outcome(), "rejected", "{id} {answer:?}");
    }
}

#[tokio::test]
async fn dates_that_do_not_exist_are_noted_and_left_out() {
    let service = service().await;
    let mut body = a_lead(1);
    body["created"] = json!("2025-02-30T00:00:00Z");
    body["updated_at"] = json!("0000-01-01T00:00:00+14:00");
    body["booking_date"] = json!("31/02/2025");
    body["booking_time"] = json!("25:00");
    body["additional_details"] =
        json!({"license_expiry": "00/00/0000", "license_number": "1", "license_dob": "30/02/1980"});
    body["appointments"] = json!([
        {"id": 1, "starts_at": "2025-02-30 10:00:00"}, {"id": 2, "starts_at": "0001-01-01 00:00:00"},
        {"id": 3, "starts_at": "9999-12-31 23:59:59"}, {"id": 4, "starts_at": "9999-12-31T23:59:59-10:00"},
    ]);
    let answer = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(answer.outcome(), "applied");
    let invalid = answer.codes().iter().filter(|code| **code == "date_invalid").count();
    assert!(invalid >= 8, "{answer:?}");
    let starts = service.rows("select starts_at is null as missing from appointments order by external_id").await;
    assert_eq!(starts.iter().filter(|row| row["missing"] == true).count(), 3, "{starts:?}");
    assert_eq!(service.value("source_created_at", "leads").await, Value::Null);
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_of_repeated_keys_the_last_counts() {
    let service = service().await;
    let body = "\u{feff}{\"id\":5,\"id\":6,\"dealership\":{\"id\":999},\"dealership\":{\"id\":285,\"id\":356},\
        \"comments\":\"first\",\"comments\":\"last\",\"prospect\":{\"email\":\"a@example.com\"}}";
    let answer = post_kept(&service, LEADS, body).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    service.expect_row("leads", json!({"external_id": "6", "comments": "last", "dealership_id": 356})).await;
    let twice = post_kept(&service, LEADS, "\u{feff}\u{feff}{}").await;
    assert_eq!(twice.codes(), ["body_unreadable"]);
}

#[tokio::test]
async fn a_body_just_under_the_limit_is_applied_and_one_byte_more_is_refused() {
    let service = service().await;
    let padded = |size: usize| {
        let mut body = a_lead(1);
        let bare = body.to_string().len() + ",\"comments\":\"\"".len();
        body["comments"] = json!("x".repeat(size - bare));
        body.to_string()
    };
    let answer = post_kept(&service, LEADS, padded(LIMIT)).await;
    assert_eq!(answer.outcome(), "applied");
    let kept: i64 = service.database.value("select length(comments)::bigint from leads").await;
    assert!(kept > 2_000_000);

    let refused = service.post(LEADS, padded(LIMIT + 1)).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.body, json!({"error": "body_too_large", "limit_bytes": LIMIT}));
    assert_eq!(service.count("intake.deliveries").await, 1);
}

#[tokio::test]
async fn very_long_texts_and_very_many_unknown_fields_are_kept() {
    let service = service().await;
    let mut body = a_lead(1);
    body["comments"] = json!("é".repeat(500_000));
    body["prospect"]["first_name"] = json!("Ada".repeat(1_000));
    body["item"] = json!({"vin": "V".repeat(300), "stock_number": "S".repeat(255), "make": "m".repeat(10_000)});
    body["location"] = json!({"location_name": "L".repeat(3_000)});
    let answer = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    assert!(answer.codes().contains(&"field_type"), "{answer:?}");

    let mut body = a_lead(2);
    for number in 0..20_000 {
        body[format!("unknown {number:05}")] = json!(number);
    }
    let answer = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(answer.codes(), Vec::<&str>::new());
    assert_eq!(answer.outcome(), "applied");
    service.intake().finish().await;
    assert_eq!(service.count("intake.drift").await, 1_000);
}

/// Posts a body with a `Content-Encoding`.
async fn post_encoded(service: &TestService, encoding: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(LEADS)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-encoding", encoding)
        .body(Body::from(body));
    service.send(request.unwrap()).await
}

#[tokio::test]
async fn an_encoded_body_is_kept_undone() {
    let service = service().await;
    for (id, encoding) in [(1, "gzip"), (2, "deflate"), (3, "br"), (4, "zstd")] {
        let plain = a_lead(id).to_string().into_bytes();
        let answer = post_encoded(&service, encoding, packed(encoding, &plain).await).await;
        assert_kept(&service, &answer, &plain).await;
        assert_eq!(answer.body["lead"], "created", "{encoding}");
    }
}

#[tokio::test]
async fn an_encoding_that_cannot_be_undone_leaves_the_body_as_it_came() {
    let service = service().await;
    let plain = a_lead(1).to_string().into_bytes();
    let mut broken = packed("gzip", &plain).await;
    broken.truncate(broken.len() - 9);
    for (encoding, body) in [("gzip", broken), ("gzip", plain.clone()), ("compress", plain.clone()), ("utf-8", plain)] {
        let answer = post_encoded(&service, encoding, body.clone()).await;
        assert_kept(&service, &answer, &body).await;
        assert_eq!((answer.codes(), &answer.body["outcome"]), (vec!["body_unreadable"], &json!("rejected")));
    }
    assert_eq!(service.count("leads").await, 0);
}

#[tokio::test]
async fn a_bomb_is_refused_and_leaves_no_row() {
    let service = service().await;
    let bomb = packed("gzip", &vec![b' '; 50 * 1024 * 1024]).await;
    assert!(bomb.len() < 100_000);
    let answer = post_encoded(&service, "gzip", bomb.clone()).await;
    assert_eq!(answer.status, 413);
    let twice = packed("gzip", &bomb).await;
    assert_eq!(post_encoded(&service, "gzip, gzip", twice).await.status, 413);
    assert_eq!(service.count("intake.deliveries").await, 0);
}

#[tokio::test]
async fn five_thousand_appointments_are_written_once_and_removed_by_an_empty_list() {
    let service = service().await;
    let mut body = a_lead(1);
    body["lead_cluster_id"] = json!(9);
    body["appointments"] = (0..5_000)
        .map(|id| json!({"id": id, "starts_at": "2025-11-03 10:00:00", "status": "pending", "length_in_minutes": 30}))
        .collect();
    let first = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!((&first.body["outcome"], first.codes()), (&json!("applied"), vec![]));
    assert_eq!(service.count("appointments where removed_at is null").await, 5_000);

    let before = service.dump().await;
    let again = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(service.dump().await, before);

    body["appointments"] = json!([]);
    body["updated_at"] = json!("2025-10-03T06:10:10Z");
    let emptied = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(emptied.outcome(), "applied");
    assert_eq!(service.count("appointments where removed_at is not null").await, 5_000);
    let before = service.dump().await;
    let again = post_kept(&service, LEADS, body.to_string()).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(service.dump().await, before);
}

#[tokio::test]
async fn a_record_says_who_sent_what_when_and_what_came_of_it() {
    let service = service().await;
    let body = fixture_bytes("dealer_studio/lead/appointments_in_a_gap_and_a_repeated_hour.json");
    let mut request = Request::post(LEADS)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "text/plain; charset=utf-16")
        .body(Body::from(body.clone()))
        .unwrap();
    let address: SocketAddr = "203.0.113.7:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    let answer = service.send(request).await;
    assert_kept(&service, &answer, &body).await;
    let record = service.record(&answer).await;
    let expected = json!({
        "feed": "lead", "credential": "all", "remote_address": "203.0.113.7",
        "content_type": "text/plain; charset=utf-16", "schema_version": "v3", "dealership_id": 356,
        "outcome": "applied", "changes": {"person": "created", "lead": "created"}, "attempts": 1, "retry_at": null,
    });
    assert_holds(&record, expected);
    let id = answer.id();
    let digest: Vec<u8> =
        service.database.value(&format!("select body_sha256 from intake.deliveries where id = '{id}'")).await;
    assert_eq!(digest, Sha256::digest(&body).to_vec());
    let row = service
        .row(&format!(
            "select settled_at >= received_at as in_order,
                processing_ms > 0 and processing_ms < 60000 as took_time,
                received_at between now() - interval '1 minute' and now() as just_now,
                w.slug, substr(d.id::text, 15, 1) as version
            from intake.deliveries d join workspaces w on w.id = d.workspace_id where d.id = '{id}'"
        ))
        .await;
    assert_eq!(
        row,
        json!({
            "in_order": true, "took_time": true, "just_now": true, "slug": "alpha", "version": "7",
        })
    );

    let v1 = service.lead(&a_lead(5)).await;
    let car = service.vehicle(&fixture("dealer_studio/inventory/in_stock.json")).await;
    let (v1, car) = (service.record(&v1).await, service.record(&car).await);
    assert_eq!((&v1["schema_version"], &car["schema_version"]), (&json!("v1"), &Value::Null));
}

#[tokio::test]
async fn undocumented_fields_are_noted_once_for_each_path_with_counts() {
    let service = service().await;
    for (id, field) in [(1, "x"), (2, "x"), (3, "y")] {
        let mut body = a_lead(id);
        body[field] = json!({"not": "descended"});
        body["item"] = json!({"new": 1});
        body["appointments"] = json!([{"id": id, "extra": 1}, {"id": id + 10, "extra": 2}]);
        body["additional_details"] = json!({"anything": {"goes": 1}});
        assert_eq!(service.lead(&body).await.status, 200);
    }
    let mut car = fixture("dealer_studio/inventory/vehicle_of_the_loopit_example.json");
    car["VendorData"] = json!([{"Identifier": "v", "Data": {"anything": 1}, "Odd": 1}]);
    car["Features"] = json!({"anything": ["goes"]});
    service.vehicle(&car).await;
    service.intake().finish().await;
    let rows = service
        .rows(
            "select d.feed, d.path, d.times_seen, w.slug, first_seen_at <= last_seen_at as in_order,
                exists (select from intake.deliveries e where e.id = d.example_delivery_id) as has_example
            from intake.drift d join workspaces w on w.id = d.workspace_id order by feed desc, path",
        )
        .await;
    let row = |feed: &str, path: &str, times: i64| {
        json!({
            "feed": feed, "path": path, "times_seen": times, "slug": "alpha", "in_order": true, "has_example": true,
        })
    };
    assert_eq!(
        rows,
        [
            row("lead", "appointments[].extra", 3),
            row("lead", "item.new", 3),
            row("lead", "x", 2),
            row("lead", "y", 1),
            row("inventory", "VendorData[].Odd", 1),
        ]
    );
}

#[tokio::test]
async fn a_limit_of_the_configuration_holds() {
    let config = format!("{}\n[server.body_limits]\nlead = 1024\n", crate::support::CONFIG);
    let service = service_with(&config).await;
    let mut body = a_lead(1);
    assert_eq!(service.lead(&body).await.status, 200);
    body["comments"] = json!("x".repeat(1024));
    assert_eq!(service.lead(&body).await.status, 413);
    assert_eq!(service.post(INVENTORY, vec![b' '; 2_000]).await.status, 200);
}
