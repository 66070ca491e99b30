//! What is looked at only when somebody asks for the metrics. Nothing of it asks Postgres, or waits for a disk.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What a look at the service showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The spool, where there is one.
    pub spool: Option<SpoolSample>,
    /// `server.max_memory_bytes`.
    pub memory_limit_bytes: u64,
}

/// How full the spool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolSample {
    /// How many deliveries are in it.
    pub deliveries: u64,
    /// How many bytes they take up.
    pub bytes: u64,
    /// For how long the oldest has waited.
    pub oldest_seconds: u64,
    /// `spool.max_bytes`.
    pub limit_bytes: u64,
}

impl Sample {
    /// Puts it into a registry. What is not known is left out.
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { spool, memory_limit_bytes } = *self;
        let SpoolSample { deliveries, bytes, oldest_seconds, limit_bytes } = spool.unwrap_or_default();
        gauge(registry, "forecourt_spool_deliveries", "Deliveries that wait in the spool", deliveries);
        gauge(registry, "forecourt_spool_bytes", "Bytes that the deliveries in the spool take up", bytes);
        gauge(registry, "forecourt_spool_oldest_seconds", "For how long the oldest of them has waited", oldest_seconds);
        if spool.is_some() {
            gauge(registry, "forecourt_spool_limit_bytes", "Bytes that the spool takes: spool.max_bytes", limit_bytes);
        }
        gauge(
            registry,
            "forecourt_memory_limit_bytes",
            "Bytes of memory that the service may take: server.max_memory_bytes",
            memory_limit_bytes,
        );
    }
}

/// A gauge of something that was looked at.
pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<u64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}
