//! What is counted, timed and measured, and how it is rendered for Prometheus.
//!
//! [`Metrics`] is one value that is passed to whoever has something to count; copies share it. Every label is of a closed
//! list (feeds, outcomes, reasons, codes) or of the configuration (workspaces and their dealerships), so no payload can
//! make a series. All counters are there from the start, at zero, because an increase from nothing is none to Prometheus.
//!
//! In reading order: [`Counted`] holds what is counted as it happens, [`senders`] when each sender last spoke, and a
//! [`Sample`] what is looked at only when somebody asks.

mod counted;
mod process;
mod refusal;
mod sample;
mod senders;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::finding::Finding;
use crate::domain::ids::WorkspaceId;
pub use crate::domain::silence::NO_DEALERSHIP;
use crate::domain::workspace::{DealershipId, Slug, Workspace};
use crate::domain::{Effects, Outcome, Tally};
use counted::Counted;
pub use refusal::Refusal;
pub use sample::{Sample, SpoolSample};
use senders::Senders;
pub use senders::SilentSender;

/// What is counted and measured. Copies share it.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    counted: Counted,
    senders: RwLock<Senders>,
}

/// A form of text that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let counted = Counted::register(&mut registry);
        Self { shared: Arc::new(Shared { registry, counted, senders: RwLock::default() }) }
    }
}

impl Metrics {
    /// A request was answered with the reply to its delivery, so long after its head arrived: from the spool, or with an
    /// outcome, which was counted when it was committed.
    pub fn answered(&self, feed: Feed, is_spooled: bool, took: Duration) {
        self.shared.counted.answered(feed, is_spooled, took);
    }

    /// A request got no delivery's reply; at a door with its feed.
    pub fn refused(&self, feed: Option<Feed>, reason: Refusal) {
        self.shared.counted.refused(feed, reason);
    }

    /// A delivery has its outcome, and that is committed.
    pub fn settled(
        &self,
        delivery: &Delivery,
        workspace: Option<WorkspaceId>,
        outcome: Outcome,
        effects: &Effects,
        findings: &[Finding],
    ) {
        self.shared.counted.settled(delivery.feed, outcome, effects, findings);
        if let Some(workspace) = workspace {
            let senders = self.shared.senders.read().unwrap_or_else(PoisonError::into_inner);
            senders.note(workspace, delivery.dealership_id, delivery.feed, delivery.received_at);
        }
    }

    /// A batch of so many deliveries was committed, so long after its transaction began, with the bookings that it wrote.
    pub fn committed(&self, deliveries: usize, bookings: Tally, took: Duration) {
        self.shared.counted.committed(deliveries, bookings, took);
    }

    /// Whether a row can be written to Postgres, as far as was found out last.
    pub fn set_postgres_up(&self, is_up: bool) {
        self.shared.counted.postgres_up.set(i64::from(is_up));
    }

    /// How many bytes of the spool's disk are free, as far as was found out last.
    pub fn set_spool_disk_free(&self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => drop(self.shared.counted.spool_disk_free.get_or_create(&[]).set(bytes)),
            None => self.shared.counted.spool_disk_free.clear(),
        }
    }

    /// How many rows stand in default partitions, where none should be.
    pub fn set_default_partition_rows(&self, rows: i64) {
        self.shared.counted.default_partition_rows.get_or_create(&[]).set(rows);
    }

    /// From now on these are the workspaces, and those of their rows that are known. When a sender last spoke is kept.
    pub fn set_workspaces(&self, workspaces: &[Workspace], ids: &BTreeMap<Slug, WorkspaceId>) {
        let mut senders = self.shared.senders.write().unwrap_or_else(PoisonError::into_inner);
        senders.configure(workspaces, ids);
    }

    /// A delivery of a sender is known to have arrived then, as from the tables at a start. Where the configuration has no
    /// such sender, nothing is noted; for feeds without a dealership, that is [`NO_DEALERSHIP`].
    pub fn note_last_delivery(&self, workspace: &str, dealership: DealershipId, feed: Feed, at: DateTime<Utc>) {
        let senders = self.shared.senders.read().unwrap_or_else(PoisonError::into_inner);
        senders.note_of(workspace, dealership, feed, at);
    }

    /// The senders that something is expected of, each with whether it is silent; they take the place of those before.
    pub fn set_silent_senders(&self, expected: Vec<SilentSender>) {
        let mut senders = self.shared.senders.write().unwrap_or_else(PoisonError::into_inner);
        senders.set_expected(expected);
    }

    /// Everything, with what was looked at just now.
    ///
    /// # Errors
    /// None that a `String` has when it is written to.
    pub fn render(&self, format: Format, sample: &Sample) -> Result<String, fmt::Error> {
        let mut sampled = Registry::default();
        sample.register(&mut sampled);
        process::register(&mut sampled);
        self.shared.senders.read().unwrap_or_else(PoisonError::into_inner).register(&mut sampled);
        let mut rendered = String::with_capacity(32 << 10);
        match format {
            Format::Prometheus => {
                prometheus_text::encode(&mut rendered, &self.shared.registry)?;
                prometheus_text::encode(&mut rendered, &sampled)?;
            }
            Format::OpenMetrics => {
                text::encode_registry(&mut rendered, &self.shared.registry)?;
                text::encode_registry(&mut rendered, &sampled)?;
                text::encode_eof(&mut rendered)?;
            }
        }
        Ok(rendered)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
