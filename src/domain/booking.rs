//! Bookings: what must hold before a lead becomes one, and when a lead is tried again.
//!
//! A booking is that of the lead's newest wish that can be met with what is known now. It is decided anew whenever
//! something appears that a wish waits for, so it does not matter what came first. What disappears later undoes nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Effect;
use super::finding::{Code, Finding};
use super::stock;
use super::values::Email;
use super::wish::{self, Want, Wish, WishColumns};
use super::world::{Booking, BookingState, Lead, LeadKey, Listing, ListingStatus, Location, Row, RowId, Tenant};

/// What a wish needs for a booking, all found.
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

/// What a wish comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It asks for no booking.
    NotRequested,
    /// All of these stand in the way.
    Blocked(Vec<Code>),
    /// Nothing does.
    Qualifies(Request),
}

/// Decides on one wish by what is known now (Loopit's page, "For a booking to be created").
#[must_use]
pub fn decide(tenant: &Tenant, wish: &WishColumns) -> Decision {
    if !wish.asks() {
        return Decision::NotRequested;
    }
    let person = wanted_person(tenant, wish);
    let listing = wanted_listing(tenant, wish);
    let location = wanted_location(tenant, wish, listing.ok());
    let package = wanted_package(tenant, wish);
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

/// The person of the wish's address. With a valid address only the date of birth can be why there is none.
fn wanted_person(tenant: &Tenant, wish: &WishColumns) -> Result<RowId, Code> {
    if wish.contact_email.is_none() {
        return Err(Code::EmailMissing);
    }
    let email = wish.email().ok_or(Code::EmailInvalid)?;
    tenant.persons.get(&email).map(|row| row.value.id).ok_or(Code::DateInvalid)
}

/// The listing with the wish's VIN; by stock number only when the wish or that listing has no VIN.
fn wanted_listing<'a>(tenant: &'a Tenant, wish: &WishColumns) -> Result<&'a Listing, Code> {
    let (vin, number) = (wish.vin.as_ref(), wish.stock_number.as_ref());
    if vin.is_none() && number.is_none() {
        return Err(Code::AssetNotGiven);
    }
    let by_vin = vin.and_then(|vin| tenant.listing_of_vin(vin));
    let found = by_vin.or_else(|| {
        let comparable = |listing: &Listing| vin.is_none() || listing.vin.is_none();
        number.and_then(|number| stock::listing_with(tenant, number, wish.dealership_id, comparable))
    });
    found.ok_or(Code::AssetNotFound)
}

/// The bookable location that the wish names, else the listing's first.
fn wanted_location(tenant: &Tenant, wish: &WishColumns, listing: Option<&Listing>) -> Result<RowId, Code> {
    let of_listing = || {
        let ids = listing.map(|listing| listing.locations.as_slice()).unwrap_or_default();
        let bookable = |id: &RowId| tenant.location(*id).is_some_and(Location::is_bookable);
        ids.iter().copied().find(bookable)
    };
    named_location(tenant, wish).or_else(of_listing).ok_or(Code::LocationNotFound)
}

/// The bookable location that the wish names.
fn named_location(tenant: &Tenant, wish: &WishColumns) -> Option<RowId> {
    let named = tenant.locations.get(&wish.location_name.as_deref()?.to_lowercase());
    named.filter(|row| row.value.is_bookable()).map(|row| row.value.id)
}

/// The package with exactly the plan's name.
fn wanted_package(tenant: &Tenant, wish: &WishColumns) -> Result<RowId, Code> {
    let plan = wish.plan().ok_or(Code::PackageNotGiven)?;
    let package = tenant.packages.get(plan).map(|row| &row.value).filter(|package| package.is_active());
    package.map(|package| package.id).ok_or(Code::PackageNotFound)
}

/// Whether nothing that may still appear could make the wish's booking another one.
fn is_final(tenant: &Tenant, wish: &WishColumns) -> bool {
    wish.vin.as_ref().is_some_and(|vin| tenant.listing_of_vin(vin).is_some()) && named_location(tenant, wish).is_some()
}

/// What all the wishes of a lead come to.
struct Outlook {
    /// What the newest wish comes to.
    newest: Decision,
    /// The newest wish that can be met.
    best: Option<(Wish, Request)>,
    /// What may still change that.
    waits_for: BTreeSet<Want>,
}

