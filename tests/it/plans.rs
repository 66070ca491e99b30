//! How Postgres answers the statements of `store` when the tables are large: by index, also before it has statistics.

use forecourt::domain::keys::Keys;
use forecourt::domain::values::{Country, PhoneRegion};
use forecourt::domain::workspace::Locale;
use forecourt::feeds::{self, Feed};
use forecourt::store::{self, Store};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::support::payloads::{car, lead};
use crate::support::{TestService, service};

/// The tables that grow with the business, with the columns that are filled and what is put there. Ids and texts are
/// numbers from 1.
const LARGE: [(&str, &str); 15] = [
    ("persons (workspace_id, id, email, created_at, updated_at, clocks)", "w, n, n::text, now(), now(), '{}'"),
    ("lead_clusters (workspace_id, id, external_id)", "w, n, n::text"),
    (
        "leads (workspace_id, id, sender, external_id, person_id, person_email, vin, stock_number, subscription_plan,
            location_name, comments, booking_state, booking_blockers, waits_for, received_at, updated_at, clocks)",
        "w, n, 'dealer_studio', n::text, case when n % 10 > 0 then n end, n::text, n::text, n::text, n::text, n::text,
            repeat('about as long as real ones ', 20), (array['not_requested', 'created', 'blocked'])[1 + n % 3], '{}', case when n % 10 = 0 then array[n::text] end, now(), now(), '{}'",
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
    LARGE.iter().any(|(into, _)| into.split(' ').next() == Some(table))
}

/// Fills one workspace with 20,000 rows of each kind.
async fn fill(service: &TestService) {
    let many = "from generate_series(1, 20000) n, (select id as w from workspaces where slug = 'alpha') as w";
    let quiet =
        |into: &str| format!("alter table {} set (autovacuum_enabled = false);", into.split(' ').next().unwrap());
    let quiet = LARGE.map(|(into, _)| quiet(into)).concat();
    let inserts = LARGE.map(|(into, values)| format!("insert into {into} select {values} {many};")).concat();
    service.database.execute(&format!("{quiet} set session_replication_role = replica; {inserts} reset all;")).await;
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

    /// The plan that is kept for whatever keys.
    async fn kept_plan(&self, connection: &mut PgConnection) -> Value {
        let Self { query, types, values } = self;
        let (types, values) = (types.join(", "), values.join(", "));
        let prepare = format!("prepare kept ({types}) as {query}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
        let explain = format!("explain (format json) execute kept ({values})");
        let plan = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *connection).await.unwrap();
        sqlx::raw_sql("deallocate kept").execute(connection).await.unwrap();
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
        let is_of_batches = ["insert", "analyze", "-- once"].iter().all(|begin| !query.starts_with(begin));
        // What looks at the catalogue names tables, and reads none of them.
        if large && is_of_batches && !query.contains("pg_tables") {
            let parameters = file["describe"]["parameters"]["Left"].as_array().unwrap();
            let kinds: Vec<&str> = parameters.iter().map(|kind| kind.as_str().unwrap()).collect();
            let value = |(index, kind)| value_of(query, index, kind, workspace, keys);
            statements.push(Statement {
                query: query.to_owned(),
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
    let keys: Vec<String> = (1..=keys).map(|number| (number * 70).to_string()).collect();
    let keys = keys.join(",");
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
    let names_a_key = ["id = ", "id)", "ANY", "identifier = ", "waits_for", "name_key = ", "name = ", "lower(name) = "]
        .iter()
        .any(|key| condition.replace("workspace_id = ", "").replace("workspace_id)", "").contains(key));
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

/// What the statements, for a batch of a few keys, do not read by these.
async fn not_by_key(service: &TestService, accepted: &[Reading]) -> Vec<String> {
    let workspace = service.database.value("select id from workspaces where slug = 'alpha'").await;
    let statements = statements(workspace, 16);
    assert!(statements.len() >= 12, "{}", statements.len());
    let mut report = Vec::new();
    for statement in statements {
        let plan: Value = service.database.value(&format!("explain (format json) {}", statement.with_keys())).await;
        report.extend(described(&plan, &statement, accepted));
    }
    report
}

/// The same for the plans that are kept, as the service's connections make them.
async fn not_by_key_when_kept(service: &TestService) -> Vec<String> {
    let workspace = service.database.value("select id from workspaces where slug = 'alpha'").await;
    let options = [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];
    let mut connection = service.database.options.clone().options(options).connect().await.unwrap();
    let mut report = Vec::new();
    for statement in &statements(workspace, 16) {
        let plan = statement.kept_plan(&mut connection).await;
        report.extend(described(&plan, statement, &[]));
    }
    report
}

fn described(plan: &Value, statement: &Statement, accepted: &[Reading]) -> Vec<String> {
    let mut found = Vec::new();
    scanned(&plan[0]["Plan"], "", &mut found);
    found.retain(|(reading, _)| !accepted.contains(reading));
    found.into_iter().map(|(_, table)| format!("{table} in {}", statement.query)).collect()
}

#[tokio::test]
async fn batches_are_looked_up_by_index_before_and_after_the_tables_are_analysed() {
    let service = service().await;
    fill(&service).await;
    // Without statistics Postgres takes a workspace for one of two hundred, and its index for good enough.
    let whole = not_by_key(&service, &[Reading::Workspace]).await;
    assert!(whole.is_empty(), "{}", whole.join("\n"));
    service.database.execute("analyze").await;
    let whole = not_by_key(&service, &[]).await;
    assert!(whole.is_empty(), "{}", whole.join("\n"));
    let kept = not_by_key_when_kept(&service).await;
    assert!(kept.is_empty(), "{}", kept.join("\n"));
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
    let lookup = all.find(|statement| statement.query.starts_with("-- Locations by name")).unwrap();
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
