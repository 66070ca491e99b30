//! How the service stops: no new requests, those under way are answered, and within a bound it is over.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::app::App;
use super::supervisor::Supervisor;

/// How long each store is given to close.
const CLOSING: Duration = Duration::from_secs(2);

/// The signals that the process listens to. Until there are these, one of them ends it as it stands.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Asks for a reload; taken by whoever reloads.
    pub(super) hangup: Option<Signal>,
}

impl Signals {
    /// From now on they are heard. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the system gives us none.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Some(signal(SignalKind::hangup())?),
        })
    }

    /// Ready when the process is told to stop: by Ctrl-C, or by whoever runs it. A second Ctrl-C ends it at once; a
    /// second SIGTERM changes nothing, because supervisors and wrappers send it twice without meaning that.
    pub(super) async fn told_to_stop(mut self) {
        self.told().await;
        tracing::info!("stopping: requests under way are answered first");
        Supervisor::stopping();
        tokio::spawn(async move {
            if self.interrupt.recv().await.is_some() {
                tracing::warn!("interrupted again: requests under way are cut off");
                std::process::exit(1);
            }
        });
    }

    async fn told(&mut self) {
        either(&mut self.interrupt, &mut self.terminate).await;
    }
}

/// Ready when somebody wants a command to end, by Ctrl-C or otherwise. Where the system does not let us listen, they end it
/// as ever.
pub(super) async fn told() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match signals {
        (Ok(mut interrupt), Ok(mut terminate)) => either(&mut interrupt, &mut terminate).await,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => std::future::pending().await,
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for the requests under way, for so long at the most, and closes the stores. What is in the spool stays there.
pub(super) async fn finish(serving: JoinHandle<io::Result<()>>, app: &App, patience: Duration) {
    if timeout(patience, serving).await.is_err() {
        tracing::warn!(?patience, "stopping with requests under way: they are cut off unanswered");
    }
    let App { acceptor, quarantine, misdirected, .. } = app;
    if timeout(CLOSING, acceptor.close()).await.is_err() {
        tracing::warn!("the spool does not close: what it has taken is on disk");
    }
    if let Some(intake) = acceptor.intake() {
        let closed = async {
            intake.finish().await;
            tokio::join!(quarantine.finish(), misdirected.finish());
            intake.store().close().await;
        };
        if timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("postgres does not answer: its connections are cut off");
        }
    }
}
