//! What vehicles are known by.

use crate::domain::columns::{Column, Kind, Scalar};

/// A vehicle identification number: upper case, without spaces, of any length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vin(String);

/// A dealer's stock number: upper case, without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockNumber(String);

impl Vin {
    /// Reads a VIN; only an empty one is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        compact(text).map(Self)
    }

    /// The VIN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is not 17 characters, or contains I, O or Q (ISO 3779).
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        self.0.chars().count() != 17 || self.0.contains(['I', 'O', 'Q'])
    }
}

impl StockNumber {
    /// Reads a stock number; only an empty one is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        compact(text).map(Self)
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
    type Plain<'a> = &'a str;
    fn plain(&self) -> &str {
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
    type Plain<'a> = &'a str;
    fn plain(&self) -> &str {
        self.as_str()
    }
}

/// Removes all space and makes upper case; `None` where nothing is left.
fn compact(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect::<String>().to_uppercase();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_case_do_not_tell_vehicles_apart() {
        for sent in ["jsagjb74v00202326", " JSAGJB74V00202326 ", "JSA GJB74V\t00202326"] {
            assert_eq!(Vin::parse(sent).as_ref().map(Vin::as_str), Some("JSAGJB74V00202326"), "{sent}");
        }
        assert_eq!(StockNumber::parse(" ddf 445").as_ref().map(StockNumber::as_str), Some("DDF445"));
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
}
