//! What the database says of itself, held in files: the promised views, docs/tables.md, and the sources for dbt.
//!
//! The files are written by `scripts/describe-tables` and compared here, so that a table, a column or a comment cannot
//! change without them.

mod catalogue;
mod dbt;
mod page;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use forecourt::store::granting;
use forecourt::store::rights::Grant;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::payloads::{self, with};
use crate::support::{
    CLUSTERS, CONFIG, INVENTORY, LEADPRO, LEADS, OTHER_TOKEN, TestService, a_lead, car, credential_of_leadpro,
    database, fixture, left_out, service_with,
};

use catalogue::Relation;

/// The schemas of the promised views: the second has the personal columns beside those of the first.
const VIEWS: [&str; 2] = ["reporting", "reporting_contacts"];

/// Compares a file with what it is to be, or writes it where that is asked for.
fn assert_file(path: &str, expected: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::vars_os().any(|(name, value)| name == "FORECOURT_DESCRIBE" && value == "write") {
        std::fs::write(file, expected).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = there.lines().zip(expected.lines()).find(|(there, expected)| there != expected);
    assert!(
        there == expected,
        "{path} is not what the database says: run `scripts/describe-tables` and look at the difference; the first: {difference:#?}"
    );
}

/// A service that was sent the examples of the pages and a little more, so that every view has rows.
async fn filled() -> TestService {
    let config = CONFIG.replace("[356, 357]", "[{ id = 356, name = \"Dealer A\" }, 357, 3, 121]");
    let service = service_with(&[config, credential_of_leadpro()].concat()).await;
    let post = async |door: &str, payload: serde_json::Value| {
        let token = if door == LEADPRO { OTHER_TOKEN } else { crate::support::TOKEN };
        let answer = service.post_as(token, door, payload.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    for at in [0, 1] {
        post(INVENTORY, car(7).vin(7).at(at).price(100 - i64::from(at)).body().clone()).await;
    }
    post(INVENTORY, car(7).vin(7).at(2).withdrawn().body().clone()).await;
    for path in ["page_example", "every_field"] {
        post(INVENTORY, fixture(&format!("dealer_studio/inventory/{path}.json"))).await;
    }
    post(INVENTORY, payloads::car(json!({ "SubscriptionPricing": [{ "Name": "Premium", "WeeklyPrice": 150 }] }))).await;
    for path in ["lead_page_example", "every_field"] {
        post(LEADS, fixture(&format!("dealer_studio/lead/{path}.json"))).await;
    }
    for path in ["page_example", "every_field"] {
        post(CLUSTERS, fixture(&format!("dealer_studio/lead_cluster/{path}.json"))).await;
    }
    for path in ["page_example", "every_field"] {
        post(LEADPRO, fixture(&format!("leadpro/leadpro_lead/{path}.json"))).await;
    }
    post(LEADS, payloads::lead(json!({ "id": 11, "lead_status_option": { "name": "New", "status_type": "open" } })))
        .await;
    let later =
        json!({ "updated_at": "2025-10-02T00:00:00Z", "lead_status_option": { "name": "Won", "status_type": "won" } });
    post(LEADS, with(payloads::lead(json!({ "id": 11 })), later)).await;
    post(LEADS, payloads::lead(json!({ "id": 12, "item": { "vin": "JTDBR32E720000000" } }))).await;
    post(LEADS, a_lead(13).with(json!({ "prospect": { "opt_in_to_marketing": true }, "not_documented": 1 })).into())
        .await;
    service.intake().finish().await;
    service
}

#[tokio::test]
async fn the_promised_views_are_those_of_the_snapshot() {
    let database = database().await;
    let others =
        "select relname::text from pg_class where relnamespace::regnamespace::text ~ '^reporting' and relkind <> 'v'
        union all select proname::text from pg_proc where pronamespace::regnamespace::text ~ '^reporting'";
    let others: Vec<String> = sqlx::query_scalar(others).fetch_all(&database.pool).await.unwrap();
    assert_eq!(others, [] as [&str; 0], "there is nothing but views");
    let views = catalogue::relations(&database, &VIEWS).await;
    let lines = views.iter().flat_map(|view| {
        let columns =
            view.columns.iter().map(|column| format!("    {}: {} -- {}", column.name, column.kind, column.comment));
        std::iter::once(format!("{} -- {}", view.path(), view.comment)).chain(columns)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

/// Parts of names and comments of what stands in `reporting_contacts` alone.
const PERSONAL: [&str; 12] = [
    "email",
    "phone",
    "first_name",
    "last_name",
    "full_name",
    "birth",
    "address",
    "comment",
    "note",
    "description",
    "details",
    "postcode",
];

#[tokio::test]
async fn the_two_schemas_have_the_same_views_and_personal_columns_are_in_one_of_them() {
    let database = database().await;
    let views = catalogue::relations(&database, &VIEWS).await;
    let (plain, contacts): (Vec<&Relation>, Vec<&Relation>) = views.iter().partition(|view| view.schema == VIEWS[0]);
    let names = |views: &[&Relation]| views.iter().map(|view| view.name.clone()).collect::<Vec<_>>();
    assert_eq!((plain.len(), names(&plain)), (13, names(&contacts)));
    for (plain, contacts) in plain.iter().zip(&contacts) {
        let count = plain.columns.len();
        assert_eq!(
            plain.columns,
            contacts.columns[..count],
            "{}: personal columns stand behind the others",
            plain.name
        );
        for column in &plain.columns {
            let is_personal = PERSONAL.iter().any(|part| column.name.contains(part));
            assert!(!is_personal, "{}.{} is for reporting_contacts", plain.name, column.name);
        }
        let first: Vec<&str> = plain.columns.iter().take(3).map(|column| column.name.as_str()).collect();
        assert_eq!(first, ["workspace_id", "workspace", "workspace_name"], "{}", plain.name);
        for view in [plain, contacts] {
            assert!(!view.comment.is_empty(), "{}", view.path());
            for column in &view.columns {
                let is_service = column.is_of_the_service() || column.name == "clocks";
                assert!(!column.comment.is_empty() && !is_service, "{}.{}", view.path(), column.name);
            }
        }
    }
}

#[tokio::test]
async fn every_view_has_rows_once_the_examples_were_sent_and_dates_are_those_of_the_dealership() {
    let service = filled().await;
    for view in catalogue::relations(&service.database, &VIEWS).await {
        assert!(service.count(&view.path()).await > 0, "{}", view.path());
    }
    let zones = "workspaces set timezone = 'Pacific/Kiritimati'";
    service
        .database
        .execute(&format!("update {zones}; update leads set source_created_at = '2025-10-01T11:00:00Z'"))
        .await;
    let far = "reporting.leads where enquired_on = '2025-10-02'";
    assert_eq!(service.count(far).await, service.count("leads").await);
    service.database.execute("update dealerships set timezone = 'UTC' where dealership_id = 356").await;
    let own = "reporting.leads where (dealership_id = 356) <> (enquired_on = '2025-10-01')";
    assert_eq!(service.count(own).await, 0, "a dealership's own zone counts before the workspace's");
}

#[tokio::test]
async fn the_page_of_the_tables_is_what_the_database_says() {
    let service = filled().await;
    let schemas = ["reporting", "reporting_contacts", "public", "identity", "intake"];
    let relations = catalogue::relations(&service.database, &schemas).await;
    let listed = page::listed();
    let there: BTreeSet<(String, String)> = relations
        .iter()
        .filter(|relation| relation.schema != "reporting")
        .flat_map(|relation| relation.columns.iter().map(|column| (relation.path(), column.name.clone())))
        .collect();
    let named: BTreeSet<(String, String)> = listed.keys().cloned().collect();
    let missing: Vec<_> = there.difference(&named).collect();
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in docs/tables.tsv: {missing:#?}; no longer there: {gone:#?}");
    let examples = catalogue::examples(&service.database, &relations).await;
    let keys = catalogue::keys(&service.database).await;
    assert_file("docs/tables.md", &page::written(&relations, &listed, &examples, &keys));
}

#[tokio::test]
async fn the_sources_for_dbt_are_what_the_database_says_and_their_tests_hold() {
    let service = filled().await;
    let views = catalogue::relations(&service.database, &VIEWS[..1]).await;
    assert_file("deploy/dbt/sources.yml", &dbt::written(&views));
    let mut count = 0;
    for check in dbt::checks(&views) {
        let query = format!("select count(*) from ({}) as failures", check.failures());
        let failures: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&service.database.pool).await.unwrap();
        assert_eq!(failures, 0, "{check:?}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dbt_reads_the_sources_and_its_tests_pass_for_a_reader_of_the_views() {
    let is_long = std::env::vars_os().any(|(name, value)| name == "FORECOURT_TEST" && value == "long");
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let dbt = root.join("target/clients/dbt/bin/dbt");
    if !is_long {
        return;
    }
    if !dbt.exists() {
        return left_out("`tests/clients/install --dbt` brings dbt");
    }
    let service = filled().await;
    let reader = format!("dbt_{}", service.database.name);
    service.database.execute(&format!("create role \"{reader}\" login")).await;
    let store = service.database.owner_store();
    granting::give(&store, &reader, &BTreeSet::from([Grant::Reporting]), "ada", false).await.unwrap();
    store.close().await;
    let folder = tempfile::tempdir().unwrap();
    dbt::project(folder.path(), &root, &service.database.options, &reader);
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(dbt);
        command.args(["test", "--select", "source:*", "--profiles-dir", "."]).current_dir(&path);
        command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false").env("HOME", &path).output().unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(" WARN=0 ERROR=0 "), "{said}");
    assert!(!said.contains("deprecat"), "{said}");
}
