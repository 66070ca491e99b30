//! Values that are parsed once and then trusted: addresses, numbers, dates, places.
//!
//! Each keeps its field private and has one `parse`, which answers `None` where the text is no such value. What that
//! means for a delivery (a finding, and null) is decided where the payload is read.

mod country;
mod email;
mod number;
mod phone;
mod state;
mod time;
mod vehicle;

pub use country::Country;
pub use email::Email;
pub use number::{decimal, truth};
pub use phone::{Phone, PhoneRegion, warm_up};
pub use state::australian_state;
pub use time::{birth_date, date, in_zone, local_date_time, not_ahead, time_of_day, timestamp};
pub use vehicle::{StockNumber, Vin};

/// A JSON text, kept as it is: the rules only carry it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Takes a text that is JSON already.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
