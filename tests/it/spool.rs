//! What happens to deliveries while Postgres is away, slow or full: they are spooled, or held, and applied once.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use forecourt::cli::serve::App;
use forecourt::domain::delivery::Delivery;
use forecourt::domain::feed::Feed;
use forecourt::domain::workspace::Permitted;
use forecourt::intake::accept::{Acceptor, Timeouts};
use forecourt::intake::configuration;
use forecourt::intake::{Answer as Taken, Intake, Outcome, Settings, WorkspaceRouter};
use forecourt::metrics::Metrics;
use forecourt::store::Store;
use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tower::ServiceExt as _;

use crate::support::postgres::{ALPHA_HELD, OwnCluster};
use crate::support::service::parsed;
use crate::support::{
    Answer, CONFIG, TOKEN, TestService, a_lead, config_with, credential, database, delivery, own_cluster, soon,
};

/// What Postgres has to commit a delivery.
const DEADLINE: Duration = Duration::from_millis(400);
/// What an answer may take beyond that, on a machine that does other things as well; far less than the hold.
const GRACE: Duration = Duration::from_secs(10);

/// The tests' configuration with a spool of so many bytes.
fn with_spool(bytes: u64) -> String {
    with_spool_and("hold_seconds = 120\ndeadline_ms = 400", bytes)
}

/// The same with other times.
fn with_spool_and(times: &str, bytes: u64) -> String {
    config_with(times).replace("max_bytes = 0", &format!("max_bytes = {bytes}\nmin_free_bytes = 0"))
}

/// Times that nothing comes near to, where the spool is not used for lateness.
const UNHURRIED: &str = "hold_seconds = 120\ndeadline_ms = 60000";

const WIDE: u64 = 1 << 28;

/// Stops the server's main process and every backend, as on a machine that stands still.
fn freeze_all(cluster: &OwnCluster) {
    signal_all(cluster, "STOP");
}

fn thaw_all(cluster: &OwnCluster) {
    signal_all(cluster, "CONT");
}

fn signal_all(cluster: &OwnCluster, name: &str) {
    let pid = cluster.server().pid();
    let kill = format!("kill -{name} {pid} $(ps -o pid= --ppid {pid})");
    assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
}

fn spooled(service: &TestService) -> u64 {
    service.acceptor().spool().unwrap().depth().deliveries
}

async fn drained(service: &TestService) {
    soon("an empty spool", async || spooled(service) == 0).await;
}

/// Posts a lead until Postgres has it within the deadline, as the machine permits.
async fn applied_by_postgres(service: &TestService, id: i64) {
    soon("a lead applied within the deadline", async || {
        let outcome = service.lead(&a_lead(id)).await.body["outcome"].clone();
        outcome == "applied" || outcome == "unchanged"
    })
    .await;
    drained(service).await;
}

/// Waits until the service says this of its stores: one that does not answer within a second counts as unavailable.
async fn parts_are(service: &TestService, parts: Value) {
    soon("the stores", async || ready(service).await.body["parts"] == parts).await;
}

async fn ready(service: &TestService) -> Answer {
    service.send(Request::get("/readyz").body(Body::empty()).unwrap()).await
}

#[track_caller]
fn assert_spooled(answer: &Answer) {
    let body = answer.body.as_object().unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &json!("spooled")));
    assert_eq!(body.keys().collect::<Vec<_>>(), ["delivery_id", "outcome"]);
}

#[tokio::test]
async fn a_deadline_beyond_the_hold_does_not_keep_deliveries_from_the_spool() {
    let cluster = own_cluster().await;
    let config = with_spool_and("hold_seconds = 2\ndeadline_ms = 5000", WIDE);
    let service = TestService::over(cluster.database().await, &config).await;
    freeze_all(&cluster);
    assert_spooled(&service.lead(&a_lead(1)).await);
    thaw_all(&cluster);
    drained(&service).await;
    assert_eq!(service.count("leads").await, 1);
}

