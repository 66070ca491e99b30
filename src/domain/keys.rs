//! What has to be known before a batch can be heard.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{ClusterFacts, Facts, Given, LeadColumns, LeadFacts, VehicleFacts};
use super::listing;
use super::values::{Email, StockNumber, Vin};
use super::wish::{self, Want};
use super::world::{LeadKey, ListingSource, Row, RowId, SourceKey, Tenant};

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
    pub wanted_vins: BTreeSet<Vin>,
    /// Stock numbers that leads ask for.
    pub wanted_stock_numbers: BTreeSet<StockNumber>,
    /// Names of packages that inventory brings.
    pub packages: BTreeSet<String>,
    /// Names of locations that inventory brings, in lower case.
    pub locations: BTreeSet<String>,
    /// Names of packages that leads ask for, or that the configuration names.
    pub wanted_packages: BTreeSet<String>,
    /// Names of locations that leads ask for, or that the configuration names, in lower case.
    pub wanted_locations: BTreeSet<String>,
    /// Identifier and VIN of each vehicle.
    pub sources: BTreeSet<SourceKey>,
    /// What leads may wait for beside what deliveries bring.
    pub wants: BTreeSet<Want>,
    /// Whether a lead carries a list of appointments.
    pub has_lists: bool,
    /// Whether leads are wanted that are blocked for want of any location or package.
    pub any_missing_name: bool,
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
    pub location_ids: BTreeSet<RowId>,
    /// Names of packages.
    pub packages: BTreeSet<String>,
}

impl Names {
    /// Leaves out what was asked for before.
    #[must_use]
    pub fn beside(mut self, tenant: &Tenant) -> Self {
        self.locations.retain(|name| !tenant.locations.is_asked(name));
        self.packages.retain(|name| !tenant.packages.is_asked(name));
        for (_, row) in tenant.locations.iter() {
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
        if let Given::Valid(email) = &cluster.contact.email {
            self.emails.insert(email.clone());
        }
        self.emails.extend(cluster.columns.contact_email.as_deref().and_then(Email::parse));
        self.clusters.extend(cluster.external_id.clone());
        self.events.extend(cluster.events.iter().map(|event| event.external_id.clone()));
        self.new_rows += 2;
        for lead in &cluster.leads {
            self.add_lead(lead);
        }
    }

    fn add_lead(&mut self, lead: &LeadFacts) {
        if let Given::Valid(email) = &lead.prospect.email {
            self.emails.insert(email.clone());
        }
        self.leads.extend(LeadKey::of(lead));
        self.clusters.extend(lead.cluster_external_id.clone());
        self.appointments.extend(lead.appointments.iter().flatten().map(|facts| facts.external_id.clone()));
        self.events.extend(lead.events.iter().map(|event| event.external_id.clone()));
        self.has_lists |= lead.appointments.is_some();
        self.wanted_vins.extend(lead.columns.vin.clone());
        self.wanted_stock_numbers.extend(lead.columns.stock_number.clone());
        let LeadColumns { requested_plan, offered_plan, location_name, .. } = &lead.columns;
        self.wanted_packages.extend([requested_plan, offered_plan].into_iter().flatten().cloned());
        self.wanted_locations.extend(location_name.as_deref().map(str::to_lowercase));
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
        let mut count: BTreeMap<RowId, usize> = BTreeMap::new();
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

    /// The stock numbers that a vehicle which the batch can touch claims, claimed, or may claim: other vehicles that bear
    /// one are its rivals.
    #[must_use]
    pub fn shelves(&self, sources: &BTreeMap<SourceKey, Row<ListingSource>>) -> BTreeSet<StockNumber> {
        let known = sources.values().filter_map(|row| row.value.stock_number.clone());
        known.chain(self.stock_numbers.iter().cloned()).collect()
    }

    /// What the batch may bring that leads wait for: vehicles, names that are not there yet, and persons.
    #[must_use]
    pub fn wants(&self, tenant: &Tenant) -> BTreeSet<Want> {
        let is_new_plan = |name: &&String| tenant.packages.get(name).is_none_or(|row| !row.value.is_active());
        let is_new_place = |name: &&String| tenant.locations.get(name).is_none_or(|row| !row.value.is_bookable());
        let (vins, numbers) = self.listed(tenant);
        let mut wants = self.wants.clone();
        wants.extend(vins.into_iter().map(Want::Vin));
        wants.extend(numbers.into_iter().map(Want::Stock));
        wants.extend(self.packages.iter().filter(is_new_plan).cloned().map(Want::Plan));
        wants.extend(self.locations.iter().filter(is_new_place).cloned().map(Want::Location));
        wants.extend(self.emails.iter().cloned().map(Want::Person));
        wants
    }

    /// Adds what must be known to decide on the wishes of the leads that were loaded.
    pub fn add_wishes(&mut self, tenant: &Tenant) {
        for want in tenant.leads.values().flat_map(|row| wish::wanted(&row.value.wishes)) {
            match want {
                Want::Vin(vin) => _ = self.wanted_vins.insert(vin),
                Want::Stock(number) => _ = self.wanted_stock_numbers.insert(number),
                Want::Person(email) => _ = self.emails.insert(email),
                Want::Plan(name) => _ = self.wanted_packages.insert(name),
                Want::Location(name) => _ = self.wanted_locations.insert(name),
            }
        }
    }

    /// The locations and packages that inventory may bring or show: those that the deliveries name, and those in contents
    /// that were loaded, because a listing may show them again.
    #[must_use]
    pub fn brought(&self, tenant: &Tenant) -> Names {
        let (mut locations, mut packages) = (self.locations.clone(), self.packages.clone());
        for content in tenant.sources.values().filter_map(|row| row.value.content.as_deref()) {
            locations.extend(content.location.iter().map(|location| location.name.to_lowercase()));
            packages.extend(content.packages.iter().map(|package| package.name.clone()));
        }
        Names { locations, packages, location_ids: BTreeSet::new() }
    }

    /// The locations and packages that decide on bookings: those that leads name, and where leads are heard or loaded
    /// also those of the vehicles that they may be booked for. To be asked once [`Self::add_wishes`] has heard the leads.
    #[must_use]
    pub fn asked_by_leads(&self, tenant: &Tenant) -> Names {
        let are_there = !(self.leads.is_empty() && tenant.leads.is_empty());
        let listings = tenant.listings.values().filter(|_| are_there);
        Names {
            locations: self.wanted_locations.clone(),
            packages: self.wanted_packages.clone(),
            location_ids: listings.flat_map(|row| row.value.locations.iter().copied()).collect(),
        }
    }

    /// The VINs and stock numbers of every vehicle that may be listed in this batch, for which leads may wait.
    #[must_use]
    pub fn listed(&self, tenant: &Tenant) -> (BTreeSet<Vin>, BTreeSet<StockNumber>) {
        let vins = tenant.listings.values().filter_map(|row| row.value.vin.clone());
        (vins.chain(self.vins.iter().cloned()).collect(), self.shelves(&tenant.sources))
    }
}
