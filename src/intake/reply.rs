//! What a sender is told of its delivery.

use uuid::Uuid;

use crate::domain::finding::Finding;
use crate::domain::{Outcome, Told};

/// What the sender is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The delivery's id.
    pub delivery_id: Uuid,
    /// Its fate.
    pub outcome: Outcome,
    /// What became of each kind of row: `person`, `lead`, `listing`, `booking`.
    pub effects: Vec<(&'static str, Told)>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}
