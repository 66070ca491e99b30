//! The service as a test sees it: deliveries are posted, rows are read.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use forecourt::cli::serve::Service;
use forecourt::config::{self, Config, Environment};
use forecourt::domain::feed::Feed;
use forecourt::store::{Address, Demands, PutsUp, Store};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::postgres::TestDatabase;
use super::scrape::Scrape;
use super::tables::{BUSINESS, tables};

/// The doors of the feeds.
pub(crate) const LEADS: &str = "/webhooks/dealer-studio/leads";
/// See [`LEADS`].
pub(crate) const CLUSTERS: &str = "/webhooks/dealer-studio/lead-clusters";
/// See [`LEADS`].
pub(crate) const INVENTORY: &str = "/webhooks/dealer-studio/inventory";
/// See [`LEADS`].
pub(crate) const LEADPRO: &str = "/webhooks/leadpro";

/// The secret of the test configuration's credential `all`.
pub(crate) const TOKEN: &str = "token-of-the-tests";
/// The secret behind `OTHER_TOKEN`, of a second credential.
pub(crate) const OTHER_TOKEN: &str = "another-token-of-the-tests";
/// The secret behind `BETA`, of a credential that may write to `beta` only.
pub(crate) const TOKEN_OF_BETA: &str = "the-token-of-beta";

/// The password of the console, where a configuration has [`CONSOLE`].
pub(crate) const CONSOLE_PASSWORD: &str = "the console's password & more";
/// An admin listener with a console, for the user `ada`.
pub(crate) const CONSOLE: &str = "
[admin]
listen = \"127.0.0.1:0\"
hosts = [\"console.example\"]
user = \"ada\"
password_env = \"CONSOLE_PASSWORD\"
";

/// No spool, so that Postgres alone is waited for, and two workspaces: `alpha` with the dealerships 356 and 357, `beta` with 285. `all` may write to both.
/// Postgres has a minute: on a machine that does other things no test fails for want of time that it is not about.
pub(crate) const CONFIG: &str = r#"
[server]
hold_seconds = 120
deadline_ms = 60000

[spool]
max_bytes = 0

[[workspaces]]
slug = "alpha"
name = "Alpha"
timezone = "Australia/Sydney"
dealerships = [356, 357]
locations = ["Dealer A", { name = "Closed", bookable = false }]
packages = ["Premium", "Starter"]

[[workspaces]]
slug = "beta"
name = "Beta"
dealerships = [285]
locations = ["Gulson Alfa Romeo"]
packages = ["Premium"]

[[credentials]]
name = "all"
scheme = "bearer"
feeds = "all"
workspaces = "all"
secret_env = "TOKEN"
"#;

/// The times of `CONFIG`.
const TIMES: &str = "hold_seconds = 120\ndeadline_ms = 60000\n";

/// `CONFIG` with other lines of `[server]` in the place of its times, for tests that are about these.
pub(crate) fn config_with(server: &str) -> String {
    assert!(CONFIG.contains(TIMES));
    CONFIG.replace(TIMES, &format!("{server}\n"))
}

/// How long a test waits at the most for what must come true soon.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// Waits for what must come true soon.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Secrets of further credentials, by the environment variables that a configuration names.
pub(crate) const SECRETS: [(&str, &str); 9] = [
    ("TOKEN", TOKEN),
    ("BETA", TOKEN_OF_BETA),
    ("OTHER_TOKEN", OTHER_TOKEN),
    ("PASSWORD", "pass:word-of-the-tests"),
    ("CONSOLE_PASSWORD", CONSOLE_PASSWORD),
    ("CLIENT_SECRET", "client secret & more: of+the%20tests"),
    ("NEXT_CLIENT_SECRET", "the-next-client-secret-of-the-tests"),
    ("SIGNING_KEY", "a-signing-key-of-the-tests-0123456789"),
    ("LEADPRO_SECRET", "signing-secret-of-the-leadpro-dashboard"),
];

/// A `[[credentials]]` of a configuration; `rest` holds its further lines.
pub(crate) fn credential(name: &str, scheme: &str, feeds: &str, workspaces: &str, rest: &str) -> String {
    format!(
        "\n[[credentials]]\nname = \"{name}\"\nscheme = \"{scheme}\"\nfeeds = {feeds}\nworkspaces = {workspaces}\n{rest}"
    )
}

/// A credential of LeadPro's own for `alpha`, whose secret is [`OTHER_TOKEN`].
pub(crate) fn credential_of_leadpro() -> String {
    credential("leadpro", "bearer", "[\"leadpro_lead\"]", "[\"alpha\"]", "secret_env = \"OTHER_TOKEN\"\n")
}

/// A credential for all feeds that may write to `beta` only, whose secret is [`TOKEN_OF_BETA`].
pub(crate) fn credential_of_beta() -> String {
    credential("beta", "bearer", "\"all\"", "[\"beta\"]", "secret_env = \"BETA\"\n")
}

/// The workspaces of the test configuration without their credential.
pub(crate) fn workspaces() -> &'static str {
    CONFIG.split("[[credentials]]").next().unwrap()
}

