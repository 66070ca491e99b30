//! A lead that asks for a booking: what must hold for one, what is said when it does not, and when it is tried again.

use serde_json::{Value, json};

use crate::support::db_snapshot::{Delivery, in_any_order};
use crate::support::payloads::{VIN, car, enquiry, lead, names, with};
use crate::support::service::CONFIG;
use crate::support::{Answer, TestService, service, service_with};

/// One way in which a lead meets, or fails, one row of the table of what a booking needs.
#[derive(Clone)]
struct Case {
    code: Option<&'static str>,
    changes: Value,
}

fn meets(changes: Value) -> Case {
    Case { code: None, changes }
}

fn fails(code: &'static str, changes: Value) -> Case {
    Case { code: Some(code), changes }
}

const WITHOUT_PLACE: &str = "JTDBR32E720000001";
const WITHDRAWN: &str = "JTDBR32E720000002";
const ARCHIVED: &str = "JTDBR32E720000003";

fn persons() -> Vec<Case> {
    vec![
        meets(json!({})),
        fails("email_missing", json!({ "prospect": { "email": null } })),
        fails("email_missing", json!({ "prospect": { "email": "  " } })),
        fails("email_invalid", json!({ "prospect": { "email": "ann at example.com" } })),
        fails("date_invalid", json!({ "prospect": { "dob": "31/02/2000" } })),
    ]
}

fn cars() -> Vec<Case> {
    vec![
        meets(json!({})),
        fails("asset_not_given", json!({ "item": { "vin": "", "make": "Suzuki" } })),
        fails("asset_not_found", json!({ "item": { "vin": "JTDBR32E729999999" } })),
        // The lead's VIN is not known, and the car with its stock number has another.
        fails("asset_not_found", json!({ "item": { "vin": "JTDBR32E729999999", "stock_number": "S1" } })),
        fails("asset_not_found", json!({ "item": { "vin": null, "stock_number": "S9" } })),
        fails("asset_archived", json!({ "item": { "vin": WITHDRAWN } })),
        fails("asset_archived", json!({ "item": { "vin": ARCHIVED } })),
    ]
}

fn places() -> Vec<Case> {
    vec![
        meets(json!({})),
        fails("location_not_found", json!({ "location": null })),
        fails("location_not_found", json!({ "location": { "location_name": "Dealer Z" } })),
        fails("location_not_found", json!({ "location": { "location_name": "Closed" } })),
    ]
}

fn plans() -> Vec<Case> {
    let only_category = json!({ "additional_details": { "subscription_plan": null } });
    vec![
        meets(json!({})),
        fails("package_not_given", only_category),
        fails("package_not_found", json!({ "additional_details": { "subscription_plan": "Gold" } })),
        // The name must be exactly the same.
        fails("package_not_found", json!({ "additional_details": { "subscription_plan": "premium" } })),
    ]
}

/// Cars in every condition, none of them at a location.
async fn stock(service: &TestService) {
    let nowhere = json!({ "Seller": { "LocationName": null } });
    let of = |vin: &str, number: &str, identifier: i64, changes: Value| {
        let known = json!({ "Identifier": identifier, "Identification": names(Some(vin), Some(number)) });
        with(with(car(known), nowhere.clone()), changes)
    };
    let newer = json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z" });
    for car in [
        of(WITHOUT_PLACE, "S1", 1, json!({})),
        of(WITHDRAWN, "S2", 2, json!({})),
        of(WITHDRAWN, "S2", 2, with(newer.clone(), json!({ "SaleStatus": "WITHDRAWN" }))),
        of(ARCHIVED, "S3", 3, json!({})),
        of("JTDBR32E720000004", "S3", 4, newer.clone()),
    ] {
        assert_eq!(service.vehicle(&car).await.outcome(), "applied");
    }
}

