//! Fields that hold one value.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Number;

use super::json::settled;
use super::{Contents, NUL_REMOVED, Object, Value};
use crate::domain::facts::Field;
use crate::domain::finding::Code;
use crate::domain::values::text::{is_format, trimmed};
use crate::domain::values::{self, Country, Email, Phone, PhoneRegion, StockNumber, Vin};
use crate::domain::workspace::Locale;

/// The longest text that can be part of a key, in characters: an entry of an index has less than 2.7 kB.
const LONGEST_KEY: usize = 255;
/// The largest whole number up to which a double holds every one, 2 to the 53rd.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Object<'_> {
    /// A text.
    #[must_use]
    pub fn text(&self, name: &'static str) -> Option<String> {
        if let Value::String(text) = self.get(name)? {
            self.cleaned(name, text)
        } else {
            self.wrong_type(name, "a text");
            None
        }
    }

    /// A text by which something is looked up: in the form in which it is compared, and not longer than an index can hold.
    #[must_use]
    pub fn name(&self, name: &'static str) -> Option<String> {
        self.text(name).and_then(|text| self.short_enough(name, matched(text)))
    }

    /// A text of which the documented values are known; another one is noted, without regard to case and to how dashes, apostrophes
    /// and spaces are written.
    #[must_use]
    pub fn word(&self, name: &'static str, listed: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        let is_listed = |sent: &str| listed.iter().any(|word| word.eq_ignore_ascii_case(sent));
        if !is_listed(&text) && !is_listed(&values::text::matched(&text)) {
            self.note(Code::ValueUnlisted, name, "not one of the documented values; kept as sent");
        }
        Some(text)
    }

    /// An id, a number of a document, a postcode: a number or a text, kept as text.
    #[must_use]
    pub fn identifier(&self, name: &'static str) -> Option<String> {
        self.written(name).and_then(|text| self.short_enough(name, text))
    }

    /// An id or a number of any length: a number or a text, kept as text in the form in which it is compared.
    #[must_use]
    pub fn written(&self, name: &'static str) -> Option<String> {
        self.sent(name).map(matched)
    }

    /// A text of any length as it was sent, or a whole number in digits.
    #[must_use]
    pub fn sent(&self, name: &'static str) -> Option<String> {
        let text = match self.get(name)? {
            Value::String(text) => return self.cleaned(name, text),
            Value::Number(number) => whole_number_text(number),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
        };
        if text.is_none() {
            self.wrong_type(name, "a whole number or a text");
        }
        text
    }

    /// An id that is a number here, though it may have been sent as text.
    #[must_use]
    pub fn number_id(&self, name: &'static str) -> Option<i64> {
        let number = self.identifier(name)?.parse().ok();
        if number.is_none() {
            self.wrong_type(name, "a whole number");
        }
        number
    }

    /// Whether a number was sent, or a text that is not empty.
    #[must_use]
    pub fn holds_scalar(&self, name: &'static str) -> bool {
        match self.get(name) {
            Some(Value::String(text)) => !is_silent(text),
            Some(Value::Number(_)) => true,
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null) | None => false,
        }
    }

    /// Whether anything was sent in one of these fields, of whatever type.
    #[must_use]
    pub fn holds_any(&self, names: &[&'static str]) -> bool {
        names.iter().any(|name| match self.get(name) {
            Some(Value::String(text)) => !is_silent(text),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
            Some(Value::Null) | None => false,
        })
    }

    /// A postcode. Australian ones have four digits; the zero that a number cannot begin with is put back.
    #[must_use]
    pub fn postcode(&self, name: &'static str, in_australia: bool) -> Option<String> {
        let was_number = self.get(name).is_some_and(Value::is_number);
        let postcode = self.identifier(name)?;
        Some(if was_number && in_australia && postcode.len() == 3 { format!("0{postcode}") } else { postcode })
    }

    /// A number, an amount of money.
    #[must_use]
    pub fn decimal(&self, name: &'static str) -> Option<Decimal> {
        let number = match self.get(name)? {
            Value::String(text) if is_silent(text) => {
                return self.cleaned(name, text).and(None);
            }
            Value::String(text) => self.cleaned(name, text).and_then(|text| values::decimal(&text)),
            Value::Number(number) => values::decimal(&number.to_string()),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
        };
        if number.is_none() {
            self.wrong_type(name, "a number");
        }
        number
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, name: &'static str) -> Option<i64> {
        let number = self.decimal(name)?;
        let whole = number.is_integer().then(|| i64::try_from(number).ok()).flatten();
        if whole.is_none() {
            self.wrong_type(name, "a whole number");
        }
        whole
    }

    /// A truth value.
    #[must_use]
    pub fn boolean(&self, name: &'static str) -> Option<bool> {
        let value = self.get(name)?;
        let truth = match value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) => match self.cleaned(name, text) {
                Some(text) => values::truth(&text),
                None => return None,
            },
            Value::Number(number) => values::truth(&number.to_string()),
            Value::Array(_) | Value::Object(_) | Value::Null => None,
        };
        if truth.is_none() {
            self.wrong_type(name, "true or false");
        }
        truth
    }

    /// A text or a number, as it was sent.
    #[must_use]
    pub fn text_or_number(&self, name: &'static str) -> Option<serde_json::Value> {
        match self.get(name)? {
            Value::String(text) => self.cleaned(name, text).map(serde_json::Value::String),
            Value::Number(number) => Some(serde_json::Value::Number(settled(number))),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => {
                self.wrong_type(name, "a text or a number");
                None
            }
        }
    }

    /// A time with a zone.
    #[must_use]
    pub fn timestamp(&self, name: &'static str) -> Option<DateTime<Utc>> {
        let text = self.text(name)?;
        let time = values::timestamp(&text);
        if time.is_none() {
            self.note(Code::DateInvalid, name, "not an RFC 3339 time; read as absent");
        }
        time
    }

    /// A time at which the sender did something, which cannot be well after the delivery arrived.
    #[must_use]
    pub fn senders_time(&self, name: &'static str, locale: &Locale) -> Option<DateTime<Utc>> {
        let time = values::not_ahead(self.timestamp(name)?, locale.received_at);
        if time.is_none() {
            self.note(Code::DateInvalid, name, "more than 24 hours after the delivery arrived; read as absent");
        }
        time
    }

    /// A date.
    #[must_use]
    pub fn date(&self, name: &'static str) -> Option<NaiveDate> {
        let text = self.text(name)?;
        let date = values::date(&text);
        if date.is_none() {
            self.note(Code::DateInvalid, name, "not a date as dd/mm/yyyy; read as absent");
        }
        date
    }

    /// A date of birth.
    #[must_use]
    pub fn birth_date(&self, name: &'static str, locale: &Locale) -> Field<NaiveDate> {
        let date = match self.given_text(name) {
            Field::Absent => return Field::Absent,
            Field::Valid(text) => values::birth_date(&text, locale.received_at, locale.timezone),
            Field::Invalid => None,
        };
        if date.is_none() {
            self.note(Code::DateInvalid, name, "not a date as dd/mm/yyyy in the past; read as absent");
        }
        date.map_or(Field::Invalid, Field::Valid)
    }

    /// An e-mail address, as sent and as it is matched.
    #[must_use]
    pub fn email(&self, name: &'static str) -> (Option<String>, Field<Email>) {
        let text = match self.given_text(name) {
            Field::Absent => {
                self.note(Code::EmailMissing, name, "no e-mail address was sent");
                return (None, Field::Absent);
            }
            Field::Valid(text) => Some(text),
            Field::Invalid => None,
        };
        let email = text.as_deref().and_then(Email::parse);
        if email.is_none() {
            self.note(Code::EmailInvalid, name, "not a valid e-mail address");
        }
        (text, email.map_or(Field::Invalid, Field::Valid))
    }

    /// A phone number, E.164 where it is valid.
    #[must_use]
    pub fn phone(&self, name: &'static str, locale: &Locale) -> Option<String> {
        let sent = self.sent(name).and_then(|text| self.short_enough(name, text))?;
        Some(self.phone_of(name, &sent, &locale.phone_region).into_text())
    }

    /// The phone number that was read from a field, in a region.
    #[must_use]
    pub fn phone_of(&self, name: &str, sent: &str, region: &PhoneRegion) -> Phone {
        let phone = Phone::parse(sent, region);
        match &phone {
            Phone::Valid(_) => {}
            Phone::AsSent(_) => self.note(Code::PhoneInvalid, name, "not a valid phone number; kept as sent"),
        }
        phone
    }

    /// A country by name or code, as sent and as it is known.
    #[must_use]
    pub fn country(&self, name: &'static str) -> (Option<String>, Option<Country>) {
        let text = self.text(name);
        let country = text.as_deref().and_then(Country::parse);
        if text.is_some() && country.is_none() {
            self.note(
                Code::CountryUnknown,
                name,
                "neither an English name nor an ISO code of a country; read as absent",
            );
        }
        (text, country)
    }

    /// A VIN; an unusual one is noted, and so is one that stands for none.
    #[must_use]
    pub fn vin(&self, name: &'static str) -> Option<Vin> {
        let vin = Vin::parse(&self.identifier(name)?);
        match &vin {
            None => self.note(Code::VinUnusual, name, "stands for no VIN; read as absent"),
            Some(vin) if vin.is_unusual() => {
                self.note(Code::VinUnusual, name, "not 17 characters, or contains I, O or Q; kept");
            }
            Some(_) => {}
        }
        vin
    }

    /// A stock number; a word that stands for none is noted.
    #[must_use]
    pub fn stock_number(&self, name: &'static str) -> Option<StockNumber> {
        let number = StockNumber::parse(&self.identifier(name)?);
        if number.is_none() {
            self.note(Code::FieldType, name, "stands for no stock number; read as absent");
        }
        number
    }

    /// A text, telling what is no text from what was not sent.
    fn given_text(&self, name: &'static str) -> Field<String> {
        match self.get(name) {
            None => Field::Absent,
            Some(Value::String(text)) => self.cleaned(name, text).map_or(Field::Absent, Field::Valid),
            Some(_) => {
                self.wrong_type(name, "a text");
                Field::Invalid
            }
        }
    }

    /// The text without white space and format characters at its ends, and without U+0000; `None` where nothing is left.
    fn cleaned(&self, name: &str, text: &str) -> Option<String> {
        if text.contains('\0') && self.contents == Contents::Documented {
            self.note(Code::NulRemoved, name, NUL_REMOVED);
        }
        let text = if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) };
        let text = trimmed(&text);
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn short_enough(&self, name: &str, text: String) -> Option<String> {
        let short = text.chars().count() <= LONGEST_KEY;
        if !short {
            self.wrong_type(name, &format!("at most {LONGEST_KEY} characters"));
        }
        short.then_some(text)
    }
}

/// The text in the form in which it is compared.
fn matched(text: String) -> String {
    match values::text::matched(&text) {
        Cow::Owned(matched) => matched,
        // A cleaned text has nothing at its ends that could be removed.
        Cow::Borrowed(_) => text,
    }
}

/// Whether nothing is left of a text that is cleaned.
fn is_silent(text: &str) -> bool {
    text.chars().all(|c| c == '\0' || c.is_whitespace() || is_format(c))
}

/// A whole number that JSON held exactly, in digits.
fn whole_number_text(number: &Number) -> Option<String> {
    if !number.is_f64() {
        return Some(number.to_string());
    }
    let exact = number.as_f64().is_some_and(|number| number.abs() <= EXACT);
    let whole = values::decimal(&number.to_string()).filter(|number| exact && number.is_integer());
    whole.map(|whole| whole.to_string())
}
