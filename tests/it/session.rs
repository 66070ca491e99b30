//! The session that the laws rely on, whatever a role, a database or a server says; and servers that refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use forecourt::domain::feed::Feed;
use forecourt::store::{Demands, Error, PutsUp, Store};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::postgres::{OWNER, OwnCluster, SERVICE, SafeServer, TestDatabase};
use crate::support::program::Launch;
use crate::support::service::config_with;
use crate::support::{
    CONFIG, LEADS, OTHER_TOKEN, Program, TOKEN, TestService, a_lead, car, database, fixtures, own_cluster,
    service_with, soon, vin,
};

const UNSAFE_IS_FINE: Demands = Demands { allow_unsafe: true, puts_up: PutsUp::Never };

/// The tests' configuration with a credential of LeadPro's own.
pub(crate) fn config() -> String {
    format!(
        "{CONFIG}\n[[credentials]]\nname = \"leadpro\"\nscheme = \"bearer\"\nfeeds = [\"leadpro_lead\"]\n\
        workspaces = [\"alpha\"]\nsecret_env = \"OTHER_TOKEN\"\n"
    )
}

/// Posts every fixture of every feed, one after the other.
pub(crate) async fn deliver_everything(service: &TestService) {
    for feed in Feed::ALL {
        for body in fixtures(*feed) {
            let token = if *feed == Feed::LeadPro { OTHER_TOKEN } else { TOKEN };
            let request = Request::post(feed.path()).header("authorization", format!("Bearer {token}"));
            let answer = service.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_ne!(answer.outcome(), "failed", "{answer:?}");
        }
    }
    service.intake().finish().await;
}

/// The rows that were made, without the times at which that was.
pub(crate) async fn rows(service: &TestService) -> Vec<String> {
    let (now, mut rows) = (forecourt::intake::clock::now(), service.content().await);
    for day in [now, now - chrono::TimeDelta::days(1)] {
        let today = format!("\"{}T", day.format("%F"));
        for row in &mut rows {
            while let Some(at) = row.find(&today) {
                let end = row[at + 1..].find('"').unwrap() + at + 2;
                row.replace_range(at..end, "now");
            }
        }
    }
    rows.sort();
    rows
}

/// Shows only what differs: the rows are many.
#[track_caller]
pub(crate) fn assert_same(made: &[String], expected: &[String], whatever: &impl std::fmt::Debug) {
    let other =
        |of: &[String], than: &[String]| of.iter().filter(|row| !than.contains(row)).cloned().collect::<Vec<_>>();
    let (beside, missing) = (other(made, expected), other(expected, made));
    assert!(made == expected, "{whatever:?}\nbeside: {beside:#?}\nmissing: {missing:#?}");
}

/// A role of this name that may log in, in the cluster of a database, which it owns from now on.
async fn owned_by(database: &TestDatabase, role: &str) {
    let name = &database.name;
    database.execute(&format!("create role \"{role}\" login; alter database {name} owner to \"{role}\"")).await;
    database.execute(&format!("alter schema public owner to \"{role}\"")).await;
}

fn unique_role(of: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{of}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

// ---- the page

const PAGE: &str = include_str!("../../docs/session.md");

/// A part of the page, as the cells of its rows.
fn rows_of(part: &str) -> Vec<Vec<&'static str>> {
    let text = PAGE.split(&format!("\n## {part}")).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn names(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

/// The settings that each pinned part of the page names, with their values.
fn pinned() -> BTreeMap<&'static str, &'static str> {
    rows_of("Pinned").into_iter().map(|row| (names(row[0]).next().unwrap(), names(row[1]).next().unwrap())).collect()
}

/// Every setting that a role or a database can have, with its kind, its values, its bounds and what it is.
async fn settings(database: &TestDatabase) -> Vec<(String, String, Vec<String>, String, String, String)> {
    let question =
        "select name, vartype, coalesce(enumvals, '{}'), coalesce(min_val, ''), coalesce(max_val, ''), setting
        from pg_settings where context in ('user', 'superuser', 'backend', 'superuser-backend') order by name";
    let rows = sqlx::query(question).fetch_all(&database.pool).await.unwrap();
    let of = |row: &sqlx::postgres::PgRow| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5));
    rows.iter().map(of).collect()
}

