//! Fields that the senders send and do not document, counted by path.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Error, Store};
use crate::domain::world::RowId;

/// How often a path was seen since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The workspace.
    pub workspace: RowId,
    /// The name of the feed.
    pub feed: &'static str,
    /// The path, array positions as `[]`.
    pub path: String,
    /// Arrival of the first delivery with it.
    pub first: DateTime<Utc>,
    /// Arrival of the newest.
    pub last: DateTime<Utc>,
    /// How many deliveries had it.
    pub times: i64,
    /// One of them.
    pub example: Uuid,
}

/// How many paths are kept for each workspace and feed.
const MOST_PATHS: i64 = 1_000;

/// Adds to the counts. A path beyond the thousandth of its workspace and feed is left out.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(store: &Store, seen: &[Seen]) -> Result<(), Error> {
    let rows = seen.iter().map(|seen| {
        let Seen { workspace, feed, path, first, last, times, example } = seen;
        json!({
            "workspace_id": workspace, "feed": feed, "path": path, "first_seen_at": first.to_rfc3339(),
            "last_seen_at": last.to_rfc3339(), "times_seen": times, "example_delivery_id": example,
        })
    });
    let mut tx = store.begin(None).await?;
    sqlx::query!(
        "insert into intake.drift as known
            (workspace_id, feed, path, first_seen_at, last_seen_at, times_seen, example_delivery_id)
        select workspace_id, feed, path, first_seen_at, last_seen_at, times_seen, example_delivery_id
        from jsonb_populate_recordset(null::intake.drift, $1) as seen
        where exists (
                select from intake.drift d
                where d.workspace_id = seen.workspace_id and d.feed = seen.feed and d.path = seen.path
            ) or $2 > (
                select count(*) from intake.drift d where d.workspace_id = seen.workspace_id and d.feed = seen.feed
            )
        order by workspace_id, feed, path
        on conflict (workspace_id, feed, path) do update set
            first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
            times_seen = known.times_seen + excluded.times_seen",
        Value::Array(rows.collect()),
        MOST_PATHS,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
