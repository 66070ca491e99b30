//! Why a batch was not written, and so what is done with it next.

use std::time::Duration;

use chrono::TimeDelta;

use crate::store;

/// Why a batch was not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// Postgres is away or busy: the same batch may succeed.
    Transient(store::Error),
    /// The server that the workspace is on is away, behind the one that answers: the others are written.
    PartAway(store::Error),
    /// Somebody else has the workspace, which is the fault of no delivery: it is waited for again.
    Locked,
    /// Another try settled one of its deliveries at the same moment, in another queue or process.
    Conflict,
    /// Postgres did not answer for so long that it is not waited for any more.
    TimedOut,
    /// Something is wrong with a delivery, or with us.
    Poison(String),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        if matches!(error, store::Error::Locked) {
            return Self::Locked;
        }
        if error.is_of_another_server() {
            return Self::PartAway(error);
        }
        if error.is_transient() { Self::Transient(error) } else { Self::Poison(error.without_values()) }
    }
}

/// The pauses before something is repeated while Postgres is away: the first, doubled each time up to the last.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_millis(50);
    /// The longest.
    pub(super) const LAST: Duration = Duration::from_secs(1);

    /// Waits for as long as it is, and a longer time the next time.
    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::LAST);
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

/// How often a failed delivery is tried at the most.
pub(in crate::intake) const MOST_ATTEMPTS: i32 = 10;

/// The pause before the next try: ten seconds, then twice as long each time, at most six hours.
pub(super) fn backoff(attempts: i32) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(12);
    TimeDelta::seconds((10_i64 << doublings).min(6 * 3_600))
}
