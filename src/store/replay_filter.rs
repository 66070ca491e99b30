//! Which stored deliveries, or refused requests, a person asks to replay; and how much of them is read at a time.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::due::{DeliveryRow, NotRepeatable, Stored};
use super::{Error, Store, placements, session};
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

/// Which deliveries are looked at: those of ids are found first, so that no more months are read than they are in.
struct LookupRange {
    ids: Vec<Uuid>,
    /// The arrivals of these.
    times: Vec<DateTime<Utc>>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl LookupRange {
    /// None where ids are asked for that there are not.
    async fn of(store: &Store, filter: &ReplayFilter) -> Result<Option<Self>, Error> {
        let (since, until) = (filter.since.unwrap_or(START.0), filter.until);
        if filter.ids.is_empty() {
            return Ok(Some(Self { ids: Vec::new(), times: Vec::new(), since, until }));
        }
        let (ids, times): (Vec<Uuid>, Vec<DateTime<Utc>>) =
            placements::locate(store, &filter.ids).await?.into_iter().unzip();
        let (Some(first), Some(last)) = (times.iter().min().copied(), times.iter().max().copied()) else {
            return Ok(None);
        };
        let until = until.min(last + TimeDelta::microseconds(1));
        Ok(Some(Self { ids, times, since: since.max(first), until }))
    }
}

/// A delivery that was chosen, as it stands in its record.
#[derive(Clone, Debug)]
pub struct Match {
    /// What arrived, and how often it was tried.
    pub stored: Result<Stored, NotRepeatable>,
    /// Its outcome's name.
    pub outcome: String,
    /// The codes of its findings.
    pub codes: Vec<String>,
}

/// A chosen delivery's row.
struct MatchRow {
    id: Uuid,
    received_at: DateTime<Utc>,
    feed: String,
    workspace_id: i64,
    dealership_id: Option<i64>,
    credential: String,
    remote_address: Option<String>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    posted_body: Option<Vec<u8>>,
    attempts: i32,
    outcome: String,
    codes: Vec<String>,
}

impl MatchRow {
    fn read(self) -> Match {
        let row = DeliveryRow {
            id: self.id,
            received_at: self.received_at,
            feed: self.feed,
            workspace_id: self.workspace_id,
            dealership_id: self.dealership_id,
            credential: self.credential,
            remote_address: self.remote_address,
            content_type: self.content_type,
            body: self.body,
            posted_body: self.posted_body,
            attempts: self.attempts,
            was_applied: false,
        };
        Match { stored: row.read(), outcome: self.outcome, codes: self.codes }
    }
}

/// The chosen deliveries that come after the cursor, in order of arrival: one round.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn deliveries(store: &Store, filter: &ReplayFilter, after: Cursor, limit: i64) -> Result<Vec<Match>, Error> {
    let feeds = names(&filter.feeds);
    let Some(LookupRange { ids, times, since, until }) = LookupRange::of(store, filter).await? else {
        return Ok(Vec::new());
    };
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::BY_KEY).await?;
    let rows = sqlx::query_as!(
        MatchRow,
        r#"with chosen as (
            select workspace_id, id, received_at from intake.deliveries
            where received_at >= $1 and received_at < $4 and (received_at, id) > ($13, $2)
                and ($5::uuid[] is null or id = any($5) and received_at = any($3))
                and ($6::text[] is null or feed = any($6))
                and ($7::text[] is null or outcome = any($7))
                and ($8::text[] is null or exists (
                    select from jsonb_array_elements(findings) as f where f ->> 'code' = any($8)))
                and ($9::text is null or workspace_id = (select w.id from workspaces w where w.slug = $9))
            order by received_at, id limit least($10, $11::bigint)
        ), sized as (
            select workspace_id, id, received_at, bytes from chosen c cross join lateral (
                select coalesce(octet_length(v.body), 0) + coalesce(octet_length(v.posted_body), 0) as bytes
                from intake.deliveries_with_bodies v
                where v.workspace_id = c.workspace_id and v.id = c.id and v.received_at = c.received_at offset 0
            ) as sized
        ), measured as (
            select workspace_id, id, received_at, sum(bytes) over (order by received_at, id) - bytes as before from sized
        )
        select d.id as "id!", d.received_at as "received_at!", d.feed as "feed!", d.workspace_id as "workspace_id!",
            d.dealership_id, d.credential as "credential!", host(d.remote_address) as remote_address, d.content_type,
            d.body, d.posted_body, d.attempts as "attempts!", d.outcome as "outcome!",
            array(select f ->> 'code' from jsonb_array_elements(d.findings) as f where f ? 'code') as "codes!: Vec<String>"
        from measured m cross join lateral (
            select * from intake.deliveries_with_bodies v
            where v.workspace_id = m.workspace_id and v.id = m.id and v.received_at = m.received_at offset 0
        ) as d
        where m.before < $12::bigint order by d.received_at, d.id"#,
        since.max(after.0),
        after.1,
        &times,
        until,
        or_none(&ids),
        or_none(&feeds) as Option<&[&str]>,
        or_none(&filter.outcomes),
        or_none(&filter.codes),
        filter.workspace,
        limit,
        MOST_ROWS,
        MOST_BYTES,
        after.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(MatchRow::read).collect())
}

/// How many deliveries are chosen.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(store: &Store, filter: &ReplayFilter) -> Result<i64, Error> {
    let feeds = names(&filter.feeds);
    let Some(LookupRange { ids, times, since, until }) = LookupRange::of(store, filter).await? else { return Ok(0) };
    let count = sqlx::query_scalar!(
        r#"-- once
        select count(*) as "count!" from intake.deliveries
        where received_at >= $1 and received_at < $2
            and ($3::uuid[] is null or id = any($3) and received_at = any($8))
            and ($4::text[] is null or feed = any($4))
            and ($5::text[] is null or outcome = any($5))
            and ($6::text[] is null or exists (
                select from jsonb_array_elements(findings) as f where f ->> 'code' = any($6)))
            and ($7::text is null or workspace_id = (select w.id from workspaces w where w.slug = $7))"#,
        since,
        until,
        or_none(&ids),
        or_none(&feeds) as Option<&[&str]>,
        or_none(&filter.outcomes),
        or_none(&filter.codes),
        filter.workspace,
        &times,
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
