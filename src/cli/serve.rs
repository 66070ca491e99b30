//! `forecourt serve`: receive deliveries until told to stop.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{self, Config, CredentialConfig, Environment, SchemeConfig, Server};
use crate::domain::values;
use crate::domain::workspace::Permitted;
use crate::feeds::Feed;
use crate::http::auth::{Credential, Credentials, Scheme};
use crate::http::webhook::{Doors, Limits};
use crate::http::{self, Router};
use crate::intake::reception::{Reception, Terms};
use crate::intake::spool::{self, Spool};
use crate::intake::{self, Directory, Intake, Settings, replay};
use crate::local_postgres::{Durability, LocalPostgres, Options};
use crate::store::{self, Store, deliveries, workspaces};

use super::ending::Ending;
use super::greeting::greeting;
use super::{readiness, stopping};

/// How many batches are written at a time.
const WRITERS: usize = 4;
/// The private Postgres's database.
const DATABASE: &str = "forecourt";
/// The spool's folder below the data directory.
const SPOOL: &str = "spool";
/// The pause before a Postgres that is away at the start is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the service: takes deliveries at once, and gets the tables ready behind that.
pub(super) async fn run(config: Config, environment: &Environment, out: &mut dyn Write) -> Ending {
    start_log(&config.log_filter, environment)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr()?;
    let reception = open_reception(&config)?;
    let router = router(&config, &reception)?;
    let (stop, mut stopped) = watch::channel(false);
    let serving = tokio::spawn(http::serve(listener, router, async move {
        // The sender is dropped at the end only, and then it is time to stop as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }));
    tracing::info!(%address, workspaces = config.workspaces.len(), credentials = config.credentials.len(), "listening");
    let mut postgres = None;
    let greet = |psql: &str| match greeting(&config, address, psql) {
        Some(greeting) => write!(out, "{greeting}").and_then(|()| out.flush()),
        None => Ok(()),
    };
    let ending = work(&config, environment, &reception, &mut postgres, greet).await;
    if ending.is_err() {
        // There will be no tables: what is under way goes to the spool.
        reception.expect_nothing();
    }
    stop.send_replace(true);
    stopping::finish(serving, &reception, config.server.stop).await;
    let stopped = match postgres {
        Some(postgres) => postgres.stop().await,
        None => Ok(()),
    };
    ending.and(stopped)
}

/// Gets the tables ready, and works until told to stop.
async fn work(
    config: &Config,
    environment: &Environment,
    reception: &Reception,
    postgres: &mut Option<Postgres>,
    greet: impl FnOnce(&str) -> std::io::Result<()>,
) -> Ending {
    let mut told = pin!(stopping::told_to_stop());
    let intake = tokio::select! {
        started = start(config, environment, reception, postgres) => started?,
        () = &mut told => return Ok(()),
    };
    tracing::info!("postgres is ready: deliveries are applied to its tables");
    if let Some(postgres) = postgres {
        greet(&postgres.psql)?;
    }
    let again = tokio::spawn(replay::run(intake));
    told.await;
    again.abort();
    Ok(())
}

/// Opens the intake over the tables. While Postgres is away it is asked again and again; anything else ends the start.
async fn start(
    config: &Config,
    environment: &Environment,
    reception: &Reception,
    postgres: &mut Option<Postgres>,
) -> Result<Intake, Box<dyn std::error::Error + Send + Sync>> {
    let opened = open_postgres(config, environment).await?;
    let options = opened.options.clone();
    *postgres = Some(opened);
    loop {
        match bring_up(config, options.clone()).await {
            Ok(intake) => {
                reception.open(intake.clone());
                return Ok(intake);
            }
            Err(error) if error.is_transient() => {
                reception.expect_nothing();
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(error, "postgres is away: trying again, and taking deliveries meanwhile");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Connects, brings the tables to this version, and applies the configuration to them.
async fn bring_up(config: &Config, options: store::Address) -> Result<Intake, store::Error> {
    let pool = store::connect(options, config.database.max_connections).await?;
    store::migrate(&pool).await?;
    open_intake(config, &Store::new(pool, i64::from(config.server.booking_retry_days))).await
}

/// Starts the log on standard error, and keeps panics from printing what they were about.
fn start_log(filter: &str, environment: &Environment) -> Ending {
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
struct Postgres {
    options: store::Address,
    psql: String,
    private: Option<LocalPostgres>,
}

impl Postgres {
    async fn stop(self) -> Ending {
        if let Some(private) = self.private {
            private.stop().await?;
        }
        Ok(())
    }
}

async fn open_postgres(
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
#[derive(Debug)]
pub struct Service {
    /// Applies deliveries.
    pub intake: Intake,
    /// Takes deliveries in.
    pub reception: Reception,
    /// Its routes.
    pub router: Router,
}

/// Puts the service together over a migrated database, and applies the configuration to its tables.
///
/// # Errors
/// When Postgres refuses or cannot be reached, when credentials contradict each other, or when another process has the
/// spool.
pub async fn assemble(config: &Config, store: &Store) -> Result<Service, Box<dyn std::error::Error + Send + Sync>> {
    let reception = open_reception(config)?;
    let router = router(config, &reception)?;
    let intake = open_intake(config, store).await?;
    reception.open(intake.clone());
    Ok(Service { intake, reception, router })
}

/// Opens what takes deliveries in, which needs no Postgres. Must be called inside a runtime.
///
/// # Errors
/// When another process has the spool.
pub fn open_reception(config: &Config) -> Result<Reception, spool::OpenError> {
    values::warm_up();
    let config::Spool { max_bytes, min_free_bytes } = config.spool;
    let spool = if max_bytes == 0 {
        None
    } else {
        Some(Spool::open(&config.server.data_dir.join(SPOOL), spool::Limits { max_bytes, min_free_bytes })?)
    };
    let Server { deadline, hold, max_held_bytes, .. } = config.server;
    Ok(Reception::new(spool, Terms { deadline, hold, max_held_bytes }))
}

/// Applies the configuration to the tables, and opens the intake over them.
async fn open_intake(config: &Config, store: &Store) -> Result<Intake, store::Error> {
    deliveries::save_codes(store).await?;
    let ids = workspaces::apply(store, &config.workspaces, intake::clock::now()).await?;
    let permissions: BTreeMap<String, Permitted> =
        config.credentials.iter().map(|credential| (credential.name.clone(), credential.permitted.clone())).collect();
    let directory = Directory::new(config.workspaces.clone(), &ids, permissions);
    let settings =
        Settings { hold: config.server.hold, writers: WRITERS, clock: intake::clock::now, before_rules: None };
    Ok(Intake::new(store.clone(), directory, settings))
}

/// The service's routes.
///
/// # Errors
/// When credentials contradict each other.
pub fn router(config: &Config, reception: &Reception) -> Result<Router, Box<dyn std::error::Error + Send + Sync>> {
    let credentials = config.credentials.iter().map(credential).collect();
    let credentials = Credentials::new(credentials, &config.server.api_key_headers)?;
    let limits = |limits: Limits, feed: &Feed| limits.with(*feed, config.server.body_limit(*feed));
    let accepting = reception.clone();
    let doors = Doors {
        credentials,
        limits: Feed::ALL.iter().fold(Limits::default(), limits),
        clock: intake::clock::now,
        accept: Arc::new(move |arrival| {
            let reception = accepting.clone();
            Box::pin(async move { reception.accept(arrival).await })
        }),
    };
    Ok(http::router(doors, readiness::checks(reception)))
}

fn credential(config: &CredentialConfig) -> Credential {
    let CredentialConfig { name, scheme, feeds, permitted } = config.clone();
    let scheme = match scheme {
        SchemeConfig::Bearer(secret) => Scheme::Bearer(secret),
        SchemeConfig::ApiKey(secret) => Scheme::ApiKey(secret),
        SchemeConfig::Basic { user, password } => Scheme::Basic { user, password },
        SchemeConfig::Open => Scheme::Open,
    };
    Credential { name, scheme, feeds: feeds.into_iter().collect(), permitted }
}
