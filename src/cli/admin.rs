//! The admin listener: where it listens, and what is found out behind it so that no scrape has to wait: whether Postgres
//! takes a row, and how much of the spool's disk is free.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::{Admin, Config};
use crate::http::{self, Bounds, Listener};
use crate::intake::accept::Acceptor;
use crate::metrics::Metrics;
use crate::spool;

use super::app::App;

/// The most connections at a time: those who look at a service are few.
const CONNECTIONS: usize = 64;
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// How long a connection may take to send a request, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may rest: longer than the usual pause between two scrapes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long connections are still taken at a stop while those under way are answered.
const LASTING: Duration = Duration::from_secs(1);
/// How often Postgres and the disk are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// A Postgres that has not answered after this time counts as away.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket that the admin listener takes from.
pub(super) struct Opened {
    socket: TcpListener,
    address: SocketAddr,
}

/// Opens its socket, where the configuration has one.
///
/// # Errors
/// When the address cannot be listened on, with a sentence that says what to do; where nobody has asked for it, a warning
/// says so.
pub(super) async fn listen(config: &Config) -> Result<Option<Opened>, String> {
    let Some(Admin { listen, is_optional, .. }) = &config.admin else { return Ok(None) };
    let opened = async {
        let socket = TcpListener::bind(listen).await?;
        Ok::<_, std::io::Error>(Opened { address: socket.local_addr()?, socket })
    };
    match opened.await {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if *is_optional => {
            tracing::warn!(
                address = %listen, %error,
                "no metrics and no console are served: set FORECOURT_ADMIN_LISTEN to an address that is free, or to nothing"
            );
            Ok(None)
        }
        Err(error) => Err(format!(
            "cannot listen on {listen} for metrics ({error}): stop what listens there, or set FORECOURT_ADMIN_LISTEN to \
             another address, or to nothing for no admin listener"
        )),
    }
}

impl Opened {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves its routes until the service stops. What is given back ends with whoever drops it.
    pub(super) fn serve(self, app: &App, config: &Config, mut stopped: watch::Receiver<bool>) -> JoinSet<()> {
        let Self { socket, address } = self;
        let bounds = Bounds {
            connections: CONNECTIONS,
            first_byte_timeout: PATIENCE,
            header_timeout: PATIENCE,
            keep_alive: KEEP_ALIVE,
            reply: PATIENCE,
            head_bytes: HEAD_BYTES,
        };
        let (router, listener) = (app.admin.clone(), Listener::own(socket, LASTING));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let stop = async move {
                // The sender is dropped at the end only, and then it is time to stop as well.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            if let Err(error) = http::serve(listener, router, bounds, stop).await {
                tracing::error!(%error, "the admin listener has ended");
            }
        });
        tasks.spawn(look_at_postgres(app.acceptor.clone(), app.metrics.clone()));
        if config.spool.max_bytes > 0 {
            tasks.spawn(look_at_disk(config.server.data_dir.join(spool::FOLDER), app.metrics.clone()));
        }
        let has_console = config.admin.as_ref().is_some_and(|admin| admin.console.is_some()).then_some(true);
        tracing::info!(%address, has_console, "metrics are served");
        tasks
    }
}

/// Finds out again and again whether Postgres takes a row, as `/readyz` does.
async fn look_at_postgres(acceptor: Acceptor, metrics: Metrics) {
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        let is_up = match acceptor.intake() {
            Some(intake) => matches!(timeout(LOOK_TIMEOUT, intake.store().probe()).await, Ok(Ok(()))),
            None => false,
        };
        metrics.set_postgres_up(is_up);
    }
}

/// Finds out again and again how much of a folder's disk is free. A disk that does not answer is waited for, on a thread of
/// its own.
async fn look_at_disk(folder: PathBuf, metrics: Metrics) {
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        let folder = folder.clone();
        let free = tokio::task::spawn_blocking(move || free_bytes(&folder)).await.ok().flatten();
        metrics.set_spool_disk_free(free);
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
