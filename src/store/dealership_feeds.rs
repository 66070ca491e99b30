//! When each dealership was last heard of, by feed, and whether it has fallen silent. Every statement is about one
//! workspace, but for what is read at a start.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::unnest::list;
use super::{Error, Store};
use crate::domain::feed::Feed;
use crate::domain::ids::WorkspaceId;
use crate::domain::silence::{Expected, FeedActivity};
use crate::domain::workspace::DealershipId;

/// What was accepted of a dealership and feed since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The dealership.
    pub dealership: DealershipId,
    /// The feed.
    pub feed: Feed,
    /// Arrival of the newest delivery.
    pub last_at: DateTime<Utc>,
    /// That delivery.
    pub last_id: Uuid,
    /// How many arrived on the day.
    pub on_day: i64,
}

/// Adds to the counts of a workspace; other instances add theirs. `day` is the workspace's current one.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn add(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    day: NaiveDate,
    accepted: &[Accepted],
) -> Result<(), Error> {
    sqlx::query!(
        "insert into intake.dealership_feeds as known
            (workspace_id, dealership_id, feed, last_accepted_at, last_delivery_id, deliveries_today, counted_on,
            counted_from)
        select $1, dealership_id, feed, last_at, last_id, on_day, $2, last_at
        from unnest($3::bigint[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bigint[])
            as a (dealership_id, feed, last_at, last_id, on_day)
        order by dealership_id, feed
        on conflict (workspace_id, dealership_id, feed) do update set
            last_accepted_at = greatest(known.last_accepted_at, excluded.last_accepted_at),
            last_delivery_id = case when known.last_accepted_at >= excluded.last_accepted_at
                then known.last_delivery_id else excluded.last_delivery_id end,
            -- Of a day that is over for another instance nothing is counted any more.
            deliveries_today = case when known.counted_on > excluded.counted_on then known.deliveries_today
                when known.counted_on = excluded.counted_on
                    then known.deliveries_today + excluded.deliveries_today
                else excluded.deliveries_today end,
            counted_on = greatest(known.counted_on, excluded.counted_on),
            counted_from = greatest(known.counted_from, excluded.counted_from)",
        workspace.get(),
        day,
        &list(accepted, |one| one.dealership),
        &list(accepted, |one| one.feed.name()) as &[&str],
        &list(accepted, |one| one.last_at),
        &list(accepted, |one| one.last_id),
        &list(accepted, |one| one.on_day),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Begins a new day: what was counted of the former one is no longer that of today.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn begin_day(tx: &mut PgConnection, workspace: WorkspaceId, day: NaiveDate) -> Result<(), Error> {
    sqlx::query!(
        "update intake.dealership_feeds set deliveries_today = 0, counted_on = $2
        where workspace_id = $1 and counted_on < $2",
        workspace.get(),
        day,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What is known of a workspace's dealerships and feeds.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<Vec<FeedActivity>, Error> {
    let rows = sqlx::query!(
        r#"select dealership_id, feed, last_accepted_at, extract(epoch from expected_every)::bigint as every,
            expected_since, counted_from, silent_since
        from intake.dealership_feeds where workspace_id = $1 order by dealership_id, feed"#,
        workspace.get(),
    )
    .fetch_all(tx)
    .await?;
    // A feed that this version does not have is a newer one's.
    let activity = rows.into_iter().filter_map(|row| {
        let expected = match (row.every, row.expected_since, row.counted_from) {
            (Some(every), Some(since), Some(counted_from)) => {
                Some(Expected { every: TimeDelta::seconds(every), since, counted_from })
            }
            _ => None,
        };
        Some(FeedActivity {
            dealership: row.dealership_id,
            feed: Feed::named(&row.feed)?,
            last_accepted_at: row.last_accepted_at,
            expected,
            silent_since: row.silent_since,
        })
    });
    Ok(activity.collect())
}

/// Sets what is expected of a dealership and feed, from now on or as before; where nothing is any more, it is not silent
/// either. What `silent_since` is stays with the caller, who knows the rule.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn expect(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    activity: &FeedActivity,
    day: NaiveDate,
) -> Result<(), Error> {
    sqlx::query!(
        "insert into intake.dealership_feeds as known
            (workspace_id, dealership_id, feed, expected_every, expected_since, counted_on, counted_from, silent_since)
        values ($1, $2, $3, make_interval(secs => $4), $5, $6, $7, $8)
        on conflict (workspace_id, dealership_id, feed) do update set expected_every = excluded.expected_every,
            expected_since = excluded.expected_since, silent_since = excluded.silent_since,
            counted_from = greatest(known.counted_from, excluded.counted_from)",
        workspace.get(),
        activity.dealership,
        activity.feed.name(),
        activity.expected.map(|expected| expected.every.as_seconds_f64()),
        activity.expected.map(|expected| expected.since),
        day,
        activity.expected.map(|expected| expected.counted_from),
        activity.silent_since,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The workspaces of which deliveries are expected, as the tables have it.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn expecting(store: &Store) -> Result<Vec<WorkspaceId>, Error> {
    let mut tx = store.begin(None).await?;
    let ids = sqlx::query_scalar!(
        "select distinct workspace_id from intake.dealership_feeds where expected_every is not null order by 1"
    );
    let ids = ids.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(ids.into_iter().map(WorkspaceId::from).collect())
}

/// Notes that a dealership and feed has fallen silent; whether nobody else has noted it before.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn fall_silent(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    activity: &FeedActivity,
    since: DateTime<Utc>,
) -> Result<bool, Error> {
    let noted = sqlx::query_scalar!(
        "update intake.dealership_feeds set silent_since = $4
        where workspace_id = $1 and dealership_id = $2 and feed = $3 and silent_since is null
            and expected_every is not null
        returning feed",
        workspace.get(),
        activity.dealership,
        activity.feed.name(),
        since,
    );
    Ok(noted.fetch_optional(tx).await?.is_some())
}

/// Notes that a dealership and feed speaks again; whether nobody else has noted it before.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn speak_again(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    activity: &FeedActivity,
) -> Result<bool, Error> {
    let noted = sqlx::query_scalar!(
        "update intake.dealership_feeds set silent_since = null
        where workspace_id = $1 and dealership_id = $2 and feed = $3 and silent_since is not null
        returning feed",
        workspace.get(),
        activity.dealership,
        activity.feed.name(),
    );
    Ok(noted.fetch_optional(tx).await?.is_some())
}

/// Notes that somebody listens to a workspace's senders now, and gives up to when somebody did before. One instance at a
/// time is told so, until its transaction ends.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn watch(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let before = sqlx::query_scalar!(
        "select watched_until from intake.workspace_watches where workspace_id = $1 for update",
        workspace.get(),
    );
    let before = before.fetch_optional(&mut *tx).await?;
    sqlx::query!(
        "insert into intake.workspace_watches as known (workspace_id, watched_until) values ($1, $2)
        on conflict (workspace_id) do update set watched_until = greatest(known.watched_until, excluded.watched_until)",
        workspace.get(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(before)
}

/// Nothing is expected of a workspace's senders any more, so that nobody watches them.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn end_watch(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), Error> {
    sqlx::query!("delete from intake.workspace_watches where workspace_id = $1", workspace.get()).execute(tx).await?;
    Ok(())
}

/// Leaves time in which nobody could hear a workspace's senders out of the count of their silence.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn leave_out(tx: &mut PgConnection, workspace: WorkspaceId, gap: TimeDelta) -> Result<(), Error> {
    sqlx::query!(
        "update intake.dealership_feeds set counted_from = counted_from + make_interval(secs => $2)
        where workspace_id = $1 and expected_every is not null and silent_since is null",
        workspace.get(),
        gap.as_seconds_f64(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The newest deliveries since a time, for a start after an end that nobody could prepare for: what was accepted in the
/// last minute before it may not have been counted. By workspace, dealership as named, and feed.
pub type Newest = BTreeMap<(WorkspaceId, Option<DealershipId>, Feed), (DateTime<Utc>, Uuid)>;

/// Up to when the workspace was watched whose watch is the oldest.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn watched_until(store: &Store) -> Result<Option<DateTime<Utc>>, Error> {
    let mut tx = store.begin(None).await?;
    let oldest = sqlx::query_scalar!("select min(watched_until) from intake.workspace_watches");
    let oldest = oldest.fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(oldest)
}

/// See [`Newest`].
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn newest_since(store: &Store, since: DateTime<Utc>) -> Result<Newest, Error> {
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"-- once
        select distinct on (workspace_id, dealership_id, feed) workspace_id as "workspace_id!", dealership_id, feed,
            received_at, id
        from intake.deliveries where received_at >= $1 and workspace_id <> 0
        order by workspace_id, dealership_id, feed, received_at desc"#,
        since,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let newest = rows.into_iter().filter_map(|row| {
        let key = (WorkspaceId::from(row.workspace_id), row.dealership_id, Feed::named(&row.feed)?);
        Some((key, (row.received_at, row.id)))
    });
    Ok(newest.collect())
}
