//! The tenant that everything belongs to, as the configuration describes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::facts::LocationColumns;
use super::feed::Feed;
use super::values::{Country, Currency, PhoneRegion};

/// The name of a workspace in the configuration and in `workspaces.slug`.
pub type Slug = String;

/// A dealership id of the sender.
pub type DealershipId = i64;

/// One workspace of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Workspace {
    /// Its name in the configuration.
    pub slug: Slug,
    /// The slug that it had before, where the configuration says that this is the same workspace.
    pub former_slug: Option<Slug>,
    /// Its name for people.
    pub name: String,
    /// The zone in which local times are read.
    pub timezone: Tz,
    /// The region in which phone numbers without a country code are read.
    pub phone_region: PhoneRegion,
    /// The country that stands in where a feed has none.
    pub country: Country,
    /// The currency of its money, where a payload does not tell it.
    pub currency: Option<Currency>,
    /// The dealerships whose deliveries belong to it.
    pub dealerships: Vec<Dealership>,
    /// Its locations.
    pub locations: Vec<ConfiguredLocation>,
    /// The names of its packages.
    pub packages: Vec<String>,
    /// At least how often each feed is expected to deliver, of each of its dealerships.
    pub expect: BTreeMap<Feed, TimeDelta>,
}

/// A dealership of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dealership {
    /// The sender's id.
    pub id: DealershipId,
    /// Its name for people.
    pub name: Option<String>,
    /// Its own zone, where it differs from the workspace's.
    pub timezone: Option<Tz>,
    /// The slug of the workspace that it leaves, where the configuration says that it is meant to.
    pub moved_from: Option<Slug>,
}

/// A location that the configuration names.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredLocation {
    /// Its name; compared without regard to case.
    pub name: String,
    /// Whether bookings may be made for it.
    pub bookable: bool,
    /// What the configuration says of it; the rest may come from inventory.
    pub columns: LocationColumns,
}

/// The workspaces that a credential may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// Every workspace of the configuration.
    All,
    /// These.
    Only(BTreeSet<Slug>),
}

impl Permitted {
    /// Whether the workspace is among them.
    #[must_use]
    pub fn includes(&self, slug: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(slugs) => slugs.contains(slug),
        }
    }
}

/// What a payload's values depend on beside themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Locale {
    /// When the delivery arrived.
    pub received_at: DateTime<Utc>,
    /// The dealership's zone.
    pub timezone: Tz,
    /// The workspace's phone region.
    pub phone_region: PhoneRegion,
    /// The workspace's country.
    pub country: Country,
}
