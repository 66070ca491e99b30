//! Listings: which vehicle a delivery is about, what the vehicle's row shows, and whether it can be booked.
//!
//! What was said is kept apart from what is shown: an [`Identifier`] keeps its newest word, its newest for-sale time
//! and the VIN it belongs to; a [`ListingSource`] the newest content said under an identifier and a VIN. A listing is
//! computed from those that belong to it, never from its former self, so any order of arrival gives the same row.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::facts::{ListingColumns, SaleWord, VehicleFacts};
use super::finding::{Code, Finding};
use super::named::Named;
use super::stamp::{Heard, Moment, hear_newest};
use super::stock::{self, Shelf};
use super::values::Vin;
use super::wish::Want;
use super::world::{
    Booking, Identifier, Listing, ListingChange, ListingSource, ListingStatus, Location, Row, RowId, RowState,
    SourceKey, Tenant, WatchedPrices,
};
use super::{Effect, Effects, Verdict, booking, place};

/// Hears one vehicle: its names, its identifier, its content; then computes every listing that this touches.
pub fn apply(
    tenant: &mut Tenant,
    facts: VehicleFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Verdict {
    let Some(identifier) = identify(&facts) else {
        findings.push(Finding::whole(Code::ListingUnidentified, "neither identifier, VIN nor stock number is given"));
        return Verdict::Rejected;
    };
    let known = known_time(tenant, &identifier, facts.vin.as_ref());
    let at = Moment { at: facts.modified_at.or(known), arrived_at: received_at };
    let changed_at = facts.modified_at.filter(|at| Some(*at) != known).unwrap_or(received_at);
    let appeared = place::hear(tenant, facts.content.location.as_ref(), &facts.content.packages, at);
    let said = Delivered { identifier, vin: facts.vin.clone(), word: facts.word, at };
    let left = shelf_of(tenant, &said.identifier);
    let (heard, touched) = hear(tenant, &said, facts, received_at);

    let mut shelves = touched.shelves(tenant);
    shelves.extend(left);
    let made = touched.is_new.then_some(touched.subject);
    let told = touched.told.clone();
    let mut changes = Changes { at: changed_at, received_at, made, told, visible: BTreeSet::new() };
    for id in touched.listings.clone() {
        show(tenant, id, &mut changes);
    }
    shelves.extend(touched.shelves(tenant));
    let archived = archive(tenant, &shelves, &mut changes);

    note(tenant, &said, heard, &archived, findings);
    let retried = retry_bookings(tenant, &changes.visible, &appeared, received_at);
    Verdict::Heard(Effects {
        listing: Some(touched.effect(&changes)),
        beside: heard.writes() || appeared.wrote || retried,
        ..Effects::default()
    })
}

/// The delivery, without its content.
struct Delivered {
    identifier: String,
    vin: Option<Vin>,
    word: Option<SaleWord>,
    at: Moment,
}

/// The sender's identifier; without one the VIN, else the stock number of the dealership, stands in for it.
#[must_use]
pub fn identify(facts: &VehicleFacts) -> Option<String> {
    let ListingColumns { dealership_id, stock_number, .. } = &facts.content.columns;
    // The slash keeps a stock number apart from an identifier that is the same number.
    let dealership = dealership_id.map(|id| id.to_string()).unwrap_or_default();
    let number = stock_number.as_ref().map(|number| format!("{dealership}/{}", number.as_str()));
    let vin = facts.vin.as_ref().map(|vin| vin.as_str().to_owned());
    facts.identifier.clone().or(vin).or(number)
}

/// The newest time that is known of an identifier: a delivery without the sender's time counts as just newer.
fn known_time(tenant: &Tenant, identifier: &str, vin: Option<&Vin>) -> Option<DateTime<Utc>> {
    let source = |vin: Option<&Vin>| tenant.sources.get(&(identifier.to_owned(), vin.cloned()))?.value.at.at;
    let of_contents = source(None).max(source(vin));
    let Some(known) = tenant.identifiers.get(identifier).map(|row| &row.value) else { return of_contents };
    let word = known.word.as_ref().and_then(|word| word.at.at);
    let vin = known.vin.as_ref().and_then(|vin| vin.at.at);
    of_contents.max(word).max(vin).max(known.for_sale_at.and_then(|for_sale| for_sale.at))
}

/// The stock number that the vehicle of an identifier claims: where its row merges into another, the number is free.
fn shelf_of(tenant: &Tenant, identifier: &str) -> Option<Shelf> {
    let home = tenant.identifiers.get(identifier)?.value.listing;
    stock::claim(&tenant.listings.get(&home)?.value).map(|(shelf, _)| shelf)
}

/// The listings that a delivery touches.
struct Touched {
    /// The vehicle that the delivery is about.
    subject: RowId,
    /// Whether its row was made by this delivery.
    is_new: bool,
    /// All of them, the subject included.
    listings: BTreeSet<RowId>,
    /// The source whose content is another now.
    told: Option<SourceKey>,
}

impl Touched {
    /// The stock numbers that these listings claim.
    fn shelves(&self, tenant: &Tenant) -> BTreeSet<Shelf> {
        let rows = self.listings.iter().filter_map(|id| tenant.listings.get(id));
        rows.filter_map(|row| stock::claim(&row.value).map(|(shelf, _)| shelf)).collect()
    }

    fn effect(&self, changes: &Changes) -> Effect {
        if self.is_new {
            Effect::Created
        } else if changes.visible.contains(&self.subject) {
            Effect::Updated
        } else {
            Effect::Unchanged
        }
    }
}

/// Hears identifier and content, and finds the vehicles they belong to.
fn hear(tenant: &mut Tenant, said: &Delivered, facts: VehicleFacts, received_at: DateTime<Utc>) -> (Heard, Touched) {
    let home_before = tenant.identifiers.get(&said.identifier).map(|row| row.value.listing);
    let heard = hear_identifier(tenant, said);
    let newest_vin = vin_of(tenant, &said.identifier);
    let anonymous = home_before.filter(|id| tenant.listings.get(id).is_some_and(|row| row.value.vin.is_none()));

    let mut is_new = false;
    let mut listing_of = |tenant: &mut Tenant, vin: Option<&Vin>| {
        let (id, made) = find_or_make(tenant, vin, anonymous, received_at);
        is_new |= made;
        id
    };
    let home = listing_of(tenant, newest_vin.as_ref());
    let subject = match &said.vin {
        Some(vin) if newest_vin.as_ref() != Some(vin) => listing_of(tenant, Some(vin)),
        Some(_) | None => home,
    };
    settle_home(tenant, &said.identifier, home, anonymous);
    let content = hear_content(tenant, said, facts, subject);
    let told = content.changed.then(|| (said.identifier.clone(), said.vin.clone()));
    let still_there = home_before.filter(|id| tenant.listings.contains_key(id));
    let listings = [Some(home), Some(subject), still_there].into_iter().flatten().collect();
    (heard.and(content), Touched { subject, is_new, listings, told })
}

/// The newest VIN that an identifier named.
fn vin_of(tenant: &Tenant, identifier: &str) -> Option<Vin> {
    tenant.identifiers.get(identifier)?.value.vin.as_ref().map(|vin| vin.value.clone())
}

/// An identifier's newest VIN, newest word and newest for-sale time.
fn hear_identifier(tenant: &mut Tenant, said: &Delivered) -> Heard {
    let unknown = || Row::new(Identifier { listing: RowId::default(), vin: None, word: None, for_sale_at: None });
    let row = tenant.identifiers.entry(said.identifier.clone()).or_insert_with(unknown);
    let known = &mut row.value;
    let mut heard = Heard::default();
    if let Some(vin) = &said.vin {
        heard = heard.and(hear_newest(&mut known.vin, vin.clone(), said.at));
    }
    if let Some(word) = said.word {
        heard = heard.and(hear_newest(&mut known.word, word, said.at));
    }
    let is_newer = known.for_sale_at.is_none_or(|known| known < said.at && known.at != said.at.at);
    if said.word == Some(SaleWord::ForSale) && is_newer {
        known.for_sale_at = Some(said.at);
        heard.moved = true;
    }
    if heard.writes() {
        row.touch();
    }
    heard
}

/// The listing of a VIN, or of an identifier without one. A row made before the VIN was known becomes that VIN's.
fn find_or_make(
    tenant: &mut Tenant,
    vin: Option<&Vin>,
    anonymous: Option<RowId>,
    received_at: DateTime<Utc>,
) -> (RowId, bool) {
    let Some(vin) = vin else {
        return anonymous.map_or_else(|| (make(tenant, None, received_at), true), |id| (id, false));
    };
    let known = tenant.listings.values().find(|row| row.value.vin.as_ref() == Some(vin)).map(|row| row.value.id);
    if let Some(id) = known {
        return (id, false);
    }
    if let Some(row) = anonymous.and_then(|id| tenant.listings.get_mut(&id)).filter(|row| row.value.vin.is_none()) {
        row.value.vin = Some(vin.clone());
        row.touch();
        return (row.value.id, false);
    }
    (make(tenant, Some(vin.clone()), received_at), true)
}

/// A new row, of which nothing is known yet.
fn make(tenant: &mut Tenant, vin: Option<Vin>, received_at: DateTime<Utc>) -> RowId {
    let id = tenant.take_id();
    let listing = Listing {
        id,
        vin,
        shows: None,
        content_at: None,
        claims: false,
        content: None,
        stock_number: None,
        dealership_id: None,
        prices: WatchedPrices::new(),
        word: SaleWord::Withdrawn,
        withdrawn_at: None,
        status: ListingStatus::Withdrawn,
        locations: Vec::new(),
        created_at: received_at,
        updated_at: received_at,
    };
    tenant.listings.insert(id, Row::new(listing));
    id
}

/// Moves the identifier to its vehicle; the row it had without a VIN merges into that vehicle's.
fn settle_home(tenant: &mut Tenant, identifier: &str, home: RowId, anonymous: Option<RowId>) {
    if let Some(row) = tenant.identifiers.get_mut(identifier).filter(|row| row.value.listing != home) {
        row.value.listing = home;
        row.touch();
    }
    let nameless: SourceKey = (identifier.to_owned(), None);
    if let Some(row) = tenant.sources.get_mut(&nameless).filter(|row| row.value.listing != home) {
        row.value.listing = home;
        row.touch();
    }
    if let Some(former) = anonymous.filter(|id| *id != home) {
        merge(tenant, former, home);
    }
}

/// Lets one row take the place of another; what pointed to the former points to it.
fn merge(tenant: &mut Tenant, former: RowId, into: RowId) {
    let Some(row) = tenant.listings.remove(&former) else { return };
    if row.state != RowState::New {
        tenant.merged.push((former, into));
    }
    for change in tenant.changes.iter_mut().filter(|change| change.listing == former) {
        change.listing = into;
    }
    for row in tenant.bookings.values_mut().filter(|row| row.value.listing == former) {
        row.value = Booking { listing: into, ..row.value.clone() };
        row.touch();
    }
}

/// The newest content of a source stays; one of a for-sale delivery replaces any other.
fn hear_content(tenant: &mut Tenant, said: &Delivered, facts: VehicleFacts, listing: RowId) -> Heard {
    let for_sale = said.word == Some(SaleWord::ForSale);
    let key: SourceKey = (said.identifier.clone(), said.vin.clone());
    let VehicleFacts { content, .. } = facts;
    let source = ListingSource {
        listing,
        for_sale,
        at: said.at,
        fingerprint: content.fingerprint(),
        stock_number: content.columns.stock_number.clone(),
        dealership_id: content.columns.dealership_id,
        content: Some(Box::new(content)),
    };
    let Some(row) = tenant.sources.get_mut(&key) else {
        tenant.sources.insert(key, Row::new(source));
        return Heard { changed: true, ..Heard::default() };
    };
    let known = &row.value;
    if (for_sale, said.at) < (known.for_sale, known.at) {
        return Heard { older: for_sale == known.for_sale, ..Heard::default() };
    }
    let same = for_sale == known.for_sale && source.fingerprint == known.fingerprint;
    if same && known.at.at == said.at.at {
        return Heard::default();
    }
    row.value = source;
    row.touch();
    Heard { changed: !same, moved: true, older: false }
}

/// What computing listings has changed.
struct Changes {
    /// When, by the sender's clock.
    at: DateTime<Utc>,
    /// When the delivery arrived.
    received_at: DateTime<Utc>,
    /// The listing that the delivery made; what it shows at first is no change.
    made: Option<RowId>,
    /// The source whose content is another now, be its time what it was: a delivery that is read anew.
    told: Option<SourceKey>,
    /// The listings whose row changed.
    visible: BTreeSet<RowId>,
}

impl Changes {
    /// A change of price or status, unless the listing is new.
    fn of(
        &self,
        listing: RowId,
        field: &'static str,
        from: Option<String>,
        to: Option<String>,
    ) -> Option<ListingChange> {
        let change = ListingChange { listing, field, old_value: from, new_value: to, changed_at: self.at };
        (self.made != Some(listing)).then_some(change)
    }
}

/// Computes a listing from the sources and identifiers that belong to it. Its status is still to be compared with
/// its rivals' claims: see [`archive`].
fn show(tenant: &mut Tenant, id: RowId, changes: &mut Changes) {
    let (word, withdrawn_at) = word_of(tenant, id);
    let Tenant { listings, sources, locations, .. } = tenant;
    let Some(row) = listings.get_mut(&id) else { return };
    let own = sources.iter().filter(|(_, row)| row.value.listing == id);
    let newest = own.max_by_key(|(_, row)| (row.value.for_sale, row.value.at));
    let prices_before = row.value.prices.clone();
    let mut differs = newest.is_some_and(|(key, source)| {
        let is_told = changes.told.as_ref() == Some(key);
        show_content(&mut row.value, key, &source.value, is_told, locations)
    });
    let repriced = price_changes(changes, id, &prices_before, &row.value.prices);
    if (row.value.word, row.value.withdrawn_at) != (word, withdrawn_at) {
        (row.value.word, row.value.withdrawn_at) = (word, withdrawn_at);
        differs = true;
    }
    if differs {
        row.value.updated_at = row.value.updated_at.max(changes.received_at);
        row.touch();
        changes.visible.insert(id);
    }
    tenant.changes.extend(repriced);
}

/// Each price that differs from what was shown before.
fn price_changes(changes: &Changes, id: RowId, before: &WatchedPrices, after: &WatchedPrices) -> Vec<ListingChange> {
    let fields: BTreeSet<&'static str> = before.keys().chain(after.keys()).copied().collect();
    let text = |prices: &WatchedPrices, field| prices.get(field).map(|price| price.normalize().to_string());
    let differing = fields.into_iter().filter(|field| before.get(field) != after.get(field));
    differing.filter_map(|field| changes.of(id, field, text(before, field), text(after, field))).collect()
}

/// Shows the content of a source, where it was told just now or is not what is shown already.
fn show_content(
    listing: &mut Listing,
    key: &SourceKey,
    source: &ListingSource,
    is_told: bool,
    locations: &Named<Row<Location>>,
) -> bool {
    let same = listing.shows.as_ref() == Some(key) && listing.content_at == Some(source.at);
    if same && listing.claims == source.for_sale && !is_told {
        return false;
    }
    listing.shows = Some(key.clone());
    listing.content_at = Some(source.at);
    listing.claims = source.for_sale;
    listing.stock_number.clone_from(&source.stock_number);
    listing.dealership_id = source.dealership_id;
    if let Some(content) = &source.content {
        listing.prices = content.columns.prices();
        let named = content.location.iter().filter_map(|location| locations.get(&location.name.to_lowercase()));
        listing.locations = named.map(|row| row.value.id).collect();
        listing.content = Some(content.clone());
    }
    true
}

/// The newest word of the identifier whose for-sale delivery is newest, or what was said of the VIN since; without any
/// the vehicle is withdrawn. A withdrawal that gives no time newer than the listing's has that of its arrival.
fn word_of(tenant: &Tenant, id: RowId) -> (SaleWord, Option<DateTime<Utc>>) {
    let words = speakers(tenant, id).into_iter().flatten().filter_map(|(_, known)| Some((known.word.as_ref()?, known)));
    match words.max_by_key(|(word, _)| word.at).map(|(word, known)| (word.value, word.at, known.for_sale_at)) {
        Some((SaleWord::ForSale, ..)) => (SaleWord::ForSale, None),
        Some((SaleWord::Withdrawn, said, listed)) => {
            let since = said.at.filter(|at| listed.and_then(|listed| listed.at).is_none_or(|listed| *at > listed));
            (SaleWord::Withdrawn, Some(since.unwrap_or(said.arrived_at)))
        }
        None => (SaleWord::Withdrawn, None),
    }
}

/// Whose words count for a vehicle: the identifier whose for-sale delivery is newest, and the VIN where it stands in for
/// one, because what is said of the VIN alone is said of the vehicle under whatever identifier.
fn speakers(tenant: &Tenant, id: RowId) -> [Option<(&String, &Identifier)>; 2] {
    let vin = tenant.listings.get(&id).and_then(|row| row.value.vin.as_ref()).map(Vin::as_str);
    let own = tenant.identifiers.iter().filter(|(_, row)| row.value.listing == id);
    let (stand_ins, identifiers): (Vec<_>, Vec<_>) =
        own.map(|(name, row)| (name, &row.value)).partition(|(name, _)| vin == Some(name.as_str()));
    let deciding =
        identifiers.into_iter().max_by_key(|(_, known)| (known.for_sale_at, known.word.as_ref().map(|word| word.at)));
    [deciding, stand_ins.into_iter().next()]
}

/// Archives every listing whose stock number another has claimed more newly, and takes back the others.
fn archive(tenant: &mut Tenant, shelves: &BTreeSet<Shelf>, changes: &mut Changes) -> BTreeSet<RowId> {
    let mut archived = BTreeSet::new();
    let mut holders = BTreeSet::new();
    for shelf in shelves {
        holders.extend(stock::holder(tenant, shelf));
    }
    let concerned: Vec<RowId> = tenant
        .listings
        .values()
        .filter(|row| {
            let claimed = stock::claim(&row.value).is_some_and(|(shelf, _)| shelves.contains(&shelf));
            claimed || changes.visible.contains(&row.value.id)
        })
        .map(|row| row.value.id)
        .collect();
    for id in concerned {
        let Some(row) = tenant.listings.get_mut(&id) else { continue };
        let claims = stock::claim(&row.value).is_some();
        let status = match row.value.word {
            SaleWord::ForSale | SaleWord::Withdrawn if claims && !holders.contains(&id) => ListingStatus::Archived,
            SaleWord::ForSale => ListingStatus::ForSale,
            SaleWord::Withdrawn => ListingStatus::Withdrawn,
        };
        if status != row.value.status {
            if status == ListingStatus::Archived {
                archived.insert(id);
            }
            let (from, to) = (row.value.status.name().to_owned(), status.name().to_owned());
            tenant.changes.extend(changes.of(id, "status", Some(from), Some(to)));
            row.value.status = status;
            row.value.updated_at = row.value.updated_at.max(changes.received_at);
            row.touch();
            changes.visible.insert(id);
        }
    }
    archived
}

/// What a person should know about the delivery's place among the others.
fn note(tenant: &Tenant, said: &Delivered, heard: Heard, archived: &BTreeSet<RowId>, findings: &mut Vec<Finding>) {
    let Some(home) = tenant.identifiers.get(&said.identifier).map(|row| row.value.listing) else { return };
    let Some(listing) = tenant.listings.get(&home).map(|row| &row.value) else { return };
    if heard.older && !heard.writes() {
        findings.push(Finding::whole(Code::OlderThanKnown, "a newer delivery of this vehicle is known"));
    }
    let decides = speakers(tenant, home).into_iter().flatten().any(|(identifier, _)| *identifier == said.identifier);
    if said.word == Some(SaleWord::Withdrawn) && listing.word == SaleWord::ForSale && !decides {
        let message = "the vehicle has since been listed under another identifier and stays listed";
        findings.push(Finding::at(Code::IdentifierSuperseded, "Identifier", message));
    }
    if listing.status == ListingStatus::Archived || !archived.is_empty() {
        let message = "another vehicle of the dealership has this stock number; the older claim is archived";
        findings.push(Finding::at(Code::StockNumberReused, "Identification", message));
    }
}

/// Tries the leads again that wait for one of the vehicles that changed, or for a name that appeared.
fn retry_bookings(
    tenant: &mut Tenant,
    changed: &BTreeSet<RowId>,
    appeared: &place::Appeared,
    received_at: DateTime<Utc>,
) -> bool {
    let mut wants = appeared.wants();
    for listing in changed.iter().filter_map(|id| tenant.listings.get(id)).map(|row| &row.value) {
        wants.extend(listing.vin.clone().map(Want::Vin));
        wants.extend(listing.stock_number.clone().map(Want::Stock));
    }
    !wants.is_empty() && booking::retry(tenant, received_at, |lead| booking::waits_for(lead, &wants))
}
