//! The kinds of fields, by the type that a page gives, and how each is read.

use std::borrow::Cow;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Number;

use super::listed::Listed;
use super::number;
use super::position::Position;
use super::scalar::{Scalar, is_blank};
use crate::domain::facts::Field;
use crate::domain::finding::Code;
use crate::domain::values::text::trimmed;
use crate::domain::values::{self, PhoneRegion};

/// How a field is read.
pub trait Kind {
    /// The value's type once it is read; what cannot be read is `None` or the kind's own way to say so.
    type Value;
    /// Reads what was sent in the field of that name of the object at that place.
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value;
}

/// A text.
pub struct Text;
/// A text by which something is looked up: in the form in which it is compared, and not longer than an index can hold.
pub struct Name;
/// A text of which the values in `L` are documented; another one is noted, and kept.
pub struct OneOf<L: Listed>(PhantomData<L>);
/// An id or a number of a document: a number or a text, kept as text in the form in which it is compared.
pub struct Id;
/// As [`Id`], of any length.
pub struct LongId;
/// An id that is a number, though it may have been sent as text.
pub struct NumberId;
/// A postcode.
pub struct Postcode;
/// A number, or an amount of money, which may have been sent as text.
pub struct Amount;
/// A whole number, which may have been sent as text.
pub struct Whole;
/// A truth value, which may have been sent as text or number.
pub struct Flag;
/// A text or a number, kept as it was sent.
pub struct TextOrNumber;
/// A time with a zone (RFC 3339).
pub struct Time;
/// A time at which the sender did something, which cannot be well after the delivery arrived.
pub struct SendersTime;
/// A date as `dd/mm/yyyy`, or `yyyy-mm-dd`.
pub struct Date;
/// A date of birth, which is not in the future.
pub struct BirthDate;
/// An e-mail address.
pub struct Email;
/// A phone number, E.164 where it is valid in the workspace's region.
pub struct Phone;
/// A country by its English name or code.
pub struct Country;
/// A VIN, normalised as [`values::Vin`].
pub struct Vin;
/// A stock number, normalised as [`values::StockNumber`].
pub struct StockNumber;
/// A list of texts.
pub struct Texts;
/// A value of any type, which is not read.
pub struct Anything;

/// The longest text that can be part of a key, in characters: an entry of an index has less than 2.7 kB.
const LONGEST_KEY: usize = 255;

impl Kind for Text {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        match given_text(sent, at, name) {
            Field::Valid(text) => Some(text),
            Field::Absent | Field::Invalid => None,
        }
    }
}

impl Kind for Name {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        Text::read(sent, at, name).and_then(|text| short_enough(matched(text), at, name))
    }
}

impl<L: Listed> Kind for OneOf<L> {
    type Value = Option<String>;
    /// Values are compared without regard to case and to how dashes, apostrophes and spaces are written.
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        one_of::<L>(sent, at, name).map(Cow::into_owned)
    }
}

/// A text that is only looked at, of which the values in `L` are documented.
pub(super) fn one_of<'a, L: Listed>(sent: Scalar<'a>, at: &Position<'_>, name: &'static str) -> Option<Cow<'a, str>> {
    let text = text(sent, at, name)?;
    let is_listed = |sent: &str| L::VALUES.iter().any(|value| value.eq_ignore_ascii_case(sent));
    if !is_listed(&text) && (text.is_ascii() || !is_listed(&values::text::matched(&text))) {
        at.note(Code::ValueUnlisted, name, "not one of the documented values; kept as sent");
    }
    Some(text)
}

impl Kind for Id {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        LongId::read(sent, at, name).and_then(|text| short_enough(text, at, name))
    }
}

impl Kind for LongId {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        text_as_sent(sent, at, name).map(matched)
    }
}

impl Kind for NumberId {
    type Value = Option<i64>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        if let Scalar::Number(number) = &sent
            && let Some(id) = number.as_i64()
        {
            return Some(id);
        }
        let id = Id::read(sent, at, name)?.parse().ok();
        if id.is_none() {
            at.note_type(name, "a whole number");
        }
        id
    }
}

impl Kind for Postcode {
    type Value = Option<String>;
    /// A postcode of the workspace's country.
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        postcode(sent, at, name, at.locale().country.is_australia())
    }
}

impl Kind for Amount {
    type Value = Option<Decimal>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let amount = match sent {
            Scalar::Absent => return None,
            Scalar::Text(text) if is_blank(&text) => return cleaned(text, at, name).and(None),
            Scalar::Text(text) => cleaned(text, at, name).and_then(|text| values::decimal(&text)),
            Scalar::Number(number) => number::decimal(&number),
            Scalar::Bool(_) | Scalar::Unusable => None,
        };
        if amount.is_none() {
            at.note_type(name, "a number");
        }
        amount
    }
}

