//! A new configuration without a restart, and secrets that are changed without a gap.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use rustix::process::Signal;
use serde_json::json;

use crate::support::program::Launch;
use crate::support::{
    CONFIG, LEADS, OTHER_TOKEN, Program, SECRETS, TOKEN, TestService, a_lead, credential, database, service_with, soon,
    unique, workspaces,
};

fn bearer(name: &str, variable: &str, rest: &str) -> String {
    credential(name, "bearer", "[\"lead\"]", "\"all\"", &format!("secret_env = \"{variable}\"\n{rest}"))
}

async fn post(service: &TestService, token: &str, dealership: i64) -> (u16, serde_json::Value) {
    let body = json!({"id": unique(), "dealership": {"id": dealership}, "prospect": {"email": "ada@example.com"}});
    let request = Request::post(LEADS).header("authorization", format!("Bearer {token}"));
    let answer = service.send(request.body(Body::from(body.to_string())).unwrap()).await;
    (answer.status.as_u16(), answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_changed_under_load_without_one_refusal() {
    let with = |credentials: &[String]| [workspaces(), &credentials.concat()].concat();
    let (old, new) = (bearer("old", "TOKEN", ""), bearer("new", "OTHER_TOKEN", ""));
    let service = service_with(&with(std::slice::from_ref(&old))).await;
    let (switched, over, sent) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    let sender = async || {
        while !over.load(Ordering::SeqCst) {
            let token = if switched.load(Ordering::SeqCst) { OTHER_TOKEN } else { TOKEN };
            assert_eq!(post(&service, token, 356).await.0, 200);
            sent.fetch_add(1, Ordering::SeqCst);
        }
    };
    let more = async |count: usize| {
        let goal = sent.load(Ordering::SeqCst) + count;
        while sent.load(Ordering::SeqCst) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let rotation = async {
        more(40).await;
        service.reload(&with(&[old.clone(), new.clone()])).await;
        more(40).await;
        switched.store(true, Ordering::SeqCst);
        more(40).await;
        service.reload(&with(std::slice::from_ref(&new))).await;
        more(40).await;
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(rotation, sender(), sender(), sender(), sender());

    assert_eq!(post(&service, TOKEN, 356).await.0, 401, "the old secret is over");
    let stored = service.rows("select credential, count(*) from intake.deliveries group by 1 order by 1").await;
    let counts: Vec<i64> = stored.iter().map(|row| row["count"].as_i64().unwrap()).collect();
    assert_eq!(stored.iter().map(|row| row["credential"].as_str().unwrap()).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(usize::try_from(counts.iter().sum::<i64>()).unwrap(), sent.load(Ordering::SeqCst));
    assert!(counts.iter().all(|count| *count >= 40), "{counts:?}");
}

#[tokio::test]
async fn a_credential_lets_nobody_in_from_its_end_on() {
    let config = [
        workspaces(),
        &bearer("ended", "TOKEN", "not_after = 2026-01-31T18:00:00+10:00\n"),
        &bearer("lasting", "OTHER_TOKEN", "not_after = \"2999-01-31T18:00:00Z\"\n"),
    ];
    let service = service_with(&config.concat()).await;
    assert_eq!(post(&service, TOKEN, 356).await, (401, json!({"error": "unauthorized"})));
    assert_eq!(post(&service, OTHER_TOKEN, 356).await.0, 200);
}

#[tokio::test]
async fn what_waited_for_a_dealership_is_applied_once_a_reload_brings_it() {
    let service = service_with(CONFIG).await;
    let retrying = tokio::spawn(forecourt::intake::due::run(service.intake().clone()));
    let (status, reply) = post(&service, TOKEN, 999).await;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("rejected")));
    service.reload(&CONFIG.replace("[356, 357]", "[356, 357, 999]")).await;
    assert_eq!(post(&service, TOKEN, 999).await.1["outcome"], "applied");
    let applied = "intake.deliveries where outcome = 'applied'";
    soon("both applied", async || service.count(applied).await == 2).await;
    retrying.abort();
}

/// The status of a lead posted to the program.
async fn status(program: &Program, token: &str) -> u16 {
    program.post_as(token, LEADS, a_lead(1).bytes()).await.status.as_u16()
}

#[tokio::test]
async fn sighup_reads_the_file_again_whole_or_not_at_all() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("forecourt.toml"), text).unwrap();
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    assert_eq!((status(&program, TOKEN).await, status(&program, OTHER_TOKEN).await), (200, 401));

    write(&CONFIG.replace("\"TOKEN\"", "\"OTHER_TOKEN\""));
    assert_eq!(status(&program, TOKEN).await, 200, "nothing is read before it is asked for");
    program.signal(Signal::HUP);
    program.wait_for("configuration reloaded");
    assert_eq!((status(&program, TOKEN).await, status(&program, OTHER_TOKEN).await), (401, 200));

    write(&CONFIG.replace("scheme = \"bearer\"", "scheme = \"beare\"").replace("\"beta\"", "\"gamma\""));
    program.signal(Signal::HUP);
    let why = program.wait_for("unknown scheme");
    assert!(why.contains("forecourt.toml:") && why.contains("did you mean `bearer`"), "{why}");
    program.wait_for("the running one stays");
    assert_eq!((status(&program, TOKEN).await, status(&program, OTHER_TOKEN).await), (401, 200));
    let slugs: i64 = database.value("select count(*) from workspaces where slug = 'gamma'").await;
    assert_eq!(slugs, 0);

    write(&CONFIG.replace("hold_seconds = 120", "hold_seconds = 121").replace("Alpha", "Alpha Motors"));
    program.signal(Signal::HUP);
    program.wait_for("`server.hold_seconds` has changed");
    program.wait_for("the workspaces of the configuration are applied");
    let name: String = database.value("select name from workspaces where slug = 'alpha'").await;
    assert_eq!((name.as_str(), status(&program, TOKEN).await), ("Alpha Motors", 200));
}

#[tokio::test]
async fn sighup_at_the_first_moment_of_a_start_ends_nothing_and_is_heard() {
    let database = database().await;
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(&database.url(), folder.path(), CONFIG);
        program.signal(Signal::HUP);
        program.wait_for("configuration reloaded");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_keeps_the_running_configuration_and_does_not_bring_the_demo() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    // Found in the working directory, and named by nobody.
    let first = "cd \"$FORECOURT_DATA_DIR\" && unset FORECOURT_CONFIG";
    let listen = ([127, 0, 0, 1], 0).into();
    let url = database.url();
    let launch = Launch { database: &url, folder: folder.path(), config: CONFIG, listen, log: "info", first };
    let mut program = Program::launch(&launch);
    program.wait_for("postgres is ready");
    std::fs::remove_file(folder.path().join("forecourt.toml")).unwrap();
    program.signal(Signal::HUP);
    program.wait_for("there is no configuration file here");
    program.wait_for("the running one stays");
    assert_eq!(status(&program, TOKEN).await, 200);
    assert!(!folder.path().join("demo-token").exists());
}

#[tokio::test]
async fn a_changed_file_counts_without_a_signal_where_that_is_asked_for() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("token");
    let write = |text: &str| {
        std::fs::write(&secret, text).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("the-first-secret\n");
    let config = CONFIG
        .replace("[server]", "[server]\nreload_on_change = true")
        .replace("secret_env = \"TOKEN\"", "secret_file = \"token\"");
    let mut program = Program::start(&database.url(), folder.path(), &config);
    assert_eq!(status(&program, "the-first-secret").await, 200, "the file's newline is no part of the secret");
    write("\u{feff}the-second-secret\r\n");
    program.wait_for("configuration reloaded");
    assert_eq!(status(&program, "the-first-secret").await, 401);
    assert_eq!(status(&program, "the-second-secret").await, 200, "nor is what an editor of Windows wrote around it");
    write("");
    program.wait_for("is empty; put the secret into it");
    assert_eq!(status(&program, "the-second-secret").await, 200);
    assert!(SECRETS.iter().all(|(_, secret)| program.seen.iter().all(|line| !line.contains(secret))));
}

#[tokio::test]
async fn what_came_under_a_secret_that_is_gone_goes_on_where_it_was_and_nowhere_else() {
    let with = |credentials: &str| [workspaces(), credentials].concat();
    let (old, new) = (bearer("old", "TOKEN", ""), bearer("new", "OTHER_TOKEN", ""));
    let service = service_with(&with(&old)).await;
    service.database.execute("alter table persons add constraint sabotage check (false) not valid").await;
    let (_, failed) = post(&service, TOKEN, 356).await;
    let (_, unknown) = post(&service, TOKEN, 999).await;
    assert_eq!((&failed["outcome"], &unknown["outcome"]), (&json!("failed"), &json!("rejected")));

    service.reload(&with(&new).replace("[356, 357]", "[356, 357, 999]")).await;
    service.database.execute("alter table persons drop constraint sabotage").await;
    service.database.execute("update intake.deliveries set retry_at = now() where retry_at is not null").await;
    let round = async || {
        let directory = service.intake().router();
        forecourt::intake::due::round(service.intake(), &directory.retryable()).await.unwrap()
    };
    assert_eq!(round().await, 1, "whom the other one is from nobody can tell any more");
    assert_eq!(round().await, 0);
    let outcome = async |reply: &serde_json::Value| {
        let id = reply["delivery_id"].as_str().unwrap();
        service.row(&format!("select outcome from intake.deliveries where id = '{id}'")).await["outcome"].clone()
    };
    assert_eq!((outcome(&failed).await, outcome(&unknown).await), (json!("applied"), json!("rejected")));
}
