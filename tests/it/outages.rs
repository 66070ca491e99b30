//! The program itself through outages: started without Postgres, killed with a full spool, stopped in the midst of it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use rustix::process::Signal;
use serde_json::json;

use crate::support::postgres::TestDatabase;
use crate::support::program::{Launch, exchange};
use crate::support::{Answer, LEADS, PATIENCE, Program, TOKEN, a_lead, config_with, own_cluster, soon};

/// The tests' configuration, with the spool and the hold as they are by default but for shorter times.
fn config() -> String {
    config_with("hold_seconds = 120\ndeadline_ms = 500\nstop_seconds = 10").replace("[spool]\nmax_bytes = 0", "")
}

/// The program over a database, once it listens.
fn start(database: &str, folder: &Path) -> Program {
    let listen = ([127, 0, 0, 1], 0).into();
    Program::launch(&Launch { database, folder, config: &config(), listen, log: "info", first: "" })
}

/// Posts a lead with the credential `all`.
async fn post(program: &Program, id: i64) -> Answer {
    exchange(program.address, request(id)).await.unwrap()
}

/// Posts a lead until Postgres has it in time: the deadline is short, and the machine may do other things.
async fn applied_by_postgres(program: &Program, id: i64) {
    soon("a lead applied within the deadline", async || {
        ["applied", "unchanged"].contains(&post(program, id).await.outcome())
    })
    .await;
}

fn request(id: i64) -> Request<Body> {
    let request = Request::post(LEADS).header("authorization", format!("Bearer {TOKEN}"));
    request.body(a_lead(id).bytes().into()).unwrap()
}

async fn count(database: &TestDatabase, from: &str) -> i64 {
    database.value(&format!("select count(*) from {from}")).await
}

#[tokio::test]
async fn a_start_without_postgres_takes_deliveries_and_applies_them_when_it_is_there() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    cluster.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(&database.url(), folder.path());
    program.wait_for("postgres is away");
    post(&program, 1).await.expect("spooled", &[]);
    let ready = program.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.body["parts"], json!({"postgres": "unavailable", "spool": "ok"}));
    assert_eq!(ready.body["spool"]["deliveries"], 1);
    program.wait_for("the spool is in use");

    // Killed, and started again in the same outage: what was answered is still there.
    program.signal(Signal::KILL);
    program.ended();
    let mut program = start(&database.url(), folder.path());
    post(&program, 2).await.expect("spooled", &[]);
    assert_eq!(program.get("/readyz").await.body["spool"]["deliveries"], 2);

    cluster.start().await;
    program.wait_for("the spool is empty again");
    assert_eq!(count(&database, "intake.deliveries where outcome = 'applied' and attempts = 1").await, 2);
    applied_by_postgres(&program, 3).await;
    let ready = program.get("/readyz").await.body;
    assert_eq!(ready["parts"], json!({"postgres": "ok", "spool": "ok"}));
    assert_eq!(ready["spool"], json!({"deliveries": 0, "bytes": 0, "oldest_seconds": 0}));
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test]
async fn a_stop_in_an_outage_answers_what_is_under_way_keeps_the_spool_and_ends_well() {
    let cluster = own_cluster().await;
    let database = cluster.database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(&database.url(), folder.path());
    program.wait_for("postgres is ready");
    applied_by_postgres(&program, 1).await;
    let pid = cluster.server().pid();
    let signal = |name: &str| {
        let kill = format!("kill -{name} {pid} $(ps -o pid= --ppid {pid})");
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    };
    signal("STOP");
    let under_way = tokio::spawn(exchange(program.address, request(2)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    program.signal(Signal::TERM);
    let reply = under_way.await.unwrap().unwrap();
    reply.expect("spooled", &[]);
    assert_eq!(program.ended().code(), Some(0));
    assert!(began.elapsed() < PATIENCE, "{:?}, which is half of the hold", began.elapsed());

    signal("CONT");
    let mut program = start(&database.url(), folder.path());
    program.wait_for("the spool is empty again");
    let id = reply.id();
    assert_eq!(count(&database, &format!("intake.deliveries where id = '{id}' and outcome = 'applied'")).await, 1);
    assert_eq!(count(&database, "leads").await, 2);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_what_nobody_can_take() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spool"), "in the way").unwrap();
    cluster.stop().await;
    let mut program = start(&database.url(), folder.path());
    let held = tokio::spawn(exchange(program.address, request(2)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!held.is_finished());
    let began = Instant::now();
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    assert!(began.elapsed() < PATIENCE, "{:?}, which is half of the hold", began.elapsed());
    assert!(!held.await.unwrap().is_ok_and(|answer| answer.status == 200), "nothing took it");
}

#[tokio::test]
async fn what_no_waiting_mends_ends_the_start_with_one_sentence() {
    let cluster = own_cluster().await;
    let database = cluster.database().await;
    let unknown = database.url().replace("/forecourt?", "/no_such_database?");
    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'from the future', true, '', 0)",
        )
        .await;
    for (url, said) in [(unknown, "no_such_database"), (database.url(), "run the newer version")] {
        let folder = tempfile::tempdir().unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let (config, folder) = (config(), folder.path());
        let launch = Launch { database: &url, folder, config: &config, listen, log: "info", first: "" };
        let mut program = Program::spawn(&launch);
        assert_eq!(program.ended().code(), Some(1));
        let line = program.wait_for(said);
        assert!(!line.contains(" INFO ") && !line.contains(" WARN "), "{line}");
    }
}
