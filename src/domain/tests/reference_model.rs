//! The rules for listings as plain sentences about a set of deliveries: slow, and meant to be obviously right.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::view::{self, Inventory, Named, Shown, SourceView};
use crate::domain::facts::{ListingContent, SaleStatus, VehicleFacts};
use crate::domain::listing;
use crate::domain::state::ListingStatus;

/// A delivery by which something is known.
struct Delivery {
    identifier: String,
    vin: Option<String>,
    sale_status: Option<SaleStatus>,
    at: DateTime<Utc>,
    content: ListingContent,
}

impl Delivery {
    fn is_for_sale(&self) -> bool {
        self.sale_status == Some(SaleStatus::ForSale)
    }
}

/// What the rules say of these deliveries, each with a time of its own.
pub(super) fn inventory(history: &[VehicleFacts]) -> Inventory {
    let deliveries: Vec<Delivery> = history.iter().filter_map(delivery).collect();
    let book = Book { deliveries };
    let mut inventory = Inventory {
        vehicles: book.vehicles().into_iter().map(|vehicle| (vehicle.clone(), book.show(&vehicle))).collect(),
        identifiers: book.identifiers().into_iter().map(|name| (name.clone(), book.named(&name))).collect(),
        sources: book.sources(),
        ..Inventory::default()
    };
    for delivery in &book.deliveries {
        inventory.packages.extend(delivery.content.packages.iter().map(|package| package.name.clone()));
    }
    for delivery in by_time(&book.deliveries) {
        if let Some(location) = &delivery.content.location {
            let newest = (location.name.clone(), location.columns.street.clone());
            inventory.locations.insert(location.name.to_lowercase(), newest);
        }
    }
    inventory
}

fn delivery(facts: &VehicleFacts) -> Option<Delivery> {
    Some(Delivery {
        identifier: listing::identify(facts)?,
        vin: facts.vin.as_ref().map(|vin| vin.as_str().to_owned()),
        sale_status: facts.sale_status,
        at: facts.modified_at.unwrap(),
        content: facts.content.clone(),
    })
}

fn by_time(deliveries: &[Delivery]) -> Vec<&Delivery> {
    let mut deliveries: Vec<&Delivery> = deliveries.iter().collect();
    deliveries.sort_by_key(|delivery| delivery.at);
    deliveries
}

struct Book {
    deliveries: Vec<Delivery>,
}

impl Book {
    fn identifiers(&self) -> BTreeSet<String> {
        self.deliveries.iter().map(|delivery| delivery.identifier.clone()).collect()
    }

    /// An identifier, with those of its deliveries that name no VIN, belongs to the newest VIN it named.
    fn listing_of(&self, identifier: &str) -> String {
        let newest = by_time(&self.deliveries)
            .into_iter()
            .rfind(|delivery| delivery.identifier == identifier && delivery.vin.is_some());
        newest.and_then(|delivery| delivery.vin.clone()).unwrap_or_else(|| format!("of {identifier}"))
    }

    fn vehicle(&self, delivery: &Delivery) -> String {
        delivery.vin.clone().unwrap_or_else(|| self.listing_of(&delivery.identifier))
    }

    /// A VIN once named keeps its row.
    fn vehicles(&self) -> BTreeSet<String> {
        self.deliveries.iter().map(|delivery| self.vehicle(delivery)).collect()
    }

    fn newest(&self, of: impl Fn(&Delivery) -> bool) -> Option<&Delivery> {
        by_time(&self.deliveries).into_iter().rfind(|delivery| of(delivery))
    }

    /// The content is that of the newest for-sale delivery, whole; without one the newest delivery's stands in.
    fn content(&self, vehicle: &str) -> &Delivery {
        let own = |delivery: &Delivery| self.vehicle(delivery) == vehicle;
        self.newest(|delivery| own(delivery) && delivery.is_for_sale()).or_else(|| self.newest(own)).unwrap()
    }

    fn sale_status_of(&self, identifier: &str) -> Option<(SaleStatus, DateTime<Utc>)> {
        let newest = self.newest(|delivery| delivery.identifier == identifier && delivery.sale_status.is_some())?;
        Some((newest.sale_status?, newest.at))
    }

