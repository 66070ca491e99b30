//! Stored deliveries that are tried again: those that failed and are due, and those rejected for want of a workspace that
//! they would have now.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, Store, Transaction, placements, session};
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

/// How many workspaces are asked in one round at the most.
const MOST_ASKED: usize = 256;

/// Which workspace was asked last, so that the next round begins after it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation(Option<i64>);

impl Rotation {
    /// The workspaces in the order in which they are asked now.
    fn order(self, workspaces: &[i64]) -> impl Iterator<Item = i64> {
        let (before, after): (Vec<i64>, Vec<i64>) =
            workspaces.iter().partition(|workspace| self.0.is_some_and(|last| **workspace <= last));
        after.into_iter().chain(before).take(MOST_ASKED)
    }
}

/// What is due, as it is gathered.
struct Gathered {
    stored: Vec<Result<Stored, NotRepeatable>>,
    limit: usize,
    bytes: i64,
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.stored.len() >= self.limit || self.bytes <= 0
    }

    fn limit(&self) -> i64 {
        i64::try_from(self.limit.saturating_sub(self.stored.len())).unwrap_or(i64::MAX)
    }

    fn take(&mut self, rows: Vec<DeliveryRow>) {
        for row in rows {
            let bytes = [&row.body, &row.posted_body].map(|body| body.as_ref().map_or(0, Vec::len));
            self.bytes -= i64::try_from(bytes.iter().sum::<usize>()).unwrap_or(i64::MAX);
            self.stored.push(row.read());
        }
    }
}

/// The deliveries that failed and are due, and those rejected for want of a workspace that they would have now; workspace
/// by workspace, those of each oldest first. Those whose body is gone are left out. A workspace whose server is away is
/// passed over.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn due(
    store: &Store,
    now: DateTime<Utc>,
    retryable: &RetryableRejections,
    limit: usize,
    rotation: &mut Rotation,
) -> Result<Vec<Result<Stored, NotRepeatable>>, Error> {
    let mut gathered = Gathered { stored: Vec::new(), limit, bytes: MOST_BYTES };
    let mut tx = begin(store).await?;
    let workspaces = workspaces(&mut tx).await?;
    for workspace in rotation.order(&workspaces) {
        if gathered.is_full() {
            break;
        }
        match ask(&mut tx, workspace, now, retryable, &mut gathered).await {
            Ok(()) => {}
            Err(error) if error.is_of_another_server() => {
                tracing::debug!(
                    workspace,
                    error = error.without_values(),
                    "a workspace could not be asked what is due"
                );
                tx = begin(store).await?;
            }
            Err(error) => return Err(error),
        }
        rotation.0 = Some(workspace);
    }
    tx.commit().await?;
    Ok(gathered.stored)
}

async fn begin(store: &Store) -> Result<Transaction, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::BY_KEY).await?;
    Ok(tx)
}

/// The numbers of the workspaces, in their order; that of what has none is the first.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn workspaces(tx: &mut PgConnection) -> Result<Vec<i64>, Error> {
    let ids = sqlx::query_scalar!(r#"select 0::bigint as "id!" union all select id from workspaces order by 1"#);
    Ok(ids.fetch_all(tx).await?)
}

async fn ask(
    tx: &mut PgConnection,
    workspace: i64,
    now: DateTime<Utc>,
    retryable: &RetryableRejections,
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let rows = failed(tx, workspace, now, gathered).await?;
    gathered.take(rows);
    if placements::workspace_of(workspace).is_none() && !retryable.known_credentials.is_empty() && !gathered.is_full() {
        let rows = rejected(tx, retryable, gathered).await?;
        gathered.take(rows);
    }
    Ok(())
}

