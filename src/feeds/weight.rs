//! How much memory a delivery takes while it is read and applied, estimated from what is in it before anything is built.
//!
//! The figures are upper bounds that were measured (`docs/proofs.md`): an estimate that is too low costs the service, one
//! that is too high only lets a huge delivery wait for its turn.

use super::scan::{Counts, LIMITS, Scan};

/// What a field of an object takes in a tree, the list it grows in while it is built included.
const FIELD: usize = 112;
/// What is kept of a value beside its text: a number can be written longer than it was sent.
const KEPT_VALUE: usize = 24;
/// How often a text of the body is there while it is applied: as facts, in rows, and on its way to Postgres.
const TEXTS: usize = 5;
/// What a lead takes as facts, as a row, and on its way to Postgres.
const LEAD: usize = 32 << 10;
/// What an event, an appointment or a package takes in the same way.
const ENTRY: usize = 4 << 10;
/// What a finding takes, in memory and as JSON; there are at most so many.
const FINDING: usize = 1 << 10;
const FINDINGS: usize = 10_000;
/// What every delivery takes.
const DELIVERY: usize = 32 << 10;

/// How many bytes a delivery takes at the most while it is read and applied, its body of so many bytes included.
#[must_use]
pub fn weight(scan: &Scan, bytes: usize) -> usize {
    let Counts { values, leads, events, appointments, packages } = scan.counts;
    let trees = if scan.has_unclean_names { 2 } else { 1 };
    let tree = values.saturating_mul(FIELD * trees).saturating_add(scan.copied_bytes);
    let applied = leads * LEAD + (events + appointments + packages) * ENTRY;
    let rest = bytes.saturating_mul(TEXTS) + values * KEPT_VALUE + values.min(FINDINGS) * FINDING;
    // The tree is gone when the rows are made.
    tree.max(applied).saturating_add(rest).saturating_add(DELIVERY)
}

/// The most that a delivery may take whose body has so many bytes.
#[must_use]
pub fn heaviest(bytes: usize) -> usize {
    // No value has less than two bytes, a comma included.
    let values = |limit: usize| limit.min(bytes / 2 + 1);
    let limits = LIMITS;
    let tree = values(limits.values) * FIELD + bytes;
    let entries = values(limits.events) + values(limits.appointments) + values(limits.packages);
    let applied = values(limits.leads) * LEAD + entries * ENTRY;
    tree.max(applied) + bytes * TEXTS + values(limits.values) * KEPT_VALUE + FINDINGS * FINDING + DELIVERY
}

#[cfg(test)]
mod tests {
    use super::super::Feed;
    use super::super::scan::scan;
    use super::*;

    #[test]
    fn nothing_weighs_more_than_the_heaviest() {
        for bytes in [1 << 10, 2 << 20, 16 << 20] {
            let scan = scan(Feed::LeadCluster, b"[]").unwrap();
            let most = |limit: usize| limit.min(bytes / 2 + 1);
            let limits = LIMITS;
            let counts = Counts {
                values: most(limits.values),
                leads: most(limits.leads),
                events: most(limits.events),
                appointments: most(limits.appointments),
                packages: most(limits.packages),
            };
            let scan = Scan { counts, copied_bytes: bytes, ..scan };
            assert!(weight(&scan, bytes) <= heaviest(bytes));
        }
    }
}
