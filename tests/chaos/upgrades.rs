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

/// Versions that know no `allow_unsafe` put up with a throwaway server, and not with the word as a key.
const WITHOUT_A_KEY: &str = "\n# without allow_unsafe\n";

/// Whether a version knows `allow_unsafe`.
fn knows_the_key(program: &Path) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("forecourt.toml");
    std::fs::write(&config, "[database]\nallow_unsafe = true\n").unwrap();
    let mut command = Command::new(program);
    command.arg("check").env_clear().env("FORECOURT_CONFIG", config).env("FORECOURT_DATA_DIR", folder.path());
    let output = command.output().unwrap();
    !String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("allow_unsafe")
}

/// The older version takes deliveries before, during and after the tables are brought to the newest one.
pub(crate) async fn beside_an_older_version() {
    let mut harness = Harness::bare(ORDINARY).await;
    let older = older().unwrap();
    if !knows_the_key(&older) {
        harness.configure(WITHOUT_A_KEY);
    }
    harness.use_program(Some(older));
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
    harness.configure_without(WITHOUT_A_KEY);
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
