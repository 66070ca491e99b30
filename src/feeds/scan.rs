//! One pass over a whole body before anything is built of it: whether it is JSON, how much is in it, and whose it is.
//!
//! It keeps nothing of the body, so that it takes the same few bytes of memory whatever it is given; only a text with an
//! escape in it is put together once to be looked at. What reads the body afterwards may skip what it does not need:
//! everything was checked here, UTF-8, surrogates, numbers and depth.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::json::without_mark;
use super::lenient::{Scalar, lone_id};
use super::{DealershipKey, Feed, NO_OBJECT, reason};
use crate::domain::finding::{Code, Finding};

/// How much of a body is taken. What has more is stored and rejected.
pub const LIMITS: Counts =
    Counts { values: 1_500_000, leads: 5_000, events: 50_000, appointments: 5_000, packages: 1_000 };

/// How many of something are in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values of JSON: every object, list, text, number, truth and null, wherever it stands.
    pub values: usize,
    /// Entries of `leads`.
    pub leads: usize,
    /// Entries of `lead_events`, of the whole and of each of its leads.
    pub events: usize,
    /// Entries of `appointments`, of the whole and of each of its leads.
    pub appointments: usize,
    /// Entries of `SubscriptionPricing`.
    pub packages: usize,
}

impl Counts {
    /// What there is too much of: where it stands, its name, how many there are and how many are taken.
    fn beyond(&self, limits: &Self) -> Option<(Option<&'static str>, &'static str, usize, usize)> {
        let Self { values, leads, events, appointments, packages } = *self;
        let all = [
            (Some("leads"), "leads", leads, limits.leads),
            (Some("lead_events"), "events", events, limits.events),
            (Some("appointments"), "appointments", appointments, limits.appointments),
            (Some("SubscriptionPricing"), "packages", packages, limits.packages),
            (None, "JSON values", values, limits.values),
        ];
        all.into_iter().find(|(_, _, count, most)| count > most)
    }
}

/// What one pass over a body has found.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The dealership that it names.
    pub dealership: DealershipKey,
    /// The sender's `Identifier` of a vehicle, by which a fragment that names no dealership finds its workspace.
    pub identifier: Option<String>,
    /// The sender's id of what it is about: of the lead, the lead cluster or the vehicle.
    pub external_id: Option<String>,
    /// The version of a lead's schema; v1 and v2 cannot be distinguished.
    pub schema_version: Option<&'static str>,
    /// How much is in it. Where a name is repeated all its lists count, though only the last is read.
    pub counts: Counts,
    /// How many of the values are objects with a field.
    pub objects: usize,
    /// How many bytes of texts and names have to be copied, because of an escape in them; some more for each of them.
    pub copied_bytes: usize,
    pub(super) is_object: bool,
}

impl Scan {
    /// Why the delivery is not taken: there is more in it than any sender has in earnest.
    #[must_use]
    pub fn too_many(&self) -> Option<Finding> {
        let (path, noun, count, most) = self.counts.beyond(&LIMITS)?;
        let message = format!("{count} {noun}, of which at most {most} are taken; nothing of the delivery was applied");
        Some(Finding { code: Code::TooManyEntries, path: path.map(str::to_owned), message })
    }

    /// What is wrong with the body as a whole: it should be an object.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        if self.is_object { Vec::new() } else { vec![Finding::whole(Code::FieldType, NO_OBJECT)] }
    }
}

