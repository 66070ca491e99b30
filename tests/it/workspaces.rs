//! Workspaces: what one has no other sees, and what a change of the configuration does to the tables.

use serde_json::{Value, json};

use crate::support::db_snapshot::db_snapshot;
use crate::support::payloads::{car, lead, names, with};
use crate::support::service::CONFIG;
use crate::support::{TestService, fixture, service, service_with, soon};

/// Everything a delivery can name, for a dealership; the same names whichever it is.
async fn everything(service: &TestService, dealership: i64, phone: &str) {
    let asks = json!({
        "dealership": { "id": dealership }, "lead_cluster_id": 7, "prospect": { "mobile_phone": phone },
        "item": { "vin": null, "stock_number": "S1" }, "trade_in_data": { "make": "Mazda", "title": phone },
        "additional_details": {
            "license_number": phone, "license_expiry": "01/04/2030", "license_dob": "02/05/1980",
        },
        "appointments": [{ "id": 5, "note": phone }],
    });
    let stands = json!({ "Seller": { "Identifier": dealership }, "Description": phone });
    service.lead(&lead(asks)).await;
    service.vehicle(&car(stands)).await;
}

#[tokio::test]
async fn two_workspaces_with_the_same_names_for_everything_never_touch_each_other() {
    let service = service().await;
    everything(&service, 356, "0403 000 001").await;
    let alpha = db_snapshot(&service, "alpha").await;
    assert_eq!(alpha["bookings"].len(), 1);

    everything(&service, 285, "0403 000 002").await;
    let gone = json!({
        "Seller": { "Identifier": 285 }, "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-09T00:00:00Z",
    });
    service.vehicle(&car(gone)).await;
    let empty = json!({
        "dealership": { "id": 285 }, "lead_cluster_id": 7, "updated_at": "2025-10-09T00:00:00Z", "appointments": [],
        "prospect": { "first_name": "Other" },
    });
    service.lead(&lead(empty)).await;

    assert_eq!(db_snapshot(&service, "alpha").await, alpha);
    let beta = db_snapshot(&service, "beta").await;
    assert_eq!(beta["persons"][0]["mobile_phone"], "+61403000002");
    assert_eq!(
        (&beta["listings"][0]["status"], &beta["appointments"][0]["removed"]),
        (&json!("withdrawn"), &json!(true))
    );
    for table in ["persons", "leads", "lead_clusters", "appointments", "listings", "bookings", "trade_ins"] {
        assert_eq!((alpha[table].len(), beta[table].len()), (1, 1), "{table}");
    }
}

#[tokio::test]
async fn a_vehicle_a_package_a_location_and_a_person_of_another_workspace_help_no_lead() {
    let service = service().await;
    let brings = json!({
        "Seller": { "Identifier": 285, "LocationName": "Dealer B" }, "SubscriptionPricing": [{ "Name": "Gold" }],
    });
    service.vehicle(&car(brings.clone())).await;
    service.lead(&lead(json!({ "dealership": { "id": 285 } }))).await;
    let asks = lead(json!({
        "id": 2, "location": { "location_name": "Dealer B" }, "prospect": { "dob": "never" },
        "additional_details": { "subscription_plan": "Gold" },
    }));
    let blocked = ["date_invalid", "asset_not_found", "location_not_found", "package_not_found"];
    let answer = service.lead(&asks).await;
    assert_eq!(answer.codes(), blocked);
    // Nor does what comes later.
    service.vehicle(&car(with(brings, json!({ "LastModifiedUtc": "2025-10-09T00:00:00Z" })))).await;
    assert_eq!(service.value("booking_blockers", "leads where external_id = '2'").await, json!(blocked));
}

