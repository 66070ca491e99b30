//! The payload of the LeadPro webhook (LeadPro's page, "Using Webhooks").

use crate::feeds::lenient::{
    Amount, EmailAddress, Flag, Id, Kept, KeptInHalves, Nested, OneOf, OneOrMany, SendersTime, Text, Unread, Whole,
    kind, listed, payload,
};

use super::entries::{Hours, Questionnaire, TextsByName};
use super::limits::{LimitedId, LimitedText, Money, Phone};

payload! {
    /// An event, as it is posted or as the claims of the token that came with it.
    pub struct LeadProEventPayload<'a> {
        /// `lead.created` or `lead.updated`.
        "event" => event: Text<'a>,
        /// The lead.
        "data" => data: Nested<Box<LeadProLeadPayload<'a>>>,
        /// When the token was made, in seconds since 1970 (RFC 7519 §4.1.6).
        "iat" => iat: Amount<'a>,
        /// Of the token, and read where it is verified: who made it.
        "iss" => iss: Unread<kind::Anything>,
        /// Of the token: whom it is about.
        "sub" => sub: Unread<kind::Anything>,
        /// Of the token: whom it is for.
        "aud" => aud: Unread<kind::Anything>,
        /// Of the token: until when it counts.
        "exp" => exp: Unread<kind::Anything>,
        /// Of the token: from when on it counts.
        "nbf" => nbf: Unread<kind::Anything>,
        /// Of the token: its id.
        "jti" => jti: Unread<kind::Anything>,
    }
}

payload! {
    /// `data`: a lead.
    pub struct LeadProLeadPayload<'a> {
        /// The sender's id of the lead, by which updates find it.
        "id" => id: Id<'a>,
        /// First name.
        "first_name" => first_name: LimitedText<'a, 1, 50>,
        /// Last name.
        "last_name" => last_name: LimitedText<'a, 1, 50>,
        /// Both names in one text.
        "full_name" => full_name: LimitedText<'a, 1, 100>,
        /// E-mail address, by which the customer's person is found.
        "email" => email: EmailAddress<'a>,
        /// Phone; the sender calls only numbers of the United Kingdom.
        "phone" => phone: Phone<'a, 255>,
        /// Kind of enquiry.
        "type" => kind: OneOf<'a, EnquiryType>,
        /// Where the enquiry came from.
        "source" => source: Text<'a>,
        /// Address of the property: required of vendors, landlords and mortgage requests.
        "address" => address: LimitedText<'a, 1, 100>,
        /// Postcode of the property: required likewise.
        "postcode" => postcode: LimitedId<'a, 2, 10>,
        /// Address in the advert: required of sale and let without an office.
        "advert_address" => advert_address: LimitedText<'a, 1, 100>,
        /// Postcode in the advert: required likewise.
        "advert_postcode" => advert_postcode: LimitedId<'a, 2, 10>,
        /// Page of the advert.
        "advert_url" => advert_url: LimitedText<'a, 1, 255>,
        /// Picture of the advert.
        "advert_image" => advert_image: LimitedText<'a, 1, 255>,
        /// Form of address.
        "title" => title: LimitedText<'a, 1, 10>,
        /// The customer's message.
        "message" => message: LimitedText<'a, 1, 8192>,
        /// When the customer can be met.
        "appointment_availability" => appointment_availability: Kept<Nested<AvailabilityPayload<'a>>>,
        /// Whatever the form sent beside, texts by name.
        "meta" => meta: KeptInHalves<Nested<TextsByName>>,
        /// Questions with their answers, each a list of the two.
        "questionnaire" => questionnaire: Kept<Questionnaire>,
        /// The lead that this one belongs to.
        "parentId" => parent_id: Id<'a>,
        /// When the lead was made.
        "createdAt" => created_at: SendersTime<'a>,
        /// Status.
        "status" => status: OneOf<'a, LeadStatus>,
        /// Stage.
        "stage" => stage: OneOf<'a, Stage>,
        /// Whether the customer agreed to be written to.
        "gdpr_checkbox" => gdpr_checkbox: Flag<'a>,
        /// The site of the form.
        "host" => host: Text<'a>,
        /// Estimated price, on average.
        "average_sale_estimation" => average_sale_estimation: Money<'a>,
        /// Estimated rent, on average.
        "average_rent_estimation" => average_rent_estimation: Money<'a>,
        /// Id of the office.
        "office_id" => office_id: Id<'a>,
        /// The agent's reference of the property: required of sale and let.
        "property_reference" => property_reference: LimitedId<'a, 1, 50>,
        /// Number of bedrooms.
        "property_bedrooms" => property_bedrooms: Whole<'a>,
        /// Name of the office.
        "office_name" => office_name: Text<'a>,
        /// Estimated price, at the least.
        "minimum_sale_estimation" => minimum_sale_estimation: Money<'a>,
        /// Estimated price, at the most.
        "maximum_sale_estimation" => maximum_sale_estimation: Money<'a>,
        /// Estimated rent, at the least.
        "minimum_rent_estimation" => minimum_rent_estimation: Money<'a>,
        /// Estimated rent, at the most.
        "maximum_rent_estimation" => maximum_rent_estimation: Money<'a>,
        /// Properties to compare with: a list, and in the page's example one alone.
        "comparable_props" => comparable_props: Kept<OneOrMany<ComparablePayload<'a>>>,
        /// Whether the customer is abroad.
        "international" => international: Flag<'a>,
        /// Id of the account.
        "account_id" => account_id: Id<'a>,
        /// Name of the account.
        "account_name" => account_name: Text<'a>,
        /// Id of the office that referred the lead.
        "referred_by_office_id" => referred_by_office_id: Id<'a>,
        /// Name of the office that referred the lead.
        "referred_by_office_name" => referred_by_office_name: Text<'a>,
        /// Id of the account that referred the lead.
        "referred_by_account_id" => referred_by_account_id: Id<'a>,
        /// Name of the account that referred the lead.
        "referred_by_account_name" => referred_by_account_name: Text<'a>,
        /// Kind of property.
        "property_type" => property_type: OneOf<'a, PropertyType>,
    }
}

