//! `kill -9`, again and again, under load.

use rustix::process::Signal;
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::faults::{kill_and_start, signal_all};
use crate::harness::{Harness, ORDINARY};
use crate::scale::SCALE;

/// The service is killed and started again.
pub(crate) async fn service() {
    let (kills, pause) = SCALE.service_kills;
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    for _ in 0..kills {
        sleep(pause).await;
        harness.kill();
        harness.start();
    }
    sleep(pause).await;
    let sent = load.end().await;
    prove(&format!("service killed, {kills} times"), harness, Seen { sent, ..Seen::default() }).await;
}

/// Postgres is killed with all its processes, and started again.
pub(crate) async fn postgres() {
    let (kills, pause) = SCALE.postgres_kills;
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    for _ in 0..kills {
        sleep(pause).await;
        kill_and_start(&mut harness.cluster).await;
    }
    sleep(pause).await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    prove(&format!("Postgres killed, {kills} times"), harness, Seen { sent, ..Seen::default() }).await;
}

/// One after the other is killed; every second time both are down at once.
pub(crate) async fn both() {
    let (kills, pause) = SCALE.kills_in_turn;
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    for turn in 0..kills {
        sleep(pause).await;
        if turn % 2 == 0 {
            kill_and_start(&mut harness.cluster).await;
            sleep(pause).await;
            harness.kill();
            harness.start();
        } else {
            signal_all(&harness.cluster, Signal::KILL);
            harness.kill();
            harness.start();
            harness.cluster.stop().await;
            sleep(pause).await;
            harness.cluster.start().await;
        }
    }
    sleep(pause).await;
    let sent = load.end().await;
    prove(&format!("both killed in turn, {kills} times"), harness, Seen { sent, ..Seen::default() }).await;
}
