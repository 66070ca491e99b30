//! Phone numbers, read as in the workspace's region.

use std::str::FromStr;

use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, Type};

/// A region in which phone numbers without a country code are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneRegion(String);

/// A phone number as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phone {
    /// A valid number, as E.164.
    Valid(String),
    /// What is not a valid number, as sent.
    AsSent(String),
}

/// The longest text that is looked at; no number comes near it.
const LONGEST: usize = 60;

impl PhoneRegion {
    /// Reads an ISO 3166-1 alpha-2 code of a region whose numbering plan is known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let known = DATABASE.by_id(text.as_str()).is_some() && Id::from_str(&text).is_ok();
        known.then_some(Self(text))
    }

    /// The region of senders that work in the United Kingdom.
    #[must_use]
    pub fn great_britain() -> Self {
        Self("GB".to_owned())
    }

    /// The two-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}

impl Phone {
    /// Reads a number in a region; what is not a valid number there is kept as sent.
    #[must_use]
    pub fn parse(text: &str, region: &PhoneRegion) -> Self {
        let text = text.trim();
        e164(text, region).map_or_else(|| Self::AsSent(text.to_owned()), Self::Valid)
    }

    /// Whether it is a number that can be a mobile phone's; in some countries nothing tells it from a fixed line's.
    #[must_use]
    pub fn is_mobile(&self) -> bool {
        let number = match self {
            Self::Valid(number) => phonenumber::parse(None, number),
            Self::AsSent(_) => return false,
        };
        number.is_ok_and(|number| matches!(number.number_type(&DATABASE), Type::Mobile | Type::FixedLineOrMobile))
    }

    /// The number, or the text as sent.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Valid(text) | Self::AsSent(text) => text,
        }
    }
}

/// Loads the numbering plans, which takes some 65 ms; without it the first delivery waits for that.
pub fn warm_up() {
    let _ = Phone::parse("0403 123 123", &PhoneRegion("AU".to_owned()));
}

fn e164(text: &str, region: &PhoneRegion) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let number = phonenumber::parse(Id::from_str(&region.0).ok(), text).ok()?;
    number.is_valid().then(|| number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn region(code: &str) -> PhoneRegion {
        PhoneRegion::parse(code).unwrap()
    }

    #[test]
    fn valid_numbers_become_e164() {
        for (code, sent, stored) in [
            ("AU", "0403 123 123", "+61403123123"),
            ("AU", "0412123123", "+61412123123"),
            ("AU", " (02) 6280 4440 ", "+61262804440"),
            ("AU", "+61411111111", "+61411111111"),
            ("AU", "+61 (0)411 111 111", "+61411111111"),
            ("AU", "0011 44 7911 123456", "+447911123456"),
            ("AU", "61411111111", "+61411111111"),
            ("AU", "411111111", "+61411111111"),
            ("AU", "1300 975 707", "+611300975707"),
            ("AU", "+64 21 123 4567", "+64211234567"),
            ("GB", "07911 123456", "+447911123456"),
            ("NZ", "021 123 4567", "+64211234567"),
        ] {
            assert_eq!(Phone::parse(sent, &region(code)), Phone::Valid(stored.into()), "{sent}");
        }
    }

    #[test]
    fn mobile_numbers_are_told_from_others_where_the_country_does() {
        for (sent, is_mobile) in [
            ("07123456789", true),
            ("7123456789", true),
            ("+44 7911 123456", true),
            ("+61 412 123 123", true),
            ("+1 212 555 2368", true),
            ("020 7946 0958", false),
            ("01865 123456", false),
            ("0800 123 4567", false),
            ("nobody", false),
            ("07", false),
        ] {
            assert_eq!(Phone::parse(sent, &PhoneRegion::great_britain()).is_mobile(), is_mobile, "{sent}");
        }
    }

    #[test]
    fn other_texts_are_kept_as_sent() {
        let long = "0".repeat(5_000);
        for sent in [
            "041000000",
            "123",
            "abc",
            "0403 123",
            "+61",
            "0000000000",
            "0403 123 123 / 0403 123 124",
            "number: none",
            &long,
        ] {
            assert_eq!(Phone::parse(sent, &region("AU")), Phone::AsSent(sent.to_owned()), "{sent}");
        }
    }

    #[test]
    fn a_region_is_one_with_a_numbering_plan() {
        for (sent, code) in [
            ("AU", Some("AU")),
            (" gb ", Some("GB")),
            ("nz", Some("NZ")),
            ("ZZ", None),
            ("AUS", None),
            ("", None),
            ("001", None),
        ] {
            assert_eq!(PhoneRegion::parse(sent).as_ref().map(PhoneRegion::code), code, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+(). 0-9a-z;=:/]{0,40}|\\PC{0,30}") {
            let _ = Phone::parse(&text, &region("AU"));
        }

        #[test]
        fn reading_a_stored_number_again_changes_nothing(text in "\\+?[0-9 ]{6,16}") {
            let stored = Phone::parse(&text, &region("AU"));
            if let Phone::Valid(number) = &stored {
                prop_assert_eq!(Phone::parse(number, &region("AU")), stored.clone());
            }
        }
    }
}
