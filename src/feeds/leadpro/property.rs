//! A LeadPro lead's fields about the property, the offices that deal with it, and when the customer can be met.

use crate::domain::facts::PropertyColumns;
use crate::domain::values::Json;
use crate::feeds::lenient::{Flag, Id, Kept, Nested, OneOf, OneOrMany, Position, Text, Whole};

use super::entries::Questionnaire;
use super::lead::{AvailabilityPayload, ComparablePayload, CoordinatesPayload, EnquiryType, PropertyType, Stage};
use super::limits::{self, LimitedId, LimitedText, Money};

/// How large the availability and the questionnaire may each be, in bytes of JSON.
const JSON: usize = 2_048;

/// The fields of a lead about the property and of the enquiry about it.
pub(super) struct Subject<'a> {
    pub(super) kind: OneOf<'a, EnquiryType>,
    pub(super) stage: OneOf<'a, Stage>,
    pub(super) address: LimitedText<'a, 1, 100>,
    pub(super) postcode: LimitedId<'a, 2, 10>,
    pub(super) advert_address: LimitedText<'a, 1, 100>,
    pub(super) advert_postcode: LimitedId<'a, 2, 10>,
    pub(super) advert_url: LimitedText<'a, 1, 255>,
    pub(super) advert_image: LimitedText<'a, 1, 255>,
    pub(super) property_bedrooms: Whole<'a>,
    pub(super) property_type: OneOf<'a, PropertyType>,
    pub(super) property_reference: LimitedId<'a, 1, 50>,
    pub(super) international: Flag<'a>,
    pub(super) appointment_availability: Kept<Nested<AvailabilityPayload<'a>>>,
    pub(super) questionnaire: Kept<Questionnaire>,
    pub(super) comparable_props: Kept<OneOrMany<ComparablePayload<'a>>>,
    pub(super) parent_id: Id<'a>,
    pub(super) host: Text<'a>,
    pub(super) gdpr_checkbox: Flag<'a>,
}

/// The fields of a lead that name who deals with it.
pub(super) struct Offices<'a> {
    pub(super) office_id: Id<'a>,
    pub(super) office_name: Text<'a>,
    pub(super) account_id: Id<'a>,
    pub(super) account_name: Text<'a>,
    pub(super) referred_by_office_id: Id<'a>,
    pub(super) referred_by_office_name: Text<'a>,
    pub(super) referred_by_account_id: Id<'a>,
    pub(super) referred_by_account_name: Text<'a>,
}

/// The fields of a lead with the estimates of the property's value.
pub(super) struct Estimations<'a> {
    pub(super) average_sale: Money<'a>,
    pub(super) minimum_sale: Money<'a>,
    pub(super) maximum_sale: Money<'a>,
    pub(super) average_rent: Money<'a>,
    pub(super) minimum_rent: Money<'a>,
    pub(super) maximum_rent: Money<'a>,
}

impl Subject<'_> {
    /// The columns of the property, with those of the offices and the estimations.
    pub(super) fn facts(
        self,
        offices: Offices<'_>,
        estimations: Estimations<'_>,
        at: &Position<'_>,
    ) -> PropertyColumns {
        #[rustfmt::skip]
        let Self {
            kind, stage, address, postcode, advert_address, advert_postcode, advert_url, advert_image,
            property_bedrooms, property_type, property_reference, international, appointment_availability,
            questionnaire, comparable_props, parent_id, host, gdpr_checkbox,
        } = self;
        let mut columns = PropertyColumns {
            enquiry_type: kind.read(at, "type"),
            stage: stage.read(at, "stage"),
            address: address.read(at, "address"),
            postcode: postcode.read(at, "postcode"),
            advert_address: advert_address.read(at, "advert_address"),
            advert_postcode: advert_postcode.read(at, "advert_postcode"),
            advert_url: advert_url.read(at, "advert_url"),
            advert_image: advert_image.read(at, "advert_image"),
            bedrooms: property_bedrooms.read(at, "property_bedrooms"),
            property_type: property_type.read(at, "property_type"),
            property_reference: property_reference.read(at, "property_reference"),
            international: international.read(at, "international"),
            appointment_availability: availability(appointment_availability, at),
            questionnaire: self::questionnaire(questionnaire, at),
            comparable_properties: comparable_properties(comparable_props, &at.kept("comparable_props")),
            parent_external_id: parent_id.read(at, "parentId"),
            host: host.read(at, "host"),
            gdpr_checkbox: gdpr_checkbox.read(at, "gdpr_checkbox"),
            ..PropertyColumns::default()
        };
        estimations.facts(at, &mut columns);
        offices.facts(at, &mut columns);
        columns
    }
}

