//! How the service stops: no new requests, those under way are answered, and within a bound it is over.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::app::App;

/// How long each store is given to close.
const CLOSING: Duration = Duration::from_secs(2);

/// Ready when the process is told to stop: by Ctrl-C, or by whoever runs it. Told a second time, the process ends at once.
pub(super) async fn told_to_stop() {
    told().await;
    tracing::info!("stopping: requests under way are answered first");
    tokio::spawn(async {
        told().await;
        tracing::warn!("told to stop again: requests under way are cut off");
        std::process::exit(1);
    });
}

async fn told() {
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
}

/// Waits for the requests under way, for so long at the most, and closes the stores. What is in the spool stays there.
pub(super) async fn finish(serving: JoinHandle<io::Result<()>>, app: &App, patience: Duration) {
    if timeout(patience, serving).await.is_err() {
        tracing::warn!(?patience, "stopping with requests under way: they are cut off unanswered");
    }
    let App { acceptor, quarantine, .. } = app;
    if timeout(CLOSING, acceptor.close()).await.is_err() {
        tracing::warn!("the spool does not close: what it has taken is on disk");
    }
    if let Some(intake) = acceptor.intake() {
        let closed = async {
            intake.finish().await;
            quarantine.finish().await;
            intake.store().close().await;
        };
        if timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("postgres does not answer: its connections are cut off");
        }
    }
}