impl Kind for Whole {
    type Value = Option<i64>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        if let Scalar::Number(number) = &sent
            && let Some(whole) = number.as_i64()
        {
            return Some(whole);
        }
        let amount = Amount::read(sent, at, name)?;
        let whole = amount.is_integer().then(|| i64::try_from(amount).ok()).flatten();
        if whole.is_none() {
            at.note_type(name, "a whole number");
        }
        whole
    }
}

impl Kind for Flag {
    type Value = Option<bool>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let truth = match sent {
            Scalar::Absent => return None,
            Scalar::Bool(truth) => Some(truth),
            Scalar::Text(text) => values::truth(&cleaned(text, at, name)?),
            Scalar::Number(number) => values::truth(&number.to_string()),
            Scalar::Unusable => None,
        };
        if truth.is_none() {
            at.note_type(name, "true or false");
        }
        truth
    }
}

/// A text or a number, as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum TextOrNumberValue {
    /// A text.
    Text(String),
    /// A number, in the form in which `jsonb` gives it back.
    Number(Number),
}

impl TextOrNumberValue {
    /// As text.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Kind for TextOrNumber {
    type Value = Option<TextOrNumberValue>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        match sent {
            Scalar::Absent => None,
            Scalar::Text(text) => cleaned(text, at, name).map(TextOrNumberValue::Text),
            Scalar::Number(number) => Some(TextOrNumberValue::Number(number::settled(number))),
            Scalar::Bool(_) | Scalar::Unusable => {
                at.note_type(name, "a text or a number");
                None
            }
        }
    }
}

impl Kind for Time {
    type Value = Option<DateTime<Utc>>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let time = values::timestamp(&text(sent, at, name)?);
        if time.is_none() {
            at.note(Code::DateInvalid, name, "not an RFC 3339 time; read as absent");
        }
        time
    }
}

impl Kind for SendersTime {
    type Value = Option<DateTime<Utc>>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let time = values::not_ahead(Time::read(sent, at, name)?, at.locale().received_at);
        if time.is_none() {
            at.note(Code::DateInvalid, name, "more than 24 hours after the delivery arrived; read as absent");
        }
        time
    }
}

impl Kind for Date {
    type Value = Option<NaiveDate>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let date = values::date(&text(sent, at, name)?);
        if date.is_none() {
            at.note(Code::DateInvalid, name, "not a date as dd/mm/yyyy; read as absent");
        }
        date
    }
}

impl Kind for BirthDate {
    type Value = Field<NaiveDate>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let date = match given_text(sent, at, name) {
            Field::Absent => return Field::Absent,
            Field::Valid(text) => values::birth_date(&text, at.locale().received_at, at.locale().timezone),
            Field::Invalid => None,
        };
        if date.is_none() {
            at.note(Code::DateInvalid, name, "not a date as dd/mm/yyyy in the past; read as absent");
        }
        date.map_or(Field::Invalid, Field::Valid)
    }
}

impl Kind for Email {
    /// The address as sent, and as it is matched.
    type Value = (Option<String>, Field<values::Email>);
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let text = match given_text(sent, at, name) {
            Field::Absent => {
                at.note(Code::EmailMissing, name, "no e-mail address was sent");
                return (None, Field::Absent);
            }
            Field::Valid(text) => Some(text),
            Field::Invalid => None,
        };
        let email = text.as_deref().and_then(values::Email::parse);
        if email.is_none() {
            at.note(Code::EmailInvalid, name, "not a valid e-mail address");
        }
        (text, email.map_or(Field::Invalid, Field::Valid))
    }
}

impl Kind for Phone {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let sent = text_as_sent(sent, at, name).and_then(|text| short_enough(text, at, name))?;
        Some(phone(&sent, at, name, &at.locale().phone_region).into_text())
    }
}

impl Kind for Country {
    /// The country as sent, and as it is known.
    type Value = (Option<String>, Option<values::Country>);
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let text = Text::read(sent, at, name);
        let country = text.as_deref().and_then(values::Country::parse);
        if text.is_some() && country.is_none() {
            at.note(Code::CountryUnknown, name, "neither an English name nor an ISO code of a country; read as absent");
        }
        (text, country)
    }
}

impl Kind for Vin {
    type Value = Option<values::Vin>;
    /// An unusual VIN is noted, and so is a text that stands for none.
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let vin = values::Vin::parse(&Id::read(sent, at, name)?);
        match &vin {
            None => at.note(Code::VinUnusual, name, "stands for no VIN; read as absent"),
            Some(vin) if vin.is_unusual() => {
                at.note(Code::VinUnusual, name, "not 17 characters, or contains I, O or Q; kept");
            }
            Some(_) => {}
        }
        vin
    }
}

