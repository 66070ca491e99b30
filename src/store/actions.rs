//! What operators do: each act leaves a row in `intake.actions`. Never personal data.

use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{Error, Store};

/// An act that leaves a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deliveries, or refused requests, were put through the same path again.
    Replay,
    /// The configuration was read again.
    Reload,
    /// The tables were brought to another version.
    Migrate,
    /// A person was removed everywhere.
    Erase,
    /// All that is known of a person was given out.
    Export,
    /// What was too old was let go.
    Retention,
    /// A role was given rights to read.
    Grant,
    /// The tables were distributed over several servers.
    Distribute,
    /// Stored values were given the form in which they are compared today.
    ReadAnew,
    /// A masked document was looked at.
    ShowDocument,
}

impl Action {
    /// Its name in `intake.actions`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Reload => "reload",
            Self::Migrate => "migrate",
            Self::Erase => "erase",
            Self::Export => "export",
            Self::Retention => "retention",
            Self::Grant => "grant",
            Self::Distribute => "distribute",
            Self::ReadAnew => "values_read_anew",
            Self::ShowDocument => "show_document",
        }
    }
}

/// How many rows of which kind an act concerned, and how: numbers and names of ours, never a value of a row.
pub type Counts = Map<String, Value>;

/// Records an act in the transaction that it happens in, so that the one is never there without the other.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn record(tx: &mut PgConnection, action: Action, acted_by: &str, counts: Counts) -> Result<(), Error> {
    sqlx::query!(
        "insert into intake.actions (action, acted_at, acted_by, counts) values ($1, now(), $2, $3)",
        action.name(),
        acted_by,
        Value::Object(counts),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Records an act that has no transaction of its own, or has had many.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn record_alone(store: &Store, action: Action, acted_by: &str, counts: Counts) -> Result<(), Error> {
    let mut tx = store.begin(None).await?;
    record(&mut tx, action, acted_by, counts).await?;
    tx.commit().await
}
