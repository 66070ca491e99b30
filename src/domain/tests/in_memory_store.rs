//! Stands in for the database: every row as last saved. Loads what `store` would load for a batch, and saves what it
//! would save; it fails where that is not enough.

use crate::domain::ids::{ClusterId, LeadId, ListingId};
use std::collections::BTreeSet;

use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::keys::{Keys, Names};
use crate::domain::named::Named;
use crate::domain::state::{Lead, Listing, Row, RowState, SourceKey, WorkspaceState};
use crate::domain::unchanged::{self, ContentSummary, StoredListing};
use crate::domain::values::{Email, Vin};
use crate::domain::{self, Verdict, booking};
use chrono::{DateTime, Utc};

/// A delivery with its arrival.
pub(super) type ReceivedFacts = (Facts, DateTime<Utc>);

/// What one delivery came to.
pub(super) type Applied = (Verdict, Vec<Finding>);

#[derive(Default)]
pub(super) struct InMemoryStore {
    pub(super) rows: WorkspaceState,
    next_id: i64,
    /// How many deliveries said nothing new, so that nothing was loaded for them.
    pub(super) unchanged: usize,
}

impl InMemoryStore {
    /// Merges a batch: loads, applies, saves.
    pub(super) fn apply(&mut self, batch: &[ReceivedFacts]) -> Vec<Applied> {
        let repeated = self.repeated(batch);
        self.unchanged += repeated.len();
        let mut keys = Keys::default();
        for (_, (facts, _)) in batch.iter().enumerate().filter(|(place, _)| !repeated.contains(place)) {
            keys.add(facts);
        }
        let mut state = self.load(keys);
        let applied = batch.iter().enumerate().map(|(place, (facts, received_at))| {
            let mut findings = Vec::new();
            if repeated.contains(&place) {
                return (unchanged::verdict(), findings);
            }
            let verdict = domain::apply(&mut state, facts.clone(), *received_at, &mut findings);
            (verdict, findings)
        });
        let applied = applied.collect();
        self.save(state);
        applied
    }

    fn repeated(&self, batch: &[ReceivedFacts]) -> BTreeSet<usize> {
        let facts: Vec<Option<&Facts>> = batch.iter().map(|(facts, _)| Some(facts)).collect();
        let summaries: Vec<Option<ContentSummary>> = batch.iter().map(|(facts, _)| ContentSummary::of(facts)).collect();
        let summaries: Vec<Option<&ContentSummary>> = summaries.iter().map(Option::as_ref).collect();
        let known =
            summaries.iter().flatten().filter_map(|summary| Some((summary.key.clone(), self.known(&summary.key)?)));
        unchanged::among(&facts, &summaries, &known.collect())
    }

    fn known(&self, key: &SourceKey) -> Option<StoredListing> {
        let source = &self.rows.sources.get(key)?.value;
        let identifier = &self.rows.identifiers.get(&key.0)?.value;
        Some(StoredListing {
            for_sale: source.for_sale,
            at: source.at.at,
            fingerprint: source.fingerprint.clone(),
            sale_status: identifier.sale_status.as_ref().map(|sale_status| (sale_status.value, sale_status.at.at)),
            for_sale_at: identifier.for_sale_at.and_then(|at| at.at),
            vin: identifier.vin.as_ref().map(|vin| (vin.value.clone(), vin.at.at)),
            status: self.rows.listings.get(&source.listing)?.value.status,
        })
    }

    fn load(&mut self, mut keys: Keys) -> WorkspaceState {
        let first = self.next_id + 1;
        self.next_id += i64::try_from(keys.new_rows).unwrap();
        let rows = &self.rows;
        let mut state = WorkspaceState {
            ids: (first..=self.next_id).collect(),
            booking_retry_days: 30,
            ..WorkspaceState::default()
        };
        for (name, row) in rows.clusters.iter().filter(|(name, _)| keys.clusters.contains(*name)) {
            state.clusters.insert(name.clone(), row.clone());
        }
        self.load_vehicles(&keys, &mut state);
        self.load_names(keys.brought(&state), &mut state);
        self.load_leads(&mut keys, &mut state);
        self.load_names(keys.asked_by_leads(&state), &mut state);
        state
    }

