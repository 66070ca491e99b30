//! Somebody else holds a lock.

use std::time::{Duration, Instant};

use sqlx::migrate::Migrate as _;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::sleep;

use crate::proof::{Seen, assert_all_taken, prove};
use crate::scale::SCALE;
use crate::stage::{ORDINARY, Stage};

/// A table is locked: whatever needs it waits in Postgres, and is spooled meanwhile.
pub(crate) async fn table() {
    let stage = Stage::ready(ORDINARY).await;
    let load = stage.load();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let mut somebody = stage.database.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table leads in access exclusive mode").execute(&mut *somebody).await.unwrap();
    stage.spooling().await;
    sleep(SCALE.lock.saturating_sub(began.elapsed())).await;
    let ended = Instant::now();
    somebody.rollback().await.unwrap();
    let drained = stage.drained().await;
    let sent = load.end().await;
    let told = format!("a table locked for {} s", SCALE.lock.as_secs_f32());
    prove(&told, stage, Seen { sent, fault: Some((began, ended)), drained }).await;
}

/// Another instance migrates the database: a start has no tables until it is done.
pub(crate) async fn migrations() {
    let mut stage = Stage::set(ORDINARY).await;
    let mut another = stage.database.options.connect().await.unwrap();
    another.lock().await.unwrap();
    stage.start();
    let load = stage.load();
    stage.spooling().await;
    let began = Instant::now();
    sleep(SCALE.lock).await;
    let ended = Instant::now();
    another.unlock().await.unwrap();
    another.close().await.unwrap();
    stage.wait_for("postgres is ready");
    let drained = stage.drained().await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    let told = format!("the migrations' lock held for {} s", SCALE.lock.as_secs_f32());
    prove(&told, stage, Seen { sent, fault: Some((began, ended)), drained }).await;
}
