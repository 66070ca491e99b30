//! What a lead feed can say, and a cluster of each of its leads: an enquiry with its customer.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::event::EventFacts;
use super::property::PropertyColumns;
use super::sender::Source;
use crate::domain::columns::{columns, listed_columns, scalar_columns};
use crate::domain::values::{Country, Email, Json, StockNumber, Vin};

/// A value that makes a person, or the reason why it does not.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// Nothing was sent.
    #[default]
    Absent,
    /// Something was sent that is not a value of this kind.
    Invalid,
    /// The value.
    Valid(T),
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub fn valid(&self) -> Option<&T> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }
}

/// One enquiry, as one delivery tells it.
#[derive(Clone, Debug)]
pub struct LeadFacts {
    /// Where the lead stands in the payload: empty, or with its dot, as `leads[3].`; findings are placed below it.
    pub path_prefix: String,
    /// Which feed told it.
    pub source: Source,
    /// The sender's lead id; `None` where there is no usable one.
    pub external_id: Option<String>,
    /// The cluster the lead belongs to, by the sender's id.
    pub cluster_external_id: Option<String>,
    /// The sender's time of that membership: the modification of the cluster that holds the lead, else of the lead.
    pub cluster_membership_at: Option<DateTime<Utc>>,
    /// The dealership's zone, in which the wished day and time are read.
    pub timezone: Tz,
    /// When the customer made the enquiry.
    pub created_at: Option<DateTime<Utc>>,
    /// When the sender last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The customer.
    pub prospect: ProspectFacts,
    /// The lead's own columns.
    pub columns: LeadColumns,
    /// The car the customer offers.
    pub trade_in: TradeInColumns,
    /// The property asked about or offered; `None` where the feed knows of none.
    pub property: Option<Box<PropertyColumns>>,
    /// The whole list of appointments; `None` where the payload carries no list (v1 and v2).
    pub appointments: Option<Vec<AppointmentFacts>>,
    /// The events that the payload carries with the lead.
    pub events: Vec<EventFacts>,
}

/// A customer, as one delivery tells it.
#[derive(Clone, Debug, Default)]
pub struct ProspectFacts {
    /// The address that identifies the person.
    pub email: Field<Email>,
    /// The date of birth; an invalid one makes no person.
    pub date_of_birth: Field<NaiveDate>,
    /// What else is known of the person. Its address, licence and passport are empty here: the parts below make them.
    pub person: PersonColumns,
    /// The parts of the postal address; `None` where nothing of it was sent, usable or not.
    pub address: Option<AddressParts>,
    /// The parts of the driver licence; likewise.
    pub licence: Option<LicenceParts>,
    /// The parts of the passport; likewise.
    pub passport: Option<PassportParts>,
}

/// Parts of a postal address; complete with all five.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressParts {
    /// Street and number.
    pub street: Option<String>,
    /// City or suburb.
    pub city: Option<String>,
    /// State, an Australian one abbreviated.
    pub state: Option<String>,
    /// Postcode.
    pub postcode: Option<String>,
    /// Country.
    pub country: Option<Country>,
}

/// Parts of a driver licence; complete with number, expiry and date of birth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LicenceParts {
    /// Licence number.
    pub number: Option<String>,
    /// Number of the card.
    pub card_number: Option<String>,
    /// Issuing state.
    pub state: Option<String>,
    /// Last day of validity.
    pub expires_on: Option<NaiveDate>,
    /// Date of birth on the licence.
    pub date_of_birth: Option<NaiveDate>,
}

/// Parts of a passport; complete with number, country, expiry and date of birth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PassportParts {
    /// Passport number.
    pub number: Option<String>,
    /// Issuing country.
    pub country: Option<Country>,
    /// Last day of validity.
    pub expires_on: Option<NaiveDate>,
    /// Date of birth in the passport.
    pub date_of_birth: Option<NaiveDate>,
}

/// A complete postal address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// City or suburb.
    pub city: String,
    /// State, an Australian one abbreviated.
    pub state: String,
    /// Postcode.
    pub postcode: String,
    /// Country.
    pub country: Country,
}

/// A complete driver licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Licence number.
    pub number: String,
    /// Number of the card.
    pub card_number: Option<String>,
    /// Issuing state.
    pub state: Option<String>,
    /// Last day of validity.
    pub expires_on: NaiveDate,
    /// Date of birth on the licence.
    pub date_of_birth: NaiveDate,
}

/// A complete passport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    /// Passport number.
    pub number: String,
    /// Issuing country.
    pub country: Country,
    /// Last day of validity.
    pub expires_on: NaiveDate,
    /// Date of birth in the passport.
    pub date_of_birth: NaiveDate,
}

columns! {
    /// What is known of a person; the newest value of each column wins.
    pub struct PersonColumns {
        /// Form of address, as `Mr`.
        title: String,
        /// First name.
        first_name: String,
        /// Middle name.
        middle_name: String,
        /// Last name.
        last_name: String,
        /// Business name.
        business_name: String,
        /// Date of birth as the customer gave it.
        date_of_birth: NaiveDate,
        /// Mobile phone, E.164 where valid.
        mobile_phone: String,
        /// Home phone, E.164 where valid.
        home_phone: String,
        /// Postcode given beside the address.
        postcode: String,
        /// Whether the customer wants marketing (`prospect.opt_in_to_marketing`).
        marketing_opt_in: bool,
        /// Postal address, one fact.
        address: Address,
        /// Driver licence, one fact.
        licence: Licence,
        /// Passport, one fact.
        passport: Passport,
    }
}

