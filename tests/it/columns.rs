//! Where the documented fields are found in the tables, and that hearing them again writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta};
use forecourt::domain::feed::Feed;
use serde_json::{Value, json};

use crate::support::service::CONFIG;
use crate::support::{Answer, BUSINESS, TestService, fixture, fixtures, named_fixtures, service_with, tables};

/// Every dealership that the pages' examples name.
fn configuration() -> String {
    CONFIG.replace("[356, 357]", "[356, 357, 3, 121]")
}

async fn service_for_the_pages() -> TestService {
    service_with(&configuration()).await
}

/// The scalars in a value, each with its path.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, value, found);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                leaves(&format!("{path}[{position}]"), item, found);
            }
        }
        Value::Null => {}
        scalar @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            found.push((path.to_owned(), scalar.clone()));
        }
    }
}

/// One form for what is the same: numbers without trailing zeros, times in UTC, days as ISO, texts in lower case.
fn normal(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number.to_string();
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return time.timestamp_micros().to_string();
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%d/%m/%Y") {
        return day.to_string();
    }
    text.to_lowercase()
}

/// Fields whose value decides what others mean, or is read as a value of a kind; these stay as the page has them.
const AS_PRINTED: [&str; 31] = [
    "iat",
    "data.email",
    "data.phone",
    "dealership_id",
    "contact.email",
    "contact.mobile_phone",
    "prospect.home_phone",
    "budget",
    "lead_events[0].event_type",
    "lead_events[0].followup_status",
    "dealership.id",
    "Seller.Identifier",
    "SaleStatus",
    "Type",
    "ListingType",
    "SaleType",
    "category",
    "source",
    "item.type",
    "item.status",
    "item.third_party_integrations[0].service",
    "prospect.email",
    "prospect.mobile_phone",
    "prospect.address.country",
    "prospect.address.state",
    "additional_details.license_state",
    "lead_status_option.status_type",
    "marketing_source",
    "Seller.Contact.Phone",
    "Seller.Addresses[0].State",
    "additional_details.marketing_opt_in",
];

/// The example with a value in every field that stands in no other: a text gets a number behind it, a number becomes
/// another, a time a later one. So whatever is found of a field was read from that field.
fn distinct(path: &str, value: &mut Value, next: &mut u32) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                distinct(&path, value, next);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                distinct(&format!("{path}[{position}]"), item, next);
            }
        }
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) | Value::String(_) if AS_PRINTED.contains(&of_a_lead(path)) || is_kind(path) => {}
        Value::String(_) if path == "event" => {}
        Value::Number(_) => {
            *next += 1;
            *value = json!(*next);
        }
        Value::String(text) => {
            let is_time = NaiveDate::parse_from_str(text, "%d/%m/%Y").is_ok() || text.starts_with("2025-09-");
            *next += 1;
            if let Ok(time) = DateTime::parse_from_rfc3339(text) {
                *text = (time + TimeDelta::seconds((*next % 1_000).into())).to_rfc3339();
            } else if text.parse::<f64>().is_ok() {
                *text = next.to_string();
            } else if !is_time && !text.is_empty() {
                *text = format!("{text}X{next}");
            }
        }
    }
}

/// The path of a field inside a cluster's lead as in the lead feed.
fn of_a_lead(path: &str) -> &str {
    path.strip_prefix("leads[0].").unwrap_or(path)
}

/// Whether a field of a list says what kind of entry it is in.
fn is_kind(path: &str) -> bool {
    let in_list = path.contains(']') || path.starts_with("Colours");
    let kinds = ["].Type", "].Name", "].UnitOfMeasure", "].Location", "].status", "].Currency"];
    in_list && kinds.iter().any(|kind| path.ends_with(kind)) && !path.starts_with("SubscriptionPricing")
}

