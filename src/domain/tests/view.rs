//! What there is to compare of a workspace's rows: everything that outlives ids, arrival times and order.

use crate::domain::ids::{ListingId, LocationId};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::facts::{ListingContent, SaleStatus};
use crate::domain::state::{ListingStatus, WorkspaceState};
use crate::domain::version::SourceTime;

/// The inventory of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inventory {
    pub(super) vehicles: BTreeMap<String, Shown>,
    pub(super) identifiers: BTreeMap<String, Named>,
    pub(super) sources: BTreeMap<(String, Option<String>), SourceView>,
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
    pub(super) sale_status: Option<(SaleStatus, DateTime<Utc>)>,
    pub(super) for_sale_at: Option<DateTime<Utc>>,
    pub(super) vin: Option<(String, DateTime<Utc>)>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceView {
    pub(super) vehicle: String,
    pub(super) for_sale: bool,
    pub(super) at: DateTime<Utc>,
    pub(super) fingerprint: String,
}

fn source_time(at: SourceTime) -> DateTime<Utc> {
    at.at.unwrap()
}

/// What a workspace's rows show.
pub(super) fn inventory(state: &WorkspaceState) -> Inventory {
    let vehicles = state.listings.keys().map(|id| (name(state, *id), shown(state, *id))).collect();
    let identifiers = state.identifiers.iter().map(|(identifier, row)| {
        let named = Named {
            vehicle: name(state, row.value.listing),
            sale_status: row
                .value
                .sale_status
                .as_ref()
                .map(|sale_status| (sale_status.value, source_time(sale_status.at))),
            for_sale_at: row.value.for_sale_at.map(source_time),
            vin: row.value.vin.as_ref().map(|vin| (vin.value.as_str().to_owned(), source_time(vin.at))),
        };
        (identifier.clone(), named)
    });
    let sources = state.sources.iter().map(|((identifier, vin), row)| {
        let source = SourceView {
            vehicle: name(state, row.value.listing),
            for_sale: row.value.for_sale,
            at: source_time(row.value.at),
            fingerprint: row.value.fingerprint.clone(),
        };
        ((identifier.clone(), vin.as_ref().map(|vin| vin.as_str().to_owned())), source)
    });
    let locations = state
        .locations
        .iter()
        .map(|(key, row)| (key.clone(), (row.value.name().to_owned(), row.value.columns().street)));
    Inventory {
        vehicles,
        identifiers: identifiers.collect(),
        sources: sources.collect(),
        locations: locations.collect(),
        packages: state.packages.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// A vehicle's name: its VIN, else its only identifier.
fn name(state: &WorkspaceState, id: ListingId) -> String {
    let listing = &state.listings[&id].value;
    if let Some(vin) = &listing.vin {
        return vin.as_str().to_owned();
    }
    let own: Vec<&String> =
        state.identifiers.iter().filter(|(_, row)| row.value.listing == id).map(|(name, _)| name).collect();
    assert_eq!(own.len(), 1, "a vehicle without VIN has one identifier");
    format!("of {}", own[0])
}

fn shown(state: &WorkspaceState, id: ListingId) -> Shown {
    let listing = &state.listings[&id].value;
    let place = |id: &LocationId| {
        let (key, _) = state.locations.iter().find(|(_, row)| row.value.id == *id).unwrap();
        key.clone()
    };
    Shown {
        identifier: listing.displayed_source.as_ref().unwrap().0.clone(),
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
