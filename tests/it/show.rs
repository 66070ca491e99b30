//! `forecourt show`: why something is as it is, told from first to last.
//!
//! What is told is compared with snapshots, in which arrivals and ids stand as if they were the same in every run.
//! `INSTA_UPDATE=always` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{NaiveDateTime, TimeDelta};
use forecourt::cli::show;
use forecourt::domain::feed::Feed;
use forecourt::intake::clock;
use forecourt::intake::story::{self, Event, Found, Key, Kind, Standing, Story};
use forecourt::store::Store;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::payloads::{VIN, car, enquiry, lead, names, with};
use crate::support::service::CONFIG;
use crate::support::{Answer, SECRETS, TestService, fixture, named_fixtures, service, service_with};

/// What a key names.
async fn found(service: &TestService, kind: Kind, key: &str, workspace: Option<&str>) -> Found {
    let store = Store::new(service.database.service_pool.clone(), 30);
    story::find(&store, &Key::of(kind, key).unwrap(), workspace, clock::now()).await.unwrap()
}

/// The only story of a key.
async fn told(service: &TestService, kind: Kind, key: &str) -> Story {
    let mut found = found(service, kind, key, None).await;
    assert_eq!((found.stories.len(), found.has_more), (1, false), "{kind:?} {key}: {found:#?}");
    found.stories.remove(0)
}

/// As it stands in a terminal.
async fn shown(service: &TestService, kind: Kind, key: &str) -> String {
    redacted(&show::text(&found(service, kind, key, None).await))
}

/// What a run of the program came to: its status, and what it printed and complained of.
fn run(service: &TestService, words: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    std::fs::write(&path, format!("{CONFIG}\n[database]\nallow_unsafe = true\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", folder.path());
    let output = command.env("DATABASE_URL", service.database.url()).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A text in which the ids of deliveries and what happened in this run are the same in every run.
fn redacted(text: &str) -> String {
    let mut ids: BTreeMap<Uuid, usize> = BTreeMap::new();
    let letters: Vec<char> = text.chars().collect();
    let mut told = String::new();
    let mut place = 0;
    while place < letters.len() {
        let window = |length: usize| letters.get(place..place + length).map(|window| window.iter().collect::<String>());
        let id = window(36).and_then(|window| window.parse::<Uuid>().ok()).filter(|id| id.get_version_num() == 7);
        let is_whole = |text: &String| text.starts_with(|first: char| first.is_ascii_digit()) && !text.ends_with(' ');
        let at = window(19)
            .filter(is_whole)
            .and_then(|window| NaiveDateTime::parse_from_str(&window, "%Y-%m-%d %H:%M:%S").ok());
        let is_recent = |at: &NaiveDateTime| *at > clock::now().naive_utc() - TimeDelta::days(2);
        if let Some(id) = id {
            let next = ids.len() + 1;
            let number = *ids.entry(id).or_insert(next);
            write!(told, "00000000-0000-7000-8000-{number:012}").unwrap();
            place += 36;
        } else if at.as_ref().is_some_and(is_recent) {
            told.push_str("the time of the run");
            place += 19;
        } else {
            told.push(letters[place]);
            place += 1;
        }
    }
    told
}

/// Compares with a snapshot below `tests/it/snapshots/show`.
fn assert_shown(folder: &str, case: &str, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots().join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(case, shown));
}

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/show")
}

/// The tests' configuration with every dealership that the pages' examples name; of LeadPro, and of withdrawals, which name
/// none, it is the only workspace of the credential.
fn configuration(feed: Feed) -> String {
    let config = CONFIG.replace("[356, 357]", "[356, 357, 3, 121]");
    match feed {
        Feed::Lead | Feed::LeadCluster => config,
        Feed::Inventory | Feed::LeadPro => config.replace("workspaces = \"all\"", "workspaces = [\"alpha\"]"),
    }
}