/// Every way of each row with all else met, and the first way of each code with those of all other rows.
fn combinations(rows: &[Vec<Case>; 4]) -> Vec<Vec<Case>> {
    let alone = rows.iter().flatten().map(|case| vec![case.clone()]);
    let mut together = vec![Vec::new()];
    for row in rows {
        let mut ways: Vec<&Case> = Vec::new();
        for case in row {
            if !ways.iter().any(|known| known.code == case.code) {
                ways.push(case);
            }
        }
        let with_each = |cases: &Vec<Case>| ways.iter().map(|case| [&cases[..], &[(*case).clone()]].concat()).collect();
        together = together.iter().flat_map(|cases| -> Vec<Vec<Case>> { with_each(cases) }).collect();
    }
    alone.chain(together).collect()
}

#[tokio::test]
async fn every_missing_requirement_blocks_alone_and_with_the_others_and_each_is_named() {
    let service = service().await;
    stock(&service).await;
    let combinations = combinations(&[persons(), cars(), places(), plans()]);
    // Four ways of the person, of the car four, of the location two, of the plan three.
    assert!(combinations.len() > 4 * 4 * 2 * 3);
    for (id, cases) in combinations.iter().enumerate() {
        let own = json!({
            "id": id, "prospect": { "email": format!("p{id}@example.com") }, "item": { "vin": WITHOUT_PLACE },
        });
        let payload = cases.iter().fold(lead(own), |payload, case| with(payload, case.changes.clone()));
        let blockers: Vec<&str> = cases.iter().filter_map(|case| case.code).collect();
        check(&service, &payload, id, &blockers).await;
    }
    assert_eq!(service.count("leads").await, i64::try_from(combinations.len()).unwrap());
}

/// The lead is blocked by exactly these, in the row and in the reply, and has a person unless it cannot.
async fn check(service: &TestService, payload: &Value, id: usize, blockers: &[&str]) {
    let answer = service.lead(payload).await;
    let nobody = ["email_missing", "email_invalid", "date_invalid"].iter().any(|code| blockers.contains(code));
    let state = if blockers.is_empty() { "created" } else { "blocked" };
    let query = format!("booking_state, booking_blockers, person_id is null from leads where external_id = '{id}'");
    assert_eq!(service.table(&query).await, json!([[state, blockers, nobody]]), "{payload}");
    let person = if nobody { Value::Null } else { "created".into() };
    answer.expect_parts(json!({ "booking": state, "person": person, "lead": "created" }));
    let mut codes = answer.codes();
    codes.sort_by_key(|code| blockers.iter().position(|known| known == code));
    assert_eq!(codes, blockers, "{payload}");
}

/// What a booking is for.
async fn booked(service: &TestService) -> Value {
    service
        .row(
            "select p.email, coalesce(l.vin, l.stock_number) as car, l.dealership_id as at, o.name as location,
                k.name as package, b.status
            from bookings b join persons p on p.id = b.person_id join listings l on l.id = b.listing_id
            join locations o on o.id = b.location_id join packages k on k.id = b.package_id",
        )
        .await
}

fn booking_of(car: &str, location: &str, package: &str) -> Value {
    json!({ "email": "ann@example.com", "car": car, "at": 356, "location": location, "package": package,
        "status": "requested" })
}

async fn state(service: &TestService) -> (Value, Value) {
    let row = service.row("select booking_state, booking_blockers from leads where external_id = '1'").await;
    (row["booking_state"].clone(), row["booking_blockers"].clone())
}

#[tokio::test]
async fn a_vehicle_is_found_by_its_vin_whatever_its_stock_number() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let other = json!({ "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), Some("S2")) });
    service.vehicle(&car(other)).await;

    let answer = service.lead(&lead(json!({ "item": { "stock_number": "S2" } }))).await;

    assert_eq!(answer.body["booking"], "created");
    assert!(answer.codes().is_empty());
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
    assert_eq!(state(&service).await, (json!("created"), json!([])));
}

#[tokio::test]
async fn vin_and_stock_number_are_compared_in_capitals_without_spaces() {
    let service = service().await;
    service.vehicle(&car(json!({ "Identification": names(Some(" jtdbr32e 720123456"), Some(" s 1 ")) }))).await;
    let answer = service.lead(&lead(json!({}))).await;
    assert_eq!(answer.body["booking"], "created");
    let by_number = json!({ "id": 2, "item": { "vin": null, "stock_number": "s1 " } });
    let answer = service.lead(&lead(by_number)).await;
    assert_eq!(answer.body["booking"], "created");
}

#[tokio::test]
async fn a_lead_without_vin_finds_its_vehicle_by_the_stock_number() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let answer = service.lead(&lead(json!({ "item": { "vin": null, "stock_number": "S1" } }))).await;
    assert_eq!(answer.body["booking"], "created");
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
}

