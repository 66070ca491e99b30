//! Whether there are tables, as far as whoever accepts deliveries knows.

use super::Intake;

/// Whether there are tables to apply deliveries to.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// Not yet; a start takes a moment.
    Starting,
    /// They cannot be reached or used for now; deliveries are spooled.
    Down,
    /// Deliveries are applied to them.
    Ready(Intake),
}

impl Database {
    /// The intake over the tables, where there are some.
    pub(super) fn intake(&self) -> Option<Intake> {
        match self {
            Self::Starting | Self::Down => None,
            Self::Ready(intake) => Some(intake.clone()),
        }
    }
}
