//! The same vehicle again, as in a daily full feed: what was read before is not read again, and comes to the same.

use serde_json::{Value, json};

use crate::support::service::CONFIG;
use crate::support::{
    INVENTORY, TOKEN_OF_BETA, TestService, assert_holds, car, credential_of_beta, service, service_with,
};

/// The location's phone number, which depends on the workspace's region.
async fn phone(service: &TestService) -> Value {
    service.value("phone", "locations where name = 'Yard'").await.clone()
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
    first.expect("applied", &["value_unlisted"]);
    for _ in 0..3 {
        let again = service.vehicle(&payload).await;
        assert_eq!(again.body["findings"], first.body["findings"]);
        let record = service.record(&again).await;
        assert_holds(&record, json!({ "outcome": "unchanged", "dealership_id": 356 }));
        assert_eq!(record["findings"], service.record(&first).await["findings"]);
    }
    service.intake().finish().await;
    service.expect_row("intake.drift", json!({ "path": "Undocumented", "times_seen": 4 })).await;
}

#[tokio::test]
async fn a_body_that_was_overtaken_since_it_was_read_is_heard_by_the_rules() {
    let service = service().await;
    let first = car(1).vin(1).number("N1").at(0).price(100).body().clone();
    let changed = car(1).vin(1).number("N1").at(1).price(200).body().clone();
    let withdrawn = car(1).vin(1).number("N1").at(2).withdrawn().body().clone();
    for payload in [&first, &changed] {
        assert_eq!(service.vehicle(payload).await.outcome(), "applied");
    }
    assert_eq!(service.vehicle(&first).await.codes(), ["older_than_known"]);
    assert_eq!(service.vehicle(&changed).await.codes(), Vec::<&str>::new());
    service.vehicle(&withdrawn).await;
    assert_eq!(service.vehicle(&changed).await.outcome(), "unchanged");
    service.expect_row("listings", json!({ "status": "withdrawn", "price_egc": 200 })).await;
}

#[tokio::test]
async fn a_repetition_beside_news_of_the_same_stock_number_leaves_the_same_rows() {
    let service = service().await;
    let old = car(1).vin(1).number("N1").at(0).body().clone();
    let new = car(2).vin(2).number("N1").at(1).body().clone();
    service.vehicle(&old).await;
    let again = futures_util::future::join_all([&old, &new, &old].map(|payload| service.vehicle(payload))).await;
    assert!(again.iter().all(|answer| answer.status == 200));
    let rows = service.table("identifier, status from listings order by identifier").await;
    assert_eq!(rows, json!([["1", "archived"], ["2", "for_sale"]]));
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
    let service = service_with(&format!("{CONFIG}{}", credential_of_beta())).await;
    let payload = car(1).vin(1).body().clone();
    service.vehicle(&payload).await;
    let answer = service.post_as(TOKEN_OF_BETA, INVENTORY, payload.to_string()).await;
    answer.expect("rejected", &["dealership_unknown"]);
}