#[tokio::test]
async fn a_vehicle_without_vin_is_found_by_the_stock_number_of_a_lead_that_has_one() {
    let service = service().await;
    service.vehicle(&car(json!({ "Identification": names(None, Some("S1")) }))).await;
    let answer = service.lead(&lead(json!({ "item": { "stock_number": "S1" } }))).await;
    assert_eq!(answer.body["booking"], "created");
    assert_eq!(booked(&service).await, booking_of("S1", "Dealer A", "Premium"));
}

#[tokio::test]
async fn of_two_dealerships_with_the_stock_number_the_leads_own_comes_first() {
    let service = service().await;
    let of = |identifier: i64, dealership: i64, vin: &str| {
        car(json!({
            "Identifier": identifier, "Identification": names(Some(vin), Some("S1")),
            "Seller": { "Identifier": dealership },
        }))
    };
    service.vehicle(&of(1, 356, VIN)).await;
    service.vehicle(&of(2, 357, "JTDBR32E720000002")).await;
    for (id, dealership, vin) in [(1, 356, VIN), (2, 357, "JTDBR32E720000002")] {
        let asks = json!({
            "id": id, "dealership": { "id": dealership }, "item": { "vin": null, "stock_number": "S1" },
        });
        assert_eq!(service.lead(&lead(asks)).await.body["booking"], "created");
        let of_lead = format!(
            "bookings b join leads e on e.id = b.lead_id join listings l on l.id = b.listing_id
            where e.external_id = '{id}'"
        );
        assert_eq!(service.value("l.vin", &of_lead).await, vin);
    }
}

#[tokio::test]
async fn another_dealership_of_the_workspace_serves_where_the_leads_own_has_no_such_car() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "Identifier": 357 } }))).await;
    let asks = lead(json!({ "item": { "vin": null, "stock_number": "S1" } }));
    assert_eq!(service.lead(&asks).await.body["booking"], "created");
    assert_eq!(booked(&service).await["at"], 357);
}

#[tokio::test]
async fn a_location_is_found_by_its_name_in_any_case() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": "Dealer B" } }))).await;
    service.lead(&lead(json!({ "location": { "location_name": " DEALER a " } }))).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
}

#[tokio::test]
async fn without_a_bookable_location_of_that_name_the_vehicles_own_serves() {
    for named in [Value::Null, json!({ "location_name": "Nowhere" }), json!({ "location_name": "Closed" })] {
        let service = service().await;
        service.vehicle(&car(json!({ "Seller": { "LocationName": "Dealer B" } }))).await;
        let answer = service.lead(&lead(json!({ "location": named }))).await;
        assert_eq!(answer.body["booking"], "created", "{named}");
        assert_eq!(booked(&service).await, booking_of(VIN, "Dealer B", "Premium"), "{named}");
    }
}

#[tokio::test]
async fn a_vehicle_at_a_location_that_is_not_bookable_has_none() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": "Closed" } }))).await;
    let answer = service.lead(&lead(json!({ "location": null }))).await;
    assert_eq!(answer.codes(), ["location_not_found"]);
}

#[tokio::test]
async fn the_plan_of_the_details_comes_before_the_one_that_the_website_offers() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({ "subscription_plan": { "name": "Starter" } }))).await;
    assert_eq!(booked(&service).await["package"], "Premium");
}

#[tokio::test]
async fn without_a_plan_in_the_details_the_offered_one_serves() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({ "additional_details": null, "subscription_plan": { "name": "Starter" } }))).await;
    assert_eq!(booked(&service).await["package"], "Starter");
    assert_eq!(service.value("subscription_plan", "leads").await, "Starter");
}

