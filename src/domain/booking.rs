//! Bookings: what must hold before a lead becomes one, and when that is decided again.

use chrono::{DateTime, TimeDelta, Utc};

use super::Effect;
use super::finding::{Code, Finding};
use super::stock;
use super::values::Email;
use super::world::{Booking, BookingState, Lead, LeadKey, Listing, ListingStatus, Row, RowId, Tenant};

/// The category that asks for a booking without naming a plan.
const SUBSCRIPTION_ENQUIRY: &str = "Subscription Enquiry";

/// What a lead needs for a booking, all found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The person.
    pub person: RowId,
    /// The vehicle.
    pub listing: RowId,
    /// The location.
    pub location: RowId,
    /// The package.
    pub package: RowId,
}

/// What a lead's wish for a booking comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It asks for none.
    NotRequested,
    /// All of these stand in the way.
    Blocked(Vec<Code>),
    /// Nothing does.
    Qualifies(Request),
}

/// Decides by what is known now (Loopit's page, "For a booking to be created").
#[must_use]
pub fn decide(tenant: &Tenant, lead: &Lead) -> Decision {
    if !asks(lead) {
        return Decision::NotRequested;
    }
    let person = lead.person.ok_or_else(|| why_nobody(lead));
    let listing = wanted_listing(tenant, lead);
    let location = wanted_location(tenant, lead, listing.ok());
    let package = wanted_package(tenant, lead);
    let listing = listing.and_then(|listing| match listing.status {
        ListingStatus::ForSale => Ok(listing.id),
        ListingStatus::Withdrawn | ListingStatus::Archived => Err(Code::AssetArchived),
    });
    match (person, listing, location, package) {
        (Ok(person), Ok(listing), Ok(location), Ok(package)) => {
            Decision::Qualifies(Request { person, listing, location, package })
        }
        (person, listing, location, package) => {
            let blockers = [person.err(), listing.err(), location.err(), package.err()];
            Decision::Blocked(blockers.into_iter().flatten().collect())
        }
    }
}

/// A lead asks by naming a plan in its details, or by its category.
fn asks(lead: &Lead) -> bool {
    let category = lead.columns.category.as_deref();
    lead.columns.requested_plan.is_some()
        || category.is_some_and(|category| category.eq_ignore_ascii_case(SUBSCRIPTION_ENQUIRY))
}

/// Why the lead has no person. With a valid address only the date of birth can be the reason.
fn why_nobody(lead: &Lead) -> Code {
    match (&lead.columns.contact_email, lead.email()) {
        (None, _) => Code::EmailMissing,
        (Some(_), None) => Code::EmailInvalid,
        (Some(_), Some(_)) => Code::DateInvalid,
    }
}

/// The listing with the lead's VIN; by stock number only when the lead or that listing has no VIN.
fn wanted_listing<'a>(tenant: &'a Tenant, lead: &Lead) -> Result<&'a Listing, Code> {
    let (vin, number) = (lead.columns.vin.as_ref(), lead.columns.stock_number.as_ref());
    if vin.is_none() && number.is_none() {
        return Err(Code::AssetNotGiven);
    }
    let by_vin = vin.and_then(|vin| tenant.listings.values().find(|row| row.value.vin.as_ref() == Some(vin)));
    let found = by_vin.map(|row| &row.value).or_else(|| {
        let comparable = |listing: &Listing| vin.is_none() || listing.vin.is_none();
        number.and_then(|number| stock::listing_with(tenant, number, lead.columns.dealership_id, comparable))
    });
    found.ok_or(Code::AssetNotFound)
}

/// The bookable location that the lead names, else the listing's first.
fn wanted_location(tenant: &Tenant, lead: &Lead, listing: Option<&Listing>) -> Result<RowId, Code> {
    let named = lead.columns.location_name.as_deref().and_then(|name| tenant.locations.get(&name.to_lowercase()));
    let named = named.map(|row| &row.value).filter(|location| location.is_bookable());
    let of_listing = || {
        let ids = listing.map(|listing| listing.locations.as_slice()).unwrap_or_default();
        let bookable = |id: &RowId| tenant.locations.values().any(|row| row.value.id == *id && row.value.is_bookable());
        ids.iter().copied().find(bookable)
    };
    named.map(|location| location.id).or_else(of_listing).ok_or(Code::LocationNotFound)
}

/// The package with exactly the plan's name.
fn wanted_package(tenant: &Tenant, lead: &Lead) -> Result<RowId, Code> {
    let plan = lead.plan().ok_or(Code::PackageNotGiven)?;
    let package = tenant.packages.get(plan).map(|row| &row.value).filter(|package| package.is_active());
    package.map(|package| package.id).ok_or(Code::PackageNotFound)
}

/// The lead of a delivery, and what the delivery is to it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The lead.
    pub key: &'a LeadKey,
    /// Where it stands in the payload.
    pub place: &'a str,
    /// Whether the delivery is the newest one of the lead.
    pub newest: bool,
}

/// Decides for the lead of a delivery, and notes what stands in the way. Only a newer delivery takes a booking away from
/// a vehicle that was withdrawn since: the same one again would otherwise move it to whatever bears the stock number now.
pub fn ask(tenant: &mut Tenant, asking: Asking<'_>, now: DateTime<Utc>, findings: &mut Vec<Finding>) -> Option<Effect> {
    let Asking { key, place, newest } = asking;
    let lead = &tenant.leads.get(key)?.value;
    if !newest && outlived(tenant, lead) {
        return Some(Effect::Unchanged);
    }
    let decision = decide(tenant, lead);
    if let Decision::Blocked(blockers) = &decision {
        note(blockers, place, findings);
    }
    settle(tenant, key, decision, now)
}

