//! Refused requests, kept for a while within bounds, and those of them that a person asks to replay.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::placements::DeliveryKey;
use super::replay_filter::{Cursor, MOST_BYTES, MOST_ROWS, ReplayFilter, names, or_none};
use super::{Error, Store, Transaction, erasures, placements};
use crate::domain::erasure::{self, Subject, Subjects};
use crate::domain::feed::Feed;

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its id, which the delivery gets that a replay makes of it.
    pub id: Uuid,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Where it was posted to.
    pub path: String,
    /// Its feed; none where this version does not have it, or it was posted to no door.
    pub feed: Option<Feed>,
    /// Whether it was posted to no door.
    pub of_no_door: bool,
    /// The name of the credential that has proven itself, of a request to no door.
    pub credential: Option<String>,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// The schemes that were tried.
    pub scheme: Option<String>,
    /// Tells one wrong secret from another.
    pub fingerprint: Option<String>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body, where it could be kept whole.
    pub body: Option<Vec<u8>>,
    /// The outcome of the delivery that a replay has made of it.
    pub outcome: Option<String>,
}

/// How much is kept; for how long is a matter of [`super::retention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whether they are about requests to no door; else about those that were refused.
    pub of_no_door: bool,
    /// So many requests.
    pub max_count: i64,
    /// So many bytes of bodies.
    pub max_bytes: i64,
}

/// Keeps requests, and lets the oldest go where there are more than the bounds allow.
///
/// # Errors
/// When Postgres refuses or cannot be reached; then nothing has changed.
pub async fn save(store: &Store, refused: &[Refused], bounds: Bounds) -> Result<(), Error> {
    // What has no workspace is written by one transaction at a time, so that an erasure finds all of it.
    let lock = (!refused.is_empty()).then_some(placements::lock_of(None));
    let mut tx = store.begin(lock).await?;
    let erased = erased(store, &mut tx, refused).await?;
    insert(&mut tx, refused, &erased).await?;
    trim(&mut tx, bounds).await?;
    tx.commit().await
}

/// Of these requests, by their ids, those that came before somebody was erased whose address stands in them.
async fn erased(store: &Store, tx: &mut Transaction, refused: &[Refused]) -> Result<BTreeSet<Uuid>, Error> {
    if !tx.has_erasures() {
        return Ok(BTreeSet::new());
    }
    let named = |one: &Refused| -> Subjects {
        let addresses = one.body.iter().flat_map(|body| erasure::addresses_in(body));
        addresses.map(Subject::Address).collect()
    };
    let all: Subjects = refused.iter().flat_map(named).collect();
    let times = erasures::among(store, tx, None, &all).await?;
    let came_before =
        |one: &&Refused| named(one).iter().any(|subject| times.get(subject).is_some_and(|at| one.received_at < *at));
    Ok(refused.iter().filter(came_before).map(|one| one.id).collect())
}

