//! The rules. Plain functions over plain values: no HTTP, no SQL, no JSON, no clock, no log.
//!
//! In reading order: [`facts`] is what a delivery holds, [`state`] what is stored, [`version`] which of the two is
//! newer. [`apply`] merges one delivery into one workspace; the nouns' rules are in the files that bear their names.

pub mod appointment;
pub mod booking;
pub mod booking_request;
pub mod cluster;
pub mod columns;
pub mod consent;
pub mod content;
pub mod delivery;
pub mod erasure;
pub mod event;
pub mod facts;
pub mod feed;
pub mod finding;
pub mod ids;
pub mod keys;
pub mod lead;
pub mod lead_history;
pub mod listing;
pub mod locations;
pub mod named;
mod outcome;
pub mod person;
pub mod reconciliation;
pub mod retention;
mod row;
pub mod silence;
pub mod state;
pub mod stock;
pub mod unchanged;
pub mod values;
pub mod version;
pub mod workspace;

use chrono::{DateTime, Utc};

use facts::Facts;
use finding::Finding;
pub use outcome::{Counts, Effect, EffectSummary, Effects, OtherBookings, Outcome, Tally, Verdict};
use state::WorkspaceState;

/// Merges one delivery into a workspace.
pub fn apply(
    state: &mut WorkspaceState,
    facts: Facts,
    received_at: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Verdict {
    let mut verdict = match facts {
        Facts::Lead(lead) => Verdict::Merged(lead::apply(state, *lead, received_at, findings)),
        Facts::Cluster(cluster) => Verdict::Merged(cluster::apply(state, *cluster, received_at, findings)),
        Facts::Vehicle(vehicle) => listing::apply(state, *vehicle, received_at, findings),
        Facts::Ignored => Verdict::Ignored,
    };
    if let Verdict::Merged(effects) = &mut verdict {
        effects.other_bookings = std::mem::take(&mut state.other_bookings);
    }
    verdict
}

#[cfg(test)]
mod tests;
