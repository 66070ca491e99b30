//! The service without its listener: the front, the tables behind it, and the configuration that both follow.

use std::collections::BTreeMap;
use std::error::Error;

use secrecy::ExposeSecret as _;

use crate::config::{Config, keyring};
use crate::domain::reconciliation::Applied;
use crate::domain::workspace::Permitted;
use crate::intake::{self, Intake, Settings, WorkspaceRouter, configuration, rereading};
use crate::metrics::Metrics;
use crate::store::{self, ErasureKey, Store, deliveries};

use super::access;
use super::app::App;

/// The file of the key by which erasures are known again.
const ERASURE_KEY: &str = "erasure.key";

/// The service without its listener.
#[derive(Clone, Debug)]
pub struct Service {
    /// Takes in what comes.
    pub app: App,
    /// Applies deliveries.
    pub intake: Intake,
}

impl Service {
    /// Puts the service together over a migrated database, and applies the configuration to its tables.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached, when credentials contradict each other, or when another process has
    /// the spool.
    pub async fn assemble(config: &Config, store: &Store) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let app = App::open(config)?;
        let intake = open_intake(config, store, &app.metrics).await?;
        app.acceptor.open(intake.clone());
        app.quarantine.open(store.clone());
        app.misdirected.open(store.clone());
        Ok(Self { app, intake })
    }

    /// Lets another configuration count from now on: who may enter, and then the workspaces.
    ///
    /// # Errors
    /// When credentials contradict each other, and then nothing has changed; or when Postgres refuses.
    pub async fn reload(&self, config: &Config) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.app.current_policy.replace(access::open(config)?);
        Ok(apply(config, &self.intake).await?)
    }
}

/// Reads stored values anew where that is to be done, applies the configuration to the tables, and opens the intake over them.
pub(super) async fn open_intake(config: &Config, store: &Store, metrics: &Metrics) -> Result<Intake, store::Error> {
    rereading::run(store).await?;
    deliveries::save_codes(store).await?;
    let applied = configuration::apply(store, &config.workspaces, intake::clock::now()).await?;
    metrics.set_workspaces(&config.workspaces, &applied.ids);
    Ok(intake_over(config, store, &applied, metrics.clone()))
}

/// Opens the intake over the tables as they are.
pub(super) fn intake_over(config: &Config, store: &Store, applied: &Applied, metrics: Metrics) -> Intake {
    set_erasure_key(config, store);
    let settings = Settings {
        hold: config.server.hold,
        writers: config.database.writers,
        reading_bytes: config.server.budgets.reading,
        clock: intake::clock::now,
        metrics,
    };
    let intake = Intake::new(store.clone(), workspace_router(config, applied), settings);
    intake.set_retention(config.retention);
    intake
}

/// Lets a store know by which key erasures are known again. Where there is none, nothing is applied of a workspace in which
/// somebody was erased.
pub(super) fn set_erasure_key(config: &Config, store: &Store) {
    match erasure_key(config) {
        Ok(Some(key)) => store.set_erasure_key(key),
        Ok(None) => {}
        Err(error) => {
            let folder = config.server.data_dir.display();
            tracing::warn!(%error, %folder, "the key of erasures cannot be kept: let forecourt write there, or name one in `[erasure]`");
        }
    }
}

/// The same for who makes no key: without one nothing was erased by this data directory yet.
pub(super) fn set_existing_erasure_key(config: &Config, store: &Store) {
    if config.erasure.key.is_some() || config.server.data_dir.join(ERASURE_KEY).exists() {
        set_erasure_key(config, store);
    }
}

/// The configured key of erasures, else the one that is kept in the data directory.
fn erasure_key(config: &Config) -> std::io::Result<Option<ErasureKey>> {
    let secret = match &config.erasure.key {
        Some(key) => key.clone(),
        None => keyring::load_or_create_secret(&config.server.data_dir, ERASURE_KEY)?,
    };
    Ok(ErasureKey::new(secret.expose_secret()))
}

/// Applies another configuration to the tables, and lets the intake know it. What arrives for a dealership that is new
/// before that is kept, and applied by itself afterwards.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn apply(config: &Config, intake: &Intake) -> Result<(), store::Error> {
    let applied = configuration::apply(intake.store(), &config.workspaces, intake.now()).await?;
    intake.metrics().set_workspaces(&config.workspaces, &applied.ids);
    intake.set_router(workspace_router(config, &applied));
    intake.set_retention(config.retention);
    Ok(())
}

/// What deliveries need to know of the configuration.
fn workspace_router(config: &Config, applied: &Applied) -> WorkspaceRouter {
    let permissions: BTreeMap<String, Permitted> =
        config.credentials.iter().map(|credential| (credential.name.clone(), credential.permitted.clone())).collect();
    WorkspaceRouter::new(config.workspaces.clone(), applied, permissions)
}
