//! One vehicle over time: what it is known by changes, and deliveries come in any order.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Car, TestService, car, fixture, minute, service, vin};

/// Identifier, VIN, price and status of every listing, oldest row first.
async fn stock(service: &TestService) -> Value {
    service.table("identifier, vin, price_egc, status from listings order by id").await
}

/// Posts vehicles one after the other, and gives the codes of the last answer.
async fn post(service: &TestService, cars: &[Car]) -> Vec<String> {
    let mut codes = Vec::new();
    for car in cars {
        let answer = service.vehicle(car.body()).await;
        assert_eq!(answer.status, 200);
        codes = answer.codes().into_iter().map(str::to_owned).collect();
    }
    codes
}

#[tokio::test]
async fn a_withdrawn_car_is_listed_again_by_a_newer_delivery_and_by_no_older_one() {
    let service = service().await;
    post(&service, &[car(1).vin(1).at(0).price(100), car(1).vin(1).at(2).withdrawn()]).await;
    let withdrawn = service.row("select status, withdrawn_at, price_egc from listings").await;
    assert_eq!(withdrawn, json!({ "status": "withdrawn", "withdrawn_at": minute(2), "price_egc": 100 }));

    let before = service.versions().await;
    let older = service.vehicle(car(1).vin(1).at(0).price(100).body()).await;
    assert_eq!((older.codes(), older.body["outcome"].as_str()), (vec!["older_than_known"], Some("unchanged")));
    assert_eq!(service.versions().await, before);

    post(&service, &[car(1).vin(1).at(1).price(90)]).await;
    assert_eq!(stock(&service).await, json!([["1", vin(1), 90, "withdrawn"]]));
    post(&service, &[car(1).vin(1).at(3).price(80)]).await;
    assert_eq!(stock(&service).await, json!([["1", vin(1), 80, "for_sale"]]));
    assert_eq!(post(&service, &[car(1).vin(1).at(2).withdrawn()]).await, ["older_than_known"]);
    service.expect_row("listings", json!({ "withdrawn_at": null })).await;
}

#[tokio::test]
async fn of_two_deliveries_of_the_same_time_the_later_arrival_wins() {
    let service = service().await;
    post(&service, &[car(1).vin(1).price(100), car(1).vin(1).price(90), car(2).vin(2), car(2).vin(2).withdrawn()])
        .await;
    assert_eq!(stock(&service).await, json!([["1", vin(1), 90, "for_sale"], ["2", vin(2), null, "withdrawn"]]));
    post(&service, &[car(2).vin(2)]).await;
    assert_eq!(stock(&service).await[1], json!(["2", vin(2), null, "for_sale"]));
}

#[tokio::test]
async fn the_older_claim_on_a_stock_number_is_archived_whichever_arrives_first_until_the_number_is_free_again() {
    let (older, newer) = (car(1).vin(1).number("N1").at(0), car(2).vin(2).number("N1").at(1));
    for order in [[older.clone(), newer.clone()], [newer.clone(), older.clone()]] {
        let service = service().await;
        assert_eq!(post(&service, &order).await, ["stock_number_reused"]);
        let status = || service.table("identifier, status from listings order by identifier");
        assert_eq!(status().await, json!([["1", "archived"], ["2", "for_sale"]]));

        post(&service, &[car(2).vin(2).number("N1").at(2).withdrawn()]).await;
        assert_eq!(status().await[0][1], "archived", "a withdrawn car keeps its claim");
        post(&service, &[car(2).vin(2).number("N2").at(3)]).await;
        assert_eq!(status().await[0][1], "for_sale", "the number is free again");
        post(&service, &[car(1).vin(1).number("N2").at(4)]).await;
        assert_eq!(status().await[1][1], "archived");
    }
}

#[tokio::test]
async fn a_row_that_merges_into_another_frees_its_stock_number() {
    let service = service().await;
    post(&service, &[car(2).vin(2).number("N1").at(0), car(1).number("N1").at(1), car(3).vin(3).number("N3").at(2)])
        .await;
    let status = || service.table("vin, status from listings order by vin");
    assert_eq!(status().await[0], json!([vin(2), "archived"]));
    post(&service, &[car(1).vin(3).number("N4").at(3)]).await;
    let freed = json!([[vin(2), "for_sale"], [vin(3), "for_sale"]]);
    assert_eq!(status().await, freed);
}

