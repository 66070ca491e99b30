//! What any feed can say, in words that belong to no sender. `feeds` makes facts, the rules read them.

mod cluster;
mod event;
mod lead;
mod property;
mod sender;
mod vehicle;

pub use cluster::{ClusterColumns, ClusterFacts, ClusterLists};
pub use event::{EventColumns, EventFacts};
pub use lead::{
    Address, AddressParts, AppointmentColumns, AppointmentFacts, Field, LeadColumns, LeadFacts, LeadLists, Licence,
    LicenceParts, Passport, PassportParts, PersonColumns, ProspectFacts, TradeInColumns,
};
pub use property::PropertyColumns;
pub use sender::{Sender, Source};
pub use vehicle::{
    ListingColumns, ListingContent, ListingLists, LocationColumns, PackagePrices, SaleStatus, SellerLocation,
    VehicleFacts,
};

/// Everything that one delivery says.
#[derive(Clone, Debug)]
pub enum Facts {
    /// A lead of a lead feed.
    Lead(Box<LeadFacts>),
    /// A lead cluster, with its leads and events.
    Cluster(Box<ClusterFacts>),
    /// One vehicle of the inventory feed.
    Vehicle(Box<VehicleFacts>),
    /// Nothing that is handled; the findings say why.
    Ignored,
}
