//! Bookings: what must hold before a lead becomes one, and when a lead is tried again.
//!
//! A booking is that of the lead's newest booking request that can be met with what is known now. It is decided anew
//! whenever something appears that a booking request waits for, so it does not matter what came first. What disappears
//! later undoes nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Effect;
use super::booking_request::{self, BookingRequest, BookingRequestColumns, Dependency};
use super::finding::{Code, Finding};
use super::ids::{LeadId, ListingId, LocationId, PackageId, PersonId};
use super::state::{Booking, BookingState, Lead, LeadKey, Listing, ListingStatus, Location, Row, WorkspaceState};
use super::stock;
use super::values::Email;

/// The rows that a booking request names, all found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedBooking {
    /// The person.
    pub person: PersonId,
    /// The vehicle.
    pub listing: ListingId,
    /// The location.
    pub location: LocationId,
    /// The package.
    pub package: PackageId,
}

/// What a booking request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It asks for no booking.
    NotRequested,
    /// All of these stand in the way.
    Blocked(Vec<Code>),
    /// Nothing does.
    Qualifies(ResolvedBooking),
}

/// Decides on one booking request by what is known now (Loopit's page, "For a booking to be created").
#[must_use]
pub fn decide(state: &WorkspaceState, booking_request: &BookingRequestColumns) -> Decision {
    if !booking_request.asks() {
        return Decision::NotRequested;
    }
    let person = requested_person(state, booking_request);
    let listing = requested_listing(state, booking_request);
    let location = requested_location(state, booking_request, listing.ok());
    let package = requested_package(state, booking_request);
    let listing = listing.and_then(|listing| match listing.status {
        ListingStatus::ForSale => Ok(listing.id),
        ListingStatus::Withdrawn | ListingStatus::Archived => Err(Code::AssetArchived),
    });
    match (person, listing, location, package) {
        (Ok(person), Ok(listing), Ok(location), Ok(package)) => {
            Decision::Qualifies(ResolvedBooking { person, listing, location, package })
        }
        (person, listing, location, package) => {
            let blockers = [person.err(), listing.err(), location.err(), package.err()];
            Decision::Blocked(blockers.into_iter().flatten().collect())
        }
    }
}

/// The person of the booking request's address. With a valid address only the date of birth can be why there is none.
fn requested_person(state: &WorkspaceState, booking_request: &BookingRequestColumns) -> Result<PersonId, Code> {
    if booking_request.contact_email.is_none() {
        return Err(Code::EmailMissing);
    }
    let email = booking_request.email().ok_or(Code::EmailInvalid)?;
    state.persons.get(&email).map(|row| row.value.id).ok_or(Code::DateInvalid)
}

/// The listing with the booking request's VIN; by stock number only when the booking request or that listing has no
/// VIN.
fn requested_listing<'a>(
    state: &'a WorkspaceState,
    booking_request: &BookingRequestColumns,
) -> Result<&'a Listing, Code> {
    let (vin, number) = (booking_request.vin.as_ref(), booking_request.stock_number.as_ref());
    if vin.is_none() && number.is_none() {
        return Err(Code::AssetNotGiven);
    }
    let by_vin = vin.and_then(|vin| state.listing_of_vin(vin));
    let found = by_vin.or_else(|| {
        let comparable = |listing: &Listing| vin.is_none() || listing.vin.is_none();
        number.and_then(|number| stock::listing_with(state, number, booking_request.dealership_id, comparable))
    });
    found.ok_or(Code::AssetNotFound)
}

/// The bookable location that the booking request names, else the listing's first.
fn requested_location(
    state: &WorkspaceState,
    booking_request: &BookingRequestColumns,
    listing: Option<&Listing>,
) -> Result<LocationId, Code> {
    let of_listing = || {
        let ids = listing.map(|listing| listing.locations.as_slice()).unwrap_or_default();
        let bookable = |id: &LocationId| state.location(*id).is_some_and(Location::is_bookable);
        ids.iter().copied().find(bookable)
    };
    named_location(state, booking_request).or_else(of_listing).ok_or(Code::LocationNotFound)
}

/// The bookable location that the booking request names.
fn named_location(state: &WorkspaceState, booking_request: &BookingRequestColumns) -> Option<LocationId> {
    let named = state.locations.get(&booking_request.location_name.as_deref()?.to_lowercase());
    named.filter(|row| row.value.is_bookable()).map(|row| row.value.id)
}

