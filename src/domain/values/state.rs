//! The states and territories of Australia.

use super::text::matched;

/// Abbreviation and name of each.
const STATES: [(&str, &str); 8] = [
    ("ACT", "australian capital territory"),
    ("NSW", "new south wales"),
    ("NT", "northern territory"),
    ("QLD", "queensland"),
    ("SA", "south australia"),
    ("TAS", "tasmania"),
    ("VIC", "victoria"),
    ("WA", "western australia"),
];

/// The abbreviation of an Australian state or territory that is given by abbreviation or by full name.
#[must_use]
pub fn australian_state(text: &str) -> Option<&'static str> {
    let words = matched(text).to_lowercase().replace('.', "");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    STATES.iter().find(|(short, long)| words == *long || words.eq_ignore_ascii_case(short)).map(|(short, _)| *short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_known_by_abbreviation_and_by_name() {
        for (sent, short) in [
            ("NSW", Some("NSW")),
            ("nsw", Some("NSW")),
            (" N.S.W. ", Some("NSW")),
            ("New South  Wales", Some("NSW")),
            ("\u{feff}New\u{a0}South\u{200b} Wales", Some("NSW")),
            ("Queensland", Some("QLD")),
            ("Qld", Some("QLD")),
            ("VICTORIA", Some("VIC")),
            ("vic.", Some("VIC")),
            ("Tasmania", Some("TAS")),
            ("WA", Some("WA")),
            ("South Australia", Some("SA")),
            ("NT", Some("NT")),
            ("Australian Capital Territory", Some("ACT")),
            ("Otago", None),
            ("", None),
            ("N", None),
            ("NSW 2000", None),
        ] {
            assert_eq!(australian_state(sent), short, "{sent}");
        }
    }
}
