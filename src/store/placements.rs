//! Where the row of a delivery stands: in which workspace, if in any, under its id and arrival. Of one delivery there is one
//! row. One that gets another workspace leaves the former row and is written anew, because the workspace of a row never
//! changes.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::bodies::{self, BodyKey};
use super::unnest::list;
use super::{Error, Store};
use crate::domain::delivery::arrival_of;

/// The workspace of a delivery that has none. No workspace has this id.
const NONE: i64 = 0;

/// A workspace, or none, as rows of deliveries have it.
pub(super) fn number(workspace: Option<WorkspaceId>) -> i64 {
    workspace.map_or(NONE, WorkspaceId::get)
}

/// The workspace whose lock is taken for deliveries of a workspace or of none: what has none is written by one transaction
/// at a time, too, so that an erasure finds all of it.
#[must_use]
pub fn lock_of(workspace: Option<WorkspaceId>) -> WorkspaceId {
    WorkspaceId::from(number(workspace))
}

/// The workspace of a row, if any.
pub(super) fn workspace_of(number: i64) -> Option<WorkspaceId> {
    (number != NONE).then(|| number.into())
}

/// A delivery by its id and its arrival, which together find its row.
pub type DeliveryKey = (Uuid, DateTime<Utc>);

/// Where a delivery's row stands, and what of it decides where its body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The workspace; 0 for none.
    pub(super) workspace: i64,
    pub(super) received_at: DateTime<Utc>,
    /// How often it was tried.
    pub(super) attempts: i32,
    pub(super) shares_body: bool,
    /// The digest of its body, where it was not erased.
    pub(super) body_sha256: Option<Vec<u8>>,
    /// Whether its body stands in the row itself, as it did before there was a table of bodies.
    pub(super) holds_body: bool,
    /// Whether its body was erased.
    pub(super) is_erased: bool,
}

impl Placement {
    /// How often the delivery was tried.
    #[must_use]
    pub fn attempts(&self) -> i32 {
        self.attempts
    }

    /// Whether its body was erased, so that nothing of it may be applied or kept again.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.is_erased
    }
}

/// The row of a delivery that nobody else can change or move meanwhile.
pub(super) struct LockedRow {
    pub(super) id: Uuid,
    pub(super) placement: Placement,
    pub(super) feed: String,
    pub(super) outcome: String,
    pub(super) changes: Value,
    pub(super) findings: Value,
}

/// How often rows are looked for that have gone elsewhere in the moment they were found.
const TRIES: usize = 3;

/// The rows of those of these deliveries that are stored, whatever their workspace; they are kept from others meanwhile.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn lock(tx: &mut PgConnection, keys: &[DeliveryKey]) -> Result<Vec<LockedRow>, Error> {
    let mut locked: BTreeMap<Uuid, LockedRow> = BTreeMap::new();
    for _ in 0..TRIES {
        // Who replays what the service tries again, too, has it twice in a batch.
        let left: BTreeSet<DeliveryKey> = keys.iter().filter(|(id, _)| !locked.contains_key(id)).copied().collect();
        let left = Vec::from_iter(left);
        let found = find(tx, &left).await?;
        if found.is_empty() {
            break;
        }
        let mut second = Vec::new();
        for (workspace, of_workspace) in &found {
            for row in lock_in(tx, *workspace, of_workspace).await? {
                // Of two rows, which a commit has left whose end nobody saw, that of a workspace counts.
                let former = locked.insert(row.id, row).filter(|former| former.placement.workspace != *workspace);
                second.extend(former.map(|former| (former.id, former.placement)));
            }
        }
        leave(tx, &second).await?;
        if found.values().flatten().all(|(id, _)| locked.contains_key(id)) {
            break;
        }
    }
    Ok(locked.into_values().collect())
}

/// The first and the last of these arrivals: what is asked for within them is looked for in no other month.
fn span(times: impl Iterator<Item = DateTime<Utc>> + Clone) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((times.clone().min()?, times.max()?))
}

/// Those of these deliveries that are stored, by workspace; that of those that have none comes first.
async fn find(tx: &mut PgConnection, keys: &[DeliveryKey]) -> Result<BTreeMap<i64, Vec<DeliveryKey>>, Error> {
    let mut found: BTreeMap<i64, Vec<DeliveryKey>> = BTreeMap::new();
    let Some((first, last)) = span(keys.iter().map(|(_, received_at)| *received_at)) else { return Ok(found) };
    let rows = sqlx::query!(
        "select workspace_id, id, received_at from intake.deliveries
        where received_at = any($2) and received_at >= $3 and received_at <= $4 and id = any($1)",
        &list(keys, |(id, _)| *id),
        &list(keys, |(_, received_at)| *received_at),
        first,
        last,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        found.entry(row.workspace_id).or_default().push((row.id, row.received_at));
    }
    Ok(found)
}

/// The outcomes of those of these deliveries that are stored, by their names.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn outcomes(tx: &mut PgConnection, keys: &[DeliveryKey]) -> Result<BTreeMap<Uuid, String>, Error> {
    let mut outcomes = BTreeMap::new();
    for (workspace, of_workspace) in find(tx, keys).await? {
        let Some((first, last)) = span(of_workspace.iter().map(|(_, received_at)| *received_at)) else { continue };
        let rows = sqlx::query!(
            "-- once
            select id, outcome from intake.deliveries
            where workspace_id = $1 and id = any($2) and received_at >= $3 and received_at <= $4",
            workspace,
            &list(&of_workspace, |(id, _)| *id),
            first,
            last,
        )
        .fetch_all(&mut *tx)
        .await?;
        outcomes.extend(rows.into_iter().map(|row| (row.id, row.outcome)));
    }
    Ok(outcomes)
}