/// The package with exactly the plan's name.
fn requested_package(state: &WorkspaceState, booking_request: &BookingRequestColumns) -> Result<PackageId, Code> {
    let plan = booking_request.plan().ok_or(Code::PackageNotGiven)?;
    let package = state.packages.get(plan).map(|row| &row.value).filter(|package| package.is_active());
    package.map(|package| package.id).ok_or(Code::PackageNotFound)
}

/// Whether nothing that may still appear could make the booking request's booking another one.
fn is_final(state: &WorkspaceState, booking_request: &BookingRequestColumns) -> bool {
    booking_request.vin.as_ref().is_some_and(|vin| state.listing_of_vin(vin).is_some())
        && named_location(state, booking_request).is_some()
}

/// What a booking request names and is not there, or not for good: its appearance may make the booking possible, or
/// another one. What is there is not waited for. Should it go, that undoes nothing; and when something else appears,
/// the booking request is decided anew, and waits for it from then on.
fn missing(
    state: &WorkspaceState,
    booking_request: &BookingRequestColumns,
    decision: &Decision,
) -> BTreeSet<Dependency> {
    let by_vin = booking_request.vin.as_ref().and_then(|vin| state.listing_of_vin(vin));
    let is_for_sale = by_vin.is_some_and(|listing| listing.status == ListingStatus::ForSale);
    let has_location = named_location(state, booking_request).is_some();
    let is_missing = |dependency: &Dependency| match dependency {
        // Where the request names no location, those of the listing serve, which may come with its next content.
        Dependency::Vin(_) => !(is_for_sale && has_location),
        Dependency::Stock(_) => by_vin.is_none(),
        Dependency::Plan(_) => requested_package(state, booking_request).is_err(),
        Dependency::Location(_) => !has_location,
        Dependency::Person(_) => requested_person(state, booking_request).is_err(),
        Dependency::AnyLocation => true,
    };
    let named = booking_request::dependencies_of(booking_request).into_iter().filter(is_missing);
    let wants_location = match decision {
        Decision::Blocked(blockers) => blockers.contains(&Code::LocationNotFound),
        Decision::NotRequested | Decision::Qualifies(_) => false,
    };
    let is_listed = requested_listing(state, booking_request).is_ok();
    named.chain((wants_location && is_listed).then_some(Dependency::AnyLocation)).collect()
}

/// What all the booking requests of a lead come to.
struct Evaluation {
    /// What the newest booking request comes to.
    newest: Decision,
    /// The newest booking request that can be met.
    best: Option<(BookingRequest, ResolvedBooking)>,
    /// What may still change that.
    pending_on: BTreeSet<Dependency>,
}

/// Looks at the booking requests from the newest back to the first that can be met.
fn evaluate(state: &WorkspaceState, lead: &Lead) -> Evaluation {
    let mut evaluation = Evaluation { newest: Decision::NotRequested, best: None, pending_on: BTreeSet::new() };
    for (index, asked) in booking_request::cumulative(&lead.booking_requests).into_iter().enumerate() {
        let decision = decide(state, &asked.columns);
        let qualified = match &decision {
            Decision::Qualifies(resolved) => Some(*resolved),
            Decision::NotRequested | Decision::Blocked(_) => None,
        };
        if decision != Decision::NotRequested && !(qualified.is_some() && is_final(state, &asked.columns)) {
            evaluation.pending_on.extend(missing(state, &asked.columns, &decision));
        }
        if index == 0 {
            evaluation.newest = decision;
        }
        if let Some(resolved) = qualified {
            evaluation.best = Some((asked, resolved));
            break;
        }
    }
    evaluation
}

/// Decides for the lead of a delivery, and notes what stands in the newest booking request's way.
pub fn request_booking(
    state: &mut WorkspaceState,
    key: &LeadKey,
    path_prefix: &str,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Option<Effect> {
    let lead = &state.leads.get(key)?.value;
    let evaluation = evaluate(state, lead);
    if let Decision::Blocked(blockers) = &evaluation.newest {
        note(blockers, path_prefix, lead.columns.vin.is_some(), package_in_other_case(state, lead), findings);
    }
    settle(state, key, evaluation, now)
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

/// The name of a package that differs only in case from the plan of the lead's newest booking request.
fn package_in_other_case<'a>(state: &'a WorkspaceState, lead: &Lead) -> Option<&'a str> {
    let newest = booking_request::cumulative(&lead.booking_requests).into_iter().next()?;
    let plan = newest.columns.plan()?.to_lowercase();
    let active = state.packages.iter().filter(|(_, row)| row.value.is_active());
    active.map(|(name, _)| name.as_str()).find(|name| name.to_lowercase() == plan)
}

