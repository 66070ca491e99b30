//! What has to be known before a batch can be merged.

use std::collections::{BTreeMap, BTreeSet};

use super::booking_request::{self, Dependency};
use super::facts::{ClusterFacts, Facts, Field, LeadColumns, LeadFacts, VehicleFacts};
use super::ids::{ListingId, LocationId};
use super::listing;
use super::state::{LeadKey, ListingSource, Row, SourceKey, WorkspaceState};
use super::values::{Email, StockNumber, Vin};

/// The keys that the deliveries of a batch name.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// E-mail addresses of persons.
    pub emails: BTreeSet<Email>,
    /// Leads by sender and the sender's id.
    pub leads: BTreeSet<LeadKey>,
    /// The sender's cluster ids.
    pub clusters: BTreeSet<String>,
    /// The sender's appointment ids.
    pub appointments: BTreeSet<String>,
    /// The sender's event ids.
    pub events: BTreeSet<String>,
    /// Identifiers of vehicles.
    pub identifiers: BTreeSet<String>,
    /// VINs that inventory names.
    pub vins: BTreeSet<Vin>,
    /// Stock numbers that inventory names.
    pub stock_numbers: BTreeSet<StockNumber>,
    /// VINs that leads ask for.
    pub requested_vins: BTreeSet<Vin>,
    /// Stock numbers that leads ask for.
    pub requested_stock_numbers: BTreeSet<StockNumber>,
    /// Names of packages that inventory brings.
    pub packages: BTreeSet<String>,
    /// Names of locations that inventory brings, in lower case.
    pub locations: BTreeSet<String>,
    /// Names of packages that leads ask for, or that the configuration names.
    pub requested_packages: BTreeSet<String>,
    /// Names of locations that leads ask for, or that the configuration names, in lower case.
    pub requested_locations: BTreeSet<String>,
    /// Identifier and VIN of each vehicle.
    pub sources: BTreeSet<SourceKey>,
    /// What leads may wait for beside what deliveries bring.
    pub dependencies: BTreeSet<Dependency>,
    /// Whether a lead carries a list of appointments.
    pub has_lists: bool,
    /// Whether all locations and packages are wanted that the configuration names or named.
    pub configured: bool,
    /// How many rows the batch may make at the most.
    pub new_rows: usize,
}

/// Locations and packages to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Names of locations, in lower case.
    pub locations: BTreeSet<String>,
    /// Rows of locations.
    pub location_ids: BTreeSet<LocationId>,
    /// Names of packages.
    pub packages: BTreeSet<String>,
}

impl Names {
    /// Leaves out what was asked for before.
    #[must_use]
    pub fn without_loaded(mut self, state: &WorkspaceState) -> Self {
        self.locations.retain(|name| !state.locations.is_asked(name));
        self.packages.retain(|name| !state.packages.is_asked(name));
        for (_, row) in state.locations.iter() {
            self.location_ids.remove(&row.value.id);
        }
        self
    }

    /// Whether there is nothing to load.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locations.is_empty() && self.location_ids.is_empty() && self.packages.is_empty()
    }
}