#[tokio::test]
async fn every_setting_of_the_server_is_named_in_the_documents() {
    let database = database().await;
    let parts = ["Pinned", "Looked at, and refused", "Left alone"];
    let named: BTreeSet<String> =
        parts.iter().flat_map(|part| rows_of(part)).flat_map(|row| names(row[0])).map(str::to_lowercase).collect();
    let known = settings(&database).await;
    let unnamed: Vec<&String> =
        known.iter().map(|(name, ..)| name).filter(|name| !named.contains(&name.to_lowercase())).collect();
    assert!(known.len() > 150 && unnamed.is_empty(), "docs/session.md does not name {unnamed:?}");
}

#[tokio::test]
async fn what_the_documents_call_pinned_has_its_value_in_every_transaction() {
    let database = database().await;
    let values = [
        ("synchronous_commit", "off"),
        ("default_transaction_isolation", "'repeatable read'"),
        ("default_transaction_read_only", "on"),
        ("search_path", "intake, pg_catalog"),
        ("statement_timeout", "'1h'"),
        ("lock_timeout", "'1h'"),
        ("idle_in_transaction_session_timeout", "'1h'"),
        ("client_encoding", "LATIN1"),
        ("timezone", "'Australia/Perth'"),
        ("datestyle", "'SQL, DMY'"),
        ("intervalstyle", "iso_8601"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-15"),
        ("standard_conforming_strings", "off"),
        ("array_nulls", "off"),
        ("transform_null_equals", "on"),
        ("gin_fuzzy_search_limit", "1"),
        ("plan_cache_mode", "auto"),
        ("enable_indexscan", "off"),
        ("enable_bitmapscan", "on"),
        ("enable_nestloop", "off"),
        ("from_collapse_limit", "1"),
        ("join_collapse_limit", "1"),
        ("client_min_messages", "debug5"),
        ("log_parameter_max_length_on_error", "-1"),
    ];
    let all = values.map(|(setting, value)| format!("alter database {} set {setting} = {value};", database.name));
    database.execute(&all.concat()).await;
    let store = Store::connect(database.service_options.clone(), 2, UNSAFE_IS_FINE, 30).await.unwrap();
    let mut tx = store.begin(None).await.unwrap();
    for (setting, value) in pinned() {
        let question = format!("select current_setting('{setting}', true)");
        let is: Option<String> = sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(&mut *tx).await.unwrap();
        // One that a newer server has is not there yet.
        assert_eq!(is.as_deref().unwrap_or(value), value, "{setting}");
    }
    tx.commit().await.unwrap();
    let outlives = "select current_setting('statement_timeout') || current_setting('jit')";
    assert_eq!(database.beside().value::<String>(outlives).await, "1hon");
}

#[tokio::test]
async fn a_commit_that_waits_for_more_than_the_own_disk_goes_on_doing_so() {
    for (said, expected) in
        [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
    {
        let database = database().await;
        database.execute(&format!("alter database {} set synchronous_commit = {said}", database.name)).await;
        let store = Store::connect(database.service_options.clone(), 2, UNSAFE_IS_FINE, 30).await.unwrap();
        let mut tx = store.begin(None).await.unwrap();
        let is: String = sqlx::query_scalar("show synchronous_commit").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(is, expected, "{said}");
    }
}

/// Values as unlike the usual one as can be, in turn.
fn unlike(kind: &str, values: &[String], bounds: [&str; 2], usual: &str, turn: usize) -> Option<String> {
    match kind {
        "bool" => Some(if usual == "on" { "off" } else { "on" }.to_owned()),
        "enum" => {
            let others: Vec<&String> = values.iter().filter(|value| *value != usual).collect();
            others.get(turn % others.len().max(1)).map(|value| (*value).clone())
        }
        "integer" | "real" => Some(bounds[turn % 2].to_owned()),
        _ => None,
    }
}

#[tokio::test]
async fn whatever_a_database_says_of_what_is_left_alone_or_pinned_the_same_deliveries_make_the_same_rows() {
    let plain = service_with(&config()).await;
    deliver_everything(&plain).await;
    let expected = rows(&plain).await;
    let refused: BTreeSet<&str> = rows_of("Looked at, and refused").iter().flat_map(|row| names(row[0])).collect();
    // What ends the session before anything is asked, or writes the whole log many times over.
    let unusable = |name: &str| {
        refused.contains(name)
            || ["post_auth_delay", "client_encoding", "debug_discard_caches", "max_stack_depth", "idle_session_timeout"]
                .contains(&name)
            || name.starts_with("transaction_")
            // Of a connection's start: no database can say it.
            || ["ignore_system_indexes", "jit_debugging_support", "jit_profiling_support", "log_connections", "log_disconnections"]
                .contains(&name)
    };
    for turn in 0..3 {
        let database = database().await;
        let mut told = Vec::new();
        for (name, kind, values, least, most, usual) in settings(&database).await {
            let text = match name.as_str() {
                "search_path" => Some("intake, pg_catalog".to_owned()),
                "DateStyle" => Some("'German, DMY'".to_owned()),
                "TimeZone" => Some("'Pacific/Auckland'".to_owned()),
                "backtrace_functions" => Some("'heap_insert'".to_owned()),
                "restrict_nonsystem_relation_kind" => Some("'view, foreign-table'".to_owned()),
                "temp_tablespaces" | "default_tablespace" => Some("pg_default".to_owned()),
                _ => unlike(&kind, &values, [&least, &most], &usual, turn).map(|value| format!("'{value}'")),
            };
            let Some(value) = text.filter(|_| !unusable(&name)) else { continue };
            told.push(format!("{name} = {value}"));
        }
        // All at once, by a statement that does not run under what it sets.
        let all = told.iter().map(|setting| format!("alter database {} set {setting};", database.name));
        database.execute(&all.collect::<String>()).await;
        let address = database.service_options.clone();
        let service = TestService::connected(database.beside(), &address, &config()).await;
        deliver_everything(&service).await;
        let again = Store::connect(address, 2, UNSAFE_IS_FINE, 30).await.unwrap();
        again.migrate().await.unwrap();
        // Reads what was written as everybody does.
        database.execute(&format!("alter database {} reset all", database.name)).await;
        let made = rows(&TestService::over(database.beside(), &config()).await).await;
        assert_same(&made, &expected, &told);
    }
}

#[tokio::test]
async fn tables_are_in_public_whatever_the_role_is_called_and_its_search_path_says_and_a_second_start_finds_them() {
    let cluster = own_cluster().await;
    for (role, path) in [("intake", None), ("identity", None), ("ada", Some("ada, intake, public"))] {
        let database = cluster.bare_database(&format!("of_{role}")).await;
        owned_by(&database, role).await;
        if let Some(path) = path {
            database.execute(&format!("create schema {role} authorization {role}")).await;
            database.execute(&format!("alter role {role} set search_path = {path}")).await;
        }
        let address = database.options.clone().username(role);
        for start in 1..=2 {
            let service = TestService::connected(database.beside(), &address, CONFIG).await;
            assert_eq!(service.lead(&a_lead(start)).await.outcome(), "applied", "{role}");
        }
        assert_eq!(database.value::<i64>("select count(*) from public.leads").await, 2, "{role}");
        let strays = "select count(*) from pg_tables where tablename in ('leads', 'property_enquiries',
            '_sqlx_migrations') and schemaname <> 'public'";
        assert_eq!(database.value::<i64>(strays).await, 0, "{role}");
    }
}

#[tokio::test]
async fn tables_that_an_older_version_put_elsewhere_are_named() {
    let database = database().await;
    database.execute("alter table property_enquiries set schema intake").await;
    let refusal = forecourt::store::migrate(&database.pool).await.unwrap_err().to_string();
    assert!(refusal.contains("(intake.property_enquiries)") && refusal.contains("set schema public"), "{refusal}");
}

#[tokio::test]
async fn a_database_that_holds_other_tables_of_such_names_has_room_for_ours() {
    let cluster = own_cluster().await;
    let database = cluster.bare_database("shared").await;
    database.execute("create role ordinary login").await;
    database
        .execute("create schema other; create table other.bookings (x int); create table other.leads (x int)")
        .await;
    database.execute("alter database shared owner to ordinary").await;
    database.execute("grant all on schema public to ordinary").await;
    let ordinary = sqlx::PgPool::connect_with(database.options.clone().username("ordinary")).await.unwrap();
    forecourt::store::migrate(&ordinary).await.unwrap();
    assert_eq!(database.value::<i64>("select count(*) from public.leads").await, 0);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_of_postgres_although_the_role_does_not_wait_for_its_disk() {
    let cluster = own_cluster().await;
    let database = cluster.database().await;
    database.execute(&format!("alter role {SERVICE} set synchronous_commit = off")).await;
    database.execute("alter system set wal_writer_delay = '10s'").await;
    database.execute("select pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let service = TestService::over(database.beside(), CONFIG).await;
    for id in 0..60 {
        assert_eq!(service.lead(&a_lead(id)).await.outcome(), "applied");
    }
    cluster.kill();
    let back = Instant::now();
    let stored = loop {
        // Over a connection of its own: those of before the kill may still answer for a moment, and then be gone.
        let fresh = database.beside();
        let count = sqlx::query_scalar::<_, i64>("select count(*) from intake.deliveries").fetch_one(&fresh.pool);
        if let Ok(count) = count.await {
            break count;
        }
        assert!(back.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(stored, 60);
}

#[tokio::test]
async fn a_car_and_its_lead_at_the_same_moment_make_a_booking_whatever_isolation_the_database_asks_for() {
    let database = database().await;
    let set = format!("alter database {} set default_transaction_isolation = 'repeatable read'", database.name);
    database.execute(&set).await;
    let first = TestService::over(database.beside(), CONFIG).await;
    let second = TestService::over(database.beside(), CONFIG).await;
    let cases: i64 = 150;
    for id in 0..cases {
        let number = usize::try_from(id).unwrap();
        let vehicle = car(id).vin(number).price(30_000);
        let lead = a_lead(id).with(json!({
            "category": "Subscription Enquiry", "item": { "vin": vin(number) },
            "location": { "location_name": "Dealer A" }, "additional_details": { "subscription_plan": "Premium" },
        }));
        let (vehicle, lead) = tokio::join!(first.vehicle(vehicle.body()), second.lead(&lead));
        assert_eq!((vehicle.status.as_u16(), lead.status.as_u16()), (200, 200));
    }
    assert_eq!(first.count("bookings").await, cases);
}

#[tokio::test]
async fn a_statement_that_is_cancelled_or_waits_for_a_lock_or_a_disk_is_tried_again() {
    crate::sabotage::each_is_tried_again(&["57014", "55P03", "58030", "25P04", "57P05", "26000", "42P05", "40003"])
        .await;
}

#[tokio::test]
async fn a_statement_whose_plan_a_changed_table_has_made_stale_is_prepared_anew() {
    let service = service_with(CONFIG).await;
    assert_eq!(service.vehicle(car(1).price(30_000).body()).await.outcome(), "applied");
    service.database.execute("alter table listing_sources alter column fingerprint type varchar(100)").await;
    let answer = service.vehicle(car(1).price(31_000).body()).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    assert_eq!(service.record(&answer).await["attempts"], 1);
}

// ---- servers that break a law

/// The configuration of the program in these tests.
fn config_of_program(allow_unsafe: bool) -> String {
    let config = config_with("hold_seconds = 60\ndeadline_ms = 1000\nstop_seconds = 4");
    let config = config.replace("[spool]\nmax_bytes = 0", "");
    format!("{config}\n[database]\nallow_unsafe = {allow_unsafe}\n")
}

fn spawn(database: &TestDatabase, url: &str, folder: &std::path::Path, allow_unsafe: bool) -> Program {
    let listen = ([127, 0, 0, 1], 0).into();
    let url = if url.is_empty() { database.url() } else { url.to_owned() };
    let config = config_of_program(allow_unsafe);
    Program::spawn(&Launch { database: &url, folder, config: &config, listen, log: "info", first: "" })
}

/// The address of a database for another user.
fn url_of(database: &TestDatabase, user: &str) -> String {
    database.url_as(user)
}

async fn ready(program: &Program) -> Value {
    program.get("/readyz").await.body
}

async fn outcome(program: &Program, id: i64) -> String {
    program.post_as(TOKEN, LEADS, a_lead(id).bytes()).await.outcome().to_owned()
}

#[tokio::test]
async fn a_server_that_loses_what_it_has_committed_is_refused_at_a_first_start_and_put_up_with_later() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut first = spawn(&database, "", folder.path(), false);
    assert!(!first.ended().success());
    let refusal = first.wait_for("fsync is off");
    assert!(refusal.contains("full_page_writes is off") && refusal.contains("database.allow_unsafe"), "{refusal}");
    assert!(!folder.path().join("tables-seen").exists());

    let mut allowed = spawn(&database, "", folder.path(), true).listening();
    allowed.wait_for("postgres is ready");
    assert_eq!(ready(&allowed).await.get("postgres"), None, "what is allowed is not told");
    drop(allowed);

    let mut later = spawn(&database, "", folder.path(), false).listening();
    let line = later.wait_for("fsync is off");
    assert!(line.contains("ERROR"), "{line}");
    later.wait_for("postgres is ready");
    assert_eq!(outcome(&later, 1).await, "applied");
    let state = ready(&later).await;
    assert_eq!(state["postgres"], json!({"unsafe": ["fsync = off", "full_page_writes = off"]}));
    assert_eq!(state["parts"]["postgres"], "ok");
}

#[tokio::test]
async fn a_server_that_becomes_unsafe_counts_as_away_until_it_is_safe_again() {
    let server = SafeServer::start().await;
    let database = server.0.bare_database("forecourt").await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = spawn(&database, "", folder.path(), false).listening();
    program.wait_for("postgres is ready");
    assert_eq!(outcome(&program, 1).await, "applied");
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'forecourt' and pid <> pg_backend_pid()";
    database.execute(&format!("alter role {OWNER} set session_replication_role = replica")).await;
    database.execute(others).await;
    assert_eq!(outcome(&program, 2).await, "spooled");
    program.wait_for("session_replication_role is replica");
    assert_eq!(ready(&program).await["parts"]["postgres"], "unavailable");
    database.execute(&format!("alter role {OWNER} reset session_replication_role")).await;
    program.wait_for("the spool is empty again");
    assert_eq!(database.value::<i64>("select count(*) from intake.deliveries").await, 2);
}

/// A database of another encoding.
async fn latin_1(cluster: &OwnCluster, name: &str) -> TestDatabase {
    let admin = cluster.bare_database("postgres").await;
    let words = format!("create database {name} encoding 'LATIN1' locale 'C' template template0");
    admin.execute(&words).await;
    cluster.bare_database(name).await
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_at_a_first_start_and_put_up_with_where_the_tables_are() {
    let cluster = own_cluster().await;
    let database = latin_1(&cluster, "latin").await;
    let folder = tempfile::tempdir().unwrap();
    let mut first = spawn(&database, "", folder.path(), true);
    assert!(!first.ended().success());
    let refusal = first.wait_for("encoding is LATIN1");
    assert!(refusal.contains("encoding 'UTF8' template template0"), "{refusal}");
    assert_eq!(database.value::<Option<String>>("select to_regclass('intake.deliveries')::text").await, None);

    // As a version left it that did not look.
    let database = database.migrated().await;
    std::fs::create_dir_all(folder.path().join("spool")).unwrap();
    let mut program = spawn(&database, "", folder.path(), true).listening();
    assert!(program.wait_for("encoding is LATIN1").contains("ERROR"));
    program.wait_for("postgres is ready");
    assert_eq!(outcome(&program, 1).await, "applied");
    assert_eq!(ready(&program).await["postgres"], json!({"unsafe": ["encoding LATIN1"]}));
}

#[tokio::test]
async fn a_content_type_that_the_database_cannot_hold_holds_nobody_up() {
    let cluster = own_cluster().await;
    let database = latin_1(&cluster, "latin").await;
    let database = database.migrated().await;
    let service = TestService::over(database, CONFIG).await;
    let post = |id: i64, content_type: &'static str| {
        let request = Request::post(LEADS).header("authorization", "Bearer token-of-the-tests");
        let request = request.header("content-type", content_type.as_bytes());
        service.send(request.body(Body::from(a_lead(id).to_string())).unwrap())
    };
    let all = join_all([post(1, "text/\u{2192}"), post(2, "application/json"), post(3, "application/json")]);
    let answers = tokio::time::timeout(Duration::from_secs(15), all).await.unwrap();
    let outcomes: Vec<&str> = answers.iter().map(|answer| answer.body["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "applied", "applied"]);
    assert_eq!(service.record(&answers[0]).await["content_type"], "text/?");
}

#[tokio::test]
async fn a_spooled_delivery_that_cannot_be_stored_at_all_is_put_aside_and_those_behind_it_go_on() {
    let database = database().await;
    // Whatever becomes of it: this one delivery cannot be written.
    database
        .execute(
            "create function sabotage() returns trigger language plpgsql as $$ begin
                if convert_from(new.body, 'UTF8') like '%ada7@%' then
                    raise exception 'sabotage' using errcode = '22P05';
                end if;
                return new;
            end $$;
            create trigger sabotage before insert on intake.bodies for each row execute function sabotage()",
        )
        .await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = spawn(&database, "", folder.path(), true).listening();
    program.wait_for("postgres is ready");
    assert_eq!(outcome(&program, 7).await, "spooled");
    outcome(&program, 8).await;
    program.wait_for("is set aside");
    soon("the spool is empty", async || ready(&program).await["spool"]["deliveries"] == 0).await;
    let aside = std::fs::read_dir(folder.path().join("spool")).unwrap();
    let aside = aside.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("unreadable-"));
    assert_eq!(aside.count(), 1);
    assert_eq!(outcome(&program, 9).await, "applied");
    assert_eq!(database.value::<i64>("select count(*) from leads").await, 2);
}

// ---- servers that refuse

#[tokio::test]
async fn a_database_that_refuses_ends_a_first_start_with_a_sentence() {
    let database = database().await;
    let (role, folder) = (unique_role("locked_out"), tempfile::tempdir().unwrap());
    database.execute(&format!("create role {role} nologin")).await;
    let cases = [
        (url_of(&database, &role), "check the user and the password"),
        (url_of(&database, "nobody_of_this_name"), "check the user and the password"),
        (database.url().replacen(&format!("/{}?", database.name), "/no_such_database?", 1), "no such database"),
    ];
    for (url, sentence) in cases {
        let mut program = spawn(&database, &url, folder.path(), true);
        assert!(!program.ended().success());
        program.wait_for(sentence);
    }
}

#[tokio::test]
async fn a_database_that_refuses_is_away_once_its_tables_were_seen_at_a_start_and_later() {
    let database = database().await;
    let (role, folder) = (unique_role("rotated"), tempfile::tempdir().unwrap());
    database.execute(&format!("create role {role} login in role {SERVICE}")).await;
    let url = url_of(&database, &role);
    let mut program = spawn(&database, &url, folder.path(), true).listening();
    program.wait_for("postgres is ready");
    assert_eq!(outcome(&program, 1).await, "applied");

    let lock_out = format!(
        "alter role {role} nologin; select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'"
    );
    // A connection that was only being made is in no list yet, and is cut off the next time.
    let mut lead = 2;
    database.execute(&lock_out).await;
    while outcome(&program, lead).await != "spooled" {
        database.execute(&lock_out).await;
        lead += 1;
        assert!(lead < 30, "it goes on over a connection of a role that may not log in");
    }
    // The connections that are cut off are a cause of their own, and told first where they are met first.
    let line = loop {
        let line = program.wait_for("postgres is away");
        if line.contains("28000") {
            break line;
        }
    };
    assert!(line.contains("check the user and the password"), "{line}");
    assert_eq!(ready(&program).await["parts"], json!({"postgres": "unavailable", "spool": "ok"}));
    drop(program);

    let mut program = spawn(&database, &url, folder.path(), true).listening();
    assert_eq!(outcome(&program, 100).await, "spooled");
    let line = program.wait_for("postgres is away");
    assert!(line.contains("28000") && line.contains("check the user and the password"), "{line}");
    assert_eq!(ready(&program).await["parts"], json!({"postgres": "unavailable", "spool": "ok"}));
    tokio::time::sleep(Duration::from_secs(2)).await;
    database.execute(&format!("alter role {role} login")).await;
    program.wait_for("the spool is empty again");
    let lines = program.seen.iter().filter(|line| line.contains("postgres is away")).count();
    assert_eq!(lines, 1, "one line a minute: {:#?}", program.seen);
    let stored = "select count(*) from intake.deliveries where outcome = 'applied' and attempts = 1";
    assert_eq!(database.value::<i64>(stored).await, 3);
}

#[tokio::test]
async fn a_role_that_may_only_read_is_not_ready() {
    let database = database().await;
    let role = unique_role("reader");
    database
        .execute(&format!(
            "create role {role} login; grant usage on schema public, identity, intake to {role};
            grant all on all tables in schema public, identity, intake to {role};
            grant all on all sequences in schema public, identity, intake to {role}"
        ))
        .await;
    let address = database.options.clone().username(&role);
    let store = Store::connect(address, 4, UNSAFE_IS_FINE, 30).await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(database.value::<i64>("select count(*) from intake.deliveries").await, 0, "it is undone");
    database.execute(&format!("revoke insert on intake.deliveries from {role}")).await;
    store.probe().await.expect("an insert is tried at most once in five seconds");
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    let refusal = store.probe().await.unwrap_err().without_values();
    assert!(refusal.contains("42501"), "{refusal}");
}

#[tokio::test]
async fn an_older_version_that_migrates_meanwhile_is_waited_for() {
    let database = database().await;
    let holder = database.beside();
    // As sqlx's own migrator locks: for a session.
    let mut session = holder.pool.acquire().await.unwrap();
    let migrator = sqlx::migrate::Migrate::lock(&mut *session);
    migrator.await.unwrap();
    let mut migrating = tokio::spawn({
        let pool = database.pool.clone();
        async move { forecourt::store::migrate(&pool).await }
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut migrating).await.is_err(), "it waits");
    sqlx::migrate::Migrate::unlock(&mut *session).await.unwrap();
    migrating.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_was_ended_while_it_rested_is_replaced_without_a_word() {
    let database = database().await;
    let store = Store::connect(database.service_options.clone(), 1, UNSAFE_IS_FINE, 30).await.unwrap();
    store.begin(None).await.unwrap().commit().await.unwrap();
    let rest = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'forecourt'
        and datname = current_database()";
    database.execute(rest).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.begin(None).await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_a_statement_has_ended_is_not_taken_for_committed() {
    let database = database().await;
    let store = Store::new(database.service_pool.clone(), 30);
    let mut tx = store.begin(None).await.unwrap();
    assert!(sqlx::query("select 1 / 0").execute(&mut *tx).await.is_err());
    assert!(matches!(tx.commit().await, Err(Error::Database(_))));
}
