//! One vehicle: what it is known by, what it says, and whose it is.

use serde_json::{Value, json};

use crate::support::service::CONFIG;
use crate::support::{Answer, TestService, car, fixture, minute, service, service_with, vin};
use axum::http::Request;

/// Identifier, VIN, stock number and status of every listing, oldest row first.
async fn stock(service: &TestService) -> Vec<Value> {
    let query = "select identifier, vin, stock_number, status from listings order by id";
    let rows = service.rows(query).await;
    rows.into_iter().map(|row| json!([row["identifier"], row["vin"], row["stock_number"], row["status"]])).collect()
}

/// The test configuration with a credential more, which may write to `beta` only.
fn config_with_beta() -> String {
    let credential = "[[credentials]]\nname = \"beta\"\nscheme = \"bearer\"\nfeeds = \"all\"\nworkspaces = [\"beta\"]\nsecret_env = \"BETA\"\n";
    format!("{CONFIG}\n{credential}")
}

/// Posts a vehicle with the credential that may write to `beta` only.
async fn vehicle_for_beta(service: &TestService, payload: &Value) -> Answer {
    let request =
        Request::post("/webhooks/dealer-studio/inventory").header("authorization", "Bearer the-token-of-beta");
    service.send(request.body(payload.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn the_pages_example_is_found_in_the_columns() {
    let service = service().await;
    let answer = service.vehicle(&fixture("dealer_studio/inventory/page_example.json")).await;
    assert_eq!((answer.body["outcome"].as_str(), answer.body["listing"].as_str()), (Some("applied"), Some("created")));
    let row = service
        .row(
            "select w.slug, l.identifier, l.vin, l.stock_number, l.status, l.withdrawn_at, l.listing_type, l.make,
                l.model, l.series, l.badge, l.year, l.body_style, l.transmission, l.fuel_type, l.drive, l.doors,
                l.seats, l.colour, l.interior_colour, l.odometer, l.odometer_unit, l.registration_number,
                l.registration_expires_at, l.price_egc, l.price_dap, l.price_before, l.title, l.slug as page,
                l.dealership_id, l.build_year, l.compliance_month, l.certified, l.source_created_at,
                l.source_modified_at, l.features -> 'Seating' ->> 0 as seat, l.vendor_data -> 0 -> 'Data' ->> 'fill' as fill
            from listings l join workspaces w on w.id = l.workspace_id",
        )
        .await;
    assert_eq!(
        row,
        json!({
            "slug": "beta", "identifier": "94083", "vin": "ZARPAHJN2P7D66539", "stock_number": "225180277",
            "status": "for_sale", "withdrawn_at": null, "listing_type": "new", "make": "Alfa Romeo",
            "model": "Stelvio", "series": "Series 3 MY22", "badge": "Veloce", "year": 2023, "body_style": "SUV",
            "transmission": "Automatic", "fuel_type": "Petrol", "drive": "All Wheel Drive", "doors": 4, "seats": 5,
            "colour": "White", "interior_colour": "Black", "odometer": 17, "odometer_unit": "KM",
            "registration_number": "YRA89W", "registration_expires_at": "2025-08-29T00:00:00+00:00",
            "price_egc": 82888, "price_dap": 83888, "price_before": 80909,
            "title": "2023 Alfa Romeo Stelvio Veloce Series 3 MY22",
            "page": "new-alfa-white-2023-alfa-romeo-stelvio-225180279", "dealership_id": 285, "build_year": 2017,
            "compliance_month": 6, "certified": true, "source_created_at": "2023-07-27T01:24:15.226+00:00",
            "source_modified_at": "2024-08-30T01:09:22.626+00:00", "seat": "Heated Seats - 1st Row", "fill": "0.5",
        })
    );
    let packages = service
        .rows(
            "select k.name, p.daily_price, p.weekly_price, p.fortnightly_price, p.monthly_price
            from listing_packages p join packages k on k.id = p.package_id order by k.name",
        )
        .await;
    assert_eq!(
        packages,
        [
            json!({ "name": "Starter", "daily_price": 14.2, "weekly_price": 100, "fortnightly_price": 200, "monthly_price": 433.3 }),
            json!({ "name": "Value", "daily_price": 21.4, "weekly_price": 150, "fortnightly_price": 300, "monthly_price": 650 }),
        ]
    );
}

#[tokio::test]
async fn the_pages_withdrawal_finds_its_listing_by_the_identifier_or_by_the_credentials_only_workspace() {
    let withdrawal = fixture("dealer_studio/inventory/page_withdrawn_example.json");
    let service = service_with(&config_with_beta()).await;

    let unknown = service.vehicle(&withdrawal).await;
    assert_eq!(unknown.body["outcome"], "rejected");
    assert_eq!(unknown.codes(), ["dealership_missing"]);

    let alone = vehicle_for_beta(&service, &withdrawal).await;
    assert_eq!(alone.body["listing"], "created", "{alone:?}");
    assert_eq!(stock(&service).await, [json!(["94083", "ZARPAHJN2P7D66539", "225180277", "withdrawn"])]);

    service.vehicle(&fixture("dealer_studio/inventory/page_example.json")).await;
    let (listed, at) =
        ("select status, make from listings", "select withdrawn_at >= created_at as since from listings");
    assert_eq!(service.row(listed).await, json!({ "status": "for_sale", "make": "Alfa Romeo" }));
    let known = service.vehicle(&withdrawal).await;
    assert_eq!((known.body["listing"].as_str(), known.codes()), (Some("updated"), Vec::new()));
    assert_eq!(service.row(listed).await, json!({ "status": "withdrawn", "make": "Alfa Romeo" }));
    assert_eq!(
        service.row(at).await,
        json!({ "since": true }),
        "the page's withdrawal says no time: its arrival counts"
    );
    assert_eq!(service.vehicle(&withdrawal).await.body["outcome"], "unchanged");
}

#[tokio::test]
async fn a_fragment_whose_identifier_two_workspaces_know_is_rejected() {
    let service = service_with(&config_with_beta()).await;
    service.vehicle(car(1).vin(1).body()).await;
    service.vehicle(car(1).vin(2).of(285).body()).await;
    let fragment = car(1).withdrawn().at(1).without("Seller");
    let ambiguous = service.vehicle(fragment.body()).await;
    assert_eq!(ambiguous.codes(), ["dealership_missing"]);
    let clear = vehicle_for_beta(&service, fragment.body()).await;
    assert_eq!(clear.body["listing"], "updated");
    let rows =
        service.rows("select w.slug, l.status from listings l join workspaces w on w.id = l.workspace_id order by 1");
    let expected = [json!({ "slug": "alpha", "status": "for_sale" }), json!({ "slug": "beta", "status": "withdrawn" })];
    assert_eq!(rows.await, expected);
}

#[tokio::test]
async fn without_an_identifier_the_vin_or_else_the_dealerships_stock_number_stands_in() {
    let service = service().await;
    let nameless = || car(0).without("Identifier");
    service.vehicle(nameless().vin(1).number("N1").body()).await;
    service.vehicle(nameless().number("N2").body()).await;
    service.vehicle(nameless().number("N2").of(357).body()).await;
    service.vehicle(nameless().number("n 2").at(1).withdrawn().body()).await;
    let names = service.rows("select identifier, status from listing_identifiers order by 1").await;
    let expected = [
        json!({ "identifier": "356/N2", "status": "withdrawn" }),
        json!({ "identifier": "357/N2", "status": "for_sale" }),
        json!({ "identifier": vin(1), "status": "for_sale" }),
    ];
    assert_eq!(names, expected);
    assert_eq!(stock(&service).await.len(), 3);

    let unidentified = service.vehicle(nameless().body()).await;
    assert_eq!(unidentified.body["outcome"], "rejected");
    assert_eq!(unidentified.codes(), ["listing_unidentified"]);
}

#[tokio::test]
async fn what_is_said_of_the_vin_alone_is_said_of_the_car_under_its_identifier() {
    let service = service_with(&config_with_beta()).await;
    service.vehicle(car(1).vin(1).number("N1").of(285).body()).await;
    let withdrawal = car(0).without("Identifier").vin(1).withdrawn();
    let answer = vehicle_for_beta(&service, withdrawal.clone().at(2).without("Seller").body()).await;
    assert_eq!((answer.body["listing"].as_str(), answer.codes()), (Some("updated"), Vec::new()));
    assert_eq!(stock(&service).await, [json!(["1", vin(1), "N1", "withdrawn"])]);
    service.vehicle(car(1).vin(1).number("N1").of(285).at(3).body()).await;
    let late = service.vehicle(withdrawal.at(1).of(285).body()).await;
    assert_eq!(late.codes(), ["older_than_known"]);
    assert_eq!(stock(&service).await, [json!(["1", vin(1), "N1", "for_sale"])]);
}

#[tokio::test]
async fn sale_status_is_read_in_any_case_and_an_unknown_word_changes_no_status() {
    let service = service().await;
    let said = [
        ("FOR SALE", "for_sale"),
        ("Deal Pending", "for_sale"),
        ("Withdrawn", "withdrawn"),
        ("Coming Soon", "withdrawn"),
        ("in stock", "for_sale"),
        ("SOLD", "withdrawn"),
    ];
    for (minutes, (word, status)) in (0..).zip(said) {
        let answer = service.vehicle(car(1).vin(1).at(minutes).with("SaleStatus", json!(word)).body()).await;
        let unknown = word == "Deal Pending" || word == "Coming Soon";
        assert_eq!(answer.codes(), if unknown { vec!["value_unlisted"] } else { Vec::new() }, "{word}");
        assert_eq!(service.row("select status from listings").await["status"], status, "{word}");
    }
    let answer = service.vehicle(car(2).vin(2).with("SaleStatus", json!("Deal Pending")).body()).await;
    assert_eq!(answer.body["listing"], "created");
    let new = service.row("select status, withdrawn_at from listings where identifier = '2'").await;
    assert_eq!(new, json!({ "status": "withdrawn", "withdrawn_at": null }));
}

#[tokio::test]
async fn what_a_newer_for_sale_delivery_lacks_is_cleared_and_a_withdrawal_clears_nothing() {
    let service = service().await;
    let shown = "select price_egc, description, stock_number, source_modified_at, status from listings";
    service.vehicle(car(1).vin(1).number("N1").price(100).told("whole").body()).await;
    service.vehicle(car(1).vin(1).withdrawn().at(1).body()).await;
    let row = service.row(shown).await;
    let whole = json!({ "price_egc": 100, "description": "whole", "stock_number": "N1", "source_modified_at": minute(0), "status": "withdrawn" });
    assert_eq!(row, whole);
    service.vehicle(car(1).vin(1).at(2).body()).await;
    let row = service.row(shown).await;
    let bare = json!({ "price_egc": null, "description": null, "stock_number": null, "source_modified_at": minute(2), "status": "for_sale" });
    assert_eq!(row, bare);
}

#[tokio::test]
async fn a_vehicle_sent_again_unchanged_writes_its_delivery_and_nothing_else() {
    let service = service().await;
    let whole = [
        fixture("dealer_studio/inventory/page_example.json"),
        fixture("dealer_studio/inventory/every_field.json"),
        fixture("dealer_studio/inventory/packages.json"),
        car(1).vin(1).number("N1").package("Starter", 3).location("Yard", "Street 1").body().clone(),
        car(2).vin(1).number("N1").at(1).body().clone(),
        car(3).number("N1").at(2).withdrawn().body().clone(),
        car(4).number("N1").at(2).body().clone(),
        car(5).at(2).without("LastModifiedUtc").vin(5).body().clone(),
    ];
    for payload in &whole {
        assert_eq!(service.vehicle(payload).await.body["outcome"], "applied");
    }
    let before = service.versions().await;
    for payload in &whole {
        let answer = service.vehicle(payload).await;
        assert_eq!(answer.body["outcome"], "unchanged", "{payload} {answer:?}");
        assert_eq!(answer.body["listing"], "unchanged");
    }
    assert_eq!(service.versions().await, before);
    let deliveries = service.row("select count(*), count(distinct body_sha256) as bodies from intake.deliveries").await;
    assert_eq!(deliveries, json!({ "count": 2 * whole.len(), "bodies": whole.len() }));
}

#[tokio::test]
async fn two_dealerships_use_one_stock_number_for_two_cars() {
    let service = service().await;
    service.vehicle(car(1).vin(1).number("N1").body()).await;
    let second = service.vehicle(car(2).vin(2).number("N1").of(357).at(1).body()).await;
    assert_eq!(second.codes(), Vec::<&str>::new());
    let expected = [json!(["1", vin(1), "N1", "for_sale"]), json!(["2", vin(2), "N1", "for_sale"])];
    assert_eq!(stock(&service).await, expected);
}

#[tokio::test]
async fn two_workspaces_with_the_same_names_never_meet() {
    let service = service().await;
    service.vehicle(car(1).vin(1).number("N1").price(100).body()).await;
    let before = service.versions().await;
    service.vehicle(car(1).vin(1).number("N1").of(285).at(1).price(200).withdrawn().body()).await;
    let after = service.versions().await;
    assert!(before.iter().all(|row| after.contains(row)), "what the first workspace has is not written");
    let rows = service.rows("select status, price_egc from listings order by price_egc").await;
    let expected =
        [json!({ "status": "for_sale", "price_egc": 100 }), json!({ "status": "withdrawn", "price_egc": 200 })];
    assert_eq!(rows, expected);
}
