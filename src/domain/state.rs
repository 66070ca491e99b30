//! What is known about the keys of a batch, one workspace at a time, and what has changed in it.
//!
//! A rule is given one [`WorkspaceState`]: it cannot reach another workspace's rows, whatever a payload says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::booking_request::{BookingRequest, Dependency};
use super::facts::{
    AppointmentColumns, ClusterColumns, EventColumns, LeadColumns, LeadFacts, ListingContent, PersonColumns,
    PropertyColumns, SaleStatus, SellerLocation, Sender, TradeInColumns,
};
use super::finding::Code;
use super::ids::{ClusterId, LeadId, ListingId, LocationId, PackageId, PersonId};
use super::lead_history::{LeadChanges, LeadHistory};
use super::named::Named;
use super::outcome::{OtherBookings, Tally};
pub use super::row::{Row, RowState};
use super::values::{Email, StockNumber, Vin};
use super::version::{FieldVersions, SourceTime, Version, Versioned, VersionedRef};
use super::workspace::{ConfiguredLocation, DealershipId};

/// One workspace, as far as a batch can touch it.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceState {
    /// Ids reserved for new rows.
    pub ids: Vec<i64>,
    /// Whether more ids were taken than were reserved.
    pub ids_short: bool,
    /// How long a blocked booking is tried again, in days from the lead's arrival.
    pub booking_retry_days: i64,
    /// Persons by e-mail address.
    pub persons: BTreeMap<Email, Row<Person>>,
    /// Lead clusters by the sender's id.
    pub clusters: BTreeMap<String, Row<Cluster>>,
    /// Leads by sender and the sender's id.
    pub leads: BTreeMap<LeadKey, Row<Lead>>,
    /// Appointments by the sender's id.
    pub appointments: BTreeMap<String, Row<Appointment>>,
    /// Lead events by the sender's id.
    pub events: BTreeMap<String, Row<Event>>,
    /// Locations by name, in lower case.
    pub locations: Named<Row<Location>>,
    /// Packages by name.
    pub packages: Named<Row<Package>>,
    /// Listings by row.
    pub listings: BTreeMap<ListingId, Row<Listing>>,
    /// Identifiers of vehicles.
    pub identifiers: BTreeMap<String, Row<Identifier>>,
    /// The contents of vehicles, by identifier and the VIN named beside it.
    pub sources: BTreeMap<SourceKey, Row<ListingSource>>,
    /// Listings that became part of another: the former row, and the one it is now.
    pub merged: Vec<(ListingId, ListingId)>,
    /// Changes of price and status, to be added.
    pub changes: Vec<ListingChange>,
    /// Changes of leads' watched values.
    pub lead_changes: LeadChanges,
    /// The delivery that is being applied; none where it is the configuration.
    pub delivery: Option<Uuid>,
    /// Bookings that it made or changed of leads that were tried again.
    pub other_bookings: OtherBookings,
    /// Bookings by lead.
    pub bookings: BTreeMap<LeadId, Row<Booking>>,
    /// Listings of which no more was loaded than what decides on bookings: they are looked at and never changed.
    pub looked_at: BTreeSet<ListingId>,
}

impl WorkspaceState {
    /// The bookings that are to be written, whichever delivery made or moved them.
    #[must_use]
    pub fn written_bookings(&self) -> Tally {
        let of = |state| self.bookings.values().filter(|row| row.state == state).count();
        let count = |state| u32::try_from(of(state)).unwrap_or(u32::MAX);
        Tally { created: count(RowState::New), updated: count(RowState::Changed), ..Tally::default() }
    }

    /// The listing that has a VIN.
    #[must_use]
    pub fn listing_of_vin(&self, vin: &Vin) -> Option<&Listing> {
        self.listings.values().map(|row| &row.value).find(|listing| listing.vin.as_ref() == Some(vin))
    }