/// How many deliveries were settled before one that had arrived earlier.
const OUT_OF_ORDER: &str = "(select settled_at < lag(settled_at) over (order by received_at, id) as early
    from intake.deliveries) d where early";

#[tokio::test]
async fn while_postgres_stands_still_deliveries_are_spooled_within_the_deadline_and_applied_once_afterwards() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    applied_by_postgres(&service, 1).await;
    let before = service.count("intake.deliveries").await;
    parts_are(&service, json!({"postgres": "ok", "spool": "ok"})).await;
    let body = ready(&service).await.body;
    assert_eq!(body["spool"], json!({"deliveries": 0, "bytes": 0, "oldest_seconds": 0}));

    freeze_all(&cluster);
    let began = Instant::now();
    let first = service.lead(&a_lead(2)).await;
    assert!(began.elapsed() < DEADLINE + GRACE, "{:?}", began.elapsed());
    assert_spooled(&first);
    // Now it is known: nobody waits any more, so that one after the other takes less than each would wait.
    let began = Instant::now();
    for id in 3..40 {
        assert_spooled(&service.lead(&a_lead(id)).await);
    }
    assert!(began.elapsed() < DEADLINE * 37 / 2, "{:?}", began.elapsed());
    let answer = ready(&service).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("ok")));
    assert_eq!(answer.body["parts"], json!({"postgres": "unavailable", "spool": "ok"}));
    assert_eq!(answer.body["spool"]["deliveries"], 38);
    assert!(answer.body["spool"]["oldest_seconds"].as_u64().unwrap() >= 1, "{answer:?}");
    assert!(answer.body["spool"]["bytes"].as_u64().unwrap() > 38 * 1000);

    thaw_all(&cluster);
    drained(&service).await;
    assert_eq!(service.count("leads").await, 39);
    assert_eq!(service.count("intake.deliveries where attempts = 1").await, before + 38);
    service.expect_record(&first, json!({ "credential": "all", "content_type": "application/json" })).await;
    assert_eq!(service.stored_body(&first).await, a_lead(2).to_string().into_bytes());
    let waited = "intake.deliveries where settled_at - received_at > interval '1 second'";
    assert!(service.count(waited).await >= 38, "it arrived when it arrived");
    // Nothing goes to the spool any more.
    applied_by_postgres(&service, 100).await;
}

#[tokio::test]
async fn what_was_spooled_while_postgres_was_stopped_is_applied_in_order_of_arrival() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    cluster.stop().await;
    for id in 0..60 {
        // The same few leads again and again, so that the order could show.
        let body = a_lead(id % 3).updated(&format!("2025-10-03T07:00:{id:02}Z"));
        assert_spooled(&service.lead(&body).await);
    }
    assert_eq!(spooled(&service), 60);
    cluster.start().await;
    drained(&service).await;
    assert_eq!(service.count(OUT_OF_ORDER).await, 0);
    assert_eq!(service.count("intake.deliveries where outcome = 'applied'").await, 60);
    assert_eq!(service.count("leads").await, 3);
}

#[tokio::test]
async fn a_fragment_is_applied_after_the_vehicle_that_tells_its_workspace() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    cluster.stop().await;
    let (car, gone) = car_and_withdrawal();
    assert_spooled(&service.vehicle(&car).await);
    assert_spooled(&service.vehicle(&gone).await);
    cluster.start().await;
    drained(&service).await;
    assert_eq!(service.count("listings where status = 'withdrawn'").await, 1);
    assert_eq!(service.count("intake.deliveries where outcome = 'applied'").await, 2);
}

/// A vehicle of `alpha`, and its withdrawal, which does not say whose it is.
fn car_and_withdrawal() -> (Value, Value) {
    let car = json!({
        "Identifier": 77, "SaleStatus": "For Sale", "LastModifiedUtc": "2025-10-03T07:00:00Z",
        "Seller": {"Identifier": 356}, "Identification": [{"Type": "VIN", "Value": "JSAGJB74V00202326"}],
    });
    let gone = json!({"Identifier": 77, "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-03T08:00:00Z"});
    (car, gone)
}

