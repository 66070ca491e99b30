//! What processes use, as Linux tells it below `/proc`; elsewhere nothing is known.

use std::fs;

/// The unit in which `/proc` counts processor time: a hundredth of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time of a process and its finished children so far, in seconds.
pub(crate) fn cpu(pid: u32) -> Option<f64> {
    let ticks: u64 = stat(pid)?.iter().skip(11).take(4).sum();
    // Far below 2^52.
    #[expect(clippy::cast_precision_loss, reason = "a benchmark does not run for millions of years")]
    Some(ticks as f64 / TICKS_PER_SECOND)
}

/// The processor time of a process with all of its children, in seconds.
pub(crate) fn family_cpu(pid: u32) -> Option<f64> {
    let children = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = children.filter(|child| stat(*child).is_some_and(|stat| stat.get(1) == Some(&u64::from(pid))));
    Some(cpu(pid)? + children.filter_map(cpu).sum::<f64>())
}

/// The most memory that a process has had, in MiB.
pub(crate) fn peak_memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

/// The numbers of `/proc/<pid>/stat` from the state on; what is no number reads as nought.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, numbers) = text.rsplit_once(')')?;
    Some(numbers.split_whitespace().map(|word| word.parse().unwrap_or_default()).collect())
}
