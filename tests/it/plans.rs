//! How Postgres answers the statements of `store` when the tables are large: by index, also before it has statistics.

use std::collections::BTreeMap;

use forecourt::domain::keys::Keys;
use forecourt::domain::values::{Country, PhoneRegion};
use forecourt::domain::workspace::Locale;
use forecourt::feeds::{self, Feed};
use forecourt::store::{self, Store};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::payloads::{car, lead};
use crate::support::{TestService, service};

/// The tables that grow with the business, with the columns that are filled and what is put there. Ids and texts are
/// numbers from 1.
const LARGE: [(&str, &str); 17] = [
    ("persons (workspace_id, id, email, created_at, updated_at, clocks)", "w, n, n::text, now(), now(), '{}'"),
    ("lead_clusters (workspace_id, id, external_id)", "w, n, n::text"),
    (
        "leads (workspace_id, id, sender, external_id, person_id, person_email, vin, stock_number, subscription_plan,
            location_name, comments, booking_state, booking_blockers, received_at, updated_at, clocks)",
        "w, n, 'dealer_studio', n::text, case when n % 10 > 0 then n end, n::text, n::text, n::text, n::text, n::text,
            repeat('about as long as real ones ', 20), (array['not_requested', 'created', 'blocked'])[1 + n % 3], '{}', now(), now(), '{}'",
    ),
    (
        "intake.lead_dependencies (workspace_id, kind, key, lead_id)",
        "w, (array['vin', 'stock_number', 'package', 'location', 'person'])[1 + n % 5], n::text, n",
    ),
    ("trade_ins (workspace_id, lead_id, clocks)", "w, n, '{}'"),
    ("property_enquiries (workspace_id, lead_id, clocks)", "w, n, '{}'"),
    (
        "appointments (workspace_id, id, external_id, lead_id, lead_cluster_id, as_of)",
        "w, n, n::text, n, case when n % 3 > 0 then n end, '[]'",
    ),
    (
        "listings (workspace_id, id, identifier, vin, stock_number, status, word, claims, description,
            created_at, updated_at)",
        "w, n, n::text, n::text, n::text, 'for_sale', 'for_sale', true, repeat('about as long as real ones ', 40), now(), now()",
    ),
    ("listing_identifiers (workspace_id, identifier, listing_id)", "w, n::text, n"),
    (
        "listing_sources (workspace_id, identifier, vin, listing_id, for_sale, arrived_at, fingerprint, content)",
        "w, n::text, n::text, n, true, now(), '', '{}'",
    ),
    ("listing_locations (workspace_id, listing_id, location_id, position)", "w, n, 1, 1"),
    ("listing_packages (workspace_id, listing_id, package_id)", "w, n, 1"),
    ("listing_changes (workspace_id, listing_id, field, changed_at)", "w, n, 'status', now()"),
    ("lead_changes (workspace_id, lead_id, field, old_value, new_value, changed_at)", "w, n, 'status', 'new', 'lost', now()"),
    (
        "bookings (workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish, created_at,
            updated_at)",
        "w, n, n, n, 1, 1, 'requested', '{}', now(), now()",
    ),
    // Beside those of the configuration, whose ids are small.
    (
        "locations (workspace_id, id, name, name_key, bookable, active, reported, reported_arrived_at)",
        "w, n + 1000000, n::text, n::text, true, true, jsonb_build_object('name', n::text), now()",
    ),
    ("packages (workspace_id, id, name, active, configured, reported)", "w, n + 1000000, n::text, true, false, true"),
];

/// Whether a table is one of the large ones.
fn is_large(table: &str) -> bool {
    let name = |into: &'static str| into.split(' ').next().and_then(|path| path.rsplit('.').next());
    LARGE.iter().any(|(into, _)| name(into) == Some(table))
}

/// How many rows of each kind there are and in how many workspaces, of which one has half of all.
fn extent() -> (u32, u32) {
    let is_long = std::env::vars_os().any(|(name, value)| name == "FORECOURT_TEST" && value == "long");
    if is_long { (1_000_000, 20) } else { (40_000, 4) }
}

/// Fills the tables.
async fn fill(service: &TestService) {
    let (rows, workspaces) = extent();
    let others = workspaces - 1;
    let many = format!(
        "from (
            select n, case when n % 2 = 0 then id else 1000000000 + n / 2 % {others} end as w
            from generate_series(1, {rows}) n, workspaces where slug = 'alpha'
        ) many"
    );
    let quiet =
        |into: &str| format!("alter table {} set (autovacuum_enabled = false);", into.split(' ').next().unwrap());
    let quiet = LARGE.map(|(into, _)| quiet(into)).concat();
    let inserts = LARGE.map(|(into, values)| format!("insert into {into} select {values} {many};")).concat();
    // What is put there by the type of its column is no state and no kind that there is.
    let unchecked = "alter table leads drop constraint leads_booking_state_check;
        alter table listings drop constraint if exists listings_status_check;
        alter table lead_changes drop constraint lead_changes_field_check;
        alter table intake.lead_dependencies drop constraint lead_dependencies_kind_check;";
    let fill = format!("{unchecked} {quiet} set session_replication_role = replica; {inserts} reset all;");
    service.database.execute(&fill).await;
}

