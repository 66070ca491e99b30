//! What a sender is told of its delivery.

use uuid::Uuid;

use crate::domain::finding::Finding;
use crate::domain::{EffectSummary, Outcome};

/// What became of a delivery that is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is in the tables, with an outcome.
    Settled(Reply),
    /// The delivery of this id is in the spool, and applied when Postgres can take it.
    Spooled(Uuid),
}

/// What the sender is told of a delivery that has its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The delivery's id.
    pub delivery_id: Uuid,
    /// Its fate.
    pub outcome: Outcome,
    /// What became of each kind of row: `person`, `lead`, `listing`, `booking`.
    pub effects: Vec<(&'static str, EffectSummary)>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}