    fn for_sale_at(&self, identifier: &str) -> Option<DateTime<Utc>> {
        self.newest(|delivery| delivery.identifier == identifier && delivery.is_for_sale()).map(|delivery| delivery.at)
    }

    /// The status is the newest word of the identifier whose for-sale delivery is newest. What is said without an
    /// identifier, under the VIN alone, is said of the vehicle and counts beside it.
    fn sale_status(&self, vehicle: &str) -> Option<(SaleStatus, DateTime<Utc>)> {
        let own = self.identifiers().into_iter().filter(|name| self.listing_of(name) == vehicle && name != vehicle);
        let decides = own.max_by_key(|name| (self.for_sale_at(name), self.sale_status_of(name).map(|(_, at)| at)));
        let of_vin = (self.listing_of(vehicle) == vehicle).then(|| self.sale_status_of(vehicle)).flatten();
        let words = [decides.and_then(|name| self.sale_status_of(&name)), of_vin];
        words.into_iter().flatten().max_by_key(|(_, at)| *at)
    }

    /// A vehicle claims the stock number of its newest for-sale delivery, inside its dealership.
    fn claim(&self, vehicle: &str) -> Option<(i64, String, DateTime<Utc>)> {
        let newest = self.content(vehicle);
        let columns = &newest.content.columns;
        let number = columns.stock_number.as_ref()?.as_str().to_owned();
        newest.is_for_sale().then_some((columns.dealership_id?, number, newest.at))
    }

    /// It is archived exactly while another vehicle has a newer claim on the same number.
    fn is_archived(&self, vehicle: &str) -> bool {
        let Some((dealership, number, at)) = self.claim(vehicle) else { return false };
        let others = self.vehicles().into_iter().filter(|other| other != vehicle);
        others
            .filter_map(|other| self.claim(&other))
            .any(|(of, taken, later)| (of, &taken) == (dealership, &number) && later > at)
    }

    fn show(&self, vehicle: &str) -> Shown {
        let newest = self.content(vehicle);
        let columns = &newest.content.columns;
        let sale_status = self.sale_status(vehicle);
        let (status, withdrawn_at) = match sale_status {
            Some((SaleStatus::ForSale, _)) => (ListingStatus::ForSale, None),
            Some((SaleStatus::Withdrawn, at)) => (ListingStatus::Withdrawn, Some(at)),
            None => (ListingStatus::Withdrawn, None),
        };
        Shown {
            identifier: newest.identifier.clone(),
            source_modified_at: Some(newest.at),
            content: view::summary(&newest.content),
            stock_number: columns.stock_number.as_ref().map(|number| number.as_str().to_owned()),
            dealership: columns.dealership_id,
            prices: columns.price_egc.map(|price| ("price_egc", price)).into_iter().collect(),
            status: if self.is_archived(vehicle) { ListingStatus::Archived } else { status },
            withdrawn_at,
            locations: newest.content.location.iter().map(|location| location.name.to_lowercase()).collect(),
        }
    }

    fn named(&self, identifier: &str) -> Named {
        let vin = self.newest(|delivery| delivery.identifier == identifier && delivery.vin.is_some());
        Named {
            vehicle: self.listing_of(identifier),
            sale_status: self.sale_status_of(identifier),
            for_sale_at: self.for_sale_at(identifier),
            vin: vin.and_then(|delivery| Some((delivery.vin.clone()?, delivery.at))),
        }
    }

    /// Of each identifier and the VIN named beside it, the newest for-sale delivery, else the newest.
    fn sources(&self) -> BTreeMap<(String, Option<String>), SourceView> {
        let keys: BTreeSet<_> =
            self.deliveries.iter().map(|delivery| (delivery.identifier.clone(), delivery.vin.clone())).collect();
        let source = |key: &(String, Option<String>)| {
            let own = |delivery: &Delivery| (&delivery.identifier, &delivery.vin) == (&key.0, &key.1);
            let newest =
                self.newest(|delivery| own(delivery) && delivery.is_for_sale()).or_else(|| self.newest(own)).unwrap();
            SourceView {
                vehicle: self.vehicle(newest),
                for_sale: newest.is_for_sale(),
                at: newest.at,
                fingerprint: newest.content.fingerprint(),
            }
        };
        keys.iter().map(|key| (key.clone(), source(key))).collect()
    }
}
