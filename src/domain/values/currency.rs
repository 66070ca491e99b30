//! Currencies by code.

use super::Country;

/// A currency, as ISO 4217: three capital letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency(String);

impl Currency {
    /// Reads a code of three letters. Which of them are in use is not looked at: that list changes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_alphabetic());
        is_code.then(|| Self(text.to_ascii_uppercase()))
    }

    /// That of the countries whose dealerships the senders serve; of no other one it is guessed.
    #[must_use]
    pub fn of(country: &Country) -> Option<Self> {
        let code = match country.code() {
            "AU" => "AUD",
            "GB" => "GBP",
            "NZ" => "NZD",
            _ => return None,
        };
        Some(Self(code.to_owned()))
    }

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_three_letters() {
        assert_eq!(Currency::parse("eur").unwrap().code(), "EUR");
        for text in ["", "EU", "EURO", "E1R", "€", " AUD"] {
            assert_eq!(Currency::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn where_the_senders_dealerships_are_the_country_tells_it() {
        let of = |country: &str| Currency::of(&Country::parse(country).unwrap()).map(|currency| currency.0);
        assert_eq!(of("Australia").as_deref(), Some("AUD"));
        assert_eq!(of("uk").as_deref(), Some("GBP"));
        assert_eq!(of("NZ").as_deref(), Some("NZD"));
        assert_eq!(of("DE"), None);
    }
}