#[tokio::test]
async fn a_late_withdrawal_of_the_old_identifier_leaves_the_car_listed_under_its_new_one() {
    let service = service().await;
    post(&service, &[car(1).vin(1).at(0).price(100), car(2).vin(1).at(1).price(90)]).await;
    assert_eq!(stock(&service).await, json!([["2", vin(1), 90, "for_sale"]]));
    let late = service.vehicle(car(1).vin(1).at(2).withdrawn().body()).await;
    assert_eq!((late.codes(), late.body["listing"].as_str()), (vec!["identifier_superseded"], Some("unchanged")));
    assert_eq!(stock(&service).await, json!([["2", vin(1), 90, "for_sale"]]));
    let identifiers = service.table("identifier, status, source_modified_at from listing_identifiers order by 1").await;
    assert_eq!(identifiers, json!([["1", "withdrawn", minute(2)], ["2", "for_sale", minute(1)]]));
    post(&service, &[car(2).vin(1).at(3).withdrawn()]).await;
    assert_eq!(stock(&service).await, json!([["2", vin(1), 90, "withdrawn"]]));
    post(&service, &[car(1).vin(1).at(4).price(80)]).await;
    assert_eq!(stock(&service).await, json!([["1", vin(1), 80, "for_sale"]]));
}

#[tokio::test]
async fn a_row_made_before_the_vin_was_known_becomes_that_vins_row() {
    let service = service().await;
    post(&service, &[car(1).at(0).number("N1").price(100)]).await;
    let id = service.row("select id from listings").await;
    let answer = service.vehicle(car(1).vin(1).at(1).withdrawn().body()).await;
    assert_eq!(answer.body["listing"], "updated");
    assert_eq!(stock(&service).await, json!([["1", vin(1), 100, "withdrawn"]]));
    assert_eq!(service.row("select id from listings").await, id);
}

/// The documented lead, asking for another car.
fn lead_for(vin: Option<&str>, number: Option<&str>) -> Value {
    let mut lead = fixture("dealer_studio/lead/loopit_page_example.json");
    lead["id"] = json!(crate::support::service::unique());
    lead["item"]["vin"] = json!(vin);
    lead["item"]["stock_number"] = json!(number);
    lead
}

