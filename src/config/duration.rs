//! A span of time as people write it: a whole number and its unit, as in `"26h"`.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use chrono::TimeDelta;

use super::report::Report;
use super::section::{Section, Value, kind};

/// The units, longest first, with their seconds.
const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Reads a span of time within bounds, which are written in whole seconds; `example` shows how the line is written.
pub(super) fn read(
    section: &Section,
    key: &str,
    example: &str,
    bounds: &RangeInclusive<i64>,
    report: &mut Report,
) -> Option<TimeDelta> {
    let value = section.value(key)?;
    let seconds = seconds(value);
    if seconds.is_none_or(|seconds| !bounds.contains(&seconds)) {
        let (least, most) = (shown_seconds(*bounds.start()), shown_seconds(*bounds.end()));
        let what = match (value.get_ref().as_str(), seconds) {
            (Some(text), None) => format!("`{text}` is no span of time"),
            (Some(text), Some(seconds)) if seconds < *bounds.start() => format!("`{text}` is too short"),
            (Some(text), Some(_)) => format!("`{text}` is too long"),
            (None, _) => format!("`{key}` is {} here", kind(value)),
        };
        let message = format!(
            "{what}; write a whole number with `m`, `h`, `d` or `w` behind it, from {least} to {most}, such as \
             `{key} = {example}`"
        );
        report.problem(&value.span(), message);
        return None;
    }
    seconds.map(TimeDelta::seconds)
}

fn seconds(value: &Value) -> Option<i64> {
    let text = value.get_ref().as_str()?.trim();
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    let is_whole = !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit());
    if is_whole { number.parse::<i64>().ok()?.checked_mul(*seconds) } else { None }
}

/// A span of time as it is written in the configuration, with the longest units that leave nothing over.
#[must_use]
pub fn shown(span: TimeDelta) -> String {
    shown_seconds(span.num_seconds())
}

fn shown_seconds(seconds: i64) -> String {
    // Two days are written so, 26 hours are not a day and two hours: nobody writes that.
    let unit = UNITS.iter().find(|(unit, each)| *unit != "w" && seconds % each == 0 && seconds >= *each);
    let (unit, each) = unit.copied().unwrap_or(("s", 1));
    let mut text = String::new();
    // A text takes whatever is written to it.
    let _ = write!(text, "{}{unit}", seconds / each);
    text
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read_text(value: &str) -> Result<TimeDelta, String> {
        let text = format!("expect = {{ inventory = {value} }}\n");
        let mut report = Report::about("f", &text);
        let (root, _errors) = DeTable::parse_recoverable(&text);
        let root = Section::open("the file", 0..0, root.get_ref(), &["expect"], &mut report);
        let section =
            Section::open_value("expect", root.value("expect").unwrap(), &["inventory"], &mut report).unwrap();
        let read = read(&section, "inventory", "\"26h\"", &(600..=86_400 * 400), &mut report);
        report.conclude(read).map(|concluded| concluded.read).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_span_is_a_whole_number_with_its_unit() {
        for (written, seconds, again) in [
            ("\"26h\"", 93_600, "26h"),
            ("\"3d\"", 259_200, "3d"),
            ("\" 90 m \"", 5_400, "90m"),
            ("\"2w\"", 1_209_600, "14d"),
            ("\"48h\"", 172_800, "2d"),
            ("\"601s\"", 601, "601s"),
        ] {
            let read = read_text(written).unwrap();
            assert_eq!((read.num_seconds(), shown(read).as_str()), (seconds, again), "{written}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_what_to_write() {
        let instead = "; write a whole number with `m`, `h`, `d` or `w` behind it, from 10m to 400d, such as \
             `inventory = \"26h\"`";
        for (written, what) in [
            ("26", "`inventory` is a whole number here"),
            ("true", "`inventory` is true or false here"),
            ("\"26\"", "`26` is no span of time"),
            ("\"h\"", "`h` is no span of time"),
            ("\"-3d\"", "`-3d` is no span of time"),
            ("\"1.5d\"", "`1.5d` is no span of time"),
            ("\"a day\"", "`a day` is no span of time"),
            ("\"9m\"", "`9m` is too short"),
            ("\"0h\"", "`0h` is too short"),
            ("\"401d\"", "`401d` is too long"),
            ("\"99999999999999999999d\"", "`99999999999999999999d` is no span of time"),
        ] {
            let refusal = read_text(written).unwrap_err();
            assert_eq!(refusal, format!("f:1:24: {what}{instead}"), "{written}");
        }
    }
}