    /// Finds a cluster, or makes a row of which nothing is known but its id; says whether it is new.
    pub fn get_or_add_cluster(&mut self, external_id: &str) -> (ClusterId, bool) {
        if let Some(row) = self.clusters.get(external_id) {
            return (row.value.id, false);
        }
        let id = self.take_id();
        let unknown = Cluster {
            id,
            columns: ClusterColumns::default(),
            at: None,
            modified_at: None,
            person: None,
            appointments_as_of: None,
        };
        self.clusters.insert(external_id.to_owned(), Row::new(unknown));
        (id, true)
    }

    /// A reserved id for a new row. The loader reserves as many as the batch can need; where they do not suffice, what
    /// is given is no id, and nothing of the batch may be saved: see [`WorkspaceState::lack`].
    pub fn take_id<T: From<i64>>(&mut self) -> T {
        let id = self.ids.pop().unwrap_or_else(|| {
            self.ids_short = true;
            i64::default()
        });
        T::from(id)
    }

    /// The location of a row that another row points to.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        let found = self.locations.iter().map(|(_, row)| &row.value).find(|location| location.id == id);
        // It exists, because it is pointed to.
        if found.is_none() {
            self.locations.miss();
        }
        found
    }

    /// What the rules needed and did not have, because too little was loaded: what they made of it is worth nothing.
    #[must_use]
    pub fn lack(&self) -> Option<Lack> {
        let is_changed = |id: &ListingId| self.listings.get(id).is_some_and(Row::is_dirty);
        let lacks = [
            (self.ids_short, Lack::Id),
            (self.locations.was_missed(), Lack::Location),
            (self.packages.was_missed(), Lack::Package),
            (self.looked_at.iter().any(is_changed), Lack::Listing),
        ];
        lacks.into_iter().find_map(|(is_lacking, lack)| is_lacking.then_some(lack))
    }
}

/// Something that should have been loaded or reserved for a batch and was not: a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// An id for a new row.
    Id,
    /// A location.
    Location,
    /// A package.
    Package,
    /// All of a listing.
    Listing,
}

/// What identifies a lead inside a workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeadKey {
    /// The system that sent it.
    pub sender: Sender,
    /// The sender's lead id.
    pub external_id: String,
}

impl LeadKey {
    /// What identifies this lead, where it has a usable id.
    #[must_use]
    pub fn of(facts: &LeadFacts) -> Option<Self> {
        let external_id = facts.external_id.clone()?;
        Some(Self { sender: facts.source.sender(), external_id })
    }
}

/// A customer.
#[derive(Clone, Debug)]
pub struct Person {
    /// Its row.
    pub id: PersonId,
    /// What is known of it.
    pub columns: PersonColumns,
    /// The version of each column.
    pub versions: FieldVersions,
    /// The lead that is stored as the one with which the customer said what about marketing; see [`super::consent::consent`].
    pub consent_lead: Option<LeadId>,
    /// Arrival of the first delivery about it.
    pub created_at: DateTime<Utc>,
    /// Arrival of the newest delivery that changed it.
    pub updated_at: DateTime<Utc>,
}

/// The sender's grouping of one customer's leads.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its row.
    pub id: ClusterId,
    /// What is known of it.
    pub columns: ClusterColumns,
    /// The version of its columns; `None` for a cluster that only leads have named.
    pub at: Option<Version>,
    /// When the sender last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The person with its contact's e-mail address.
    pub person: Option<PersonId>,
    /// The time of the newest list of appointments for it.
    pub appointments_as_of: Option<Version>,
}

impl Cluster {
    /// The contact's address in the form in which persons are matched, where it is a valid one.
    #[must_use]
    pub fn email(&self) -> Option<Email> {
        self.columns.contact_email.as_deref().and_then(Email::parse)
    }
}

/// What became of a lead's booking request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingState {
    /// It asks for none.
    NotRequested,
    /// There is one.
    Created,
    /// Something stands in the way.
    Blocked,
}

