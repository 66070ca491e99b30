//! Which stored deliveries, or refused requests, a person asks to replay; and how much of them is read at a time.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::deliveries::{DeliveryRow, Stored, UnknownFeed};
use super::{Error, Store};
use crate::domain::feed::Feed;

/// What is asked for. An empty list asks for nothing in particular; what is asked for together must hold together.
#[derive(Clone, Debug)]
pub struct ReplayFilter {
    /// Their ids.
    pub ids: Vec<Uuid>,
    /// Their feeds.
    pub feeds: Vec<Feed>,
    /// From this arrival on.
    pub since: Option<DateTime<Utc>>,
    /// Before this arrival, so that what arrives meanwhile does not keep it going.
    pub until: DateTime<Utc>,
    /// Names of outcomes; of deliveries only.
    pub outcomes: Vec<String>,
    /// Codes of findings, of which a delivery has one; of deliveries only.
    pub codes: Vec<String>,
    /// The slug of their workspace; of deliveries only.
    pub workspace: Option<String>,
    /// Those alone that were posted to no door; of refused requests only.
    pub of_no_door: bool,
    /// Addresses of senders; of refused requests only.
    pub addresses: Vec<IpAddr>,
    /// Fingerprints of what was presented; of refused requests only.
    pub fingerprints: Vec<String>,
}

/// The last one that was read, by arrival and id.
pub type Cursor = (DateTime<Utc>, Uuid);

/// Before everything that ever arrived.
pub const START: Cursor = (DateTime::UNIX_EPOCH, Uuid::nil());

/// So many rows are read at a time at the most.
pub(super) const MOST_ROWS: i64 = 200;
/// So many bytes of bodies are read at a time, and one body more.
pub(super) const MOST_BYTES: i64 = 16 << 20;

/// A delivery that was chosen, as it stands in its record.
#[derive(Clone, Debug)]
pub struct Match {
    /// What arrived, and how often it was tried.
    pub stored: Result<Stored, UnknownFeed>,
    /// Its outcome's name.
    pub outcome: String,
    /// The codes of its findings.
    pub codes: Vec<String>,
}

/// The chosen deliveries that come after the cursor, in order of arrival: one round.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn deliveries(store: &Store, filter: &ReplayFilter, after: Cursor, limit: i64) -> Result<Vec<Match>, Error> {
    let feeds = names(&filter.feeds);
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"with sized as (
            select id, received_at, octet_length(body) + coalesce(octet_length(posted_body), 0) as bytes
            from intake.deliveries
            where (received_at, id) > ($1, $2) and received_at < $4 and erased_at is null
                and ($3::timestamptz is null or received_at >= $3) and ($5::uuid[] is null or id = any($5))
                and ($6::text[] is null or feed = any($6))
                and ($7::text[] is null or outcome = any($7))
                and ($8::text[] is null or exists (
                    select from jsonb_array_elements(findings) as f where f ->> 'code' = any($8)))
                and ($9::text is null or workspace_id = (select w.id from workspaces w where w.slug = $9))
            order by received_at, id limit least($10, $11::bigint)
        ), measured as (
            select id, received_at, sum(bytes) over (order by received_at, id) - bytes as before from sized
        )
        select id, received_at, feed, workspace_id, dealership_id, credential, host(remote_address) as remote_address,
            content_type, body as "body!", posted_body, attempts, outcome,
            array(select f ->> 'code' from jsonb_array_elements(findings) as f where f ? 'code') as "codes!: Vec<String>"
        from measured join intake.deliveries using (id, received_at) where before < $12::bigint order by received_at, id"#,
        after.0,
        after.1,
        filter.since,
        filter.until,
        or_none(&filter.ids),
        or_none(&feeds) as Option<&[&str]>,
        or_none(&filter.outcomes),
        or_none(&filter.codes),
        filter.workspace,
        limit,
        MOST_ROWS,
        MOST_BYTES,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let matching = rows.into_iter().map(|row| Match {
        stored: DeliveryRow {
            id: row.id,
            received_at: row.received_at,
            feed: row.feed,
            workspace_id: row.workspace_id,
            dealership_id: row.dealership_id,
            credential: row.credential,
            remote_address: row.remote_address,
            content_type: row.content_type,
            body: row.body,
            posted_body: row.posted_body,
            attempts: row.attempts,
            was_applied: false,
        }
        .read(),
        outcome: row.outcome,
        codes: row.codes,
    });
    Ok(matching.collect())
}

/// How many deliveries are chosen.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(store: &Store, filter: &ReplayFilter) -> Result<i64, Error> {
    let feeds = names(&filter.feeds);
    let count = sqlx::query_scalar!(
        r#"-- once
        select count(*) as "count!" from intake.deliveries
        where received_at < $2 and erased_at is null and ($1::timestamptz is null or received_at >= $1)
            and ($3::uuid[] is null or id = any($3))
            and ($4::text[] is null or feed = any($4))
            and ($5::text[] is null or outcome = any($5))
            and ($6::text[] is null or exists (
                select from jsonb_array_elements(findings) as f where f ->> 'code' = any($6)))
            and ($7::text is null or workspace_id = (select w.id from workspaces w where w.slug = $7))"#,
        filter.since,
        filter.until,
        or_none(&filter.ids),
        or_none(&feeds) as Option<&[&str]>,
        or_none(&filter.outcomes),
        or_none(&filter.codes),
        filter.workspace,
    );
    let mut tx = store.begin(None).await?;
    let count = count.fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(count)
}

/// The names of feeds, as rows have them.
pub(super) fn names(feeds: &[Feed]) -> Vec<&'static str> {
    feeds.iter().map(|feed| feed.name()).collect()
}

/// Nothing in particular is asked for by an empty list.
pub(super) fn or_none<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}