async fn lock_in(tx: &mut PgConnection, workspace: i64, keys: &[DeliveryKey]) -> Result<Vec<LockedRow>, Error> {
    let Some((first, last)) = span(keys.iter().map(|(_, received_at)| *received_at)) else { return Ok(Vec::new()) };
    let rows = sqlx::query!(
        r#"select id, received_at, feed, attempts, outcome, changes, findings, shares_body, body_sha256,
            body is not null as "holds_body!", erased_at is not null as "is_erased!"
        from intake.deliveries
        where workspace_id = $1 and id = any($2) and received_at >= $3 and received_at <= $4 order by id for update"#,
        workspace,
        &list(keys, |(id, _)| *id),
        first,
        last,
    )
    .fetch_all(tx)
    .await?;
    let locked = rows.into_iter().map(|row| LockedRow {
        id: row.id,
        placement: Placement {
            workspace,
            received_at: row.received_at,
            attempts: row.attempts,
            shares_body: row.shares_body,
            body_sha256: row.body_sha256,
            holds_body: row.holds_body,
            is_erased: row.is_erased,
        },
        feed: row.feed,
        outcome: row.outcome,
        changes: row.changes,
        findings: row.findings,
    });
    Ok(locked.collect())
}

/// Where the rows of these deliveries stand, of those that have one; they are kept from others meanwhile.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn placements(tx: &mut PgConnection, keys: &[DeliveryKey]) -> Result<BTreeMap<Uuid, Placement>, Error> {
    Ok(lock(tx, keys).await?.into_iter().map(|row| (row.id, row.placement)).collect())
}

/// What a row that is left says and its successor keeps.
#[derive(Clone, Debug)]
pub(super) struct Left {
    pub(super) credential: String,
    pub(super) remote_address: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) replays: Value,
}

/// Deletes rows that are locked, with their bodies where no other delivery names them.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn leave(tx: &mut PgConnection, rows: &[(Uuid, Placement)]) -> Result<BTreeMap<Uuid, Left>, Error> {
    let mut left = BTreeMap::new();
    let workspaces: BTreeSet<i64> = rows.iter().map(|(_, placement)| placement.workspace).collect();
    for workspace in workspaces {
        let of_workspace: Vec<&(Uuid, Placement)> =
            rows.iter().filter(|(_, placement)| placement.workspace == workspace).collect();
        let Some((first, last)) = span(of_workspace.iter().map(|(_, placement)| placement.received_at)) else {
            continue;
        };
        let deleted = sqlx::query!(
            "delete from intake.deliveries
            where workspace_id = $1 and id = any($2) and received_at >= $3 and received_at <= $4
            returning id, credential, host(remote_address) as remote_address, content_type, replays",
            workspace,
            &list(&of_workspace, |(id, _)| *id),
            first,
            last,
        )
        .fetch_all(&mut *tx)
        .await?;
        left.extend(deleted.into_iter().map(|row| {
            let (credential, content_type, replays) = (row.credential, row.content_type, row.replays);
            (row.id, Left { credential, remote_address: row.remote_address, content_type, replays })
        }));
        let (shared, own): (Vec<_>, Vec<_>) =
            of_workspace.into_iter().partition(|(_, placement)| placement.shares_body);
        let own: Vec<BodyKey> = own.iter().map(|(id, placement)| BodyKey::own(*id, placement.received_at)).collect();
        let shared: BTreeSet<BodyKey> = shared
            .iter()
            .filter_map(|(_, placement)| {
                Some(BodyKey::shared(placement.body_sha256.as_deref()?, placement.received_at))
            })
            .collect();
        bodies::remove_own(tx, workspace, &own).await?;
        bodies::remove_unnamed(tx, workspace, &Vec::from_iter(shared)).await?;
    }
    Ok(left)
}

/// The arrivals of deliveries of which the ids are known: an id tells its own, so that one or two months are looked at. One
/// that is not found so, because it was made otherwise or there is none, is looked for in all.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn locate(store: &Store, ids: &[Uuid]) -> Result<Vec<DeliveryKey>, Error> {
    let mut tx = store.begin(None).await?;
    let mut found: Vec<DeliveryKey> = Vec::new();
    for id in ids {
        let Some(arrival) = arrival_of(*id) else { continue };
        let rows = sqlx::query!(
            "select id, received_at from intake.deliveries where received_at >= $2 and received_at < $3 and id = $1",
            id,
            arrival,
            arrival + TimeDelta::milliseconds(1),
        )
        .fetch_all(&mut *tx)
        .await?;
        found.extend(rows.into_iter().map(|row| (row.id, row.received_at)));
    }
    let missing: Vec<Uuid> = ids.iter().filter(|id| !found.iter().any(|(known, _)| known == *id)).copied().collect();
    if !missing.is_empty() {
        let rows = sqlx::query!(
            "-- once
            select id, received_at from intake.deliveries
            where workspace_id = any(array(select 0::bigint union all select w.id from workspaces w)) and id = any($1)",
            &missing,
        )
        .fetch_all(&mut *tx)
        .await?;
        found.extend(rows.into_iter().map(|row| (row.id, row.received_at)));
    }
    tx.commit().await?;
    Ok(found)
}
