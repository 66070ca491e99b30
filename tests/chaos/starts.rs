//! Ends and starts of the service at bad moments.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::faults::signal_all;
use crate::harness::{Harness, ORDINARY, Settings};
use crate::scale::SCALE;

/// The service is told to stop in the midst of load, ends well, and is started again.
pub(crate) async fn stopped() {
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    for _ in 0..SCALE.stops {
        sleep(Duration::from_millis(500)).await;
        assert_eq!(harness.stop().code(), Some(0));
        harness.start();
    }
    sleep(Duration::from_millis(500)).await;
    let sent = load.end().await;
    prove(&format!("service stopped in order, {} times", SCALE.stops), harness, Seen { sent, ..Seen::default() }).await;
}

/// The service itself stands still: what is not answered in time is repeated, and each repetition is a delivery.
pub(crate) async fn stood_still() {
    let mut harness = Harness::ready(ORDINARY).await;
    // Longer than an answer takes on a busy machine, and shorter than the service stands still.
    harness.sender = harness.sender.waiting(Duration::from_secs(4));
    let load = harness.load();
    sleep(Duration::from_millis(300)).await;
    harness.program().signal(Signal::STOP);
    sleep(Duration::from_secs(5)).await;
    harness.program().signal(Signal::CONT);
    sleep(Duration::from_millis(300)).await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    assert!(sent.iter().any(|sent| sent.tries.len() > 1), "some were repeated");
    prove("service stood still, senders repeat", harness, Seen { sent, ..Seen::default() }).await;
}

/// The service is killed while it writes to the spool, and what it had not finished is on disk in pieces.
pub(crate) async fn torn_end() {
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    signal_all(&harness.cluster, Signal::STOP);
    harness.spooling().await;
    for garbage in [vec![0; 10_000], (0..70_001_u32).map(|byte| (byte * 31 % 251) as u8).collect()] {
        sleep(Duration::from_millis(300)).await;
        harness.kill();
        // A file that was growing when the power went is longer than what was made durable.
        OpenOptions::new().append(true).open(harness.spool_file()).unwrap().write_all(&garbage).unwrap();
        harness.start();
        harness.spooling().await;
    }
    sleep(Duration::from_millis(300)).await;
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    let sent = load.end().await;
    let put_aside = std::fs::read_dir(harness.spool_dir()).unwrap().map(|entry| entry.unwrap().file_name());
    let put_aside: Vec<_> = put_aside.filter(|name| name.to_string_lossy().starts_with("damaged")).collect();
    assert!(put_aside.is_empty(), "{put_aside:?}");
    prove("service killed while spooling, torn end", harness, Seen { sent, drained, ..Seen::default() }).await;
}

/// The spool is full when the service starts, and Postgres away: requests are held until there is room.
pub(crate) async fn full_spool() {
    let spool = "max_bytes = 262144\nmin_free_bytes = 0";
    let mut harness = Harness::ready(Settings { hold_seconds: 1, deadline_ms: Some(300), spool }).await;
    signal_all(&harness.cluster, Signal::STOP);
    let load = harness.load();
    harness.wait_for("the spool takes no deliveries");
    harness.kill();
    harness.start();
    assert_eq!(harness.spooled().await, Some(64), "what was taken is still there");
    sleep(Duration::from_millis(1500)).await;
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    let sent = load.end().await;
    let refused: Vec<_> = sent.iter().filter(|sent| sent.status() == Some(503)).collect();
    assert!(!refused.is_empty(), "who came first was held for too long");
    assert!(refused.iter().all(|sent| sent.took() >= harness.hold), "nobody is refused before the hold is over");
    prove("service started with a full spool", harness, Seen { sent, drained, ..Seen::default() }).await;
}
