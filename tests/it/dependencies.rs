//! What leads wait for: `intake.lead_dependencies` holds what is missing, and nothing else.

use forecourt::intake::expiry;
use serde_json::{Value, json};

use crate::support::payloads::{VIN, car, lead};
use crate::support::service::CONFIG;
use crate::support::{TestService, service, service_with};

/// What the lead with this id of the sender waits for.
async fn pending_on(service: &TestService, lead: i64) -> Value {
    let rows = service
        .rows(&format!(
            "select kind, key from intake.lead_dependencies d join leads l on l.id = d.lead_id
            where l.external_id = '{lead}' order by kind, key"
        ))
        .await;
    rows.iter().map(|row| json!([row["kind"], row["key"]])).collect()
}

#[tokio::test]
async fn a_lead_waits_for_what_is_missing_and_no_longer_for_what_has_come() {
    let service = service().await;
    let asks = json!({
        "id": 1, "prospect": { "email": "Ann@Example.com" }, "item": { "vin": VIN, "stock_number": "S1" },
        "location": { "location_name": "Dealer Z" }, "additional_details": { "subscription_plan": "Gold" },
    });
    service.lead(&lead(asks)).await;
    let all = json!([["location", "dealer z"], ["package", "Gold"], ["stock_number", "S1"], ["vin", VIN]]);
    assert_eq!(pending_on(&service, 1).await, all);
    // With the package: the stock number is that of the VIN's car, whatever comes.
    let brings =
        json!({ "Seller": { "LocationName": "Closed" }, "SubscriptionPricing": [{ "Name": "Gold", "DailyPrice": 1 }] });
    service.vehicle(&car(brings)).await;
    // The car may come to another place, or its place may be opened.
    let rest = json!([["any_location", ""], ["location", "dealer z"], ["vin", VIN]]);
    assert_eq!(pending_on(&service, 1).await, rest);
    let service = service.restarted_with(&CONFIG.replace("[\"Dealer A\",", "[\"Dealer Z\", \"Dealer A\",")).await;
    assert_eq!((pending_on(&service, 1).await, service.count("bookings").await), (json!([]), 1));
    assert_eq!(service.count("leads where waits_for is not null").await, 0);
}

#[tokio::test]
async fn a_lead_waits_for_its_person_while_there_is_none() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({ "prospect": { "email": "ann@example.com", "dob": "31/02/2000" } }))).await;
    assert_eq!(service.count("intake.lead_dependencies where kind = 'person' and key = 'ann@example.com'").await, 1);
    service.lead(&lead(json!({ "id": 2, "prospect": { "email": "ann@example.com" } }))).await;
    assert_eq!((service.count("intake.lead_dependencies").await, service.count("bookings").await), (0, 2));
}

#[tokio::test]
async fn a_lead_waits_no_longer_once_its_days_are_over() {
    let service = service_with(&CONFIG.replace("[server]", "[server]\nbooking_retry_days = 2")).await;
    for id in 1..=3 {
        let item = json!({ "vin": null, "stock_number": format!("S{id}") });
        service.lead(&lead(json!({ "id": id, "item": item }))).await;
    }
    let old = "update leads set received_at = received_at - interval '2 days 1 minute' where external_id";
    service.database.execute(&format!("{old} <> '3'")).await;
    // Found too old when what it waits for comes.
    service.vehicle(&car(json!({ "Identification": [{ "Type": "StockNumber", "Value": "S1" }] }))).await;
    assert_eq!((pending_on(&service, 1).await, service.count("bookings").await), (json!([]), 0));
    assert_eq!(pending_on(&service, 2).await, json!([["stock_number", "S2"]]));
    // And by itself.
    expiry::pass(service.intake()).await.unwrap();
    assert_eq!(pending_on(&service, 2).await, json!([]));
    assert_eq!(pending_on(&service, 3).await, json!([["stock_number", "S3"]]));
    // A delivery that comes later does not make it wait again.
    service.lead(&lead(json!({ "id": 2, "comments": "again", "updated_at": "2025-10-03T00:00:00Z", "item": { "vin": null, "stock_number": "S2" } }))).await;
    assert_eq!(pending_on(&service, 2).await, json!([]));
}

#[tokio::test]
async fn all_that_wait_too_long_are_found_page_by_page() {
    let service = service().await;
    service.lead(&lead(json!({}))).await;
    service
        .database
        .execute(
            "insert into leads (workspace_id, id, sender, external_id, booking_state, booking_blockers, received_at,
                updated_at, clocks)
            select workspace_id, 1000000 + n, 'dealer_studio', 'many' || n, 'blocked', '{}',
                received_at - case when n % 3 > 0 then interval '31 days' else '1 day' end, now(), '{}'
            from leads, generate_series(1, 1200) n;
            insert into intake.lead_dependencies (workspace_id, kind, key, lead_id)
            select workspace_id, kind, id::text, id from leads, unnest(array['vin', 'package']) as kind
            where external_id like 'many%'",
        )
        .await;
    expiry::pass(service.intake()).await.unwrap();
    assert_eq!(service.count("intake.lead_dependencies where lead_id > 1000000").await, 800);
}
