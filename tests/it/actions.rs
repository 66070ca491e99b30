//! What operators do leaves a row in `intake.actions`: when, what, by whom, with which counts, and no personal data.

use std::path::Path;
use std::process::{Command, Output};

use forecourt::store::actions::{self, Action, Counts};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::postgres::{TestDatabase, own_cluster};
use crate::support::program::Launch;
use crate::support::{CONFIG, Program, SECRETS, a_lead, database, service, soon};

/// Runs the program beside a database, with these variables more.
fn run(database: &TestDatabase, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let path = folder.join("forecourt.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", folder);
    command.env("DATABASE_URL", database.url()).envs(variables.iter().copied()).args(arguments);
    command.output().unwrap()
}

/// What is recorded, but for what the tests gave the service's role.
async fn rows(database: &TestDatabase) -> Vec<Value> {
    let query =
        "select coalesce(jsonb_agg(to_jsonb(a) order by id), '[]') from intake.actions a where action <> 'grant'";
    database.value::<Value>(query).await.as_array().unwrap().clone()
}

/// Who runs these tests, as `id` says.
fn me() -> String {
    let named = Command::new("id").arg("-un").output().unwrap();
    if named.status.success() {
        return String::from_utf8(named.stdout).unwrap().trim().to_owned();
    }
    let number = Command::new("id").arg("-u").output().unwrap();
    format!("uid {}", String::from_utf8(number.stdout).unwrap().trim())
}

#[tokio::test]
async fn a_replay_is_recorded_with_its_outcomes_and_a_dry_run_is_not() {
    let (service, folder) = (service().await, tempfile::tempdir().unwrap());
    for id in [1, 2] {
        service.lead(&a_lead(id)).await;
    }
    service.lead(&a_lead(3).dealership(99)).await;
    let dry = run(&service.database, folder.path(), &["replay", "--all", "--dry-run"], &[]);
    assert!(dry.status.success(), "{dry:?}");
    assert_eq!(rows(&service.database).await, [] as [Value; 0]);
    let nothing = run(&service.database, folder.path(), &["replay", "--outcome", "failed"], &[]);
    assert!(nothing.status.success(), "{nothing:?}");
    assert_eq!(rows(&service.database).await, [] as [Value; 0], "nothing was replayed");

    let done = run(&service.database, folder.path(), &["replay", "--all"], &[("SUDO_USER", "ada")]);
    assert!(done.status.success(), "{done:?}");
    let rows = rows(&service.database).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["action"], "replay");
    let by = if me() == "root" { "ada as root".to_owned() } else { me() };
    assert_eq!(rows[0]["acted_by"], json!(by), "of anybody but root SUDO_USER proves nothing");
    let counts = json!({ "deliveries": 3, "not_replayed": 0, "outcomes": { "applied": 2, "rejected": 1 } });
    assert_eq!(rows[0]["counts"], counts);
    assert!(!rows[0].to_string().contains("example.com"));
}

#[tokio::test]
async fn migrations_are_recorded_once_by_the_command_and_by_the_first_start() {
    let cluster = own_cluster().await;
    let folder = tempfile::tempdir().unwrap();
    let allowed = format!("{CONFIG}\n[database]\nallow_unsafe = true\n");
    let of_command = cluster.bare_database("of_command").await;
    let path = folder.path().join("allowed.toml");
    std::fs::write(&path, &allowed).unwrap();
    for _ in 0..2 {
        let arguments = ["migrate", "--config", path.to_str().unwrap()];
        let done = run(&of_command, folder.path(), &arguments, &[]);
        assert!(done.status.success(), "{done:?}");
    }
    let of_start = cluster.bare_database("of_start").await;
    let home = tempfile::tempdir().unwrap();
    let mut program = Program::start(&of_start.url(), home.path(), &allowed);
    program.wait_for("postgres is ready");
    for database in [&of_command, &of_start] {
        let all: Value = database.value("select jsonb_agg(version order by version) from _sqlx_migrations").await;
        let rows = rows(database).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["action"], &rows[0]["acted_by"]), (&json!("migrate"), &json!(me())));
        assert_eq!(rows[0]["counts"], json!({ "migrations": all.as_array().unwrap().len(), "versions": all }));
    }
}

#[tokio::test]
async fn a_reload_is_recorded_and_one_that_was_refused_is_not() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let url = database.url();
    let listen = ([127, 0, 0, 1], 0).into();
    let launch = Launch { database: &url, folder: folder.path(), config: CONFIG, listen, log: "info", first: "" };
    let mut program = Program::launch(&launch);
    program.wait_for("postgres is ready");
    let path = folder.path().join("forecourt.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, written.replace("\"bearer\"", "\"beare\"")).unwrap();
    program.signal(Signal::HUP);
    program.wait_for("the running one stays");
    std::fs::write(&path, written).unwrap();
    program.signal(Signal::HUP);
    program.wait_for("the workspaces of the configuration are applied");
    soon("it is recorded", async || !rows(&database).await.is_empty()).await;
    let rows = rows(&database).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["action"], &rows[0]["acted_by"]), (&json!("reload"), &json!(me())));
    assert_eq!(rows[0]["counts"], json!({ "workspaces": 2, "credentials": 1, "workspaces_applied": true }));
}

#[tokio::test]
async fn an_act_that_is_undone_leaves_no_row() {
    let service = service().await;
    let store = service.intake().store();
    let counts = || Counts::from_iter([("persons".to_owned(), json!(1))]);
    let mut tx = store.begin(None).await.unwrap();
    actions::record(&mut tx, Action::Erase, "ada", counts()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(service.count("intake.actions where action <> 'grant'").await, 0);
    let mut tx = store.begin(None).await.unwrap();
    actions::record(&mut tx, Action::Erase, "ada", counts()).await.unwrap();
    tx.commit().await.unwrap();
    let row = service
        .row(
            "select action, acted_by, counts, acted_at <= now() as is_past from intake.actions where action <> 'grant'",
        )
        .await;
    assert_eq!(row, json!({ "action": "erase", "acted_by": "ada", "counts": { "persons": 1 }, "is_past": true }));
}
