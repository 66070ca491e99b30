//! Postgres stands still, or is restarted without mercy; and, to compare with, nothing goes wrong.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::faults::signal_all;
use crate::harness::{Harness, ORDINARY, Settings};
use crate::scale::SCALE;

/// Nothing goes wrong, without a spool and with one.
pub(crate) async fn none() {
    for (told, spool) in [("no fault, no spool", "max_bytes = 0"), ("no fault, with the spool", ORDINARY.spool)] {
        let harness = Harness::ready(Settings { spool, ..ORDINARY }).await;
        let load = harness.load();
        sleep(SCALE.peace).await;
        let sent = load.end().await;
        assert_all_taken(&sent);
        prove(told, harness, Seen { sent, ..Seen::default() }).await;
    }
}

/// Postgres stands still for a while.
pub(crate) async fn still() {
    stand_still(SCALE.still).await;
}

/// Postgres stands still for longer; then the spool is emptied while new deliveries arrive.
pub(crate) async fn still_for_long() {
    stand_still(SCALE.outage).await;
}

async fn stand_still(outage: Duration) {
    let harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    signal_all(&harness.cluster, Signal::STOP);
    sleep(outage).await;
    let ended = Instant::now();
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    assert!(drained.is_some(), "deliveries were spooled");
    sleep(Duration::from_millis(300)).await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    let deadline = Duration::from_millis(SCALE.deadline_ms);
    // What a busy machine adds to it; the figures of the table say more.
    let late = sent.iter().filter(|sent| sent.took() > deadline + Duration::from_secs(20)).count();
    assert_eq!(late, 0, "answers came long after the deadline of {deadline:?}");
    let told = format!("Postgres stood still for {} s, {}/s", outage.as_secs_f32(), SCALE.rate);
    prove(&told, harness, Seen { sent, fault: Some((began, ended)), drained }).await;
}

/// Postgres is told to end at once, as by `pg_ctl restart -m immediate`, and is started again.
pub(crate) async fn immediate() {
    let harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    sleep(Duration::from_millis(500)).await;
    let pid = i32::try_from(harness.cluster.server().pid()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::QUIT).unwrap();
    sleep(Duration::from_secs(1)).await;
    let drained = harness.drained().await;
    let sent = load.end().await;
    prove("Postgres restarted with `immediate`", harness, Seen { sent, drained, ..Seen::default() }).await;
}
