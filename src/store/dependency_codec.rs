//! How what a lead waits for is written in `intake.lead_dependencies`: as a kind and a key.

use crate::domain::booking_request::Dependency;
use crate::domain::ids::LeadId;
use crate::domain::values::{Email, StockNumber, Vin};

/// A dependency as it stands in the table: its kind and its key.
pub(super) fn kind_and_key(dependency: &Dependency) -> (&'static str, &str) {
    match dependency {
        Dependency::Vin(vin) => ("vin", vin.as_str()),
        Dependency::Stock(number) => ("stock_number", number.as_str()),
        Dependency::Plan(name) => ("package", name),
        Dependency::Location(name) => ("location", name),
        Dependency::AnyLocation => ("any_location", ""),
        Dependency::Person(email) => ("person", email.as_str()),
    }
}

/// The dependency that stands in the table so.
pub(super) fn read(kind: &str, key: &str) -> Option<Dependency> {
    match kind {
        "vin" => Vin::stored(key).map(Dependency::Vin),
        "stock_number" => StockNumber::stored(key).map(Dependency::Stock),
        "package" => Some(Dependency::Plan(key.to_owned())),
        "location" => Some(Dependency::Location(key.to_owned())),
        "any_location" => Some(Dependency::AnyLocation),
        "person" => Email::stored(key).map(Dependency::Person),
        _ => None,
    }
}

/// Dependencies as lists, one for each column.
#[derive(Debug, Default)]
pub(super) struct DependencyLists<'a> {
    pub(super) lead_id: Vec<i64>,
    pub(super) kind: Vec<&'static str>,
    pub(super) key: Vec<&'a str>,
}

impl<'a> DependencyLists<'a> {
    /// Adds one of a lead.
    pub(super) fn push(&mut self, lead: LeadId, dependency: &'a Dependency) {
        let (kind, key) = kind_and_key(dependency);
        self.lead_id.push(lead.get());
        self.kind.push(kind);
        self.key.push(key);
    }
}