async fn insert(tx: &mut PgConnection, refused: &[Refused], erased: &BTreeSet<Uuid>) -> Result<(), Error> {
    let ids: Vec<Uuid> = refused.iter().map(|one| one.id).collect();
    let times: Vec<DateTime<Utc>> = refused.iter().map(|one| one.received_at).collect();
    let paths: Vec<String> = refused.iter().map(|one| one.path.clone()).collect();
    let feeds: Vec<Option<&str>> = refused.iter().map(|one| one.feed.map(Feed::name)).collect();
    let texts = |of: fn(&Refused) -> Option<String>| refused.iter().map(of).collect::<Vec<Option<String>>>();
    let kept = |one: &Refused| one.body.clone().filter(|_| !erased.contains(&one.id));
    let bodies: Vec<Option<Vec<u8>>> = refused.iter().map(kept).collect();
    sqlx::query!(
        "insert into intake.rejected
            (id, received_at, path, feed, remote_address, scheme, fingerprint, content_type, body, credential)
        select id, received_at, path, feed, remote_address::inet, scheme, fingerprint, content_type, body, credential
        from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::bytea[], $10::text[])
            as r (id, received_at, path, feed, remote_address, scheme, fingerprint, content_type, body, credential)
        on conflict (id) do nothing",
        &ids,
        &times,
        &paths,
        &feeds as &[Option<&str>],
        &texts(|one| one.remote_address.map(|address| address.to_string())) as &[Option<String>],
        &texts(|one| one.scheme.clone()) as &[Option<String>],
        &texts(|one| one.fingerprint.clone()) as &[Option<String>],
        &texts(|one| one.content_type.clone()) as &[Option<String>],
        &bodies as &[Option<Vec<u8>>],
        &texts(|one| one.credential.clone()) as &[Option<String>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets go what is too much, oldest first; of the kind that the bounds are about.
async fn trim(tx: &mut PgConnection, bounds: Bounds) -> Result<(), Error> {
    let Bounds { of_no_door, max_count, max_bytes } = bounds;
    sqlx::query!(
        "delete from intake.rejected where id in (
            select id from (
                select id, row_number() over newest as place, sum(coalesce(octet_length(body), 0)) over newest as bytes
                from intake.rejected where (feed is null) = $3::boolean
                window newest as (order by received_at desc, id desc)
            ) as counted
            where place > $1 or bytes > $2
        )",
        max_count,
        max_bytes,
        of_no_door,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The chosen requests that come after the cursor, in order of arrival: one round.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn matching(store: &Store, filter: &ReplayFilter, after: Cursor, limit: i64) -> Result<Vec<Refused>, Error> {
    let asked_feeds = names(&filter.feeds);
    let addresses: Vec<String> = filter.addresses.iter().map(ToString::to_string).collect();
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"with sized as (
            select id, received_at, octet_length(body) as bytes from intake.rejected
            where (received_at, id) > ($1, $2) and received_at < $4
                and ($3::timestamptz is null or received_at >= $3)
                and ($5::uuid[] is null or id = any($5))
                and ($6::text[] is null or feed = any($6))
                and ($7::text[] is null or host(remote_address) = any($7))
                and ($8::text[] is null or fingerprint = any($8)) and (feed is null or not $12::boolean)
            order by received_at, id limit least($9, $10::bigint)
        ), measured as (
            select id, coalesce(sum(bytes) over (order by received_at, id), 0) - coalesce(bytes, 0) as before from sized
        )
        select id, received_at, path, feed, host(remote_address) as remote_address, scheme, fingerprint, content_type,
            credential, body, delivery_id
        from measured join intake.rejected using (id) where before < $11::bigint order by received_at, id"#,
        after.0,
        after.1,
        filter.since,
        filter.until,
        or_none(&filter.ids),
        or_none(&asked_feeds) as Option<&[&str]>,
        or_none(&addresses),
        or_none(&filter.fingerprints),
        limit,
        MOST_ROWS,
        MOST_BYTES,
        filter.of_no_door,
    )
    .fetch_all(&mut *tx)
    .await?;
    let became: Vec<DeliveryKey> = rows.iter().filter_map(|row| Some((row.delivery_id?, row.received_at))).collect();
    let mut outcomes = placements::outcomes(&mut tx, &became).await?;
    tx.commit().await?;
    let refused = rows.into_iter().map(|row| Refused {
        id: row.id,
        received_at: row.received_at,
        path: row.path,
        of_no_door: row.feed.is_none(),
        feed: row.feed.as_deref().and_then(Feed::named),
        credential: row.credential,
        remote_address: row.remote_address.and_then(|address| address.parse().ok()),
        scheme: row.scheme,
        fingerprint: row.fingerprint,
        content_type: row.content_type,
        body: row.body,
        outcome: row.delivery_id.and_then(|id| outcomes.remove(&id)),
    });
    Ok(refused.collect())
}

/// How many requests are chosen.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(store: &Store, filter: &ReplayFilter) -> Result<i64, Error> {
    let asked_feeds = names(&filter.feeds);
    let addresses: Vec<String> = filter.addresses.iter().map(ToString::to_string).collect();
    let count = sqlx::query_scalar!(
        r#"-- once
        select count(*) as "count!" from intake.rejected
        where received_at < $2 and ($1::timestamptz is null or received_at >= $1)
            and ($3::uuid[] is null or id = any($3))
            and ($4::text[] is null or feed = any($4))
            and ($5::text[] is null or host(remote_address) = any($5))
            and ($6::text[] is null or fingerprint = any($6))"#,
        filter.since,
        filter.until,
        or_none(&filter.ids),
        or_none(&asked_feeds) as Option<&[&str]>,
        or_none(&addresses),
        or_none(&filter.fingerprints),
    );
    let mut tx = store.begin(None).await?;
    let count = count.fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(count)
}

/// The feeds of the chosen requests.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn feeds(store: &Store, filter: &ReplayFilter) -> Result<Vec<Feed>, Error> {
    let asked_feeds = names(&filter.feeds);
    let addresses: Vec<String> = filter.addresses.iter().map(ToString::to_string).collect();
    let feeds = sqlx::query_scalar!(
        r#"select distinct feed as "feed!" from intake.rejected
        where feed is not null and body is not null and received_at < $2
            and ($1::timestamptz is null or received_at >= $1)
            and ($3::uuid[] is null or id = any($3))
            and ($4::text[] is null or feed = any($4))
            and ($5::text[] is null or host(remote_address) = any($5))
            and ($6::text[] is null or fingerprint = any($6))
        order by 1"#,
        filter.since,
        filter.until,
        or_none(&filter.ids),
        or_none(&asked_feeds) as Option<&[&str]>,
        or_none(&addresses),
        or_none(&filter.fingerprints),
    );
    let mut tx = store.begin(None).await?;
    let feeds = feeds.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(feeds.iter().filter_map(|feed| Feed::named(feed)).collect())
}

/// Refused requests of one feed that presented the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfFingerprint {
    /// Tells one wrong secret from another; none where nothing was presented.
    pub fingerprint: Option<String>,
    /// How many they are.
    pub count: i64,
    /// Arrival of the first.
    pub first_at: DateTime<Utc>,
}

/// So many of the newest refused requests are counted at the most.
const MOST_COUNTED: i64 = 10_000;

/// The refused requests of a feed that arrived after a time and have not become deliveries, by what they presented, most
/// first; of so many of the newest, with whatever else was refused.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn by_fingerprint(
    tx: &mut PgConnection,
    feed: Feed,
    after: DateTime<Utc>,
) -> Result<Vec<OfFingerprint>, Error> {
    let rows = sqlx::query_as!(
        OfFingerprint,
        r#"-- once
        select fingerprint, count(*) as "count!", min(received_at) as "first_at!"
        from (
            select fingerprint, feed, received_at, replayed_at from intake.rejected
            where received_at > $2 order by received_at desc limit $3
        ) as newest
        where feed = $1 and replayed_at is null
        group by fingerprint order by 2 desc, 1"#,
        feed.name(),
        after,
        MOST_COUNTED,
    );
    Ok(rows.fetch_all(tx).await?)
}

/// Notes that these requests have become deliveries, of the same ids. The first time counts.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn mark(store: &Store, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = store.begin(None).await?;
    sqlx::query!(
        "update intake.rejected set replayed_at = $2, delivery_id = id where id = any($1) and replayed_at is null",
        ids,
        now,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
