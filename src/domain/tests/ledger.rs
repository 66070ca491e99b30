//! Stands in for the database: every row as last saved. Loads what `store` would load for a batch, and saves what it
//! would save; it fails where that is not enough.

use std::collections::BTreeSet;

use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::keys::{Keys, Names};
use crate::domain::named::Named;
use crate::domain::repetition::{self, Known, Saying};
use crate::domain::values::{Email, Vin};
use crate::domain::world::{Lead, Listing, Row, RowId, RowState, SourceKey, Tenant};
use crate::domain::{self, Verdict, booking};
use chrono::{DateTime, Utc};

/// A delivery with its arrival.
pub(super) type Arrival = (Facts, DateTime<Utc>);

/// What one delivery came to.
pub(super) type Heard = (Verdict, Vec<Finding>);

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) rows: Tenant,
    next_id: RowId,
    /// How many deliveries said nothing new, so that nothing was loaded for them.
    pub(super) repetitions: usize,
}

impl Ledger {
    /// Hears a batch: loads, applies, saves.
    pub(super) fn hear(&mut self, batch: &[Arrival]) -> Vec<Heard> {
        let repeated = self.repeated(batch);
        self.repetitions += repeated.len();
        let mut keys = Keys::default();
        for (_, (facts, _)) in batch.iter().enumerate().filter(|(place, _)| !repeated.contains(place)) {
            keys.add(facts);
        }
        let mut tenant = self.load(keys);
        let heard = batch.iter().enumerate().map(|(place, (facts, received_at))| {
            let mut findings = Vec::new();
            if repeated.contains(&place) {
                return (repetition::verdict(), findings);
            }
            let verdict = domain::apply(&mut tenant, facts.clone(), *received_at, &mut findings);
            (verdict, findings)
        });
        let heard = heard.collect();
        self.save(tenant);
        heard
    }

    fn repeated(&self, batch: &[Arrival]) -> BTreeSet<usize> {
        let facts: Vec<Option<&Facts>> = batch.iter().map(|(facts, _)| Some(facts)).collect();
        let sayings: Vec<Option<Saying>> = batch.iter().map(|(facts, _)| Saying::of(facts)).collect();
        let sayings: Vec<Option<&Saying>> = sayings.iter().map(Option::as_ref).collect();
        let known = sayings.iter().flatten().filter_map(|saying| Some((saying.key.clone(), self.known(&saying.key)?)));
        repetition::among(&facts, &sayings, &known.collect())
    }

    fn known(&self, key: &SourceKey) -> Option<Known> {
        let source = &self.rows.sources.get(key)?.value;
        let identifier = &self.rows.identifiers.get(&key.0)?.value;
        Some(Known {
            for_sale: source.for_sale,
            at: source.at.at,
            fingerprint: source.fingerprint.clone(),
            word: identifier.word.as_ref().map(|word| (word.value, word.at.at)),
            for_sale_at: identifier.for_sale_at.and_then(|at| at.at),
            vin: identifier.vin.as_ref().map(|vin| (vin.value.clone(), vin.at.at)),
            status: self.rows.listings.get(&source.listing)?.value.status,
        })
    }

    fn load(&mut self, mut keys: Keys) -> Tenant {
        let first = self.next_id + 1;
        self.next_id += RowId::try_from(keys.new_rows).unwrap();
        let rows = &self.rows;
        let mut tenant = Tenant { ids: (first..=self.next_id).collect(), booking_retry_days: 30, ..Tenant::default() };
        for (name, row) in rows.clusters.iter().filter(|(name, _)| keys.clusters.contains(*name)) {
            tenant.clusters.insert(name.clone(), row.clone());
        }
        self.load_vehicles(&keys, &mut tenant);
        self.load_names(keys.brought(&tenant), &mut tenant);
        self.load_leads(&mut keys, &mut tenant);
        self.load_names(keys.asked_by_leads(&tenant), &mut tenant);
        tenant
    }

    fn load_names(&self, names: Names, tenant: &mut Tenant) {
        let names = names.beside(tenant);
        for (name, row) in self.rows.locations.iter() {
            if names.locations.contains(name) || names.location_ids.contains(&row.value.id) {
                tenant.locations.found(name.clone(), row.clone());
            }
        }
        for (name, row) in self.rows.packages.iter().filter(|(name, _)| names.packages.contains(*name)) {
            tenant.packages.found(name.clone(), row.clone());
        }
        names.locations.into_iter().for_each(|name| tenant.locations.ask(name));
        names.packages.into_iter().for_each(|name| tenant.packages.ask(name));
    }

    fn load_vehicles(&self, keys: &Keys, tenant: &mut Tenant) {
        let rows = &self.rows;
        let named = rows.identifiers.iter().filter(|(name, _)| keys.identifiers.contains(*name));
        tenant.identifiers.extend(named.map(|(name, row)| (name.clone(), row.clone())));
        let mut vins = keys.vins.clone();
        let newest = tenant.identifiers.values().filter_map(|row| row.value.vin.as_ref());
        vins.extend(newest.map(|vin| vin.value.clone()));
        let homes: BTreeSet<RowId> = tenant.identifiers.values().map(|row| row.value.listing).collect();
        let wanted = |listing: &Listing| {
            homes.contains(&listing.id) || listing.vin.as_ref().is_some_and(|vin| vins.contains(vin))
        };
        self.load_listings(tenant, wanted);
        let ids: BTreeSet<RowId> = tenant.listings.keys().copied().collect();
        let own = rows.identifiers.iter().filter(|(_, row)| ids.contains(&row.value.listing));
        tenant.identifiers.extend(own.map(|(name, row)| (name.clone(), row.clone())));
        for (key, row) in rows.sources.iter().filter(|(_, row)| ids.contains(&row.value.listing)) {
            let mut row = row.clone();
            row.value.content = None;
            tenant.sources.insert(key.clone(), row);
        }
        for key in keys.contents(&tenant.sources) {
            let content = rows.sources[&key].value.content.clone();
            tenant.sources.get_mut(&key).unwrap().value.content = content;
        }
        let numbers = keys.shelves(&tenant.sources);
        self.load_listings(tenant, |listing| listing.stock_number.as_ref().is_some_and(|of| numbers.contains(of)));
    }

