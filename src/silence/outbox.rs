//! Alerts on their way: posted one after the other by a thread of its own, so that an address that answers late, or never,
//! holds up nothing else; signed as Standard Webhooks says (<https://www.standardwebhooks.com>).
//!
//! An alert that is not answered 2xx is tried again after each of some pauses, and then given up with a line in the log.
//! Those of one dealership and feed keep their order. What waits is bounded.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::Sha256;

use super::alert::Alert;
use crate::domain::feed::Feed;
use crate::domain::ids::WorkspaceId;
use crate::domain::workspace::DealershipId;
use crate::intake::complaints::Complaints;

/// So many alerts wait at the most.
const WAITING: usize = 1_000;
/// How long one POST may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses after each POST that came to nothing; after the last one the alert is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
];
/// How long a stop waits for what is still to be posted.
const FINISH: Duration = Duration::from_secs(2);

/// Where alerts are posted to.
pub struct Target {
    /// The whole address.
    pub url: SecretString,
    /// What may be told of it: scheme, host and port.
    pub origin: String,
    /// The key that signs, where alerts are signed.
    pub key: Option<SecretBox<Vec<u8>>>,
    /// How long one POST may take.
    pub timeout: Duration,
    /// The pauses after each POST that came to nothing.
    pub pauses: Vec<Duration>,
    /// The current time.
    pub clock: fn() -> DateTime<Utc>,
}

impl Target {
    /// One with the times of the service.
    #[must_use]
    pub fn new(url: String, origin: String, key: Option<Vec<u8>>, clock: fn() -> DateTime<Utc>) -> Self {
        let (url, key) = (SecretString::from(url), key.map(|key| SecretBox::new(Box::new(key))));
        Self { url, origin, key, timeout: TIMEOUT, pauses: PAUSES.to_vec(), clock }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Posts alerts. Copies post through the same thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: SyncSender<Post>,
    /// How many are not posted yet, nor given up.
    open: Arc<AtomicUsize>,
}

/// One alert on its way.
#[derive(Debug)]
struct Post {
    /// Whom it is about: of one sender the first goes first.
    about: (WorkspaceId, DealershipId, Feed),
    id: String,
    body: String,
    attempts: usize,
    due: Instant,
}

impl Outbox {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives us none.
    pub fn open(target: Target) -> std::io::Result<Self> {
        let (queue, posts) = mpsc::sync_channel(WAITING);
        let open = Arc::new(AtomicUsize::new(0));
        let worker =
            Worker { target, open: Arc::clone(&open), waiting: VecDeque::new(), complaints: Complaints::default() };
        std::thread::Builder::new().name("alerts".to_owned()).spawn(move || worker.run(&posts))?;
        Ok(Self { queue, open })
    }

    /// Posts an alert soon. Does not wait.
    pub(super) fn post(&self, alert: &Alert) {
        let sender = &alert.sender;
        let post = Post {
            about: (sender.workspace, sender.dealership, sender.feed),
            id: format!("msg_{}", alert.id.simple()),
            body: alert.payload().to_string(),
            attempts: 0,
            due: Instant::now(),
        };
        self.open.fetch_add(1, Ordering::SeqCst);
        if self.queue.try_send(post).is_err() {
            self.open.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!(waiting = WAITING, "an alert is not posted: too many wait already");
        }
    }

    /// Waits until all alerts are posted, but not for long.
    pub(super) async fn finish(&self) {
        let end = tokio::time::Instant::now() + FINISH;
        while self.open.load(Ordering::SeqCst) > 0 {
            if tokio::time::Instant::now() >= end {
                let left = self.open.load(Ordering::SeqCst);
                tracing::warn!(left, "stopping with alerts that could not be posted: the log has told each");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The thread's own.
struct Worker {
    target: Target,
    open: Arc<AtomicUsize>,
    waiting: VecDeque<Post>,
    complaints: Complaints,
}

impl Worker {
    /// Posts until nobody can send anything any more.
    fn run(mut self, posts: &Receiver<Post>) {
        let agent = agent(self.target.timeout);
        loop {
            let received = match self.due_in() {
                Some(pause) => posts.recv_timeout(pause),
                None => posts.recv().map_err(|_ended| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(post) => self.waiting.push_back(post),
                Err(RecvTimeoutError::Timeout) => self.post_next(&agent),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Where the first stands, of those that wait for no other of their sender, that is due next.
    fn next(&self) -> Option<usize> {
        let is_first = |at: &usize| {
            let about = self.waiting.get(*at).map(|post| post.about);
            !self.waiting.iter().take(*at).any(|post| Some(post.about) == about)
        };
        (0..self.waiting.len()).filter(is_first).min_by_key(|at| self.waiting.get(*at).map(|post| post.due))
    }

    fn due_in(&self) -> Option<Duration> {
        let post = self.waiting.get(self.next()?)?;
        Some(post.due.saturating_duration_since(Instant::now()))
    }

    fn post_next(&mut self, agent: &ureq::Agent) {
        let Some(at) = self.next() else { return };
        let Some(post) = self.waiting.get_mut(at) else { return };
        post.attempts += 1;
        let Err(why) = send(agent, &self.target, post) else {
            return self.end(at);
        };
        let (origin, attempt) = (&self.target.origin, post.attempts);
        if let Some(pause) = self.target.pauses.get(post.attempts - 1).copied() {
            post.due = Instant::now() + pause;
            if let Some(left_out) = self.complaints.take(&why) {
                tracing::warn!(to = origin, error = why, attempt, again_in = ?pause, left_out, "an alert could not be posted");
            }
        } else {
            if let Some(left_out) = self.complaints.take(&format!("given up: {why}")) {
                tracing::error!(
                    to = origin,
                    error = why,
                    attempt,
                    left_out,
                    "an alert could not be posted and is given up"
                );
            }
            self.end(at);
        }
    }

    fn end(&mut self, at: usize) {
        self.waiting.remove(at);
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Goes to no other place than the one named, and no detour through a proxy.
fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .user_agent(concat!("forecourt/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Posts once. What went wrong is told without the address, whose path may be a secret.
fn send(agent: &ureq::Agent, target: &Target, post: &Post) -> Result<(), String> {
    let timestamp = (target.clock)().timestamp().to_string();
    let mut request = agent
        .post(target.url.expose_secret())
        .header("content-type", "application/json")
        .header("webhook-id", &post.id)
        .header("webhook-timestamp", &timestamp);
    if let Some(key) = &target.key {
        request = request.header("webhook-signature", signature(key.expose_secret(), &post.id, &timestamp, &post.body));
    }
    match request.send(post.body.as_str()) {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("it was answered {}", response.status().as_u16())),
        Err(error) => Err(reason(&error)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is ureq's, and grows")]
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "there was no answer in time".to_owned(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::ConnectionFailed => "no connection could be made".to_owned(),
        ureq::Error::Rustls(error) => error.to_string(),
        ureq::Error::Tls(what) => (*what).to_owned(),
        // Whatever else there is may hold the address.
        _ => "the request failed".to_owned(),
    }
}

/// `v1,` and the HMAC-SHA-256 over id, time and body in base64.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    // A key of any length is taken.
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in [id, ".", timestamp, ".", body] {
        hmac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specifications_example() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
