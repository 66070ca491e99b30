//! Values that are parsed once and then trusted: addresses, numbers, dates, places.

use super::columns::{Column, Kind, Scalar};

/// A JSON text, kept as it is: the rules only carry it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Takes a text that is JSON already.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address in the form in which it is matched: no surrounding space, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an RFC 5321 address, ASCII or internationalised.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let options =
            email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
        email_address::EmailAddress::parse_with_options(&text, options).ok()?;
        Some(Self(text))
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A vehicle identification number: upper case, without spaces, of any length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vin(String);

/// A dealer's stock number: upper case, without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockNumber(String);

/// Trims, removes inner spaces and makes upper case; `None` where nothing is left.
fn compact(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect::<String>().to_uppercase();
    (!text.is_empty()).then_some(text)
}

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
}

impl Column for StockNumber {
    const KIND: Kind = Kind::Text;
    fn to_scalar(&self) -> Scalar {
        Scalar::Text(self.0.clone())
    }
    fn from_scalar(scalar: Scalar) -> Option<Self> {
        if let Scalar::Text(text) = scalar { Some(Self(text)) } else { None }
    }
}

/// A country, as ISO 3166-1 alpha-2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(String);

impl Country {
    /// Reads a full English name or an ISO code; `uk` is GB.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_uppercase();
        (text.len() == 2).then_some(Self(text))
    }

    /// The two-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}

/// A region in which phone numbers without a country code are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneRegion(String);

impl PhoneRegion {
    /// Reads an ISO 3166-1 alpha-2 code of a region whose numbering plan is known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_uppercase();
        (text.len() == 2).then_some(Self(text))
    }

    /// The two-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}