#[tokio::test]
async fn a_fragment_does_not_overtake_a_vehicle_that_is_still_in_the_spool() {
    let service = TestService::over(database().await, &with_spool_and(UNHURRIED, WIDE)).await;
    let (car, gone) = car_and_withdrawal();
    let mut somebody = sqlx::PgConnection::connect_with(&service.database.options).await.unwrap();
    let mut holding = somebody.begin().await.unwrap();
    // The vehicle's workspace cannot be written to, and everything else can.
    sqlx::query(ALPHA_HELD).execute(&mut *holding).await.unwrap();
    service.acceptor().spool().unwrap().put(arrived_after(0, Feed::Inventory, &car)).await.unwrap();
    let beta = a_lead(1).dealership(285);
    assert_eq!(service.lead(&beta).await.outcome(), "applied");
    let answer = service.vehicle(&gone).await;
    assert_spooled(&answer);
    holding.rollback().await.unwrap();
    drained(&service).await;
    assert_eq!(service.record(&answer).await["outcome"], "applied");
    assert_eq!(service.count("listings where status = 'withdrawn'").await, 1);
}

/// A delivery as it stands in a spool, arrived so many seconds after a certain time.
fn arrived_after(seconds: i64, feed: Feed, body: &Value) -> Delivery {
    let noon: chrono::DateTime<chrono::Utc> = "2026-11-02T12:00:00Z".parse().unwrap();
    Delivery { received_at: noon + chrono::TimeDelta::seconds(seconds), ..delivery(feed, body.to_string()) }
}

#[tokio::test]
async fn a_fragment_waits_in_the_spool_for_a_vehicle_that_was_spooled_late() {
    let data_dir = tempfile::tempdir().unwrap();
    let limits = forecourt::spool::Limits { max_bytes: WIDE, min_free_bytes: 0 };
    let before = forecourt::spool::Spool::open(&data_dir.path().join("spool"), limits).unwrap();
    let puts = (0..1_200).map(|id| before.put(arrived_after(id, Feed::Lead, &a_lead(id))));
    assert!(join_all(puts).await.iter().all(Result::is_ok));
    before.close().await;
    let service = TestService::with_data(database().await, &with_spool(WIDE), data_dir).await;
    soon("a drain on its way", async || (1..1_200).contains(&spooled(&service))).await;
    // The vehicle arrived before all that, so that this pass has come past it.
    let (car, gone) = car_and_withdrawal();
    let spool = service.acceptor().spool().unwrap();
    spool.put(arrived_after(-1, Feed::Inventory, &car)).await.unwrap();
    spool.put(arrived_after(2_000, Feed::Inventory, &gone)).await.unwrap();
    drained(&service).await;
    assert_eq!(service.count("listings where status = 'withdrawn'").await, 1);
    assert_eq!(service.count("intake.deliveries where outcome = 'rejected'").await, 0);
}

#[tokio::test]
async fn a_late_commit_of_a_spooled_delivery_does_no_harm() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    service.lead(&a_lead(1)).await;
    // Postgres answers, and never comes to an end: what a lane has begun with stays begun.
    let mut somebody = sqlx::PgConnection::connect_with(&service.database.options).await.unwrap();
    let mut holding = somebody.begin().await.unwrap();
    sqlx::query("lock table persons").execute(&mut *holding).await.unwrap();
    let begun = service.lead(&a_lead(2)).await;
    assert_spooled(&begun);
    assert_spooled(&service.lead(&a_lead(2)).await);
    assert_spooled(&service.lead(&a_lead(3)).await);
    holding.rollback().await.unwrap();
    drained(&service).await;
    assert_eq!(service.count("intake.deliveries").await, 4);
    assert_eq!(service.count("intake.deliveries where attempts = 1").await, 4);
    assert_eq!((service.count("leads").await, service.count("persons").await), (3, 3));
    assert_eq!(service.record(&begun).await["outcome"], "applied");
}

