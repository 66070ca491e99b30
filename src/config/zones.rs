//! What to write in place of a time zone that nobody knows: abbreviations and cities have a zone of their own name.

use chrono_tz::TZ_VARIANTS;

use super::report::{quoted, suggestion};

/// The zones that people mean by an abbreviation. In Australia one stands for several, which differ in daylight saving.
const ABBREVIATIONS: [(&str, &[&str]); 14] = [
    ("AEST", &["Australia/Brisbane", "Australia/Sydney", "Australia/Melbourne", "Australia/Hobart"]),
    ("AEDT", &["Australia/Sydney", "Australia/Melbourne", "Australia/Hobart"]),
    ("AET", &["Australia/Brisbane", "Australia/Sydney", "Australia/Melbourne", "Australia/Hobart"]),
    ("ACST", &["Australia/Adelaide", "Australia/Darwin"]),
    ("ACDT", &["Australia/Adelaide"]),
    ("ACT", &["Australia/Sydney"]),
    ("ACWST", &["Australia/Eucla"]),
    ("AWST", &["Australia/Perth"]),
    ("AWDT", &["Australia/Perth"]),
    ("LHST", &["Australia/Lord_Howe"]),
    ("LHDT", &["Australia/Lord_Howe"]),
    ("NZST", &["Pacific/Auckland"]),
    ("NZDT", &["Pacific/Auckland"]),
    ("SGT", &["Asia/Singapore"]),
];

/// Zones without daylight saving that bear an abbreviation of America's, and that `EST` is not meant to be in Australia.
pub(super) const OF_AMERICA: [&str; 7] = ["EST", "MST", "HST", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"];

/// The end of a sentence about a zone that is not known.
pub(super) fn instead_of(name: &str) -> String {
    let meant = ABBREVIATIONS.iter().find(|(abbreviation, _)| name.eq_ignore_ascii_case(abbreviation));
    if let Some((_, zones)) = meant {
        return match zones {
            [zone] => format!("; did you mean `{zone}`?"),
            several => format!(
                "; it stands for several that differ in daylight saving: write one of {}",
                quoted(several.iter().copied())
            ),
        };
    }
    // The signs of `Etc/GMT+10` are the other way round than people write them: nobody is led there.
    let names = || {
        TZ_VARIANTS.iter().map(|zone| zone.name()).filter(|name| !name.starts_with("Etc/") && !name.starts_with("GMT"))
    };
    let place = name.trim().replace(' ', "_");
    let is_of_place = |zone: &&str| zone.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&place));
    if let Some(zone) = names().filter(is_of_place).max_by_key(|zone| zone.starts_with("Australia/")) {
        return format!("; did you mean `{zone}`?");
    }
    let near = suggestion(name, names());
    if near.is_empty() { "; write an IANA name such as `Australia/Brisbane`".to_owned() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_that_is_proposed_exists() {
        for zone in ABBREVIATIONS.iter().flat_map(|(_, zones)| *zones).chain(&OF_AMERICA) {
            assert!(zone.parse::<chrono_tz::Tz>().is_ok(), "{zone}");
        }
        for (abbreviation, _) in ABBREVIATIONS {
            assert!(abbreviation.parse::<chrono_tz::Tz>().is_err(), "{abbreviation} is a zone itself");
        }
    }

    #[test]
    fn an_abbreviation_a_city_or_a_slip_of_the_pen_has_a_zone_to_write_in_its_place() {
        for (name, expected) in [
            (
                "AEST",
                "; it stands for several that differ in daylight saving: write one of `Australia/Brisbane`, \
                 `Australia/Sydney`, `Australia/Melbourne`, `Australia/Hobart`",
            ),
            (
                "acst",
                "; it stands for several that differ in daylight saving: write one of `Australia/Adelaide`, `Australia/Darwin`",
            ),
            ("AWST", "; did you mean `Australia/Perth`?"),
            ("NZDT", "; did you mean `Pacific/Auckland`?"),
            ("brisbane", "; did you mean `Australia/Brisbane`?"),
            ("Broken Hill", "; did you mean `Australia/Broken_Hill`?"),
            ("Australia/Melborne", "; did you mean `Australia/Melbourne`?"),
            ("GMT+10", "; write an IANA name such as `Australia/Brisbane`"),
            ("Utopia", "; write an IANA name such as `Australia/Brisbane`"),
        ] {
            assert_eq!(instead_of(name), expected, "{name}");
        }
    }
}
