//! The one place where the time is read.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// The time, to the microsecond: what Postgres keeps, so that a time read back is the time that was written.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
}