/// Looks at the wishes from the newest back to the first that can be met.
fn look(tenant: &Tenant, lead: &Lead) -> Outlook {
    let mut outlook = Outlook { newest: Decision::NotRequested, best: None, waits_for: BTreeSet::new() };
    for (index, state) in wish::states(&lead.wishes).into_iter().enumerate() {
        let decision = decide(tenant, &state.said);
        let met = match &decision {
            Decision::Qualifies(request) => Some(*request),
            Decision::NotRequested | Decision::Blocked(_) => None,
        };
        if decision != Decision::NotRequested && !(met.is_some() && is_final(tenant, &state.said)) {
            outlook.waits_for.extend(wish::all_of(&state.said));
        }
        if index == 0 {
            outlook.newest = decision;
        }
        if let Some(request) = met {
            outlook.best = Some((state, request));
            break;
        }
    }
    outlook
}

/// Decides for the lead of a delivery, and notes what stands in the newest wish's way.
pub fn ask(
    tenant: &mut Tenant,
    key: &LeadKey,
    place: &str,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Option<Effect> {
    let lead = &tenant.leads.get(key)?.value;
    let outlook = look(tenant, lead);
    if let Decision::Blocked(blockers) = &outlook.newest {
        note(blockers, place, lead.columns.vin.is_some(), package_in_other_case(tenant, lead), findings);
    }
    settle(tenant, key, outlook, now)
}

/// Where in a lead each blocker stands, and why it is one. Those of the vehicle stand at the VIN where there is one.
const EXPLANATIONS: [(Code, &str, &str); 9] = [
    (Code::EmailMissing, "prospect.email", "a booking needs a person, and a person an e-mail address"),
    (Code::EmailInvalid, "prospect.email", "a booking needs a person, and this is not an e-mail address"),
    (Code::DateInvalid, "prospect.dob", "a booking needs a person, and this is not a date of birth"),
    (Code::AssetNotGiven, "item", "neither a VIN nor a stock number is given"),
    (Code::AssetNotFound, "item.vin", "no listing has this VIN or stock number yet"),
    (Code::AssetArchived, "item.vin", "the listing is withdrawn or archived"),
    (Code::LocationNotFound, "location.location_name", "neither this nor the listing gives a bookable location"),
    (Code::PackageNotGiven, "additional_details.subscription_plan", "no subscription plan is given"),
    (Code::PackageNotFound, "additional_details.subscription_plan", "no package has exactly this name"),
];

/// The name of a package that differs only in case from the plan of the lead's newest wish.
fn package_in_other_case<'a>(tenant: &'a Tenant, lead: &Lead) -> Option<&'a str> {
    let newest = wish::states(&lead.wishes).into_iter().next()?;
    let plan = newest.said.plan()?.to_lowercase();
    let active = tenant.packages.iter().filter(|(_, row)| row.value.is_active());
    active.map(|(name, _)| name.as_str()).find(|name| name.to_lowercase() == plan)
}

/// Notes each blocker that the reading of the payload has not noted already.
fn note(blockers: &[Code], place: &str, has_vin: bool, other_case: Option<&str>, findings: &mut Vec<Finding>) {
    for (code, field, message) in EXPLANATIONS.iter().filter(|(code, ..)| blockers.contains(code)) {
        let message = match other_case {
            Some(name) if *code == Code::PackageNotFound => format!("{message}; there is `{name}`"),
            Some(_) | None => (*message).to_owned(),
        };
        let field = if *field == "item.vin" && !has_vin { "item.stock_number" } else { field };
        let path = format!("{place}{field}");
        if !findings.iter().any(|known| known.code == *code && known.path.as_ref() == Some(&path)) {
            findings.push(Finding::at(*code, path, message));
        }
    }
}

/// Writes what was decided to the lead and its booking.
fn settle(tenant: &mut Tenant, key: &LeadKey, outlook: Outlook, now: DateTime<Utc>) -> Option<Effect> {
    let Outlook { newest, best, waits_for } = outlook;
    let lead = tenant.leads.get(key)?.value.id;
    let effect = best.map(|(wish, request)| book(tenant, key, lead, request, wish, now));
    let is_booked = tenant.bookings.contains_key(&lead);
    let (state, blockers, effect) = match (newest, is_booked) {
        (_, true) => (BookingState::Created, Vec::new(), Some(effect.unwrap_or(Effect::Unchanged))),
        (Decision::Blocked(blockers), false) => (BookingState::Blocked, blockers, Some(Effect::Blocked)),
        (Decision::NotRequested | Decision::Qualifies(_), false) => (BookingState::NotRequested, Vec::new(), None),
    };
    let row = tenant.leads.get_mut(key)?;
    if row.value.booking != state || row.value.blockers != blockers || row.value.waits_for != waits_for {
        row.value.booking = state;
        row.value.blockers = blockers;
        row.value.waits_for = waits_for;
        row.value.updated_at = row.value.updated_at.max(now);
        row.touch();
    }
    effect
}

