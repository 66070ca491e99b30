//! An upgrade beside a service of an older version that goes on: what it answers 200 meanwhile must be in the tables or in its
//! spool, which the new version takes over.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::time::sleep;

use crate::checks::{Seen, prove};
use crate::harness::{Harness, ORDINARY};
use crate::scale::SCALE;

/// The file of an older version, where the environment names one.
pub(crate) fn older() -> Option<PathBuf> {
    std::env::vars_os().find_map(|(name, value)| (name == "FORECOURT_OLD_BINARY").then(|| PathBuf::from(value)))
}

/// The older version takes deliveries before, during and after the tables are brought to the newest one.
pub(crate) async fn beside_an_older_version() {
    let mut harness = Harness::set(ORDINARY).await;
    harness.use_program(older());
    harness.start();
    harness.wait_for("postgres is ready");
    let load = harness.load_of(SCALE.rate.min(50));
    sleep(SCALE.peace).await;
    migrate(&harness, Path::new(env!("CARGO_BIN_EXE_forecourt"))).await;
    let newest: i64 = harness.database.value("select count(*) from intake.deliveries").await;
    harness.spooling().await;
    sleep(SCALE.peace).await;
    let since: i64 = harness.database.value("select count(*) from intake.deliveries").await;
    assert_eq!(since, newest, "the older version writes nothing beside the newer one");
    assert_eq!(harness.stop().code(), Some(0));
    harness.use_program(None);
    harness.start();
    harness.wait_for("postgres is ready");
    let drained = harness.drained().await;
    sleep(SCALE.peace).await;
    let sent = load.end().await;
    prove("tables upgraded beside an older version", harness, Seen { sent, drained, ..Seen::default() }).await;
}

/// Brings the tables to the newest version, as a person does before the new version is started.
async fn migrate(harness: &Harness, program: &Path) {
    let mut command = Command::new(program);
    let folder = tempfile::tempdir().unwrap();
    command.arg("migrate").env_clear().env("DATABASE_URL", harness.database.url());
    command.env("FORECOURT_CONFIG", harness.folder().join("forecourt.toml")).env("FORECOURT_DATA_DIR", folder.path());
    command.envs(crate::support::SECRETS);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}