impl Keys {
    /// Whether the deliveries name nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new_rows == 0
    }

    /// Adds what one delivery names.
    pub fn add(&mut self, facts: &Facts) {
        match facts {
            Facts::Lead(lead) => self.add_lead(lead),
            Facts::Cluster(cluster) => self.add_cluster(cluster),
            Facts::Vehicle(vehicle) => self.add_vehicle(vehicle),
            Facts::Ignored => {}
        }
    }

    fn add_cluster(&mut self, cluster: &ClusterFacts) {
        if let Field::Valid(email) = &cluster.contact.email {
            self.emails.insert(email.clone());
        }
        self.clusters.extend(cluster.external_id.clone());
        self.events.extend(cluster.events.iter().map(|event| event.external_id.clone()));
        self.new_rows += 2;
        for lead in &cluster.leads {
            self.add_lead(lead);
        }
    }

    fn add_lead(&mut self, lead: &LeadFacts) {
        if let Field::Valid(email) = &lead.prospect.email {
            self.emails.insert(email.clone());
        }
        self.leads.extend(LeadKey::of(lead));
        self.clusters.extend(lead.cluster_external_id.clone());
        self.appointments.extend(lead.appointments.iter().flatten().map(|facts| facts.external_id.clone()));
        self.events.extend(lead.events.iter().map(|event| event.external_id.clone()));
        self.has_lists |= lead.appointments.is_some();
        self.requested_vins.extend(lead.columns.vin.clone());
        self.requested_stock_numbers.extend(lead.columns.stock_number.clone());
        let LeadColumns { requested_plan, offered_plan, location_name, .. } = &lead.columns;
        self.requested_packages.extend([requested_plan, offered_plan].into_iter().flatten().cloned());
        self.requested_locations.extend(location_name.as_deref().map(str::to_lowercase));
        self.new_rows += 3;
    }

    fn add_vehicle(&mut self, vehicle: &VehicleFacts) {
        let Some(identifier) = listing::identify(vehicle) else { return };
        let content = &vehicle.content;
        self.sources.insert((identifier.clone(), vehicle.vin.clone()));
        self.identifiers.insert(identifier);
        self.vins.extend(vehicle.vin.clone());
        self.stock_numbers.extend(content.columns.stock_number.clone());
        self.packages.extend(content.packages.iter().map(|package| package.name.clone()));
        self.locations.extend(content.location.iter().map(|location| location.name.to_lowercase()));
        self.new_rows += 3 + content.packages.len();
    }

    /// The sources, of those that the batch can touch, whose content the rules may have to show or to move: all but the
    /// only source of a vehicle of which the batch speaks under that source's key alone, which is the common case.
    #[must_use]
    pub fn contents(&self, sources: &BTreeMap<SourceKey, Row<ListingSource>>) -> Vec<SourceKey> {
        let mut count: BTreeMap<ListingId, usize> = BTreeMap::new();
        for row in sources.values() {
            *count.entry(row.value.listing).or_default() += 1;
        }
        let mut vins: BTreeMap<&Vin, usize> = BTreeMap::new();
        for vin in self.sources.iter().filter_map(|(_, vin)| vin.as_ref()) {
            *vins.entry(vin).or_default() += 1;
        }
        let alone = |(identifier, vin): &SourceKey| {
            let named = self.sources.range((identifier.clone(), None)..).take_while(|(of, _)| of == identifier).count();
            named == 1 && vin.as_ref().is_none_or(|vin| vins.get(vin) == Some(&1))
        };
        let needed = sources.iter().filter(|(key, row)| {
            !(count.get(&row.value.listing) == Some(&1) && self.sources.contains(*key) && alone(key))
        });
        needed.map(|(key, _)| key.clone()).collect()
    }

    /// The stock numbers that a vehicle which the batch can touch claims, claimed, or may claim: other vehicles that
    /// bear one are its rivals.
    #[must_use]
    pub fn rival_stock_numbers(&self, sources: &BTreeMap<SourceKey, Row<ListingSource>>) -> BTreeSet<StockNumber> {
        let known = sources.values().filter_map(|row| row.value.stock_number.clone());
        known.chain(self.stock_numbers.iter().cloned()).collect()
    }

    /// What the batch may bring that leads wait for: vehicles, names that are not there yet, and persons.
    #[must_use]
    pub fn dependencies(&self, state: &WorkspaceState) -> BTreeSet<Dependency> {
        let is_new_plan = |name: &&String| state.packages.get(name).is_none_or(|row| !row.value.is_active());
        let is_new_place = |name: &&String| state.locations.get(name).is_none_or(|row| !row.value.is_bookable());
        let (vins, numbers) = self.listed(state);
        let mut dependencies = self.dependencies.clone();
        dependencies.extend(vins.into_iter().map(Dependency::Vin));
        dependencies.extend(numbers.into_iter().map(Dependency::Stock));
        dependencies.extend(self.packages.iter().filter(is_new_plan).cloned().map(Dependency::Plan));
        dependencies.extend(self.locations.iter().filter(is_new_place).cloned().map(Dependency::Location));
        dependencies.extend(self.emails.iter().cloned().map(Dependency::Person));
        dependencies
    }

    /// Adds what must be known to decide on the booking requests of the leads that were loaded.
    pub fn add_booking_requests(&mut self, state: &WorkspaceState) {
        for dependency in
            state.leads.values().flat_map(|row| booking_request::all_dependencies(&row.value.booking_requests))
        {
            match dependency {
                Dependency::Vin(vin) => _ = self.requested_vins.insert(vin),
                Dependency::Stock(number) => _ = self.requested_stock_numbers.insert(number),
                Dependency::Person(email) => _ = self.emails.insert(email),
                Dependency::Plan(name) => _ = self.requested_packages.insert(name),
                Dependency::Location(name) => _ = self.requested_locations.insert(name),
                Dependency::AnyLocation => {}
            }
        }
    }

    /// The locations and packages that inventory may bring or show: those that the deliveries name, and those in
    /// contents that were loaded, because a listing may show them again.
    #[must_use]
    pub fn brought(&self, state: &WorkspaceState) -> Names {
        let (mut locations, mut packages) = (self.locations.clone(), self.packages.clone());
        for content in state.sources.values().filter_map(|row| row.value.content.as_deref()) {
            locations.extend(content.location.iter().map(|location| location.name.to_lowercase()));
            packages.extend(content.packages.iter().map(|package| package.name.clone()));
        }
        Names { locations, packages, location_ids: BTreeSet::new() }
    }

    /// The locations and packages that decide on bookings: those that leads name, and where leads are merged or loaded
    /// also those of the vehicles that they may be booked for. To be asked once [`Self::add_booking_requests`] has
    /// merged the leads.
    #[must_use]
    pub fn asked_by_leads(&self, state: &WorkspaceState) -> Names {
        let are_there = !(self.leads.is_empty() && state.leads.is_empty());
        let listings = state.listings.values().filter(|_| are_there);
        Names {
            locations: self.requested_locations.clone(),
            packages: self.requested_packages.clone(),
            location_ids: listings.flat_map(|row| row.value.locations.iter().copied()).collect(),
        }
    }

    /// The VINs and stock numbers of every vehicle that may be listed in this batch, for which leads may wait.
    #[must_use]
    pub fn listed(&self, state: &WorkspaceState) -> (BTreeSet<Vin>, BTreeSet<StockNumber>) {
        let vins = state.listings.values().filter_map(|row| row.value.vin.clone());
        (vins.chain(self.vins.iter().cloned()).collect(), self.rival_stock_numbers(&state.sources))
    }
}