#[tokio::test]
async fn a_lead_asks_by_a_plan_in_its_details_or_by_its_category_and_not_otherwise() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let offered = json!({ "name": "Premium" });
    for (id, category, plan, booking, state) in [
        (1, "Used Vehicle Enquiry", Some("Premium"), json!("created"), "created"),
        (2, "Subscription Enquiry", None, json!("created"), "created"),
        (3, "subscription enquiry", None, json!("created"), "created"),
        (4, "Used Vehicle Enquiry", None, Value::Null, "not_requested"),
        (5, "Used Vehicle Enquiry", Some("  "), Value::Null, "not_requested"),
    ] {
        let details = json!({ "subscription_plan": plan });
        let changes = json!({
            "id": id, "category": category, "additional_details": details, "subscription_plan": offered,
        });
        let answer = service.lead(&lead(changes)).await;
        assert_eq!(answer.body["booking"], booking, "{id}");
        let stored = service.value("booking_state", &format!("leads where external_id = '{id}'")).await;
        assert_eq!(stored, state, "{id}");
    }
    // Nothing is said about what a booking would need.
    let answer = service.lead(&enquiry(json!({ "id": 6 }))).await;
    assert!(answer.codes().is_empty());
    assert_eq!(service.count("bookings").await, 3);
}

#[tokio::test]
async fn a_newer_delivery_of_the_lead_updates_its_booking() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let before = service.row("select id, created_at from bookings").await;

    let changes = json!({
        "updated_at": "2025-10-02T00:00:00Z", "additional_details": { "subscription_plan": "Starter" },
    });
    let answer = service.lead(&lead(changes)).await;

    assert_eq!(answer.body["booking"], "updated");
    assert_eq!(booked(&service).await["package"], "Starter");
    assert_eq!(service.row("select id, created_at from bookings").await, before);
}

/// All that a booking says, but for the time of the wish that it meets.
const BOOKING: &str =
    "select id, lead_id, person_id, listing_id, location_id, package_id, status, created_at, updated_at
    from bookings";

#[tokio::test]
async fn a_newer_delivery_that_no_longer_qualifies_leaves_the_booking_as_it_is() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let before = service.row(BOOKING).await;
    for (day, changes) in [
        (2, json!({ "additional_details": { "subscription_plan": "Gold" } })),
        (3, json!({ "item": { "vin": "JTDBR32E729999999" } })),
        (4, json!({ "category": "General Enquiry", "additional_details": null })),
    ] {
        let newer = json!({ "updated_at": format!("2025-10-0{day}T00:00:00Z") });
        let answer = service.lead(&with(lead(newer), changes)).await;
        assert_eq!(answer.body["booking"], "unchanged", "{day}");
        assert!(answer.codes().iter().all(|code| *code == "package_not_found" || *code == "asset_not_found"));
        assert_eq!(service.row(BOOKING).await, before, "{day}");
        assert_eq!(state(&service).await, (json!("created"), json!([])), "{day}");
    }
}

#[tokio::test]
async fn a_vehicle_withdrawn_later_does_not_undo_the_booking() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let before = service.row("select * from bookings").await;
    let gone = json!({ "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-02T00:00:00Z" });
    service.vehicle(&car(gone)).await;
    assert_eq!(service.value("status", "listings").await, "withdrawn");
    assert_eq!(service.row("select * from bookings").await, before);
    assert_eq!(state(&service).await, (json!("created"), json!([])));
}

#[tokio::test]
async fn a_stock_number_given_to_another_car_does_not_move_the_booking() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let asks = lead(json!({ "item": { "vin": null, "stock_number": "S1" } }));
    service.lead(&asks).await;
    let before = service.row("select * from bookings").await;
    let other = json!({
        "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), Some("S1")),
        "LastModifiedUtc": "2025-10-02T00:00:00Z",
    });
    service.vehicle(&car(other)).await;
    // The same lead again is not a newer one.
    let again = service.lead(&asks).await;
    assert_eq!(again.outcome(), "unchanged", "{again:?}");
    assert_eq!(service.row("select * from bookings").await, before);
}