/// What the newest delivery is about, as it is asked for.
async fn subject(service: &TestService) -> (Kind, String) {
    let row = service
        .row(
            "select id::text, feed, coalesce(external_id, '') as about from intake.deliveries order by id desc limit 1",
        )
        .await;
    let about = row["about"].as_str().unwrap();
    let kind = match row["feed"].as_str().unwrap() {
        "lead_cluster" => Kind::Cluster,
        "inventory" => Kind::Vehicle,
        _ => Kind::Lead,
    };
    let is_told = !about.is_empty() && !found(service, kind, about, None).await.stories.is_empty();
    if is_told { (kind, about.to_owned()) } else { (Kind::Delivery, row["id"].as_str().unwrap().to_owned()) }
}

async fn every_fixture_is_told(feed: Feed) {
    let mut cases = BTreeSet::new();
    for (case, body) in named_fixtures(feed) {
        let service = service_with(&configuration(feed)).await;
        let answer = service.post(feed.path(), body).await;
        assert_eq!(answer.status, 200, "{case}");
        let (kind, key) = subject(&service).await;
        let shown = shown(&service, kind, &key).await;
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{case}: {shown}");
        assert_shown(feed.name(), &case, &shown);
        cases.insert(case);
    }
    for entry in std::fs::read_dir(snapshots().join(feed.name())).unwrap() {
        let path = entry.unwrap().path();
        assert!(cases.contains(path.file_stem().unwrap().to_str().unwrap()), "{}", path.display());
    }
}

#[tokio::test]
async fn every_fixture_of_a_lead_is_told_as_its_snapshot_says() {
    every_fixture_is_told(Feed::Lead).await;
}

#[tokio::test]
async fn every_fixture_of_a_cluster_is_told_as_its_snapshot_says() {
    every_fixture_is_told(Feed::LeadCluster).await;
}

#[tokio::test]
async fn every_fixture_of_a_vehicle_is_told_as_its_snapshot_says() {
    every_fixture_is_told(Feed::Inventory).await;
}

#[tokio::test]
async fn every_fixture_of_leadpro_is_told_as_its_snapshot_says() {
    every_fixture_is_told(Feed::LeadPro).await;
}

// ---- from blocked to booked

/// A lead that is blocked in three ways and heals: its customer corrects the address, the car comes, and the package with
/// another car.
async fn healed_history(service: &TestService) {
    let blocked = json!({ "prospect": { "email": "ann at example.com" }, "additional_details": { "subscription_plan": "Value" } });
    assert_eq!(service.lead(&lead(blocked)).await.body["booking"], "blocked");
    let corrected = json!({
        "updated_at": "2025-10-02T00:00:00Z", "additional_details": { "subscription_plan": "Value" },
        "lead_status_option": { "name": "Contacted" },
    });
    assert_eq!(service.lead(&lead(corrected)).await.body["booking"], "blocked");
    let of_lead = lead(json!({
        "updated_at": "2025-10-03T00:00:00Z", "additional_details": { "subscription_plan": "Value" },
        "lead_status_option": { "name": "Negotiating" },
    }));
    service.lead(&of_lead).await;
    assert_eq!(service.vehicle(&car(json!({}))).await.body["outcome"], "applied");
    let other = json!({
        "Identifier": 2, "LastModifiedUtc": "2025-10-05T00:00:00Z",
        "Identification": names(Some("JTDBR32E720999999"), Some("S2")),
        "SubscriptionPricing": [{ "Name": "Value", "WeeklyPrice": 300 }],
    });
    let healing = service.vehicle(&car(other)).await;
    assert!(healing.body.get("booking").is_none(), "the reply tells nothing of other leads: {healing:?}");
}