/// What stands in some column, by table and column, scalars of `jsonb` included.
async fn stored(service: &TestService) -> BTreeMap<String, BTreeSet<String>> {
    let mut stored: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in tables(&service.database.pool, BUSINESS).await {
        // What the service keeps for itself is not what people look at.
        let own = "- '{clocks,membership,appointments_as_of,as_of,configured,reported,fingerprint}'::text[]";
        if table == "public.listing_sources" {
            continue;
        }
        for row in service.rows(&format!("select (to_jsonb(t) {own}) as row from {table} t")).await {
            let mut found = Vec::new();
            leaves("", &row["row"], &mut found);
            for (column, value) in found {
                stored.entry(normal(&value)).or_default().insert(format!("{table}.{column}"));
            }
        }
    }
    stored
}

/// Fields that are found in another form, and where.
const IN_ANOTHER_FORM: [(&str, &str); 7] = [
    // As E.164.
    ("prospect.mobile_phone", "public.persons.mobile_phone"),
    ("leads[0].prospect.mobile_phone", "public.leads.contact_phone"),
    ("leads[0].prospect.home_phone", "public.leads.contact_home_phone"),
    ("contact.mobile_phone", "public.lead_clusters.contact_phone"),
    ("data.phone", "public.leads.contact_phone"),
    // Money as a number.
    ("leads[0].budget", "public.leads.budget"),
    ("Seller.Contact.Phone", "public.locations.phone"),
];

/// What says how a LeadPro delivery came, and nothing of the lead.
const ENVELOPE: [&str; 8] = ["event", "iat", "exp", "nbf", "iss", "aud", "sub", "jti"];

/// Posts an example with distinct values, and looks for each of them in the tables.
async fn every_field_is_found(
    service: TestService,
    path: &str,
    post: impl AsyncFn(&TestService, &Value) -> Answer,
    at_least: usize,
) {
    let mut payload = fixture(path);
    distinct("", &mut payload, &mut 700_000);
    let answer = post(&service, &payload).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    let drift = service.rows("select path from intake.drift").await;
    assert!(drift.is_empty(), "{path}: {drift:?}");

    let stored = stored(&service).await;
    let mut fields = Vec::new();
    leaves("", &payload, &mut fields);
    fields.retain(|(field, value)| value != "" && !ENVELOPE.contains(&field.as_str()));
    assert!(fields.len() >= at_least, "{path} has {} fields", fields.len());
    let mut missing = Vec::new();
    for (field, value) in &fields {
        let elsewhere = IN_ANOTHER_FORM.iter().find(|(known, _)| known == field).map(|(_, column)| *column);
        let found = match elsewhere {
            Some(column) => stored.values().flatten().any(|known| known == column),
            None => stored.contains_key(&normal(value)),
        };
        if !found {
            missing.push(format!("{field} = {value}"));
        }
    }
    assert!(missing.is_empty(), "{path}: {missing:#?}");
}