listed_columns! {
    /// The columns of `leads` that a sender fills; the newest value of each wins.
    pub struct LeadColumns listed as LeadLists {
        /// `dealership.id`, or the cluster's `dealership_id`.
        dealership_id: i64,
        /// `dealership.name`
        dealership_name: String,
        /// `dealership.slug`
        dealership_slug: String,
        /// Kind of enquiry.
        category: String,
        /// Finer kind of enquiry.
        subcategory: String,
        /// Where the enquiry came from.
        source: String,
        /// Marketing source.
        marketing_source: String,
        /// UTM campaign.
        utm_campaign: String,
        /// The sender's name for itself.
        provider: String,
        /// `lead_status_option.name`
        status: String,
        /// `lead_status_option.status_type`
        status_type: String,
        /// `lead_status_option.id`
        status_option_id: String,
        /// Why the lead was lost.
        lost_reason: String,
        /// Comment on why the lead was lost.
        lost_reason_comment: String,
        /// The customer's message.
        comments: String,
        /// E-mail address as sent.
        contact_email: String,
        /// `prospect.title`
        contact_title: String,
        /// First name as sent with this lead.
        contact_first_name: String,
        /// Middle name as sent with this lead.
        contact_middle_name: String,
        /// Last name as sent with this lead.
        contact_last_name: String,
        /// Both names in one text, as sent with this lead.
        contact_full_name: String,
        /// Mobile phone, E.164 where valid.
        contact_phone: String,
        /// Home phone, E.164 where valid.
        contact_home_phone: String,
        /// Date of birth, where valid.
        contact_date_of_birth: NaiveDate,
        /// Postcode given beside the address.
        contact_postcode: String,
        /// Address as sent with this lead, complete or not; `state_long` included.
        contact_address: Json,
        /// `prospect.opt_in_to_marketing`
        contact_marketing_opt_in: bool,
        /// A cluster's `subscription.newsletter`, which the sender sets to true by default.
        contact_newsletter: bool,
        /// `prospect.employment_type`
        contact_employment_type: String,
        /// `prospect.living_situation`
        contact_living_situation: String,
        /// `prospect.residency_status`
        contact_residency_status: String,
        /// VIN of the vehicle asked for.
        vin: Vin,
        /// Stock number of the vehicle asked for.
        stock_number: StockNumber,
        /// `item.id`
        item_id: String,
        /// Make of the vehicle asked for.
        item_make: String,
        /// Model of the vehicle asked for.
        item_model: String,
        /// Year of the vehicle asked for.
        item_year: i64,
        /// Price of the vehicle asked for.
        item_price: Decimal,
        /// `item` whole, each documented field read by its type.
        item: Json,
        /// `additional_details.subscription_plan`
        requested_plan: String,
        /// `subscription_plan.name`
        offered_plan: String,
        /// `subscription_plan` whole.
        subscription: Json,
        /// `location.location_name`
        location_name: String,
        /// `location` whole.
        location: Json,
        /// `booking_date` as sent.
        booking_date: String,
        /// `booking_time` as sent.
        booking_time: String,
        /// `booking_date` with `booking_time`, resolved in the dealership's zone; computed where the lead merges them.
        requested_at: DateTime<Utc>,
        /// Whether the cluster has a test drive, as sent.
        has_test_drives: bool,
        /// `website` whole.
        website: Json,
        /// A cluster's `website_url`.
        website_url: String,
        /// Budget for the vehicle.
        budget: Decimal,
        /// Purchase price aimed at.
        purchase_price: Decimal,
        /// `assigned_salesperson.id`
        salesperson_id: String,
        /// `assigned_salesperson.name`
        salesperson_name: String,
        /// `assigned_salesperson.email`
        salesperson_email: String,
        /// `pipeline.id`
        pipeline_id: String,
        /// `pipeline.name`
        pipeline_name: String,
        /// `offer_data.manufacturer`
        offer_manufacturer: String,
        /// `offer_data.offer_name`
        offer_name: String,
        /// Free-form details, without the keys of identity documents.
        additional_details: Json,
        /// The keys of identity documents as sent; stored in `identity.lead_documents`.
        documents: Json,
        /// When the customer made the enquiry.
        source_created_at: DateTime<Utc>,
    }
}

scalar_columns! {
    /// The columns of `trade_ins`; the newest value of each wins.
    pub struct TradeInColumns {
        /// Registration number.
        registration: String,
        /// Odometer in kilometres.
        kilometres: Decimal,
        /// Make.
        make: String,
        /// Model.
        model: String,
        /// Badge.
        badge: String,
        /// Series.
        series: String,
        /// Year.
        year: i64,
        /// State of registration.
        state: String,
        /// Year, make, model, badge and series in one text.
        title: String,
        /// Price offered to the customer.
        offer_price: Decimal,
        /// Trade price after valuation.
        trade_price: Decimal,
        /// Retail price after valuation.
        retail_price: Decimal,
        /// Adjustment after valuation.
        price_adjustment: Decimal,
        /// Whether the customer accepted the offer.
        offer_accepted: bool,
    }
}

/// One appointment of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct AppointmentFacts {
    /// The sender's appointment id.
    pub external_id: String,
    /// Its columns, replaced as a whole.
    pub columns: AppointmentColumns,
}

scalar_columns! {
    /// The columns of `appointments` that a sender fills.
    pub struct AppointmentColumns {
        /// When it starts, resolved in the dealership's zone.
        starts_at: DateTime<Utc>,
        /// When it starts, as sent.
        starts_at_local: String,
        /// Scheduled duration in minutes.
        length_minutes: i64,
        /// Status, as `pending`.
        status: String,
        /// Whether the booking was made by AI.
        ai_generated: bool,
        /// Assigned user at the dealership.
        user_id: String,
        /// Note.
        note: String,
        /// The sender's location id.
        sender_location_id: String,
        /// Name of the car for the test drive.
        car_for_test_drive: String,
    }
}