#[tokio::test]
async fn the_booking_appears_with_the_vehicle_and_the_vehicles_reply_does_not_list_it() {
    let service = service().await;
    let first = service.lead(&lead(json!({}))).await;
    assert_eq!((&first.body["booking"], first.codes()), (&json!("blocked"), vec!["asset_not_found"]));
    let by_number = json!({ "id": 2, "item": { "vin": null, "stock_number": "S1" } });
    service.lead(&lead(by_number)).await;

    let answer = service.vehicle(&car(json!({}))).await;

    assert_eq!(answer.body["listing"], "created");
    assert_eq!(answer.body["booking"], Value::Null);
    assert!(answer.codes().is_empty());
    let leads = service.table("booking_state, booking_blockers from leads").await;
    assert_eq!(leads, json!([["created", []], ["created", []]]));
    assert_eq!(service.count("bookings").await, 2);
}

#[tokio::test]
async fn a_blocked_lead_keeps_only_the_reasons_that_remain() {
    let service = service().await;
    service.lead(&lead(json!({ "additional_details": { "subscription_plan": "Gold" } }))).await;
    assert_eq!(state(&service).await.1, json!(["asset_not_found", "package_not_found"]));
    let withdrawn = json!({ "SaleStatus": "WITHDRAWN" });
    service.vehicle(&car(withdrawn)).await;
    assert_eq!(state(&service).await.1, json!(["asset_archived", "package_not_found"]));
    service.vehicle(&car(json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z" }))).await;
    assert_eq!(state(&service).await, (json!("blocked"), json!(["package_not_found"])));
    assert_eq!(service.count("bookings").await, 0);
}

#[tokio::test]
async fn a_blocked_lead_is_tried_again_when_its_vehicle_is_listed_again() {
    let service = service().await;
    service.vehicle(&car(json!({ "SaleStatus": "WITHDRAWN" }))).await;
    service.lead(&lead(json!({}))).await;
    service.vehicle(&car(json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z" }))).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
}

#[tokio::test]
async fn a_blocked_lead_is_tried_again_when_inventory_brings_its_package() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let gold = json!({ "subscription_plan": "Gold" });
    service.lead(&lead(json!({ "additional_details": gold }))).await;
    let offered = json!({ "id": 2, "additional_details": null, "subscription_plan": { "name": "Gold" } });
    service.lead(&lead(offered)).await;
    // Another car brings it, even one that is not for sale.
    let other = json!({
        "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), None), "SaleStatus": "WITHDRAWN",
        "SubscriptionPricing": [{ "Name": "Gold", "DailyPrice": 10 }],
    });
    let answer = service.vehicle(&car(other)).await;
    assert_eq!(answer.body["booking"], Value::Null);
    assert_eq!(service.count("leads where booking_state = 'created'").await, 2);
    assert_eq!(service.count("bookings").await, 2);
}

#[tokio::test]
async fn a_blocked_lead_is_tried_again_when_inventory_brings_its_location() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": null } }))).await;
    service.lead(&lead(json!({ "location": { "location_name": "DEALER b" } }))).await;
    assert_eq!(state(&service).await.1, json!(["location_not_found"]));
    let other = json!({
        "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), None),
        "Seller": { "LocationName": "Dealer B" },
    });
    service.vehicle(&car(other)).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer B", "Premium"));
}

#[tokio::test]
async fn a_blocked_lead_is_tried_again_when_its_vehicle_comes_to_a_location() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": null } }))).await;
    service.lead(&lead(json!({ "location": null }))).await;
    let moved = json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z", "Seller": { "LocationName": "Dealer C" } });
    service.vehicle(&car(moved)).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer C", "Premium"));
}

#[tokio::test]
async fn a_blocked_lead_is_tried_again_when_the_configuration_brings_its_package_or_location() {
    for (changes, from, to) in [
        (json!({ "additional_details": { "subscription_plan": "Gold" } }), "\"Starter\"", "\"Gold\""),
        (json!({ "location": { "location_name": "Dealer Z" } }), "[\"Dealer A\",", "[\"DEALER Z\", \"Dealer A\","),
        (json!({ "location": { "location_name": "Closed" } }), "bookable = false", "bookable = true"),
    ] {
        let service = service().await;
        service.vehicle(&car(json!({ "Seller": { "LocationName": null } }))).await;
        let answer = service.lead(&lead(changes.clone())).await;
        assert_eq!(answer.body["booking"], "blocked", "{changes}");
        let service = service.restarted_with(&CONFIG.replace(from, to)).await;
        assert_eq!(state(&service).await, (json!("created"), json!([])), "{changes}");
        assert_eq!(booked(&service).await["email"], "ann@example.com", "{changes}");
    }
}

#[tokio::test]
async fn the_vehicles_own_location_serves_as_soon_as_the_configuration_opens_it() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": "Closed" } }))).await;
    service.lead(&lead(json!({ "location": null }))).await;
    let service = service.restarted_with(&CONFIG.replace("bookable = false", "bookable = true")).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Closed", "Premium"));
}

