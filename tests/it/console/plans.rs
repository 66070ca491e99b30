//! No statement of the console reads a table from end to end, and each reads no more rows than it may, however many there are.

use forecourt::store::Store;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::grown::{self, Grown};
use crate::support::{TestService, service};

/// The tables that do not grow with what arrives: the configuration's, and those that are kept within bounds.
const SMALL: [&str; 3] = ["workspaces", "dealerships", "dealership_feeds"];

/// The statements of the console, each with types and values of its parameters.
fn statements() -> Vec<(String, Vec<String>)> {
    let folder = format!("{}/.sqlx", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let files = files.map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap());
    let ours = files.filter(|file| file["query"].as_str().unwrap().starts_with("-- console"));
    let kinds = |file: &Value| {
        let kinds = file["describe"]["parameters"]["Left"].as_array().unwrap();
        kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect()
    };
    ours.map(|file| (file["query"].as_str().unwrap().to_owned(), kinds(&file))).collect()
}

/// A statement with what the console asks for in the place of its parameters.
fn filled(query: &str, kinds: &[String]) -> String {
    kinds.iter().enumerate().rev().fold(query.to_owned(), |query, (index, kind)| {
        let value = match kind.as_str() {
            "Int8" => "1000::bigint".to_owned(),
            "Int4" => "100000::int".to_owned(),
            "Uuid" => "(select id from intake.deliveries limit 1)".to_owned(),
            "Timestamptz" => "now()".to_owned(),
            "Text" if query.contains("w.slug = $1") && index == 0 => "'alpha'::text".to_owned(),
            "Text" => "'asset_not_found'::text".to_owned(),
            other => panic!("a parameter of type {other} in {query}"),
        };
        query.replace(&format!("${}", index + 1), &value)
    })
}

/// The tables that a plan reads from end to end.
fn scanned(plan: &Value, found: &mut Vec<String>) {
    let table = plan["Relation Name"].as_str().unwrap_or_default();
    let is_small = SMALL.contains(&table);
    if plan["Node Type"].as_str().unwrap().contains("Seq Scan") && !is_small {
        found.push(table.to_owned());
    }
    // An index that is read without a condition is read from its end, up to a limit above; so it must have one.
    let rows = plan["Actual Rows"].as_f64().unwrap_or_default() * plan["Actual Loops"].as_f64().unwrap_or(1.0);
    let removed = plan["Rows Removed by Filter"].as_f64().unwrap_or_default();
    if !table.is_empty() && !is_small && rows + removed > 1_100.0 * 5.0 {
        found.push(format!("{} rows of {table}", rows + removed));
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        scanned(child, found);
    }
}

async fn fill(service: &TestService, grown: &Grown) {
    let mut connection = PgConnection::connect_with(&service.database.options).await.unwrap();
    grown::fill(&mut connection, grown).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn no_statement_of_the_console_reads_a_table_from_end_to_end() {
    let service = service().await;
    // Many more than any statement may read.
    fill(&service, &Grown { leads: 20_000, workspaces: 3, deliveries: 2, days: 90, ..Grown::default() }).await;
    service.database.execute(
        "insert into intake.rejected (id, received_at, path) select gen_random_uuid(), now() - n * interval '1 s', '/x'
            from generate_series(1, 9000) n;
        insert into intake.drift select w.id, 'lead', 'path' || n, now(), now(), 1, gen_random_uuid()
            from workspaces w, generate_series(1, 1000) n",
    ).await;
    let statements = statements();
    assert!(statements.len() >= 9, "{}", statements.len());
    let mut report = Vec::new();
    for is_analysed in [false, true] {
        if is_analysed {
            service.database.execute("analyze").await;
        }
        let store = Store::new(service.database.pool.clone(), 30);
        let mut tx = store.begin(None).await.unwrap();
        for (query, kinds) in &statements {
            let explain = format!("explain (analyze, format json) {}", filled(query, kinds));
            let plan: Result<Value, _> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *tx).await;
            let plan = plan.unwrap_or_else(|error| panic!("{error} in {query}"));
            let mut found = Vec::new();
            scanned(&plan[0]["Plan"], &mut found);
            report.extend(found.into_iter().map(|found| format!("{found}, analysed: {is_analysed}, in {query}")));
        }
        tx.rollback().await.unwrap();
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
}
