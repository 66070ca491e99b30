//! How much memory a delivery takes while it is read and applied, estimated from what is in it before anything is built.
//!
//! The figures are upper bounds that were measured (`docs/proofs.md`): an estimate that is too low costs the service, one
//! that is too high only lets a huge delivery wait longer for memory.

use super::Feed;
use super::scan::{Counts, LIMITS, Scan};

/// What a value takes in a payload, the list it grows in while it is read included: an entry of a list, or a name that is not
/// documented.
const VALUE: usize = 112;
/// The same in the feeds whose lists have larger entries, as an empty object among the addresses of a seller.
const LARGE_VALUE: usize = 256;
/// What a lead takes in a payload.
const LEAD_PAYLOAD: usize = 4 << 10;
/// What an event, an appointment or a package takes in a payload.
const ENTRY_PAYLOAD: usize = 512;
/// What is kept of a value beside its text: a number can be written longer than it was sent.
const KEPT_VALUE: usize = 24;
/// How often a text of the body is there while it is applied: as facts, in rows, and on its way to Postgres.
const TEXTS: usize = 5;
/// What a lead takes as facts, as a row, and on its way to Postgres.
const LEAD: usize = 32 << 10;
/// What an event, an appointment or a package takes in the same way.
const ENTRY: usize = 2 << 10;
/// What a finding takes, in memory and as JSON; there are at most so many.
const FINDING: usize = 400;
const FINDINGS: usize = 10_000;
/// What every delivery takes.
const DELIVERY: usize = 16 << 10;

/// What an object takes, and any value, in a tree of `serde_json`: the kept parts of vehicles and of properties are such
/// trees again on their way to Postgres.
const ROW_OBJECT: usize = 656;
const ROW_VALUE: usize = 64;

/// How many bytes a delivery takes at the most while it is read and applied, its body of so many bytes included.
#[must_use]
pub fn weight(feed: Feed, scan: &Scan, bytes: usize) -> usize {
    let Counts { values, leads, events, appointments, packages } = scan.counts;
    let entries = events + appointments + packages;
    let payload =
        (values * value_of(feed) + leads * LEAD_PAYLOAD + entries * ENTRY_PAYLOAD).saturating_add(scan.copied_bytes);
    let rows = if keeps_trees(feed) { scan.objects * ROW_OBJECT + values * ROW_VALUE } else { 0 };
    let applied = rows + leads * LEAD + entries * ENTRY;
    let rest = bytes.saturating_mul(TEXTS) + values * KEPT_VALUE + values.min(FINDINGS) * FINDING;
    // The payload is gone when the rows are made.
    payload.max(applied).saturating_add(rest).saturating_add(DELIVERY)
}

fn value_of(feed: Feed) -> usize {
    match feed {
        Feed::Inventory | Feed::LeadPro => LARGE_VALUE,
        Feed::Lead | Feed::LeadCluster => VALUE,
    }
}

/// Whether kept parts of its payloads are trees on their way to Postgres.
fn keeps_trees(feed: Feed) -> bool {
    match feed {
        Feed::Inventory | Feed::LeadPro => true,
        Feed::Lead | Feed::LeadCluster => false,
    }
}

/// How many bytes it takes to compare a body of so many bytes with the claims of a token.
#[must_use]
pub fn weight_of_posted(bytes: usize) -> usize {
    // Two bytes make a value, in a list.
    bytes.saturating_mul(36)
}

/// How many bytes a vehicle takes that was read before and is unchanged.
#[must_use]
pub fn weight_in_short(bytes: usize) -> usize {
    bytes.saturating_add(DELIVERY)
}

/// The most that a delivery of a feed may take whose body has so many bytes.
#[must_use]
pub fn heaviest(feed: Feed, bytes: usize) -> usize {
    // No value has less than two bytes, a comma included, and no object with a field less than five.
    let values = |limit: usize| limit.min(bytes / 2 + 1);
    let objects = LIMITS.values.min(bytes / 5 + 1);
    let rows = if keeps_trees(feed) { objects * ROW_OBJECT + values(LIMITS.values) * ROW_VALUE } else { 0 };
    let of_feed = |feeds: &[Feed], limit: usize| if feeds.contains(&feed) { values(limit) } else { 0 };
    let leads = of_feed(&[Feed::LeadCluster], LIMITS.leads);
    let of_leads = [Feed::Lead, Feed::LeadCluster];
    let entries = of_feed(&of_leads, LIMITS.events)
        + of_feed(&of_leads, LIMITS.appointments)
        + of_feed(&[Feed::Inventory], LIMITS.packages);
    let applied = rows + leads * LEAD + entries * ENTRY;
    let payload = values(LIMITS.values) * value_of(feed) + leads * LEAD_PAYLOAD + entries * ENTRY_PAYLOAD + bytes;
    payload.max(applied) + bytes * TEXTS + values(LIMITS.values) * KEPT_VALUE + FINDINGS * FINDING + DELIVERY
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    #[test]
    fn entries_are_as_large_as_is_estimated() {
        use super::super::dealer_studio::{event, inventory, item, lead, lead_cluster};
        use super::super::leadpro::lead::ComparablePayload;
        assert!(size_of::<lead_cluster::ClusterLeadPayload<'_>>() + 16 <= LEAD_PAYLOAD);
        assert!(size_of::<lead::LeadPayload<'_>>() <= LEAD_PAYLOAD);
        for boxed in [
            size_of::<event::EventPayload<'_>>(),
            size_of::<lead::AppointmentPayload<'_>>(),
            size_of::<inventory::PackagePayload<'_>>(),
        ] {
            // With the list of boxes, which may be there twice while it grows.
            assert!(boxed + 16 + 3 * 16 <= ENTRY_PAYLOAD, "{boxed}");
        }
        assert!(3 * size_of::<item::IntegrationPayload<'_>>() <= VALUE);
        for listed in [
            size_of::<inventory::IdentificationPayload<'_>>(),
            size_of::<inventory::ColourPayload<'_>>(),
            size_of::<inventory::OdometerPayload<'_>>(),
            size_of::<inventory::AttributePayload<'_>>(),
            size_of::<inventory::PricePayload<'_>>(),
            size_of::<inventory::PhotoPayload<'_>>(),
            size_of::<inventory::VendorDataPayload<'_>>(),
            size_of::<ComparablePayload<'_>>(),
        ] {
            assert!(3 * (listed + 8) <= LARGE_VALUE, "{listed}");
        }
        assert!(size_of::<inventory::SellerAddressPayload<'_>>() + 16 + 3 * 16 <= LARGE_VALUE);
    }

    #[test]
    fn nothing_weighs_more_than_the_heaviest() {
        let repeated = |piece: &str, bytes: usize| {
            let pieces = vec![piece; bytes / (piece.len() + 1)].join(",");
            [format!("[{pieces}]"), format!("{{\"leads\":[{pieces}]}}"), format!("{{\"lead_events\":[{pieces}]}}")]
        };
        let deep = format!("{}0{}", "{\"\":".repeat(100), "}".repeat(100));
        for feed in Feed::ALL.iter().copied() {
            for piece in ["0", "{}", "[]", "\"\\n\\n\"", "1e9", "{\"a\":0}", &deep] {
                for body in [1 << 10, 64 << 10, 1 << 20].into_iter().flat_map(|bytes| repeated(piece, bytes)) {
                    let scan = scan(feed, body.as_bytes()).unwrap();
                    let taken = scan.too_many().is_none();
                    assert!(
                        !taken || weight(feed, &scan, body.len()) <= heaviest(feed, body.len()),
                        "{feed:?} {piece}"
                    );
                }
            }
        }
    }
}