    fn load_names(&self, names: Names, state: &mut WorkspaceState) {
        let names = names.without_loaded(state);
        for (name, row) in self.rows.locations.iter() {
            if names.locations.contains(name) || names.location_ids.contains(&row.value.id) {
                state.locations.found(name.clone(), row.clone());
            }
        }
        for (name, row) in self.rows.packages.iter().filter(|(name, _)| names.packages.contains(*name)) {
            state.packages.found(name.clone(), row.clone());
        }
        names.locations.into_iter().for_each(|name| state.locations.ask(name));
        names.packages.into_iter().for_each(|name| state.packages.ask(name));
    }

    fn load_vehicles(&self, keys: &Keys, state: &mut WorkspaceState) {
        let rows = &self.rows;
        let named = rows.identifiers.iter().filter(|(name, _)| keys.identifiers.contains(*name));
        state.identifiers.extend(named.map(|(name, row)| (name.clone(), row.clone())));
        let mut vins = keys.vins.clone();
        let newest = state.identifiers.values().filter_map(|row| row.value.vin.as_ref());
        vins.extend(newest.map(|vin| vin.value.clone()));
        let listing_ids: BTreeSet<ListingId> = state.identifiers.values().map(|row| row.value.listing).collect();
        let wanted = |listing: &Listing| {
            listing_ids.contains(&listing.id) || listing.vin.as_ref().is_some_and(|vin| vins.contains(vin))
        };
        self.load_listings(state, wanted);
        let ids: BTreeSet<ListingId> = state.listings.keys().copied().collect();
        let own = rows.identifiers.iter().filter(|(_, row)| ids.contains(&row.value.listing));
        state.identifiers.extend(own.map(|(name, row)| (name.clone(), row.clone())));
        for (key, row) in rows.sources.iter().filter(|(_, row)| ids.contains(&row.value.listing)) {
            let mut row = row.clone();
            row.value.content = None;
            state.sources.insert(key.clone(), row);
        }
        for key in keys.contents(&state.sources) {
            let content = rows.sources[&key].value.content.clone();
            state.sources.get_mut(&key).unwrap().value.content = content;
        }
        let numbers = keys.rival_stock_numbers(&state.sources);
        self.load_listings(state, |listing| listing.stock_number.as_ref().is_some_and(|of| numbers.contains(of)));
    }

    fn load_listings(&self, state: &mut WorkspaceState, wanted: impl Fn(&Listing) -> bool) {
        for (id, row) in self.rows.listings.iter().filter(|(_, row)| wanted(&row.value)) {
            let mut row = row.clone();
            row.value.content = None;
            state.listings.entry(*id).or_insert(row);
        }
    }

    fn load_leads(&self, keys: &mut Keys, state: &mut WorkspaceState) {
        let rows = &self.rows;
        let dependencies = keys.dependencies(state);
        let nobody = |lead: &Lead| lead.person.is_none() && lead.email().is_some_and(|of| keys.emails.contains(&of));
        let leads = rows.leads.iter().filter(|(key, row)| {
            let lead = &row.value;
            keys.leads.contains(key) || booking::is_pending_on(lead, &dependencies) || nobody(lead)
        });
        let leads: Vec<_> = leads.map(|(key, row)| (key.clone(), row.clone())).collect();
        state.leads.extend(leads);
        keys.add_booking_requests(state);
        let named = |email: &Email| keys.emails.contains(email);
        let persons = rows.persons.iter().filter(|(email, _)| named(email));
        state.persons.extend(persons.map(|(email, row)| (email.clone(), row.clone())));
        let ids: BTreeSet<LeadId> = state.leads.values().map(|row| row.value.id).collect();
        let bookings = rows.bookings.iter().filter(|(lead, _)| ids.contains(lead));
        state.bookings.extend(bookings.map(|(lead, row)| (*lead, row.clone())));
        let booked: BTreeSet<ListingId> = state.bookings.values().map(|row| row.value.listing).collect();
        self.load_listings(state, |listing| {
            booked.contains(&listing.id)
                || listing.vin.as_ref().is_some_and(|vin| keys.requested_vins.contains(vin))
                || listing.stock_number.as_ref().is_some_and(|of| keys.requested_stock_numbers.contains(of))
        });
        self.load_appointments(keys, state, &ids);
    }

    fn load_appointments(&self, keys: &Keys, state: &mut WorkspaceState, leads: &BTreeSet<LeadId>) {
        if !keys.has_lists {
            return;
        }
        let clusters: BTreeSet<ClusterId> = state.clusters.values().map(|row| row.value.id).collect();
        let appointments = self.rows.appointments.iter().filter(|(name, row)| {
            let known = &row.value;
            let stands = match known.cluster {
                Some(cluster) => clusters.contains(&cluster),
                None => known.lead.is_some_and(|lead| leads.contains(&lead)),
            };
            keys.appointments.contains(*name) || (stands && known.removed_at.is_none())
        });
        state.appointments.extend(appointments.map(|(name, row)| (name.clone(), row.clone())));
    }

