//! The same vehicle again, as in a daily full feed: what was read before is not read again, and comes to the same.

use serde_json::{Value, json};

use crate::support::service::CONFIG;
use crate::support::{TestService, car, service};

/// The location's phone number, which depends on the workspace's region.
async fn phone(service: &TestService) -> Value {
    service.row("select phone from locations where name = 'Yard'").await["phone"].clone()
}

/// A vehicle at a location that has a phone number.
fn at_the_yard() -> Value {
    let mut payload = car(1).vin(1).location("Yard", "Street 1").body().clone();
    payload["Seller"]["Contact"] = json!({ "Phone": "020 7946 0958" });
    payload
}

#[tokio::test]
async fn what_was_found_in_a_body_is_found_in_it_each_time() {
    let service = service().await;
    let payload = car(1).vin(1).with("Type", json!("Spaceship")).with("Undocumented", json!(1)).body().clone();
    let first = service.vehicle(&payload).await;
    assert_eq!((first.body["outcome"].as_str(), first.codes()), (Some("applied"), vec!["value_unlisted"]));
    for _ in 0..3 {
        let again = service.vehicle(&payload).await;
        assert_eq!(again.body["findings"], first.body["findings"]);
        let record = service.record(&again).await;
        assert_eq!((&record["outcome"], &record["dealership_id"]), (&json!("unchanged"), &json!(356)));
        assert_eq!(record["findings"], service.record(&first).await["findings"]);
    }
    service.intake().finish().await;
    let seen = service.row("select path, times_seen from intake.drift").await;
    assert_eq!(seen, json!({ "path": "Undocumented", "times_seen": 4 }));
}

#[tokio::test]
async fn a_body_that_was_overtaken_since_it_was_read_is_heard_by_the_rules() {
    let service = service().await;
    let first = car(1).vin(1).number("N1").at(0).price(100).body().clone();
    let changed = car(1).vin(1).number("N1").at(1).price(200).body().clone();
    let withdrawn = car(1).vin(1).number("N1").at(2).withdrawn().body().clone();
    for payload in [&first, &changed] {
        assert_eq!(service.vehicle(payload).await.body["outcome"], "applied");
    }
    assert_eq!(service.vehicle(&first).await.codes(), ["older_than_known"]);
    assert_eq!(service.vehicle(&changed).await.codes(), Vec::<&str>::new());
    service.vehicle(&withdrawn).await;
    assert_eq!(service.vehicle(&changed).await.body["outcome"], "unchanged");
    let row = service.row("select status, price_egc from listings").await;
    assert_eq!(row, json!({ "status": "withdrawn", "price_egc": 200 }));
}

#[tokio::test]
async fn a_repetition_beside_news_of_the_same_stock_number_leaves_the_same_rows() {
    let service = service().await;
    let old = car(1).vin(1).number("N1").at(0).body().clone();
    let new = car(2).vin(2).number("N1").at(1).body().clone();
    service.vehicle(&old).await;
    let again = futures_util::future::join_all([&old, &new, &old].map(|payload| service.vehicle(payload))).await;
    assert!(again.iter().all(|answer| answer.status == 200));
    let rows = service.rows("select identifier, status from listings order by identifier").await;
    assert_eq!(
        rows,
        [json!({ "identifier": "1", "status": "archived" }), json!({ "identifier": "2", "status": "for_sale" })]
    );
    assert_eq!(service.vehicle(&old).await.codes(), ["stock_number_reused"]);
}

#[tokio::test]
async fn a_body_is_read_anew_once_its_workspace_has_another_region() {
    let service = service().await;
    assert_eq!(service.vehicle(&at_the_yard()).await.codes(), ["phone_invalid"]);
    assert_eq!(phone(&service).await, "020 7946 0958");
    service.reload(&CONFIG.replace("name = \"Alpha\"", "name = \"Alpha\"\nphone_region = \"GB\"")).await;
    assert_eq!(service.vehicle(&at_the_yard()).await.codes(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_body_that_was_read_for_one_workspace_opens_no_other() {
    let only_beta = "[[credentials]]\nname = \"beta\"\nscheme = \"bearer\"\nfeeds = \"all\"\nworkspaces = [\"beta\"]\nsecret_env = \"BETA\"\n";
    let service = crate::support::service_with(&format!("{CONFIG}\n{only_beta}")).await;
    let payload = car(1).vin(1).body().clone();
    service.vehicle(&payload).await;
    let request = axum::http::Request::post("/webhooks/dealer-studio/inventory")
        .header("authorization", "Bearer the-token-of-beta");
    let answer = service.send(request.body(payload.to_string().into()).unwrap()).await;
    assert_eq!((answer.body["outcome"].as_str(), answer.codes()), (Some("rejected"), vec!["dealership_unknown"]));
}
