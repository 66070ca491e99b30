//! What there is to compare of a workspace's rows: everything that outlives ids, arrival times and order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::facts::{ListingContent, SaleWord};
use crate::domain::stamp::Moment;
use crate::domain::world::{ListingStatus, RowId, Tenant};

/// The inventory of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inventory {
    pub(super) vehicles: BTreeMap<String, Shown>,
    pub(super) identifiers: BTreeMap<String, Named>,
    pub(super) sources: BTreeMap<(String, Option<String>), Told>,
    pub(super) locations: BTreeMap<String, (String, Option<String>)>,
    pub(super) packages: BTreeSet<String>,
}

impl Inventory {
    /// What is not the same.
    pub(super) fn difference(&self, expected: &Self) -> String {
        let lines = |inventory: &Self| -> BTreeSet<String> {
            let Self { vehicles, identifiers, sources, locations, packages } = inventory;
            let vehicles = vehicles.iter().map(|pair| format!("{pair:?}"));
            let identifiers = identifiers.iter().map(|pair| format!("{pair:?}"));
            let sources = sources.iter().map(|pair| format!("{pair:?}"));
            let locations = locations.iter().map(|pair| format!("{pair:?}"));
            vehicles.chain(identifiers).chain(sources).chain(locations).chain(packages.iter().cloned()).collect()
        };
        let (shown, expected) = (lines(self), lines(expected));
        let only = |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>().join("\n");
        format!("shown\n{}\nexpected\n{}\n", only(&shown, &expected), only(&expected, &shown))
    }
}

/// A listing. Vehicles are named by their VIN, else by their identifier.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) identifier: String,
    pub(super) source_modified_at: Option<DateTime<Utc>>,
    pub(super) content: String,
    pub(super) stock_number: Option<String>,
    pub(super) dealership: Option<i64>,
    pub(super) prices: BTreeMap<&'static str, Decimal>,
    pub(super) status: ListingStatus,
    pub(super) withdrawn_at: Option<DateTime<Utc>>,
    pub(super) locations: Vec<String>,
}

/// An identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) vehicle: String,
    pub(super) word: Option<(SaleWord, DateTime<Utc>)>,
    pub(super) for_sale_at: Option<DateTime<Utc>>,
    pub(super) vin: Option<(String, DateTime<Utc>)>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) vehicle: String,
    pub(super) for_sale: bool,
    pub(super) at: DateTime<Utc>,
    pub(super) fingerprint: String,
}

fn said(at: Moment) -> DateTime<Utc> {
    at.at.unwrap()
}

/// What a workspace's rows show.
pub(super) fn inventory(tenant: &Tenant) -> Inventory {
    let vehicles = tenant.listings.keys().map(|id| (name(tenant, *id), shown(tenant, *id))).collect();
    let identifiers = tenant.identifiers.iter().map(|(identifier, row)| {
        let named = Named {
            vehicle: name(tenant, row.value.listing),
            word: row.value.word.as_ref().map(|word| (word.value, said(word.at))),
            for_sale_at: row.value.for_sale_at.map(said),
            vin: row.value.vin.as_ref().map(|vin| (vin.value.as_str().to_owned(), said(vin.at))),
        };
        (identifier.clone(), named)
    });
    let sources = tenant.sources.iter().map(|((identifier, vin), row)| {
        let told = Told {
            vehicle: name(tenant, row.value.listing),
            for_sale: row.value.for_sale,
            at: said(row.value.at),
            fingerprint: row.value.fingerprint.clone(),
        };
        ((identifier.clone(), vin.as_ref().map(|vin| vin.as_str().to_owned())), told)
    });
    let locations = tenant
        .locations
        .iter()
        .map(|(key, row)| (key.clone(), (row.value.name().to_owned(), row.value.columns().street)));
    Inventory {
        vehicles,
        identifiers: identifiers.collect(),
        sources: sources.collect(),
        locations: locations.collect(),
        packages: tenant.packages.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// A vehicle's name: its VIN, else its only identifier.
fn name(tenant: &Tenant, id: RowId) -> String {
    let listing = &tenant.listings[&id].value;
    if let Some(vin) = &listing.vin {
        return vin.as_str().to_owned();
    }
    let own: Vec<&String> =
        tenant.identifiers.iter().filter(|(_, row)| row.value.listing == id).map(|(name, _)| name).collect();
    assert_eq!(own.len(), 1, "a vehicle without VIN has one identifier");
    format!("of {}", own[0])
}

fn shown(tenant: &Tenant, id: RowId) -> Shown {
    let listing = &tenant.listings[&id].value;
    let place = |id: &RowId| {
        let (key, _) = tenant.locations.iter().find(|(_, row)| row.value.id == *id).unwrap();
        key.clone()
    };
    Shown {
        identifier: listing.shows.as_ref().unwrap().0.clone(),
        source_modified_at: listing.content_at.and_then(|at| at.at),
        content: summary(listing.content.as_ref().unwrap()),
        stock_number: listing.stock_number.as_ref().map(|number| number.as_str().to_owned()),
        dealership: listing.dealership_id,
        prices: listing.prices.clone(),
        status: listing.status,
        withdrawn_at: listing.withdrawn_at,
        locations: listing.locations.iter().map(place).collect(),
    }
}

/// A content, short enough to be read in a failure.
pub(super) fn summary(content: &ListingContent) -> String {
    let packages: Vec<_> = content.packages.iter().map(|package| (&package.name, package.daily_price)).collect();
    format!("{} {packages:?} {}", content.columns.description.as_deref().unwrap(), content.fingerprint())
}
