//! How long the scenarios are: short in the ordinary test command, long for the figures of docs/proofs.md.

use std::sync::LazyLock;
use std::time::Duration;

/// The lengths.
pub(crate) struct Scale {
    /// How often the service is killed, and the pause before each time.
    pub(crate) service_kills: (u32, Duration),
    /// How often Postgres is killed, and the pause before each time.
    pub(crate) postgres_kills: (u32, Duration),
    /// How often the two are killed in turn, and the pause before each time.
    pub(crate) kills_in_turn: (u32, Duration),
    /// How often the service is stopped in order.
    pub(crate) stops: u32,
    /// How often it is restarted behind a held socket, and behind each proxy.
    pub(crate) restarts: u32,
    /// How often one of several instances is killed or stopped, and the pause before each time.
    pub(crate) instances: (u32, Duration),
    /// For how long Postgres stands still.
    pub(crate) still: Duration,
    /// For how long it does in the longest outage.
    pub(crate) outage: Duration,
    /// For how long a lock is held, and a disk full.
    pub(crate) lock: Duration,
    /// For how long nothing goes wrong.
    pub(crate) peace: Duration,
    /// How many connections are silent, and how many deliveries come in a second beside them.
    pub(crate) silent: (usize, u32),
    /// How many deliveries come in a second.
    pub(crate) rate: u32,
    /// What Postgres has to commit a delivery, in milliseconds.
    pub(crate) deadline_ms: u64,
}

/// The lengths of this run.
pub(crate) static SCALE: LazyLock<Scale> = LazyLock::new(|| match asked_for() {
    None => short(),
    Some(longest) => long(longest),
});

/// What `FORECOURT_TEST` asks for, as of all tests that have a long form: `long`. Or `FORECOURT_CHAOS`: `long`, or the
/// seconds of the longest scenarios.
fn asked_for() -> Option<Duration> {
    let value_of = |asked: &str| std::env::vars_os().find_map(|(name, value)| (name == asked).then_some(value));
    let asked = value_of("FORECOURT_CHAOS").or_else(|| value_of("FORECOURT_TEST"))?;
    match asked.to_str().unwrap() {
        "" => None,
        "long" => Some(Duration::from_mins(10)),
        seconds => {
            let seconds = seconds.parse().expect("FORECOURT_CHAOS is `long`, or a number of seconds");
            Some(Duration::from_secs(seconds))
        }
    }
}

/// Few enough deliveries, and time enough for each, that a machine that does other things keeps up with them.
fn short() -> Scale {
    Scale {
        service_kills: (3, Duration::from_millis(400)),
        postgres_kills: (3, Duration::from_millis(600)),
        kills_in_turn: (2, Duration::from_millis(400)),
        stops: 1,
        restarts: 2,
        instances: (3, Duration::from_millis(400)),
        still: Duration::from_secs(2),
        outage: Duration::from_secs(3),
        lock: Duration::from_secs(2),
        peace: Duration::from_secs(1),
        silent: (1_000, 120),
        rate: 30,
        deadline_ms: 1000,
    }
}

/// Sixty kills and ten minutes, or as much more or less as was asked for.
fn long(longest: Duration) -> Scale {
    let minutes = u32::try_from(longest.as_secs() / 60).unwrap().max(1);
    Scale {
        service_kills: (6 * minutes, Duration::from_secs(1)),
        postgres_kills: (2 * minutes, Duration::from_secs(3)),
        kills_in_turn: (4 * minutes, Duration::from_secs(1)),
        stops: 10,
        restarts: 10,
        instances: (8 * minutes, Duration::from_secs(2)),
        still: Duration::from_secs(30),
        outage: longest,
        lock: Duration::from_secs(20),
        peace: Duration::from_secs(30),
        silent: (10_000, 500),
        rate: 200,
        deadline_ms: 2000,
    }
}