#[tokio::test]
async fn a_lead_that_healed_is_told_from_the_first_blocker_to_the_delivery_that_healed_it() {
    let service = service().await;
    healed_history(&service).await;
    assert_shown("", "healed_lead", &shown(&service, Kind::Lead, "1").await);
    let story = told(&service, Kind::Lead, "1").await;
    let healed: Vec<_> = story
        .timeline
        .iter()
        .filter_map(|entry| if let Event::Healed(healed) = &entry.event { Some(healed) } else { None })
        .collect();
    assert_eq!(healed.len(), 1);
    let made: Uuid = service.database.value("select delivery_id from bookings").await;
    let of_other_car: Uuid =
        service.database.value("select id from intake.deliveries where feed = 'inventory' and external_id = '2'").await;
    assert_eq!((healed[0].delivery_id, made), (Some(of_other_car), of_other_car));
    let first = story.timeline.iter().find_map(|entry| match &entry.event {
        Event::Delivery(delivery) => Some(delivery),
        Event::Change(_) | Event::Healed(_) | Event::Erased => None,
    });
    // The address was mended by the lead's second delivery, and what was missing came with the car and the other car.
    let second: Uuid = service
        .database
        .value("select id from intake.deliveries where feed = 'lead' order by id offset 1 limit 1")
        .await;
    let gone: Vec<_> =
        first.unwrap().findings.iter().filter_map(|finding| Some((finding.code.as_str(), finding.blocker?))).collect();
    let by = |id| Standing::Gone { by: Some(id) };
    let car: Uuid =
        service.database.value("select id from intake.deliveries where feed = 'inventory' and external_id = '1'").await;
    let expected =
        [("email_invalid", by(second)), ("asset_not_found", by(car)), ("package_not_found", by(of_other_car))];
    assert_eq!(gone, expected);
}

#[tokio::test]
async fn what_stood_in_the_way_is_gone_since_the_car_came_whatever_else_stood_there() {
    let service = service().await;
    let misspelled = json!({ "additional_details": { "subscription_plan": "Premum" } });
    service.lead(&lead(misspelled)).await;
    let car = service.vehicle(&car(json!({}))).await;
    let gone_since = async || {
        let story = told(&service, Kind::Lead, "1").await;
        let first = story.timeline.iter().find_map(|entry| match &entry.event {
            Event::Delivery(delivery) => Some(delivery.findings.clone()),
            Event::Change(_) | Event::Healed(_) | Event::Erased => None,
        });
        first.unwrap().into_iter().map(|finding| (finding.code, finding.blocker)).collect::<BTreeMap<_, _>>()
    };
    let by = |answer: &Answer| Some(Standing::Gone { by: Some(answer.id().parse().unwrap()) });
    let gone = gone_since().await;
    assert_eq!((gone["asset_not_found"], gone["package_not_found"]), (by(&car), Some(Standing::Stands)));
    let corrected =
        json!({ "updated_at": "2025-10-09T00:00:00Z", "additional_details": { "subscription_plan": "Premium" } });
    let corrected = service.lead(&lead(corrected)).await;
    assert_eq!(corrected.body["booking"], "created");
    let gone = gone_since().await;
    assert_eq!((gone["asset_not_found"], gone["package_not_found"]), (by(&car), by(&corrected)));
}

#[tokio::test]
async fn a_lead_is_found_by_what_was_given_as_an_address_and_is_none() {
    let service = service().await;
    for (id, address) in [(1, "jo@gmail,com"), (2, "jo at example")] {
        let answer = service.lead(&lead(json!({ "id": id, "prospect": { "email": address } }))).await;
        assert!(answer.codes().contains(&"email_invalid"), "{answer:?}");
        for key in [address.to_owned(), format!(" {} ", address.to_uppercase())] {
            let story = told(&service, Kind::Person, &key).await;
            assert_eq!(story.leads[0].external_id, id.to_string(), "{key}");
        }
    }
}

#[tokio::test]
async fn an_inventory_delivery_that_healed_three_leads_says_so() {
    let service = service().await;
    for id in [1, 2, 3] {
        let of = lead(json!({ "id": id, "prospect": { "email": format!("ann{id}@example.com") } }));
        assert_eq!(service.lead(&of).await.body["booking"], "blocked");
    }
    let answer = service.vehicle(&car(json!({}))).await;
    let changes = service.record(&answer).await["changes"].clone();
    assert_eq!(changes, json!({ "listing": "created", "other_bookings": { "created": ["1", "2", "3"] } }));
    assert_eq!(service.count(&format!("bookings where delivery_id = '{}'", answer.id())).await, 3);
    assert_shown("", "healing_delivery", &shown(&service, Kind::Delivery, answer.id()).await);
    // What was done once stays said when it is done again and writes nothing.
    let again = service.vehicle(&car(json!({}))).await;
    assert_eq!(service.record(&again).await["changes"], json!({ "listing": "unchanged" }));
}