/// Those of a workspace that failed and are due. Each is looked up by its key: by `offset 0`, whatever Postgres believes of
/// how many there are.
async fn failed(
    tx: &mut PgConnection,
    workspace: i64,
    now: DateTime<Utc>,
    gathered: &Gathered,
) -> Result<Vec<DeliveryRow>, Error> {
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"with oldest as (
            select id, received_at, bytes from intake.deliveries w cross join lateral (
                select octet_length(v.body) + coalesce(octet_length(v.posted_body), 0) as bytes
                from intake.deliveries_with_bodies v
                where v.workspace_id = $1 and v.id = w.id and v.received_at = w.received_at and v.body is not null
                offset 0
            ) as sized
            where w.workspace_id = $1 and w.retry_at <= $2
            order by received_at, id limit $3
        ), measured as (
            select id, received_at, sum(bytes) over (order by received_at, id) - bytes as before from oldest
        )
        select d.id as "id!", d.received_at as "received_at!", d.feed as "feed!", d.workspace_id as "workspace_id!",
            d.dealership_id, d.credential as "credential!", host(d.remote_address) as remote_address, d.content_type,
            d.body, d.posted_body, d.attempts as "attempts!", d.outcome in ('applied', 'unchanged') as "was_applied!"
        from measured m cross join lateral (
            select * from intake.deliveries_with_bodies v
            where v.workspace_id = $1 and v.id = m.id and v.received_at = m.received_at offset 0
        ) as d
        where m.before < $4::bigint order by d.received_at, d.id"#,
        workspace,
        now,
        gathered.limit(),
        gathered.bytes,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Those of no workspace that would have one now.
async fn rejected(
    tx: &mut PgConnection,
    retryable: &RetryableRejections,
    gathered: &Gathered,
) -> Result<Vec<DeliveryRow>, Error> {
    let RetryableRejections { dealerships, known_credentials, credentials, nameless_feeds } = retryable;
    let nameless_feeds: Vec<&str> = nameless_feeds.iter().map(|feed| feed.name()).collect();
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"with wanted as (
            select id, received_at from intake.deliveries
            where workspace_id = 0 and outcome = 'rejected' and dealership_id = any($1)
                and credential = any($5) and findings @> '[{"code": "dealership_unknown"}]'
            union select id, received_at from intake.deliveries
            where workspace_id = 0 and outcome = 'rejected' and dealership_id is null
                and credential = any($3) and feed = any($4) and findings @> '[{"code": "dealership_missing"}]'
        ), oldest as (
            select id, received_at, bytes from wanted w cross join lateral (
                select octet_length(v.body) + coalesce(octet_length(v.posted_body), 0) as bytes
                from intake.deliveries_with_bodies v
                where v.workspace_id = 0 and v.id = w.id and v.received_at = w.received_at and v.body is not null
                offset 0
            ) as sized
            order by received_at, id limit $2
        ), measured as (
            select id, received_at, sum(bytes) over (order by received_at, id) - bytes as before from oldest
        )
        select d.id as "id!", d.received_at as "received_at!", d.feed as "feed!", d.workspace_id as "workspace_id!",
            d.dealership_id, d.credential as "credential!", host(d.remote_address) as remote_address, d.content_type,
            d.body, d.posted_body, d.attempts as "attempts!", d.outcome in ('applied', 'unchanged') as "was_applied!"
        from measured m cross join lateral (
            select * from intake.deliveries_with_bodies v
            where v.workspace_id = 0 and v.id = m.id and v.received_at = m.received_at offset 0
        ) as d
        where m.before < $6::bigint order by d.received_at, d.id"#,
        dealerships,
        gathered.limit(),
        credentials,
        &nameless_feeds as &[&str],
        known_credentials,
        gathered.bytes,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workspace_has_its_turn_however_many_there_are() {
        let workspaces: Vec<i64> = (0..600).collect();
        let (mut rotation, mut asked) = (Rotation::default(), Vec::new());
        for _ in 0..3 {
            let round: Vec<i64> = rotation.order(&workspaces).collect();
            assert_eq!(gathered.len(), MOST_ASKED);
            rotation.0 = gathered.last().copied();
            asked.extend(round);
        }
        assert_eq!(asked[..600], workspaces, "nobody twice before all had theirs");
        assert_eq!(asked[600], 0);
    }
}
