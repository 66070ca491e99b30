//! Who may enter, what for, and what those learn who may not.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{
    Answer, CONFIG, INVENTORY, LEADS, OTHER_TOKEN, TestService, a_lead, assert_holds, credential, fixture,
    service_with, workspaces,
};

const PASSWORD: &str = "pass:word-of-the-tests";

async fn post(service: &TestService, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn every_scheme_lets_a_delivery_in_by_every_header_it_may_use() {
    let config = [
        workspaces(),
        &credential("token", "bearer", "[\"lead\"]", "\"all\"", "secret_env = \"TOKEN\"\n"),
        &credential("key", "api_key", "[\"lead\"]", "\"all\"", "secret_env = \"OTHER_TOKEN\"\n"),
        &credential("pair", "basic", "[\"lead\"]", "\"all\"", "user = \"dealer\"\nsecret_env = \"PASSWORD\"\n"),
        &credential("anyone", "open", "[\"inventory\"]", "\"all\"", ""),
    ];
    let service = service_with(&config.concat()).await;
    let pair = format!("Basic {}", STANDARD.encode(format!("dealer:{PASSWORD}")));
    let bearer = format!("Bearer {}", crate::support::TOKEN);
    for (name, header) in [
        ("token", ("Authorization", bearer.as_str())),
        ("key", ("X-API-KEY", OTHER_TOKEN)),
        ("key", ("X_API_KEY", OTHER_TOKEN)),
        ("key", ("X-Authorization", OTHER_TOKEN)),
        ("pair", ("Authorization", &pair)),
    ] {
        let answer = post(&service, LEADS, &[header], &a_lead(7)).await;
        assert_eq!(answer.status, 200, "{header:?}");
        assert_eq!(service.record(&answer).await["credential"], name);
    }
    let car = fixture("dealer_studio/inventory/in_stock.json");
    let answer = post(&service, INVENTORY, &[], &car).await;
    assert_eq!((answer.status.as_u16(), &answer.body["listing"]), (200, &json!("created")));
    assert_eq!(service.record(&answer).await["credential"], "anyone");
}

#[tokio::test]
async fn a_bad_credential_is_refused_and_leaves_no_row() {
    let config = [
        CONFIG,
        &credential("stock", "bearer", "[\"inventory\"]", "\"all\"", "secret_env = \"OTHER_TOKEN\"\n"),
        &credential("pair", "basic", "[\"lead\"]", "\"all\"", "user = \"dealer\"\nsecret_env = \"PASSWORD\"\n"),
    ];
    let service = service_with(&config.concat()).await;
    let before = service.dump().await;
    let wrong_pair = format!("Basic {}", STANDARD.encode("dealer:pass"));
    let right_of_other_feed = format!("Bearer {OTHER_TOKEN}");
    for headers in [
        vec![],
        vec![("authorization", "Bearer wrong")],
        vec![("authorization", crate::support::TOKEN)],
        vec![("x-api-key", crate::support::TOKEN)],
        vec![("authorization", wrong_pair.as_str())],
        vec![("authorization", right_of_other_feed.as_str())],
    ] {
        for body in [a_lead(7).into(), a_lead(7).dealership(999).into(), Value::Null] {
            let answer = post(&service, LEADS, &headers, &body).await;
            assert_eq!(answer.status, 401, "{headers:?}");
            assert_eq!(answer.body, json!({"error": "unauthorized"}), "{headers:?}");
        }
    }
    assert_eq!(post(&service, INVENTORY, &[("authorization", &right_of_other_feed)], &json!({})).await.status, 200);
    assert_eq!(service.count("intake.deliveries").await, 1);
    assert_eq!(service.dump().await, before);
}

/// What a sender sees of an answer, without the id.
fn seen(answer: &Answer) -> Value {
    let mut seen = answer.body.clone();
    let id = seen.as_object_mut().unwrap().remove("delivery_id");
    assert!(id.is_some_and(|id| id.is_string()), "{answer:?}");
    seen
}

#[tokio::test]
async fn a_dealership_of_somebody_else_looks_like_one_that_nobody_has() {
    let only_beta = credential("beta", "bearer", "\"all\"", "[\"beta\"]", "secret_env = \"TOKEN\"\n");
    let service = service_with(&format!("{}{only_beta}", workspaces())).await;
    let before = service.dump().await;

    let theirs = service.lead(&a_lead(7)).await;
    let nobodys = service.lead(&a_lead(7).dealership(999)).await;
    assert_eq!((theirs.status.as_u16(), theirs.codes()), (200, vec!["dealership_unknown"]));
    assert_eq!(seen(&theirs), seen(&nobodys));
    assert_eq!(theirs.outcome(), "rejected");

    let mut car = fixture("dealer_studio/inventory/in_stock.json");
    car["Seller"]["Identifier"] = json!(357);
    let their_car = service.vehicle(&car).await;
    car["Seller"]["Identifier"] = json!(998);
    assert_eq!(seen(&their_car), seen(&service.vehicle(&car).await));

    for (answer, code, dealership) in [
        (&theirs, "workspace_not_permitted", 356),
        (&nobodys, "dealership_unknown", 999),
        (&their_car, "workspace_not_permitted", 357),
    ] {
        let record = service.record(answer).await;
        assert_eq!(record["findings"][0]["code"], code);
        assert_eq!(record["findings"].as_array().unwrap().len(), 1);
        assert_holds(&record, json!({ "outcome": "rejected", "workspace_id": 0 }));
        assert_eq!(record["dealership_id"], dealership);
        assert_eq!(record["changes"], json!({}));
    }
    assert_eq!(service.dump().await, before);
    assert_eq!(service.lead(&a_lead(7).dealership(285)).await.body["lead"], "created");
}

#[tokio::test]
async fn a_withdrawal_without_a_dealership_goes_only_where_its_credential_may_write() {
    let only_beta = credential("beta", "bearer", "\"all\"", "[\"beta\"]", "secret_env = \"OTHER_TOKEN\"\n");
    let service = service_with(&format!("{CONFIG}{only_beta}")).await;
    let mut car = fixture("dealer_studio/inventory/in_stock.json");
    car["Seller"]["Identifier"] = json!(356);
    assert_eq!(service.vehicle(&car).await.body["listing"], "created");
    let before = service.count("listings where status = 'for_sale'").await;

    let gone =
        json!({"Identifier": car["Identifier"], "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2026-01-01T00:00:00Z"});
    let bearer = format!("Bearer {OTHER_TOKEN}");
    let answer = post(&service, INVENTORY, &[("authorization", &bearer)], &gone).await;
    assert_eq!(answer.status, 200);
    assert_eq!(service.count("listings where status = 'for_sale'").await, before);
    let alpha = service.vehicle(&gone).await;
    // Now both workspaces know the identifier, so that nobody can tell which one is meant.
    assert_eq!(alpha.codes(), ["dealership_missing"]);
}
