//! `forecourt serve`: receive deliveries until told to stop.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, Environment, keyring};
use crate::domain::values;
use crate::domain::workspace::{Permitted, Slug};
use crate::domain::world::RowId;
use crate::http::access::Entrance;
use crate::http::health::Check;
use crate::http::webhook::Doors;
use crate::http::{self, Router};
use crate::intake::rejected::{self, Rejections};
use crate::intake::{self, Directory, Intake, Settings, replay};
use crate::local_postgres::{Durability, LocalPostgres, Options};
use crate::store::rejected::Bounds;
use crate::store::{self, Store, deliveries, workspaces};

use super::access;
use super::check;
use super::ending::Ending;
use super::greeting::greeting;
use super::reload;

/// How many batches are written at a time.
const WRITERS: usize = 4;
/// The private Postgres's database.
pub(super) const DATABASE: &str = "forecourt";
/// The file of the key that makes fingerprints of what refused requests presented.
const FINGERPRINT_KEY: &str = "fingerprint.key";

/// Runs the service.
pub(super) async fn run(
    config: Config,
    asked_for: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> Ending {
    start_log(&config.log_filter, environment)?;
    warn(&config);
    let listener = listen(config.server.listen).await?;
    let postgres = open_postgres(&config, environment).await?;
    let pool = store::connect(postgres.options.clone(), config.database.max_connections).await?;
    store::migrate(&pool).await?;
    let store = Store::new(pool, i64::from(config.server.booking_retry_days));
    let service = assemble(&config, &store).await?;
    let Service { intake, entrance: _, rejections, router } = service.clone();

    let address = listener.local_addr()?;
    if let Some(greeting) = greeting(&config, address, &postgres.psql) {
        write!(out, "{greeting}")?;
        out.flush()?;
    }
    tracing::info!(%address, workspaces = config.workspaces.len(), credentials = config.credentials.len(), "listening");
    let again = tokio::spawn(replay::run(intake.clone()));
    let reloading = tokio::spawn(reload::run(service, config, asked_for.map(Path::to_path_buf), environment.clone()));
    http::serve(listener, router, told_to_stop()).await?;
    reloading.abort();
    again.abort();
    intake.finish().await;
    rejections.finish().await;
    store.close().await;
    postgres.stop().await
}

/// Logs what a person should look at.
pub(super) fn warn(config: &Config) {
    for warning in config.warnings.iter().cloned().chain(check::expiring(config, intake::clock::now())) {
        tracing::warn!("{warning}");
    }
}

/// Starts the log on standard error, and keeps panics from printing what they were about.
pub(super) fn start_log(filter: &str, environment: &Environment) -> Ending {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)?;
    // Colours are for eyes: a file or a journal gets none, and nor does who asks for none.
    let colours = std::io::stderr().is_terminal() && environment.setting("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic: this is a fault of forecourt");
    }));
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "cannot listen on {address} ({error}): stop what listens there, or set FORECOURT_LISTEN to another address"
        )
    })
}

/// The Postgres in use, a private one where none is configured.
pub(super) struct Postgres {
    pub(super) options: store::Address,
    psql: String,
    private: Option<LocalPostgres>,
}

impl Postgres {
    /// One that somebody else runs.
    pub(super) fn of_another(options: store::Address) -> Self {
        Self { options, psql: String::new(), private: None }
    }

    pub(super) async fn stop(self) -> Ending {
        if let Some(private) = self.private {
            private.stop().await?;
        }
        Ok(())
    }
}

/// The Postgres that is configured, or a private one, started.
pub(super) async fn open_postgres(
    config: &Config,
    environment: &Environment,
) -> Result<Postgres, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(url) = &config.database.url {
        let options = url.expose_secret().parse::<store::Address>().map_err(|_cause| {
            "the address of the database cannot be read: write it as postgres://user:password@host:5432/database"
        })?;
        return Ok(Postgres { options, psql: "psql \"$DATABASE_URL\"".to_owned(), private: None });
    }
    let mut options = Options::new(&config.server.data_dir, Durability::Durable, environment.raw("PATH"));
    options.explicit_bin_dir.clone_from(&config.database.bin_dir);
    announce(&config.server.data_dir);
    let private = LocalPostgres::start(options).await?;
    private.ensure_database(DATABASE).await?;
    Ok(Postgres {
        options: private.connect_options(DATABASE),
        psql: private.psql_command(DATABASE),
        private: Some(private),
    })
}

fn announce(data_dir: &Path) {
    tracing::info!(data_dir = %data_dir.display(), "no DATABASE_URL is set: starting a private Postgres");
}

/// The service without its listener: what takes deliveries in, and the routes that lead there.
#[derive(Clone, Debug)]
pub struct Service {
    /// Takes deliveries in.
    pub intake: Intake,
    /// Who may enter; a reload replaces it.
    pub entrance: Entrance,
    /// Takes refused requests.
    pub rejections: Rejections,
    /// Its routes.
    pub router: Router,
}