#[tokio::test]
async fn a_booking_says_whose_delivery_made_it_and_none_where_the_configuration_did() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let own = service.lead(&lead(json!({}))).await;
    assert_eq!(service.row("select delivery_id from bookings").await["delivery_id"], own.id());
    let plan = json!({ "id": 2, "prospect": { "email": "bob@example.com" }, "additional_details": { "subscription_plan": "Value" } });
    assert_eq!(service.lead(&lead(plan)).await.body["booking"], "blocked");
    service.reload(&CONFIG.replace("\"Starter\"]", "\"Starter\", \"Value\"]")).await;
    let booking =
        service.row("select delivery_id from bookings b join leads l on l.id = b.lead_id where l.external_id = '2'");
    assert_eq!(booking.await["delivery_id"], Value::Null);
    assert_shown("", "healed_by_the_configuration", &shown(&service, Kind::Lead, "2").await);
    // A newer delivery that changes the booking is named in the place of the first.
    let moved =
        json!({ "updated_at": "2025-10-09T00:00:00Z", "additional_details": { "subscription_plan": "Starter" } });
    let moved = service.lead(&lead(moved)).await;
    assert_eq!(moved.body["booking"], "updated");
    let row =
        service.row("select delivery_id from bookings b join leads l on l.id = b.lead_id where l.external_id = '1'");
    assert_eq!(row.await["delivery_id"], moved.id());
}

#[tokio::test]
async fn the_lead_that_heals_while_the_examples_are_sent_is_told() {
    let service = service_with(&CONFIG.replace("[356, 357]", "[356, 357, 3, 121]")).await;
    for (feed, case) in [
        (Feed::Lead, "loopit_page_example"),
        (Feed::Inventory, "vehicle_of_the_loopit_example"),
        (Feed::Inventory, "page_example"),
        (Feed::Lead, "lead_for_the_inventory_page_car"),
        (Feed::Lead, "lead_page_example"),
        (Feed::LeadCluster, "page_example"),
    ] {
        let path = format!("{}/{}/{case}.json", feed.sender(), feed.name());
        let answer = service.post(feed.path(), fixture(&path).to_string()).await;
        assert_eq!(answer.body["outcome"], "applied", "{case}: {answer:?}");
    }
    assert_shown("", "examples_of_send", &shown(&service, Kind::Lead, "1759346").await);
    let story = told(&service, Kind::Lead, "1759346").await;
    assert_eq!(story.leads[0].booking_state, "created");
    assert!(story.timeline.iter().any(|entry| matches!(entry.event, Event::Healed(_))), "{story:#?}");
}

#[tokio::test]
async fn a_booking_from_before_is_given_the_delivery_that_arrived_when_it_changed() {
    let service = service().await;
    let healed = service.lead(&lead(json!({}))).await;
    assert_eq!(healed.body["booking"], "blocked");
    let of_car = service.vehicle(&car(json!({}))).await;
    let own = service.lead(&lead(json!({ "id": 2, "prospect": { "email": "bob@example.com" } }))).await;
    let plan = json!({ "id": 3, "prospect": { "email": "cid@example.com" }, "additional_details": { "subscription_plan": "Value" } });
    service.lead(&lead(plan)).await;
    service.reload(&CONFIG.replace("\"Starter\"]", "\"Starter\", \"Value\"]")).await;
    service.database.execute("update bookings set delivery_id = null").await;
    service.database.execute(include_str!("../../migrations/0030_deliveries_of_bookings.sql")).await;
    let query = "select l.external_id, b.delivery_id from bookings b join leads l on l.id = b.lead_id order by 1";
    let found: Vec<Value> = service.rows(query).await.into_iter().map(|row| row["delivery_id"].clone()).collect();
    assert_eq!(found, [json!(of_car.id()), json!(own.id()), Value::Null]);
}

// ---- keys

