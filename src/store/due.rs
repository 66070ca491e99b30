//! Stored deliveries that are tried again: those that failed and are due, and those rejected for want of a workspace that
//! they would have now.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Store, placements, session};
use crate::domain::delivery::{Body, Delivery};
use crate::domain::feed::Feed;
use crate::domain::workspace::Permitted;

/// A stored delivery that is to be tried again.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What arrived. The store does not know what its credential may write to: nothing is permitted.
    pub delivery: Delivery,
    /// The workspace it was stored with.
    pub workspace: Option<WorkspaceId>,
    /// How often it was tried.
    pub attempts: i32,
    /// Whether it has been merged, and is to be merged again because values are read otherwise now.
    pub was_applied: bool,
}

/// Why a stored delivery cannot be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// This version does not have its feed: a newer one has stored it.
    #[error("this version of forecourt does not know its feed")]
    UnknownFeed,
    /// Its body was erased, or let go after its time.
    #[error("its body was erased or let go")]
    NoBody,
}

/// A stored delivery that cannot be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{obstacle}")]
pub struct NotRepeatable {
    /// Why.
    pub obstacle: Obstacle,
    /// The delivery's id.
    pub id: Uuid,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The name of its feed.
    pub feed: String,
}

/// A delivery's row, as far as another try needs it.
pub(super) struct DeliveryRow {
    pub(super) id: Uuid,
    pub(super) received_at: DateTime<Utc>,
    pub(super) feed: String,
    pub(super) workspace_id: i64,
    pub(super) dealership_id: Option<i64>,
    pub(super) credential: String,
    pub(super) remote_address: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) posted_body: Option<Vec<u8>>,
    pub(super) attempts: i32,
    pub(super) was_applied: bool,
}

impl DeliveryRow {
    /// The delivery of the row.
    pub(super) fn read(self) -> Result<Stored, NotRepeatable> {
        let Self { id, received_at, feed, workspace_id, dealership_id, credential, attempts, was_applied, .. } = self;
        let not_repeatable = |obstacle, feed| NotRepeatable { obstacle, id, received_at, feed };
        let Some(body) = self.body else { return Err(not_repeatable(Obstacle::NoBody, feed)) };
        let Some(feed) = Feed::named(&feed) else { return Err(not_repeatable(Obstacle::UnknownFeed, feed)) };
        let delivery = Delivery {
            id,
            feed,
            received_at,
            credential,
            permitted: Permitted::Only(BTreeSet::new()),
            remote_address: self.remote_address.and_then(|address| address.parse().ok()),
            content_type: self.content_type,
            body: body.into(),
            posted_body: self.posted_body.map(Body::from),
            undecoded: None,
            dealership_id,
            external_id: None,
            schema_version: None,
        };
        Ok(Stored { delivery, workspace: placements::workspace_of(workspace_id), attempts, was_applied })
    }
}

/// How many bytes of bodies are loaded at a time, beside one more delivery.
const MOST_BYTES: i64 = 16 << 20;

/// What a configuration knows that may give a rejected delivery its workspace.
#[derive(Clone, Debug, Default)]
pub struct RetryableRejections {
    /// The dealership ids that are configured.
    pub dealerships: Vec<i64>,
    /// The names of the credentials there are; what came by another one waits for a person.
    pub known_credentials: Vec<String>,
    /// The names of the credentials that have one workspace, which is that of a delivery that names none.
    pub credentials: Vec<String>,
    /// The feeds whose deliveries may name none.
    pub nameless_feeds: Vec<Feed>,
}

impl RetryableRejections {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The deliveries that failed and are due, and those rejected for want of a workspace that they would have now; oldest
/// first. Left out are those whose body is gone, those of a feed that only a newer version knows, and those of a workspace
/// that is held, so that none of them takes the place of one that can be tried. Each is looked up by its key: by `offset 0`,
/// whatever Postgres believes of how many there are.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn due(
    store: &Store,
    now: DateTime<Utc>,
    retryable: &RetryableRejections,
    held: &[Option<WorkspaceId>],
    limit: usize,
) -> Result<Vec<Result<Stored, NotRepeatable>>, Error> {
    let RetryableRejections { dealerships, known_credentials, credentials, nameless_feeds } = retryable;
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::BY_KEY).await?;
    let nameless_feeds: Vec<&str> = nameless_feeds.iter().map(|feed| feed.name()).collect();
    let known_feeds: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    let held: Vec<i64> = held.iter().map(|workspace| placements::number(*workspace)).collect();
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"with wanted as (
            select workspace_id, id, received_at from intake.deliveries where retry_at <= $1 and feed = any($8) and workspace_id <> all($9)
            union select workspace_id, id, received_at from intake.deliveries
            where workspace_id = 0 and outcome = 'rejected' and dealership_id = any($2)
                and credential = any($6) and findings @> '[{"code": "dealership_unknown"}]'
            union select workspace_id, id, received_at from intake.deliveries
            where workspace_id = 0 and outcome = 'rejected' and dealership_id is null
                and credential = any($4) and feed = any($5) and findings @> '[{"code": "dealership_missing"}]'
        ), oldest as (
            select workspace_id, id, received_at, bytes from wanted w cross join lateral (
                select octet_length(v.body) + coalesce(octet_length(v.posted_body), 0) as bytes
                from intake.deliveries_with_bodies v
                where v.workspace_id = w.workspace_id and v.id = w.id and v.received_at = w.received_at
                    and v.body is not null
                offset 0
            ) as sized
            order by received_at, id limit $3
        ), measured as (
            select workspace_id, id, received_at, sum(bytes) over (order by received_at, id) - bytes as before from oldest
        )
        select d.id as "id!", d.received_at as "received_at!", d.feed as "feed!", d.workspace_id as "workspace_id!",
            d.dealership_id, d.credential as "credential!", host(d.remote_address) as remote_address, d.content_type,
            d.body, d.posted_body, d.attempts as "attempts!", d.outcome in ('applied', 'unchanged') as "was_applied!"
        from measured m cross join lateral (
            select * from intake.deliveries_with_bodies v
            where v.workspace_id = m.workspace_id and v.id = m.id and v.received_at = m.received_at offset 0
        ) as d
        where m.before < $7::bigint order by d.received_at, d.id"#,
        now,
        dealerships,
        i64::try_from(limit).unwrap_or(i64::MAX),
        credentials,
        &nameless_feeds as &[&str],
        known_credentials,
        MOST_BYTES,
        &known_feeds as &[&str],
        &held,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(DeliveryRow::read).collect())
}