/// A running service over a database of its own.
pub(crate) struct TestService {
    pub(crate) database: TestDatabase,
    service: Service,
    data_dir: TempDir,
}

/// What a post was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The codes of its findings.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.body["findings"]
            .as_array()
            .map_or(Vec::new(), |findings| findings.iter().filter_map(|finding| finding["code"].as_str()).collect())
    }
}

/// A service with the test configuration.
pub(crate) async fn service() -> TestService {
    service_with(CONFIG).await
}

/// A service with another configuration.
pub(crate) async fn service_with(config: &str) -> TestService {
    TestService::over(super::database().await, config).await
}

impl TestService {
    /// A service over a database that exists, as after a restart.
    pub(crate) async fn over(database: TestDatabase, config: &str) -> Self {
        Self::with_data(database, config, tempfile::tempdir().unwrap()).await
    }

    /// A service over a database and a data directory that exist.
    pub(crate) async fn with_data(database: TestDatabase, config: &str, data_dir: TempDir) -> Self {
        let config = parsed(config, data_dir.path());
        let store = Store::new(database.service_pool.clone(), i64::from(config.server.booking_retry_days));
        let service = Service::assemble(&config, &store).await.unwrap();
        Self { database, service, data_dir }
    }

    /// A service that connects as the program does, by an address, and brings the tables to this version.
    pub(crate) async fn connected(database: TestDatabase, address: &Address, config: &str) -> Self {
        let demands = Demands { allow_unsafe: true, puts_up: PutsUp::Never };
        let store = Store::connect(address.clone(), 8, demands, 30).await.unwrap();
        store.migrate().await.unwrap();
        let data_dir = tempfile::tempdir().unwrap();
        let service = Service::assemble(&parsed(config, data_dir.path()), &store).await.unwrap();
        Self { database, service, data_dir }
    }

    /// Lets another configuration count, as after SIGHUP.
    pub(crate) async fn reload(&self, config: &str) {
        self.service.reload(&parsed(config, self.data_dir.path())).await.unwrap();
    }

    /// The same database and data directory with another configuration, as after a stop and a start.
    pub(crate) async fn stopped_and_started_with(self, config: &str) -> Self {
        self.service.app.acceptor.close().await;
        Self::with_data(self.database, config, self.data_dir).await
    }

    /// What takes deliveries in.
    pub(crate) fn acceptor(&self) -> &forecourt::intake::accept::Acceptor {
        &self.service.app.acceptor
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// The folder of the spool.
    pub(crate) fn spool_dir(&self) -> std::path::PathBuf {
        self.data_dir.path().join("spool")
    }

    /// The same database with another configuration, as after a restart.
    pub(crate) async fn restarted_with(self, config: &str) -> Self {
        Self::over(self.database, config).await
    }

    /// Another service over the same database, as a second process is.
    pub(crate) async fn beside(&self, config: &str) -> Self {
        Self::over(self.database.beside(), config).await
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// Sends any request, for what stands in the head of its response.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.service.app.router.clone().oneshot(request).await.unwrap()
    }

    /// Its routes, to be served on a connection.
    pub(crate) fn router(&self) -> forecourt::http::Router {
        self.service.app.router.clone()
    }

    /// The routes of its admin listener.
    pub(crate) fn admin(&self) -> forecourt::http::Router {
        self.service.app.admin.clone()
    }

    /// What it counts.
    pub(crate) fn metrics(&self) -> &forecourt::metrics::Metrics {
        &self.service.app.metrics
    }

    /// Its metrics, as Prometheus asks for them.
    pub(crate) async fn scrape(&self) -> Scrape {
        Scrape::parse(&self.scraped().await)
    }

    /// The same as text.
    pub(crate) async fn scraped(&self) -> String {
        let request = Request::get("/metrics").header("host", "localhost").body(Body::empty()).unwrap();
        let response = self.admin().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Waits until the refused requests that came so far are written.
    pub(crate) async fn refusals_written(&self) {
        self.service.app.quarantine.finish().await;
        self.service.app.misdirected.finish().await;
    }

    /// Posts a body with the credential `all`.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.post_as(TOKEN, path, body).await
    }

    /// Posts a body with the secret of another credential, sent as a bearer token.
    pub(crate) async fn post_as(&self, secret: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {secret}"))
            .header("content-type", "application/json")
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// Posts a lead.
    pub(crate) async fn lead(&self, payload: &Value) -> Answer {
        self.post(LEADS, payload.to_string()).await
    }

    /// Posts a lead cluster.
    pub(crate) async fn cluster(&self, payload: &Value) -> Answer {
        self.post(CLUSTERS, payload.to_string()).await
    }

    /// Posts a vehicle.
    pub(crate) async fn vehicle(&self, payload: &Value) -> Answer {
        self.post(INVENTORY, payload.to_string()).await
    }

    /// The intake, for what no request reaches.
    pub(crate) fn intake(&self) -> &forecourt::intake::Intake {
        &self.service.intake
    }

    /// Rows of a query, as JSON objects.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Value> {
        let query = format!("select to_jsonb(r) from ({query}) r");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&self.database.pool).await.unwrap()
    }

