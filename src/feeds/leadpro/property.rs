//! What a LeadPro lead says of the property, of the offices that deal with it, and of when the customer can be met.

use crate::domain::facts::PropertyColumns;
use crate::domain::finding::Code;
use crate::domain::values::{self, Json};
use crate::feeds::wire::{Object, Value};

use super::limits;

/// The page lacks some commas between these.
const STAGES: [&str; 13] = [
    "NEW",
    "CONTACTED",
    "KEEP_IN_TOUCH",
    "LOST",
    "NOT_CONTACTABLE",
    "WON",
    "VALUATION_BOOKED",
    "INSTRUCTED",
    "VIEWING_BOOKED",
    "REGISTERED",
    "DUPLICATE",
    "SPAM",
    "DELETED",
];
const PROPERTY_TYPES: [&str; 4] = ["detached", "semi-detached", "terraced", "flat-maisonette"];

/// How long an address may be, in characters.
const ADDRESS: usize = 100;
/// How long a page's or a picture's address may be, in characters.
const URL: usize = 255;
/// How long the agent's reference may be, in characters.
const REFERENCE: usize = 50;
/// How large the availability and the questionnaire may each be, in bytes of JSON.
const JSON: usize = 2_048;

/// Reads the property of an enquiry of this kind.
pub(super) fn read(data: &Object<'_>, enquiry_type: Option<String>) -> PropertyColumns {
    PropertyColumns {
        enquiry_type,
        stage: data.word("stage", &STAGES),
        address: limits::text(data, "address", ADDRESS),
        postcode: limits::postcode(data, "postcode"),
        advert_address: limits::text(data, "advert_address", ADDRESS),
        advert_postcode: limits::postcode(data, "advert_postcode"),
        advert_url: limits::text(data, "advert_url", URL),
        advert_image: limits::text(data, "advert_image", URL),
        bedrooms: data.integer("property_bedrooms"),
        property_type: data.word("property_type", &PROPERTY_TYPES),
        property_reference: limits::written(data, "property_reference", REFERENCE),
        international: data.boolean("international"),
        appointment_availability: availability(data),
        questionnaire: questionnaire(data),
        comparable_properties: comparable_properties(data),
        average_sale_estimation: limits::money(data, "average_sale_estimation"),
        minimum_sale_estimation: limits::money(data, "minimum_sale_estimation"),
        maximum_sale_estimation: limits::money(data, "maximum_sale_estimation"),
        average_rent_estimation: limits::money(data, "average_rent_estimation"),
        minimum_rent_estimation: limits::money(data, "minimum_rent_estimation"),
        maximum_rent_estimation: limits::money(data, "maximum_rent_estimation"),
        office_id: data.identifier("office_id"),
        office_name: data.text("office_name"),
        account_id: data.identifier("account_id"),
        account_name: data.text("account_name"),
        referred_by_office_id: data.identifier("referred_by_office_id"),
        referred_by_office_name: data.text("referred_by_office_name"),
        referred_by_account_id: data.identifier("referred_by_account_id"),
        referred_by_account_name: data.text("referred_by_account_name"),
        parent_external_id: data.identifier("parentId"),
        host: data.text("host"),
        gdpr_checkbox: data.boolean("gdpr_checkbox"),
    }
}

/// The hours at which the customer can be met, kept whole; each should be an ISO 8601 date.
fn availability(data: &Object<'_>) -> Option<Json> {
    let (json, availability) = data.whole_object("appointment_availability");
    limits::json(data, "appointment_availability", JSON);
    for (position, hour) in availability.items("hours").iter().enumerate() {
        if !hour.as_str().is_some_and(is_iso_8601) {
            let message = "not an ISO 8601 date; kept as sent";
            availability.note(Code::DateInvalid, &format!("hours[{position}]"), message);
        }
    }
    json
}

/// Whether it is a date as `yyyy-mm-dd`, with or without a time, in some zone or in none.
fn is_iso_8601(text: &str) -> bool {
    let is_date = !text.contains('/') && values::date(text).is_some();
    is_date || values::timestamp(text).is_some() || values::local_date_time(text).is_some()
}

/// The questions with their answers, kept whole; each entry should be a list of the two.
fn questionnaire(data: &Object<'_>) -> Option<Json> {
    let (json, _) = data.whole_array("questionnaire");
    limits::json(data, "questionnaire", JSON);
    for (position, entry) in data.items("questionnaire").iter().enumerate() {
        let is_pair = entry.as_array().is_some_and(|pair| pair.len() == 2 && pair.iter().all(Value::is_string));
        if !is_pair {
            let message = "expected a list of two texts; kept as sent";
            data.note(Code::FieldType, &format!("questionnaire[{position}]"), message);
        }
    }
    json
}

/// The properties to compare with, kept whole. The page calls them a list, and its example is one of them alone.
fn comparable_properties(data: &Object<'_>) -> Option<Json> {
    let name = "comparable_props";
    if data.is_object(name) {
        let (json, property) = data.whole_object(name);
        know_comparable(&property);
        return json;
    }
    let (json, properties) = data.whole_array(name);
    properties.for_each(|property| know_comparable(&property));
    json
}

/// Marks the documented fields of a property to compare with.
fn know_comparable(property: &Object<'_>) {
    property.pass_over(&[
        "address",
        "beds",
        "date",
        "distance",
        "months_ago",
        "original_asking_price",
        "price",
        "time_taken_to_sell",
    ]);
    property.object("coords").pass_over(&["x", "y"]);
}
