//! A new configuration without a restart: on SIGHUP, and when its files change where that is asked for.
//!
//! The files are read whole and checked as at a start. If anything is wrong with them, the running configuration stays
//! as it is and the log says why. Who may enter counts at once, which needs no database; the workspaces are written to
//! the tables as soon as Postgres takes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::config::{self, Alerts, Config, Environment, Origin};
use crate::http::access::CurrentPolicy;
use crate::intake::Intake;
use crate::store::actions::{self, Action, Counts};

use super::command_result::with_causes;
use super::log::warn;
use super::supervisor::Supervisor;
use super::{access, service};

/// How often the files are looked at.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The pause before a Postgres that is away is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Reloads the configuration whenever it is told to.
pub(super) struct Reloader {
    current_policy: CurrentPolicy,
    started: Config,
    config_path: Option<PathBuf>,
    environment: Environment,
    configs: watch::Sender<Config>,
}

impl Reloader {
    /// One for the configuration of the start, and where those that follow are to be seen.
    pub(super) fn new(
        current_policy: CurrentPolicy,
        started: Config,
        config_path: Option<&Path>,
        environment: &Environment,
    ) -> (Self, watch::Receiver<Config>) {
        let (configs, follow) = watch::channel(started.clone());
        // A file that was read and is gone is a mistake, and not a wish for the demo configuration.
        let read = match &started.origin {
            Origin::File(path) => Some(path.clone()),
            Origin::Demo => None,
        };
        let (config_path, environment) = (config_path.map(Path::to_path_buf).or(read), environment.clone());
        (Self { current_policy, started, config_path, environment, configs }, follow)
    }

    /// Works for as long as the service runs.
    pub(super) async fn run(self, hangup: Signal, supervisor: Supervisor) {
        let mut triggers = ReloadTriggers { hangup, seen: fingerprint(&self.started.files) };
        loop {
            let running = self.configs.borrow().clone();
            triggers.next(&running).await;
            supervisor.reloading();
            let admitted = self.read().is_some_and(|read| self.admit(read));
            supervisor.reloaded(if admitted {
                "the configuration was reloaded"
            } else {
                "the configuration was not reloaded: the log says why"
            });
        }
    }

    /// Reads the configuration; says what is wrong with one that stays out.
    fn read(&self) -> Option<Config> {
        match config::load(self.config_path.as_deref(), &self.environment) {
            Ok(read) => Some(read),
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!("{problem}");
                }
                tracing::error!("the configuration was not reloaded: the running one stays");
                None
            }
        }
    }

    /// Lets in who the configuration says, and nobody else, from the next request on; whether that could be.
    fn admit(&self, read: Config) -> bool {
        // The data directory, and with it the key of access tokens, is that of the start.
        let mut effective = read.clone();
        effective.server.data_dir.clone_from(&self.started.server.data_dir);
        match access::open(&effective) {
            Ok(policy) => self.current_policy.replace(policy),
            Err(error) => {
                tracing::error!(error = with_causes(error.as_ref()), "the configuration was not reloaded");
                return false;
            }
        }
        warn(&read);
        for part in unchangeable(&self.started, &read) {
            tracing::warn!("`{part}` has changed: that counts after a restart");
        }
        let (workspaces, credentials) = (read.workspaces.len(), read.credentials.len());
        tracing::info!(workspaces, credentials, "configuration reloaded");
        self.configs.send_replace(read);
        true
    }
}

/// Writes the workspaces of every configuration that comes to the tables; while Postgres is away, those of the newest
/// wait. Each leaves a row that says so, as of the user that the service runs as: who sent a signal is not known.
pub(super) async fn apply_all(intake: Intake, mut configs: watch::Receiver<Config>, acted_by: String) {
    while configs.changed().await.is_ok() {
        loop {
            let config = configs.borrow_and_update().clone();
            let applied = service::apply(&config, &intake).await;
            let is_applied = applied.is_ok();
            match applied {
                Ok(()) => tracing::info!("the workspaces of the configuration are applied"),
                Err(error) if error.is_transient() => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    continue;
                }
                Err(error) => tracing::error!(error = error.without_values(), "the workspaces could not be applied"),
            }
            record(&intake, &config, is_applied, &acted_by).await;
            break;
        }
    }
}

/// Leaves a row of a reload.
async fn record(intake: &Intake, config: &Config, is_applied: bool, acted_by: &str) {
    let counts = Counts::from_iter([
        ("workspaces".to_owned(), json!(config.workspaces.len())),
        ("credentials".to_owned(), json!(config.credentials.len())),
        ("workspaces_applied".to_owned(), json!(is_applied)),
    ]);
    if let Err(error) = actions::record_alone(intake.store(), Action::Reload, acted_by, counts).await {
        tracing::warn!(error = error.without_values(), "the reload could not be noted in intake.actions");
    }
}

/// When to reload.
struct ReloadTriggers {
    hangup: Signal,
    /// What stood in the files when they were last looked at.
    seen: Vec<u8>,
}

impl ReloadTriggers {
    /// Waits for SIGHUP or, where that is asked for, for files that hold something else than before.
    async fn next(&mut self, config: &Config) {
        loop {
            if !config.server.reload_on_change {
                self.hangup.recv().await;
                return;
            }
            tokio::select! {
                _ = self.hangup.recv() => return,
                () = tokio::time::sleep(FILE_CHECK_INTERVAL) => {}
            }
            let now = fingerprint(&config.files);
            if std::mem::replace(&mut self.seen, now) != self.seen {
                return;
            }
        }
    }
}

/// The files' contents as a digest; one that cannot be read counts as empty.
fn fingerprint(files: &[PathBuf]) -> Vec<u8> {
    let digests = files.iter().map(|file| Sha256::digest(std::fs::read(file).unwrap_or_default()));
    digests.flat_map(|digest| digest.to_vec()).collect()
}

/// What has changed and is only read at a start.
fn unchangeable(started: &Config, read: &Config) -> Vec<&'static str> {
    let (old, new) = (&started.server, &read.server);
    let parts = [
        ("server.listen", old.listen != new.listen),
        ("server.data_dir", old.data_dir != new.data_dir),
        ("server.deadline_ms", old.deadline != new.deadline),
        ("server.hold_seconds", old.hold != new.hold),
        ("server.max_memory_bytes", old.budgets.memory != new.budgets.memory),
        ("server.max_held_bytes", old.budgets.held != new.budgets.held),
        ("server.stop_seconds", old.stop != new.stop),
        ("server.max_connections", old.max_connections != new.max_connections),
        ("server.keep_alive_seconds", old.keep_alive != new.keep_alive),
        ("server.trusted_proxies", old.proxies != new.proxies),
        ("server.booking_retry_days", old.booking_retry_days != new.booking_retry_days),
        ("admin", started.admin != read.admin),
        ("spool", started.spool != read.spool),
        ("rejected", started.rejected != read.rejected),
        ("database", !started.database.is_same(&read.database)),
        ("alerts", !is_same(started.alerts.as_ref(), read.alerts.as_ref())),
    ];
    parts.into_iter().filter_map(|(part, changed)| changed.then_some(part)).collect()
}

fn is_same(old: Option<&Alerts>, new: Option<&Alerts>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.is_same(new),
        (old, new) => old.is_none() && new.is_none(),
    }
}