/// Where in a lead each blocker stands, and why it is one.
const EXPLANATIONS: [(Code, &str, &str); 9] = [
    (Code::EmailMissing, "prospect.email", "a booking needs a person, and a person an e-mail address"),
    (Code::EmailInvalid, "prospect.email", "a booking needs a person, and this is not an e-mail address"),
    (Code::DateInvalid, "prospect.dob", "a booking needs a person, and this is not a date of birth"),
    (Code::AssetNotGiven, "item", "neither a VIN nor a stock number is given"),
    (Code::AssetNotFound, "item", "no listing has this VIN or stock number yet"),
    (Code::AssetArchived, "item", "the listing is withdrawn or archived"),
    (Code::LocationNotFound, "location.location_name", "neither this nor the listing gives a bookable location"),
    (Code::PackageNotGiven, "additional_details.subscription_plan", "no subscription plan is given"),
    (Code::PackageNotFound, "additional_details.subscription_plan", "no package has exactly this name"),
];

/// Notes each blocker that the reading of the payload has not noted already.
fn note(blockers: &[Code], place: &str, findings: &mut Vec<Finding>) {
    for (code, field, message) in EXPLANATIONS.iter().filter(|(code, ..)| blockers.contains(code)) {
        let path = format!("{place}{field}");
        if !findings.iter().any(|known| known.code == *code && known.path.as_ref() == Some(&path)) {
            findings.push(Finding::at(*code, path, *message));
        }
    }
}

/// Writes a decision to the lead and its booking. A booking once made is not undone.
fn settle(tenant: &mut Tenant, key: &LeadKey, decision: Decision, now: DateTime<Utc>) -> Option<Effect> {
    let row = tenant.leads.get_mut(key)?;
    let booked = tenant.bookings.get_mut(&row.value.id);
    let (state, blockers, effect) = match (decision, booked) {
        (Decision::NotRequested, None) => (BookingState::NotRequested, Vec::new(), None),
        (Decision::Blocked(blockers), None) => (BookingState::Blocked, blockers, Some(Effect::Blocked)),
        (Decision::Qualifies(request), Some(booking)) => {
            (BookingState::Created, Vec::new(), Some(update(booking, request, now)))
        }
        (Decision::NotRequested | Decision::Blocked(_), Some(_)) => {
            (BookingState::Created, Vec::new(), Some(Effect::Unchanged))
        }
        (Decision::Qualifies(request), None) => {
            tenant.bookings.insert(row.value.id, Row::new(requested(request, now)));
            (BookingState::Created, Vec::new(), Some(Effect::Created))
        }
    };
    if row.value.booking != state || row.value.blockers != blockers {
        row.value.booking = state;
        row.value.blockers = blockers;
        row.value.updated_at = row.value.updated_at.max(now);
        row.touch();
    }
    effect
}

fn requested(request: Request, now: DateTime<Utc>) -> Booking {
    let Request { person, listing, location, package } = request;
    Booking { person, listing, location, package, created_at: now, updated_at: now }
}

fn update(booking: &mut Row<Booking>, request: Request, now: DateTime<Utc>) -> Effect {
    let asked = Booking { created_at: booking.value.created_at, ..requested(request, now) };
    let same = Booking { updated_at: booking.value.updated_at, ..asked.clone() } == booking.value;
    if same {
        return Effect::Unchanged;
    }
    booking.value = asked;
    booking.touch();
    Effect::Updated
}

/// Whether the lead has a booking for a vehicle that can no longer be booked.
fn outlived(tenant: &Tenant, lead: &Lead) -> bool {
    let booking = tenant.bookings.get(&lead.id).map(|row| &row.value);
    booking.is_some_and(|booking| {
        let listing = tenant.listings.get(&booking.listing).map(|row| row.value.status);
        listing != Some(ListingStatus::ForSale)
    })
}

/// Decides again for the leads that `concerns` picks, while they are young enough; says whether any changed.
///
/// A blocked lead may have what it lacked. One that is booked may have what it asked for, where something else stood
/// in: the vehicle of its own dealership, the location it named. Whichever came first, the booking is the same.
pub fn retry(tenant: &mut Tenant, now: DateTime<Utc>, concerns: impl Fn(&Lead) -> bool) -> bool {
    let horizon = now - TimeDelta::days(tenant.booking_retry_days);
    let open = |lead: &Lead| match lead.booking {
        BookingState::Blocked => lead.received_at >= horizon,
        BookingState::Created => lead.received_at >= horizon && !outlived(tenant, lead),
        BookingState::NotRequested => false,
    };
    let again = tenant.leads.iter().filter(|(_, row)| open(&row.value) && concerns(&row.value));
    let again: Vec<LeadKey> = again.map(|(key, _)| key.clone()).collect();
    let mut changed = false;
    for key in again {
        let Some(lead) = tenant.leads.get(&key) else { continue };
        let decision = decide(tenant, &lead.value);
        let before = lead.value.blockers.clone();
        let effect = settle(tenant, &key, decision, now);
        changed |= matches!(effect, Some(Effect::Created | Effect::Updated))
            || tenant.leads.get(&key).is_some_and(|row| row.value.blockers != before);
    }
    changed
}

/// Ties the leads that waited for a person of this address, and tries them again.
pub fn person_appeared(tenant: &mut Tenant, email: &Email, now: DateTime<Utc>) -> bool {
    let Some(person) = tenant.persons.get(email).map(|row| row.value.id) else { return false };
    let mut tied = false;
    for row in tenant.leads.values_mut() {
        if row.value.person.is_none() && row.value.email().as_ref() == Some(email) {
            row.value.person = Some(person);
            row.touch();
            tied = true;
        }
    }
    if tied {
        retry(tenant, now, |lead| lead.person == Some(person));
    }
    tied
}
