//! A new configuration without a restart: on SIGHUP, and when its files change where that is asked for.
//!
//! The files are read whole and checked as at a start. If anything is wrong with them, the running configuration stays
//! as it is and the log says why.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::config::{self, Config, Environment};

use super::serve::{Service, warn};
use super::with_causes;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Reloads whenever it is told to, for as long as the service runs. `started` is the configuration of the start.
pub(super) async fn run(service: Service, started: Config, asked_for: Option<PathBuf>, environment: Environment) {
    let hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be heard: a new configuration needs a restart");
            return;
        }
    };
    let mut occasions = Occasions { hangup, seen: fingerprint(&started.files) };
    let mut running = started.clone();
    // Of two configurations in a row only the newer one's workspaces need to be written.
    let mut applying: JoinSet<()> = JoinSet::new();
    loop {
        occasions.next(&running).await;
        let Some(read) = read(asked_for.as_deref(), &environment) else { continue };
        if let Err(error) = service.admit(&read) {
            tracing::error!(error = with_causes(error.as_ref()), "the configuration was not reloaded");
            continue;
        }
        applying.abort_all();
        applying.spawn(apply(service.clone(), read.clone()));
        tell(&started, &read);
        running = read;
    }
}

/// When to reload.
struct Occasions {
    hangup: Signal,
    /// What stood in the files when they were last looked at.
    seen: Vec<u8>,
}

impl Occasions {
    /// Waits for SIGHUP or, where that is asked for, for files that hold something else than before.
    async fn next(&mut self, config: &Config) {
        loop {
            if !config.server.reload_on_change {
                self.hangup.recv().await;
                return;
            }
            tokio::select! {
                _ = self.hangup.recv() => return,
                () = tokio::time::sleep(LOOK) => {}
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

/// Reads the configuration; says what is wrong with one that stays out.
fn read(asked_for: Option<&Path>, environment: &Environment) -> Option<Config> {
    match config::load(asked_for, environment) {
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

/// Writes the workspaces to the tables; waits while Postgres is away.
async fn apply(service: Service, config: Config) {
    match service.apply(&config).await {
        Ok(()) => tracing::info!("the workspaces of the configuration are applied"),
        Err(error) => tracing::error!(error = error.without_values(), "the workspaces could not be applied"),
    }
}

fn tell(started: &Config, read: &Config) {
    warn(read);
    for part in unchangeable(started, read) {
        tracing::warn!("`{part}` has changed: that counts after a restart");
    }
    tracing::info!(workspaces = read.workspaces.len(), credentials = read.credentials.len(), "configuration reloaded");
}

/// What has changed and is only read at a start.
fn unchangeable(started: &Config, read: &Config) -> Vec<&'static str> {
    let (old, new) = (&started.server, &read.server);
    let parts = [
        ("server.listen", old.listen != new.listen),
        ("server.data_dir", old.data_dir != new.data_dir),
        ("server.hold_seconds", old.hold != new.hold),
        ("server.booking_retry_days", old.booking_retry_days != new.booking_retry_days),
        ("rejected", started.rejected != read.rejected),
        ("database", !started.database.is_same(&read.database)),
    ];
    parts.into_iter().filter_map(|(part, changed)| changed.then_some(part)).collect()
}
