//! What a lead asked for over time. A booking is that of the newest booking request that can be met, so the order in
//! which the booking requests arrived does not matter: an older one that arrives late is met, or not, as if it had come
//! first.

use std::collections::BTreeSet;

use super::columns::{Columns, scalar_columns};
use super::facts::LeadColumns;
use super::values::text::matched;
use super::values::{Email, StockNumber, Vin};
use super::version::{FieldVersions, Version};

scalar_columns! {
    /// The columns of a lead that a booking depends on.
    pub struct BookingRequestColumns {
        /// The dealership that the lead is for.
        dealership_id: i64,
        /// Kind of enquiry.
        category: String,
        /// The plan asked for.
        requested_plan: String,
        /// The plan named beside it.
        offered_plan: String,
        /// VIN of the vehicle asked for.
        vin: Vin,
        /// Stock number of the vehicle asked for.
        stock_number: StockNumber,
        /// The location asked for.
        location_name: String,
        /// The customer's e-mail address.
        contact_email: String,
    }
}

/// The category that asks for a booking without naming a plan.
const SUBSCRIPTION_ENQUIRY: &str = "Subscription Enquiry";

impl BookingRequestColumns {
    /// The columns of a lead on which a booking depends.
    #[must_use]
    pub fn of(columns: &LeadColumns) -> Self {
        Self {
            dealership_id: columns.dealership_id,
            category: columns.category.clone(),
            requested_plan: columns.requested_plan.clone(),
            offered_plan: columns.offered_plan.clone(),
            vin: columns.vin.clone(),
            stock_number: columns.stock_number.clone(),
            location_name: columns.location_name.clone(),
            contact_email: columns.contact_email.clone(),
        }
    }

    /// A lead asks by naming a plan in its details, or by its category.
    #[must_use]
    pub fn asks(&self) -> bool {
        let category = self.category.as_deref();
        self.requested_plan.is_some()
            || category.is_some_and(|category| matched(category).eq_ignore_ascii_case(SUBSCRIPTION_ENQUIRY))
    }

    /// Whether each value of the other is here, too.
    fn includes(&self, other: &Self) -> bool {
        let mut both = self.clone();
        both.merge_from(other.clone(), &mut |_| true);
        both == *self
    }

    /// The plan: `additional_details.subscription_plan`, else `subscription_plan.name`.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.requested_plan.as_deref().or(self.offered_plan.as_deref())
    }

    /// The address in the form in which persons are matched, where it is a valid one.
    #[must_use]
    pub fn email(&self) -> Option<Email> {
        self.contact_email.as_deref().and_then(Email::parse)
    }
}

/// What a lead asked for at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct BookingRequest {
    /// The version of the lead that asked for it.
    pub at: Version,
    /// The columns that this version of the lead gave.
    pub columns: BookingRequestColumns,
}

/// Something whose appearance may make a booking possible, or a better one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// A listing with this VIN.
    Vin(Vin),
    /// A listing with this stock number.
    Stock(StockNumber),
    /// A package of this name.
    Plan(String),
    /// A bookable location of this name, in lower case.
    Location(String),
    /// That a location becomes bookable which vehicles are at, whichever it is.
    AnyLocation,
    /// A person of this address.
    Person(Email),
}

/// Keeps the columns among the booking requests, in the order of the sender's times. Of a booking request that is
/// merely repeated the first and the last time are kept. What asks for nothing and is repeated later is not kept.
pub fn merge(booking_requests: &mut Vec<BookingRequest>, columns: BookingRequestColumns, at: &Version) {
    if columns == BookingRequestColumns::default()
        || booking_requests.iter().any(|request| at.repeats(&request.at) && request.columns == columns)
    {
        return;
    }
    // One delivery says one thing. Where it is read anew, that takes the place of what it was read as before.
    booking_requests.retain(|request| request.at != *at);
    let place = booking_requests.partition_point(|request| request.at < *at);
    if !columns.asks() && booking_requests.get(place).is_some_and(|later| later.columns.includes(&columns)) {
        return;
    }
    booking_requests.insert(place, BookingRequest { at: at.clone(), columns });
    let repeated = |window: &[BookingRequest]| matches!(window, [before, request, after] if before.columns == request.columns && request.columns == after.columns);
    let middle = booking_requests.windows(3).position(repeated);
    if let Some(middle) = middle {
        booking_requests.remove(middle + 1);
    }
}

/// What the lead asked for at each of these times, the newest first: of each column the newest value until then.
#[must_use]
pub fn cumulative(booking_requests: &[BookingRequest]) -> Vec<BookingRequest> {
    let mut state = BookingRequestColumns::default();
    let cumulative = booking_requests.iter().map(|request| {
        state.merge_from(request.columns.clone(), &mut |_| true);
        BookingRequest { at: request.at.clone(), columns: state.clone() }
    });
    let mut cumulative: Vec<BookingRequest> = cumulative.collect();
    cumulative.reverse();
    cumulative
}

/// The booking requests of a lead that has only one, from its columns and their versions.
#[must_use]
pub fn only(columns: &LeadColumns, versions: &FieldVersions) -> Vec<BookingRequest> {
    let columns = BookingRequestColumns::of(columns);
    let at = columns.non_null().into_iter().filter_map(|column| versions.of(column)).max();
    at.map(|at| BookingRequest { at: at.clone(), columns: columns.clone() }).into_iter().collect()
}

/// What must be known to decide on any of a lead's booking requests.
#[must_use]
pub fn all_dependencies(booking_requests: &[BookingRequest]) -> BTreeSet<Dependency> {
    booking_requests.iter().flat_map(|request| dependencies_of(&request.columns)).collect()
}

/// Everything that a booking request names.
#[must_use]
pub fn dependencies_of(columns: &BookingRequestColumns) -> Vec<Dependency> {
    let listing = [columns.vin.clone().map(Dependency::Vin), columns.stock_number.clone().map(Dependency::Stock)];
    let rest = [
        columns.plan().map(|plan| Dependency::Plan(plan.to_owned())),
        columns.location_name.as_deref().map(|name| Dependency::Location(name.to_lowercase())),
        columns.email().map(Dependency::Person),
    ];
    listing.into_iter().chain(rest).flatten().collect()
}
