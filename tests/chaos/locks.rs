//! Somebody else holds a lock.

use std::time::{Duration, Instant};

use sqlx::migrate::Migrate as _;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::harness::{Harness, ORDINARY};
use crate::scale::SCALE;
use crate::support::postgres::ALPHA_HELD;

/// A table is locked: whatever needs it waits in Postgres, and is spooled meanwhile.
pub(crate) async fn table() {
    let harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let mut somebody = harness.database.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table leads in access exclusive mode").execute(&mut *somebody).await.unwrap();
    harness.spooling().await;
    sleep(SCALE.lock.saturating_sub(began.elapsed())).await;
    let ended = Instant::now();
    somebody.rollback().await.unwrap();
    let drained = harness.drained().await;
    let sent = load.end().await;
    let told = format!("a table locked for {} s", SCALE.lock.as_secs_f32());
    prove(&told, harness, Seen { sent, fault: Some((began, ended)), drained }).await;
}

/// A workspace is held, as by a person's transaction that was left open: its deliveries are spooled, and those of the
/// other one go on.
pub(crate) async fn workspace() {
    let harness = Harness::ready(ORDINARY).await;
    let load = harness.load();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let mut somebody = harness.database.pool.begin().await.unwrap();
    sqlx::query(ALPHA_HELD).execute(&mut *somebody).await.unwrap();
    harness.spooling().await;
    sleep(SCALE.lock.saturating_sub(began.elapsed())).await;
    let ended = Instant::now();
    somebody.rollback().await.unwrap();
    let drained = harness.drained().await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    let told = format!("a workspace held for {} s", SCALE.lock.as_secs_f32());
    prove(&told, harness, Seen { sent, fault: Some((began, ended)), drained }).await;
}

/// Another instance migrates the database: a start has no tables until it is done.
pub(crate) async fn migrations() {
    let mut harness = Harness::set(ORDINARY).await;
    let mut another = harness.database.options.connect().await.unwrap();
    another.lock().await.unwrap();
    harness.start();
    let load = harness.load();
    harness.spooling().await;
    let began = Instant::now();
    sleep(SCALE.lock).await;
    let ended = Instant::now();
    another.unlock().await.unwrap();
    another.close().await.unwrap();
    harness.wait_for("postgres is ready");
    let drained = harness.drained().await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    let told = format!("the migrations' lock held for {} s", SCALE.lock.as_secs_f32());
    prove(&told, harness, Seen { sent, fault: Some((began, ended)), drained }).await;
}
