//! What a story is made of: plain values, for the terminal, for a page, and as JSON.
//!
//! All times are UTC in JSON; whoever shows them to a person shows them in [`Workspace::timezone`] and says which that is.
//! Nothing here is an identity document: licences and passports are told as kept or not, and never shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Found {
    /// What the key names, by workspace and kind.
    pub stories: Vec<Story>,
    /// Whether the key names more than are told here.
    pub has_more: bool,
    /// What there is that the key nearly names, where it names nothing.
    pub near_misses: Vec<String>,
}

/// What something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One enquiry of a sender.
    Lead,
    /// A customer, or whoever gave the address or phone number without becoming one.
    Person,
    /// A vehicle in stock, or one that leads ask for.
    Vehicle,
    /// The sender's grouping of one customer's leads.
    Cluster,
    /// One delivery.
    Delivery,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Lead, Self::Person, Self::Vehicle, Self::Cluster, Self::Delivery];

    /// Its name: `lead`, `person`, `vehicle`, `cluster`, `delivery`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Person => "person",
            Self::Vehicle => "vehicle",
            Self::Cluster => "cluster",
            Self::Delivery => "delivery",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Everything that is known of one thing in one workspace: how it stands now, and how that came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// The workspace; none for a delivery of which no workspace is known.
    pub workspace: Option<Workspace>,
    /// What it is about.
    pub kind: Kind,
    /// The thing in a few words: `lead 1759346`, `delivery 0199...`.
    pub title: String,
    /// The id or address by which it is found again as [`Kind`].
    pub key: String,
    /// What is known of it now, in the order in which it is shown; what is not known is left out.
    pub facts: Vec<Fact>,
    /// The leads that it has to do with, the newest first, each with its booking or what stands in its way now.
    pub leads: Vec<Lead>,
    /// What happened, the oldest first.
    pub timeline: Vec<Entry>,
    /// Whether older entries or leads are left out, because a story is bounded.
    pub has_more: bool,
}

/// The workspace of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its time zone, as `Australia/Brisbane`.
    pub timezone: String,
}

/// One thing that is known: what it is, and the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is, in words: `e-mail`, `listed as`.
    pub label: &'static str,
    /// The value, as it is shown.
    pub value: String,
    /// By what it can be looked up in its turn, where it can.
    pub link: Option<Link>,
}

/// Something that can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is.
    pub kind: Kind,
    /// Its key, as [`super::Key::of`] takes it.
    pub key: String,
}

/// How a lead stands now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lead {
    /// The sender's id.
    pub external_id: String,
    /// The system that sent it.
    pub sender: String,
    /// When the first delivery about it arrived.
    pub received_at: DateTime<Utc>,
    /// The sender's status.
    pub status: Option<String>,
    /// `not_requested`, `created` or `blocked`.
    pub booking_state: String,
    /// What stands in the way of a booking now; empty unless blocked.
    pub blockers: Vec<Blocker>,
    /// Until when a blocked lead is tried again by itself.
    pub retried_until: Option<DateTime<Utc>>,
    /// Its booking.
    pub booking: Option<Booking>,
    /// When its customer was erased.
    pub erased_at: Option<DateTime<Utc>>,
}

/// One thing that stands in the way of a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Its code, as `package_not_found`.
    pub code: String,
    /// What it means.
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
    /// What was asked for and not found: the VIN, the package's name.
    pub asked_for: Option<String>,
    /// What there is instead: ``no package `starter`; there is `Starter` ``.
    pub near_miss: Option<String>,
}

/// A lead's booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booking {
    /// When it was made: the arrival of the delivery that did.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
    /// The delivery that made it or changed it last; none where the configuration did, or that is not known.
    pub delivery_id: Option<Uuid>,
    /// The vehicle, in words.
    pub vehicle: String,
    /// The location's name.
    pub location: String,
    /// The package's name.
    pub package: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// When: a delivery's arrival; of a change the sender's time.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A delivery arrived.
    Delivery(Box<Delivery>),
    /// The sender changed a value.
    Change(Change),
    /// A lead got its booking by what was not its own delivery: the booking was blocked until then.
    Healed(Healed),
    /// A customer was erased; what is left tells nothing of whom.
    Erased,
}

/// A delivery, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// The kind of delivery: `lead`, `lead_cluster`, `inventory`, `leadpro_lead`.
    pub feed: String,
    /// The name of the credential that let it in.
    pub credential: String,
    /// The sender's id of what it is about.
    pub external_id: Option<String>,
    /// The dealership id that it names.
    pub dealership_id: Option<i64>,
    /// `applied`, `unchanged`, `ignored`, `rejected` or `failed`.
    pub outcome: String,
    /// What it changed, as `lead`, `created`; several of a kind as `lead`, `3 created, 1 updated`.
    pub effects: Vec<Effect>,
    /// Bookings of other leads that it made or changed.
    pub other_bookings: Vec<OtherBooking>,
    /// What was found, blockers first.
    pub findings: Vec<Finding>,
    /// How many findings more there are.
    pub more_findings: u64,
    /// How often it was tried.
    pub attempts: i32,
    /// When it got its outcome.
    pub settled_at: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// When its body was erased.
    pub erased_at: Option<DateTime<Utc>>,
    /// Replays that a person asked for, the oldest first.
    pub replays: Vec<Replay>,
}

impl Delivery {
    /// Whether nothing came of it so far, so that whoever looks wants to know what to do about each finding.
    #[must_use]
    pub fn came_to_nothing(&self) -> bool {
        matches!(self.outcome.as_str(), "rejected" | "failed")
    }
}

/// What became of a kind of row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The kind: `person`, `lead`, `lead_cluster`, `lead_event`, `listing`, `booking`.
    pub of: String,
    /// What became of it: `created`, `updated`, `unchanged`, `blocked`.
    pub became: String,
}

/// The booking of a lead that another delivery was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherBooking {
    /// The sender's id of the lead.
    pub lead: String,
    /// `created` or `updated`.
    pub became: String,
}

/// Something that a person should know about a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its code.
    pub code: String,
    /// Where in the payload.
    pub path: Option<String>,
    /// Why, in a line.
    pub message: String,
    /// What the code means.
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
    /// Of what stood in the way of this story's booking, what became of it; none for other findings.
    pub blocker: Option<Standing>,
}

/// What became of something that stood in the way of a booking when a delivery arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "now", rename_all = "snake_case")]
pub enum Standing {
    /// It stands in the way still.
    Stands,
    /// It is gone; with the delivery that saw to that, where one is known.
    Gone {
        /// The lead's own later delivery in which it was none any more, else the delivery that made the booking or changed it
        /// last.
        by: Option<Uuid>,
    },
    /// The delivery is about several leads of which this may concern another one.
    Unknown,
}

/// A replay of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// When.
    pub at: DateTime<Utc>,
    /// The outcome before.
    pub before: Option<String>,
    /// What the replay came to.
    pub outcome: String,
}

/// A value that the sender changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What has changed, in words: `lead 1759346`, `the vehicle`.
    pub of: String,
    /// The column.
    pub field: String,
    /// What it was.
    pub from: Option<String>,
    /// What it became.
    pub to: Option<String>,
}

/// A lead that got its booking by what was not its own delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Healed {
    /// The sender's id of the lead.
    pub lead: String,
    /// The delivery that brought what was missing; none where the configuration did, or that is not known.
    pub delivery_id: Option<Uuid>,
    /// That delivery's feed.
    pub feed: Option<String>,
}
