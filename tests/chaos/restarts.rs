//! Restarts that refuse nothing: somebody holds the socket while the service is away, as systemd does.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::harness::{Harness, ORDINARY};
use crate::scale::SCALE;
use crate::sender::{End, Sent};

/// The figures of one set-up.
struct Row {
    set_up: String,
    restarts: u32,
    posted: usize,
    acknowledged: usize,
    /// Answered otherwise, broken off, or not to be sent at all.
    refused: usize,
    stored: i64,
    slowest: Duration,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// The service is restarted again and again, while its socket is held.
pub(crate) async fn held() {
    let mut harness = Harness::set(ORDINARY).await;
    harness.hold();
    harness.start();
    harness.wait_for("postgres is ready");
    restart_under_load("the socket held", harness, "service restarted, socket held").await;
}

/// A new file takes the place of the program, and the service is restarted, while its socket is held.
pub(crate) async fn upgraded() {
    let mut harness = Harness::set(ORDINARY).await;
    harness.hold();
    harness.install();
    harness.start();
    harness.wait_for("postgres is ready");
    let load = harness.load();
    sleep(Duration::from_millis(500)).await;
    harness.install();
    harness.stop();
    harness.start();
    sleep(Duration::from_millis(500)).await;
    let sent = load.end().await;
    finish("the socket held, a new program", 1, harness, sent, "service upgraded, socket held").await;
}

/// Restarts the service under load, and sees that all that was posted is acknowledged and stored.
pub(crate) async fn restart_under_load(set_up: &str, mut harness: Harness, scenario: &str) {
    // A debug build on a busy machine has to keep up with it.
    let load = harness.load_of(SCALE.rate.min(50));
    for _ in 0..SCALE.restarts {
        sleep(Duration::from_millis(500)).await;
        assert_eq!(harness.stop().code(), Some(0));
        harness.start();
    }
    sleep(Duration::from_millis(500)).await;
    let sent = load.end().await;
    Box::pin(finish(set_up, SCALE.restarts, harness, sent, &format!("{scenario}, {} times", SCALE.restarts))).await;
}

async fn finish(set_up: &str, restarts: u32, mut harness: Harness, sent: Vec<Sent>, scenario: &str) {
    harness.wait_for("postgres is ready");
    harness.drained().await;
    // What was posted beforehand to see what a proxy lets pass.
    harness.database.execute("delete from intake.deliveries where workspace_id = 0").await;
    let stored: i64 = harness.database.value("select count(*) from intake.deliveries").await;
    let acknowledged = sent.iter().filter(|sent| sent.status() == Some(200)).count();
    let is_refused = |sent: &&Sent| sent.tries.iter().any(|(_, end)| !matches!(end, End::Answered { status: 200, .. }));
    let refused = sent.iter().filter(is_refused).count();
    let slowest = sent.iter().map(Sent::took).max().unwrap_or_default();
    let posted = sent.len();
    ROWS.lock().unwrap().push(Row {
        set_up: set_up.to_owned(),
        restarts,
        posted,
        acknowledged,
        refused,
        stored,
        slowest,
    });
    // Where nobody holds the socket, a connection that is made in the moment of its close is broken off.
    if !set_up.ends_with("no socket held") {
        assert_all_taken(&sent);
        assert_eq!((acknowledged, refused, stored), (posted, 0, i64::try_from(posted).unwrap()), "{set_up}");
    }
    Box::pin(prove(scenario, harness, Seen { sent, ..Seen::default() })).await;
}

/// Prints the figures, where there are any.
pub(crate) fn print() {
    let rows = ROWS.lock().unwrap();
    if rows.is_empty() {
        return;
    }
    println!("\n| set-up | restarts | posted | acknowledged | refused | stored | slowest ms |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for Row { set_up, restarts, posted, acknowledged, refused, stored, slowest } in rows.iter() {
        let slowest = slowest.as_millis();
        println!("| {set_up} | {restarts} | {posted} | {acknowledged} | {refused} | {stored} | {slowest} |");
    }
}
