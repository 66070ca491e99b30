//! One delivery with its body, for a person who looks at it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Error, Store, overview};
use crate::domain::delivery::arrival_of;

/// A longer body is not shown: it would have to be in memory several times.
pub const MOST_BYTES: i32 = 1 << 20;

/// A delivery with its body.
#[derive(Clone, Debug)]
pub struct InspectedDelivery {
    /// Its id.
    pub id: Uuid,
    /// Arrival.
    pub received_at: DateTime<Utc>,
    /// The slug of its workspace; none where it was not known or not permitted.
    pub workspace: Option<String>,
    /// The workspace's time zone.
    pub timezone: Option<String>,
    /// The feed's name.
    pub feed: String,
    /// The sender's id of what it is about.
    pub external_id: Option<String>,
    /// The dealership that it names.
    pub dealership_id: Option<i64>,
    /// The credential that let it in.
    pub credential: String,
    /// Where it came from.
    pub remote_address: Option<String>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The outcome's name.
    pub outcome: String,
    /// A list of objects with code, path and message.
    pub findings: Value,
    /// What it changed, by kind of row.
    pub changes: Value,
    /// How often it was tried.
    pub attempts: i32,
    /// How long the last try took, in milliseconds.
    pub processing_ms: f64,
    /// When it got its outcome.
    pub settled_at: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// When its body was erased.
    pub erased_at: Option<DateTime<Utc>>,
    /// How long its body is; none where there is none any more.
    pub body_bytes: Option<i32>,
    /// Its body, where it is not longer than [`MOST_BYTES`].
    pub body: Option<Vec<u8>>,
    /// Whether what was posted beside a signed token differs from the token's claims, which are the body.
    pub has_posted_body: bool,
}

/// The delivery of an id; none where there is no such delivery.
///
/// # Errors
/// When Postgres refuses, cannot be reached, or does not answer in time.
pub async fn delivery(store: &Store, id: Uuid) -> Result<Option<InspectedDelivery>, Error> {
    let Some(arrival) = arrival_of(id) else { return Ok(None) };
    let mut tx = overview::begin(store).await?;
    let found = sqlx::query_as!(
        InspectedDelivery,
        r#"-- console
        select d.id as "id!", d.received_at as "received_at!", w.slug as "workspace?", w.timezone as "timezone?",
            d.feed as "feed!", d.external_id, d.dealership_id, d.credential as "credential!",
            host(d.remote_address) as remote_address, d.content_type, d.outcome as "outcome!", d.findings as "findings!",
            d.changes as "changes!", d.attempts as "attempts!", d.processing_ms as "processing_ms!",
            d.settled_at as "settled_at!", d.retry_at, d.erased_at, octet_length(d.body) as body_bytes,
            case when octet_length(d.body) <= $4 then d.body end as body, d.posted_body is not null as "has_posted_body!"
        from intake.deliveries_with_bodies d
        left join workspaces w on w.id = d.workspace_id
        where d.received_at >= $2 and d.received_at < $3 and d.id = $1
        order by d.workspace_id desc limit 1"#,
        id,
        arrival,
        arrival + TimeDelta::milliseconds(1),
        MOST_BYTES,
    );
    let found = found.fetch_optional(&mut *tx).await?;
    tx.rollback().await?;
    Ok(found)
}
