//! What LeadPro's page demands of the fields of a lead: how long they may be, and which must be there. What goes beyond
//! is noted and kept whole.

use rust_decimal::Decimal;

use crate::domain::finding::Code;
use crate::domain::values::{Phone, PhoneRegion};
use crate::feeds::wire::Object;

/// How many characters a postcode has at the least and at the most.
const POSTCODE: (usize, usize) = (2, 10);
/// How many decimal places an amount may have.
const DECIMAL_PLACES: u32 = 2;

/// What every lead must have, beside its id and its e-mail address, which have codes of their own.
const ALWAYS: [&str; 3] = ["full_name", "phone", "type"];
/// Kinds of enquiry by people who have a property.
const OWNERS: [&str; 3] = ["vendor", "landlord", "mortgage_request"];
/// Kinds of enquiry by people who look for one.
const SEEKERS: [&str; 2] = ["sale", "let"];

/// A text of at most so many characters.
pub(super) fn text(data: &Object<'_>, name: &'static str, most: usize) -> Option<String> {
    noted(data, name, data.text(name), (1, most))
}

/// A text, or a number, of at most so many characters.
pub(super) fn written(data: &Object<'_>, name: &'static str, most: usize) -> Option<String> {
    noted(data, name, data.written(name), (1, most))
}

/// A postcode.
pub(super) fn postcode(data: &Object<'_>, name: &'static str) -> Option<String> {
    noted(data, name, data.written(name), POSTCODE)
}

/// A phone number of at most so many characters, read in a region.
pub(super) fn phone(data: &Object<'_>, name: &'static str, most: usize, region: &PhoneRegion) -> Option<Phone> {
    let sent = noted(data, name, data.sent(name), (1, most))?;
    Some(data.phone_of(name, &sent, region))
}

/// An amount of money.
pub(super) fn money(data: &Object<'_>, name: &'static str) -> Option<Decimal> {
    let amount = data.decimal(name);
    if amount.is_some_and(|amount| amount.scale() > DECIMAL_PLACES) {
        let message = format!("more than the documented {DECIMAL_PLACES} decimal places; kept whole");
        data.note(Code::ValueTooLong, name, &message);
    }
    amount
}

/// Notes JSON of more bytes than are documented, written without spaces.
pub(super) fn json(data: &Object<'_>, name: &'static str, most: usize) {
    let bytes = data.json_bytes(name);
    if bytes > most {
        let message = format!("{bytes} bytes of JSON, more than the documented {most}; kept whole");
        data.note(Code::ValueTooLong, name, &message);
    }
}

/// Notes a text whose number of characters is not between these two.
fn noted(data: &Object<'_>, name: &'static str, text: Option<String>, (least, most): (usize, usize)) -> Option<String> {
    let count = text.as_deref().map_or(least, |text| text.chars().count());
    if count > most {
        let message = format!("{count} characters, more than the documented {most}; kept whole");
        data.note(Code::ValueTooLong, name, &message);
    }
    if count < least {
        let message = format!("expected at least {least} characters; kept as sent");
        data.note(Code::FieldType, name, &message);
    }
    text
}

/// Notes the fields that a lead of this kind must have and that are not there; one that is there and cannot be used has
/// been noted as such.
pub(super) fn note_missing(data: &Object<'_>, kind: Option<&str>) {
    let is_one_of =
        |kinds: &[&str]| kind.is_some_and(|kind| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)));
    let note = |names: &[&'static str], of: &str| {
        for name in names.iter().filter(|name| !data.holds_any(&[**name])) {
            data.note(Code::FieldMissing, name, &format!("required of {of}"));
        }
    };
    note(&ALWAYS, "every lead");
    if is_one_of(&OWNERS) {
        note(&["address", "postcode"], "the types vendor, landlord and mortgage_request");
    }
    if is_one_of(&SEEKERS) {
        note(&["property_reference"], "the types sale and let");
        if !data.holds_any(&["office_id"]) {
            note(&["advert_address", "advert_postcode"], "the types sale and let without an office_id");
        }
    }
}