/// A statement of `store` with a batch's worth of keys.
struct Statement {
    query: String,
    /// The types of its parameters, as SQL names them.
    types: Vec<String>,
    /// What stands in their place.
    values: Vec<String>,
}

impl Statement {
    /// The statement with its keys, as it is planned for them.
    fn with_keys(&self) -> String {
        let replaced =
            |query: String, (index, value): (usize, &String)| query.replace(&format!("${}", index + 1), value);
        self.values.iter().enumerate().rev().fold(self.query.clone(), replaced)
    }

    /// Its plan: one that is made for its keys, or the one that is kept for whatever keys. Where it is carried out,
    /// what it changes is undone.
    async fn plan(&self, tx: &mut PgConnection, is_kept: bool, options: &str) -> Value {
        let Self { query, types, values } = self;
        let (types, values) = (types.join(", "), values.join(", "));
        let mode = if is_kept { "force_generic_plan" } else { "force_custom_plan" };
        let prepare = format!(
            "savepoint before; set local session_replication_role = replica; set local plan_cache_mode = {mode};
            prepare kept ({types}) as {query}"
        );
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *tx).await.unwrap();
        let explain = format!("explain ({options} format json) execute kept ({values})");
        let plan: Result<Value, _> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *tx).await;
        let plan = plan.unwrap_or_else(|error| panic!("{error} in {query}"));
        sqlx::raw_sql("deallocate kept; rollback to before").execute(tx).await.unwrap();
        plan
    }
}

/// The statements of `store` that look up or change rows of the large tables.
fn statements(workspace: i64, keys: usize) -> Vec<Statement> {
    let folder = format!("{}/.sqlx", env!("CARGO_MANIFEST_DIR"));
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let query = file["query"].as_str().unwrap();
        let large = query.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_large);
        let is_of_batches =
            ["insert", "analyze", "-- once", "-- console"].iter().all(|begin| !query.starts_with(begin));
        // What looks at the catalogue names tables, and reads none of them.
        if large && is_of_batches && !query.contains("pg_tables") {
            let parameters = file["describe"]["parameters"]["Left"].as_array().unwrap();
            let kinds: Vec<&str> = parameters.iter().map(|kind| kind.as_str().unwrap()).collect();
            let value = |(index, kind)| value_of(query, index, kind, workspace, keys);
            statements.push(Statement {
                // A list of lists.
                query: query.replace("booking_blockers::text[]", "'{}'::text[]"),
                types: kinds.iter().map(|kind| type_of(kind)).collect(),
                values: kinds.iter().copied().enumerate().map(value).collect(),
            });
        }
    }
    statements
}

/// What SQL calls a type of a parameter.
fn type_of(kind: &str) -> String {
    match kind.strip_suffix("Array") {
        Some(kind) => format!("{}[]", kind.to_lowercase()),
        None => kind.to_lowercase(),
    }
}

/// What stands in the place of a parameter.
fn value_of(query: &str, index: usize, kind: &str, workspace: i64, keys: usize) -> String {
    let count = keys;
    let keys: Vec<String> = (1..=keys).map(|number| (number * 70).to_string()).collect();
    let keys = keys.join(",");
    let filled = |value: &str| format!("array_fill({value}, array[{count}])");
    match kind {
        "Int8" => workspace.to_string(),
        "Text" => "'70'".to_owned(),
        "Bool" => "false".to_owned(),
        "Jsonb" => "'[]'::jsonb".to_owned(),
        "Int8Array" if query.contains(&format!("workspace_id = any(${})", index + 1)) => {
            let workspaces: Vec<String> = (workspace..workspace + 40).map(|id| id.to_string()).collect();
            format!("'{{{}}}'::bigint[]", workspaces.join(","))
        }
        "Int8Array" => format!("'{{{keys}}}'::bigint[]"),
        "TextArray" => format!("'{{{keys}}}'::text[]"),
        "TimestamptzArray" => filled("now()"),
        "DateArray" => filled("current_date"),
        "BoolArray" => filled("true"),
        "NumericArray" => filled("1.5"),
        other if other.ends_with("Array") => format!("'{{}}'::{}", type_of(other)),
        other => panic!("a parameter of type {other} in {query}"),
    }
}

