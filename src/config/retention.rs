//! `[retention]`: how long what arrived is kept.

use std::ops::RangeInclusive;

use chrono::TimeDelta;

use crate::domain::retention::Retention;

use super::duration::{self, shown};
use super::rejected::FormerDays;
use super::report::Report;
use super::section::Section;

pub(super) const KEYS: &[&str] = &["deliveries", "bodies", "identity", "rejected"];

/// From a day to a hundred years, in seconds.
const KEPT: RangeInclusive<i64> = 86_400..=36_500 * 86_400;

/// Reads `[retention]`, which may be absent; `former` is what `[rejected]` says of it.
pub(super) fn read(root: &Section, former: Option<&FormerDays>, report: &mut Report) -> Retention {
    let value = root.value("retention");
    let section = value.and_then(|value| Section::open_value("[retention]", value, KEYS, report));
    let mut kept = |key: &str, example: &str| duration::read(section.as_ref()?, key, example, &KEPT, report);
    let (deliveries, bodies) = (kept("deliveries", "\"400d\""), kept("bodies", "\"90d\""));
    let (identity, rejected) = (kept("identity", "\"90d\""), kept("rejected", "\"14d\""));
    let default = Retention::default();
    let former_days = former.map(|former| TimeDelta::days(former.days.into()));
    let retention =
        Retention { deliveries, bodies, identity, rejected: rejected.or(former_days).unwrap_or(default.rejected) };
    if let Some(FormerDays { days, span }) = former {
        if section.as_ref().is_some_and(|section| section.value("rejected").is_some()) {
            let message = "`days` and `rejected` of [retention] say the same; take `days` out";
            report.problem(span, message);
        } else {
            let message = format!("`days` is called otherwise now; write `rejected = \"{days}d\"` below [retention]");
            report.warning(span, message);
        }
    }
    if let (Some(section), Some(identity)) = (&section, retention.identity) {
        let bodies = retention.bodies_kept();
        if bodies.is_none_or(|bodies| bodies > identity) {
            let bodies = bodies.map_or_else(|| "for ever".to_owned(), |bodies| format!("for {}", shown(bodies)));
            let message = format!(
                "identity documents are let go after {}, and bodies, which hold them as they were sent, are kept {bodies}; \
                 write `bodies = \"{}\"` or less",
                shown(identity),
                shown(identity)
            );
            report.warning(&section.span_of("identity"), message);
        }
    }
    retention
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;
    use crate::config::rejected;

    /// What is read, with the warnings.
    fn read_text(text: &str) -> Result<(Retention, Vec<String>), String> {
        let mut report = Report::about("f", text);
        let (root, _errors) = DeTable::parse_recoverable(text);
        let section = Section::open("the file", 0..0, root.get_ref(), &["rejected", "retention"], &mut report);
        let (_, former) = rejected::read(&section, &mut report);
        let read = read(&section, former.as_ref(), &mut report);
        let concluded = report.conclude(Some(read)).map_err(|problems| problems.to_string())?;
        Ok((concluded.read, concluded.warnings))
    }

    #[test]
    fn what_is_left_out_is_kept_for_ever_and_refused_requests_two_weeks() {
        assert_eq!(read_text("").unwrap(), (Retention::default(), vec![]));
        let (read, warnings) =
            read_text("[retention]\ndeliveries = \"400d\"\nbodies = \"12w\"\nidentity = \"84d\"\nrejected = \"36h\"\n")
                .unwrap();
        let days = |days| Some(TimeDelta::days(days));
        let rejected = TimeDelta::hours(36);
        assert_eq!(read, Retention { deliveries: days(400), bodies: days(84), identity: days(84), rejected });
        assert_eq!(warnings, [] as [String; 0]);
    }

    #[test]
    fn days_of_rejected_are_still_read_and_not_beside_what_took_their_place() {
        let (read, warnings) = read_text("[rejected]\ndays = 7\n").unwrap();
        assert_eq!(read.rejected, TimeDelta::days(7));
        assert_eq!(warnings, ["f:2:8: `days` is called otherwise now; write `rejected = \"7d\"` below [retention]"]);
        let (read, warnings) = read_text("[rejected]\ndays = 7\n[retention]\nbodies = \"90d\"\n").unwrap();
        assert_eq!((read.rejected, warnings.len()), (TimeDelta::days(7), 1));
        assert_eq!(
            read_text("[rejected]\ndays = 7\n[retention]\nrejected = \"7d\"\n").unwrap_err(),
            "f:2:8: `days` and `rejected` of [retention] say the same; take `days` out"
        );
    }

    #[test]
    fn bodies_that_are_kept_longer_than_the_documents_in_them_are_warned_of() {
        let warned = |text: &str| read_text(&format!("[retention]\n{text}\n")).unwrap().1;
        let forever = warned("identity = \"90d\"");
        assert_eq!(
            forever,
            [
                "f:2:12: identity documents are let go after 90d, and bodies, which hold them as they were sent, are kept for \
              ever; write `bodies = \"90d\"` or less"
            ]
        );
        assert!(warned("bodies = \"91d\"\nidentity = \"90d\"")[0].contains("are kept for 91d"));
        for text in
            ["bodies = \"90d\"\nidentity = \"90d\"", "deliveries = \"60d\"\nidentity = \"90d\"", "bodies = \"90d\""]
        {
            assert_eq!(warned(text), [] as [String; 0], "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_a_remedy() {
        let within = "write a whole number with `m`, `h`, `d` or `w` behind it, from 1d to 36500d, such as";
        for (line, expected) in [
            ("bodies = \"23h\"", format!("f:2:10: `23h` is too short; {within} `bodies = \"90d\"`")),
            (
                "deliveries = 400",
                format!("f:2:14: `deliveries` is a whole number here; {within} `deliveries = \"400d\"`"),
            ),
            ("rejected = \"never\"", format!("f:2:12: `never` is no span of time; {within} `rejected = \"14d\"`")),
        ] {
            assert_eq!(read_text(&format!("[retention]\n{line}\n")).unwrap_err(), expected);
        }
        assert!(read_text("[retention]\nbodie = \"90d\"\n").unwrap_err().contains("did you mean `bodies`?"));
    }
}
