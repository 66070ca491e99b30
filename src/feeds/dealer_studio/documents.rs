//! `additional_details`: whatever a website sends beside the documented fields, and in it the plan asked for and the
//! customer's identity documents, which are kept apart from the rest (Loopit's page, field information).

use crate::domain::facts::{Field, LeadColumns, LicenceParts, PassportParts};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::feeds::lenient::{
    BirthDate, CountryName, Date, Id, KeptInHalves, Name, Nested, Position, Text, either, payload,
};

payload! {
    free_form
    /// `additional_details`; the British spelling is accepted beside the page's.
    pub struct AdditionalDetailsPayload<'a> {
        /// Last day of the driver licence.
        "license_expiry" => license_expiry: Date<'a>,
        /// The same, in British spelling.
        "licence_expiry" => licence_expiry: Date<'a>,
        /// Date of birth on the driver licence.
        "license_dob" => license_dob: BirthDate<'a>,
        /// The same, in British spelling.
        "licence_dob" => licence_dob: BirthDate<'a>,
        /// Number of the driver licence.
        "license_number" => license_number: Id<'a>,
        /// The same, in British spelling.
        "licence_number" => licence_number: Id<'a>,
        /// Number of the licence's card.
        "license_card_number" => license_card_number: Id<'a>,
        /// The same, in British spelling.
        "licence_card_number" => licence_card_number: Id<'a>,
        /// State that issued the driver licence, abbreviated.
        "license_state" => license_state: Text<'a>,
        /// The same, in British spelling.
        "licence_state" => licence_state: Text<'a>,
        /// Country that issued the passport.
        "passport_country" => passport_country: CountryName<'a>,
        /// Last day of the passport.
        "passport_expiry" => passport_expiry: Date<'a>,
        /// Date of birth in the passport.
        "passport_dob" => passport_dob: BirthDate<'a>,
        /// Number of the passport.
        "passport_number" => passport_number: Id<'a>,
        /// Name of the subscription plan asked for.
        "subscription_plan" => subscription_plan: Name<'a>,
    }
}

/// The facts of the free-form details: the licence, the passport, and the columns of the lead.
pub(super) fn facts(
    details: KeptInHalves<Nested<AdditionalDetailsPayload<'_>>>,
    lead: &Position<'_>,
    columns: &mut LeadColumns,
) -> (Option<LicenceParts>, Option<PassportParts>) {
    let at = &lead.free_form("additional_details");
    let payload;
    (columns.additional_details, columns.documents, payload) = details.read(at);
    #[rustfmt::skip]
    let AdditionalDetailsPayload {
        license_expiry, licence_expiry, license_dob, licence_dob, license_number, licence_number, license_card_number,
        licence_card_number, license_state, licence_state, passport_country, passport_expiry, passport_dob,
        passport_number, subscription_plan,
    } = payload;
    let licence = Licence {
        number: either(("license_number", license_number), ("licence_number", licence_number)),
        card_number: either(("license_card_number", license_card_number), ("licence_card_number", licence_card_number)),
        state: either(("license_state", license_state), ("licence_state", licence_state)),
        expiry: either(("license_expiry", license_expiry), ("licence_expiry", licence_expiry)),
        dob: either(("license_dob", license_dob), ("licence_dob", licence_dob)),
    };
    let licence = licence.parts(at);
    let has_passport =
        passport_number.is_sent() || passport_country.is_sent() || passport_expiry.is_sent() || passport_dob.is_sent();
    let passport = PassportParts {
        number: passport_number.read(at, "passport_number"),
        country: passport_country.read(at, "passport_country").1,
        expires_on: passport_expiry.read(at, "passport_expiry"),
        date_of_birth: valid(passport_dob.read(at, "passport_dob")),
    };
    columns.requested_plan = subscription_plan.read(at, "subscription_plan");
    (licence, has_passport.then_some(passport))
}

/// The fields of a driver licence, each as it is spelt.
struct Licence<'a> {
    number: (&'static str, Id<'a>),
    card_number: (&'static str, Id<'a>),
    state: (&'static str, Text<'a>),
    expiry: (&'static str, Date<'a>),
    dob: (&'static str, BirthDate<'a>),
}

impl Licence<'_> {
    /// Its parts; `None` where nothing of it was sent, usable or not.
    fn parts(self, at: &Position<'_>) -> Option<LicenceParts> {
        let Self { number, card_number, state, expiry, dob } = self;
        let is_sent =
            number.1.is_sent() || card_number.1.is_sent() || state.1.is_sent() || expiry.1.is_sent() || dob.1.is_sent();
        let parts = LicenceParts {
            number: number.1.read(at, number.0),
            card_number: card_number.1.read(at, card_number.0),
            state: state.1.read(at, state.0).and_then(|text| known_state(at, state.0, &text)),
            expires_on: expiry.1.read(at, expiry.0),
            date_of_birth: valid(dob.1.read(at, dob.0)),
        };
        is_sent.then_some(parts)
    }
}

/// The abbreviation of an Australian state; what is none is noted.
pub(super) fn known_state(at: &Position<'_>, name: &str, text: &str) -> Option<String> {
    let state = values::australian_state(text);
    if state.is_none() {
        at.note(Code::StateUnknown, name, "not an Australian state or territory; read as absent");
    }
    state.map(str::to_owned)
}

fn valid<T>(given: Field<T>) -> Option<T> {
    match given {
        Field::Valid(value) => Some(value),
        Field::Absent | Field::Invalid => None,
    }
}