/// Notes each blocker that the reading of the payload has not noted already.
fn note(blockers: &[Code], path_prefix: &str, has_vin: bool, other_case: Option<&str>, findings: &mut Vec<Finding>) {
    for (code, field, message) in EXPLANATIONS.iter().filter(|(code, ..)| blockers.contains(code)) {
        let message = match other_case {
            Some(name) if *code == Code::PackageNotFound => format!("{message}; there is `{name}`"),
            Some(_) | None => (*message).to_owned(),
        };
        let field = if *field == "item.vin" && !has_vin { "item.stock_number" } else { field };
        let path = format!("{path_prefix}{field}");
        // Reading knows nothing of vehicles, locations and packages, and a delivery may hold thousands of leads.
        let may_be_noted = matches!(code, Code::EmailMissing | Code::EmailInvalid | Code::DateInvalid);
        let is_noted = |known: &Finding| known.code == *code && known.path.as_ref() == Some(&path);
        if !(may_be_noted && findings.iter().any(is_noted)) {
            findings.push(Finding::at(*code, path, message));
        }
    }
}

/// Writes what was decided to the lead and its booking.
fn settle(state: &mut WorkspaceState, key: &LeadKey, evaluation: Evaluation, now: DateTime<Utc>) -> Option<Effect> {
    let Evaluation { newest, best, pending_on } = evaluation;
    let horizon = retry_horizon(state, now);
    let lead = state.leads.get(key)?.value.id;
    let effect = best.map(|(booking_request, resolved)| book(state, key, lead, resolved, booking_request, now));
    let is_booked = state.bookings.contains_key(&lead);
    let (booking_state, blockers, effect) = match (newest, is_booked) {
        (_, true) => (BookingState::Created, Vec::new(), Some(effect.unwrap_or(Effect::Unchanged))),
        (Decision::Blocked(blockers), false) => (BookingState::Blocked, blockers, Some(Effect::Blocked)),
        (Decision::NotRequested | Decision::Qualifies(_), false) => (BookingState::NotRequested, Vec::new(), None),
    };
    let row = state.leads.get_mut(key)?;
    row.value.pending_on = if row.value.received_at < horizon { BTreeSet::new() } else { pending_on };
    if row.value.booking != booking_state || row.value.blockers != blockers {
        row.value.booking = booking_state;
        row.value.blockers = blockers;
        row.value.updated_at = row.value.updated_at.max(now);
        row.mark_dirty();
    }
    effect
}

/// Makes the booking, or lets it follow the lead's booking requests as they are known now.
fn book(
    state: &mut WorkspaceState,
    key: &LeadKey,
    lead: LeadId,
    resolved: ResolvedBooking,
    booking_request: BookingRequest,
    now: DateTime<Utc>,
) -> Effect {
    let ResolvedBooking { person, listing, location, package } = resolved;
    let person = Some(person);
    let (created_at, updated_at, delivery) = (now, now, state.delivery);
    let asked = Booking { person, listing, location, package, booking_request, delivery, created_at, updated_at };
    let stays = state.bookings.get(&lead).is_some_and(|row| stays(state, key, &row.value, &asked.booking_request));
    let Some(row) = state.bookings.get_mut(&lead) else {
        state.bookings.insert(lead, Row::new(asked));
        return Effect::Created;
    };
    let known = &row.value;
    let (created_at, updated_at) = (known.created_at, known.updated_at);
    let asked = Booking { created_at, updated_at, delivery: known.delivery, ..asked };
    if stays || *known == asked {
        return Effect::Unchanged;
    }
    let same_rows = Booking { booking_request: known.booking_request.clone(), ..asked.clone() } == *known;
    row.value = if same_rows { asked } else { Booking { updated_at: updated_at.max(now), delivery, ..asked } };
    row.mark_dirty();
    if same_rows { Effect::Unchanged } else { Effect::Updated }
}

