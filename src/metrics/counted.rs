//! What is counted as it happens. Each series is made at the start and then only added to, so that a delivery costs a few
//! additions and no look-up; the histograms have a lock each, held for an addition.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::refusal::Refusal;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::{Effect, Effects, Outcome, Tally};

/// Labels with the values of closed lists.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The outcomes; that of a delivery which was answered from the spool stands last.
const OUTCOMES: [Outcome; 5] =
    [Outcome::Applied, Outcome::Unchanged, Outcome::Ignored, Outcome::Rejected, Outcome::Failed];
const SPOOLED: &str = "spooled";
/// The feed of what was posted to no door.
const NO_FEED: &str = "none";

/// Seconds: from what an idle service takes for a lead, over the deadline (2 s), to the end of the hold (60 s).
const ANSWER_BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
const COMMIT_BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// What is counted as it happens.
pub(super) struct Counted {
    of_feeds: Vec<OfFeed>,
    refused: Family<Labels<2>, Counter>,
    findings: Vec<Counter>,
    bookings: Bookings,
    batch: Histogram,
    commit: Histogram,
    pub(super) postgres_up: Gauge,
    /// No series until somebody has counted.
    pub(super) default_partition_rows: Family<Labels<0>, Gauge>,
    /// No series where it is not known.
    pub(super) spool_disk_free: Family<Labels<0>, Gauge<u64, AtomicU64>>,
}

/// What becomes of bookings.
struct Bookings {
    created: Counter,
    updated: Counter,
    blocked: Counter,
}

/// What is counted for one feed.
struct OfFeed {
    outcomes: [Counter; OUTCOMES.len()],
    spooled: Counter,
    duration: Histogram,
}

impl Counted {
    /// Everything at zero, in a registry.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let build = [("version", env!("CARGO_PKG_VERSION")), ("commit", option_env!("FORECOURT_COMMIT").unwrap_or(""))];
        let build = build.map(|(name, value)| (name, if value.is_empty() { "unknown" } else { value }));
        registry.register("forecourt_build", "The version and the commit that is running", Info::new(build));
        let default_partition_rows = Family::default();
        registry.register(
            "forecourt_default_partition_rows",
            "Rows in default partitions, where none should be: a month has no partition",
            default_partition_rows.clone(),
        );
        let spool_disk_free = Family::default();
        registry.register(
            "forecourt_spool_disk_free_bytes",
            "Bytes that are free on the disk of the spool, as found out in the last ten seconds",
            spool_disk_free.clone(),
        );
        Self {
            of_feeds: of_feeds(registry),
            refused: refused(registry),
            findings: findings(registry),
            bookings: bookings(registry),
            batch: histogram(
                registry,
                "forecourt_batch_deliveries",
                "Deliveries that were committed together",
                &BATCH_BUCKETS,
            ),
            commit: histogram(
                registry,
                "forecourt_commit_duration_seconds",
                "The transaction of a batch, from its begin to the end of its commit",
                &COMMIT_BUCKETS,
            ),
            postgres_up: gauge(
                registry,
                "forecourt_postgres_up",
                "Whether a delivery can be written to Postgres (1) or not (0), as found out in the last ten seconds",
            ),
            default_partition_rows,
            spool_disk_free,
        }
    }

    pub(super) fn answered(&self, feed: Feed, is_spooled: bool, took: Duration) {
        let Some(of_feed) = self.of_feeds.get(feed as usize) else { return };
        of_feed.duration.observe(took.as_secs_f64());
        if is_spooled {
            of_feed.spooled.inc();
        }
    }

    pub(super) fn refused(&self, feed: Option<Feed>, reason: Refusal) {
        self.refused.get_or_create(&refused_labels(feed, reason)).inc();
    }

    pub(super) fn settled(&self, feed: Feed, outcome: Outcome, effects: &Effects, findings: &[Finding]) {
        let of_outcome = |of_feed: &OfFeed| of_feed.outcomes.get(outcome as usize).map(Counter::inc);
        self.of_feeds.get(feed as usize).and_then(of_outcome);
        for finding in findings {
            self.findings.get(finding.code as usize).map(Counter::inc);
        }
        let mut tally = effects.counts.map_or_else(Tally::default, |counts| counts.booking);
        tally.add(effects.booking);
        self.bookings.blocked.inc_by(tally.blocked.into());
    }

    pub(super) fn committed(&self, deliveries: usize, bookings: Tally, took: Duration) {
        self.bookings.created.inc_by(bookings.created.into());
        self.bookings.updated.inc_by(bookings.updated.into());
        self.batch.observe(u32::try_from(deliveries).unwrap_or(u32::MAX).into());
        self.commit.observe(took.as_secs_f64());
    }
}

