//! What connections may take.

use std::time::Duration;

use axum::http::HeaderValue;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many there are at the most.
    pub connections: usize,
    /// How long a new connection may send nothing.
    pub first_byte_timeout: Duration,
    /// For so long the head of a request may take.
    pub header_timeout: Duration,
    /// For so long a connection may rest between two requests.
    pub keep_alive: Duration,
    /// For so long nothing of a reply may be taken.
    pub reply: Duration,
    /// The most bytes of a request's head.
    pub head_bytes: usize,
}

impl Bounds {
    /// At most so many connections, each with a minute to begin, half a minute for a head and for taking a reply, and a rest
    /// of 75 seconds, which is longer than that of the usual proxies.
    #[must_use]
    pub fn of(connections: usize) -> Self {
        Self {
            connections,
            first_byte_timeout: Duration::from_mins(1),
            header_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            reply: Duration::from_secs(30),
            head_bytes: HEAD_BYTES,
        }
    }

    /// The `Keep-Alive` timeout of a reply: less than the true one, by what a request may take on its way.
    pub(super) fn keep_alive_hint(&self) -> Option<HeaderValue> {
        let seconds = self.keep_alive.saturating_sub(MARGIN).max(self.keep_alive / 2).as_secs();
        HeaderValue::from_str(&format!("timeout={seconds}")).ok()
    }
}

/// The most bytes of a request's head, above what any door takes, so that the doors can name their own limit.
const HEAD_BYTES: usize = 320 << 10;
/// How much sooner than a connection is closed its sender is asked to close it.
const MARGIN: Duration = Duration::from_secs(5);
