//! What has to be known before a batch can be heard.

use std::collections::BTreeSet;

use super::facts::{ClusterFacts, Facts, Given, LeadFacts, VehicleFacts};
use super::listing;
use super::values::{Email, StockNumber, Vin};
use super::wish::Want;

/// The keys that the deliveries of a batch name.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// E-mail addresses of persons.
    pub emails: BTreeSet<Email>,
    /// The sender's lead ids.
    pub leads: BTreeSet<String>,
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
    /// Identifier and VIN of each vehicle.
    pub sources: BTreeSet<(String, Option<Vin>)>,
    /// What may appear with the batch, for which leads may wait.
    pub wants: BTreeSet<Want>,
    /// Whether a lead carries a list of appointments.
    pub has_lists: bool,
    /// Whether leads are wanted that are blocked for want of any location or package.
    pub any_missing_name: bool,
    /// How many rows the batch may make at the most.
    pub new_rows: usize,
}

impl Keys {
    /// Adds what one delivery names.
    pub fn add(&mut self, facts: &Facts) {
        match facts {
            Facts::Lead(lead) => self.add_lead(lead),
            Facts::Cluster(cluster) => self.add_cluster(cluster),
            Facts::Vehicle(vehicle) => self.add_vehicle(vehicle),
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
        self.leads.extend(lead.external_id.clone());
        self.clusters.extend(lead.cluster_external_id.clone());
        self.appointments.extend(lead.appointments.iter().flatten().map(|facts| facts.external_id.clone()));
        self.events.extend(lead.events.iter().map(|event| event.external_id.clone()));
        self.has_lists |= lead.appointments.is_some();
        self.wanted_vins.extend(lead.columns.vin.clone());
        self.wanted_stock_numbers.extend(lead.columns.stock_number.clone());
        self.new_rows += 3;
    }

    fn add_vehicle(&mut self, vehicle: &VehicleFacts) {
        let Some(identifier) = listing::identify(vehicle) else { return };
        let content = &vehicle.content;
        self.sources.insert((identifier.clone(), vehicle.vin.clone()));
        self.identifiers.insert(identifier);
        self.vins.extend(vehicle.vin.clone());
        self.stock_numbers.extend(content.columns.stock_number.clone());
        self.wants.extend(vehicle.vin.clone().map(Want::Vin));
        self.wants.extend(content.columns.stock_number.clone().map(Want::Stock));
        self.packages.extend(content.packages.iter().map(|package| package.name.clone()));
        self.locations.extend(content.location.iter().map(|location| location.name.to_lowercase()));
        self.new_rows += 3 + content.packages.len();
    }
}