/// Whether a booking stays although another booking request is now the newest that can be met, or the same booking
/// request can be met otherwise. What was there when it was made and is gone since undoes nothing: it stays while the
/// lead's booking request is what it was and its vehicle is withdrawn, or while only older booking requests can be met
/// now. It does not stay against the facts: where an older delivery has come late and changed what the booking request
/// was, the booking is made anew.
fn stays(state: &WorkspaceState, key: &LeadKey, booking: &Booking, best: &BookingRequest) -> bool {
    let known = &booking.booking_request;
    let booking_requests =
        state.leads.get(key).map(|row| booking_request::cumulative(&row.value.booking_requests)).unwrap_or_default();
    let is_what_it_was = booking_requests
        .iter()
        .find(|asked| asked.at.same_source_time(&known.at))
        .is_none_or(|asked| asked.columns == known.columns);
    let listing = state.listings.get(&booking.listing).map(|row| row.value.status);
    if best.at.same_source_time(&known.at) {
        best.columns == known.columns && listing != Some(ListingStatus::ForSale)
    } else {
        best.at < known.at && is_what_it_was
    }
}

/// From which arrival on leads are young enough to be tried again.
fn retry_horizon(state: &WorkspaceState, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(state.booking_retry_days)
}

/// Tries the leads again that `concerns` picks, while they are young enough; says whether any changed. Those that are
/// too old wait no longer.
pub fn retry(state: &mut WorkspaceState, now: DateTime<Utc>, concerns: impl Fn(&Lead) -> bool) -> bool {
    let horizon = retry_horizon(state, now);
    let mut again: Vec<LeadKey> = Vec::new();
    for (key, row) in state.leads.iter_mut().filter(|(_, row)| concerns(&row.value)) {
        if row.value.received_at < horizon {
            row.value.pending_on.clear();
        } else {
            again.push(key.clone());
        }
    }
    let mut changed = false;
    for key in again {
        let Some(lead) = state.leads.get(&key).map(|row| &row.value) else { continue };
        let before = (lead.booking, lead.blockers.clone());
        let evaluation = evaluate(state, lead);
        let effect = settle(state, &key, evaluation, now);
        if let Some(effect @ (Effect::Created | Effect::Updated)) = effect {
            // One that was made and then changed was made.
            state.other_bookings.entry(key.external_id.clone()).or_insert(effect);
        }
        let after = state.leads.get(&key).map(|row| (row.value.booking, row.value.blockers.clone()));
        changed |= effect == Some(Effect::Updated) || after != Some(before);
    }
    changed
}

/// Whether a lead is pending on one of these.
#[must_use]
pub fn is_pending_on(lead: &Lead, dependencies: &BTreeSet<Dependency>) -> bool {
    !lead.pending_on.is_disjoint(dependencies)
}

/// Ties the leads and clusters that waited for a person of this address, and tries the leads again.
pub fn person_created(state: &mut WorkspaceState, email: &Email, now: DateTime<Utc>) -> bool {
    let Some(person) = state.persons.get(email).map(|row| row.value.id) else { return false };
    let mut tied = false;
    for row in state.leads.values_mut() {
        let lead = &row.value;
        if lead.person.is_none()
            && may_be(lead.columns.contact_email.as_deref(), email)
            && lead.email().as_ref() == Some(email)
        {
            row.value.person = Some(person);
            row.mark_dirty();
            tied = true;
        }
    }
    for row in state.clusters.values_mut() {
        if row.value.person.is_none() && row.value.email().as_ref() == Some(email) {
            row.value.person = Some(person);
            row.mark_dirty();
            tied = true;
        }
    }
    let dependency = Dependency::Person(email.clone());
    retry(state, now, |lead| lead.pending_on.contains(&dependency)) || tied
}

/// Whether a text can be read as this address, told without reading it: in a cluster of thousands of leads each new
/// person is compared with each lead. Of texts in ASCII no letter is lost but its case.
fn may_be(text: Option<&str>, email: &Email) -> bool {
    let Some(text) = text else { return false };
    let local = email.as_str().split('@').next().unwrap_or_default();
    let local = local.as_bytes();
    !text.is_ascii() || text.as_bytes().windows(local.len().max(1)).any(|part| part.eq_ignore_ascii_case(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_read_as_an_address_may_be_it() {
        let odd = ["o'neill+x", "a.b", "\"a b\"", "x_y-z", "ü", "I"];
        let domains = ["Example.COM", "bücher.example", "xn--bcher-kva.example", "a.b.c.example"];
        for (local, domain) in odd.iter().flat_map(|local| domains.map(|domain| (local, domain))) {
            for text in [format!("{local}@{domain}"), format!(" {} ", format!("{local}@{domain}").to_uppercase())] {
                if let Some(email) = Email::parse(&text) {
                    assert!(may_be(Some(&text), &email), "{text}");
                }
            }
        }
        let email = Email::parse("ada@example.com").unwrap();
        assert!(!may_be(Some("grace@example.com"), &email) && !may_be(None, &email));
    }
}
