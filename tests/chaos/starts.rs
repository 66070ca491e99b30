//! Ends and starts of the service at bad moments.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::faults::signal_all;
use crate::proof::{Seen, assert_all_taken, prove};
use crate::scale::SCALE;
use crate::stage::{ORDINARY, Settings, Stage};

/// The service is told to stop in the midst of load, ends well, and is started again.
pub(crate) async fn stopped() {
    let mut stage = Stage::ready(ORDINARY).await;
    let load = stage.load();
    for _ in 0..SCALE.stops {
        sleep(Duration::from_millis(500)).await;
        assert_eq!(stage.stop().code(), Some(0));
        stage.start();
    }
    sleep(Duration::from_millis(500)).await;
    let sent = load.end().await;
    prove(&format!("service stopped in order, {} times", SCALE.stops), stage, Seen { sent, ..Seen::default() }).await;
}

/// The service itself stands still: what is not answered in time is repeated, and each repetition is a delivery.
pub(crate) async fn stood_still() {
    let mut stage = Stage::ready(ORDINARY).await;
    // Longer than an answer takes on a busy machine, and shorter than the service stands still.
    stage.sender = stage.sender.waiting(Duration::from_secs(4));
    let load = stage.load();
    sleep(Duration::from_millis(300)).await;
    stage.program().signal(Signal::STOP);
    sleep(Duration::from_secs(5)).await;
    stage.program().signal(Signal::CONT);
    sleep(Duration::from_millis(300)).await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    assert!(sent.iter().any(|sent| sent.tries.len() > 1), "some were repeated");
    prove("service stood still, senders repeat", stage, Seen { sent, ..Seen::default() }).await;
}

/// The service is killed while it writes to the spool, and what it had not finished is on disk in pieces.
pub(crate) async fn torn_end() {
    let mut stage = Stage::ready(ORDINARY).await;
    let load = stage.load();
    signal_all(&stage.cluster, Signal::STOP);
    stage.spooling().await;
    for garbage in [vec![0; 10_000], (0..70_001_u32).map(|byte| (byte * 31 % 251) as u8).collect()] {
        sleep(Duration::from_millis(300)).await;
        stage.kill();
        // A file that was growing when the power went is longer than what was made durable.
        OpenOptions::new().append(true).open(stage.spool_file()).unwrap().write_all(&garbage).unwrap();
        stage.start();
        stage.spooling().await;
    }
    sleep(Duration::from_millis(300)).await;
    signal_all(&stage.cluster, Signal::CONT);
    let drained = stage.drained().await;
    let sent = load.end().await;
    let put_aside = std::fs::read_dir(stage.spool_dir()).unwrap().map(|entry| entry.unwrap().file_name());
    let put_aside: Vec<_> = put_aside.filter(|name| name.to_string_lossy().starts_with("damaged")).collect();
    assert!(put_aside.is_empty(), "{put_aside:?}");
    prove("service killed while spooling, torn end", stage, Seen { sent, drained, ..Seen::default() }).await;
}

/// The spool is full when the service starts, and Postgres away: requests are held until there is room.
pub(crate) async fn full_spool() {
    let spool = "max_bytes = 262144\nmin_free_bytes = 0";
    let mut stage = Stage::ready(Settings { hold_seconds: 1, deadline_ms: Some(300), spool }).await;
    signal_all(&stage.cluster, Signal::STOP);
    let load = stage.load();
    stage.wait_for("the spool takes no deliveries");
    stage.kill();
    stage.start();
    assert_eq!(stage.spooled().await, Some(64), "what was taken is still there");
    sleep(Duration::from_millis(1500)).await;
    signal_all(&stage.cluster, Signal::CONT);
    let drained = stage.drained().await;
    let sent = load.end().await;
    let refused: Vec<_> = sent.iter().filter(|sent| sent.status() == Some(503)).collect();
    assert!(!refused.is_empty(), "who came first was held for too long");
    assert!(refused.iter().all(|sent| sent.took() >= stage.hold), "nobody is refused before the hold is over");
    prove("service started with a full spool", stage, Seen { sent, drained, ..Seen::default() }).await;
}
