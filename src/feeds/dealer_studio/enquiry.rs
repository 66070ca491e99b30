//! A lead's fields about the enquiry, in the lead feed and in a cluster alike: what kind it is, where and when the customer
//! wants to come, what is asked for beside the car and what is offered in return.

use crate::domain::facts::{LeadColumns, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values;
use crate::feeds::lenient::{
    Amount, Flag, Id, JsonBuilder, Name, Nested, OneOf, Position, Postcode, Text, Whole, listed, payload,
};

payload! {
    /// `location`: where the customer wants to come, mostly a location of the dealership.
    pub struct LocationPayload<'a> {
        /// City.
        "city" => city: Text<'a>,
        /// State, by name or abbreviation.
        "state" => state: Text<'a>,
        /// Street and number.
        "street" => street: Text<'a>,
        /// Suburb; in the cluster page's table alone.
        "suburb" => suburb: Text<'a>,
        /// Postcode; a number is read as text.
        "postcode" => postcode: Postcode<'a>,
        /// Name of the location.
        "location_name" => location_name: Name<'a>,
    }
}

payload! {
    /// `trade_in_data`: the car that the customer offers.
    pub struct TradeInPayload<'a> {
        /// Registration number.
        "rego" => rego: Id<'a>,
        /// Odometer reading in kilometres.
        "kms" => kms: Amount<'a>,
        /// State of registration.
        "state" => state: Text<'a>,
        /// Year, make, model, badge and series in one text.
        "title" => title: Text<'a>,
        /// Year, a whole number.
        "year" => year: Whole<'a>,
        /// Manufacturer, as the sender writes it.
        "make" => make: Text<'a>,
        /// Model, as `Corolla`.
        "model" => model: Text<'a>,
        /// Badge (trim level) within the model.
        "badge" => badge: Text<'a>,
        /// Series (generation) within the model.
        "series" => series: Text<'a>,
        /// Retail price after valuation.
        "retail_price" => retail_price: Amount<'a>,
        /// Trade price after valuation.
        "trade_price" => trade_price: Amount<'a>,
        /// Adjustment of the price after valuation.
        "price_adjustment" => price_adjustment: Amount<'a>,
        /// Price offered to the customer.
        "offer_price" => offer_price: Amount<'a>,
        /// Whether the customer accepted the offer.
        "offer_accepted" => offer_accepted: Flag<'a>,
    }
}

payload! {
    /// `offer_data`: the special offer that was asked for.
    pub struct OfferPayload<'a> {
        /// Manufacturer of the car.
        "manufacturer" => manufacturer: Text<'a>,
        /// Title of the offer.
        "offer_name" => offer_name: Text<'a>,
    }
}

listed! {
    /// Kinds of enquiry: the cluster page and the public lead API.
    pub Category = [
        "New Vehicle Enquiry",
        "Used Vehicle Enquiry",
        "Test Drive Booking",
        "Special Offer Enquiry",
        "Fleet Enquiry",
        "Finance Enquiry",
        "Insurance Enquiry",
        "Subscription Enquiry",
        "Team Member Enquiry",
        "Vehicle Reservation",
        "Online Purchase",
        "Brochure Download",
        "Document Request",
        "Trade-in Enquiry",
        "Sell My Car Enquiry",
        "Service Booking",
        "Service Enquiry",
        "Parts Enquiry",
        "Service Retention",
        "Loan Car Booking",
        "General Enquiry",
        "Survey",
        "Competition Enquiry",
        "Phone Call",
        "Event Enquiry",
    ];
    /// Where enquiries come from: the cluster page, whose dash is not on every keyboard.
    pub EnquirySource = [
        "Website",
        "Facebook",
        "Facebook Marketplace",
        "Chatbot",
        "Chatbot — External",
        "Chatbot - External",
        "QR Code",
        "Carsales",
        "Autotrader",
        "Walk In",
        "Phone call",
    ];
}

