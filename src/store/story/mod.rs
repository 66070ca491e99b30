//! What is asked of the tables to tell somebody's or something's story: what a key names, and the rows that have to do with
//! it. Indexed columns only, a bounded number of rows, and each statement within some seconds.
//!
//! Values are given as they stand. What cannot be read as what belongs there is left out by whoever tells the story: a
//! damaged row must not hide the others from the person who looks for it.

mod deliveries;
mod hits;
mod rows;
mod stock;

use sqlx::PgConnection;

use super::{Error, Store, Transaction, session};
pub use deliveries::{DeliveryKeys, DeliveryRow, by_id, deliveries};
pub use hits::{Hit, HitKeys, HitKind, hits};
pub use rows::{ChangeRow, ClusterRow, LeadRow, Leads, PersonRow, changes, clusters, lead_ids, leads, persons};
pub use stock::{ListingRow, StockNames, identifiers, listings, names_like, packages};

/// A workspace, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceRow {
    /// Its row.
    pub id: i64,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its time zone.
    pub timezone: String,
    /// The region in which its phone numbers are read.
    pub phone_region: String,
}

/// Begins a transaction that reads and writes nothing, of statements that end in time.
///
/// # Errors
/// When Postgres cannot be reached.
pub async fn begin(store: &Store) -> Result<Transaction, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::LOOK_UP).await?;
    Ok(tx)
}

/// The workspaces, or that of a slug.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn workspaces(tx: &mut PgConnection, slug: Option<&str>) -> Result<Vec<WorkspaceRow>, Error> {
    let rows = sqlx::query_as!(
        WorkspaceRow,
        "select id, slug, name, timezone, phone_region from workspaces where $1 = '' or slug = $1 order by id",
        slug.unwrap_or_default(),
    );
    Ok(rows.fetch_all(tx).await?)
}
