//! The feeds: which there are, where they are posted to, and how a body becomes facts.

pub mod dealer_studio;
pub mod wire;

use std::collections::BTreeSet;

use crate::domain::facts::Facts;
use crate::domain::finding::Finding;
use crate::domain::workspace::{DealershipId, Locale};

/// A kind of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// Dealer Studio's lead webhook.
    Lead,
    /// Dealer Studio's inventory webhook.
    Inventory,
}

impl Feed {
    /// Every feed.
    pub const ALL: &'static [Self] = &[Self::Lead, Self::Inventory];

    /// Its name in configuration, tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Inventory => "inventory",
        }
    }

    /// The feed of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feed| feed.name() == name)
    }

    /// Where it is posted to.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Lead => "/webhooks/dealer-studio/leads",
            Self::Inventory => "/webhooks/dealer-studio/inventory",
        }
    }

    /// The system that posts it.
    #[must_use]
    pub fn sender(self) -> &'static str {
        match self {
            Self::Lead | Self::Inventory => "dealer_studio",
        }
    }
}

/// A body that is JSON, not yet read.
#[derive(Clone, Debug)]
pub struct Document {
    feed: Feed,
    root: serde_json::Value,
}

/// What a body says about the dealership it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealershipKey {
    /// Nothing.
    Missing,
    /// Something that is not a dealership id, and so cannot be configured.
    Unusable,
    /// The sender's id.
    Id(DealershipId),
}

/// Everything that was read from a body.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says.
    pub facts: Facts,
    /// What a person should know about it.
    pub findings: Vec<Finding>,
    /// Paths of fields that are not documented, array positions as `[]`.
    pub unknown_paths: BTreeSet<String>,
}
