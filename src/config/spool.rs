//! `[spool]`: how much of the disk deliveries may take while Postgres cannot have them.

use std::ops::RangeInclusive;

use super::report::Report;
use super::section::Section;

/// The spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spool {
    /// How many bytes its deliveries take up at the most; 1 GiB by default. With 0 there is no spool.
    pub max_bytes: u64,
    /// How many bytes of the disk it leaves free at the least; 64 MiB by default.
    pub min_free_bytes: u64,
}

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Up to 1 TiB.
const BYTES: RangeInclusive<i64> = 0..=1 << 40;

pub(super) const KEYS: &[&str] = &["max_bytes", "min_free_bytes"];

/// Opens `[spool]` with the keys that it may have.
pub(super) fn open<'a>(root: &Section<'a>, report: &mut Report) -> Option<Section<'a>> {
    Section::open_value("[spool]", root.value("spool")?, KEYS, report)
}

/// Reads `[spool]`, which may be absent.
pub(super) fn read(section: Option<&Section>, report: &mut Report) -> Spool {
    let mut bytes = |key| section.and_then(|section| section.whole(key, &BYTES, report));
    Spool { max_bytes: bytes("max_bytes").unwrap_or(GIB), min_free_bytes: bytes("min_free_bytes").unwrap_or(64 * MIB) }
}