/// Lets every lead have arrived so long ago.
async fn age(service: &TestService, interval: &str) {
    service.database.execute(&format!("update leads set received_at = received_at - interval '{interval}'")).await;
}

#[tokio::test]
async fn a_lead_blocked_for_thirty_days_is_not_tried_again() {
    for (interval, state_then) in [("29 days 23 hours", "created"), ("30 days 1 minute", "blocked")] {
        let service = service().await;
        service.lead(&lead(json!({ "additional_details": { "subscription_plan": "Gold" } }))).await;
        age(&service, interval).await;
        let brings = json!({ "SubscriptionPricing": [{ "Name": "Gold", "DailyPrice": 10 }] });
        service.vehicle(&car(brings)).await;
        assert_eq!(state(&service).await.0, state_then, "{interval}");
    }
    for (interval, state_then) in [("29 days 23 hours", "created"), ("30 days 1 minute", "blocked")] {
        let service = service().await;
        service.vehicle(&car(json!({}))).await;
        service.lead(&lead(json!({ "additional_details": { "subscription_plan": "Gold" } }))).await;
        age(&service, interval).await;
        let service = service.restarted_with(&CONFIG.replace("\"Starter\"", "\"Gold\"")).await;
        assert_eq!(state(&service).await.0, state_then, "{interval}, by the configuration");
    }
}

#[tokio::test]
async fn how_long_a_blocked_lead_is_tried_again_can_be_configured() {
    let config = CONFIG.replace("[server]", "[server]\nbooking_retry_days = 2");
    let service = service_with(&config).await;
    service.lead(&lead(json!({}))).await;
    age(&service, "3 days").await;
    service.vehicle(&car(json!({}))).await;
    assert_eq!(state(&service).await.0, "blocked");
    // A delivery of the lead itself is always decided.
    let answer: Answer = service.lead(&lead(json!({}))).await;
    assert_eq!(answer.body["booking"], "created");
}

#[tokio::test]
async fn a_lead_blocked_for_want_of_a_person_is_booked_when_another_lead_brings_the_person() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({ "prospect": { "dob": "never" } }))).await;
    assert_eq!(state(&service).await.1, json!(["date_invalid"]));
    service.lead(&enquiry(json!({ "id": 2, "prospect": { "email": "Ann@Example.com" } }))).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
    assert_eq!(state(&service).await, (json!("created"), json!([])));
}

#[tokio::test]
async fn a_lead_waiting_for_a_vin_is_tried_again_when_a_fragment_without_it_lists_the_vehicle_again() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.vehicle(&car(json!({ "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-02T00:00:00Z" }))).await;
    service.lead(&lead(json!({}))).await;
    assert_eq!(state(&service).await.1, json!(["asset_archived"]));
    let fragment = json!({ "Identification": null, "LastModifiedUtc": "2025-10-03T00:00:00Z" });
    service.vehicle(&car(fragment)).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
}