    fn load_listings(&self, tenant: &mut Tenant, wanted: impl Fn(&Listing) -> bool) {
        for (id, row) in self.rows.listings.iter().filter(|(_, row)| wanted(&row.value)) {
            let mut row = row.clone();
            row.value.content = None;
            tenant.listings.entry(*id).or_insert(row);
        }
    }

    fn load_leads(&self, keys: &mut Keys, tenant: &mut Tenant) {
        let rows = &self.rows;
        let wants = keys.wants(tenant);
        let nobody = |lead: &Lead| lead.person.is_none() && lead.email().is_some_and(|of| keys.emails.contains(&of));
        let leads = rows.leads.iter().filter(|(key, row)| {
            let lead = &row.value;
            keys.leads.contains(key) || booking::waits_for(lead, &wants) || nobody(lead)
        });
        let leads: Vec<_> = leads.map(|(key, row)| (key.clone(), row.clone())).collect();
        tenant.leads.extend(leads);
        keys.add_wishes(tenant);
        let met = |email: &Email| keys.emails.contains(email);
        let persons = rows.persons.iter().filter(|(email, _)| met(email));
        tenant.persons.extend(persons.map(|(email, row)| (email.clone(), row.clone())));
        let ids: BTreeSet<RowId> = tenant.leads.values().map(|row| row.value.id).collect();
        let bookings = rows.bookings.iter().filter(|(lead, _)| ids.contains(lead));
        tenant.bookings.extend(bookings.map(|(lead, row)| (*lead, row.clone())));
        let booked: BTreeSet<RowId> = tenant.bookings.values().map(|row| row.value.listing).collect();
        self.load_listings(tenant, |listing| {
            booked.contains(&listing.id)
                || listing.vin.as_ref().is_some_and(|vin| keys.wanted_vins.contains(vin))
                || listing.stock_number.as_ref().is_some_and(|of| keys.wanted_stock_numbers.contains(of))
        });
        self.load_appointments(keys, tenant, &ids);
    }

    fn load_appointments(&self, keys: &Keys, tenant: &mut Tenant, leads: &BTreeSet<RowId>) {
        if !keys.has_lists {
            return;
        }
        let clusters: BTreeSet<RowId> = tenant.clusters.values().map(|row| row.value.id).collect();
        let appointments = self.rows.appointments.iter().filter(|(name, row)| {
            let known = &row.value;
            let stands = match known.cluster {
                Some(cluster) => clusters.contains(&cluster),
                None => known.lead.is_some_and(|lead| leads.contains(&lead)),
            };
            keys.appointments.contains(*name) || (stands && known.removed_at.is_none())
        });
        tenant.appointments.extend(appointments.map(|(name, row)| (name.clone(), row.clone())));
    }

    fn save(&mut self, tenant: Tenant) {
        assert_eq!(tenant.lack(), None, "the rules looked for what was not loaded");
        let Tenant {
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
            bookings,
        } = tenant;
        let rows = &mut self.rows;
        put_named(&mut rows.locations, &locations);
        put_named(&mut rows.packages, &packages);
        put(&mut rows.persons, persons);
        put(&mut rows.clusters, clusters);
        put(&mut rows.leads, leads);
        put(&mut rows.appointments, appointments);
        put(&mut rows.events, events);
        for (id, row) in listings.into_iter().filter(|(_, row)| row.is_dirty()) {
            save_listing(rows, id, row);
        }
        put(&mut rows.identifiers, identifiers);
        assert!(sources.values().all(|row| !row.is_dirty() || row.value.content.is_some()), "a source without content");
        put(&mut rows.sources, sources);
        rows.changes.extend(changes);
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
        let there = |id: RowId| assert!(rows.listings.contains_key(&id), "a reference to no listing");
        rows.identifiers.values().for_each(|row| there(row.value.listing));
        rows.sources.values().for_each(|row| there(row.value.listing));
        rows.changes.iter().for_each(|change| there(change.listing));
        rows.bookings.values().for_each(|row| there(row.value.listing));
        let vins: Vec<&Vin> = rows.listings.values().filter_map(|row| row.value.vin.as_ref()).collect();
        assert_eq!(vins.iter().collect::<BTreeSet<_>>().len(), vins.len(), "a VIN has one row");
        assert!(!rows.listings.contains_key(&0), "ids were reserved for all new rows");
    }
}

/// A row whose content is not at hand is written without it, as `store` does.
fn save_listing(rows: &mut Tenant, id: RowId, mut row: Row<Listing>) {
    if row.value.content.is_none() {
        let known = &rows.listings[&id].value;
        let shows = |listing: &Listing| (listing.shows.clone(), listing.content_at, listing.claims);
        assert_eq!(shows(known), shows(&row.value), "a listing that shows another content has it at hand");
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
