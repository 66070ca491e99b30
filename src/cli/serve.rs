//! `forecourt serve`: receive deliveries until told to stop.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::config::{Config, Environment, Server};
use crate::http::{self, Listener};
use crate::intake::complaints::Complaints;
use crate::intake::{Intake, due, erasure, expiry, partitions, retention};
use crate::local_postgres;
use crate::metrics::Metrics;
use crate::store::{self, Demands, Store, statistics};

use super::acted_by::acted_by;
use super::admin;
use super::banner::banner;
use super::command_result::{CommandResult, with_causes};
use super::log::{start_log, warn};
use super::postgres::{PRIVATE, Postgres};
use super::progress::Progress;
use super::reload::{self, Reloader};
use super::seen::SeenTables;
use super::service::open_intake;
use super::shutdown::{self, Signals};
use super::supervisor::Supervisor;
use super::{fd_limit, silence, tables};

pub use super::app::App;
pub use super::service::Service;

/// The pause before a Postgres that is away at the start is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// What the process was started with and hears.
#[derive(Debug)]
pub(super) struct Field {
    /// The sockets that whoever started it holds; else it opens one of its own.
    pub(super) held: Vec<std::net::TcpListener>,
    /// The signals.
    pub(super) signals: Signals,
}

/// Runs the service: takes deliveries at once, and gets the tables ready behind that.
pub(super) async fn run(
    config: Config,
    config_path: Option<&Path>,
    environment: &Environment,
    given: Field,
    out: &mut dyn Write,
) -> CommandResult {
    start_log(&config.log.filter, config.log.format, environment)?;
    let Field { held, signals } = given;
    let is_held = !held.is_empty();
    // Before all that takes its time: who comes meanwhile waits, and is not refused.
    let (listener, address) = if is_held { hold(held)? } else { listen(&config.server).await? };
    let admin = admin::listen(&config).await?;
    warn(&config);
    // Before the front makes what a data directory has that was used.
    let seen = SeenTables::read(&config.server.data_dir);
    let app = App::open(&config)?;
    let bounds = http::Bounds {
        keep_alive: config.server.keep_alive,
        ..http::Bounds::of(fd_limit::room_for(config.server.max_connections))
    };
    let (stop, mut stopped) = watch::channel(false);
    let serving = tokio::spawn(http::serve(listener, app.router.clone(), bounds, async move {
        // The sender is dropped at the end only, and then it is time to stop as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }));
    let admin_address = admin.as_ref().map(admin::Opened::address);
    let serving_admin = admin.map(|admin| admin.serve(&app, &config, stop.subscribe()));
    let (workspaces, credentials) = (config.workspaces.len(), config.credentials.len());
    tracing::info!(%address, workspaces, credentials, is_held = is_held.then_some(true), "listening");
    let supervisor = Supervisor::default();
    tokio::spawn(supervisor.clone().pulse(answers_itself(&app, serving.abort_handle())));
    let print_banner = |psql: &str| match banner(&config, address, admin_address, psql) {
        Some(banner) => write!(out, "{banner}").and_then(|()| out.flush()),
        None => Ok(()),
    };
    let mut work = Work { app: &app, environment, seen, supervisor, postgres: None };
    let result = work.until_told(&config, config_path, signals, print_banner).await;
    if result.is_err() || app.acceptor.intake().is_none() {
        // There will be no tables: what is under way goes to the spool.
        app.acceptor.set_down();
    }
    stop.send_replace(true);
    let postgres = work.postgres.take();
    shutdown::finish(serving, &app, config.server.stop).await;
    drop(serving_admin);
    let stopped = match postgres {
        Some(postgres) => postgres.stop().await,
        None => Ok(()),
    };
    result.and(stopped)
}

/// What goes on behind the doors.
struct Work<'w> {
    app: &'w App,
    environment: &'w Environment,
    seen: SeenTables,
    supervisor: Supervisor,
    postgres: Option<Postgres>,
}

impl Work<'_> {
    /// Gets the tables ready, and works until told to stop. The configuration is reloaded all the while.
    async fn until_told(
        &mut self,
        config: &Config,
        config_path: Option<&Path>,
        mut signals: Signals,
        print_banner: impl FnOnce(&str) -> io::Result<()>,
    ) -> CommandResult {
        let hangup = signals.hangup.take();
        let mut told = pin!(signals.told_to_stop());
        let (reloader, mut configs) =
            Reloader::new(self.app.current_policy.clone(), config.clone(), config_path, self.environment);
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(hangup) = hangup {
            tasks.spawn(reloader.run(hangup, self.supervisor.clone()));
        }
        let intake = tokio::select! {
            started = self.start(&mut configs) => started?,
            () = &mut told => return Ok(()),
        };
        tracing::info!("postgres is ready: deliveries are applied to its tables");
        self.supervisor.ready("deliveries are applied to the tables");
        if let Some(postgres) = &self.postgres {
            print_banner(&postgres.psql)?;
        }
        let silence = silence::watch(&configs.borrow(), self.app, intake.clone());
        tasks.spawn(reload::apply_all(intake.clone(), configs, acted_by(self.environment)));
        tasks.spawn(statistics::watch(intake.store().clone()));
        tasks.spawn(partitions::run(intake.clone()));
        tasks.spawn(retention::run(intake.clone(), acted_by(self.environment)));
        tasks.spawn(erasure::orders::run(intake.clone(), config.server.data_dir.clone()));
        tasks.spawn(expiry::run(intake.clone(), self.app.acceptor.spool().cloned()));
        tasks.spawn(silence.clone().run());
        tasks.spawn(due::run(intake));
        told.await;
        tasks.shutdown().await;
        silence.finish().await;
        Ok(())
    }

    /// Opens the intake over the tables. While Postgres is away it is asked again and again, whatever it refuses for once
    /// this data directory has seen its tables; before that, what a person has to mend ends the start.
    async fn start(&mut self, configs: &mut watch::Receiver<Config>) -> Result<Intake, Box<dyn Error + Send + Sync>> {
        let complaints = Complaints::default();
        loop {
            let config = configs.borrow_and_update().clone();
            let hindrance = match self.attempt(&config).await {
                Ok(intake) => {
                    self.app.acceptor.open(intake.clone());
                    self.app.quarantine.open(intake.store().clone());
                    self.app.misdirected.open(intake.store().clone());
                    return Ok(intake);
                }
                Err(Hindrance::Final(error)) => return Err(error),
                Err(Hindrance::Passing(hindrance)) => hindrance,
            };
            self.app.acceptor.set_down();
            self.supervisor.ready("postgres is away: deliveries are spooled until it is back");
            if let Some(left_out) = complaints.take(&hindrance) {
                tracing::warn!(
                    error = hindrance,
                    left_out,
                    "postgres is away: trying again, and taking deliveries meanwhile"
                );
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// One attempt to get the tables ready.
    async fn attempt(&mut self, config: &Config) -> Result<Intake, Hindrance> {
        let postgres = match self.postgres.take() {
            Some(private) if private.is_private() => private,
            // As the configuration is by now: an address may come from a file that has been mended meanwhile.
            Some(_) | None => match Postgres::open(config, self.environment).await {
                Ok(postgres) => postgres,
                Err(error) => return Err(Hindrance::of_private(error, self.seen.knows(PRIVATE))),
            },
        };
        let postgres = self.postgres.insert(postgres);
        let place = postgres.place();
        let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: self.seen.puts_up(&place) };
        let acted_by = acted_by(self.environment);
        match bring_up(config, postgres.options.clone(), demands, &self.app.metrics, &acted_by).await {
            Ok(intake) => {
                for flaw in intake.store().flaws() {
                    tracing::error!(%flaw, "the server breaks a law, and is used because it was before");
                }
                self.seen.note(place);
                Ok(intake)
            }
            Err(error) if error.may_pass() || self.seen.knows(&place) => {
                Err(Hindrance::Passing(error.without_values()))
            }
            Err(error) => Err(Hindrance::Final(error.into())),
        }
    }
}

/// Why there are no tables.
enum Hindrance {
    /// It is waited out, with what the log says of it.
    Passing(String),
    /// It ends the start.
    Final(Box<dyn Error + Send + Sync>),
}

impl Hindrance {
    /// Why no Postgres is to be had at all. What is wrong with an address does not pass; what is wrong with a private one
    /// may, unless another process has it.
    fn of_private(error: Box<dyn Error + Send + Sync>, is_known: bool) -> Self {
        match error.downcast_ref::<local_postgres::Error>() {
            Some(local_postgres::Error::InUse { .. }) | None => Self::Final(error),
            Some(_) if is_known => Self::Passing(with_causes(error.as_ref())),
            Some(_) => Self::Final(error),
        }
    }
}

/// Connects, brings the tables to this version, and applies the configuration to them.
async fn bring_up(
    config: &Config,
    options: store::Address,
    demands: Demands,
    metrics: &Metrics,
    acted_by: &str,
) -> Result<Intake, store::Error> {
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(options, config.database.max_connections, demands, retry_days).await?;
    tables::bring_up(&store, &Progress::logged("looking at the tables"), acted_by).await?;
    open_intake(config, &store, metrics).await
}

/// Opens a socket of our own. At a stop it is taken from for half of the time that a stop may take, and the other half is
/// for answering what came last.
async fn listen(server: &Server) -> Result<(Listener, SocketAddr), String> {
    let address = server.listen;
    let opened = async {
        let socket = TcpListener::bind(address).await?;
        Ok((socket.local_addr()?, socket))
    };
    match opened.await {
        Ok((address, socket)) => Ok((Listener::own(socket, server.stop / 2), address)),
        Err::<_, io::Error>(error) => Err(format!(
            "cannot listen on {address} ({error}): stop what listens there, or set FORECOURT_LISTEN to another address"
        )),
    }
}

/// Takes from sockets that somebody else holds; with the address of the first.
fn hold(held: Vec<std::net::TcpListener>) -> io::Result<(Listener, SocketAddr)> {
    let sockets = held.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>()?;
    let address = sockets.first().ok_or(io::ErrorKind::NotFound)?.local_addr()?;
    Ok((Listener::held(sockets), address))
}

/// Whether connections are taken and a request is answered, which is what a watchdog is to know. Not whether Postgres is
/// there: to start again would not bring it back.
fn answers_itself(app: &App, serving: AbortHandle) -> impl Fn() -> BoxFuture<'static, bool> + use<> {
    let router = app.router.clone();
    move || {
        let (router, taking) = (router.clone(), !serving.is_finished());
        Box::pin(async move { taking && http::lives(router).await })
    }
}