/// One enquiry.
#[derive(Clone, Debug)]
pub struct Lead {
    /// Its row.
    pub id: LeadId,
    /// What is known of it.
    pub columns: LeadColumns,
    /// The version of each column.
    pub versions: FieldVersions,
    /// The car offered.
    pub trade_in: TradeInColumns,
    /// The version of each column of the car offered.
    pub trade_in_versions: FieldVersions,
    /// The property asked about or offered.
    pub property: PropertyColumns,
    /// The version of each column of the property.
    pub property_versions: FieldVersions,
    /// The sender's newest modification time.
    pub modified_at: Option<DateTime<Utc>>,
    /// The cluster it belongs to.
    pub cluster: Option<VersionedRef<ClusterId>>,
    /// The sender's id of that cluster.
    pub cluster_external_id: Option<String>,
    /// Its watched values over time.
    pub history: LeadHistory,
    /// The person with its e-mail address.
    pub person: Option<PersonId>,
    /// The time of its newest list of appointments, where the payload named no cluster.
    pub appointments_as_of: Option<Version>,
    /// What became of its booking request.
    pub booking: BookingState,
    /// Why there is no booking.
    pub blockers: Vec<Code>,
    /// What it asked for over time, in the order of the sender's times.
    pub booking_requests: Vec<BookingRequest>,
    /// What may still make a booking possible, or a better one, once it is there.
    pub pending_on: BTreeSet<Dependency>,
    /// What of that the database holds.
    pub pending_on_stored: BTreeSet<Dependency>,
    /// Arrival of the first delivery about it.
    pub received_at: DateTime<Utc>,
    /// Arrival of the newest delivery that changed it.
    pub updated_at: DateTime<Utc>,
}

impl Lead {
    /// The plan asked for: `additional_details.subscription_plan`, else `subscription_plan.name`.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.columns.requested_plan.as_deref().or(self.columns.offered_plan.as_deref())
    }

    /// The address in the form in which persons are matched, where it is a valid one.
    #[must_use]
    pub fn email(&self) -> Option<Email> {
        self.columns.contact_email.as_deref().and_then(Email::parse)
    }
}

/// A test drive or the like.
#[derive(Clone, Debug)]
pub struct Appointment {
    /// Its columns.
    pub columns: AppointmentColumns,
    /// The lead of the newest list that held it.
    pub lead: Option<LeadId>,
    /// The cluster of the newest list that held it.
    pub cluster: Option<ClusterId>,
    /// The time of the newest list that held it.
    pub as_of: Version,
    /// When it was seen to be gone.
    pub removed_at: Option<DateTime<Utc>>,
}

/// Something that happened to a lead or a cluster.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its columns.
    pub columns: EventColumns,
    /// The version of its columns.
    pub at: Version,
    /// When the sender last changed it.
    pub modified_at: Option<DateTime<Utc>>,
    /// The cluster it belongs to.
    pub cluster: Option<VersionedRef<ClusterId>>,
    /// The lead it belongs to.
    pub lead: Option<VersionedRef<LeadId>>,
}

/// A place where bookings can be made.
#[derive(Clone, Debug)]
pub struct Location {
    /// Its row.
    pub id: LocationId,
    /// The name it had last, for when nothing names it any more.
    pub last_name: String,
    /// What the configuration says of it.
    pub configured: Option<ConfiguredLocation>,
    /// What inventory says of it.
    pub reported: Option<Versioned<SellerLocation>>,
}

/// A subscription package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its row.
    pub id: PackageId,
    /// Whether the configuration names it.
    pub configured: bool,
    /// Whether inventory names it.
    pub reported: bool,
}

/// Whether a vehicle can be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingStatus {
    /// It is for sale.
    ForSale,
    /// It is not.
    Withdrawn,
    /// Another vehicle has taken its stock number.
    Archived,
}