/// How a plan reads a large table: from end to end, or by an index of which it uses no more than the workspace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    Workspace,
}

/// The large tables that a plan does not read by their keys.
fn scanned(plan: &Value, above: &str, found: &mut Vec<(Reading, String)>) {
    // The index scan below a bitmap names its index only.
    let table = plan["Relation Name"].as_str().unwrap_or(above);
    // Not read at all where the parameter says no.
    if plan["One-Time Filter"].is_string() {
        return;
    }
    let node = plan["Node Type"].as_str().unwrap();
    let condition = plan["Index Cond"].as_str().unwrap_or_default();
    let names_a_key = [
        "id = ",
        "id)",
        "ANY",
        "identifier = ",
        "key = ",
        "vin = ",
        "stock_number = ",
        "phone = ",
        "replace(registration_number",
        "email = ",
        "name = ",
        "lower(name) = ",
    ]
    .iter()
    .any(|key| {
        condition
            .replace("workspace_id = ANY", "")
            .replace("workspace_id = ", "")
            .replace("workspace_id)", "")
            .contains(key)
    });
    // There is an index of those few that the configuration names, which are read all.
    let of_configured = plan["Index Name"].as_str().is_some_and(|index| index.ends_with("_configured_idx"));
    let names_a_key = names_a_key || of_configured;
    if is_large(table) && node == "Seq Scan" {
        found.push((Reading::Whole, table.to_owned()));
    } else if is_large(table) && node.contains("Index") && !names_a_key {
        found.push((Reading::Workspace, format!("{table} by {condition}")));
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        scanned(child, table, found);
    }
}

/// How many keys of a kind a batch has.
const KEYS: usize = 16;
/// How many workspaces are asked for where a statement asks for several.
const SEVERAL: u32 = 40;

/// What the statements, for a batch of a few keys and in the session in which the service puts them, do not read by these.
async fn not_by_key(service: &TestService, is_kept: bool, accepted: &[Reading]) -> Vec<String> {
    let workspace = service.database.value("select id from workspaces where slug = 'alpha'").await;
    let statements = statements(workspace, KEYS);
    assert!(statements.len() >= 12, "{}", statements.len());
    let store = Store::new(service.database.pool.clone(), 30);
    let mut tx = store.begin(None).await.unwrap();
    let mut report = Vec::new();
    for statement in statements {
        let plan = statement.plan(&mut tx, is_kept, "").await;
        let mut found = Vec::new();
        scanned(&plan[0]["Plan"], "", &mut found);
        found.retain(|(reading, _)| !accepted.contains(reading));
        report.extend(found.into_iter().map(|(_, table)| format!("{table} in {}", statement.query)));
    }
    tx.rollback().await.unwrap();
    report
}

/// How many pages lie between the top of each index and an entry, at the most: a page holds a hundred entries and more.
async fn heights(service: &TestService) -> BTreeMap<String, f64> {
    let query =
        "select relname::text, (1 + ceil(log(100, greatest(relpages, 2))))::float8 from pg_class where relkind = 'i'";
    let rows: Vec<(String, f64)> = sqlx::query_as(query).fetch_all(&service.database.pool).await.unwrap();
    rows.into_iter().collect()
}

/// The index scans of a plan that was carried out which read more than the height of their index for each key, and a page
/// for each row.
fn costly(plan: &Value, heights: &BTreeMap<String, f64>, found: &mut Vec<String>) {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let index = plan["Index Name"].as_str().filter(|index| !index.ends_with("_configured_idx"));
    if let Some(index) = index {
        let condition = plan["Index Cond"].as_str().unwrap_or_default();
        let keys = if condition.contains("ANY") { f64::from(SEVERAL) } else { 1.0 };
        let loops = number("Actual Loops");
        let rows = loops * (number("Actual Rows") + number("Rows Removed by Filter"));
        // And two pages more, for rows and entries that were undone a moment ago, which may have split a page.
        let allowed = loops * keys * (heights[index] + 2.0) + 2.0 * rows;
        let read = number("Shared Hit Blocks") + number("Shared Read Blocks");
        if read > allowed {
            found.push(format!("{read} pages of {index}, where {allowed} would do, by {condition}"));
        }
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        costly(child, heights, found);
    }
}

