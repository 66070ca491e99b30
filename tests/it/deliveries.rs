//! The record of deliveries: what repetition leaves, what becomes of deliveries for dealerships that are configured
//! later, and how the tables explain themselves.

use forecourt::domain::feed::Feed;
use forecourt::domain::finding::Code;
use forecourt::intake::due;
use serde_json::{Value, json};

use crate::support::{CONFIG, TestService, fixture, fixtures, service, service_with, soon};

/// The documented examples, which together make one row of nearly every table.
fn examples() -> Vec<(Feed, Value)> {
    let lead = |case: &str| (Feed::Lead, fixture(&format!("dealer_studio/lead/{case}.json")));
    let car = |case: &str| (Feed::Inventory, fixture(&format!("dealer_studio/inventory/{case}.json")));
    // The page's vehicle at other times, because of two deliveries of one time the later one counts.
    let mut every_field = car("every_field");
    every_field.1["LastModifiedUtc"] = json!("2024-08-29T00:00:00Z");
    let mut withdrawal = car("page_withdrawn_example");
    withdrawal.1["LastModifiedUtc"] = json!("2024-08-31T00:00:00Z");
    vec![
        lead("loopit_page_example"),
        car("vehicle_of_the_loopit_example"),
        lead("every_field"),
        every_field,
        lead("licence_and_passport"),
        lead("appointments_in_a_gap_and_a_repeated_hour"),
        car("page_example"),
        withdrawal,
    ]
}

