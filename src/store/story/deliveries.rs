//! Deliveries of a story: those about its leads, clusters and vehicles, and single ones.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Error;
use crate::domain::delivery::arrival_of;

/// A delivery, without its body.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// Its workspace; 0 for none.
    pub workspace_id: i64,
    /// Its id.
    pub id: Uuid,
    /// Its arrival.
    pub received_at: DateTime<Utc>,
    /// Its feed.
    pub feed: String,
    /// The sender's id of what it is about.
    pub external_id: Option<String>,
    /// The dealership that it names.
    pub dealership_id: Option<i64>,
    /// The credential that let it in.
    pub credential: String,
    /// Its outcome.
    pub outcome: String,
    /// The first findings of it, an array.
    pub findings: Option<Value>,
    /// How many findings it has.
    pub finding_count: i32,
    /// What it changed.
    pub changes: Value,
    /// How often it was tried.
    pub attempts: i32,
    /// When it got its outcome.
    pub settled_at: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// Replays of it.
    pub replays: Value,
    /// When its body was erased.
    pub erased_at: Option<DateTime<Utc>>,
}

/// What deliveries are about.
#[derive(Clone, Debug, Default)]
pub struct DeliveryKeys {
    /// The senders' ids of leads.
    pub leads: Vec<String>,
    /// The senders' ids of clusters.
    pub clusters: Vec<String>,
    /// Identifiers of vehicles; only what changed something is given of these, because a daily feed repeats the rest.
    pub identifiers: Vec<String>,
    /// Single deliveries.
    pub ids: Vec<Uuid>,
}

/// The newest deliveries about these in a workspace, or in none where that is 0: of each at the most so many, the oldest first.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn deliveries(
    tx: &mut PgConnection,
    workspace: i64,
    keys: &DeliveryKeys,
    most: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let DeliveryKeys { leads, clusters, identifiers, ids } = keys;
    let (keys, feeds) = by_feed(leads, clusters, identifiers);
    let mut rows = sqlx::query_as!(
        DeliveryRow,
        r#"select d.workspace_id as "workspace_id!", d.id as "id!", d.received_at as "received_at!", d.feed as "feed!",
            d.external_id, d.dealership_id, d.credential as "credential!", d.outcome as "outcome!",
            case when jsonb_typeof(d.findings) = 'array' then
                (select jsonb_agg(f.value order by f.place) from jsonb_array_elements(d.findings)
                    with ordinality as f (value, place) where f.place <= 100)
            end as findings,
            case when jsonb_typeof(d.findings) = 'array' then jsonb_array_length(d.findings) else 0 end
                as "finding_count!",
            d.changes as "changes!", d.attempts as "attempts!", d.settled_at as "settled_at!", d.retry_at,
            d.replays as "replays!", d.erased_at
        from unnest($2::text[], $3::text[]) as k (external_id, feed)
        cross join lateral (
            select * from intake.deliveries
            where workspace_id = $1 and external_id = k.external_id
                and (feed = k.feed or feed = 'leadpro_lead' and k.feed = 'lead')
                and (k.feed <> 'inventory' or outcome <> 'unchanged')
            order by received_at desc limit $4
        ) d
        order by d.received_at, d.id"#,
        workspace,
        &keys as &[&str],
        &feeds as &[&str],
        most,
    )
    .fetch_all(&mut *tx)
    .await?;
    for id in ids {
        if !rows.iter().any(|row| row.id == *id) {
            let found = by_id(tx, *id).await?.into_iter().filter(|row| row.workspace_id == workspace);
            rows.extend(found);
        }
    }
    rows.sort_by_key(|row| (row.received_at, row.id));
    rows.dedup_by_key(|row| row.id);
    Ok(rows)
}

fn by_feed<'a>(
    leads: &'a [String],
    clusters: &'a [String],
    identifiers: &'a [String],
) -> (Vec<&'a str>, Vec<&'static str>) {
    let of = |keys: &'a [String], feed: &'static str| keys.iter().map(move |key| (key.as_str(), feed));
    of(leads, "lead").chain(of(clusters, "lead_cluster")).chain(of(identifiers, "inventory")).unzip()
}

/// The delivery of an id, which tells its arrival: in whatever workspace, and of none.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn by_id(tx: &mut PgConnection, id: Uuid) -> Result<Option<DeliveryRow>, Error> {
    let Some(arrival) = arrival_of(id) else { return Ok(None) };
    let row = sqlx::query_as!(
        DeliveryRow,
        r#"select d.workspace_id, d.id, d.received_at, d.feed, d.external_id, d.dealership_id, d.credential, d.outcome,
            case when jsonb_typeof(d.findings) = 'array' then
                (select jsonb_agg(f.value order by f.place) from jsonb_array_elements(d.findings)
                    with ordinality as f (value, place) where f.place <= 100)
            end as findings,
            case when jsonb_typeof(d.findings) = 'array' then jsonb_array_length(d.findings) else 0 end
                as "finding_count!",
            d.changes, d.attempts, d.settled_at, d.retry_at, d.replays, d.erased_at
        from intake.deliveries d
        where d.received_at >= $2 and d.received_at < $3 and d.id = any($1)
        order by d.workspace_id desc limit 1"#,
        &[id],
        arrival,
        arrival + TimeDelta::milliseconds(1),
    );
    Ok(row.fetch_optional(tx).await?)
}
