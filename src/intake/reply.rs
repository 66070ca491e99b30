//! What a sender gets as the answer to its delivery.

use uuid::Uuid;

use crate::domain::finding::Finding;
use crate::domain::{EffectSummary, Outcome};

/// What became of a delivery that is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is in the tables, with an outcome.
    Applied(Reply),
    /// The delivery of this id is in the spool, and applied when Postgres can take it.
    Spooled(Uuid),
}

/// The answer to a delivery that has its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The delivery's id.
    pub delivery_id: Uuid,
    /// What became of the delivery as a whole; the first thing a sender looks at.
    pub outcome: Outcome,
    /// What became of each kind of row: `person`, `lead`, `listing`, `booking`.
    pub effects: Vec<(&'static str, EffectSummary)>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}