#[tokio::test]
async fn each_key_finds_what_it_names() {
    let service = service().await;
    let payload = json!({
        "prospect": { "first_name": "Ann", "last_name": "Lee", "mobile_phone": "0412 345 678" }, "lead_cluster_id": 77,
        "item": { "vin": VIN, "stock_number": "S1" },
    });
    let answer = service.lead(&lead(payload)).await;
    let registered = json!({ "Registration": { "Number": "ABC 123" }, "Identifier": 4711 });
    service.vehicle(&car(registered)).await;
    for (kind, key) in [
        (Kind::Lead, "1"),
        (Kind::Person, "ANN@example.com"),
        (Kind::Person, "0412345678"),
        (Kind::Person, "+61 412 345 678"),
        (Kind::Cluster, "77"),
        (Kind::Vehicle, VIN),
        (Kind::Vehicle, "jtdbr32e7 20123456"),
        (Kind::Vehicle, "s1"),
        (Kind::Vehicle, "4711"),
        (Kind::Vehicle, "abc123"),
        (Kind::Delivery, answer.id()),
    ] {
        let story = told(&service, kind, key).await;
        assert_eq!(story.leads.len(), 1, "{kind:?} {key}: {story:#?}");
        assert_eq!(story.leads[0].booking_state, "created", "{kind:?} {key}");
        let anything = Key::parse(key).unwrap();
        let tables = Store::new(service.database.service_pool.clone(), 30);
        let found = story::find(&tables, &anything, None, clock::now()).await.unwrap();
        assert!(found.stories.iter().any(|other| other.kind == kind), "{key}: {found:#?}");
    }
    assert_shown("", "person", &shown(&service, Kind::Person, "ann@example.com").await);
    assert_shown("", "vehicle", &shown(&service, Kind::Vehicle, VIN).await);
    assert_shown("", "cluster", &shown(&service, Kind::Cluster, "77").await);
}

#[tokio::test]
async fn a_customer_who_is_none_yet_and_a_vehicle_that_is_not_in_stock_are_told_by_their_leads() {
    let service = service().await;
    let born_wrongly =
        json!({ "prospect": { "email": "ann@example.com", "dob": "31/02/1980", "mobile_phone": "0412 345 678" } });
    service.lead(&lead(born_wrongly)).await;
    for (kind, key) in [(Kind::Person, "ann@example.com"), (Kind::Person, "0412 345 678"), (Kind::Vehicle, VIN)] {
        let story = told(&service, kind, key).await;
        let blockers: Vec<&str> = story.leads[0].blockers.iter().map(|blocker| blocker.code.as_str()).collect();
        assert_eq!(blockers, ["date_invalid", "asset_not_found"], "{kind:?} {key}");
    }
    assert_shown("", "nobody_yet", &shown(&service, Kind::Person, "ann@example.com").await);
}

#[tokio::test]
async fn several_workspaces_are_all_told_and_one_can_be_asked_for() {
    let service = service().await;
    service.lead(&lead(json!({}))).await;
    service.lead(&lead(json!({ "dealership": { "id": 285 } }))).await;
    let slugs = |found: &Found| -> Vec<String> {
        found.stories.iter().map(|story| story.workspace.as_ref().unwrap().slug.clone()).collect()
    };
    let all = found(&service, Kind::Lead, "1", None).await;
    assert_eq!(slugs(&all), ["alpha", "beta"]);
    assert_shown("", "two_workspaces", &redacted(&show::text(&all)));
    assert_eq!(slugs(&found(&service, Kind::Lead, "1", Some("beta")).await), ["beta"]);
    let (status, out, error) = run(&service, &["show", "lead", "1", "--workspace", "beta"]);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.contains("workspace beta") && !out.contains("workspace alpha"), "{out}");
    let (status, _, error) = run(&service, &["show", "lead", "1", "--workspace", "gamma"]);
    assert_eq!((status, error.as_str()), (Some(2), "there is no workspace `gamma`\n"));
}