fn of_feeds(registry: &mut Registry) -> Vec<OfFeed> {
    let deliveries = Family::<Labels<2>, Counter>::default();
    registry.register(
        "forecourt_deliveries",
        "Deliveries by feed and outcome, counted whenever one is settled: by a request, out of the spool, by a retry. \
         One that is answered from the spool counts as spooled then, and under its outcome once it is applied",
        deliveries.clone(),
    );
    let durations = Family::<Labels<1>, Histogram>::new_with_constructor(|| Histogram::new(ANSWER_BUCKETS));
    registry.register(
        "forecourt_delivery_duration_seconds",
        "From the arrival of a delivery's head to its answer, also where that comes from the spool",
        durations.clone(),
    );
    let counter = |feed: &Feed, outcome| -> Counter {
        deliveries.get_or_create_owned(&[("feed", feed.name()), ("outcome", outcome)])
    };
    let of_feed = |feed: &Feed| OfFeed {
        outcomes: OUTCOMES.map(|outcome| counter(feed, outcome.name())),
        spooled: counter(feed, SPOOLED),
        duration: durations.get_or_create_owned(&[("feed", feed.name())]),
    };
    Feed::ALL.iter().map(of_feed).collect()
}

fn refused(registry: &mut Registry) -> Family<Labels<2>, Counter> {
    let refused = Family::<Labels<2>, Counter>::default();
    registry.register(
        "forecourt_refused",
        "Requests that got no delivery's reply, by feed (none: not at a door) and reason",
        refused.clone(),
    );
    let at_doors = Feed::ALL.iter().flat_map(|feed| Refusal::AT_DOORS.map(|reason| (Some(*feed), reason)));
    let elsewhere = Refusal::ELSEWHERE.map(|reason| (None, reason));
    for (feed, reason) in at_doors.chain(elsewhere) {
        drop(refused.get_or_create(&refused_labels(feed, reason)));
    }
    refused
}

fn refused_labels(feed: Option<Feed>, reason: Refusal) -> Labels<2> {
    [("feed", feed.map_or(NO_FEED, Feed::name)), ("reason", reason.name())]
}

fn findings(registry: &mut Registry) -> Vec<Counter> {
    let findings = Family::<Labels<1>, Counter>::default();
    registry.register("forecourt_findings", "Findings of settled deliveries, by code", findings.clone());
    Code::ALL.iter().map(|code| findings.get_or_create_owned(&[("code", code.name())])).collect()
}

fn bookings(registry: &mut Registry) -> Bookings {
    let bookings = Family::<Labels<1>, Counter>::default();
    registry.register(
        "forecourt_bookings",
        "Bookings that were created or updated, by whichever delivery, and those that a delivery asked for in vain (blocked)",
        bookings.clone(),
    );
    let of = |state: Effect| bookings.get_or_create_owned(&[("state", state.name())]);
    Bookings { created: of(Effect::Created), updated: of(Effect::Updated), blocked: of(Effect::Blocked) }
}

fn histogram(registry: &mut Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let histogram = Histogram::new(buckets.iter().copied());
    registry.register(name, help, histogram.clone());
    histogram
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}