/// Goes over a body once; a byte order mark before it is skipped.
///
/// # Errors
///
/// The finding `body_unreadable` with line and column where it is not JSON. It repeats nothing of the body.
pub fn scan(feed: Feed, body: &[u8]) -> Result<Scan, Finding> {
    let mut scan = Scan {
        dealership: DealershipKey::Missing,
        identifier: None,
        external_id: None,
        schema_version: match feed {
            Feed::Lead => Some("v1"),
            Feed::LeadCluster | Feed::Inventory | Feed::LeadPro => None,
        },
        counts: Counts::default(),
        objects: 0,
        copied_bytes: 0,
        is_object: false,
    };
    let body = without_mark(body);
    let done = match str::from_utf8(body) {
        // Looked at once for the whole, and not for each text.
        Ok(text) => go_over(serde_json::Deserializer::from_str(text), feed, &mut scan),
        Err(_invalid) => go_over(serde_json::Deserializer::from_slice(body), feed, &mut scan),
    };
    done.map_err(|error| Finding::whole(Code::BodyUnreadable, reason(&error)))?;
    Ok(scan)
}

fn go_over<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    feed: Feed,
    scan: &mut Scan,
) -> serde_json::Result<()> {
    Position { feed, scan, spot: Spot::Root }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Where in a body a value stands, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Root,
    /// The object that names the dealership.
    DealershipHolder,
    DealershipId,
    Identifier,
    /// The id of a lead or a lead cluster.
    OwnId,
    /// The object that holds the lead of LeadPro.
    Data,
    Leads,
    Lead,
    Events,
    /// The list whose presence decides the version of a lead, where `true`.
    Appointments(bool),
    Packages,
    Elsewhere,
}

impl Spot {
    /// Where the field of this name stands in an object that stands here.
    fn field(self, feed: Feed, name: &str) -> Self {
        match (self, feed, name) {
            (Self::Root, Feed::Lead, "dealership") | (Self::Root, Feed::Inventory, "Seller") => Self::DealershipHolder,
            (Self::DealershipHolder, Feed::Lead, "id")
            | (Self::DealershipHolder, Feed::Inventory, "Identifier")
            | (Self::Root, Feed::LeadCluster, "dealership_id") => Self::DealershipId,
            (Self::Root, Feed::Inventory, "Identifier") => Self::Identifier,
            (Self::Root, Feed::Lead | Feed::LeadCluster, "id" | "Id") | (Self::Data, Feed::LeadPro, "id") => {
                Self::OwnId
            }
            (Self::Root, Feed::LeadPro, "data") => Self::Data,
            (Self::Root, Feed::Inventory, "SubscriptionPricing") => Self::Packages,
            (Self::Root, Feed::LeadCluster, "leads") => Self::Leads,
            (Self::Root | Self::Lead, Feed::Lead | Feed::LeadCluster, "lead_events") => Self::Events,
            (Self::Root | Self::Lead, Feed::Lead | Feed::LeadCluster, "appointments") => {
                Self::Appointments(feed == Feed::Lead)
            }
            _ => Self::Elsewhere,
        }
    }

    /// Where an entry of a list that stands here stands, and the count it belongs to.
    fn entry(self, counts: &mut Counts) -> (Self, Option<&mut usize>) {
        match self {
            Self::Leads => (Self::Lead, Some(&mut counts.leads)),
            Self::Events => (Self::Elsewhere, Some(&mut counts.events)),
            Self::Appointments(_) => (Self::Elsewhere, Some(&mut counts.appointments)),
            Self::Packages => (Self::Elsewhere, Some(&mut counts.packages)),
            Self::Root
            | Self::DealershipHolder
            | Self::DealershipId
            | Self::Identifier
            | Self::OwnId
            | Self::Data
            | Self::Lead
            | Self::Elsewhere => (Self::Elsewhere, None),
        }
    }
}

/// A value on its way past.
struct Position<'s> {
    feed: Feed,
    scan: &'s mut Scan,
    spot: Spot,
}

