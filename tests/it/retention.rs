//! Retention: what goes when, what stays, and what a body costs that is gone.

mod life;

use std::path::Path;
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta, Utc};
use forecourt::domain::delivery::{Delivery, id_at};
use forecourt::domain::feed::Feed;
use forecourt::domain::retention::Retention;
use forecourt::intake::retention::{Gone, Report, pass, preview};
use forecourt::intake::{Answer, Outcome, due, partitions, rereading};
use forecourt::store::partitions::make;
use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::replay::{replay as run_replay, replay_with};
use crate::support::payloads::Lead;
use crate::support::postgres::OWNER;
use crate::support::program::Launch;
use crate::support::{
    CONFIG, Program, SECRETS, TestService, a_lead, car, database, delivery, service, service_with, soon,
};

/// A delivery that arrived then.
fn arrived(at: &str, feed: Feed, body: &Value) -> Delivery {
    let received_at: DateTime<Utc> = at.parse().unwrap();
    Delivery { id: id_at(received_at), received_at, ..delivery(feed, body.to_string()) }
}

async fn accepted(service: &TestService, delivery: &Delivery) -> Outcome {
    match service.acceptor().accept(delivery.clone()).await.unwrap() {
        Answer::Applied(reply) => reply.outcome,
        Answer::Spooled(id) => panic!("{id} was spooled"),
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Limits in days.
fn kept(deliveries: Option<i64>, bodies: Option<i64>, identity: Option<i64>) -> Retention {
    let [deliveries, bodies, identity] = [deliveries, bodies, identity].map(|days| days.map(TimeDelta::days));
    Retention { deliveries, bodies, identity, ..Retention::default() }
}

/// What a pass at this time lets go.
async fn gone(service: &TestService, retention: Retention, now: &str) -> Vec<(String, i64)> {
    let mut report = Report::default();
    pass(service.intake().store(), &retention, time(now), &mut report).await.unwrap();
    assert!(!report.is_more_left);
    told(&report.gone)
}

fn told(gone: &[Gone]) -> Vec<(String, i64)> {
    let one = |Gone { what, month, rows }: &Gone| {
        let month = month.map_or_else(String::new, |month| format!(" {}", month.format("%Y-%m")));
        (format!("{what}{month}"), *rows)
    };
    gone.iter().map(one).collect()
}

fn all(gone: &[(&str, i64)]) -> Vec<(String, i64)> {
    gone.iter().map(|(what, rows)| ((*what).to_owned(), *rows)).collect()
}

/// Runs the program beside a database.
fn run(service: &TestService, folder: &Path, config: &str, arguments: &[&str]) -> Output {
    let path = folder.join("forecourt.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", folder);
    command.env("DATABASE_URL", service.database.url()).args(arguments);
    command.output().unwrap()
}

/// The rows about retention of `intake.actions`, without when and by whom.
async fn acts(service: &TestService) -> Vec<Value> {
    let rows = service.rows("select counts from intake.actions where action = 'retention' order by id").await;
    rows.into_iter().map(|row| row["counts"].clone()).collect()
}

/// Ada's lead with a licence and a passport.
fn with_documents(id: i64) -> Lead {
    a_lead(id).with(json!({
        "prospect": { "dob": "01/02/1990" },
        "additional_details": {
            "license_number": format!("L{id}"), "license_expiry": "10/10/2029", "license_dob": "01/02/1990",
            "passport_number": format!("P{id}"), "passport_country": "Australia", "passport_expiry": "10/10/2029",
            "passport_dob": "01/02/1990", "more": "details",
        },
    }))
}

const DOCUMENTS: [&str; 3] = ["identity.driver_licences", "identity.passports", "identity.lead_documents"];

async fn documents(service: &TestService) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in DOCUMENTS {
        counts.push(service.count(table).await);
    }
    counts
}

#[tokio::test]
async fn whole_months_go_by_the_command_which_tells_before_what_would() {
    let (service, folder) = (service().await, tempfile::tempdir().unwrap());
    let store = service.intake().store();
    make(store, time("2020-02-01T00:00:00Z")).await.unwrap();
    let old = [("2020-02-29T23:59:59.999999Z", 1), ("2020-03-01T00:00:00Z", 2), ("2020-03-31T10:00:00Z", 3)];
    for (at, id) in old {
        accepted(&service, &arrived(at, Feed::Lead, &a_lead(id))).await;
    }
    let vehicle = car(1).vin(1).body().clone();
    for at in ["2020-03-01T01:00:00Z", "2020-03-02T01:00:00Z"] {
        accepted(&service, &arrived(at, Feed::Inventory, &vehicle)).await;
    }
    service.lead(&a_lead(4)).await;
    let config = format!("{CONFIG}\n[retention]\nbodies = \"30d\"\n");
    let dry = run(&service, folder.path(), &config, &["retention", "--dry-run"]);
    let lines = |how: &str| {
        format!("bodies 2020-02: 1 rows {how}\nbodies 2020-03: 3 rows {how}\nbodies 2020-04: 0 rows {how}\n")
    };
    assert_eq!(String::from_utf8_lossy(&dry.stdout), lines("would go"), "{dry:?}");
    assert_eq!((service.count("intake.bodies").await, acts(&service).await), (5, vec![]), "it is a dry run");

    let done = run(&service, folder.path(), &config, &["retention"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(String::from_utf8_lossy(&done.stdout), lines("gone"));
    assert_eq!((service.count("intake.bodies").await, service.count("intake.deliveries").await), (1, 6));
    let bodies = json!({ "bodies": 4, "months_of_bodies": ["2020-02", "2020-03", "2020-04"] });
    assert_eq!(acts(&service).await, std::slice::from_ref(&bodies));

    let config = format!("{CONFIG}\n[retention]\ndeliveries = \"30d\"\n");
    let done = run(&service, folder.path(), &config, &["retention"]);
    assert!(done.status.success(), "{done:?}");
    let expected =
        "deliveries 2020-02: 1 rows gone\ndeliveries 2020-03: 4 rows gone\ndeliveries 2020-04: 0 rows gone\n";
    assert_eq!(String::from_utf8_lossy(&done.stdout), expected);
    assert_eq!(service.count("intake.deliveries_with_bodies where body is not null").await, 1, "that of today");

    let done = run(&service, folder.path(), &config, &["retention"]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "Nothing is too old; nothing has gone.\n", "{done:?}");
    assert_eq!(acts(&service).await.len(), 2, "where nothing went there is no row");
}

#[tokio::test]
async fn a_month_goes_when_its_last_moment_is_older_and_never_before() {
    let service = service().await;
    make(service.intake().store(), time("2026-02-01T00:00:00Z")).await.unwrap();
    accepted(&service, &arrived("2026-02-28T23:59:59Z", Feed::Lead, &a_lead(1))).await;
    let limits = kept(Some(90), Some(30), None);
    assert_eq!(gone(&service, limits, "2026-03-30T23:59:59.999999Z").await, []);
    assert_eq!(gone(&service, limits, "2026-03-31T00:00:00Z").await, all(&[("bodies 2026-02", 1)]));
    assert_eq!(gone(&service, limits, "2026-05-29T23:59:59Z").await, all(&[("bodies 2026-03", 0)]));
    assert_eq!(gone(&service, limits, "2026-05-30T00:00:00Z").await, all(&[("deliveries 2026-02", 1)]));
    assert_eq!(service.count("leads").await, 1);
}

#[tokio::test]
async fn several_at_once_let_each_month_go_once() {
    let service = service().await;
    make(service.intake().store(), time("2020-02-01T00:00:00Z")).await.unwrap();
    for id in 1..=20 {
        accepted(&service, &arrived("2020-02-10T00:00:00Z", Feed::Lead, &a_lead(id))).await;
    }
    let others = [service.beside(CONFIG).await, service.beside(CONFIG).await];
    let limits = kept(Some(30), Some(30), None);
    let all: Vec<&TestService> = [&service].into_iter().chain(&others).cycle().take(6).collect();
    let passes = join_all(all.into_iter().map(async |service| {
        let mut report = Report::default();
        pass(service.intake().store(), &limits, time("2026-01-01T00:00:00Z"), &mut report).await.unwrap();
        report.gone
    }));
    let mut went: Vec<_> = passes.await.iter().flat_map(|gone| told(gone)).filter(|(_, rows)| *rows > 0).collect();
    went.sort();
    assert_eq!(went, [("bodies 2020-02".to_owned(), 20), ("deliveries 2020-02".to_owned(), 20)]);
}

#[tokio::test]
async fn what_has_no_month_goes_by_age_and_is_counted_meanwhile() {
    let service = service().await;
    for (at, id) in [("2020-02-10T00:00:00Z", 1), ("2020-03-10T00:00:00Z", 2), ("2020-03-12T00:00:00Z", 3)] {
        accepted(&service, &arrived(at, Feed::Lead, &a_lead(id))).await;
    }
    partitions::count(service.intake()).await.unwrap();
    assert!((service.scrape().await.value("forecourt_default_partition_rows") - 6.0).abs() < 0.5);
    let limits = kept(Some(30), None, None);
    let expected = all(&[("bodies_without_month", 1), ("deliveries_without_month", 2)]);
    let would = preview(service.intake().store(), &limits, time("2020-04-10T00:00:00.000001Z")).await.unwrap();
    assert_eq!(told(&would), expected);
    assert_eq!(gone(&service, limits, "2020-04-10T00:00:00.000001Z").await, expected);
    assert_eq!(service.table("external_id from intake.deliveries").await, json!([["3"]]));
    assert_eq!(service.count("intake.bodies").await, 2, "the month of March is not over for them");
    assert_eq!(
        gone(&service, limits, "2020-05-01T00:00:00Z").await,
        all(&[("bodies_without_month", 2), ("deliveries_without_month", 1)])
    );
}

#[tokio::test]
async fn a_body_that_is_gone_costs_a_replay_and_nothing_else() {
    let service = service().await;
    make(service.intake().store(), time("2020-02-01T00:00:00Z")).await.unwrap();
    let lead = arrived("2020-02-10T00:00:00Z", Feed::Lead, &a_lead(1));
    let unknown = arrived("2020-02-10T00:00:00Z", Feed::Lead, &a_lead(2).dealership(999));
    // Before its arrival, so that the sender's time counts.
    let vehicle = car(1).vin(1).with("LastModifiedUtc", json!("2020-02-01T00:00:00Z")).body().clone();
    let first = arrived("2020-02-10T00:00:00Z", Feed::Inventory, &vehicle);
    for delivery in [&lead, &unknown, &first] {
        accepted(&service, delivery).await;
    }
    // One that is to be read anew, and is no more.
    let marked = format!("update intake.deliveries set retry_at = now() where id = '{}'", lead.id);
    service.database.execute(&marked).await;
    gone(&service, kept(None, Some(30), None), "2026-01-01T00:00:00Z").await;
    assert_eq!(service.count("intake.bodies").await, 0);
    assert_eq!(service.count("intake.deliveries where retry_at is not null").await, 0, "it is not due any more");

    let versions = async || {
        let mut rows = service.versions().await;
        // A dealership that becomes known has a row.
        rows.retain(|row| row["name"] != "public.dealerships");
        rows
    };
    let before = versions().await;
    for delivery in [&lead, &unknown, &first] {
        let run = run_replay(&service, &["--id", &delivery.id.to_string()]).await;
        assert!(
            !run.good && run.of(&delivery.id.to_string()).ends_with("not replayed: its body was erased or let go"),
            "{run:?}"
        );
    }
    assert_eq!(service.count("intake.deliveries where outcome = 'failed'").await, 0);
    // Rereading leaves it, and so does a dealership that becomes known.
    service
        .database
        .execute("insert into intake.rereadings (workspace_id) select id from workspaces on conflict do nothing")
        .await;
    rereading::run(&service.database.owner_store()).await.unwrap();
    service.reload(&CONFIG.replace("[285]", "[285, 999]")).await;
    assert_eq!(due::round(service.intake(), &service.intake().router().retryable()).await.unwrap(), 0);
    assert_eq!(versions().await, before);

    let again = service.vehicle(&vehicle).await;
    assert_eq!(again.outcome(), "unchanged");
    assert_eq!(service.stored_body(&again).await, vehicle.to_string().into_bytes());
}

#[tokio::test]
async fn a_failed_delivery_that_is_still_tried_keeps_its_month_for_a_month_at_the_most() {
    let service = service().await;
    make(service.intake().store(), time("2020-02-01T00:00:00Z")).await.unwrap();
    service.database.execute("alter table leads add constraint sabotage check (external_id <> '77')").await;
    let failed = arrived("2020-02-10T00:00:00Z", Feed::Lead, &a_lead(77));
    let beside = arrived("2020-02-11T00:00:00Z", Feed::Lead, &a_lead(1));
    assert_eq!(accepted(&service, &failed).await, Outcome::Failed);
    accepted(&service, &beside).await;
    let limits = kept(Some(30), Some(30), None);
    // March and April are empty and not waited for.
    gone(&service, limits, "2020-04-01T00:00:00Z").await;
    assert_eq!((service.count("intake.deliveries").await, service.count("intake.bodies").await), (2, 2));
    let state = "outcome, retry_at is null from intake.deliveries where external_id = '77'";
    assert_eq!(service.table(state).await, json!([["failed", false]]));
    // It is applied after all, and nothing keeps the month.
    let mended = service.beside(CONFIG).await;
    service
        .database
        .execute("alter table leads drop constraint sabotage; update intake.deliveries set retry_at = now()")
        .await;
    due::round(mended.intake(), &mended.intake().router().retryable()).await.unwrap();
    assert_eq!(service.count("leads").await, 2);
    let expected = all(&[("bodies 2020-02", 2), ("deliveries 2020-02", 2)]);
    assert_eq!(gone(&service, limits, "2020-04-01T00:00:00Z").await, expected);

    // One that never succeeds does not keep it for ever.
    make(service.intake().store(), time("2020-05-01T00:00:00Z")).await.unwrap();
    service.database.execute("alter table leads add constraint sabotage check (external_id <> '78')").await;
    accepted(&service, &arrived("2020-05-10T00:00:00Z", Feed::Lead, &a_lead(78))).await;
    gone(&service, limits, "2020-07-30T23:59:59Z").await;
    assert_eq!(service.count("intake.deliveries").await, 1);
    gone(&service, limits, "2020-08-01T00:00:00Z").await;
    assert_eq!(service.count("intake.deliveries").await, 0);
}

/// Makes the first part of an upgraded database, as 0022 leaves it, with so many deliveries up to May 2020.
async fn upgraded(service: &TestService, many: i64) {
    let sql = format!(
        "create table intake.deliveries_until_2020_05 (like intake.deliveries including all);
        alter table intake.deliveries_until_2020_05 owner to {OWNER};
        alter table intake.deliveries attach partition intake.deliveries_until_2020_05
            for values from (minvalue) to ('2020-06-01 00:00:00+00');
        insert into intake.deliveries (workspace_id, id, received_at, feed, credential, outcome, findings, changes,
            attempts, processing_ms, settled_at, dealership_id, body_sha256, body)
        select (select id from workspaces where slug = 'alpha'), gen_random_uuid(),
            '2020-01-01'::timestamptz + n / 3 * interval '1 hour', 'lead', 'all', 'applied', '[]', '{{}}', 1, 1, now(), 356,
            '', convert_to('{{\"id\": ' || n || '}}', 'UTF8')
        from generate_series(0, {many} - 1) n"
    );
    service.database.execute(&sql).await;
}

#[tokio::test]
async fn the_bodies_of_before_there_were_months_go_in_steps_and_their_rows_at_last() {
    let service = service().await;
    upgraded(&service, 1_800).await;
    let limits = kept(Some(400), Some(30), None);
    let with_body = "intake.deliveries_with_bodies where body is not null";
    // 300 hours of 600: 900 rows, over several transactions.
    let would = preview(service.intake().store(), &limits, time("2020-02-12T12:00:00Z")).await.unwrap();
    assert_eq!(told(&would), all(&[("bodies_in_rows", 900)]));
    assert_eq!(gone(&service, limits, "2020-02-12T12:00:00Z").await, all(&[("bodies_in_rows", 900)]));
    assert_eq!(service.count(with_body).await, 900);
    let late = format!("{with_body} and received_at < '2020-01-13 12:00:00+00'");
    assert_eq!(service.count(&late).await, 0, "no younger one in the place of an older one");
    assert_eq!(gone(&service, limits, "2020-02-12T12:00:00Z").await, []);
    let progress = "done_until = '2020-01-13 11:00:00+00' from intake.retention_progress";
    assert_eq!(service.table(progress).await, json!([[true]]));
    // Two at once, and one that begins where they end.
    let other = service.beside(CONFIG).await;
    let (one, two) =
        tokio::join!(gone(&service, limits, "2020-02-20T00:00:00Z"), gone(&other, limits, "2020-02-20T00:00:00Z"));
    let together: i64 = one.iter().chain(&two).map(|(_, rows)| rows).sum();
    assert_eq!((together, service.count(with_body).await), (540, 360));
    assert_eq!(gone(&service, limits, "2020-12-01T00:00:00Z").await, all(&[("bodies_in_rows", 360)]));
    assert_eq!(service.count("intake.deliveries").await, 1_800);
    assert_eq!(gone(&service, limits, "2021-07-05T23:59:59Z").await, []);
    let expected = all(&[("deliveries 2020-05", 1_800)]);
    assert_eq!(gone(&service, limits, "2021-07-06T00:00:00Z").await, expected);
    assert_eq!(service.count("intake.deliveries").await, 0);
}

#[tokio::test]
async fn documents_go_so_long_after_their_arrival_and_what_else_is_known_stays() {
    let service = service().await;
    accepted(&service, &arrived("2026-01-10T00:00:00Z", Feed::Lead, &with_documents(1))).await;
    accepted(&service, &arrived("2026-02-10T00:00:00Z", Feed::Lead, &with_documents(2))).await;
    // A later delivery of the same person without documents does not make the documents younger.
    let later = a_lead(1).updated("2025-12-01T00:00:00Z").comments("later");
    accepted(&service, &arrived("2026-02-01T00:00:00Z", Feed::Lead, &later)).await;
    for table in DOCUMENTS {
        let times = format!("received_at::date::text from {table} order by 1");
        assert_eq!(service.table(&times).await, json!([["2026-01-10"], ["2026-02-10"]]), "{table}");
    }
    let before = service.rows("select * from persons order by id").await;
    let limits = kept(None, None, Some(30));
    assert_eq!(gone(&service, limits, "2026-02-09T00:00:00Z").await, []);
    let expected = all(&[("driver_licences", 1), ("passports", 1), ("lead_documents", 1)]);
    let would = preview(service.intake().store(), &limits, time("2026-02-09T00:00:00.000001Z")).await.unwrap();
    assert_eq!(told(&would), expected);
    assert_eq!(gone(&service, limits, "2026-02-09T00:00:00.000001Z").await, expected);
    assert_eq!(documents(&service).await, [1, 1, 1]);
    assert_eq!(service.rows("select * from persons order by id").await, before);
    // The person goes on, and a document that comes now is taken, whatever the sender's time.
    assert_eq!(service.lead(&with_documents(1)).await.outcome(), "applied");
    assert_eq!(documents(&service).await, [2, 2, 2]);
}

#[tokio::test]
async fn a_document_that_arrived_too_long_ago_is_not_stored_whenever_it_is_applied() {
    let config = format!("{CONFIG}\n[retention]\nidentity = \"90d\"\n");
    let service = service_with(&config).await;
    let now = service.intake().now();
    let at = |days: i64| (now - TimeDelta::days(days)).to_rfc3339();
    // As from a spool that was long away.
    accepted(&service, &arrived(&at(91), Feed::Lead, &with_documents(1))).await;
    let cluster = json!({ "id": 9, "dealership_id": 356, "contact": { "email": "ada@example.com" },
        "leads": [Value::from(with_documents(5).with(json!({ "dealership": null })))] });
    accepted(&service, &arrived(&at(91), Feed::LeadCluster, &cluster)).await;
    assert_eq!(documents(&service).await, [0, 0, 0]);
    let lead = service.row("select additional_details, contact_date_of_birth from leads where external_id = '1'").await;
    assert_eq!(lead, json!({ "additional_details": { "more": "details" }, "contact_date_of_birth": "1990-02-01" }));
    accepted(&service, &arrived(&at(89), Feed::Lead, &with_documents(2))).await;
    assert_eq!(documents(&service).await, [1, 1, 1]);

    // A replay of what is younger brings it back, and of what is older does not.
    for (days, expected) in [("90d", [1, 1, 1]), ("92d", [3, 3, 3])] {
        let all = DOCUMENTS.map(|table| format!("delete from {table}")).join("; ");
        service.database.execute(&all).await;
        let run = replay_with(&service, &config.replace("90d", days), &["--all"]).await;
        assert!(run.good, "{run:?}");
        assert_eq!(documents(&service).await, expected, "{days}");
    }
    // A reload changes which.
    service.reload(&config.replace("90d", "92d")).await;
    accepted(&service, &arrived(&at(91), Feed::Lead, &with_documents(7))).await;
    accepted(&service, &arrived(&at(93), Feed::Lead, &with_documents(8))).await;
    assert_eq!(documents(&service).await, [4, 4, 4]);
}

#[tokio::test]
async fn the_service_lets_go_by_itself_and_at_once_after_a_reload() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let service = TestService::over(database.beside(), CONFIG).await;
    accepted(&service, &arrived("2020-02-10T00:00:00Z", Feed::Lead, &a_lead(1))).await;
    let url = database.url();
    let config = format!("{CONFIG}\n[retention]\nbodies = \"30d\"\n");
    let listen = ([127, 0, 0, 1], 0).into();
    let launch = Launch { database: &url, folder: folder.path(), config: &config, listen, log: "info", first: "" };
    let mut program = Program::launch(&launch);
    program.wait_for("what was too old has gone");
    soon("the body has gone", async || service.count("intake.bodies").await == 0).await;
    assert_eq!(service.count("intake.deliveries").await, 1);
    let path = folder.path().join("forecourt.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, written.replace("bodies = \"30d\"", "deliveries = \"30d\"")).unwrap();
    program.signal(Signal::HUP);
    soon("the delivery has gone", async || service.count("intake.deliveries").await == 0).await;
    soon("both are recorded", async || acts(&service).await.len() == 2).await;
    let counts = [json!({ "bodies_without_month": 1 }), json!({ "deliveries_without_month": 1 })];
    assert_eq!(acts(&service).await, counts);
    let by = service
        .row(
            "select distinct acted_by = (select acted_by from intake.actions where action = 'reload') as same
        from intake.actions where action = 'retention'",
        )
        .await;
    assert_eq!(by, json!({ "same": true }), "the service's own user");
}
