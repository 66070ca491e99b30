//! What the system knows of this process, by the names that every Prometheus client gives it (`process_*`). It is read from
//! `/proc`; where there is none, it is left out.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};

use super::sample::gauge;

/// Puts what is known into a registry.
pub(super) fn register(registry: &mut Registry) {
    if let Some(Memory { resident, of_addresses, threads }) = memory() {
        gauge(
            registry,
            "forecourt_memory_bytes",
            "Resident memory of the service, without a Postgres of its own",
            resident,
        );
        gauge(registry, "process_resident_memory_bytes", "Resident memory size in bytes", resident);
        gauge(registry, "process_virtual_memory_bytes", "Virtual memory size in bytes", of_addresses);
        gauge(registry, "process_threads", "Number of OS threads", threads);
    }
    if let Some(Times { cpu_seconds, started_at }) = times() {
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by(cpu_seconds);
        registry.register("process_cpu_seconds", "Total user and system CPU time spent in seconds", cpu);
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(started_at);
        registry.register(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds",
            started,
        );
    }
    if let Some(open) = open_files() {
        gauge(registry, "process_open_fds", "Number of open file descriptors", open);
        if let Some(most) = getrlimit(Resource::Nofile).current {
            gauge(registry, "process_max_fds", "Maximum number of open file descriptors", most);
        }
    }
}

struct Memory {
    resident: u64,
    of_addresses: u64,
    threads: u64,
}

fn memory() -> Option<Memory> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let kib = |name: &str| Some(field(name)?.saturating_mul(1_024));
    Some(Memory { resident: kib("VmRSS:")?, of_addresses: kib("VmSize:")?, threads: field("Threads:")? })
}

struct Times {
    cpu_seconds: f64,
    /// In seconds since 1970.
    started_at: f64,
}

#[expect(clippy::cast_precision_loss, reason = "of ticks and seconds, an f64 loses none before the year 280,000,000")]
fn times() -> Option<Times> {
    let ticks = clock_ticks_per_second() as f64;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // After the program's name in brackets, which can hold anything: the 3rd field is the first.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let field = |number: usize| -> Option<f64> { Some(fields.get(number - 3)?.parse::<u64>().ok()? as f64) };
    let system = fs::read_to_string("/proc/stat").ok()?;
    let booted_at: u64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Times { cpu_seconds: (field(14)? + field(15)?) / ticks, started_at: booted_at as f64 + field(22)? / ticks })
}

fn open_files() -> Option<u64> {
    // One of them is the folder that is being read.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u64::try_from(open).ok()
}
