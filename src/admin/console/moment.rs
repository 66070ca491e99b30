//! Times as a person reads them: in the zone of the workspace that they belong to, and by how long ago that was.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

/// A time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// As RFC 3339, for machines.
    pub(super) iso: String,
    /// With the zone's name behind it.
    pub(super) text: String,
    /// How long ago, or in how long.
    pub(super) ago: String,
}

impl Moment {
    /// In a zone; in UTC where that is not known.
    pub(super) fn of(at: DateTime<Utc>, zone: Option<&str>, now: DateTime<Utc>) -> Self {
        let zone: Tz = zone.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            text: at.with_timezone(&zone).format("%-d %b %Y, %H:%M:%S %Z").to_string(),
            ago: ago(now - at),
        }
    }
}

fn ago(past: TimeDelta) -> String {
    let (seconds, is_ahead) = (past.num_seconds().abs(), past < TimeDelta::zero());
    let (count, unit) = match seconds {
        0..10 => return "just now".to_owned(),
        10..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if is_ahead { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_zone_of_its_workspace_and_by_its_distance() {
        let at: DateTime<Utc> = "2026-11-26T23:42:07.123456Z".parse().unwrap();
        let moment = Moment::of(at, Some("Australia/Sydney"), at + TimeDelta::minutes(3));
        assert_eq!(moment.iso, "2026-11-26T23:42:07.123Z");
        assert_eq!((moment.text.as_str(), moment.ago.as_str()), ("27 Nov 2026, 10:42:07 AEDT", "3 minutes ago"));
        assert_eq!(Moment::of(at, Some("Nowhere"), at).text, "26 Nov 2026, 23:42:07 UTC");
        for (seconds, expected) in [
            (0, "just now"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
            (-90_000, "in 1 day"),
        ] {
            assert_eq!(ago(TimeDelta::seconds(seconds)), expected);
        }
    }
}
