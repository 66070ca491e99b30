//! `forecourt serve`: receive deliveries until told to stop.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, Environment};
use crate::http;
use crate::intake::{Intake, replay};
use crate::store::{self, Store, statistics};

use super::ending::Ending;
use super::greeting::greeting;
use super::log::{start_log, warn};
use super::postgres::Postgres;
use super::reload::{self, Reloader};
use super::service::open_intake;
use super::{files, stopping};

pub use super::front::Front;
pub use super::service::Service;

/// The pause before a Postgres that is away at the start is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the service: takes deliveries at once, and gets the tables ready behind that.
pub(super) async fn run(
    config: Config,
    asked_for: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> Ending {
    start_log(&config.log_filter, environment)?;
    warn(&config);
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr()?;
    let front = Front::open(&config)?;
    let bounds = http::Bounds::of(files::room_for(config.server.max_connections));
    let (stop, mut stopped) = watch::channel(false);
    let serving = tokio::spawn(http::serve(listener, front.router.clone(), bounds, async move {
        // The sender is dropped at the end only, and then it is time to stop as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }));
    tracing::info!(%address, workspaces = config.workspaces.len(), credentials = config.credentials.len(), "listening");
    let greet = |psql: &str| match greeting(&config, address, psql) {
        Some(greeting) => write!(out, "{greeting}").and_then(|()| out.flush()),
        None => Ok(()),
    };
    let mut work = Work { front: &front, environment, postgres: None };
    let ending = work.until_told(&config, asked_for, greet).await;
    if ending.is_err() {
        // There will be no tables: what is under way goes to the spool.
        front.reception.expect_nothing();
    }
    stop.send_replace(true);
    let postgres = work.postgres.take();
    stopping::finish(serving, &front, config.server.stop).await;
    let stopped = match postgres {
        Some(postgres) => postgres.stop().await,
        None => Ok(()),
    };
    ending.and(stopped)
}

/// What goes on behind the doors.
struct Work<'w> {
    front: &'w Front,
    environment: &'w Environment,
    postgres: Option<Postgres>,
}

impl Work<'_> {
    /// Gets the tables ready, and works until told to stop. The configuration is reloaded all the while.
    async fn until_told(
        &mut self,
        config: &Config,
        asked_for: Option<&Path>,
        greet: impl FnOnce(&str) -> io::Result<()>,
    ) -> Ending {
        let mut told = pin!(stopping::told_to_stop());
        let (reloader, mut configs) =
            Reloader::new(self.front.entrance.clone(), config.clone(), asked_for, self.environment);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(reloader.run());
        let intake = tokio::select! {
            started = self.start(&mut configs) => started?,
            () = &mut told => return Ok(()),
        };
        tracing::info!("postgres is ready: deliveries are applied to its tables");
        if let Some(postgres) = &self.postgres {
            greet(&postgres.psql)?;
        }
        tasks.spawn(reload::apply_all(intake.clone(), configs));
        tasks.spawn(statistics::watch(intake.store().clone()));
        tasks.spawn(replay::run(intake));
        told.await;
        tasks.shutdown().await;
        Ok(())
    }

    /// Opens the intake over the tables. While Postgres is away it is asked again and again; anything else ends the start.
    async fn start(&mut self, configs: &mut watch::Receiver<Config>) -> Result<Intake, Box<dyn Error + Send + Sync>> {
        let config = configs.borrow().clone();
        let postgres = Postgres::open(&config, self.environment).await?;
        let options = postgres.options.clone();
        self.postgres = Some(postgres);
        loop {
            let config = configs.borrow_and_update().clone();
            match bring_up(&config, options.clone()).await {
                Ok(intake) => {
                    self.front.reception.open(intake.clone());
                    self.front.rejections.open(intake.store().clone());
                    return Ok(intake);
                }
                Err(error) if error.is_transient() => {
                    self.front.reception.expect_nothing();
                    let error: &(dyn Error + 'static) = &error;
                    tracing::warn!(error, "postgres is away: trying again, and taking deliveries meanwhile");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Connects, brings the tables to this version, and applies the configuration to them.
async fn bring_up(config: &Config, options: store::Address) -> Result<Intake, store::Error> {
    let pool = store::connect(options, config.database.max_connections).await?;
    store::migrate(&pool).await?;
    open_intake(config, &Store::new(pool, i64::from(config.server.booking_retry_days))).await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "cannot listen on {address} ({error}): stop what listens there, or set FORECOURT_LISTEN to another address"
        )
    })
}