/// What the statements read beyond what they are asked for, when they are carried out; and how many pages each read.
async fn beyond_what_is_asked(service: &TestService, is_kept: bool) -> Vec<String> {
    let workspace = service.database.value("select id from workspaces where slug = 'alpha'").await;
    let heights = heights(service).await;
    let store = Store::new(service.database.pool.clone(), 30);
    let mut tx = store.begin(None).await.unwrap();
    let mut report = Vec::new();
    // Nobody who waits for a reply waits for a story; it gives the newest of many, and reads as many.
    let is_common = |statement: &Statement| !statement.query.starts_with("-- The leads of a story");
    for statement in statements(workspace, KEYS).into_iter().filter(is_common) {
        let plan = statement.plan(&mut tx, is_kept, "analyze, buffers,").await;
        let plan = &plan[0]["Plan"];
        let mut found = Vec::new();
        costly(plan, &heights, &mut found);
        if plan.to_string().contains("Workers Planned") {
            found.push("parallel workers".to_owned());
        }
        let pages = plan["Shared Hit Blocks"].as_i64().unwrap() + plan["Shared Read Blocks"].as_i64().unwrap();
        let begins: String = statement.query.split_whitespace().take(12).collect::<Vec<_>>().join(" ");
        println!("{pages} pages for {KEYS} keys, kept: {is_kept}: {begins}");
        report.extend(found.into_iter().map(|found| format!("{found} in {}", statement.query)));
    }
    tx.rollback().await.unwrap();
    report
}

#[tokio::test]
async fn batches_are_looked_up_by_index_before_and_after_the_tables_are_analysed() {
    let service = service().await;
    fill(&service).await;
    // Without statistics Postgres takes a workspace for one of two hundred, and its index for good enough.
    let whole = not_by_key(&service, false, &[Reading::Workspace]).await;
    assert!(whole.is_empty(), "{}", whole.join("\n"));
    service.database.execute("analyze").await;
    for is_kept in [false, true] {
        let whole = not_by_key(&service, is_kept, &[]).await;
        assert!(whole.is_empty(), "{}", whole.join("\n"));
        let costly = beyond_what_is_asked(&service, is_kept).await;
        assert!(costly.is_empty(), "{}", costly.join("\n"));
    }
}

/// How many locations and packages are loaded for a lead, and how many pages the statement reads that looks them up.
async fn cost_of_a_lead(service: &TestService) -> (usize, i64) {
    let locale = Locale {
        received_at: "2025-10-02T00:00:00Z".parse().unwrap(),
        timezone: chrono_tz::Australia::Sydney,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
    };
    let body = lead(json!({})).to_string();
    let mut keys = Keys::default();
    keys.add(&feeds::parse(Feed::Lead, body.as_bytes(), &locale).unwrap().facts);
    let workspace: i64 = service.database.value("select id from workspaces where slug = 'alpha'").await;
    let store = Store::new(service.database.service_pool.clone(), 30);
    let mut tx = store.begin(Some(workspace.into())).await.unwrap();
    let tenant = store::load(&store, &mut tx, workspace.into(), keys).await.unwrap();
    tx.rollback().await.unwrap();
    let rows = tenant.locations.iter().count() + tenant.packages.iter().count();

    let mut all = statements(workspace, 1).into_iter();
    let lookup = all.find(|statement| statement.query.starts_with("-- All that is known")).unwrap();
    let explain = format!(
        "explain (analyze, buffers, format json) {}",
        lookup.with_keys().replace("'{70}'::text[]", "'{Premium}'::text[]")
    );
    let plan: Value = service.database.value(&explain).await;
    (
        rows,
        plan[0]["Plan"]["Shared Hit Blocks"].as_i64().unwrap()
            + plan[0]["Plan"]["Shared Read Blocks"].as_i64().unwrap(),
    )
}

#[tokio::test]
async fn a_lead_costs_the_same_however_many_locations_and_packages_its_workspace_has() {
    let service = service().await;
    assert_eq!(service.vehicle(&car(json!({}))).await.body["outcome"], "applied");
    let (rows, pages) = cost_of_a_lead(&service).await;
    service
        .database
        .execute(
            "insert into packages (workspace_id, id, name, active, configured, reported)
            select w.id, 1000000 + n, 'package ' || n, true, false, true
            from workspaces w, generate_series(1, 50000) n where w.slug = 'alpha';
            insert into locations (workspace_id, id, name, name_key, bookable, active, reported, reported_arrived_at)
            select w.id, 1000000 + n, 'location ' || n, 'location ' || n, true, true,
                jsonb_build_object('name', 'location ' || n), now()
            from workspaces w, generate_series(1, 50000) n where w.slug = 'alpha';
            analyze packages, locations",
        )
        .await;
    let (rows_after, pages_after) = cost_of_a_lead(&service).await;
    // The location and the package that it names, and no other.
    assert_eq!((rows, rows_after), (2, 2));
    // An index of 50,000 rows may be some levels deep.
    assert!(pages_after <= pages + 12, "{pages_after} pages, before {pages}");
    assert_eq!(service.lead(&lead(json!({}))).await.body["booking"], "created");
}
