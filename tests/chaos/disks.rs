//! Disks that are full or cannot be written to.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::faults::{LIMITS_FILES, SmallDisk, limit_files, signal_all};
use crate::harness::{Harness, ORDINARY, Settings};
use crate::scale::SCALE;
use crate::support::postgres::own_cluster_with;
use crate::support::throwaway_options;
use crate::table;

const NO_MOUNT: &str = "no file system can be mounted here";
const NO_LIMIT: &str = "the files of a running process cannot be limited here";

/// The disk of Postgres is full for a while.
pub(crate) async fn postgres_full() {
    let mut options = throwaway_options();
    let place = options.data_dir.clone();
    let Some(disk) = SmallDisk::new(&place, 256 << 20, "") else {
        return table::leave_out("the disk of Postgres full", NO_MOUNT);
    };
    options.data_dir = place.join("data");
    let mut harness = Harness::over(own_cluster_with(options).await, ORDINARY).await;
    harness.start();
    harness.wait_for("postgres is ready");
    let load = harness.load_of(2 * SCALE.rate);
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    disk.fill(0);
    harness.spooling().await;
    sleep(SCALE.lock).await;
    let ended = Instant::now();
    disk.relieve();
    disk.change("size=4g");
    let drained = harness.drained().await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    let told = format!("Postgres's disk full for {} s", SCALE.lock.as_secs_f32());
    prove(&told, harness, Seen { sent, fault: Some((began, ended)), drained }).await;
    // The server goes before its disk does.
    Harness::set(ORDINARY).await.cluster.stop().await;
    drop(disk);
}

/// The disk of the spool is full while Postgres stands still; later there is room again.
pub(crate) async fn spool_full() {
    let mut harness = Harness::set(ORDINARY).await;
    let Some(disk) = SmallDisk::new(&harness.spool_dir(), 3 << 20, "") else {
        return table::leave_out("the spool's disk full", NO_MOUNT);
    };
    harness.start();
    harness.wait_for("postgres is ready");
    let load = harness.load();
    signal_all(&harness.cluster, Signal::STOP);
    harness.spooling().await;
    disk.fill(100 << 10);
    let faster = harness.load_of(5 * SCALE.rate);
    harness.wait_for("the spool takes no deliveries");
    let began = Instant::now();
    sleep(Duration::from_millis(700)).await;
    let ended = Instant::now();
    disk.relieve();
    disk.change("size=1g");
    let mut sent = faster.end().await;
    harness.wait_for("the spool takes deliveries again");
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    sent.extend(load.end().await);
    assert_all_taken(&sent);
    prove("the spool's disk full", harness, Seen { sent, fault: Some((began, ended)), drained }).await;
    drop(disk);
}

/// The file of the spool cannot grow while Postgres stands still; later it can.
pub(crate) async fn spool_cannot_grow() {
    if !LIMITS_FILES {
        return table::leave_out("the spool's file cannot grow", NO_LIMIT);
    }
    let mut harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    signal_all(&harness.cluster, Signal::STOP);
    harness.spooling().await;
    let length = fs::metadata(harness.spool_file()).unwrap().len();
    let pid = harness.program().pid();
    limit_files(pid, Some(length));
    let faster = harness.load_of(5 * SCALE.rate);
    harness.wait_for("the spool takes no deliveries");
    let began = Instant::now();
    sleep(Duration::from_millis(500)).await;
    let ended = Instant::now();
    limit_files(pid, None);
    let mut sent = faster.end().await;
    harness.wait_for("the spool takes deliveries again");
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    sent.extend(load.end().await);
    assert_all_taken(&sent);
    prove("the spool's file cannot grow", harness, Seen { sent, fault: Some((began, ended)), drained }).await;
}

/// A folder that can be read and not written to: for root a disk, because permissions do not hold for it.
enum ReadOnly {
    Disk(SmallDisk),
    Folder(PathBuf),
}