async fn post(service: &TestService, (feed, body): &(Feed, Value)) -> Value {
    let answer = service.post(feed.path(), body.to_string()).await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// One workspace that has every dealership of the fixtures.
fn whole_config() -> String {
    CONFIG.replace("[356, 357]", "[356, 357, 3, 121]")
}

#[tokio::test]
async fn the_same_deliveries_a_hundred_times_leave_the_tables_as_once() {
    let service = service_with(&whole_config()).await;
    for example in &examples() {
        post(&service, example).await;
    }
    let once = service.dump().await;
    for example in &examples() {
        assert_eq!(post(&service, example).await["outcome"], "unchanged", "{example:?}");
        assert_eq!(service.dump().await, once, "{example:?}");
    }
    let many: Vec<(Feed, Value)> = examples().into_iter().cycle().take(100 * examples().len()).collect();
    let posts = many.iter().map(|example| post(&service, example));
    for answer in futures_util::future::join_all(posts).await {
        assert_eq!(answer["outcome"], "unchanged");
    }
    assert_eq!(service.dump().await, once);
    let deliveries = i64::try_from(102 * examples().len()).unwrap();
    assert_eq!(service.count("intake.deliveries").await, deliveries);
}

#[tokio::test]
async fn every_fixture_twice_in_a_row_writes_nothing_the_second_time() {
    let service = service_with(&whole_config()).await;
    for feed in Feed::ALL {
        for body in fixtures(*feed) {
            let first = service.post(feed.path(), body.clone()).await;
            let before = service.dump().await;
            let second = service.post(feed.path(), body.clone()).await;
            let shown = String::from_utf8_lossy(&body).into_owned();
            let read: Value = serde_json::from_slice(&body).unwrap_or_default();
            if *feed == Feed::Lead && !says_when(&read) {
                // Its clock is the arrival, so the second one is newer; what people look at stays.
                for row in ["lead", "person"] {
                    assert_ne!(second.body[row], "updated", "{shown}");
                }
                continue;
            }
            assert_ne!(second.body["outcome"], "applied", "{first:?} {second:?} {shown}");
            assert_eq!(service.dump().await, before, "{shown}");
        }
    }
}

fn says_when(lead: &Value) -> bool {
    let said = |name: &str| lead[name].as_str().and_then(forecourt::domain::values::timestamp);
    [said("created"), said("updated_at")].into_iter().flatten().any(|time| time < forecourt::intake::clock::now())
}

#[tokio::test]
async fn a_list_of_appointments_that_was_overtaken_writes_nothing_when_it_is_sent_again() {
    let service = service().await;
    let lead = |id: i64, cluster: i64, second: i64, appointments: Value| {
        json!({
            "id": id, "lead_cluster_id": cluster, "created": "2025-10-03T06:00:00Z",
            "updated_at": format!("2025-10-03T06:00:{second:02}Z"), "dealership": {"id": 356},
            "prospect": {"email": "ada@example.com"}, "appointments": appointments,
        })
    };
    let first = lead(1, 5, 10, json!([{"id": 1}, {"id": 2}, {"id": 3}]));
    // One of them moves to another cluster, and later another is gone.
    let moved = lead(2, 6, 20, json!([{"id": 2}]));
    let later = lead(1, 5, 30, json!([{"id": 1}]));
    for (body, again) in
        [(&first, [&first].as_slice()), (&moved, &[&first, &moved]), (&later, &[&first, &moved, &later])]
    {
        assert_eq!(service.lead(body).await.body["outcome"], "applied");
        let before = service.dump().await;
        for body in again {
            assert_eq!(service.lead(body).await.body["outcome"], "unchanged", "{body}");
        }
        assert_eq!(service.dump().await, before);
    }
    let removed = service.rows("select external_id, removed_at is null as stands from appointments order by 1").await;
    let row = |id: &str, stands: bool| json!({"external_id": id, "stands": stands});
    assert_eq!(removed, [row("1", true), row("2", true), row("3", false)]);
}

#[tokio::test]
async fn every_code_stands_in_its_table_with_meaning_and_remedy() {
    let service = service().await;
    let rows = service.rows("select code, meaning, remedy from intake.finding_codes").await;
    assert_eq!(rows.len(), Code::ALL.len());
    for code in Code::ALL {
        let row = rows.iter().find(|row| row["code"] == code.name()).unwrap();
        assert_eq!((&row["meaning"], &row["remedy"]), (&json!(code.meaning()), &json!(code.remedy())));
        assert!(!code.meaning().is_empty() && !code.remedy().is_empty());
    }
    service.lead(&json!({"dealership": {"id": 356}, "prospect": {"email": "a"}})).await;
    let explained = service
        .rows(
            "select f->>'code' as code, c.remedy is not null as explained
            from intake.deliveries d cross join jsonb_array_elements(d.findings) f
            left join intake.finding_codes c on c.code = f->>'code' order by 1",
        )
        .await;
    let row = |code: &str| json!({"code": code, "explained": true});
    assert_eq!(explained, [row("email_invalid"), row("id_missing")]);
}

/// Waits until a query counts so many rows.
async fn wait_for(service: &TestService, from: &str, count: i64) {
    soon(&format!("{count} of {from}"), async || service.count(from).await == count).await;
}

fn lead_of(id: i64, dealership: i64) -> Value {
    json!({
        "id": id, "created": "2025-10-03T06:10:08Z", "dealership": {"id": dealership},
        "prospect": {"email": format!("ada{id}@example.com")},
    })
}

/// A second credential, whose permission the tests change.
fn with_second(config: &str, workspaces: &str) -> String {
    format!(
        "{config}\n[[credentials]]\nname = \"second\"\nscheme = \"api_key\"\nfeeds = \"all\"\n\
        workspaces = {workspaces}\nsecret_env = \"OTHER_TOKEN\"\n"
    )
}

#[tokio::test]
async fn deliveries_of_a_dealership_are_applied_by_themselves_once_it_is_configured() {
    let service = service_with(&with_second(CONFIG, "\"all\"")).await;
    for id in 0..3 {
        assert_eq!(service.lead(&lead_of(id, 999)).await.codes(), ["dealership_unknown"]);
    }
    let second =
        axum::http::Request::post("/webhooks/dealer-studio/leads").header("x-api-key", "another-token-of-the-tests");
    let by_second = service.send(second.body(lead_of(9, 999).to_string().into()).unwrap()).await;
    assert_eq!(by_second.codes(), ["dealership_unknown"]);
    assert_eq!(service.lead(&lead_of(4, 998)).await.codes(), ["dealership_unknown"]);
    let mut car = fixture("dealer_studio/inventory/in_stock.json");
    car["Seller"]["Identifier"] = json!(999);
    service.vehicle(&car).await;

    // A restart without news applies nothing.
    let service = service.restarted_with(&with_second(CONFIG, "\"all\"")).await;
    let retryable_rejections = service.intake().router().retryable();
    assert_eq!(due::round(service.intake(), &retryable_rejections).await.unwrap(), 0);

    // Now the dealership is there, and the second credential may no longer write to its workspace.
    let config = with_second(&CONFIG.replace("[285]", "[285, 999]"), "[\"alpha\"]");
    let service = service.restarted_with(&config).await;
    let again = tokio::spawn(due::run(service.intake().clone()));
    wait_for(&service, "intake.deliveries where outcome = 'applied' and workspace_id is not null", 4).await;
    wait_for(&service, "intake.deliveries where findings @> '[{\"code\": \"workspace_not_permitted\"}]'", 1).await;
    again.abort();

    let leads = service
        .rows("select l.external_id, w.slug from leads l join workspaces w on w.id = l.workspace_id order by 1")
        .await;
    let row = |id: &str| json!({"external_id": id, "slug": "beta"});
    assert_eq!(leads, [row("0"), row("1"), row("2")]);
    assert_eq!(service.count("listings").await, 1);
    let record = service.record(&by_second).await;
    assert_eq!((&record["outcome"], &record["workspace_id"]), (&json!("rejected"), &Value::Null));
    assert_eq!(
        service.count("intake.deliveries where outcome = 'applied' and attempts = 2 and findings = '[]'").await,
        4
    );
    assert_eq!(service.count("intake.deliveries").await, 6);

    // What is still unknown stays as it was, and nothing is tried twice.
    assert_eq!(service.count("intake.deliveries where attempts = 1 and dealership_id = 998").await, 1);
    let retryable_rejections = service.intake().router().retryable();
    assert_eq!(due::round(service.intake(), &retryable_rejections).await.unwrap(), 0);
}

#[tokio::test]
async fn deliveries_of_a_credential_that_is_gone_stay_rejected() {
    let service = service_with(&with_second(CONFIG, "\"all\"")).await;
    let second =
        axum::http::Request::post("/webhooks/dealer-studio/leads").header("x-api-key", "another-token-of-the-tests");
    service.send(second.body(lead_of(9, 999).to_string().into()).unwrap()).await;
    let service = service.restarted_with(&CONFIG.replace("[285]", "[285, 999]")).await;
    let retryable_rejections = service.intake().router().retryable();
    assert!(retryable_rejections.dealerships.contains(&999));
    assert_eq!(due::round(service.intake(), &retryable_rejections).await.unwrap(), 0);
    let waiting = "intake.deliveries where outcome = 'rejected' and findings @> '[{\"code\": \"dealership_unknown\"}]'";
    assert_eq!(service.count(waiting).await, 1, "a person may still name another credential for it");
    assert_eq!(service.count("leads").await, 0);
}

/// The tables of the service.
const TABLES: &str = "pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'identity', 'intake') and c.relkind in ('r', 'p') and c.relname !~ '^_sqlx'";

#[tokio::test]
async fn every_table_and_column_has_a_comment() {
    let service = service().await;
    let tables = format!("select c.relname as name from {TABLES} and obj_description(c.oid, 'pg_class') is null");
    assert_eq!(service.rows(&tables).await, Vec::<Value>::new());
    let columns = format!(
        "select c.relname || '.' || a.attname as name from {} and col_description(c.oid, a.attnum) is null",
        TABLES.replace(
            " where",
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped where"
        )
    );
    assert!(columns.contains("join pg_attribute"), "{columns}");
    assert_eq!(service.rows(&columns).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_workspace_stands_first_in_every_key_of_a_business_table() {
    let service = service().await;
    let keys = service
        .rows(
            "select c.relname as table, k.name, a.attname as first
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join (
                select conrelid as relation, conname as name, conkey[1] as first from pg_constraint
                where contype in ('p', 'u', 'f')
                union all select indrelid, indexrelid::regclass::text, indkey[0] from pg_index where indisunique
            ) k on k.relation = c.oid
            left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.first
            where n.nspname in ('public', 'identity') and c.relname !~ '^_sqlx'
                and c.relname not in ('workspaces', 'dealerships')",
        )
        .await;
    assert!(keys.len() > 40, "{}", keys.len());
    let others: Vec<_> = keys.iter().filter(|key| key["first"] != "workspace_id").collect();
    assert!(others.is_empty(), "{others:?}");
    let without_key = service
        .rows(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('public', 'identity', 'intake') and c.relkind in ('r', 'p') and c.relname !~ '^_sqlx'
                and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')",
        )
        .await;
    assert_eq!(without_key, Vec::<Value>::new());
}
