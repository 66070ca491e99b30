//! Listings: which vehicle a delivery is about, what the vehicle's row shows, and whether it can be booked.
//!
//! What senders sent is kept apart from what is shown: an [`Identifier`] keeps its newest sale status, its newest
//! for-sale time and the VIN it belongs to; a [`ListingSource`] the newest content under an identifier and a VIN. A
//! listing is computed from those that belong to it, never from its former self, so any order of arrival gives the same
//! row.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::booking_request::Dependency;
use super::facts::{ListingColumns, SaleStatus, VehicleFacts};
use super::finding::{Code, Finding};
use super::ids::ListingId;
use super::named::Named;
use super::state::{
    Booking, Identifier, Listing, ListingChange, ListingSource, ListingStatus, Location, Row, RowState, SourceKey,
    WatchedPrices, WorkspaceState,
};
use super::stock::{self, StockKey};
use super::values::Vin;
use super::version::{MergeResult, SourceTime, merge_newest};
use super::{Effect, Effects, Verdict, booking, locations};

/// Merges one vehicle: its names, its identifier, its content; then computes every listing that this touches.
pub fn apply(
    state: &mut WorkspaceState,
    facts: VehicleFacts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Verdict {
    let Some(identifier) = identify(&facts) else {
        findings.push(Finding::whole(Code::ListingUnidentified, "neither identifier, VIN nor stock number is given"));
        return Verdict::Rejected;
    };
    let known = known_time(state, &identifier, facts.vin.as_ref());
    let at = SourceTime { at: facts.modified_at.or(known), arrived_at: received_at };
    let changed_at = facts.modified_at.filter(|at| Some(*at) != known).unwrap_or(received_at);
    let newly_bookable = locations::merge(state, facts.content.location.as_ref(), &facts.content.packages, at);
    let update = VehicleUpdate { identifier, vin: facts.vin.clone(), sale_status: facts.sale_status, at };
    let left = stock_key_of(state, &update.identifier);
    let (merged, affected) = merge_delivery(state, &update, facts, received_at);

    let mut stock_keys = affected.stock_keys(state);
    stock_keys.extend(left);
    let made = affected.is_new.then_some(affected.subject);
    let changed_source = affected.changed_source.clone();
    let mut changes = Changes { at: changed_at, received_at, made, changed_source, visible: BTreeSet::new() };
    for id in affected.listings.clone() {
        show(state, id, &mut changes);
    }
    stock_keys.extend(affected.stock_keys(state));
    let archived = archive(state, &stock_keys, &mut changes);

    note(state, &update, merged, &archived, findings);
    let retried = retry_bookings(state, &changes.visible, &newly_bookable, received_at);
    Verdict::Merged(Effects {
        listing: Some(affected.effect(&changes)),
        other_rows_changed: merged.writes() || newly_bookable.wrote || retried,
        ..Effects::default()
    })
}

/// The delivery, without its content.
struct VehicleUpdate {
    identifier: String,
    vin: Option<Vin>,
    sale_status: Option<SaleStatus>,
    at: SourceTime,
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
fn known_time(state: &WorkspaceState, identifier: &str, vin: Option<&Vin>) -> Option<DateTime<Utc>> {
    let source = |vin: Option<&Vin>| state.sources.get(&(identifier.to_owned(), vin.cloned()))?.value.at.at;
    let of_contents = source(None).max(source(vin));
    let Some(known) = state.identifiers.get(identifier).map(|row| &row.value) else { return of_contents };
    let sale_status = known.sale_status.as_ref().and_then(|sale_status| sale_status.at.at);
    let vin = known.vin.as_ref().and_then(|vin| vin.at.at);
    of_contents.max(sale_status).max(vin).max(known.for_sale_at.and_then(|for_sale| for_sale.at))
}

/// The stock number that the vehicle of an identifier claims: where its row merges into another, the number is free.
fn stock_key_of(state: &WorkspaceState, identifier: &str) -> Option<StockKey> {
    let listing_id = state.identifiers.get(identifier)?.value.listing;
    stock::claim(&state.listings.get(&listing_id)?.value).map(|(stock_key, _)| stock_key)
}

/// The listings that a delivery touches.
struct AffectedListings {
    /// The vehicle that the delivery is about.
    subject: ListingId,
    /// Whether its row was made by this delivery.
    is_new: bool,
    /// All of them, the subject included.
    listings: BTreeSet<ListingId>,
    /// The source whose content is another now.
    changed_source: Option<SourceKey>,
}

impl AffectedListings {
    /// The stock numbers that these listings claim.
    fn stock_keys(&self, state: &WorkspaceState) -> BTreeSet<StockKey> {
        let rows = self.listings.iter().filter_map(|id| state.listings.get(id));
        rows.filter_map(|row| stock::claim(&row.value).map(|(stock_key, _)| stock_key)).collect()
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

/// Merges identifier and content, and finds the vehicles they belong to.
fn merge_delivery(
    state: &mut WorkspaceState,
    update: &VehicleUpdate,
    facts: VehicleFacts,
    received_at: DateTime<Utc>,
) -> (MergeResult, AffectedListings) {
    let listing_before = state.identifiers.get(&update.identifier).map(|row| row.value.listing);
    let merged = merge_identifier(state, update);
    let newest_vin = vin_of(state, &update.identifier);
    let without_vin = listing_before.filter(|id| state.listings.get(id).is_some_and(|row| row.value.vin.is_none()));

    let mut is_new = false;
    let mut listing_of = |state: &mut WorkspaceState, vin: Option<&Vin>| {
        let (id, made) = find_or_make(state, vin, without_vin, received_at);
        is_new |= made;
        id
    };
    let listing_id = listing_of(state, newest_vin.as_ref());
    let subject = match &update.vin {
        Some(vin) if newest_vin.as_ref() != Some(vin) => listing_of(state, Some(vin)),
        Some(_) | None => listing_id,
    };
    move_identifier(state, &update.identifier, listing_id, without_vin);
    let content = merge_content(state, update, facts, subject);
    let changed_source = content.changed.then(|| (update.identifier.clone(), update.vin.clone()));
    let still_there = listing_before.filter(|id| state.listings.contains_key(id));
    let listings = [Some(listing_id), Some(subject), still_there].into_iter().flatten().collect();
    (merged.and(content), AffectedListings { subject, is_new, listings, changed_source })
}

/// The newest VIN that an identifier named.
fn vin_of(state: &WorkspaceState, identifier: &str) -> Option<Vin> {
    state.identifiers.get(identifier)?.value.vin.as_ref().map(|vin| vin.value.clone())
}

/// An identifier's newest VIN, newest sale status and newest for-sale time.
fn merge_identifier(state: &mut WorkspaceState, update: &VehicleUpdate) -> MergeResult {
    let unknown = || Row::new(Identifier { listing: 0.into(), vin: None, sale_status: None, for_sale_at: None });
    let row = state.identifiers.entry(update.identifier.clone()).or_insert_with(unknown);
    let known = &mut row.value;
    let mut merged = MergeResult::default();
    if let Some(vin) = &update.vin {
        merged = merged.and(merge_newest(&mut known.vin, vin.clone(), update.at));
    }
    if let Some(sale_status) = update.sale_status {
        merged = merged.and(merge_newest(&mut known.sale_status, sale_status, update.at));
    }
    let is_newer = known.for_sale_at.is_none_or(|known| known < update.at && known.at != update.at.at);
    if update.sale_status == Some(SaleStatus::ForSale) && is_newer {
        known.for_sale_at = Some(update.at);
        merged.timestamp_advanced = true;
    }
    if merged.writes() {
        row.mark_dirty();
    }
    merged
}

/// The listing of a VIN, or of an identifier without one. A row made before the VIN was known becomes that VIN's.
fn find_or_make(
    state: &mut WorkspaceState,
    vin: Option<&Vin>,
    without_vin: Option<ListingId>,
    received_at: DateTime<Utc>,
) -> (ListingId, bool) {
    let Some(vin) = vin else {
        return without_vin.map_or_else(|| (make(state, None, received_at), true), |id| (id, false));
    };
    let known = state.listings.values().find(|row| row.value.vin.as_ref() == Some(vin)).map(|row| row.value.id);
    if let Some(id) = known {
        return (id, false);
    }
    if let Some(row) = without_vin.and_then(|id| state.listings.get_mut(&id)).filter(|row| row.value.vin.is_none()) {
        row.value.vin = Some(vin.clone());
        row.mark_dirty();
        return (row.value.id, false);
    }
    (make(state, Some(vin.clone()), received_at), true)
}

/// A new row, of which nothing is known yet.
fn make(state: &mut WorkspaceState, vin: Option<Vin>, received_at: DateTime<Utc>) -> ListingId {
    let id = state.take_id();
    let listing = Listing {
        id,
        vin,
        displayed_source: None,
        content_at: None,
        holds_stock_number: false,
        content: None,
        stock_number: None,
        dealership_id: None,
        prices: WatchedPrices::new(),
        sale_status: SaleStatus::Withdrawn,
        withdrawn_at: None,
        status: ListingStatus::Withdrawn,
        locations: Vec::new(),
        created_at: received_at,
        updated_at: received_at,
    };
    state.listings.insert(id, Row::new(listing));
    id
}

/// Moves the identifier to its vehicle; the row it had without a VIN merges into that vehicle's.
fn move_identifier(state: &mut WorkspaceState, identifier: &str, into: ListingId, without_vin: Option<ListingId>) {
    if let Some(row) = state.identifiers.get_mut(identifier).filter(|row| row.value.listing != into) {
        row.value.listing = into;
        row.mark_dirty();
    }
    let nameless: SourceKey = (identifier.to_owned(), None);
    if let Some(row) = state.sources.get_mut(&nameless).filter(|row| row.value.listing != into) {
        row.value.listing = into;
        row.mark_dirty();
    }
    if let Some(former) = without_vin.filter(|id| *id != into) {
        merge_rows(state, former, into);
    }
}

/// Lets one row take the place of another; what pointed to the former points to it.
fn merge_rows(state: &mut WorkspaceState, former: ListingId, into: ListingId) {
    let Some(row) = state.listings.remove(&former) else { return };
    if row.state != RowState::New {
        state.merged.push((former, into));
    }
    for change in state.changes.iter_mut().filter(|change| change.listing == former) {
        change.listing = into;
    }
    for row in state.bookings.values_mut().filter(|row| row.value.listing == former) {
        row.value = Booking { listing: into, ..row.value.clone() };
        row.mark_dirty();
    }
}

/// The newest content of a source stays; one of a for-sale delivery replaces any other.
fn merge_content(
    state: &mut WorkspaceState,
    update: &VehicleUpdate,
    facts: VehicleFacts,
    listing: ListingId,
) -> MergeResult {
    let for_sale = update.sale_status == Some(SaleStatus::ForSale);
    let key: SourceKey = (update.identifier.clone(), update.vin.clone());
    let VehicleFacts { content, .. } = facts;
    let source = ListingSource {
        listing,
        for_sale,
        at: update.at,
        fingerprint: content.fingerprint(),
        stock_number: content.columns.stock_number.clone(),
        dealership_id: content.columns.dealership_id,
        content: Some(Box::new(content)),
    };
    let Some(row) = state.sources.get_mut(&key) else {
        state.sources.insert(key, Row::new(source));
        return MergeResult { changed: true, ..MergeResult::default() };
    };
    let known = &row.value;
    if (for_sale, update.at) < (known.for_sale, known.at) {
        return MergeResult { stale: for_sale == known.for_sale, ..MergeResult::default() };
    }
    let same = for_sale == known.for_sale && source.fingerprint == known.fingerprint;
    if same && known.at.at == update.at.at {
        return MergeResult::default();
    }
    row.value = source;
    row.mark_dirty();
    MergeResult { changed: !same, timestamp_advanced: true, stale: false }
}

/// What computing listings has changed.
struct Changes {
    /// When, by the sender's clock.
    at: DateTime<Utc>,
    /// When the delivery arrived.
    received_at: DateTime<Utc>,
    /// The listing that the delivery made; what it shows at first is no change.
    made: Option<ListingId>,
    /// The source whose content is another now, be its time what it was: a delivery that is read anew.
    changed_source: Option<SourceKey>,
    /// The listings whose row changed.
    visible: BTreeSet<ListingId>,
}

impl Changes {
    /// A change of price or status, unless the listing is new.
    fn of(
        &self,
        listing: ListingId,
        field: &'static str,
        from: Option<String>,
        to: Option<String>,
    ) -> Option<ListingChange> {
        let change = ListingChange { listing, field, old_value: from, new_value: to, changed_at: self.at };
        (self.made != Some(listing)).then_some(change)
    }

    /// Each price that differs from what was shown before.
    fn of_prices(&self, id: ListingId, before: &WatchedPrices, after: &WatchedPrices) -> Vec<ListingChange> {
        let fields: BTreeSet<&'static str> = before.keys().chain(after.keys()).copied().collect();
        let text = |prices: &WatchedPrices, field| prices.get(field).map(|price| price.normalize().to_string());
        let differing = fields.into_iter().filter(|field| before.get(field) != after.get(field));
        differing.filter_map(|field| self.of(id, field, text(before, field), text(after, field))).collect()
    }
}

/// Computes a listing from the sources and identifiers that belong to it. Its status is still to be compared with
/// its rivals' claims: see [`archive`].
fn show(state: &mut WorkspaceState, id: ListingId, changes: &mut Changes) {
    let (sale_status, withdrawn_at) = sale_status_of(state, id);
    let WorkspaceState { listings, sources, locations, .. } = state;
    let Some(row) = listings.get_mut(&id) else { return };
    let own = sources.iter().filter(|(_, row)| row.value.listing == id);
    let newest = own.max_by_key(|(_, row)| (row.value.for_sale, row.value.at));
    let prices_before = row.value.prices.clone();
    let mut differs = newest.is_some_and(|(key, source)| {
        let source_changed = changes.changed_source.as_ref() == Some(key);
        show_content(&mut row.value, key, &source.value, source_changed, locations)
    });
    let repriced = changes.of_prices(id, &prices_before, &row.value.prices);
    if (row.value.sale_status, row.value.withdrawn_at) != (sale_status, withdrawn_at) {
        (row.value.sale_status, row.value.withdrawn_at) = (sale_status, withdrawn_at);
        differs = true;
    }
    if differs {
        row.value.updated_at = row.value.updated_at.max(changes.received_at);
        row.mark_dirty();
        changes.visible.insert(id);
    }
    state.changes.extend(repriced);
}

/// Shows the content of a source, where it has just changed or is not what is shown already.
fn show_content(
    listing: &mut Listing,
    key: &SourceKey,
    source: &ListingSource,
    source_changed: bool,
    locations: &Named<Row<Location>>,
) -> bool {
    let same = listing.displayed_source.as_ref() == Some(key) && listing.content_at == Some(source.at);
    if same && listing.holds_stock_number == source.for_sale && !source_changed {
        return false;
    }
    listing.displayed_source = Some(key.clone());
    listing.content_at = Some(source.at);
    listing.holds_stock_number = source.for_sale;
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

/// The newest sale status of the identifier whose for-sale delivery is newest, or that of the VIN since; without any
/// the vehicle is withdrawn. A withdrawal that gives no time newer than the listing's has that of its arrival.
fn sale_status_of(state: &WorkspaceState, id: ListingId) -> (SaleStatus, Option<DateTime<Utc>>) {
    let deciding = deciding_identifiers(state, id).into_iter().flatten();
    let known = deciding.filter_map(|(_, known)| Some((known.sale_status.as_ref()?, known.for_sale_at)));
    match known.max_by_key(|(status, _)| status.at).map(|(status, listed)| (status.value, status.at, listed)) {
        Some((SaleStatus::ForSale, ..)) => (SaleStatus::ForSale, None),
        Some((SaleStatus::Withdrawn, at, listed)) => {
            let since = at.at.filter(|since| listed.and_then(|listed| listed.at).is_none_or(|listed| *since > listed));
            (SaleStatus::Withdrawn, Some(since.unwrap_or(at.arrived_at)))
        }
        None => (SaleStatus::Withdrawn, None),
    }
}

/// The identifiers that decide on a vehicle's sale status: the one whose for-sale delivery is newest, and the VIN where
/// it stands in for one, because a delivery that names the VIN alone is about the vehicle under whatever identifier.
fn deciding_identifiers(state: &WorkspaceState, id: ListingId) -> [Option<(&String, &Identifier)>; 2] {
    let vin = state.listings.get(&id).and_then(|row| row.value.vin.as_ref()).map(Vin::as_str);
    let own = state.identifiers.iter().filter(|(_, row)| row.value.listing == id);
    let (stand_ins, identifiers): (Vec<_>, Vec<_>) =
        own.map(|(name, row)| (name, &row.value)).partition(|(name, _)| vin == Some(name.as_str()));
    let deciding = identifiers
        .into_iter()
        .max_by_key(|(_, known)| (known.for_sale_at, known.sale_status.as_ref().map(|sale_status| sale_status.at)));
    [deciding, stand_ins.into_iter().next()]
}

/// Archives every listing whose stock number another has claimed more newly, and takes back the others.
fn archive(state: &mut WorkspaceState, stock_keys: &BTreeSet<StockKey>, changes: &mut Changes) -> BTreeSet<ListingId> {
    let mut archived = BTreeSet::new();
    let mut holders = BTreeSet::new();
    for stock_key in stock_keys {
        holders.extend(stock::holder(state, stock_key));
    }
    let concerned: Vec<ListingId> = state
        .listings
        .values()
        .filter(|row| {
            let claimed = stock::claim(&row.value).is_some_and(|(stock_key, _)| stock_keys.contains(&stock_key));
            claimed || changes.visible.contains(&row.value.id)
        })
        .map(|row| row.value.id)
        .collect();
    for id in concerned {
        let Some(row) = state.listings.get_mut(&id) else { continue };
        let holds_stock_number = stock::claim(&row.value).is_some();
        let status = match row.value.sale_status {
            SaleStatus::ForSale | SaleStatus::Withdrawn if holds_stock_number && !holders.contains(&id) => {
                ListingStatus::Archived
            }
            SaleStatus::ForSale => ListingStatus::ForSale,
            SaleStatus::Withdrawn => ListingStatus::Withdrawn,
        };
        if status != row.value.status {
            if status == ListingStatus::Archived {
                archived.insert(id);
            }
            let (from, to) = (row.value.status.name().to_owned(), status.name().to_owned());
            state.changes.extend(changes.of(id, "status", Some(from), Some(to)));
            row.value.status = status;
            row.value.updated_at = row.value.updated_at.max(changes.received_at);
            row.mark_dirty();
            changes.visible.insert(id);
        }
    }
    archived
}

/// What a person should know about the delivery's place among the others.
fn note(
    state: &WorkspaceState,
    update: &VehicleUpdate,
    merged: MergeResult,
    archived: &BTreeSet<ListingId>,
    findings: &mut Vec<Finding>,
) {
    let Some(listing_id) = state.identifiers.get(&update.identifier).map(|row| row.value.listing) else { return };
    let Some(listing) = state.listings.get(&listing_id).map(|row| &row.value) else { return };
    if merged.stale && !merged.writes() {
        findings.push(Finding::whole(Code::OlderThanKnown, "a newer delivery of this vehicle is known"));
    }
    let decides = deciding_identifiers(state, listing_id)
        .into_iter()
        .flatten()
        .any(|(identifier, _)| *identifier == update.identifier);
    if update.sale_status == Some(SaleStatus::Withdrawn) && listing.sale_status == SaleStatus::ForSale && !decides {
        let message = "the vehicle has since been listed under another identifier and stays listed";
        findings.push(Finding::at(Code::IdentifierSuperseded, "Identifier", message));
    }
    if listing.status == ListingStatus::Archived || !archived.is_empty() {
        let message = "another vehicle of the dealership has this stock number; the older claim is archived";
        findings.push(Finding::at(Code::StockNumberReused, "Identification", message));
    }
}

/// Tries the leads again that are pending on one of the vehicles that changed, or on a name that is newly bookable.
fn retry_bookings(
    state: &mut WorkspaceState,
    changed: &BTreeSet<ListingId>,
    newly_bookable: &locations::NewlyBookable,
    received_at: DateTime<Utc>,
) -> bool {
    let mut dependencies = newly_bookable.dependencies();
    for listing in changed.iter().filter_map(|id| state.listings.get(id)).map(|row| &row.value) {
        dependencies.extend(listing.vin.clone().map(Dependency::Vin));
        dependencies.extend(listing.stock_number.clone().map(Dependency::Stock));
    }
    !dependencies.is_empty() && booking::retry(state, received_at, |lead| booking::is_pending_on(lead, &dependencies))
}
