//! Values that are parsed once and then trusted: addresses, numbers, dates, places.
//!
//! Each keeps its field private and has one `parse`, which answers `None` where the text is no such value. What that
//! means for a delivery (a finding, and null) is decided where the payload is read.

mod country;
mod currency;
mod email;
mod json;
mod number;
mod phone;
mod state;
pub mod text;
mod time;
mod vehicle;

pub use country::Country;
pub use currency::Currency;
pub use email::Email;
pub use json::Json;
pub use number::{decimal, truth};
pub use phone::{Phone, PhoneRegion, warm_up};
pub use state::australian_state;
pub use time::{birth_date, date, in_zone, local_date_time, not_ahead, time_of_day, timestamp, unix_time};
pub use vehicle::{StockNumber, Vin};
