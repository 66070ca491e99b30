//! What a lead asked for over time. A booking is that of the newest wish that can be met, so the order in which the
//! wishes arrived does not matter: an older one that arrives late is met, or not, as if it had come first.

use std::collections::BTreeSet;

use super::columns::{Columns, scalar_columns};
use super::facts::LeadColumns;
use super::stamp::{Clocks, Stamp};
use super::values::text::matched;
use super::values::{Email, StockNumber, Vin};

scalar_columns! {
    /// The columns of a lead that a booking depends on.
    pub struct WishColumns {
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

impl WishColumns {
    /// What these columns of a lead say of a booking.
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

    /// Whether all that the other says is said here, too.
    fn includes(&self, other: &Self) -> bool {
        let mut both = self.clone();
        both.take(other.clone(), &mut |_| true);
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

/// What a lead said at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// When.
    pub at: Stamp,
    /// What.
    pub said: WishColumns,
}

/// Something whose appearance may make a booking possible, or a better one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// A listing with this VIN.
    Vin(Vin),
    /// A listing with this stock number.
    Stock(StockNumber),
    /// A package of this name.
    Plan(String),
    /// A bookable location of this name, in lower case.
    Location(String),
    /// A person of this address.
    Person(Email),
}

/// Keeps what was said among the wishes, in the order in which the sender said them. Of a wish that is merely repeated
/// the first and the last time are kept. What asks for nothing and was said again later is not kept.
pub fn hear(wishes: &mut Vec<Wish>, said: WishColumns, at: &Stamp) {
    if said == WishColumns::default() || wishes.iter().any(|wish| at.repeats(&wish.at) && wish.said == said) {
        return;
    }
    // One delivery says one thing. Where it is read anew, that takes the place of what it was read as before.
    wishes.retain(|wish| wish.at != *at);
    let place = wishes.partition_point(|wish| wish.at < *at);
    if !said.asks() && wishes.get(place).is_some_and(|later| later.said.includes(&said)) {
        return;
    }
    wishes.insert(place, Wish { at: at.clone(), said });
    let repeated = |window: &[Wish]| matches!(window, [before, wish, after] if before.said == wish.said && wish.said == after.said);
    let middle = wishes.windows(3).position(repeated);
    if let Some(middle) = middle {
        wishes.remove(middle + 1);
    }
}

/// What the lead wished at each of these times, the newest first: of each column the newest value said until then.
#[must_use]
pub fn states(wishes: &[Wish]) -> Vec<Wish> {
    let mut state = WishColumns::default();
    let states = wishes.iter().map(|wish| {
        state.take(wish.said.clone(), &mut |_| true);
        Wish { at: wish.at.clone(), said: state.clone() }
    });
    let mut states: Vec<Wish> = states.collect();
    states.reverse();
    states
}

/// The wishes of a lead that has said only one, from its columns and their times.
#[must_use]
pub fn only(columns: &LeadColumns, clocks: &Clocks) -> Vec<Wish> {
    let said = WishColumns::of(columns);
    let at = said.held().into_iter().filter_map(|column| clocks.of(column)).max();
    at.map(|at| Wish { at: at.clone(), said: said.clone() }).into_iter().collect()
}

/// What must be known to decide on any of a lead's wishes.
#[must_use]
pub fn wanted(wishes: &[Wish]) -> BTreeSet<Want> {
    wishes.iter().flat_map(|wish| all_of(&wish.said)).collect()
}

/// Everything that a wish names.
#[must_use]
pub fn all_of(said: &WishColumns) -> Vec<Want> {
    let listing = [said.vin.clone().map(Want::Vin), said.stock_number.clone().map(Want::Stock)];
    let rest = [
        said.plan().map(|plan| Want::Plan(plan.to_owned())),
        said.location_name.as_deref().map(|name| Want::Location(name.to_lowercase())),
        said.email().map(Want::Person),
    ];
    listing.into_iter().chain(rest).flatten().collect()
}