#[tokio::test]
async fn what_nearly_fits_is_offered() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    for (id, plan, near) in [
        (1, "starter", "no package `starter`; there is `Starter`"),
        (2, "Premum", "no package `Premum`; there is `Premium`"),
        (3, "Weekender", "no package `Weekender`; there are `Premium`, `Starter`"),
    ] {
        service.lead(&lead(json!({ "id": id, "additional_details": { "subscription_plan": plan } }))).await;
        let story = told(&service, Kind::Lead, &id.to_string()).await;
        assert_eq!(story.leads[0].blockers[0].near_miss.as_deref(), Some(near));
        let is_first = story.leads[0].blockers[0].remedy.starts_with("If that one is meant, have the sender");
        assert_eq!(is_first, id < 3, "{story:?}");
    }
    let other_vin = json!({ "id": 4, "item": { "vin": "JTDBR32E720123457", "stock_number": "S1" } });
    service.lead(&lead(other_vin)).await;
    let story = told(&service, Kind::Lead, "4").await;
    let near = format!("no vehicle has VIN JTDBR32E720123457; stock number S1 is the vehicle with VIN {VIN}");
    assert_eq!(story.leads[0].blockers[0].near_miss.as_deref(), Some(near.as_str()));
    let closed = json!({
        "Identifier": 9, "Identification": names(Some("JTDBR32E720888888"), None), "Seller": { "LocationName": null },
    });
    service.vehicle(&car(closed)).await;
    let at_closed =
        json!({ "id": 5, "item": { "vin": "JTDBR32E720888888" }, "location": { "location_name": "CLOSED" } });
    service.lead(&lead(at_closed)).await;
    let story = told(&service, Kind::Lead, "5").await;
    let near = "there is a location `Closed`, which the configuration does not make bookable";
    assert_eq!(story.leads[0].blockers[0].near_miss.as_deref(), Some(near), "{:#?}", story.leads);
}