#[tokio::test]
async fn a_credential_writes_to_its_own_workspaces_only() {
    let config = CONFIG.replace("workspaces = \"all\"", "workspaces = [\"alpha\"]");
    let service = service_with(&config).await;
    for answer in [
        service.lead(&lead(json!({ "dealership": { "id": 285 } }))).await,
        service.vehicle(&car(json!({ "Seller": { "Identifier": 285 } }))).await,
    ] {
        assert_eq!(answer.status, 200);
        // Nobody learns which dealerships others have.
        answer.expect("rejected", &["dealership_unknown"]);
    }
    let records = service.table("workspace_id, outcome, findings->0->>'code' from intake.deliveries").await;
    assert_eq!(
        records,
        json!([[0, "rejected", "workspace_not_permitted"], [0, "rejected", "workspace_not_permitted"]])
    );
    for table in ["persons", "leads", "listings", "listing_identifiers"] {
        assert_eq!(service.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn two_dealerships_of_a_workspace_share_its_persons_and_have_stock_numbers_of_their_own() {
    let service = service().await;
    for (identifier, dealership, vin) in [(1, 356, "JTDBR32E720000001"), (2, 357, "JTDBR32E720000002")] {
        let answer = service
            .vehicle(&car(json!({
                "Identifier": identifier, "Identification": names(Some(vin), Some("S1")),
                "Seller": { "Identifier": dealership },
            })))
            .await;
        assert!(answer.codes().is_empty(), "{answer:?}");
        service
            .lead(&lead(json!({ "id": identifier, "dealership": { "id": dealership }, "item": { "vin": vin } })))
            .await;
    }
    assert_eq!(service.count("listings where status = 'for_sale'").await, 2);
    assert_eq!(service.count("persons").await, 1);
    assert_eq!(service.count("leads where person_id is not null").await, 2);
}

#[tokio::test]
async fn a_package_taken_out_of_the_configuration_is_inactive_and_its_bookings_stay() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let before = service.row("select * from bookings").await;
    let of_alpha =
        "packages where name = 'Premium' and workspace_id = (select id from workspaces where slug = 'alpha')";
    let id = service.value("id", of_alpha).await;

    let without = CONFIG.replacen("packages = [\"Premium\", \"Starter\"]", "packages = [\"Starter\"]", 1);
    let service = service.restarted_with(&without).await;
    service.expect_row(of_alpha, json!({ "id": id, "active": false })).await;
    assert_eq!(service.row("select * from bookings").await, before);
    let answer = service.lead(&lead(json!({ "id": 2 }))).await;
    assert_eq!(answer.codes(), ["package_not_found"]);

    // Named again, it is the same one, and the lead that waited is served.
    let service = service.restarted_with(CONFIG).await;
    service.expect_row(of_alpha, json!({ "id": id, "active": true })).await;
    assert_eq!(service.count("bookings").await, 2);

    // What inventory names stays active without the configuration.
    service.vehicle(&car(json!({ "Identifier": 2, "SubscriptionPricing": [{ "Name": "Premium" }] }))).await;
    let service = service.restarted_with(&without).await;
    service.expect_row(of_alpha, json!({ "id": id, "active": true })).await;
}

/// The locations of `alpha` beside `Closed`: name, whether bookable and active, street and suburb.
async fn locations(service: &TestService) -> Value {
    let query = "name, bookable, active, street, suburb from locations
        where name <> 'Closed' and workspace_id = (select id from workspaces where slug = 'alpha') order by name";
    service.table(query).await
}

#[tokio::test]
async fn a_location_written_in_other_capitals_is_the_same_and_one_of_another_name_another() {
    let service = service().await;
    assert_eq!(locations(&service).await, json!([["Dealer A", true, true, null, null]]));
    let id = service.row("select id from locations where name = 'Dealer A'").await;
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\"", "\"DEALER A\"", 1)).await;
    assert_eq!(locations(&service).await, json!([["DEALER A", true, true, null, null]]));
    assert_eq!(service.row("select id from locations where name = 'DEALER A'").await, id);
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\"", "\"Dealer Z\"", 1)).await;
    assert_eq!(
        locations(&service).await,
        json!([["DEALER A", false, false, null, null], ["Dealer Z", true, true, null, null]])
    );
}

#[tokio::test]
async fn where_both_name_a_location_the_configuration_wins_and_inventory_fills_the_rest() {
    let configured = "{ name = \"Dealer A\", street = \"1 Config St\" }";
    let service = service_with(&CONFIG.replacen("\"Dealer A\"", configured, 1)).await;
    let at = |name: &str| {
        json!({ "Seller": {
            "LocationName": name, "Addresses": [{ "Line1": "9 Feed St", "Suburb": "Fyshwick" }],
        } })
    };
    service.vehicle(&car(at("dealer a"))).await;
    assert_eq!(locations(&service).await, json!([["Dealer A", true, true, "1 Config St", "Fyshwick"]]));
    // What the configuration closes stays closed, whatever inventory says.
    let closed = "{ name = \"Dealer A\", bookable = false }";
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\"", closed, 1)).await;
    assert_eq!(locations(&service).await, json!([["Dealer A", false, true, "9 Feed St", "Fyshwick"]]));
    // And what it no longer names is as inventory says.
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\", ", "", 1)).await;
    assert_eq!(locations(&service).await, json!([["dealer a", true, true, "9 Feed St", "Fyshwick"]]));
}

