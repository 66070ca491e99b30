//! What every request of the console works with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::config::{ConsoleLogin, Proxies, keyring};
use crate::intake::Intake;
use crate::intake::accept::Acceptor;
use crate::intake::complaints::Complaints;

use super::attempts::Attempts;
use super::replays::Replays;
use super::sessions::Sessions;
use super::settings::ConsoleSettings;
use super::turns::Turns;

/// The console, shared by its requests.
#[derive(Clone)]
pub(super) struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ConsoleSettings,
    sessions: Sessions,
    attempts: Attempts,
    turns: Turns,
    replays: Replays,
    complaints: Complaints,
    /// Signs what pages carry; made anew at each start.
    key: Option<SecretString>,
}

impl Console {
    pub(super) fn new(settings: ConsoleSettings) -> Self {
        let key = keyring::new_secret();
        if let Err(error) = &key {
            tracing::error!(%error, "nobody can log in to the console: the system has no random numbers to give");
        }
        let (sessions, attempts, turns, replays, complaints) = Default::default();
        Self { inner: Arc::new(Inner { settings, sessions, attempts, turns, replays, complaints, key: key.ok() }) }
    }

    pub(super) fn login(&self) -> &ConsoleLogin {
        &self.inner.settings.login
    }

    pub(super) fn acceptor(&self) -> &Acceptor {
        &self.inner.settings.acceptor
    }

    pub(super) fn proxies(&self) -> &Proxies {
        &self.inner.settings.proxies
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.inner.settings.clock)()
    }

    /// The tables, once they are there.
    pub(super) fn intake(&self) -> Option<Intake> {
        self.acceptor().intake()
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.inner.attempts
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.inner.turns
    }

    pub(super) fn replays(&self) -> &Replays {
        &self.inner.replays
    }

    pub(super) fn complaints(&self) -> &Complaints {
        &self.inner.complaints
    }

    /// What proves that a text is ours: a digest of it under a key that nobody else has. `use_of` keeps what is signed for one
    /// use from serving another.
    pub(super) fn sign(&self, use_of: &str, text: &str) -> Option<String> {
        let key = self.inner.key.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
        for part in [use_of, "\n", text] {
            mac.update(part.as_bytes());
        }
        Some(hex(&mac.finalize().into_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