#[tokio::test]
async fn a_delivery_whose_commit_nobody_saw_is_applied_at_most_once() {
    let service = TestService::over(database().await, &with_spool_and(UNHURRIED, WIDE)).await;
    let answer = service.lead(&a_lead(1)).await;
    let (record, before) = (service.record(&answer).await, service.dump().await);
    let delivery = Delivery {
        id: record["id"].as_str().unwrap().parse().unwrap(),
        received_at: record["received_at"].as_str().unwrap().parse().unwrap(),
        ..delivery(Feed::Lead, a_lead(1).to_string())
    };
    service.acceptor().spool().unwrap().put(delivery).await.unwrap();
    drained(&service).await;
    assert_eq!(service.dump().await, before);
    assert_eq!(service.record(&answer).await, record);
    assert_eq!(service.count("intake.deliveries").await, 1);
}

/// A service whose spool cannot be used, because a file stands in the place of its folder.
async fn with_broken_spool(cluster: &OwnCluster, config: &str) -> TestService {
    let data_dir = tempfile::tempdir().unwrap();
    std::fs::write(data_dir.path().join("spool"), "in the way").unwrap();
    TestService::with_data(cluster.database().await, config, data_dir).await
}

#[tokio::test]
async fn when_neither_can_take_it_a_request_is_held_until_the_spool_can() {
    let mut cluster = own_cluster().await;
    let service = with_broken_spool(&cluster, &with_spool(WIDE)).await;
    parts_are(&service, json!({"postgres": "ok", "spool": "unavailable"})).await;
    assert_eq!(service.lead(&a_lead(1)).await.outcome(), "applied");
    cluster.stop().await;
    let answer = ready(&service).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (503, &json!("unavailable")));
    let mend = async {
        tokio::time::sleep(DEADLINE * 3).await;
        std::fs::remove_file(service.spool_dir()).unwrap();
        Instant::now()
    };
    let lead = a_lead(2);
    let (answer, mended) = tokio::join!(service.lead(&lead), mend);
    assert_spooled(&answer);
    assert!(mended.elapsed() < GRACE);
    assert_eq!(ready(&service).await.status, 200);
    cluster.start().await;
    drained(&service).await;
    assert_eq!(service.record(&answer).await["outcome"], "applied");
}

#[tokio::test]
async fn a_spool_that_could_not_be_opened_at_the_start_is_drained_once_it_can() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    cluster.stop().await;
    let answer = service.lead(&a_lead(1)).await;
    assert_spooled(&answer);
    service.acceptor().close().await;
    let (dir, away) = (service.spool_dir(), service.spool_dir().with_extension("away"));
    std::fs::rename(&dir, &away).unwrap();
    std::fs::write(&dir, "in the way").unwrap();
    cluster.start().await;
    let service = service.stopped_and_started_with(&with_spool(WIDE)).await;
    parts_are(&service, json!({"postgres": "ok", "spool": "unavailable"})).await;
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(&away, &dir).unwrap();
    soon("the lead", async || service.count("leads").await == 1).await;
    assert_eq!(service.record(&answer).await["outcome"], "applied");
    drained(&service).await;
}

#[tokio::test]
async fn when_neither_can_take_it_a_request_is_held_until_postgres_can() {
    let mut cluster = own_cluster().await;
    let service = with_broken_spool(&cluster, &with_spool(WIDE)).await;
    cluster.stop().await;
    let leads = [a_lead(1), a_lead(2), a_lead(3)];
    let back = async {
        tokio::time::sleep(DEADLINE * 3).await;
        cluster.start().await;
    };
    let (answers, ()) = tokio::join!(join_all(leads.iter().map(|lead| service.lead(lead))), back);
    assert!(answers.iter().all(|answer| answer.body["outcome"] == "applied"), "{answers:?}");
    assert_eq!(service.count("intake.deliveries").await, 3);
}

