//! The rules. Plain functions over plain values: no HTTP, no SQL, no JSON, no clock, no log.
//!
//! In reading order: [`facts`] is what a delivery says, [`world`] what is known, [`stamp`] which of the two is newer.
//! [`apply`] lets one workspace hear one delivery; the nouns' rules are in the files that bear their names.

pub mod appointment;
pub mod booking;
pub mod cluster;
pub mod columns;
pub mod content;
pub mod event;
pub mod facts;
pub mod finding;
pub mod keys;
pub mod lead;
pub mod listing;
pub mod named;
mod outcome;
pub mod person;
pub mod place;
pub mod repetition;
pub mod stamp;
pub mod stock;
pub mod values;
pub mod wish;
pub mod workspace;
pub mod world;

use chrono::{DateTime, Utc};

use facts::Facts;
use finding::Finding;
pub use outcome::{Counts, Effect, Effects, Outcome, Tally, Told, Verdict};
use world::Tenant;

/// Lets a workspace hear one delivery.
pub fn apply(tenant: &mut Tenant, facts: Facts, received_at: DateTime<Utc>, findings: &mut Vec<Finding>) -> Verdict {
    match facts {
        Facts::Lead(lead) => Verdict::Heard(lead::apply(tenant, *lead, received_at, findings)),
        Facts::Cluster(cluster) => Verdict::Heard(cluster::apply(tenant, *cluster, received_at, findings)),
        Facts::Vehicle(vehicle) => listing::apply(tenant, *vehicle, received_at, findings),
        Facts::Ignored => Verdict::Ignored,
    }
}

#[cfg(test)]
mod tests;