#[tokio::test]
async fn what_is_not_there_ends_with_one_sentence_that_says_what_is() {
    let service = service().await;
    service.lead(&lead(json!({ "lead_cluster_id": 77 }))).await;
    let (status, out, error) = run(&service, &["show", "lead", "4"]);
    assert_eq!((status, out.as_str(), error.as_str()), (Some(1), "", "there is no lead `4`\n"));
    let (status, _, error) = run(&service, &["show", "lead", "77"]);
    assert_eq!((status, error.as_str()), (Some(1), "there is no lead `77`; there is a cluster `77`\n"));
    let (status, _, error) = run(&service, &["show", "lead", "1", "--workspace", "beta"]);
    let expected = "there is no lead `1` in workspace `beta`; there is a lead `1` in workspace `alpha`\n";
    assert_eq!((status, error.as_str()), (Some(1), expected));
    let (status, _, error) = run(&service, &["show", "person", "<ada@example.com>"]);
    assert!(
        status == Some(1) && error.contains("`<ada@example.com>`; a delivery that was rejected is found by"),
        "{error}"
    );
    for words in [&["show", "delivery", "7"][..], &["show", "boat", "7"], &["show", "lead"], &["show", "lead", " "]] {
        let (status, _, error) = run(&service, words);
        assert_eq!((status, error.lines().count()), (Some(2), 1), "{words:?}: {error}");
    }
    let (status, out, _) = run(&service, &["show", "lead", "1", "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &found["stories"][0]["leads"][0]["booking_state"]), (Some(0), &json!("blocked")));
    assert_eq!(found["stories"][0]["timeline"][0]["event"], "delivery");
}

#[tokio::test]
async fn whoever_looks_changes_nothing_not_even_old_tables() {
    let service = service().await;
    service.lead(&lead(json!({}))).await;
    let (before, actions) = (service.versions().await, service.count("intake.actions").await);
    assert_eq!(run(&service, &["show", "lead", "1"]).0, Some(0));
    assert_eq!((service.versions().await, service.count("intake.actions").await), (before, actions));
    service
        .database
        .execute("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .await;
    let (status, _, error) = run(&service, &["show", "lead", "1"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("an older version"), "{error}");
}

// ---- what is not told, and what cannot be

#[tokio::test]
async fn what_belongs_to_no_workspace_is_told_with_the_reason() {
    let service = service().await;
    let answer = service.lead(&lead(json!({ "id": 8, "dealership": { "id": 999 } }))).await;
    assert_eq!(answer.body["outcome"], "rejected");
    assert_shown("", "of_no_workspace", &shown(&service, Kind::Lead, "8").await);
    let story = told(&service, Kind::Delivery, answer.id()).await;
    assert_eq!(story.workspace, None);
}

#[tokio::test]
async fn identity_documents_are_never_shown() {
    let service = service().await;
    let documents = json!({ "additional_details": {
        "license_number": "L-SECRET-1", "license_expiry": "01/02/2030", "license_dob": "01/02/1980",
        "passport_number": "P-SECRET-2", "passport_country": "AU", "passport_expiry": "01/02/2030",
        "passport_dob": "01/02/1980",
    } });
    let answer = service.lead(&lead(documents)).await;
    for (kind, key) in [(Kind::Lead, "1"), (Kind::Person, "ann@example.com"), (Kind::Delivery, answer.id())] {
        let found = found(&service, kind, key, None).await;
        let told = show::text(&found) + &serde_json::to_string(&found).unwrap();
        assert!(!told.contains("SECRET"), "{told}");
    }
    let told = shown(&service, Kind::Person, "ann@example.com").await;
    assert!(told.contains("driver licence") && told.contains("passport") && told.contains("not shown here"), "{told}");
}

#[tokio::test]
async fn an_erased_customer_is_told_as_erased_and_not_as_whom() {
    let service = service().await;
    service.lead(&lead(json!({ "comments": "call Ann", "lead_status_option": { "name": "New" } }))).await;
    let (status, _, error) = run(&service, &["erase", "--email", "ann@example.com"]);
    assert_eq!(status, Some(0), "{error}");
    let told = shown(&service, Kind::Lead, "1").await;
    assert!(!told.to_lowercase().contains("ann"), "{told}");
    assert_shown("", "erased_customer", &told);
    let found = found(&service, Kind::Person, "ann@example.com", None).await;
    assert!(found.stories.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn a_damaged_row_is_told_as_far_as_it_can_be_read() {
    let service = service().await;
    service.lead(&lead(json!({}))).await;
    for damage in [
        "update leads set booking_blockers = '{nonsense}', clocks = '7', wishes = '\"x\"', history = '[]'",
        "update intake.deliveries set findings = '\"x\"', changes = '[]', replays = '7'",
        "update intake.deliveries set findings = '[7, {\"code\": \"of_a_later_version\"}]'",
    ] {
        service.database.execute(damage).await;
        let (status, out, error) = run(&service, &["show", "lead", "1"]);
        assert_eq!((status, error.as_str()), (Some(0), ""), "{damage}");
        assert!(out.contains("Lead 1"), "{out}");
    }
    assert_shown("", "damaged_rows", &shown(&service, Kind::Lead, "1").await);
}

#[tokio::test]
async fn hostile_values_are_shown_and_steer_no_terminal() {
    let service = service().await;
    let hostile = json!({ "prospect": { "first_name": "<script>\u{1b}]0;x\u{7}\u{1b}[2J" }, "category": "a\r\nb" });
    service.lead(&with(enquiry(json!({})), hostile)).await;
    let told = shown(&service, Kind::Lead, "1").await;
    assert!(told.contains("<script>") && !told.contains('\u{1b}') && !told.contains('\r'), "{told:?}");
}

#[tokio::test]
async fn a_story_is_bounded() {
    let service = service().await;
    service
        .database
        .execute(
            "insert into persons (workspace_id, id, email, created_at, updated_at, clocks)
            select id, 9000000, 'many@example.com', now(), now(), '{}' from workspaces where slug = 'alpha';
            insert into leads (workspace_id, id, sender, external_id, person_id, booking_state, booking_blockers,
                received_at, updated_at, clocks)
            select w.id, 9000000 + n, 'dealer_studio', 'many' || n, 9000000, 'not_requested', '{}', now(), now(), '{}'
            from workspaces w, generate_series(1, 120) n where slug = 'alpha'",
        )
        .await;
    let story = told(&service, Kind::Person, "many@example.com").await;
    assert_eq!((story.leads.len(), story.has_more), (50, true));
    assert_eq!(story.leads[0].external_id, "many120", "the newest first");
}