/// Makes the booking, or lets it follow the lead's wishes as they are known now.
fn book(tenant: &mut Tenant, key: &LeadKey, lead: RowId, request: Request, wish: Wish, now: DateTime<Utc>) -> Effect {
    let Request { person, listing, location, package } = request;
    let asked = Booking { person, listing, location, package, wish, created_at: now, updated_at: now };
    let stays = tenant.bookings.get(&lead).is_some_and(|row| stays(tenant, key, &row.value, &asked.wish));
    let Some(row) = tenant.bookings.get_mut(&lead) else {
        tenant.bookings.insert(lead, Row::new(asked));
        return Effect::Created;
    };
    let known = &row.value;
    let asked = Booking { created_at: known.created_at, updated_at: known.updated_at, ..asked };
    if stays || *known == asked {
        return Effect::Unchanged;
    }
    let same_rows = Booking { wish: known.wish.clone(), ..asked.clone() } == *known;
    row.value = if same_rows { asked } else { Booking { updated_at: known.updated_at.max(now), ..asked } };
    row.touch();
    if same_rows { Effect::Unchanged } else { Effect::Updated }
}

/// Whether a booking stays although another wish is now the newest that can be met, or the same wish can be met
/// otherwise. What was there when it was made and is gone since undoes nothing: it stays while the lead's wish is what it
/// was and its vehicle is withdrawn, or while only older wishes can be met now. It does not stay against the facts: where
/// an older delivery has come late and changed what the wish was, the booking is made anew.
fn stays(tenant: &Tenant, key: &LeadKey, booking: &Booking, best: &Wish) -> bool {
    let known = &booking.wish;
    let wishes = tenant.leads.get(key).map(|row| wish::states(&row.value.wishes)).unwrap_or_default();
    let is_what_it_was =
        wishes.iter().find(|state| state.at.same_moment(&known.at)).is_none_or(|state| state.said == known.said);
    let listing = tenant.listings.get(&booking.listing).map(|row| row.value.status);
    if best.at.same_moment(&known.at) {
        best.said == known.said && listing != Some(ListingStatus::ForSale)
    } else {
        best.at < known.at && is_what_it_was
    }
}

/// Tries the leads again that `concerns` picks, while they are young enough; says whether any changed.
pub fn retry(tenant: &mut Tenant, now: DateTime<Utc>, concerns: impl Fn(&Lead) -> bool) -> bool {
    let horizon = now - TimeDelta::days(tenant.booking_retry_days);
    let again = tenant.leads.iter().filter(|(_, row)| row.value.received_at >= horizon && concerns(&row.value));
    let again: Vec<LeadKey> = again.map(|(key, _)| key.clone()).collect();
    let mut changed = false;
    for key in again {
        let Some(lead) = tenant.leads.get(&key).map(|row| &row.value) else { continue };
        let before = (lead.booking, lead.blockers.clone());
        let outlook = look(tenant, lead);
        let effect = settle(tenant, &key, outlook, now);
        let after = tenant.leads.get(&key).map(|row| (row.value.booking, row.value.blockers.clone()));
        changed |= effect == Some(Effect::Updated) || after != Some(before);
    }
    changed
}

/// Whether a lead waits for one of these.
#[must_use]
pub fn waits_for(lead: &Lead, appeared: &BTreeSet<Want>) -> bool {
    !lead.waits_for.is_disjoint(appeared)
}

/// Ties the leads and clusters that waited for a person of this address, and tries the leads again.
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
    for row in tenant.clusters.values_mut() {
        if row.value.person.is_none() && row.value.email().as_ref() == Some(email) {
            row.value.person = Some(person);
            row.touch();
            tied = true;
        }
    }
    let appeared = BTreeSet::from([Want::Person(email.clone())]);
    retry(tenant, now, |lead| waits_for(lead, &appeared)) || tied
}
