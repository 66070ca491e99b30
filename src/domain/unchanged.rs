//! Deliveries that hold of a vehicle what is stored of it already, as nearly all of a daily full feed do: they change
//! nothing, whatever else is known, so nothing else has to be loaded for them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::facts::{Facts, SaleStatus, VehicleFacts};
use super::listing;
use super::state::{ListingStatus, SourceKey};
use super::values::{StockNumber, Vin};
use super::{Effect, Effects, Verdict};

/// What a for-sale delivery holds of a vehicle, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentSummary {
    /// The identifier and the VIN that it names.
    pub key: SourceKey,
    /// The stock number that it names.
    pub stock_number: Option<StockNumber>,
    /// The sender's time.
    pub at: DateTime<Utc>,
    /// The digest of the content.
    pub fingerprint: String,
}

/// What is known of an identifier and a VIN, as far as it tells whether a delivery repeats it.
#[derive(Clone, Debug)]
pub struct StoredListing {
    /// Whether the content is that of a for-sale delivery.
    pub for_sale: bool,
    /// The sender's time of the content.
    pub at: Option<DateTime<Utc>>,
    /// The digest of the content.
    pub fingerprint: String,
    /// The identifier's newest sale status, with its time.
    pub sale_status: Option<(SaleStatus, Option<DateTime<Utc>>)>,
    /// The sender's time of the identifier's newest for-sale delivery.
    pub for_sale_at: Option<DateTime<Utc>>,
    /// The newest VIN that the identifier named, with its time.
    pub vin: Option<(Vin, Option<DateTime<Utc>>)>,
    /// The vehicle's status.
    pub status: ListingStatus,
}

impl ContentSummary {
    /// The summary of a delivery, where it is for a vehicle that is for sale and gives a time.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        match facts {
            Facts::Vehicle(vehicle) => Self::of_vehicle(vehicle),
            Facts::Lead(_) | Facts::Cluster(_) | Facts::Ignored => None,
        }
    }

    fn of_vehicle(facts: &VehicleFacts) -> Option<Self> {
        let VehicleFacts { identifier: _, vin, sale_status, modified_at, content } = facts;
        (*sale_status == Some(SaleStatus::ForSale)).then_some(())?;
        Some(Self {
            key: (listing::identify(facts)?, vin.clone()),
            stock_number: content.columns.stock_number.clone(),
            at: (*modified_at)?,
            fingerprint: content.fingerprint(),
        })
    }

    /// Whether this was merged before, and nothing newer since. A vehicle that is not for sale all the same is left to
    /// the rules, which say why.
    fn repeats(&self, known: &StoredListing) -> bool {
        let StoredListing { for_sale, at, fingerprint, sale_status, for_sale_at, vin, status } = known;
        let same_time = |at: &Option<DateTime<Utc>>| *at == Some(self.at);
        let same_sale_status =
            sale_status.as_ref().is_some_and(|(sale_status, at)| *sale_status == SaleStatus::ForSale && same_time(at));
        let (_, said_vin) = &self.key;
        let same_vin = said_vin
            .as_ref()
            .is_none_or(|incoming| vin.as_ref().is_some_and(|(vin, at)| vin == incoming && same_time(at)));
        let same_content = *for_sale && same_time(at) && *fingerprint == self.fingerprint;
        same_content && same_sale_status && same_vin && same_time(for_sale_at) && *status == ListingStatus::ForSale
    }
}

/// The deliveries of a batch that repeat what is known, by their place in it; each is given by its summary, its facts,
/// or both. One that shares a name with a delivery that holds something else is none, because that one may change what
/// it is compared with.
#[must_use]
pub fn among(
    batch: &[Option<&Facts>],
    summaries: &[Option<&ContentSummary>],
    known: &BTreeMap<SourceKey, StoredListing>,
) -> BTreeSet<usize> {
    let repeats = |summary: &&ContentSummary| known.get(&summary.key).is_some_and(|known| summary.repeats(known));
    let (same, other): (Vec<_>, Vec<_>) =
        batch.iter().zip(summaries).enumerate().partition(|(_, (_, summary))| summary.as_ref().is_some_and(repeats));
    let mut names = Names::default();
    for (_, (facts, summary)) in other {
        match (summary, facts) {
            (Some(summary), _) => names.add_summary(summary),
            (None, Some(facts)) => names.add(facts),
            (None, None) => {}
        }
    }
    let repeated =
        same.into_iter().filter(|(_, (_, summary))| summary.as_ref().is_some_and(|summary| !names.name(summary)));
    repeated.map(|(place, _)| place).collect()
}

/// What a repetition comes to.
#[must_use]
pub fn verdict() -> Verdict {
    Verdict::Merged(Effects { listing: Some(Effect::Unchanged), ..Effects::default() })
}

/// The names of vehicles.
#[derive(Default)]
struct Names {
    identifiers: BTreeSet<String>,
    vins: BTreeSet<Vin>,
    stock_numbers: BTreeSet<StockNumber>,
}

impl Names {
    fn add(&mut self, facts: &Facts) {
        match facts {
            Facts::Vehicle(vehicle) => {
                self.identifiers.extend(listing::identify(vehicle));
                self.vins.extend(vehicle.vin.clone());
                self.stock_numbers.extend(vehicle.content.columns.stock_number.clone());
            }
            Facts::Lead(_) | Facts::Cluster(_) | Facts::Ignored => {}
        }
    }

    fn add_summary(&mut self, summary: &ContentSummary) {
        let ContentSummary { key: (identifier, vin), stock_number, at: _, fingerprint: _ } = summary;
        self.identifiers.insert(identifier.clone());
        self.vins.extend(vin.clone());
        self.stock_numbers.extend(stock_number.clone());
    }

    /// Whether one of them is among what a delivery names.
    fn name(&self, summary: &ContentSummary) -> bool {
        let (identifier, vin) = &summary.key;
        self.identifiers.contains(identifier)
            || vin.as_ref().is_some_and(|vin| self.vins.contains(vin))
            || summary.stock_number.as_ref().is_some_and(|number| self.stock_numbers.contains(number))
    }
}