#[tokio::test]
async fn a_row_that_merges_takes_its_bookings_changes_and_identifiers_along() {
    let service = service().await;
    post(&service, &[car(2).vin(1).at(0).price(100), car(1).number("N1").at(1).price(90).location("Dealer A", "A")])
        .await;
    let booked = service.lead(&lead_for(None, Some("N1"))).await;
    assert_eq!(booked.body["booking"], "created", "{booked:?}");
    post(&service, &[car(1).number("N1").at(2).price(80)]).await;

    let merging = service.vehicle(car(1).vin(1).at(3).withdrawn().body()).await;
    merging.expect_parts(json!({ "outcome": "applied", "listing": "updated" }));
    assert_eq!(stock(&service).await, json!([["1", vin(1), 80, "withdrawn"]]));
    let counts = "select (select count(*) from bookings b join listings l on l.id = b.listing_id) as bookings,
        (select count(*) from listing_identifiers i join listings l on l.id = i.listing_id) as identifiers,
        (select count(*) from listing_sources s join listings l on l.id = s.listing_id) as sources,
        (select count(*) from listing_locations) as locations";
    let moved = json!({ "bookings": 1, "identifiers": 2, "sources": 3, "locations": 1 });
    assert_eq!(service.row(counts).await, moved);
    let changes = service.table("field, old_value, new_value from listing_changes order by id").await;
    let expected = json!([["price_egc", "90", "80"], ["price_egc", "100", "80"], ["status", "for_sale", "withdrawn"],]);
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn a_corrected_vin_takes_the_identifier_along_and_leaves_the_wrong_one_withdrawn() {
    let service = service().await;
    post(&service, &[car(1).at(0).price(100), car(1).vin(1).at(1).price(90), car(1).at(2).price(80)]).await;
    assert_eq!(stock(&service).await, json!([["1", vin(1), 80, "for_sale"]]));
    post(&service, &[car(1).vin(2).at(3).withdrawn()]).await;
    let corrected = json!([["1", vin(1), 90, "withdrawn"], ["1", vin(2), 80, "withdrawn"]]);
    assert_eq!(stock(&service).await, corrected, "what named no VIN moved, and each row shows its own content again");
    post(&service, &[car(1).vin(2).at(5).price(70), car(1).vin(1).at(4).price(60)]).await;
    let late = json!([["1", vin(1), 60, "withdrawn"], ["1", vin(2), 70, "for_sale"]]);
    assert_eq!(stock(&service).await, late);
}

#[tokio::test]
async fn a_content_that_comes_back_from_the_database_is_whole() {
    let service = service().await;
    let page = fixture("dealer_studio/inventory/page_example.json");
    let whole = "select to_jsonb(l) - 'updated_at' as listing,
        (select jsonb_agg(to_jsonb(p) order by package_id) from listing_packages p where p.listing_id = l.id) as packages,
        (select jsonb_agg(to_jsonb(k)) from listing_locations k where k.listing_id = l.id) as locations
        from listings l where vin = 'ZARPAHJN2P7D66539'";
    service.vehicle(&page).await;
    let before = service.row(whole).await;
    // Identifier 7 named the same VIN once, and now says more of the car without naming it.
    let mut other = page.clone();
    other["Identifier"] = json!(7);
    other["LastModifiedUtc"] = json!("2020-01-01T00:00:00Z");
    service.vehicle(&other).await;
    assert_eq!(service.row(whole).await, before);
    for field in ["SubscriptionPricing", "PriceList", "Features", "Identification"] {
        other[field] = json!([]);
    }
    other["LastModifiedUtc"] = json!("2024-09-02T00:00:00Z");
    service.vehicle(&other).await;
    let row = service.row(whole).await;
    assert_eq!((&row["listing"]["identifier"], &row["packages"]), (&json!("7"), &Value::Null));
    // Then it turns out to be another car's.
    other["SaleStatus"] = json!("WITHDRAWN");
    other["LastModifiedUtc"] = json!("2024-09-03T00:00:00Z");
    other["Identification"] = json!([{ "Type": "VIN", "Value": vin(1) }]);
    service.vehicle(&other).await;
    assert_eq!(service.row(whole).await, before);
}

#[tokio::test]
async fn every_change_of_price_and_status_is_kept_with_the_senders_time() {
    let service = service().await;
    post(&service, &[car(1).vin(1).at(0).price(100), car(1).vin(1).at(1).price(100), car(1).vin(1).at(2).price(90)])
        .await;
    post(&service, &[car(1).vin(1).at(3).withdrawn(), car(1).vin(1).at(4)]).await;
    let changes = service.table("field, old_value, new_value, changed_at from listing_changes order by id").await;
    let expected = json!([
        ["price_egc", "100", "90", minute(2)],
        ["status", "for_sale", "withdrawn", minute(3)],
        ["price_egc", "90", null, minute(4)],
        ["status", "withdrawn", "for_sale", minute(4)],
    ]);
    assert_eq!(changes, expected);
    post(&service, &[car(1).vin(1).withdrawn().without("LastModifiedUtc")]).await;
    let since = "select l.withdrawn_at = c.changed_at and c.changed_at >= l.created_at as arrival
        from listings l join listing_changes c on c.listing_id = l.id order by c.id desc limit 1";
    assert_eq!(service.row(since).await, json!({ "arrival": true }), "a withdrawal without a time has its arrival's");
}

#[tokio::test]
async fn a_lead_that_waits_is_booked_by_any_delivery_that_lists_its_car() {
    let service = service().await;
    let state = || service.rows("select booking_state from leads order by id");
    // The delivery names neither the VIN nor the stock number that the leads wait for.
    post(&service, &[car(1).vin(1).number("N1").at(0).withdrawn().location("Dealer A", "A")]).await;
    assert_eq!(service.lead(&lead_for(Some(&vin(1)), None)).await.codes(), ["asset_archived"]);
    post(&service, &[car(1).at(1).location("Dealer A", "A")]).await;
    assert_eq!(state().await, [json!({ "booking_state": "created" })]);
    // The delivery is about another car, which gives the stock number back.
    post(&service, &[car(2).vin(2).number("N2").at(2).location("Dealer A", "A"), car(3).vin(3).number("N2").at(3)])
        .await;
    assert_eq!(service.lead(&lead_for(Some(&vin(2)), None)).await.codes(), ["asset_archived"]);
    post(&service, &[car(3).vin(3).number("N3").at(4)]).await;
    assert_eq!(state().await[1], json!({ "booking_state": "created" }));
}

#[tokio::test]
async fn a_booking_follows_when_the_leads_own_car_and_location_become_known() {
    let service = service().await;
    let booked = || {
        service.row(
            "select l.identifier, o.name from bookings b join listings l on l.id = b.listing_id
                join locations o on o.id = b.location_id",
        )
    };
    let mut lead = lead_for(None, Some("N1"));
    lead["location"] = json!({ "location_name": "The Yard" });
    post(&service, &[car(1).vin(1).number("N1").of(357).location("Lot", "A")]).await;
    assert_eq!(service.lead(&lead).await.body["booking"], "created");
    assert_eq!(booked().await, json!({ "identifier": "1", "name": "Lot" }));

    post(&service, &[car(2).vin(2).number("N1").location("Lot", "A")]).await;
    assert_eq!(booked().await, json!({ "identifier": "2", "name": "Lot" }), "the lead's dealership comes first");
    let listed = service.vehicle(car(3).vin(3).withdrawn().location("the yard", "B").body()).await;
    assert_eq!(listed.outcome(), "applied");
    assert_eq!(booked().await, json!({ "identifier": "2", "name": "the yard" }), "the location that the lead named");
    post(&service, &[car(2).vin(2).number("N1").at(1).withdrawn().location("Lot", "A")]).await;
    assert_eq!(booked().await, json!({ "identifier": "2", "name": "the yard" }), "a withdrawal undoes nothing");
}

/// Everything about vehicles that does not depend on ids and arrival times.
async fn dump(service: &TestService) -> BTreeMap<&'static str, Vec<Value>> {
    let queries = [
        (
            "listings",
            "select coalesce(l.vin, 'of ' || l.identifier) as name,
                to_jsonb(l) - array['id', 'created_at', 'updated_at', 'content_arrived_at'] as columns,
                array(select o.name_key from listing_locations k join locations o on o.id = k.location_id
                    where k.listing_id = l.id order by k.position) as locations,
                array(select g.name || ' ' || p.daily_price from listing_packages p join packages g on g.id = p.package_id
                    where p.listing_id = l.id order by 1) as packages
            from listings l order by 1",
        ),
        (
            "identifiers",
            "select i.identifier, coalesce(l.vin, 'of ' || l.identifier) as vehicle, i.status, i.source_modified_at,
                i.for_sale_at, i.vin, i.vin_at
            from listing_identifiers i join listings l on l.id = i.listing_id order by 1",
        ),
        (
            "sources",
            "select s.identifier, s.vin, coalesce(l.vin, 'of ' || l.identifier) as vehicle, s.for_sale,
                s.source_modified_at, s.stock_number, s.dealership_id, s.fingerprint, s.content
            from listing_sources s join listings l on l.id = s.listing_id order by 1, 2",
        ),
        ("locations", "select to_jsonb(o) - array['id', 'reported_arrived_at'] as columns from locations o order by name_key"),
        ("packages", "select name, active, configured, reported from packages order by 1"),
    ];
    let mut dump = BTreeMap::new();
    for (name, query) in queries {
        dump.insert(name, service.rows(query).await);
    }
    dump
}