impl Kind for StockNumber {
    type Value = Option<values::StockNumber>;
    /// A text that stands for none is noted.
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let number = values::StockNumber::parse(&Id::read(sent, at, name)?);
        if number.is_none() {
            at.note(Code::FieldType, name, "stands for no stock number; read as absent");
        }
        number
    }
}

/// A phone number that was read from a field, in a region.
#[must_use]
pub fn phone(sent: &str, at: &Position<'_>, name: &str, region: &PhoneRegion) -> values::Phone {
    let phone = values::Phone::parse(sent, region);
    match &phone {
        values::Phone::Valid(_) => {}
        values::Phone::AsSent(_) => at.note(Code::PhoneInvalid, name, "not a valid phone number; kept as sent"),
    }
    phone
}

/// A text of any length as it was sent, or a whole number in digits.
#[must_use]
pub fn text_as_sent(sent: Scalar<'_>, at: &Position<'_>, name: &str) -> Option<String> {
    let text = match sent {
        Scalar::Absent => return None,
        Scalar::Text(text) => return cleaned(text, at, name),
        Scalar::Number(number) => number::whole_number_text(&number),
        Scalar::Bool(_) | Scalar::Unusable => None,
    };
    if text.is_none() {
        at.note_type(name, "a whole number or a text");
    }
    text
}

/// An id that stands alone, as [`Id`] reads it, where no finding is made of what is wrong with it.
#[must_use]
pub fn lone_id(sent: &Scalar<'_>) -> Option<String> {
    let text = match sent {
        Scalar::Text(text) => values::text::matched(&text.replace('\0', "")).into_owned(),
        Scalar::Number(number) => number::whole_number_text(number)?,
        Scalar::Absent | Scalar::Bool(_) | Scalar::Unusable => return None,
    };
    (!text.is_empty() && is_short(&text)).then_some(text)
}

/// Postcodes of Australia have four digits; the zero that a number cannot begin with is put back.
pub(super) fn postcode(sent: Scalar<'_>, at: &Position<'_>, name: &'static str, in_australia: bool) -> Option<String> {
    let was_number = matches!(sent, Scalar::Number(_));
    let postcode = Id::read(sent, at, name)?;
    Some(if was_number && in_australia && postcode.len() == 3 { format!("0{postcode}") } else { postcode })
}

/// A text, telling what is no text from what was not sent.
fn given_text(sent: Scalar<'_>, at: &Position<'_>, name: &str) -> Field<String> {
    match sent {
        Scalar::Absent => Field::Absent,
        Scalar::Text(text) => cleaned(text, at, name).map_or(Field::Absent, Field::Valid),
        Scalar::Bool(_) | Scalar::Number(_) | Scalar::Unusable => {
            at.note_type(name, "a text");
            Field::Invalid
        }
    }
}

/// A text that is only looked at; it is copied where something has to be taken out of its middle.
pub(super) fn text<'a>(sent: Scalar<'a>, at: &Position<'_>, name: &'static str) -> Option<Cow<'a, str>> {
    if let Scalar::Text(Cow::Borrowed(text)) = sent {
        let text = trimmed(text);
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    Text::read(sent, at, name).map(Cow::Owned)
}

/// The text without white space and format characters at its ends, and without U+0000; `None` where nothing is left.
fn cleaned(mut text: Cow<'_, str>, at: &Position<'_>, name: &str) -> Option<String> {
    if let Cow::Owned(escaped) = &text
        && escaped.contains('\0')
    {
        at.note_nul(name);
        text = Cow::Owned(escaped.replace('\0', ""));
    }
    let cleaned = trimmed(&text);
    if cleaned.is_empty() {
        return None;
    }
    Some(if cleaned.len() == text.len() { text.into_owned() } else { cleaned.to_owned() })
}

fn short_enough(text: String, at: &Position<'_>, name: &str) -> Option<String> {
    if !is_short(&text) {
        at.note_type(name, &format!("at most {LONGEST_KEY} characters"));
        return None;
    }
    Some(text)
}

fn is_short(text: &str) -> bool {
    text.len() <= LONGEST_KEY || text.chars().count() <= LONGEST_KEY
}

/// The text in the form in which it is compared.
fn matched(text: String) -> String {
    match values::text::matched(&text) {
        Cow::Owned(matched) => matched,
        // A cleaned text has nothing at its ends that could be removed.
        Cow::Borrowed(_) => text,
    }
}