impl ReadOnly {
    fn new(path: PathBuf) -> Option<Self> {
        if rustix::process::geteuid().is_root() {
            return SmallDisk::new(&path, 64 << 20, ",ro").map(Self::Disk);
        }
        fs::create_dir_all(&path).unwrap();
        let folder = Self::Folder(path);
        folder.permit(0o500);
        Some(folder)
    }

    fn permit(&self, mode: u32) {
        if let Self::Folder(path) = self {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
    }

    fn lift(&self) {
        match self {
            Self::Disk(disk) => disk.change("rw"),
            Self::Folder(_) => self.permit(0o700),
        }
    }
}

/// The folder of the spool cannot be written to: with Postgres there nobody notices; with Postgres away requests are
/// held until it can.
pub(crate) async fn spool_read_only() {
    let mut harness = Harness::set(ORDINARY).await;
    let Some(folder) = ReadOnly::new(harness.spool_dir()) else {
        return table::leave_out("the spool's folder read-only", NO_MOUNT);
    };
    harness.start();
    harness.wait_for("postgres is ready");
    let load = harness.load();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    signal_all(&harness.cluster, Signal::STOP);
    sleep(SCALE.lock).await;
    let ended = Instant::now();
    folder.lift();
    harness.spooling().await;
    signal_all(&harness.cluster, Signal::CONT);
    let drained = harness.drained().await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    assert!(sent.iter().any(|sent| sent.took() > SCALE.lock / 2), "requests were held");
    prove("the spool's folder read-only", harness, Seen { sent, fault: Some((began, ended)), drained }).await;
    drop(folder);
}

/// Nothing can be stored anywhere: requests are held, and answered 200 when one of the stores is back within the hold,
/// and 503 only after it.
pub(crate) async fn both_fail() {
    if !LIMITS_FILES {
        return table::leave_out("both stores fail", NO_LIMIT);
    }
    let mut harness = Harness::ready(Settings { hold_seconds: 8, deadline_ms: Some(300), ..ORDINARY }).await;
    let pid = harness.program().pid();
    let load = harness.load_of(SCALE.rate / 4);
    sleep(Duration::from_millis(500)).await;
    limit_files(pid, Some(0));
    signal_all(&harness.cluster, Signal::STOP);
    let began = Instant::now();
    sleep(Duration::from_millis(900)).await;
    signal_all(&harness.cluster, Signal::CONT);
    let back = Instant::now();
    sleep(Duration::from_millis(500)).await;

    signal_all(&harness.cluster, Signal::STOP);
    let again = Instant::now();
    sleep(Duration::from_millis(900)).await;
    limit_files(pid, None);
    harness.spooling().await;
    signal_all(&harness.cluster, Signal::CONT);
    harness.drained().await;
    let over = Instant::now();
    sleep(Duration::from_millis(300)).await;

    limit_files(pid, Some(0));
    signal_all(&harness.cluster, Signal::STOP);
    sleep(Duration::from_millis(8700)).await;
    limit_files(pid, None);
    signal_all(&harness.cluster, Signal::CONT);
    let sent = load.end().await;

    let held = |from: Instant, to: Instant| sent.iter().filter(move |sent| (from..to).contains(&sent.at));
    assert!(held(began, back).all(|sent| sent.status() == Some(200)), "served by Postgres when it was back");
    assert!(held(again, over).all(|sent| sent.status() == Some(200)), "served by the spool when it was back");
    assert!(held(began, back).any(|sent| sent.took() > Duration::from_millis(600)), "requests were held");
    let refused: Vec<_> = sent.iter().filter(|sent| sent.status() != Some(200)).collect();
    assert!(refused.iter().all(|sent| sent.status() == Some(503)), "{refused:?}");
    assert!(!refused.is_empty() && refused.iter().all(|sent| sent.took() >= harness.hold), "503 only after the hold");
    prove("both stores fail", harness, Seen { sent, fault: Some((began, over)), drained: None }).await;
}
