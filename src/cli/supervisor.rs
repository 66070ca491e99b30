//! Whoever runs the service, where it speaks systemd's protocols: the sockets that it holds for us, and what it is told of
//! how the service does. Without one all of this does nothing.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::command_result::CommandError;

/// How often a start that goes on is said to go on.
const STARTING: Duration = Duration::from_secs(10);
/// For how long that counts: half of what a start has where nobody says otherwise.
const STARTING_MICROS: u32 = 45_000_000;

/// The sockets that are held for this process (`LISTEN_FDS`); none where nobody holds any. To be asked once, before there
/// are threads, because the variables are taken out of the environment.
///
/// # Errors
/// When one of them takes no TCP connections.
pub(super) fn held_sockets() -> Result<Vec<TcpListener>, CommandError> {
    let mut held = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..held.len() {
        let socket = held.take_tcp_listener(index).ok().flatten();
        sockets.push(socket.filter(|socket| socket.set_nonblocking(true).is_ok()).ok_or_else(not_tcp)?);
    }
    Ok(sockets)
}

fn not_tcp() -> CommandError {
    CommandError::Configuration("LISTEN_FDS: a socket was passed that is none for TCP; forecourt takes TCP only".into())
}

/// Who is told how the service does.
#[derive(Clone, Debug, Default)]
pub(super) struct Supervisor {
    is_up: Arc<AtomicBool>,
}

impl Supervisor {
    /// Deliveries can be stored: the start is over.
    pub(super) fn ready(&self, status: &str) {
        self.is_up.store(true, Ordering::Relaxed);
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being read again.
    pub(super) fn reloading(&self) {
        if self.is_up.load(Ordering::Relaxed)
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            tell(&[NotifyState::Reloading, now]);
        }
    }

    /// It was read again, for good or ill.
    pub(super) fn reloaded(&self, status: &str) {
        if self.is_up.load(Ordering::Relaxed) {
            tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        }
    }

    /// Told to stop.
    pub(super) fn stopping() {
        tell(&[NotifyState::Stopping, NotifyState::Status("requests under way are answered")]);
    }

    /// Says again and again that the start goes on, and, where a watchdog is set, that the service works: for only as
    /// long as it does.
    pub(super) async fn pulse<F>(self, works: impl Fn() -> F)
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let watchdog = sd_notify::watchdog_enabled();
        // Twice in its time, so that one that comes a little late costs nothing.
        let pause = watchdog.map_or(STARTING, |watchdog| STARTING.min(watchdog / 2));
        let mut ticks = interval(pause.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let starting = !self.is_up.load(Ordering::Relaxed);
            if !starting && watchdog.is_none() {
                return;
            }
            // In a task of its own, as every request is.
            if !matches!(timeout(pause, tokio::spawn(works())).await, Ok(Ok(true))) {
                tracing::warn!("the service does not answer itself: the watchdog is not fed");
                continue;
            }
            if starting {
                tell(&[NotifyState::ExtendTimeoutUsec(STARTING_MICROS)]);
            }
            if watchdog.is_some() {
                tell(&[NotifyState::Watchdog]);
            }
        }
    }
}

/// Sends what is to be told, one after the other, in a thread of its own: whoever is told may be slow to read, and the
/// service must not wait for that. What nobody has read by the end is not waited for.
fn tell(states: &[NotifyState<'_>]) {
    static TELLER: OnceLock<Option<mpsc::Sender<String>>> = OnceLock::new();
    let started = || {
        let (sender, told) = mpsc::channel::<String>();
        let send = move || {
            for message in told {
                if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&message)]) {
                    tracing::debug!(%error, "the supervisor could not be told");
                }
            }
        };
        std::thread::Builder::new().name("supervisor".to_owned()).spawn(send).ok().map(|_detached| sender)
    };
    let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
    if let Some(teller) = TELLER.get_or_init(started) {
        // The thread lives for as long as the process.
        let _told = teller.send(lines.join("\n"));
    }
}
