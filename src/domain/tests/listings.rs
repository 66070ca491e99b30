//! Vehicles in any order.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::TestCaseError;

use super::history::{self, Vehicle, moment};
use super::in_memory_store::{InMemoryStore, ReceivedFacts};
use super::{Dice, reference_model, runner, view};
use crate::domain::facts::{Facts, SaleStatus, VehicleFacts};
use crate::domain::finding::Code;
use crate::domain::ids::ListingId;
use crate::domain::state::ListingStatus;
use crate::domain::{Effect, Verdict};

/// How often each rule was reached, by its name.
type Reached = BTreeMap<&'static str, usize>;

/// Merges deliveries in batches; each arrives a second after the one before.
fn apply_all(history: &[VehicleFacts], batches: &[Vec<usize>], reached: &mut Reached) -> InMemoryStore {
    let mut store = InMemoryStore::default();
    let mut arrivals = 0;
    for batch in batches {
        let listings = store.rows.listings.len();
        let batch: Vec<ReceivedFacts> = batch
            .iter()
            .map(|place| {
                arrivals += 1;
                (Facts::Vehicle(Box::new(history[*place].clone())), moment(100_000 + arrivals))
            })
            .collect();
        let archived_before = archived(&store);
        for (verdict, findings) in store.apply(&batch) {
            count(reached, &verdict, findings.iter().map(|finding| finding.code));
        }
        let rows = &store.rows;
        if rows.listings.len() < listings {
            *reached.entry("merged").or_default() += 1;
        }
        let still = archived(&store);
        if archived_before.iter().any(|id| rows.listings.contains_key(id) && !still.contains(id)) {
            *reached.entry("released").or_default() += 1;
        }
    }
    *reached.entry("repetition").or_default() += store.unchanged;
    store
}

fn archived(store: &InMemoryStore) -> Vec<ListingId> {
    let rows = store.rows.listings.iter();
    rows.filter(|(_, row)| row.value.status == ListingStatus::Archived).map(|(id, _)| *id).collect()
}

fn count(reached: &mut Reached, verdict: &Verdict, codes: impl Iterator<Item = Code>) {
    let mut reach = |name| *reached.entry(name).or_default() += 1;
    match verdict {
        Verdict::Rejected => reach("rejected"),
        Verdict::Ignored => reach("ignored"),
        Verdict::Merged(effects) => match effects.listing {
            Some(Effect::Created) => reach("created"),
            Some(Effect::Updated) => reach("updated"),
            Some(Effect::Unchanged) if effects.wrote() => reach("unseen"),
            Some(Effect::Unchanged | Effect::Blocked) | None => reach("unchanged"),
        },
    }
    codes.for_each(|code| reach(code.name()));
}

/// What the histories themselves hold.
fn describe(history: &[VehicleFacts], shown: &view::Inventory, reached: &mut Reached) {
    let mut reach = |name, is: bool| *reached.entry(name).or_default() += usize::from(is);
    let mut vins: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    for (identifier, vin) in shown.sources.keys() {
        vins.entry(identifier).or_default().push(vin.as_deref().unwrap_or_default());
    }
    reach("VIN corrected", vins.values().any(|of| of.iter().filter(|vin| !vin.is_empty()).count() > 1));
    reach("with and without VIN", vins.values().any(|of| of.len() > 1 && of.contains(&"")));
    let names: Vec<&String> = shown.identifiers.values().map(|named| &named.vehicle).collect();
    reach("several identifiers", shown.vehicles.keys().any(|name| names.iter().filter(|of| **of == name).count() > 1));
    reach("without identifiers", shown.vehicles.keys().any(|name| !names.contains(&name)));
    reach("VIN stands in", history.iter().any(|facts| facts.identifier.is_none() && facts.vin.is_some()));
    reach("number stands in", shown.identifiers.keys().any(|name| name.contains('/')));
    reach("archived", shown.vehicles.values().any(|row| row.status == ListingStatus::Archived));
    reach("for sale", shown.vehicles.values().any(|row| row.status == ListingStatus::ForSale));
    reach("withdrawn", shown.vehicles.values().any(|row| row.withdrawn_at.is_some()));
    reach("content of a withdrawal", shown.sources.values().any(|source| !source.for_sale));
}

#[test]
fn the_rows_are_what_the_set_of_deliveries_says_in_any_order_and_any_batches() {
    let reached = RefCell::new(Reached::new());
    let strategy = (history::vehicles(), proptest::num::u64::ANY);
    runner(120)
        .run(&strategy, |(history, seed)| {
            let history: Vec<VehicleFacts> =
                history.iter().enumerate().map(|(place, vehicle)| vehicle.facts(place)).collect();
            let expected = reference_model::inventory(&history);
            let mut reached = reached.borrow_mut();
            describe(&history, &expected, &mut reached);
            let mut dice = Dice(seed);
            let in_order: Vec<usize> = (0..history.len()).collect();
            let one_by_one: Vec<Vec<usize>> = in_order.iter().map(|place| vec![*place]).collect();
            let mut ways = vec![one_by_one, vec![in_order.clone()], vec![in_order.into_iter().rev().collect()]];
            for _ in 0..5 {
                let order = dice.order(history.len());
                ways.push(dice.batches(&order));
            }
            for batches in ways {
                let store = apply_all(&history, &batches, &mut reached);
                let shown = view::inventory(&store.rows);
                if shown != expected {
                    let message = format!("{batches:?}\n{}", shown.difference(&expected));
                    return Err(TestCaseError::fail(message));
                }
            }
            Ok(())
        })
        .unwrap();
    let reached = reached.into_inner();
    for rule in [
        "created",
        "updated",
        "unchanged",
        "repetition",
        "unseen",
        "rejected",
        "merged",
        "released",
        "VIN corrected",
        "with and without VIN",
        "several identifiers",
        "without identifiers",
        "VIN stands in",
        "number stands in",
        "archived",
        "for sale",
        "withdrawn",
        "content of a withdrawal",
        "older_than_known",
        "identifier_superseded",
        "stock_number_reused",
        "listing_unidentified",
    ] {
        let times = reached.get(rule).copied().unwrap_or_default();
        assert!(times >= 20, "{rule} was reached {times} times: {reached:#?}");
    }
}

#[test]
fn a_content_that_a_batch_shows_in_between_does_not_stay() {
    let car = |identifier, vin, sale_status, content| Vehicle {
        identifier: Some(identifier),
        vin,
        number: None,
        dealership: None,
        sale_status: Some(sale_status),
        content,
    };
    let history = [
        car(1, Some(0), SaleStatus::ForSale, 1),
        car(0, Some(0), SaleStatus::ForSale, 2),
        car(0, Some(0), SaleStatus::Withdrawn, 3),
        car(1, None, SaleStatus::ForSale, 4),
        car(1, Some(1), SaleStatus::Withdrawn, 5),
    ];
    let history: Vec<VehicleFacts> = history.iter().enumerate().map(|(place, car)| car.facts(place)).collect();
    // In the second batch identifier 1 first names the vehicle of identifier 0, and then another.
    let store = apply_all(&history, &[vec![1, 3], vec![2, 0, 4]], &mut Reached::new());
    assert_eq!(view::inventory(&store.rows), reference_model::inventory(&history));
}