#[tokio::test]
async fn a_lead_waiting_for_an_archived_vehicle_is_tried_again_when_its_rival_gives_the_stock_number_back() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let rival = |day: i64, number: &str| {
        car(json!({
            "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), Some(number)),
            "LastModifiedUtc": format!("2025-10-0{day}T00:00:00Z"),
        }))
    };
    service.vehicle(&rival(2, "S1")).await;
    service.lead(&lead(json!({}))).await;
    assert_eq!(state(&service).await.1, json!(["asset_archived"]));
    service.vehicle(&rival(3, "S2")).await;
    assert_eq!(booked(&service).await, booking_of(VIN, "Dealer A", "Premium"));
}

#[tokio::test]
async fn a_booking_is_for_the_vehicle_of_the_leads_own_dealership_in_any_order() {
    let by_number = json!({ "item": { "vin": null, "stock_number": "S1" } });
    let elsewhere = json!({
        "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), Some("S1")),
        "Seller": { "Identifier": 357 },
    });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(by_number)),
        Delivery::Vehicle(car(json!({}))),
        Delivery::Vehicle(car(elsewhere)),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["vin"], VIN);
}

#[tokio::test]
async fn a_booking_is_for_the_vehicle_with_the_vin_in_any_order() {
    let nameless = json!({ "Identifier": 2, "Identification": names(None, Some("S2")) });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({ "item": { "stock_number": "S2" } }))),
        Delivery::Vehicle(car(json!({}))),
        Delivery::Vehicle(car(nameless)),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["vin"], VIN);
}

#[tokio::test]
async fn a_booking_is_at_the_named_location_in_any_order() {
    let brings = json!({
        "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), None),
        "Seller": { "LocationName": "Dealer B" },
    });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({ "location": { "location_name": "dealer b" } }))),
        Delivery::Vehicle(car(json!({}))),
        Delivery::Vehicle(car(brings)),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["location"], "Dealer B");
}

#[tokio::test]
async fn a_booking_without_a_named_location_is_where_the_vehicle_is_in_any_order() {
    let moved = json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z", "Seller": { "LocationName": "Dealer B" } });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({ "location": null }))),
        Delivery::Vehicle(car(json!({}))),
        Delivery::Vehicle(car(moved)),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["location"], "Dealer B");
}

#[tokio::test]
async fn a_booking_is_for_the_vehicle_that_the_newest_delivery_names_in_any_order() {
    let other = json!({ "updated_at": "2025-10-02T00:00:00Z", "item": { "vin": "JTDBR32E720000002" } });
    let second = json!({ "Identifier": 2, "Identification": names(Some("JTDBR32E720000002"), Some("S2")) });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({}))),
        Delivery::Lead(lead(other)),
        Delivery::Vehicle(car(json!({}))),
        Delivery::Vehicle(car(second)),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["vin"], "JTDBR32E720000002");
}

#[tokio::test]
async fn a_booking_is_for_the_person_that_the_newest_delivery_names_in_any_order() {
    let other = json!({
        "updated_at": "2025-10-02T00:00:00Z", "prospect": { "email": "bea@example.com", "dob": "never" },
    });
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({}))),
        Delivery::Lead(lead(other)),
        Delivery::Lead(enquiry(json!({ "id": 2, "prospect": { "email": "bea@example.com" } }))),
        Delivery::Vehicle(car(json!({}))),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"][0]["person"], "bea@example.com");
}

#[tokio::test]
async fn a_lead_and_its_vehicle_make_the_same_booking_in_any_order() {
    let db_snapshot = in_any_order(&[
        Delivery::Lead(lead(json!({ "location": null, "additional_details": { "subscription_plan": "Gold" } }))),
        Delivery::Lead(lead(json!({ "updated_at": "2025-10-02T00:00:00Z", "additional_details": null }))),
        Delivery::Vehicle(car(json!({ "SubscriptionPricing": [{ "Name": "Gold" }] }))),
        Delivery::Vehicle(car(json!({
            "LastModifiedUtc": "2025-10-02T00:00:00Z", "Seller": { "LocationName": "Dealer B" },
        }))),
    ])
    .await;
    assert_eq!(db_snapshot["bookings"].len(), 1);
}