    /// Which version of each row of the business tables is there: the same as long as nothing was written.
    pub(crate) async fn versions(&self) -> Vec<Value> {
        let tables = tables(&self.database.pool, BUSINESS).await;
        let of = |table: &String| format!("select '{table}' as name, xmin::text, ctid::text from {table}");
        let all: Vec<String> = tables.iter().map(of).collect();
        self.rows(&format!("select * from ({}) v order by name, ctid", all.join(" union all "))).await
    }

    /// The only row of a query.
    pub(crate) async fn row(&self, query: &str) -> Value {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows.remove(0)
    }
}

/// A configuration as the tests' service reads it.
pub(crate) fn parsed(config: &str, data_dir: &Path) -> Config {
    let path = data_dir.join("forecourt.toml");
    std::fs::write(&path, config).unwrap();
    let folder = data_dir.to_str().unwrap();
    let folders = [("FORECOURT_DATA_DIR", folder), ("HOME", folder)];
    config::load(Some(&path), &Environment::of(SECRETS.into_iter().chain(folders))).unwrap()
}

impl TestService {
    /// Every row of every business table as a line. With `xmin`, so that a row that was written again with what it held
    /// before is another line.
    pub(crate) async fn dump(&self) -> Vec<String> {
        self.dump_of("to_jsonb(r) || jsonb_build_object('xmin', r.xmin::text)").await
    }

    /// Every row of every business table as a line, without what two runs cannot have in common: ids and arrival times.
    pub(crate) async fn content(&self) -> Vec<String> {
        self.dump_of(
            "(select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(r))
            where key !~ '(^id|^(lead|person|listing|location|package|workspace|lead_cluster|delivery|marketing_opt_in_lead)_id)$'
                and key !~ '(^(created|updated|received|removed)_at|arrived_at|^clocks|^history|as_of|^membership|^wish(es)?|^waits_for|said_at)$')",
        )
        .await
    }

    async fn dump_of(&self, row: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for table in tables(&self.database.pool, BUSINESS).await {
            let query = format!("select '{table} ' || ({row})::text from {table} r order by 1");
            let rows: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&self.database.pool).await.unwrap();
            lines.extend(rows);
        }
        lines
    }

    /// How many rows a query counts.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.database.value(&format!("select count(*) from {from}")).await
    }

    /// The record of a delivery, without its body and digest.
    pub(crate) async fn record(&self, answer: &Answer) -> Value {
        let id = answer.id();
        let row = self.row(&format!("select * from intake.deliveries where id = '{id}'")).await;
        let mut record = row.as_object().unwrap().clone();
        record.retain(|column, _| column != "body" && column != "body_sha256");
        Value::Object(record)
    }

    /// The stored body of a delivery.
    pub(crate) async fn stored_body(&self, answer: &Answer) -> Vec<u8> {
        let id = answer.id();
        self.database.value(&format!("select body from intake.deliveries_with_bodies where id = '{id}'")).await
    }
}

/// A fixture as it stands in its file, by its path below `fixtures/`.
pub(crate) fn fixture_bytes(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every fixture of a feed that is below `fixtures/`.
pub(crate) fn fixtures(feed: Feed) -> Vec<Vec<u8>> {
    named_fixtures(feed).into_iter().map(|(_, body)| body).collect()
}

/// Every fixture of a feed, each with its name.
pub(crate) fn named_fixtures(feed: Feed) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/fixtures/{}/{}", env!("CARGO_MANIFEST_DIR"), feed.sender(), feed.name());
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "snap"));
    paths.sort();
    let named = |path: &std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (named(path), std::fs::read(path).unwrap())).collect()
}

/// A fixture, by its path below `fixtures/`.
pub(crate) fn fixture(path: &str) -> Value {
    let text = std::fs::read_to_string(format!("{}/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A number that no other call gives, for ids.
pub(crate) fn unique() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
