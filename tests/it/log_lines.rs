//! What the log tells of deliveries: each in one line, under the id of its request, as a warning where nothing came of it.

use serde_json::json;

use crate::support::program::Program;
use crate::support::{CONFIG, INVENTORY, TOKEN, a_lead, config_with, database, payloads};

#[tokio::test]
async fn the_line_of_an_outcome_bears_the_id_of_the_request() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    program.post_lead("X-Request-Id: from-door-to-outcome\r\n", a_lead(1).to_string().as_bytes()).await;
    let line = program.wait_for("outcome=\"applied\"");
    assert!(line.contains("request_id=\"from-door-to-outcome\"") && line.contains("feed=\"lead\""), "{line}");
    assert!(line.contains(" INFO "), "{line}");
}

#[tokio::test]
async fn what_was_rejected_or_failed_is_a_warning_with_its_codes_workspace_and_dealership() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    program.post_lead("", a_lead(1).dealership(99).to_string().as_bytes()).await;
    let line = program.wait_for("outcome=\"rejected\"");
    assert!(line.contains(" WARN ") && line.contains("dealership=99"), "{line}");
    assert!(line.contains("codes=\"dealership_unknown"), "{line}");

    database.execute("alter table leads add constraint sabotage check (external_id <> '7')").await;
    program.post_lead("", a_lead(7).to_string().as_bytes()).await;
    let why = program.wait_for("is kept as failed");
    assert!(why.contains(" ERROR ") && why.contains("23514 in leads"), "{why}");
    let line = program.wait_for("outcome=\"failed\"");
    assert!(
        line.contains(" WARN ") && line.contains("codes=\"internal_error") && line.contains("workspace="),
        "{line}"
    );
}

#[tokio::test]
async fn a_trouble_that_lasts_is_one_line_a_minute_and_no_delivery_counts_as_failed_that_was_spooled() {
    let mut cluster = crate::support::own_cluster().await;
    let (database, folder) = (cluster.database().await, tempfile::tempdir().unwrap());
    let config = config_with("deadline_ms = 200\nhold_seconds = 60").replace("max_bytes = 0", "max_bytes = 268435456");
    let mut program = Program::start(&database.url(), folder.path(), &config);
    program.post_lead("", a_lead(1).to_string().as_bytes()).await;
    program.wait_for("outcome=\"applied\"");
    cluster.stop().await;
    for id in 2..12 {
        program.post_lead("", a_lead(id).to_string().as_bytes()).await;
    }
    // Long enough for a dozen tries.
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    program.signal(rustix::process::Signal::TERM);
    let log = program.whole_log();
    let away = log.iter().filter(|line| line.contains("postgres is away")).count();
    // There were a dozen tries at least. Each cause is told once, and a server that goes has several.
    assert!(away < 8, "{away}: {log:#?}");
    // The ten that came while it was away, and on a busy machine the first.
    let spooled = log.iter().filter(|line| line.contains("outcome=\"spooled\"")).count();
    assert!((10..=11).contains(&spooled), "{log:#?}");
    let told = log.iter().filter(|line| !line.contains("sqlx::query"));
    assert_eq!(told.filter(|line| line.contains("failed")).count(), 0, "{log:#?}");
}

#[tokio::test]
async fn the_line_of_a_vehicle_that_heals_leads_says_how_many() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    for id in [1, 2, 3] {
        program.post_lead("", payloads::lead(json!({ "id": id })).to_string().as_bytes()).await;
        let line = program.wait_for("outcome=\"applied\"");
        assert!(!line.contains("other_bookings"), "{line}");
    }
    program.post_as(TOKEN, INVENTORY, payloads::car(json!({})).to_string()).await;
    let line = program.wait_for("feed=\"inventory\"");
    assert!(line.contains("other_bookings=3"), "{line}");
}