/// A history of a few cars that have much to do with each other; each delivery is later than the one before.
fn history(dice: &mut impl FnMut(u64) -> u64) -> Vec<Car> {
    let mut cars = Vec::new();
    for minutes in 0..24 {
        let mut car = car(i64::try_from(dice(4)).unwrap()).at(minutes).told(&format!("told {}", dice(3)));
        car = match dice(5) {
            0 | 1 => car,
            other => car.vin(usize::try_from(other).unwrap()),
        };
        car = match dice(4) {
            0 => car,
            number => car.number(&format!("N{number}")),
        };
        car = match dice(4) {
            0 => car.package("Starter", i64::try_from(dice(3)).unwrap()),
            1 => car.package("Premium", 4).location("yard", &format!("Street {minutes}")),
            _ => car.price(i64::try_from(100 + dice(3)).unwrap()).location("Yard", "Street"),
        };
        car = if dice(3) == 0 { car.withdrawn() } else { car };
        cars.push(if dice(4) == 0 { car.of(357) } else { car });
    }
    cars
}

#[tokio::test]
async fn any_order_any_repetition_and_any_batches_leave_the_same_tables() {
    let mut seed = 42_u64;
    let mut dice = move |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    for _ in 0..3 {
        let history = history(&mut dice);
        let in_order = service().await;
        post(&in_order, &history).await;
        let expected = dump(&in_order).await;
        assert!(expected["listings"].len() >= 3);
        for way in 0..4 {
            let mut shuffled: Vec<&Car> = history.iter().chain(&history[..8]).collect();
            for index in (1..shuffled.len()).rev() {
                shuffled.swap(index, usize::try_from(dice(u64::try_from(index).unwrap() + 1)).unwrap());
            }
            let service = service().await;
            // The first is written alone; the others gather meanwhile and are written together.
            for together in shuffled.chunks(if way == 0 { 1 } else { 3 * way }) {
                for answer in join_all(together.iter().map(|car| service.vehicle(car.body()))).await {
                    assert!(answer.body["outcome"] == "applied" || answer.body["outcome"] == "unchanged", "{answer:?}");
                }
            }
            let tables = dump(&service).await;
            for (name, rows) in &expected {
                assert_eq!(&tables[name], rows, "{name}");
            }
        }
    }
}