    fn save(&mut self, state: WorkspaceState) {
        assert_eq!(state.lack(), None, "the rules looked for what was not loaded");
        let WorkspaceState {
            ids: _,
            ids_short: _,
            booking_retry_days: _,
            persons,
            clusters,
            leads,
            appointments,
            events,
            locations,
            packages,
            listings,
            identifiers,
            sources,
            merged,
            changes,
            lead_changes,
            delivery: _,
            other_bookings: _,
            bookings,
            looked_at: _,
        } = state;
        let rows = &mut self.rows;
        put_named(&mut rows.locations, &locations);
        put_named(&mut rows.packages, &packages);
        put(&mut rows.persons, persons);
        put(&mut rows.clusters, clusters);
        let waiting = leads.into_iter().map(|(key, mut row)| {
            if row.value.pending_on != row.value.pending_on_stored {
                row.mark_dirty();
            }
            row.value.pending_on_stored.clone_from(&row.value.pending_on);
            (key, row)
        });
        put(&mut rows.leads, waiting.collect());
        put(&mut rows.appointments, appointments);
        put(&mut rows.events, events);
        for (id, row) in listings.into_iter().filter(|(_, row)| row.is_dirty()) {
            save_listing(rows, id, row);
        }
        put(&mut rows.identifiers, identifiers);
        assert!(sources.values().all(|row| !row.is_dirty() || row.value.content.is_some()), "a source without content");
        put(&mut rows.sources, sources);
        rows.changes.extend(changes);
        rows.lead_changes.extend(lead_changes);
        assert!(rows.lead_changes.gone.is_empty(), "a change that is removed was there");
        put(&mut rows.bookings, bookings);
        for (former, into) in merged {
            for row in rows.bookings.values_mut().filter(|row| row.value.listing == former) {
                row.value.listing = into;
            }
            for change in rows.changes.iter_mut().filter(|change| change.listing == former) {
                change.listing = into;
            }
            assert!(rows.listings.remove(&former).is_some(), "a row that merged was there");
        }
        self.check();
    }

    /// What the constraints of the tables say.
    fn check(&self) {
        let rows = &self.rows;
        let there = |id: ListingId| assert!(rows.listings.contains_key(&id), "a reference to no listing");
        rows.identifiers.values().for_each(|row| there(row.value.listing));
        rows.sources.values().for_each(|row| there(row.value.listing));
        rows.changes.iter().for_each(|change| there(change.listing));
        rows.bookings.values().for_each(|row| there(row.value.listing));
        let vins: Vec<&Vin> = rows.listings.values().filter_map(|row| row.value.vin.as_ref()).collect();
        assert_eq!(vins.iter().collect::<BTreeSet<_>>().len(), vins.len(), "a VIN has one row");
        assert!(!rows.listings.contains_key(&ListingId::from(0)), "ids were reserved for all new rows");
    }
}

/// A row whose content is not at hand is written without it, as `store` does.
fn save_listing(rows: &mut WorkspaceState, id: ListingId, mut row: Row<Listing>) {
    if row.value.content.is_none() {
        let known = &rows.listings[&id].value;
        let displayed_source =
            |listing: &Listing| (listing.displayed_source.clone(), listing.content_at, listing.holds_stock_number);
        assert_eq!(
            displayed_source(known),
            displayed_source(&row.value),
            "a listing that shows another content has it at hand"
        );
        row.value.content.clone_from(&known.content);
    }
    row.state = RowState::Known;
    rows.listings.insert(id, row);
}

fn put<K: Ord, V>(known: &mut std::collections::BTreeMap<K, Row<V>>, changed: std::collections::BTreeMap<K, Row<V>>) {
    for (key, mut row) in changed.into_iter().filter(|(_, row)| row.is_dirty()) {
        row.state = RowState::Known;
        known.insert(key, row);
    }
}

fn put_named<V: Clone>(known: &mut Named<Row<V>>, changed: &Named<Row<V>>) {
    for (name, row) in changed.iter().filter(|(_, row)| row.is_dirty()) {
        known.ask(name.clone());
        *known.get_or_make(name, || Row::known(row.value.clone())) = Row::known(row.value.clone());
    }
}