#[tokio::test]
async fn a_request_is_answered_503_only_after_the_hold_and_not_applied_behind_the_senders_back() {
    let mut cluster = own_cluster().await;
    let config = with_spool_and("hold_seconds = 1\ndeadline_ms = 400", WIDE);
    let service = with_broken_spool(&cluster, &config).await;
    cluster.stop().await;
    let began = Instant::now();
    let request = Request::post("/webhooks/dealer-studio/leads").header("authorization", format!("Bearer {TOKEN}"));
    let response = service.respond(request.body(Body::from(a_lead(1).to_string())).unwrap()).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    cluster.start().await;
    soon("a lead", async || service.lead(&a_lead(2)).await.body["outcome"] == "applied").await;
    assert_eq!(service.count("leads").await, 1);
}

#[tokio::test]
async fn what_a_full_spool_does_not_take_is_held_until_postgres_is_back() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(3 * 4096)).await;
    cluster.stop().await;
    for id in 0..3 {
        assert_spooled(&service.lead(&a_lead(id)).await);
    }
    assert_eq!(ready(&service).await.status, 503, "neither takes more");
    let (third, fourth) = (a_lead(3), a_lead(4));
    let back = async {
        tokio::time::sleep(DEADLINE * 2).await;
        cluster.start().await;
    };
    let (third, fourth, ()) = tokio::join!(service.lead(&third), service.lead(&fourth), back);
    assert_eq!([third.status.as_u16(), fourth.status.as_u16()], [200; 2]);
    drained(&service).await;
    assert_eq!(service.count("leads").await, 5);
    assert_eq!(service.count("intake.deliveries where outcome = 'applied' and attempts = 1").await, 5);
}

#[tokio::test]
async fn what_is_held_is_bounded_and_the_newest_of_the_credential_that_holds_most_is_let_go() {
    let mut cluster = own_cluster().await;
    let beta = credential("beta", "bearer", "\"all\"", "[\"beta\"]", "secret_env = \"BETA\"\n");
    let times = "hold_seconds = 15\ndeadline_ms = 400\nmax_held_bytes = 1048576";
    let config = [with_spool_and(times, WIDE), beta].concat();
    let service = with_broken_spool(&cluster, &config).await;
    cluster.stop().await;
    let large = |id, dealership: i64| {
        let lead = a_lead(id).dealership(dealership).comments(&"x".repeat(400_000));
        lead.to_string()
    };
    let began = Instant::now();
    let post = async |id: i64, token: &str, dealership| {
        tokio::time::sleep(Duration::from_millis(100) * u32::try_from(id).unwrap()).await;
        let request = Request::post("/webhooks/dealer-studio/leads").header("authorization", format!("Bearer {token}"));
        let answer = service.send(request.body(Body::from(large(id, dealership))).unwrap()).await;
        (answer.status.as_u16(), began.elapsed())
    };
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.start().await;
    };
    // The third is the newest of too much; the fourth is too much, and another's.
    let beta = "the-token-of-beta";
    let (first, second, third, fourth, ()) =
        tokio::join!(post(1, TOKEN, 356), post(2, TOKEN, 356), post(3, TOKEN, 356), post(4, beta, 285), back);
    assert_eq!([first.0, second.0, third.0, fourth.0], [200, 503, 503, 200]);
    // Answered before the end of the hold they would not be repeated.
    assert!(second.1 >= Duration::from_secs(15) && third.1 >= Duration::from_secs(15), "{second:?} {third:?}");
    assert_eq!(service.count("leads").await, 2);
}