impl Position<'_> {
    /// Counts the value. Of a name that is repeated the last value counts, so that the counts of an earlier one are dropped.
    fn count(&mut self) {
        self.scan.counts.values += 1;
        match self.spot {
            Spot::DealershipHolder | Spot::DealershipId => self.scan.dealership = DealershipKey::Missing,
            Spot::Identifier => (self.scan.identifier, self.scan.external_id) = (None, None),
            Spot::OwnId | Spot::Data => self.scan.external_id = None,
            Spot::Appointments(true) => self.scan.schema_version = Some("v1"),
            Spot::Root
            | Spot::Leads
            | Spot::Lead
            | Spot::Events
            | Spot::Appointments(false)
            | Spot::Packages
            | Spot::Elsewhere => {}
        }
    }

    /// Looks at a number or a text, as lenient reading does.
    fn look<'v>(&mut self, value: impl FnOnce() -> Scalar<'v>) {
        self.count();
        match self.spot {
            Spot::DealershipId => {
                self.scan.dealership = DealershipKey::of(&value());
            }
            Spot::Identifier => {
                self.scan.identifier = lone_id(&value());
                self.scan.external_id.clone_from(&self.scan.identifier);
            }
            Spot::OwnId => self.scan.external_id = lone_id(&value()),
            Spot::Root
            | Spot::DealershipHolder
            | Spot::Data
            | Spot::Leads
            | Spot::Lead
            | Spot::Events
            | Spot::Appointments(_)
            | Spot::Packages
            | Spot::Elsewhere => {}
        }
    }
}

/// How much of a text is looked at, in characters: more than any id has.
const LONGEST: usize = 1_024;

/// A text as far as it can be an id: without U+0000 and white space at its ends, and not to its end where it is long.
fn short(text: &str) -> Scalar<'static> {
    let text = text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
    Scalar::Text(Cow::Owned(text.chars().filter(|letter| *letter != '\0').take(LONGEST).collect()))
}

/// How many bytes a text that is copied takes beside its own.
const BESIDE_TEXT: usize = 16;

impl<'de> DeserializeSeed<'de> for Position<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Position<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.count();
        Ok(())
    }

    fn visit_bool<E>(mut self, _truth: bool) -> Result<(), E> {
        self.count();
        Ok(())
    }

    fn visit_i64<E>(mut self, number: i64) -> Result<(), E> {
        self.look(|| Scalar::Number(number.into()));
        Ok(())
    }

    fn visit_u64<E>(mut self, number: u64) -> Result<(), E> {
        self.look(|| Scalar::Number(number.into()));
        Ok(())
    }

    fn visit_f64<E>(mut self, number: f64) -> Result<(), E> {
        self.look(|| Number::from_f64(number).map_or(Scalar::Absent, Scalar::Number));
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.scan.copied_bytes += text.len() + BESIDE_TEXT;
        self.look(|| short(text));
        Ok(())
    }

    fn visit_borrowed_str<E>(mut self, text: &'de str) -> Result<(), E> {
        self.look(|| short(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.count();
        if self.spot == Spot::Appointments(true) {
            self.scan.schema_version = Some("v3");
        }
        let Self { feed, scan, spot } = self;
        let (below, _) = spot.entry(&mut scan.counts);
        while let Some(()) = items.next_element_seed(Position { feed, scan: &mut *scan, spot: below })? {
            if let (_, Some(count)) = spot.entry(&mut scan.counts) {
                *count += 1;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.count();
        let Self { feed, scan, spot } = self;
        scan.is_object |= spot == Spot::Root;
        let mut is_empty = true;
        while let Some(below) = fields.next_key_seed(Name { feed, scan: &mut *scan, spot })? {
            scan.objects += usize::from(is_empty);
            is_empty = false;
            fields.next_value_seed(Position { feed, scan: &mut *scan, spot: below })?;
        }
        Ok(())
    }
}

/// The name of a field, which decides how its value is counted.
struct Name<'s> {
    feed: Feed,
    scan: &'s mut Scan,
    spot: Spot,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Spot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Spot, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Spot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Spot, E> {
        self.scan.copied_bytes += name.len() + BESIDE_TEXT;
        Ok(self.spot.field(self.feed, name))
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Spot, E> {
        Ok(self.spot.field(self.feed, name))
    }
}

#[cfg(test)]
mod tests;
