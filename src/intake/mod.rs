//! From an authenticated request to a stored delivery with one outcome.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use crate::domain::Effect;
use crate::domain::finding::Finding;
use crate::domain::workspace::Permitted;
use crate::feeds::Feed;

/// An authenticated request, read to its end.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The kind of delivery.
    pub feed: Feed,
    /// When its head arrived.
    pub received_at: DateTime<Utc>,
    /// The name of the credential that let it in.
    pub credential: String,
    /// The workspaces that the credential may write to.
    pub permitted: Permitted,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body, its `Content-Encoding` undone where that was possible.
    pub body: Vec<u8>,
    /// Why the `Content-Encoding` could not be undone.
    pub undecoded: Option<Finding>,
}

/// The one fate of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Applied,
    /// It said nothing new.
    Unchanged,
    /// It is of a kind that is not handled.
    Ignored,
    /// It could not be assigned or read; it is kept.
    Rejected,
    /// A fault of forecourt's own; it is kept and tried again.
    Failed,
}

impl Outcome {
    /// Its name in tables and replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The delivery's id.
    pub delivery_id: Uuid,
    /// Its fate.
    pub outcome: Outcome,
    /// What became of each kind of row: `person`, `lead`, `listing`, `booking`.
    pub effects: Vec<(&'static str, Effect)>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// Nothing could store the delivery in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be stored in time")]
pub struct Unavailable;
