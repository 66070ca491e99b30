//! Fields that the senders send and do not document, counted by path.

use crate::domain::ids::WorkspaceId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::unnest::list;
use super::{Error, Store};
use crate::domain::feed::Feed;

/// How often a path was seen since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
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
pub const MOST_PATHS: usize = 1_000;

/// Adds to the counts of one workspace and feed. A path beyond the thousandth is left out; of several that are new at
/// once those that were seen first are kept.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(store: &Store, workspace: WorkspaceId, feed: Feed, seen: &[Seen]) -> Result<(), Error> {
    let mut tx = store.begin(None).await?;
    sqlx::query!(
        "insert into intake.drift as known
            (workspace_id, feed, path, first_seen_at, last_seen_at, times_seen, example_delivery_id)
        select $1, $2, path, first_seen_at, last_seen_at, times_seen, example_delivery_id
        from (
            select s.*, d.path is not null as is_known,
                count(*) filter (where d.path is null) over (order by s.first_seen_at, s.path) as new_before
            from unnest($3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::uuid[])
                as s (path, first_seen_at, last_seen_at, times_seen, example_delivery_id)
            left join intake.drift d on d.workspace_id = $1 and d.feed = $2 and d.path = s.path
        ) as seen
        where is_known or new_before <= $8 - (
            select count(*) from intake.drift d where d.workspace_id = $1 and d.feed = $2
        )
        order by path
        on conflict (workspace_id, feed, path) do update set
            first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
            times_seen = known.times_seen + excluded.times_seen",
        workspace.get(),
        feed.name(),
        &list(seen, |seen| seen.path.as_str()) as &[&str],
        &list(seen, |seen| seen.first),
        &list(seen, |seen| seen.last),
        &list(seen, |seen| seen.times),
        &list(seen, |seen| seen.example),
        i64::try_from(MOST_PATHS).unwrap_or(i64::MAX),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
