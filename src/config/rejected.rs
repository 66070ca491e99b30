//! `[rejected]`: what is kept of requests without a valid credential; for how long is said in `[retention]`.

use std::ops::RangeInclusive;

use super::report::{Report, Span};
use super::section::Section;

/// What is kept of refused requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Whether any are kept; `true` by default.
    pub keep: bool,
    /// How many are kept at the most; 10,000 by default.
    pub max_count: u32,
    /// How many bytes their bodies have in all at the most; 256 MiB by default.
    pub max_bytes: u64,
    /// How many of one address are kept in a minute at the most; 60 by default.
    pub per_minute_and_address: u32,
}

/// For how many days they are kept, as it was written before there was `[retention]`.
pub(super) struct FormerDays {
    pub(super) days: u32,
    pub(super) span: Span,
}

impl Default for Rejected {
    fn default() -> Self {
        Self { keep: true, max_count: 10_000, max_bytes: 256 << 20, per_minute_and_address: 60 }
    }
}

pub(super) const KEYS: &[&str] = &["keep", "max_count", "max_bytes", "per_minute_and_address", "days"];

const MAX_COUNT: RangeInclusive<i64> = 1..=1_000_000;
const MAX_BYTES: RangeInclusive<i64> = 1024..=1 << 40;
const PER_MINUTE: RangeInclusive<i64> = 1..=100_000;
const DAYS: RangeInclusive<i64> = 1..=3650;

/// Reads `[rejected]`, which may be absent.
pub(super) fn read(root: &Section, report: &mut Report) -> (Rejected, Option<FormerDays>) {
    let default = Rejected::default();
    let Some(value) = root.value("rejected") else { return (default, None) };
    let Some(section) = Section::open_value("[rejected]", value, KEYS, report) else { return (default, None) };
    let per_minute = section.whole("per_minute_and_address", &PER_MINUTE, report);
    let days = section.whole("days", &DAYS, report);
    let former = days.map(|days| FormerDays { days, span: section.span_of("days") });
    let rejected = Rejected {
        keep: section.flag("keep", report).unwrap_or(default.keep),
        max_count: section.whole("max_count", &MAX_COUNT, report).unwrap_or(default.max_count),
        max_bytes: section.whole("max_bytes", &MAX_BYTES, report).unwrap_or(default.max_bytes),
        per_minute_and_address: per_minute.unwrap_or(default.per_minute_and_address),
    };
    (rejected, former)
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read_text(text: &str) -> Result<Rejected, String> {
        let mut report = Report::about("f", text);
        let (root, _errors) = DeTable::parse_recoverable(text);
        let section = Section::open("the file", 0..0, root.get_ref(), &["rejected"], &mut report);
        let (read, _days) = read(&section, &mut report);
        report.conclude(Some(read)).map(|concluded| concluded.read).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(read_text("").unwrap(), Rejected::default());
        let read = read_text("[rejected]\nkeep = false\nmax_count = 5\ndays = 3650\n").unwrap();
        assert_eq!(read, Rejected { keep: false, max_count: 5, ..Rejected::default() });
        let read = read_text("[rejected]\nmax_bytes = 1024\nper_minute_and_address = 7\n").unwrap();
        assert_eq!(read, Rejected { max_bytes: 1024, per_minute_and_address: 7, ..Rejected::default() });
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_a_remedy() {
        for (line, expected) in [
            ("keep = 1", "f:2:8: `keep` is a whole number here; write `true` or `false`"),
            ("max_count = 0", "f:2:13: `max_count`: write a whole number from 1 to 1000000"),
            ("max_bytes = 1", "f:2:13: `max_bytes`: write a whole number from 1024 to 1099511627776"),
            ("per_minute_and_address = 0", "f:2:26: `per_minute_and_address`: write a whole number from 1 to 100000"),
            ("days = 0", "f:2:8: `days`: write a whole number from 1 to 3650"),
        ] {
            assert_eq!(read_text(&format!("[rejected]\n{line}\n")).unwrap_err(), expected);
        }
        let unknown = read_text("[rejected]\nmax_counts = 1\n").unwrap_err();
        assert!(unknown.contains("did you mean `max_count`?"), "{unknown}");
    }
}