impl Service {
    /// Lets another configuration count from now on: [`Service::admit`], then [`Service::apply`].
    ///
    /// # Errors
    /// When credentials contradict each other, and then nothing has changed; or when Postgres refuses.
    pub async fn reload(&self, config: &Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.admit(config)?;
        Ok(self.apply(config).await?)
    }

    /// Lets in who the configuration says, and nobody else, from the next request on. Needs no database.
    ///
    /// # Errors
    /// When credentials contradict each other, and then nothing has changed.
    pub(super) fn admit(&self, config: &Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.entrance.replace(access::open(config)?);
        Ok(())
    }

    /// Applies the workspaces; waits while Postgres is away. What arrives meanwhile for a dealership that is new is kept,
    /// and applied by itself afterwards.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub(super) async fn apply(&self, config: &Config) -> Result<(), store::Error> {
        let mut pause = Duration::from_millis(100);
        let ids = loop {
            match workspaces::apply(self.intake.store(), &config.workspaces, intake::clock::now()).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = error.without_values(), "the workspaces wait for postgres");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                other => break other?,
            }
        };
        self.intake.know(directory(config, &ids));
        Ok(())
    }
}

/// Puts the service together over a migrated database, and applies the configuration to its tables.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or when credentials contradict each other.
pub async fn assemble(config: &Config, store: &Store) -> Result<Service, Box<dyn std::error::Error + Send + Sync>> {
    values::warm_up();
    deliveries::save_codes(store).await?;
    let intake = open_intake(config, store).await?;
    let entrance = Entrance::new(access::open(config)?);
    let rejections = Rejections::new(store.clone(), rejections(config)?);
    let router = router(entrance.clone(), &intake, &rejections);
    Ok(Service { intake, entrance, rejections, router })
}

/// What is kept of refused requests. Where the data directory cannot be written to, fingerprints can be compared only
/// within this run.
fn rejections(config: &Config) -> io::Result<rejected::Settings> {
    let config::Rejected { keep, max_count, max_bytes, per_minute_and_address, days } = config.rejected;
    let fingerprint_key = match keyring::kept_secret(&config.server.data_dir, FINGERPRINT_KEY) {
        Ok(key) => key,
        Err(error) => {
            let folder = config.server.data_dir.display();
            tracing::warn!(%error, %folder, "the key of fingerprints cannot be kept: a new one is used until the next start");
            keyring::new_secret()?
        }
    };
    let bounds = Bounds {
        max_count: i64::from(max_count),
        max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
        days: i64::from(days),
    };
    Ok(rejected::Settings { keep, bounds, per_minute_and_address, fingerprint_key, clock: intake::clock::now })
}

/// Applies the configuration to the tables, and opens the intake over them.
pub(super) async fn open_intake(config: &Config, store: &Store) -> Result<Intake, store::Error> {
    let ids = workspaces::apply(store, &config.workspaces, intake::clock::now()).await?;
    Ok(intake_over(config, store, &ids))
}

/// Opens the intake over the tables as they are.
pub(super) fn intake_over(config: &Config, store: &Store, ids: &BTreeMap<Slug, RowId>) -> Intake {
    let settings = Settings { hold: config.server.hold, writers: WRITERS, clock: intake::clock::now };
    Intake::new(store.clone(), directory(config, ids), settings)
}

/// What deliveries need to know of the configuration.
fn directory(config: &Config, ids: &BTreeMap<Slug, RowId>) -> Directory {
    let permissions: BTreeMap<String, Permitted> =
        config.credentials.iter().map(|credential| (credential.name.clone(), credential.permitted.clone())).collect();
    Directory::new(config.workspaces.clone(), ids, permissions)
}

/// The service's routes.
fn router(entrance: Entrance, intake: &Intake, rejections: &Rejections) -> Router {
    let accepting = intake.clone();
    let doors = Doors {
        entrance,
        clock: intake::clock::now,
        accept: Arc::new(move |arrival| {
            let intake = accepting.clone();
            Box::pin(async move { intake.accept(arrival).await })
        }),
        rejections: rejections.clone(),
    };
    let store = intake.store().clone();
    let postgres = Check {
        part: "postgres",
        probe: Arc::new(move || {
            let store = store.clone();
            Box::pin(async move { Ok(store.probe().await?) })
        }),
    };
    http::router(doors, vec![postgres])
}

/// Ready when the process is told to stop: by Ctrl-C, or by whoever runs it.
async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_cause) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
    tracing::info!("stopping: requests under way are answered first");
    // A second signal, or half a minute, ends what does not end by itself.
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        tracing::warn!("stopping with requests under way");
        std::process::exit(1);
    });
}
