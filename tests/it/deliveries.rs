//! The record of deliveries: what repetition leaves, what becomes of deliveries for dealerships that are configured
//! later, and how the tables explain themselves.

use forecourt::domain::feed::Feed;
use forecourt::domain::finding::Code;
use forecourt::intake::due;
use serde_json::{Value, json};

use crate::support::{
    ALL, BUSINESS, CONFIG, LEADS, OTHER_TOKEN, TestService, a_lead, assert_holds, db_snapshot, fixture, listed,
    service, service_with, soon,
};

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
        assert_eq!(service.lead(body).await.outcome(), "applied");
        let before = service.dump().await;
        for body in again {
            assert_eq!(service.lead(body).await.outcome(), "unchanged", "{body}");
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
        assert_holds(row, json!({ "meaning": code.meaning(), "remedy": code.remedy() }));
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
        assert_eq!(service.lead(&a_lead(id).dealership(999)).await.codes(), ["dealership_unknown"]);
    }
    let second = axum::http::Request::post(LEADS).header("x-api-key", OTHER_TOKEN);
    let by_second = service.send(second.body(a_lead(9).dealership(999).to_string().into()).unwrap()).await;
    assert_eq!(by_second.codes(), ["dealership_unknown"]);
    assert_eq!(service.lead(&a_lead(4).dealership(998)).await.codes(), ["dealership_unknown"]);
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
    wait_for(&service, "intake.deliveries where outcome = 'applied' and workspace_id <> 0", 4).await;
    wait_for(&service, "intake.deliveries where findings @> '[{\"code\": \"workspace_not_permitted\"}]'", 1).await;
    again.abort();

    let leads = service
        .rows("select l.external_id, w.slug from leads l join workspaces w on w.id = l.workspace_id order by 1")
        .await;
    let row = |id: &str| json!({"external_id": id, "slug": "beta"});
    assert_eq!(leads, [row("0"), row("1"), row("2")]);
    assert_eq!(service.count("listings").await, 1);
    service.expect_record(&by_second, json!({ "outcome": "rejected", "workspace_id": 0 })).await;
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
    let second = axum::http::Request::post(LEADS).header("x-api-key", OTHER_TOKEN);
    service.send(second.body(a_lead(9).dealership(999).to_string().into()).unwrap()).await;
    let service = service.restarted_with(&CONFIG.replace("[285]", "[285, 999]")).await;
    let retryable_rejections = service.intake().router().retryable();
    assert!(retryable_rejections.dealerships.contains(&999));
    assert_eq!(due::round(service.intake(), &retryable_rejections).await.unwrap(), 0);
    let waiting = "intake.deliveries where outcome = 'rejected' and findings @> '[{\"code\": \"dealership_unknown\"}]'";
    assert_eq!(service.count(waiting).await, 1, "a person may still name another credential for it");
    assert_eq!(service.count("leads").await, 0);
}

#[tokio::test]
async fn every_table_and_column_has_a_comment() {
    let service = service().await;
    let tables = listed(ALL);
    let silent = format!("path from {tables} t where obj_description(oid, 'pg_class') is null");
    assert_eq!(service.table(&silent).await, json!([]));
    let columns = format!("{tables} t join pg_attribute a on attrelid = oid and attnum > 0 and not attisdropped");
    assert!(service.count(&columns).await > 300);
    let silent = format!("path, attname from {columns} where col_description(oid, attnum) is null");
    assert_eq!(service.table(&silent).await, json!([]));
}

#[tokio::test]
async fn every_business_table_is_in_the_picture_or_is_left_out_for_a_reason() {
    let service = service().await;
    let all = service.table(&format!("name from {} t order by name", listed(BUSINESS))).await;
    let shown = db_snapshot::db_snapshot(&service, "alpha").await.into_keys();
    let mut known: Vec<_> =
        shown.chain(db_snapshot::LEFT_OUT.map(|(table, _why)| table)).map(|table| [table]).collect();
    known.sort_unstable();
    assert_eq!(all, json!(known));
}

#[tokio::test]
async fn the_workspace_stands_first_in_every_key_of_a_business_table() {
    let service = service().await;
    let tables = listed(BUSINESS);
    let keys = service
        .rows(&format!(
            "select t.path as table, k.name, a.attname as first from {tables} t
            join (
                select conrelid as relation, conname as name, conkey[1] as first from pg_constraint
                where contype in ('p', 'u', 'f')
                union all select indrelid, indexrelid::regclass::text, indkey[0] from pg_index where indisunique
            ) k on k.relation = t.oid
            left join pg_attribute a on a.attrelid = t.oid and a.attnum = k.first
            where t.name not in ('workspaces', 'dealerships')"
        ))
        .await;
    assert!(keys.len() > 40, "{}", keys.len());
    let others: Vec<_> = keys.iter().filter(|key| key["first"] != "workspace_id").collect();
    assert!(others.is_empty(), "{others:?}");
    let has_key = "select from pg_constraint k where k.conrelid = t.oid and k.contype = 'p'";
    let keyless = format!("path from {} t where not exists ({has_key})", listed(ALL));
    assert_eq!(service.table(&keyless).await, json!([]));
}