#[tokio::test]
async fn a_workspace_taken_out_of_the_configuration_is_inactive_and_comes_back_as_it_was() {
    let service = service().await;
    service.lead(&lead(json!({ "dealership": { "id": 285 } }))).await;
    let beta = db_snapshot(&service, "beta").await;
    let (head, tail) = CONFIG.split_once("[[workspaces]]\nslug = \"beta\"").unwrap();
    let credentials = tail.split_once("[[credentials]]").unwrap().1;
    let service = service.restarted_with(&format!("{head}[[credentials]]{credentials}")).await;
    let active = "w.active, d.active from workspaces w join dealerships d on d.workspace_id = w.id where slug = 'beta'";
    assert_eq!(service.table(active).await, json!([[false, false]]));
    let answer = service.lead(&lead(json!({ "dealership": { "id": 285 }, "comments": "while away" }))).await;
    answer.expect("rejected", &["dealership_unknown"]);
    let service = service.restarted_with(CONFIG).await;
    assert_eq!(service.table(active).await, json!([[true, true]]));
    assert_eq!(db_snapshot(&service, "beta").await["leads"][0]["external_id"], beta["leads"][0]["external_id"]);
}

#[tokio::test]
async fn a_location_that_is_named_no_more_keeps_its_name_for_the_bookings_made_at_it() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": null } }))).await;
    service.lead(&lead(json!({}))).await;
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\", ", "", 1)).await;
    // However often it starts.
    let service = service.restarted_with(&CONFIG.replacen("\"Dealer A\", ", "", 1)).await;
    let booked = "o.name, o.active from bookings b join locations o on o.id = b.location_id";
    assert_eq!(service.table(booked).await, json!([["Dealer A", false]]));
}

#[tokio::test]
async fn what_came_for_an_unknown_dealership_is_applied_once_the_configuration_knows_it() {
    let service = service_with(&CONFIG.replace("[356, 357]", "[356]")).await;
    let asks = lead(json!({ "dealership": { "id": 357 } }));
    assert_eq!(service.lead(&asks).await.codes(), ["dealership_unknown"]);
    let service = service.restarted_with(CONFIG).await;
    let again = tokio::spawn(forecourt::intake::due::run(service.intake().clone()));
    let applied = "select outcome, attempts, d.received_at = l.received_at as as_it_arrived
        from intake.deliveries d, leads l";
    let mut rows = Vec::new();
    soon("the lead applied", async || {
        rows = service.rows(applied).await;
        !rows.is_empty()
    })
    .await;
    again.abort();
    assert_eq!(rows, [json!({ "outcome": "applied", "attempts": 2, "as_it_arrived": true })]);
}

#[tokio::test]
async fn a_restart_with_the_same_configuration_writes_no_row() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    service.lead(&lead(json!({}))).await;
    let rows = "select 'w' as of, xmin::text, w::text from workspaces w
        union all select 'd', xmin::text, d::text from dealerships d
        union all select 'l', xmin::text, l::text from locations l
        union all select 'p', xmin::text, p::text from packages p order by 1, 3";
    let before = service.rows(rows).await;
    assert!(before.len() > 8);
    let service = service.restarted_with(CONFIG).await;
    assert_eq!(service.rows(rows).await, before);
}

#[tokio::test]
async fn a_delivery_of_no_or_an_unknown_dealership_is_rejected_and_kept() {
    let service = service().await;
    for (payload, code) in [
        (lead(json!({ "dealership": null })), "dealership_missing"),
        (lead(json!({ "dealership": { "id": "" } })), "dealership_missing"),
        (lead(json!({ "dealership": { "id": 999 } })), "dealership_unknown"),
        (fixture("dealer_studio/lead/dealership_id_not_a_number.json"), "dealership_unknown"),
    ] {
        let answer = service.lead(&payload).await;
        answer.expect("rejected", &[code]);
    }
    assert_eq!(service.count("intake.deliveries where outcome = 'rejected'").await, 4);
    assert_eq!(service.count("persons").await, 0);
    // As text it is the same dealership.
    assert_eq!(service.lead(&lead(json!({ "dealership": { "id": "356" } }))).await.outcome(), "applied");
}