#[tokio::test]
async fn an_overload_is_answered_from_the_spool_in_time() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    // Each lead takes its time, so that 300 of them take far longer than the deadline.
    service
        .database
        .execute(
            "create function slow() returns trigger language plpgsql as $$
                begin perform pg_sleep(0.01); return new; end $$;
            create trigger slow before insert on leads for each row execute function slow()",
        )
        .await;
    let began = Instant::now();
    let answers = join_all((0..300).map(|id| {
        let service = &service;
        async move { (service.lead(&a_lead(id)).await, began.elapsed()) }
    }))
    .await;
    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap();
    assert!(slowest < DEADLINE + GRACE, "{slowest:?}");
    assert!(answers.iter().all(|(answer, _)| answer.status == 200));
    assert!(answers.iter().any(|(answer, _)| answer.body["outcome"] == "spooled"));
    drained(&service).await;
    soon("every lead", async || service.count("leads").await == 300).await;
    assert_eq!(service.count("intake.deliveries where outcome = 'applied' and attempts = 1").await, 300);
}

#[tokio::test]
async fn a_workspace_that_is_stuck_does_not_hold_up_what_others_have_spooled() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    let mut somebody = sqlx::PgConnection::connect_with(&service.database.options).await.unwrap();
    let mut holding = somebody.begin().await.unwrap();
    sqlx::query(ALPHA_HELD).execute(&mut *holding).await.unwrap();
    // More than the queues take in at a time.
    let leads: Vec<Value> = (0..260).map(|id| a_lead(id).into()).collect();
    for answer in join_all(leads.iter().map(|lead| service.lead(lead))).await {
        assert_spooled(&answer);
    }
    let of_beta = a_lead(1_000).dealership(285);
    assert_eq!(service.lead(&of_beta).await.status, 200);
    soon("the lead of beta", async || service.count("leads").await == 1).await;
    holding.rollback().await.unwrap();
    drained(&service).await;
    assert_eq!(service.count("leads").await, 261);
}

#[tokio::test]
async fn deliveries_are_taken_before_postgres_was_ever_there_and_applied_at_the_next_start() {
    let data_dir = tempfile::tempdir().unwrap();
    let text = with_spool(WIDE);
    let config = parsed(&text, data_dir.path());
    let App { acceptor, router, .. } = App::open(&config).unwrap();
    let post = async |id| {
        let request = Request::post("/webhooks/dealer-studio/leads").header("authorization", format!("Bearer {TOKEN}"));
        let response = router.clone().oneshot(request.body(Body::from(a_lead(id).to_string())).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: serde_json::from_slice(&body).unwrap() }
    };
    // At first a start is given its time, then nobody waits.
    let first = post(1).await;
    assert_spooled(&first);
    let began = Instant::now();
    for _ in 0..20 {
        assert_spooled(&post(2).await);
    }
    assert!(began.elapsed() < DEADLINE * 20 / 2, "{:?}", began.elapsed());
    acceptor.close().await;

    // The service that finds them takes others before it has applied them.
    let service = TestService::with_data(database().await, &text, data_dir).await;
    assert_eq!(service.lead(&a_lead(3)).await.status, 200);
    drained(&service).await;
    assert_eq!(service.record(&first).await["outcome"], "applied");
    assert_eq!(service.count("leads").await, 3);
}