payload! {
    /// `appointment_availability`, kept whole.
    pub struct AvailabilityPayload<'a> {
        /// ISO 8601 dates.
        "hours" => hours: Hours,
    }
}

payload! {
    /// A property to compare with, kept whole.
    pub struct ComparablePayload<'a> {
        /// Address.
        "address" => address: Unread<kind::Text>,
        /// Number of bedrooms.
        "beds" => beds: Unread<kind::Whole>,
        /// Longitude and latitude of the property.
        "coords" => coords: Nested<CoordinatesPayload<'a>>,
        /// When it was sold.
        "date" => date: Unread<kind::Text>,
        /// How far away it is.
        "distance" => distance: Unread<kind::Amount>,
        /// How long ago it was sold, in months.
        "months_ago" => months_ago: Unread<kind::Amount>,
        /// The price first asked.
        "original_asking_price" => original_asking_price: Unread<kind::Amount>,
        /// The price.
        "price" => price: Unread<kind::Amount>,
        /// How long it took to sell, in days.
        "time_taken_to_sell" => time_taken_to_sell: Unread<kind::Amount>,
    }
}

payload! {
    /// `coords` of a property.
    pub struct CoordinatesPayload<'a> {
        /// Longitude, in degrees.
        "x" => x: Unread<kind::Amount>,
        /// Latitude, in degrees.
        "y" => y: Unread<kind::Amount>,
    }
}

listed! {
    /// Kinds of enquiry.
    pub EnquiryType = ["sale", "vendor", "landlord", "let", "mortgage_request"];
    /// Statuses.
    pub LeadStatus = ["UNREAD", "IN_PROGRESS", "NO_BUSINESS", "BUSINESS", "DUPLICATE"];
    /// Stages; the page lacks some commas between them.
    pub Stage = [
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
    /// Kinds of property.
    pub PropertyType = ["detached", "semi-detached", "terraced", "flat-maisonette"];
}