impl ListingStatus {
    /// Its name in the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ForSale => "for_sale",
            Self::Withdrawn => "withdrawn",
            Self::Archived => "archived",
        }
    }
}

/// One vehicle in stock, as computed from its sources and identifiers. Its content is at hand only where it changed.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its row.
    pub id: ListingId,
    /// Its VIN, once one was named.
    pub vin: Option<Vin>,
    /// The source whose content it shows.
    pub displayed_source: Option<SourceKey>,
    /// The version of that content.
    pub content_at: Option<SourceTime>,
    /// Whether that content came with a for-sale delivery, which claims its stock number.
    pub holds_stock_number: bool,
    /// The content, where it must be written.
    pub content: Option<Box<ListingContent>>,
    /// Stock number of the content.
    pub stock_number: Option<StockNumber>,
    /// Dealership of the content.
    pub dealership_id: Option<DealershipId>,
    /// Prices of the content that are watched, by column.
    pub prices: WatchedPrices,
    /// The sale status that its identifiers give it.
    pub sale_status: SaleStatus,
    /// The sender's time of the withdrawal.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Its status: the sale status, unless its stock number was taken.
    pub status: ListingStatus,
    /// Its locations, in order.
    pub locations: Vec<LocationId>,
    /// Arrival of the first delivery about it.
    pub created_at: DateTime<Utc>,
    /// Arrival of the newest delivery that changed it.
    pub updated_at: DateTime<Utc>,
}

/// The prices whose changes are kept, by column.
pub type WatchedPrices = BTreeMap<&'static str, Decimal>;

/// One identifier of the sender, with what is known of it.
#[derive(Clone, Debug)]
pub struct Identifier {
    /// The vehicle it belongs to.
    pub listing: ListingId,
    /// The newest VIN it named.
    pub vin: Option<Versioned<Vin>>,
    /// Its newest sale status.
    pub sale_status: Option<Versioned<SaleStatus>>,
    /// The time of its newest for-sale delivery.
    pub for_sale_at: Option<SourceTime>,
}

/// What identifies a source: an identifier, and the VIN named beside it.
pub type SourceKey = (String, Option<Vin>);

/// The newest content that came under an identifier and a VIN.
#[derive(Clone, Debug)]
pub struct ListingSource {
    /// The vehicle it belongs to.
    pub listing: ListingId,
    /// Whether it came with a for-sale delivery; any other is replaced by one.
    pub for_sale: bool,
    /// Its version.
    pub at: SourceTime,
    /// A digest of the content.
    pub fingerprint: String,
    /// The content, where it was loaded or came with this batch.
    pub content: Option<Box<ListingContent>>,
    /// Stock number of the content.
    pub stock_number: Option<StockNumber>,
    /// Dealership of the content.
    pub dealership_id: Option<DealershipId>,
}

/// A change of price or status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingChange {
    /// The vehicle.
    pub listing: ListingId,
    /// The column.
    pub field: &'static str,
    /// What it was.
    pub old_value: Option<String>,
    /// What it is.
    pub new_value: Option<String>,
    /// When, by the sender's clock.
    pub changed_at: DateTime<Utc>,
}

/// A person asking for a listing on a package at a location.
#[derive(Clone, Debug, PartialEq)]
pub struct Booking {
    /// The person; none where the person was erased.
    pub person: Option<PersonId>,
    /// The vehicle.
    pub listing: ListingId,
    /// The location.
    pub location: LocationId,
    /// The package.
    pub package: PackageId,
    /// The booking request that it was made for.
    pub booking_request: BookingRequest,
    /// The delivery that made it or changed it last; none where the configuration did, or that is not known.
    pub delivery: Option<Uuid>,
    /// Arrival of the delivery that made it.
    pub created_at: DateTime<Utc>,
    /// Arrival of the delivery that last changed it.
    pub updated_at: DateTime<Utc>,
}