/// What both pages document of the enquiry as a whole.
pub(super) struct Enquiry<'a> {
    pub(super) category: OneOf<'a, Category>,
    pub(super) source: OneOf<'a, EnquirySource>,
    pub(super) comments: Text<'a>,
    pub(super) offer_data: Nested<OfferPayload<'a>>,
    pub(super) location: Nested<LocationPayload<'a>>,
    pub(super) booking_date: Text<'a>,
    pub(super) booking_time: Text<'a>,
}

impl Enquiry<'_> {
    /// Reads it into the columns of the lead.
    pub(super) fn facts(self, at: &Position<'_>, columns: &mut LeadColumns) {
        let Self { category, source, comments, offer_data, location, booking_date, booking_time } = self;
        columns.category = category.read(at, "category");
        columns.source = source.read(at, "source");
        columns.comments = comments.read(at, "comments");
        offer(offer_data, &at.field("offer_data"), columns);
        read_location(location, &at.field("location"), columns);
        // Both are kept as sent.
        let (day, time) = (booking_date.read(at, "booking_date"), booking_time.read(at, "booking_time"));
        if day.as_deref().is_some_and(|day| values::date(day).is_none()) {
            at.note(Code::DateInvalid, "booking_date", "not a date; kept as text");
        }
        if time.as_deref().is_some_and(|time| values::time_of_day(time).is_none()) {
            at.note(Code::DateInvalid, "booking_time", "not a time of day; kept as text");
        }
        columns.booking_date = day;
        columns.booking_time = time;
    }
}

fn offer(offer: Nested<OfferPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let OfferPayload { manufacturer, offer_name, unknown } = offer.read(at);
    at.note_unknown(&unknown);
    columns.offer_manufacturer = manufacturer.read(at, "manufacturer");
    columns.offer_name = offer_name.read(at, "offer_name");
}

fn read_location(location: Nested<LocationPayload<'_>>, at: &Position<'_>, columns: &mut LeadColumns) {
    let LocationPayload { city, state, street, suburb, postcode, location_name, unknown } = location.read(at);
    at.note_unknown(&unknown);
    columns.location_name = location_name.read(at, "location_name");
    columns.location = JsonBuilder::default()
        .text("city", city.read(at, "city").as_deref())
        .text("location_name", columns.location_name.as_deref())
        .text("postcode", postcode.read(at, "postcode").as_deref())
        .text("state", state.read(at, "state").as_deref())
        .text("street", street.read(at, "street").as_deref())
        .text("suburb", suburb.read(at, "suburb").as_deref())
        .into_json();
}

/// The columns of the car that the customer offers.
pub(super) fn trade_in(data: Nested<TradeInPayload<'_>>, lead: &Position<'_>) -> TradeInColumns {
    let at = &lead.field("trade_in_data");
    #[rustfmt::skip]
    let TradeInPayload {
        rego, kms, state, title, year, make, model, badge, series, retail_price, trade_price, price_adjustment,
        offer_price, offer_accepted, unknown,
    } = data.read(at);
    at.note_unknown(&unknown);
    let state = state.read(at, "state");
    TradeInColumns {
        registration: rego.read(at, "rego"),
        kilometres: kms.read(at, "kms"),
        make: make.read(at, "make"),
        model: model.read(at, "model"),
        badge: badge.read(at, "badge"),
        series: series.read(at, "series"),
        year: year.read(at, "year"),
        state: state.map(|state| values::australian_state(&state).map_or(state, str::to_owned)),
        title: title.read(at, "title"),
        offer_price: offer_price.read(at, "offer_price"),
        trade_price: trade_price.read(at, "trade_price"),
        retail_price: retail_price.read(at, "retail_price"),
        price_adjustment: price_adjustment.read(at, "price_adjustment"),
        offer_accepted: offer_accepted.read(at, "offer_accepted"),
    }
}