#[tokio::test]
async fn what_fails_through_our_fault_leaves_the_spool_as_failed_and_what_nobody_can_read_is_set_aside() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &with_spool(WIDE)).await;
    service.database.execute("alter table leads add constraint sabotage check (external_id <> '7')").await;
    cluster.stop().await;
    for id in 6..9 {
        assert_spooled(&service.lead(&a_lead(id)).await);
    }
    assert_spooled(&service.post("/webhooks/dealer-studio/leads", "not JSON").await);
    service.acceptor().close().await;
    // An older record that is none.
    let table: redb::TableDefinition<&[u8; 24], &[u8]> = redb::TableDefinition::new("deliveries");
    let file = redb::Database::open(service.spool_dir().join("deliveries.redb")).unwrap();
    let transaction = file.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(&[0; 24], b"garbage".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(file);

    cluster.start().await;
    let service = service.stopped_and_started_with(&with_spool(WIDE)).await;
    drained(&service).await;
    assert_eq!(service.count("leads").await, 2);
    for (outcome, count) in [("applied", 2), ("failed", 1), ("rejected", 1)] {
        let of = format!("intake.deliveries where outcome = '{outcome}'");
        assert_eq!(service.count(&of).await, count, "{outcome}");
    }
    let aside = service.spool_dir().join(format!("unreadable-{}", uuid::Uuid::nil()));
    assert_eq!(std::fs::read(aside).unwrap(), b"garbage");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_directory_is_refused() {
    let service = TestService::over(database().await, &with_spool(WIDE)).await;
    let config = parsed(&with_spool(WIDE), service.spool_dir().parent().unwrap());
    let refusal = App::open(&config).unwrap_err().to_string();
    assert!(refusal.contains("in use by another running process"), "{refusal}");
}

/// Whether the clock that is asked next panics.
static CLOCK_PANICS: AtomicBool = AtomicBool::new(false);

/// A clock that panics once when it is told to: it is asked where the rules have applied a delivery, in its transaction.
fn clock_that_may_panic() -> chrono::DateTime<chrono::Utc> {
    assert!(!CLOCK_PANICS.swap(false, Ordering::SeqCst), "a panic in the middle of a transaction");
    forecourt::intake::clock::now()
}

/// An acceptor over an intake with a clock that may panic. Nothing is spooled.
async fn with_panics(store: &Store) -> Acceptor {
    let data_dir = tempfile::tempdir().unwrap();
    let config = parsed(CONFIG, data_dir.path());
    let now = forecourt::intake::clock::now;
    let applied = configuration::apply(store, &config.workspaces, now()).await.unwrap();
    let router = WorkspaceRouter::new(config.workspaces, &applied, [("all".to_owned(), Permitted::All)].into());
    let hold = Duration::from_mins(2);
    let settings = Settings {
        hold,
        writers: 4,
        reading_bytes: 64 << 20,
        clock: clock_that_may_panic,
        metrics: Metrics::default(),
    };
    let hour = Duration::from_hours(1);
    let acceptor = Acceptor::new(None, Timeouts { deadline: hour, hold, max_held_bytes: usize::MAX });
    acceptor.open(Intake::new(store.clone(), router, settings));
    acceptor
}

async fn accepted(acceptor: &Acceptor, id: i64, comments: &str) -> Outcome {
    let body = a_lead(id).comments(comments);
    match acceptor.accept(delivery(Feed::Lead, body.to_string())).await.unwrap() {
        Taken::Applied(reply) => reply.outcome,
        Taken::Spooled(id) => panic!("{id} was spooled"),
    }
}

/// A lead that Postgres does not take, whatever is done.
const POISON: &str = "create function refuse_poison() returns trigger language plpgsql as $$
        begin raise exception 'poison'; end $$;
    create trigger refuse_poison before insert on leads for each row
        when (new.comments = 'poison') execute function refuse_poison()";

#[tokio::test]
async fn of_a_crowd_one_that_cannot_be_saved_is_one_failed_delivery_and_a_panic_kills_no_queue() {
    let database = database().await;
    let store = Store::new(database.service_pool.clone(), 30);
    let acceptor = &with_panics(&store).await;
    database.execute(POISON).await;
    let outcomes = join_all((0..100).map(|id| accepted(acceptor, id, if id == 42 { "poison" } else { "fine" }))).await;
    for (id, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome, if id == 42 { Outcome::Failed } else { Outcome::Applied }, "{id}");
    }
    let failed = "select count(*) from intake.deliveries where outcome = 'failed' and retry_at is not null";
    assert_eq!(database.value::<i64>("select count(*) from leads").await, 99);
    assert_eq!(database.value::<i64>(failed).await, 1);
    CLOCK_PANICS.store(true, Ordering::SeqCst);
    assert_eq!(accepted(acceptor, 200, "a panic").await, Outcome::Failed);
    assert_eq!(database.value::<i64>(failed).await, 2);
    assert_eq!(accepted(acceptor, 201, "fine").await, Outcome::Applied);
    assert_eq!(database.value::<i64>("select count(*) from leads").await, 100);
}