#[tokio::test]
async fn every_field_of_the_lead_pages_example_is_found_in_a_column() {
    let post = async |service: &TestService, payload: &Value| service.lead(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/lead/lead_page_example.json", post, 75).await;
}

#[tokio::test]
async fn every_field_of_loopits_example_is_found_in_a_column() {
    let post = async |service: &TestService, payload: &Value| service.lead(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/lead/loopit_page_example.json", post, 75).await;
}

#[tokio::test]
async fn every_field_of_the_inventory_pages_example_is_found_in_a_column() {
    // The example of a withdrawal names no dealership: it is the only one of its credential.
    let only = configuration().replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    for (example, fields) in [("page_example", 150), ("page_withdrawn_example", 5)] {
        let post = async |service: &TestService, payload: &Value| service.vehicle(payload).await;
        let path = format!("dealer_studio/inventory/{example}.json");
        every_field_is_found(service_with(&only).await, &path, post, fields).await;
    }
}

#[tokio::test]
async fn every_field_of_the_cluster_pages_example_is_found_in_a_column() {
    let post = async |service: &TestService, payload: &Value| service.cluster(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/lead_cluster/page_example.json", post, 80).await;
}

#[tokio::test]
async fn every_field_of_leadpros_page_is_found_in_a_column() {
    // Its payloads name no dealership: the credential has one workspace.
    let only = configuration().replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    for (example, fields) in [("page_example", 18), ("every_field", 50)] {
        let post =
            async |service: &TestService, payload: &Value| service.post("/webhooks/leadpro", payload.to_string()).await;
        let path = format!("leadpro/leadpro_lead/{example}.json");
        every_field_is_found(service_with(&only).await, &path, post, fields).await;
    }
}

#[tokio::test]
async fn every_field_that_any_example_has_is_found_in_a_column() {
    let post = async |service: &TestService, payload: &Value| service.lead(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/lead/every_field.json", post, 90).await;
    let post = async |service: &TestService, payload: &Value| service.vehicle(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/inventory/every_field.json", post, 80).await;
    let post = async |service: &TestService, payload: &Value| service.cluster(payload).await;
    every_field_is_found(service_for_the_pages().await, "dealer_studio/lead_cluster/every_field.json", post, 100).await;
}

#[tokio::test]
async fn what_is_true_or_false_stands_in_its_column() {
    for truth in [true, false] {
        let service = service_for_the_pages().await;
        let mut lead = fixture("dealer_studio/lead/lead_page_example.json");
        lead["prospect"]["opt_in_to_marketing"] = truth.into();
        lead["trade_in_data"]["offer_accepted"] = truth.into();
        lead["has_test_drives"] = truth.into();
        lead["appointments"] = json!([{ "id": 1, "ai_generated": truth }]);
        service.lead(&lead).await;
        let mut car = fixture("dealer_studio/inventory/page_example.json");
        car["Certification"]["Certified"] = truth.into();
        service.vehicle(&car).await;
        for column in [
            "persons.marketing_opt_in",
            "leads.contact_marketing_opt_in",
            "leads.has_test_drives",
            "trade_ins.offer_accepted",
            "appointments.ai_generated",
            "listings.certified",
        ] {
            let (table, column) = column.split_once('.').unwrap();
            assert_eq!(service.value(column, table).await, truth, "{table}.{column}");
        }
        let service = service_for_the_pages().await;
        let mut cluster = fixture("dealer_studio/lead_cluster/page_example.json");
        cluster["leads"][0]["subscription"]["newsletter"] = truth.into();
        cluster["leads"][0]["trade_in_data"]["offer_accepted"] = truth.into();
        service.cluster(&cluster).await;
        let expected = json!({ "contact_newsletter": truth, "offer_accepted": truth });
        service.expect_row("leads l join trade_ins t on t.lead_id = l.id", expected).await;
    }
}

/// The feeds of Dealer Studio.
const FEEDS: [Feed; 3] = [Feed::Inventory, Feed::Lead, Feed::LeadCluster];

#[tokio::test]
async fn every_fixture_sent_twice_is_unchanged_the_second_time_and_writes_no_row() {
    let service = service_for_the_pages().await;
    for feed in FEEDS {
        for (case, body) in named_fixtures(feed) {
            let first = service.post(feed.path(), body.clone()).await;
            let before = service.versions().await;
            let second = service.post(feed.path(), body).await;
            let expected = if first.body["outcome"] == "rejected" { "rejected" } else { "unchanged" };
            assert_eq!(second.body["outcome"], expected, "{feed:?} {case}: {second:?}");
            assert_eq!(service.versions().await, before, "{feed:?} {case}");
        }
    }
}

#[tokio::test]
async fn all_fixtures_sent_twice_leave_the_same_tables_as_once() {
    let service = service_for_the_pages().await;
    let mut once = None;
    for _ in 0..2 {
        for feed in FEEDS {
            for body in fixtures(feed) {
                service.post(feed.path(), body).await;
            }
        }
        let db_snapshot = crate::support::db_snapshot::db_snapshot(&service, "alpha").await;
        assert_eq!(*once.get_or_insert_with(|| db_snapshot.clone()), db_snapshot);
    }
}
