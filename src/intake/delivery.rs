//! A delivery that has been let in, with everything that is needed to apply it, now or later.

use crate::domain::finding::Finding;
use crate::domain::workspace::Permitted;
use crate::feeds::Feed;
use crate::store::deliveries::Arrived;

/// A delivery that has been let in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The kind of delivery.
    pub feed: Feed,
    /// What arrived, not yet read.
    pub arrived: Arrived,
    /// The workspaces that its credential may write to.
    pub permitted: Permitted,
    /// Why the body's `Content-Encoding` could not be undone.
    pub undecoded: Option<Finding>,
}
