//! Each major version of Postgres that the service works with. `FORECOURT_TEST_MAJORS=16 cargo test` runs all tests over
//! servers of that version; `FORECOURT_TEST_MAJORS=all cargo test --test it majors` runs the core of them over each, and
//! prints a table.

use std::process::Command;
use std::time::Instant;

use crate::session::{assert_same, config, deliver_everything, rows};
use crate::support::majors::{MAJORS, asked, programs};
use crate::support::postgres::binaries_dir;
use crate::support::{left_out, service_with};

/// The tests that are run over each version: what the tables, the session and the rights are about.
const CORE: [&str; 16] = [
    "majors::the_fixtures",
    "appointments::",
    "bookings::",
    "clusters::",
    "distribution::",
    "due",
    "erasure::",
    "leads::",
    "leadpro::",
    "listings::",
    "months::",
    "persons::",
    "replay::",
    "roles::",
    "session::what_the_documents_call_pinned",
    "workspace_locks::",
];

/// The file of the rows that are to be made.
const EXPECTED: &str = "FORECOURT_TEST_EXPECTED_ROWS";

fn expected() -> Option<Vec<String>> {
    let path = std::env::vars_os().find_map(|(name, value)| (name == EXPECTED).then_some(value))?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[tokio::test]
async fn the_fixtures_make_the_same_rows() {
    let Some(expected) = expected() else { return };
    let service = service_with(&config()).await;
    deliver_everything(&service).await;
    let version: String = service.database.value("select current_setting('server_version')").await;
    assert_same(&rows(&service).await, &expected, &version);
    println!("server version {version}, {} equal rows", expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_core_of_the_tests_holds_over_each_version_that_is_asked_for() {
    let majors = asked();
    // One alone is what this whole process runs over.
    if majors.len() < 2 {
        return;
    }
    let service = service_with(&config()).await;
    deliver_everything(&service).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    std::fs::write(&file, serde_json::to_vec(&rows(&service).await).unwrap()).unwrap();
    let (mut table, mut failed) = (Vec::new(), Vec::new());
    for major in majors {
        if let Err(why) = programs(major, &binaries_dir()) {
            left_out(&format!("PostgreSQL {major} is not to be had: {why}"));
            continue;
        }
        let began = Instant::now();
        let mut tests = Command::new(std::env::current_exe().unwrap());
        tests.args(CORE).args(["--nocapture", "--test-threads=2"]).env(MAJORS, major.to_string()).env(EXPECTED, &file);
        let ended = tests.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let result = said.lines().find(|line| line.starts_with("test result:")).unwrap_or("no result").to_owned();
        let version = said.lines().find(|line| line.contains("equal rows")).unwrap_or("rows that differ").to_owned();
        table.push(format!("| {major} | {version} | {result} | {} s |", began.elapsed().as_secs()));
        if !ended.status.success() {
            let tail: Vec<&str> = said.lines().rev().take(60).collect();
            failed.push(format!("{major}: {}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")));
        }
    }
    println!("| major | fixtures | core | took |\n|---|---|---|---|\n{}", table.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
