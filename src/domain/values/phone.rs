//! Phone numbers, read as Google's libphonenumber reads them in the workspace's region.

use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};

use super::text::trimmed;

/// A region in which phone numbers without a country code are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneRegion(String);

/// A phone number as it is stored.
///
/// ```
/// use forecourt::domain::values::{Phone, PhoneRegion};
///
/// let region = PhoneRegion::parse("AU").unwrap();
/// assert_eq!(Phone::parse("0412 345 678", &region).into_text(), "+61412345678");
/// assert_eq!(Phone::parse("call me", &region).into_text(), "call me");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phone {
    /// A valid number, as E.164.
    Valid(String),
    /// What is not a valid number, as sent.
    AsSent(String),
}

/// The longest text that is looked at, in characters, which is libphonenumber's own limit.
const LONGEST: usize = 250;

impl PhoneRegion {
    /// Reads an ISO 3166-1 alpha-2 code of a region whose numbering plan is known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let region = Region::from_str(&text).ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some().then_some(Self(text))
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
        let text = trimmed(text);
        e164(text, region).map_or_else(|| Self::AsSent(text.to_owned()), Self::Valid)
    }

    /// Whether it is a number that can be a mobile phone's; in some countries nothing tells it from a fixed line's.
    #[must_use]
    pub fn is_mobile(&self) -> bool {
        let number = match self {
            Self::Valid(number) => PHONE_NUMBER_UTIL.parse(number, None),
            Self::AsSent(_) => return false,
        };
        let kind = number.map(|number| PHONE_NUMBER_UTIL.get_number_type(&number));
        matches!(kind, Ok(PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile))
    }

    /// The number, or the text as sent.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Valid(text) | Self::AsSent(text) => text,
        }
    }
}

/// Loads the numbering plans, which takes some 10 ms; without it the first delivery waits for that.
pub fn warm_up() {
    let _ = Phone::parse("0403 123 123", &PhoneRegion("AU".to_owned()));
}

fn e164(text: &str, region: &PhoneRegion) -> Option<String> {
    if text.len() > LONGEST && text.chars().count() > LONGEST {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(text, Region::from_str(&region.0).ok()).ok()?;
    let is_valid = PHONE_NUMBER_UTIL.is_valid_number(&number);
    is_valid.then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
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
            ("AU", "+39 02 1234 5678", "+390212345678"),
            ("AU", "+225 07 12 34 56 78", "+2250712345678"),
            ("AU", "0412345678 m", "+61412345678"),
            ("AU", "1300 FLOWER", "+611300356937"),
            ("AU", "٠٤١٢٣٤٥٦٧٨", "+61412345678"),
            ("AU", "０４１２　３４５　６７８", "+61412345678"),
            ("AU", "\u{202a}+61 412\u{2011}345\u{2011}678\u{202c}", "+61412345678"),
            ("AU", "tel:+61-412-345-678", "+61412345678"),
            ("AU", "0412 345 678 ext. 5", "+61412345678"),
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
            "041234567m",
            "041234567O",
            "1300 FLOWERS",
            "0412345678 (mobile)",
            "0412’345’678",
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

    /// The examples of every region, as Google's library reads them; `scripts/phone-examples.py` makes the table.
    #[test]
    fn the_examples_of_every_region_are_read_as_google_reads_them() {
        let table = include_str!("../../../fixtures/values/phone_examples.tsv");
        let rows: Vec<Vec<&str>> =
            table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
        assert!(rows.len() > 2_500, "{} examples", rows.len());
        let differing = rows.iter().filter(|row| {
            let read = match Phone::parse(row[1], &region(row[0])) {
                Phone::Valid(number) => number,
                Phone::AsSent(_) => String::new(),
            };
            read != row[2]
        });
        // Both have the metadata of one release, so there is none that only the metadata explains.
        assert_eq!(differing.collect::<Vec<_>>(), Vec::<&Vec<&str>>::new());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+(). 0-9a-z;=:/]{0,40}|\\PC{0,30}") {
            let _ = Phone::parse(&text, &region("AU"));
        }

        #[test]
        fn reading_a_stored_number_again_changes_nothing(text in "\\+?[0-9 ]{6,16}|\\+?[0-9٠-٩０-９a-z() –-]{6,18}") {
            let stored = Phone::parse(&text, &region("AU"));
            if let Phone::Valid(number) = &stored {
                prop_assert_eq!(Phone::parse(number, &region("AU")), stored.clone());
            }
        }
    }
}