impl Offices<'_> {
    fn facts(self, at: &Position<'_>, columns: &mut PropertyColumns) {
        #[rustfmt::skip]
        let Self {
            office_id, office_name, account_id, account_name, referred_by_office_id, referred_by_office_name,
            referred_by_account_id, referred_by_account_name,
        } = self;
        columns.office_id = office_id.read(at, "office_id");
        columns.office_name = office_name.read(at, "office_name");
        columns.account_id = account_id.read(at, "account_id");
        columns.account_name = account_name.read(at, "account_name");
        columns.referred_by_office_id = referred_by_office_id.read(at, "referred_by_office_id");
        columns.referred_by_office_name = referred_by_office_name.read(at, "referred_by_office_name");
        columns.referred_by_account_id = referred_by_account_id.read(at, "referred_by_account_id");
        columns.referred_by_account_name = referred_by_account_name.read(at, "referred_by_account_name");
    }
}

impl Estimations<'_> {
    fn facts(self, at: &Position<'_>, columns: &mut PropertyColumns) {
        let Self { average_sale, minimum_sale, maximum_sale, average_rent, minimum_rent, maximum_rent } = self;
        columns.average_sale_estimation = average_sale.read(at, "average_sale_estimation");
        columns.minimum_sale_estimation = minimum_sale.read(at, "minimum_sale_estimation");
        columns.maximum_sale_estimation = maximum_sale.read(at, "maximum_sale_estimation");
        columns.average_rent_estimation = average_rent.read(at, "average_rent_estimation");
        columns.minimum_rent_estimation = minimum_rent.read(at, "minimum_rent_estimation");
        columns.maximum_rent_estimation = maximum_rent.read(at, "maximum_rent_estimation");
    }
}

/// The hours at which the customer can be met, kept whole; each should be an ISO 8601 date.
fn availability(availability: Kept<Nested<AvailabilityPayload<'_>>>, at: &Position<'_>) -> Option<Json> {
    let (bytes, here) = (availability.bytes(), at.kept("appointment_availability"));
    let (json, AvailabilityPayload { hours, unknown }) = availability.read(&here);
    here.note_unknown(&unknown);
    limits::json(bytes, at, "appointment_availability", JSON);
    hours.note(&here.field("hours"));
    json
}

/// The questions with their answers, kept whole; each entry should be a list of the two.
fn questionnaire(questionnaire: Kept<Questionnaire>, at: &Position<'_>) -> Option<Json> {
    let (bytes, here) = (questionnaire.bytes(), at.kept("questionnaire"));
    let (json, questions) = questionnaire.read_list(&here);
    limits::json(bytes, at, "questionnaire", JSON);
    questions.note(&here);
    json
}

/// The properties to compare with, kept whole. The page calls them a list, and its example is one of them alone.
fn comparable_properties(properties: Kept<OneOrMany<ComparablePayload<'_>>>, here: &Position<'_>) -> Option<Json> {
    let (json, properties) = properties.read(here);
    for (at, property) in properties {
        #[rustfmt::skip]
        let ComparablePayload {
            address: _, beds: _, coords, date: _, distance: _, months_ago: _, original_asking_price: _, price: _,
            time_taken_to_sell: _, unknown,
        } = property;
        at.note_unknown(&unknown);
        let at = at.field("coords");
        let CoordinatesPayload { x: _, y: _, unknown } = coords.read(&at);
        at.note_unknown(&unknown);
    }
    json
}
