//! The deliveries that are sent: the documented examples at their full size, with ids of their own.
//!
//! Every field has a fixed width, so that all requests of a kind have the same length.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How many e-mail addresses the leads come from.
const ADDRESSES: u64 = 1_000_000;
/// How many vehicles the first workspace has, for which its leads ask.
pub(crate) const VEHICLES: u64 = 20_000;
/// When the first delivery was made, in milliseconds since 1970: 3 October 2025.
const EPOCH: i64 = 1_759_471_808_144;

/// A kind of delivery.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A subscription enquiry with address and licence, for one of so many vehicles.
    Lead { vehicles: u64 },
    /// A vehicle, by its number, of so many that begin again after the last; so many of a hundred are changed against what
    /// was sent before.
    Vehicle { changed_percent: u64, of: u64 },
}

/// A part of a payload.
enum Piece {
    Text(&'static str),
    Field(Field),
}

/// What differs from delivery to delivery.
#[derive(Clone, Copy)]
enum Field {
    LeadId,
    ClusterId,
    Email,
    Phone,
    Licence,
    Vin,
    Stock,
    Dealership,
    Identifier,
    Time,
    Price,
}

/// What stands in the example's place of a field, with its quotes or its key where it needs them.
const LEAD: [(&str, Field); 9] = [
    ("1759346", Field::LeadId),
    ("1091776", Field::ClusterId),
    ("johnsmith@email.com", Field::Email),
    ("0403 123 123", Field::Phone),
    ("1231231231", Field::Licence),
    ("JSAGJB74V00202326", Field::Vin),
    ("7021602", Field::Stock),
    ("356", Field::Dealership),
    ("2025-10-03T06:10:22.097Z", Field::Time),
];

const VEHICLE: [(&str, Field); 6] = [
    ("94083", Field::Identifier),
    ("225180277", Field::Stock),
    ("ZARPAHJN2P7D66539", Field::Vin),
    ("285", Field::Dealership),
    ("2024-08-30T01:09:22.626Z", Field::Time),
    ("82888.0", Field::Price),
];

/// Makes the requests of one kind.
pub(crate) struct Payloads {
    kind: Kind,
    pieces: Vec<Piece>,
}

impl Payloads {
    /// Deliveries of a kind.
    pub(crate) fn new(kind: Kind) -> Self {
        let pieces = match kind {
            Kind::Lead { .. } => {
                split(include_str!("../../fixtures/dealer_studio/lead/loopit_page_example.json"), LEAD.as_slice())
            }
            Kind::Vehicle { .. } => {
                split(include_str!("../../fixtures/dealer_studio/inventory/page_example.json"), VEHICLE.as_slice())
            }
        };
        Self { kind, pieces }
    }

    /// The path of their door.
    pub(crate) fn path(&self) -> &'static str {
        match self.kind {
            Kind::Lead { .. } => "/webhooks/dealer-studio/leads",
            Kind::Vehicle { .. } => "/webhooks/dealer-studio/inventory",
        }
    }

    /// The body with a number, for a dealership, whose id has three digits.
    pub(crate) fn body(&self, number: u64, dealership: u64) -> String {
        let mut body = String::with_capacity(8_192);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::Field(Field::Dealership) => body.push_str(&dealership.to_string()),
                Piece::Field(field) => self.write(&mut body, *field, number),
            }
        }
        body
    }

    fn write(&self, body: &mut String, field: Field, number: u64) {
        let address = mixed(number) % ADDRESSES;
        let vehicle = match self.kind {
            Kind::Lead { vehicles } => mixed(number + 1) % vehicles,
            Kind::Vehicle { changed_percent: _, of } => number % of,
        };
        let version = match self.kind {
            Kind::Vehicle { changed_percent, of: _ } if mixed(vehicle) % 100 < changed_percent => 1,
            Kind::Lead { .. } | Kind::Vehicle { .. } => 0,
        };
        // Writing to a text cannot fail.
        let _ = match field {
            Field::LeadId => write!(body, "{}", 10_000_000_000 + number),
            Field::ClusterId => write!(body, "{}", 20_000_000_000 + number),
            Field::Email => write!(body, "customer{address:07}@example.com"),
            Field::Phone => write!(body, "0403 {:03} {:03}", address / 1_000, address % 1_000),
            Field::Licence => write!(body, "{}", 1_000_000_000 + address),
            Field::Vin => write!(body, "JSAGJB74V{vehicle:08}"),
            Field::Stock => write!(body, "S{vehicle:07}"),
            Field::Dealership => Ok(()),
            Field::Identifier => write!(body, "{}", 1_000_000 + vehicle),
            Field::Time => match self.kind {
                Kind::Lead { .. } => write!(body, "{}", time(number)),
                Kind::Vehicle { .. } => write!(body, "{}", time(version)),
            },
            Field::Price => write!(body, "{}.0", 82_888 + version),
        };
    }
}

/// The sender's time of a delivery, ten milliseconds after the one before.
fn time(number: u64) -> impl std::fmt::Display {
    let after = TimeDelta::milliseconds(i64::try_from(number).unwrap_or_default().saturating_mul(10));
    let time = DateTime::<Utc>::from_timestamp_millis(EPOCH).unwrap_or_default() + after;
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// A text that is cut where the examples' values stand.
fn split(text: &'static str, fields: &[(&str, Field)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let next = fields.iter().filter_map(|(value, field)| Some((rest.find(value)?, value.len(), *field)));
        let Some((at, length, field)) = next.min_by_key(|(at, _, _)| *at) else { break };
        let (before, after) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Field(field));
        rest = after.get(length..).unwrap_or_default();
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// A number that looks like any other, the same each time (`SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
