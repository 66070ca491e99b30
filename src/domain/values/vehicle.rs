//! What vehicles are known by.

use crate::domain::columns::{Column, Kind, Scalar};

use super::text::{is_format, matched};

/// A vehicle identification number: upper case, without spaces, of any length.
///
/// ```
/// use forecourt::domain::values::Vin;
///
/// let vin = Vin::parse("wba 3a5c5 0df 123456");
/// assert_eq!(vin.as_ref().map(Vin::as_str), Some("WBA3A5C50DF123456"));
/// assert_eq!(Vin::parse("T.B.A."), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vin(String);

/// A dealer's stock number: upper case, without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockNumber(String);

/// Words that stand for a VIN or a stock number that is not known, without what stands between their letters.
const STAND_INS: [&str; 19] = [
    "TBA",
    "TBC",
    "TBD",
    "TOBEADVISED",
    "TOBEANNOUNCED",
    "TOBECONFIRMED",
    "TOBEDETERMINED",
    "NA",
    "NIL",
    "NONE",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "NOTKNOWN",
    "NOTYETAVAILABLE",
    "NOVIN",
    "NULL",
    "PENDING",
    "UNDEFINED",
    "UNKNOWN",
];

impl Vin {
    /// Reads a VIN. An empty text is none, nor is a word that stands for none, one character alone or repeated, or
    /// a text without letters and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        compact(text).filter(|vin| !is_stand_in(vin) && !is_one_character(vin)).map(Self)
    }

    /// The VIN that a row holds, as it was read when it was written.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.to_owned()))
    }

    /// The VIN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is not 17 letters and digits of ASCII, or contains I, O or Q (ISO 3779).
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        self.0.len() != 17
            || self.0.contains(|letter: char| !letter.is_ascii_alphanumeric() || matches!(letter, 'I' | 'O' | 'Q'))
    }
}

impl StockNumber {
    /// Reads a stock number. An empty text is none, nor is a word that stands for none or a text without letters and
    /// digits; `7` and `888` are stock numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        compact(text).filter(|number| !is_stand_in(number)).map(Self)
    }

    /// The stock number that a row holds, as it was read when it was written.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.to_owned()))
    }

    /// The stock number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Column for Vin {
    const KIND: Kind = Kind::Text;
    fn to_scalar(&self) -> Scalar {
        Scalar::Text(self.0.clone())
    }
    fn from_scalar(scalar: Scalar) -> Option<Self> {
        if let Scalar::Text(text) = scalar { Some(Self(text)) } else { None }
    }
    type SqlParam<'a> = &'a str;
    fn sql_param(&self) -> &str {
        self.as_str()
    }
}

impl Column for StockNumber {
    const KIND: Kind = Kind::Text;
    fn to_scalar(&self) -> Scalar {
        Scalar::Text(self.0.clone())
    }
    fn from_scalar(scalar: Scalar) -> Option<Self> {
        if let Scalar::Text(text) = scalar { Some(Self(text)) } else { None }
    }
    type SqlParam<'a> = &'a str;
    fn sql_param(&self) -> &str {
        self.as_str()
    }
}

/// Removes all space and makes upper case; `None` where nothing is left.
fn compact(text: &str) -> Option<String> {
    let compact: String = if text.is_ascii() {
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(|byte| char::from(byte.to_ascii_uppercase()))
            .collect()
    } else {
        matched(&text.to_uppercase()).chars().filter(|c| !c.is_whitespace() && !is_format(*c)).collect()
    };
    (!compact.is_empty()).then_some(compact)
}

/// Whether it is a word that stands for none, however it is written (`N/A`, `T.B.A.`, `(none)`), or holds no letter
/// and no digit.
fn is_stand_in(text: &str) -> bool {
    let signs = || text.chars().filter(|c| c.is_alphanumeric());
    let Some(first) = signs().next() else { return true };
    STAND_INS.iter().any(|word| word.starts_with(first) && signs().eq(word.chars()))
}

/// Whether its letters and digits are one and the same.
fn is_one_character(text: &str) -> bool {
    let mut signs = text.chars().filter(|c| c.is_alphanumeric());
    let first = signs.next();
    signs.all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spaces_and_case_do_not_tell_vehicles_apart() {
        for sent in ["jsagjb74v00202326", " JSAGJB74V00202326 ", "JSA GJB74V\t00202326"] {
            assert_eq!(Vin::parse(sent).as_ref().map(Vin::as_str), Some("JSAGJB74V00202326"), "{sent}");
        }
        assert_eq!(StockNumber::parse(" ddf 445").as_ref().map(StockNumber::as_str), Some("DDF445"));
        for sent in ["\u{200b}JSAGJB74V00202326\u{feff}", "JSAGJB74V００２０２３２６", "JSA\u{a0}GJB74V\u{ad}00202326"]
        {
            assert_eq!(Vin::parse(sent).as_ref().map(Vin::as_str), Some("JSAGJB74V00202326"), "{sent:?}");
        }
        assert_eq!(StockNumber::parse("u–１２\u{2011}3").as_ref().map(StockNumber::as_str), Some("U-12-3"));
        assert_eq!(Vin::parse(" "), None);
        assert_eq!(StockNumber::parse(""), None);
    }

    #[test]
    fn a_vin_may_look_unusual() {
        for (sent, unusual) in [
            ("JSAGJB74V00202326", false),
            ("ZARPAHJN2P7D66539", false),
            ("XXX1234551232", true),
            ("JSAGJB74V0020232O", true),
            ("JSAGJB74V0020232I", true),
            ("JSAGJB74V0020232Q", true),
            ("JSAGJB74V002023266", true),
        ] {
            assert_eq!(Vin::parse(sent).map(|vin| vin.is_unusual()), Some(unusual), "{sent}");
        }
    }

    #[test]
    fn what_stands_for_none_is_none() {
        for sent in [
            "TBA",
            "tbc",
            "N/A",
            "n / a",
            "N.A.",
            "NA",
            "none",
            "(none)",
            "NULL",
            "Unknown",
            "pending",
            "T.B.A.",
            "-",
            "--",
            "?",
            "not available",
            "T\u{200b}BA",
            "n\u{2044}a",
        ] {
            assert_eq!((Vin::parse(sent), StockNumber::parse(sent)), (None, None), "{sent:?}");
        }
        for sent in ["00000000000000000", "XXXXXXXXXXXXXXXXX", "xxx", "1111", "0", "7", "888", "0-0-0", "０００"] {
            assert_eq!(Vin::parse(sent), None, "{sent:?}");
            assert!(StockNumber::parse(sent).is_some(), "{sent:?}");
        }
        for sent in ["TBA1", "TBA123", "NAA", "NONE1", "10", "XXX1234551232", "PENDINGTON"] {
            assert!(Vin::parse(sent).is_some() && StockNumber::parse(sent).is_some(), "{sent:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in "(\\PC|[A-Za-z０-９\u{200b}-\u{200f} –’/.-]){0,20}") {
            if let Some(vin) = Vin::parse(&text) {
                prop_assert_eq!(Vin::parse(vin.as_str()), Some(vin));
            }
            if let Some(number) = StockNumber::parse(&text) {
                prop_assert_eq!(StockNumber::parse(number.as_str()), Some(number));
            }
        }
    }
}
