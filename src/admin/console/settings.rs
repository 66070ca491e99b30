//! What the console is given.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::config::{ConsoleLogin, Proxies};
use crate::intake::accept::Acceptor;

/// What the console works with.
#[derive(Clone)]
pub struct ConsoleSettings {
    /// Who may log in.
    pub login: ConsoleLogin,
    /// Leads to the tables once they are there, and to the spool.
    pub acceptor: Acceptor,
    /// The proxies that are believed when they say who sends a request.
    pub proxies: Proxies,
    /// Tells the time.
    pub clock: fn() -> DateTime<Utc>,
}

impl fmt::Debug for ConsoleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleSettings").field("user", &self.login.user).finish_non_exhaustive()
    }
}
