//! What a sender is told of its delivery.

use uuid::Uuid;

use crate::domain::finding::Finding;
use crate::domain::{Effect, Effects, Outcome};

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

/// The effects in the order in which a reply tells them.
pub(super) fn told(effects: Effects) -> Vec<(&'static str, Effect)> {
    let Effects { person, lead, listing, booking, beside: _ } = effects;
    let rows = [("person", person), ("lead", lead), ("listing", listing), ("booking", booking)];
    rows.into_iter().filter_map(|(name, effect)| Some((name, effect?))).collect()
}
