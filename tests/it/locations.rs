//! Locations and packages, as the configuration and inventory name them.

use serde_json::{Value, json};

use crate::support::service::CONFIG;
use crate::support::{TestService, car, fixture, minute, service, service_with, vin};

/// The packages of the listings with their prices by day.
async fn packages(service: &TestService) -> Value {
    let query = "l.vin, k.name, p.daily_price from listing_packages p
        join packages k on k.id = p.package_id join listings l on l.id = p.listing_id order by 1, 2";
    service.table(query).await
}

#[tokio::test]
async fn a_location_is_as_the_newest_delivery_of_any_vehicle_says() {
    let service = service().await;
    let yard =
        "select name, bookable, active, street, suburb, state, reported_at from locations where name_key = 'the yard'";
    service.vehicle(car(1).vin(1).at(5).location("The Yard", "Street 5").body()).await;
    service.vehicle(car(2).vin(2).at(3).location("the yard", "Street 3").body()).await;
    let newest = json!({
        "name": "The Yard", "bookable": true, "active": true, "street": "Street 5", "suburb": "Fyshwick",
        "state": "ACT", "reported_at": minute(5),
    });
    assert_eq!(service.row(yard).await, newest);
    service.vehicle(car(1).vin(1).at(7).withdrawn().location("THE YARD", "Street 7").body()).await;
    let row = service.row(yard).await;
    assert_eq!((&row["name"], &row["street"]), (&json!("THE YARD"), &json!("Street 7")), "a withdrawal counts, too");
    let query = "l.identifier, o.name_key, k.position from listing_locations k
        join listings l on l.id = k.listing_id join locations o on o.id = k.location_id order by 1";
    let places = service.table(query).await;
    assert_eq!(places, json!([["1", "the yard", 1], ["2", "the yard", 1]]));
}

#[tokio::test]
async fn where_configuration_and_inventory_name_one_location_the_configuration_wins() {
    let config = CONFIG.replace(
        "locations = [\"Dealer A\",",
        "locations = [{ name = \"Dealer A\", city = \"Sydney\", street = \"Ours\" },",
    );
    let service = service_with(&config).await;
    service.vehicle(car(1).vin(1).location("dealer a", "Theirs").body()).await;
    service.vehicle(car(2).vin(2).location("CLOSED", "Theirs").body()).await;
    let query =
        "select name, bookable, street, city, suburb from locations where name in ('Dealer A', 'Closed') order by 1";
    let expected = [
        json!({ "name": "Closed", "bookable": false, "street": "Theirs", "city": null, "suburb": "Fyshwick" }),
        json!({ "name": "Dealer A", "bookable": true, "street": "Ours", "city": "Sydney", "suburb": "Fyshwick" }),
    ];
    assert_eq!(service.rows(query).await, expected);

    // What the configuration no longer names stays, as inventory tells it.
    let service = service
        .restarted_with(&CONFIG.replace("locations = [\"Dealer A\", { name = \"Closed\", bookable = false }]", ""))
        .await;
    let query =
        "select name, bookable, active, street from locations where name_key in ('dealer a', 'closed') order by 1";
    let expected = [
        json!({ "name": "CLOSED", "bookable": true, "active": true, "street": "Theirs" }),
        json!({ "name": "dealer a", "bookable": true, "active": true, "street": "Theirs" }),
    ];
    assert_eq!(service.rows(query).await, expected);
}

#[tokio::test]
async fn a_lead_without_a_location_is_booked_at_the_listings_first_bookable_one() {
    let service = service().await;
    service.vehicle(car(1).vin(1).location("Yard", "Street").body()).await;
    service.vehicle(car(2).vin(2).location("Closed", "Street").body()).await;
    let lead = |number: usize| {
        let mut lead = fixture("dealer_studio/lead/loopit_page_example.json");
        lead["id"] = json!(number);
        lead["item"]["vin"] = json!(vin(number));
        lead["location"] = json!({ "location_name": "Nowhere" });
        lead
    };
    assert_eq!(service.lead(&lead(1)).await.body["booking"], "created");
    assert_eq!(service.lead(&lead(2)).await.codes(), ["location_not_found"]);
    let booked = service.row("select o.name from bookings b join locations o on o.id = b.location_id").await;
    assert_eq!(booked, json!({ "name": "Yard" }));
}

#[tokio::test]
async fn package_names_come_from_every_delivery_and_prices_from_the_newest_for_sale_one() {
    let service = service().await;
    service.vehicle(car(1).vin(1).at(1).package("Weekender", 10).package("Starter", 5).body()).await;
    service.vehicle(car(1).vin(1).at(0).package("Summer", 1).body()).await;
    service.vehicle(car(1).vin(1).at(2).withdrawn().package("Winter", 2).body()).await;
    assert_eq!(packages(&service).await, json!([[vin(1), "Starter", 5], [vin(1), "Weekender", 10]]));
    service.vehicle(car(1).vin(1).at(3).package("Weekender", 12).body()).await;
    assert_eq!(packages(&service).await, json!([[vin(1), "Weekender", 12]]));
    let query = "name, configured, reported from packages
        where workspace_id = (select id from workspaces where slug = 'alpha') order by 1";
    let names = service.table(query).await;
    let expected = json!([
        ["Premium", true, false],
        ["Starter", true, true],
        ["Summer", false, true],
        ["Weekender", false, true],
        ["Winter", false, true],
    ]);
    assert_eq!(names, expected);
    service.vehicle(car(1).vin(1).at(4).body()).await;
    assert_eq!(packages(&service).await, json!([]));
}

#[tokio::test]
async fn prices_and_locations_go_back_with_the_content_that_comes_back() {
    let service = service().await;
    service.vehicle(car(1).vin(1).at(0).package("Starter", 5).location("Yard", "A").body()).await;
    service.vehicle(car(1).at(1).package("Starter", 6).package("Premium", 9).location("Lot", "B").body()).await;
    assert_eq!(packages(&service).await, json!([[vin(1), "Premium", 9], [vin(1), "Starter", 6]]));
    // The newer content named no VIN; its identifier turns out to be another car's.
    service.vehicle(car(1).vin(2).at(2).withdrawn().body()).await;
    let moved = json!([[vin(1), "Starter", 5], [vin(2), "Premium", 9], [vin(2), "Starter", 6]]);
    assert_eq!(packages(&service).await, moved);
    let query = "l.vin, o.name from listing_locations k
        join listings l on l.id = k.listing_id join locations o on o.id = k.location_id order by 1";
    let places = service.table(query).await;
    assert_eq!(places, json!([[vin(1), "Yard"], [vin(2), "Lot"]]));
}
