//! Whether there are tables, as far as whoever accepts deliveries knows.

use super::Intake;

/// Whether there are tables to apply deliveries to.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// Not yet; a start takes a moment.
    Starting,
    /// Not for now.
    Down,
    /// There are.
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
