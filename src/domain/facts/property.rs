//! What a lead can say of a property: the one that the customer asks about, or the one that the customer offers.

use rust_decimal::Decimal;

use crate::domain::columns::scalar_columns;
use crate::domain::values::Json;

scalar_columns! {
    /// The columns of `property_enquiries`; the newest value of each wins. Money is in the sender's currency, pounds.
    pub struct PropertyColumns {
        /// Kind of enquiry, as `vendor` (`type`).
        enquiry_type: String,
        /// How far the enquiry has come, as `VALUATION_BOOKED`.
        stage: String,
        /// Address of the customer's property, one line.
        address: String,
        /// Postcode of the customer's property.
        postcode: String,
        /// Address of the advertised property, one line.
        advert_address: String,
        /// Postcode of the advertised property.
        advert_postcode: String,
        /// Page of the advertisement.
        advert_url: String,
        /// Picture of the advertised property.
        advert_image: String,
        /// Number of bedrooms (`property_bedrooms`).
        bedrooms: i64,
        /// Kind of building, as `detached`.
        property_type: String,
        /// The agent's own reference of the property.
        property_reference: String,
        /// Whether the enquiry is international.
        international: bool,
        /// When the customer can be met, whole.
        appointment_availability: Json,
        /// Questions with the customer's answers, whole.
        questionnaire: Json,
        /// Properties to compare with, whole (`comparable_props`).
        comparable_properties: Json,
        /// Average estimate of the sale price.
        average_sale_estimation: Decimal,
        /// Lowest estimate of the sale price.
        minimum_sale_estimation: Decimal,
        /// Highest estimate of the sale price.
        maximum_sale_estimation: Decimal,
        /// Average estimate of the rent.
        average_rent_estimation: Decimal,
        /// Lowest estimate of the rent.
        minimum_rent_estimation: Decimal,
        /// Highest estimate of the rent.
        maximum_rent_estimation: Decimal,
        /// The sender's id of the office.
        office_id: String,
        /// Name of the office.
        office_name: String,
        /// The sender's id of the account.
        account_id: String,
        /// Name of the account.
        account_name: String,
        /// The sender's id of the office that referred the lead.
        referred_by_office_id: String,
        /// Name of the office that referred the lead.
        referred_by_office_name: String,
        /// The sender's id of the account that referred the lead.
        referred_by_account_id: String,
        /// Name of the account that referred the lead.
        referred_by_account_name: String,
        /// The sender's id of the lead from which this one came (`parentId`).
        parent_external_id: String,
        /// The website through which the enquiry came.
        host: String,
        /// Whether the customer agreed to the use of the data; it is not a wish for marketing.
        gdpr_checkbox: bool,
    }
}
