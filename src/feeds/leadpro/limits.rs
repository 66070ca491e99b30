//! What LeadPro's page demands of the fields of a lead: how long they may be, and which must be there. What goes beyond
//! is noted and kept whole.

use std::marker::PhantomData;

use rust_decimal::Decimal;
use schemars::{Schema, json_schema};

use crate::domain::finding::Code;
use crate::domain::values::{self, PhoneRegion};
use crate::feeds::lenient::{Described, Field, Kind, Position, Scalar, kind, phone, text_as_sent};

/// A text of so many characters at the least and at the most.
pub type LimitedText<'a, const LEAST: usize, const MOST: usize> = Field<'a, Limited<kind::Text, LEAST, MOST>>;
/// An id or a number, as number or text of so many characters.
pub type LimitedId<'a, const LEAST: usize, const MOST: usize> = Field<'a, Limited<kind::LongId, LEAST, MOST>>;
/// A phone number of at most so many characters.
pub type Phone<'a, const MOST: usize> = Field<'a, BritishPhone<MOST>>;
/// An amount of money with at most two decimal places.
pub type Money<'a> = Field<'a, TwoPlaces>;

/// A kind of text whose length is documented, in characters.
pub struct Limited<K, const LEAST: usize, const MOST: usize>(PhantomData<K>);
/// A phone number, of the United Kingdom where it names no other country.
pub struct BritishPhone<const MOST: usize>;
/// A number with at most two decimal places.
pub struct TwoPlaces;

/// How many decimal places an amount may have.
const DECIMAL_PLACES: u32 = 2;

/// Kinds of enquiry by people who have a property.
const OWNERS: [&str; 3] = ["vendor", "landlord", "mortgage_request"];
/// Kinds of enquiry by people who look for one.
const SEEKERS: [&str; 2] = ["sale", "let"];

impl<K: Kind<Value = Option<String>>, const LEAST: usize, const MOST: usize> Kind for Limited<K, LEAST, MOST> {
    type Value = Option<String>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        noted(K::read(sent, at, name), at, name, (LEAST, MOST))
    }
}

impl<K: Described, const LEAST: usize, const MOST: usize> Described for Limited<K, LEAST, MOST> {
    fn schema() -> Schema {
        let mut schema = K::schema();
        schema.insert("minLength".into(), LEAST.into());
        schema.insert("maxLength".into(), MOST.into());
        schema
    }
}

impl<const MOST: usize> Kind for BritishPhone<MOST> {
    type Value = Option<values::Phone>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let sent = noted(text_as_sent(sent, at, name), at, name, (1, MOST))?;
        Some(phone(&sent, at, name, &PhoneRegion::great_britain()))
    }
}

impl<const MOST: usize> Described for BritishPhone<MOST> {
    fn schema() -> Schema {
        json_schema!({ "type": ["string", "integer", "null"], "maxLength": MOST })
    }
}

impl Kind for TwoPlaces {
    type Value = Option<Decimal>;
    fn read(sent: Scalar<'_>, at: &Position<'_>, name: &'static str) -> Self::Value {
        let amount = kind::Amount::read(sent, at, name);
        if amount.is_some_and(|amount| amount.scale() > DECIMAL_PLACES) {
            let message = format!("more than the documented {DECIMAL_PLACES} decimal places; kept whole");
            at.note(Code::ValueTooLong, name, &message);
        }
        amount
    }
}

impl Described for TwoPlaces {
    fn schema() -> Schema {
        kind::Amount::schema()
    }
}

/// Notes JSON of more bytes than are documented, written without spaces.
pub(super) fn json(bytes: usize, at: &Position<'_>, name: &'static str, most: usize) {
    if bytes > most {
        let message = format!("{bytes} bytes of JSON, more than the documented {most}; kept whole");
        at.note(Code::ValueTooLong, name, &message);
    }
}

/// Notes a text whose number of characters is not between these two.
fn noted(text: Option<String>, at: &Position<'_>, name: &str, (least, most): (usize, usize)) -> Option<String> {
    let count = text.as_deref().map_or(least, |text| text.chars().count());
    if count > most {
        let message = format!("{count} characters, more than the documented {most}; kept whole");
        at.note(Code::ValueTooLong, name, &message);
    }
    if count < least {
        let message = format!("expected at least {least} characters; kept as sent");
        at.note(Code::FieldType, name, &message);
    }
    text
}

/// Which of the fields that some lead must have were sent, usable or not; one that was sent and cannot be used is noted as
/// such.
#[allow(clippy::struct_excessive_bools, reason = "one for each field that some lead must have")]
pub(super) struct Sent {
    pub(super) full_name: bool,
    pub(super) phone: bool,
    pub(super) kind: bool,
    pub(super) address: bool,
    pub(super) postcode: bool,
    pub(super) property_reference: bool,
    pub(super) office_id: bool,
    pub(super) advert_address: bool,
    pub(super) advert_postcode: bool,
}

impl Sent {
    /// Notes the fields that a lead of this kind must have and that were not sent, beside its id and its e-mail address, which
    /// have codes of their own.
    pub(super) fn note_missing(&self, kind: Option<&str>, at: &Position<'_>) {
        let is_one_of =
            |kinds: &[&str]| kind.is_some_and(|kind| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)));
        let note = |fields: &[(&str, bool)], of: &str| {
            for (name, _) in fields.iter().filter(|(_, is_sent)| !is_sent) {
                at.note(Code::FieldMissing, name, &format!("required of {of}"));
            }
        };
        note(&[("full_name", self.full_name), ("phone", self.phone), ("type", self.kind)], "every lead");
        if is_one_of(&OWNERS) {
            let of = "the types vendor, landlord and mortgage_request";
            note(&[("address", self.address), ("postcode", self.postcode)], of);
        }
        if is_one_of(&SEEKERS) {
            note(&[("property_reference", self.property_reference)], "the types sale and let");
            if !self.office_id {
                let of = "the types sale and let without an office_id";
                note(&[("advert_address", self.advert_address), ("advert_postcode", self.advert_postcode)], of);
            }
        }
    }
}
