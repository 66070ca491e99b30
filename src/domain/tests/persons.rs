//! Customers, their leads and their bookings in any order.

use crate::domain::ids::{ClusterId, LeadId, PersonId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::history::{Vehicle, moment};
use super::in_memory_store::{InMemoryStore, ReceivedFacts};
use super::{Dice, runner};
use crate::domain::facts::{
    AddressParts, AppointmentColumns, AppointmentFacts, Facts, Field, LeadColumns, LeadFacts, PersonColumns,
    ProspectFacts, SaleStatus, Source, TradeInColumns,
};
use crate::domain::state::WorkspaceState;
use crate::domain::values::{Country, Email, StockNumber, Vin};

/// One lead in one delivery. Each number stands for one of a few values; the last is none.
#[derive(Clone, Debug)]
struct Lead {
    id: u8,
    cluster: u8,
    email: u8,
    birth: u8,
    detail: u8,
    address: u8,
    vin: u8,
    number: u8,
    dealership: u8,
    plan: u8,
    location: u8,
    appointments: Option<Vec<u8>>,
}

fn lead() -> impl Strategy<Value = Lead> {
    let appointments = prop_oneof![1 => Just(None), 2 => prop::collection::vec(0..4_u8, 0..3).prop_map(Some)];
    let who = (0..4_u8, 0..3_u8, 0..5_u8, 0..4_u8, 0..4_u8, 0..3_u8);
    let what = (0..4_u8, 0..4_u8, 0..3_u8, 0..4_u8, 0..4_u8, appointments);
    (who, what).prop_map(|((id, cluster, email, birth, detail, address), what)| {
        let (vin, number, dealership, plan, location, appointments) = what;
        Lead { id, cluster, email, birth, detail, address, vin, number, dealership, plan, location, appointments }
    })
}

/// The value with this number, where there is one.
fn one_of<T>(values: impl IntoIterator<Item = T>, number: u8) -> Option<T> {
    values.into_iter().nth(usize::from(number))
}

impl Lead {
    /// What a delivery of it says at a place of the history. A lead was created once; what changes is later.
    fn facts(&self, place: usize) -> LeadFacts {
        let appointments = self.appointments.as_ref().map(|list| {
            let ids: BTreeSet<u8> = list.iter().copied().collect();
            let facts = |id: u8| AppointmentFacts {
                external_id: id.to_string(),
                columns: AppointmentColumns { note: Some(format!("note {}", self.detail)), ..Default::default() },
            };
            ids.into_iter().map(facts).collect()
        });
        LeadFacts {
            path_prefix: String::new(),
            timezone: chrono_tz::UTC,
            source: Source::LeadFeed,
            external_id: Some((100 + u32::from(self.id)).to_string()),
            cluster_external_id: one_of(["c1", "c2"], self.cluster).map(str::to_owned),
            created_at: Some(moment(0) - chrono::TimeDelta::hours(i64::from(self.id))),
            modified_at: Some(moment(place)),
            prospect: self.prospect(),
            columns: self.columns(),
            trade_in: TradeInColumns {
                make: one_of(["Ford", "Kia"], self.detail).map(str::to_owned),
                year: one_of([2001, 2002, 2003], self.address),
                ..TradeInColumns::default()
            },
            property: None,
            appointments,
            cluster_membership_at: Some(moment(place)),
            events: Vec::new(),
        }
    }

    fn prospect(&self) -> ProspectFacts {
        let born = DateTime::UNIX_EPOCH.date_naive();
        let part = |there: bool| there.then(|| format!("part {}", self.detail));
        ProspectFacts {
            email: match self.email {
                3 => Field::Invalid,
                4 => Field::Absent,
                number => Field::Valid(Email::parse(&format!("p{number}@example.com")).unwrap()),
            },
            date_of_birth: match self.birth {
                0 => Field::Invalid,
                1 => Field::Valid(born),
                _ => Field::Absent,
            },
            person: PersonColumns {
                first_name: Some(format!("name {}", self.detail)),
                mobile_phone: part(self.address == 0),
                date_of_birth: (self.birth == 1).then_some(born),
                ..PersonColumns::default()
            },
            address: Some(AddressParts {
                street: part(self.address > 0),
                city: part(self.address > 0),
                state: part(self.address > 0),
                postcode: part(self.address > 1),
                country: Country::parse("AU"),
            }),
            ..ProspectFacts::default()
        }
    }

    fn columns(&self) -> LeadColumns {
        let emails = ["p0@example.com", "P1@Example.com", "p2@example.com", "nobody"];
        LeadColumns {
            dealership_id: one_of([0, 1], self.dealership),
            contact_email: one_of(emails, self.email).map(str::to_owned),
            vin: one_of(0..3, self.vin).and_then(|number: u8| Vin::parse(&format!("VIN{number}"))),
            stock_number: one_of(0..3, self.number).and_then(|number: u8| StockNumber::parse(&format!("N{number}"))),
            requested_plan: one_of(["Starter", "Premium", "Unheard of"], self.plan).map(str::to_owned),
            location_name: one_of(["Yard 0", "yard 1", "Nowhere"], self.location).map(str::to_owned),
            comments: one_of(["first", "second", "third"], self.detail).map(str::to_owned),
            ..LeadColumns::default()
        }
    }
}

/// What there is to compare, line by line: everything that outlives ids, arrival times and order.
fn shown(state: &WorkspaceState, with_bookings: bool) -> BTreeSet<String> {
    let person = |id: PersonId| state.persons.iter().find(|(_, row)| row.value.id == id).map(|(email, _)| email);
    let cluster = |id: ClusterId| state.clusters.iter().find(|(_, row)| row.value.id == id).map(|(name, _)| name);
    let lead = |id: LeadId| state.leads.iter().find(|(_, row)| row.value.id == id).map(|(key, _)| &key.external_id);
    let mut lines: BTreeSet<String> =
        state.persons.iter().map(|(email, row)| format!("{email:?} {}", compact(&row.value.columns))).collect();
    lines.extend(state.clusters.iter().map(|(name, row)| {
        format!("cluster {name} {:?}", row.value.appointments_as_of.as_ref().map(|version| version.at))
    }));
    for (key, row) in &state.leads {
        let value = &row.value;
        let member = value.cluster.as_ref().and_then(|versioned_ref| cluster(versioned_ref.to));
        let lists = value.appointments_as_of.as_ref().map(|version| version.at);
        let who = value.person.map(person);
        lines.insert(format!("lead {} {member:?} {who:?} {lists:?} {:?}", key.external_id, value.modified_at));
        lines.insert(format!("columns {} {}", key.external_id, compact(&value.columns)));
        lines.insert(format!("trade-in {} {}", key.external_id, compact(&value.trade_in)));
        if with_bookings {
            lines.insert(format!("booking {} {:?} {:?}", key.external_id, value.booking, value.blockers));
        }
    }
    for (name, row) in &state.appointments {
        let value = &row.value;
        let (of, within) = (value.lead.map(lead), value.cluster.map(cluster));
        let gone = value.removed_at.is_some();
        lines.insert(format!(
            "appointment {name} {of:?} {within:?} {:?} {gone} {:?}",
            value.as_of.at, value.columns.note
        ));
    }
    if with_bookings {
        lines.extend(state.bookings.iter().map(|(id, row)| {
            let value = &row.value;
            let place = state.locations.iter().find(|(_, row)| row.value.id == value.location).unwrap().0;
            let package = state.packages.iter().find(|(_, row)| row.value.id == value.package).unwrap().0;
            let car = state.listings[&value.listing].value.vin.clone();
            format!("booked {:?} {:?} {car:?} {place} {package}", lead(*id), value.person.map(person))
        }));
    }
    lines
}

/// What `Debug` shows, without what is none.
fn compact(columns: &impl std::fmt::Debug) -> String {
    let shown = format!("{columns:#?}");
    shown.lines().filter(|line| !line.ends_with(": None,")).map(str::trim).collect()
}

fn apply_all(history: &[Facts], batches: &[Vec<usize>]) -> InMemoryStore {
    let mut store = InMemoryStore::default();
    let mut arrivals = 0;
    for batch in batches {
        let arrive = |place: &usize| {
            arrivals += 1;
            (history[*place].clone(), moment(1_000 + arrivals))
        };
        let batch: Vec<ReceivedFacts> = batch.iter().map(arrive).collect();
        store.apply(&batch);
    }
    store
}

/// Merges a history in its order one by one, and in other ways: the rows must be the same.
fn converges(history: &[Facts], seed: u64, with_bookings: bool) -> Result<BTreeSet<String>, TestCaseError> {
    let in_order: Vec<Vec<usize>> = (0..history.len()).map(|place| vec![place]).collect();
    let expected = shown(&apply_all(history, &in_order).rows, with_bookings);
    let mut dice = Dice(seed);
    for _ in 0..6 {
        let order = dice.order(history.len());
        let batches = dice.batches(&order);
        let rows = shown(&apply_all(history, &batches).rows, with_bookings);
        if rows != expected {
            let only =
                |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>().join("\n");
            let message = format!("{batches:?}\n{}\nin order\n{}", only(&rows, &expected), only(&expected, &rows));
            return Err(TestCaseError::fail(message));
        }
    }
    Ok(expected)
}

#[test]
fn persons_leads_and_appointments_are_the_same_in_any_order_and_any_batches() {
    let reached = RefCell::new(BTreeMap::<&str, usize>::new());
    let strategy = (prop::collection::vec(lead(), 1..12), any::<u64>());
    runner(80)
        .run(&strategy, |(history, seed)| {
            let facts = history.iter().enumerate();
            let facts: Vec<Facts> = facts.map(|(place, lead)| Facts::Lead(Box::new(lead.facts(place)))).collect();
            let lines = converges(&facts, seed, false)?;
            for (rule, sign) in [
                ("person", "Email"),
                ("address", "address: Some"),
                ("lead without person", " None None"),
                ("member of a cluster", "Some(\"c1\")"),
                ("removed", " true "),
                ("kept", " false "),
                ("trade-in", "make: Some"),
            ] {
                *reached.borrow_mut().entry(rule).or_default() +=
                    usize::from(lines.iter().any(|line| line.contains(sign)));
            }
            Ok(())
        })
        .unwrap();
    let reached = reached.into_inner();
    assert!(reached.values().all(|times| *times >= 20), "{reached:?}");
}

/// Vehicles that are never withdrawn, archived or merged: each has its VIN, its identifier and its stock number.
fn quiet() -> impl Strategy<Value = Vehicle> {
    (0..3_u8, 0..6_u8).prop_map(|(car, content)| Vehicle {
        identifier: Some(car),
        vin: Some(car),
        number: Some(car / 2),
        dealership: Some(car % 2),
        sale_status: Some(SaleStatus::ForSale),
        content,
    })
}

#[test]
fn bookings_of_cars_that_stay_for_sale_are_the_same_in_any_order_and_any_batches() {
    let booked = RefCell::new(0);
    let entry = prop_oneof![lead().prop_map(Ok), quiet().prop_map(Err)];
    let strategy = (prop::collection::vec(entry, 1..10), any::<u64>());
    runner(150)
        .run(&strategy, |(history, seed)| {
            let mut leads = BTreeSet::new();
            let facts = history.iter().enumerate().filter_map(|(place, entry)| match entry {
                // A lead that changes its booking request keeps a booking that it no longer qualifies for: one delivery
                // each.
                Ok(lead) => leads.insert(lead.id).then(|| Facts::Lead(Box::new(lead.facts(place)))),
                Err(vehicle) => Some(Facts::Vehicle(Box::new(vehicle.facts(place)))),
            });
            let facts: Vec<Facts> = facts.collect();
            let lines = converges(&facts, seed, true)?;
            *booked.borrow_mut() += usize::from(lines.iter().any(|line| line.starts_with("booked")));
            Ok(())
        })
        .unwrap();
    assert!(booked.into_inner() >= 20);
}
