//! What is too old, found and let go: whole months by dropping their partitions, the rest in small batches, each in a
//! transaction of its own, so that nobody waits for long and a stop loses nothing but the last batch.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::bodies::month_of;
use super::partitions::{self, Partition, Partitioned};
use super::{Error, Store, due, session};
use crate::domain::ids::WorkspaceId;
use crate::domain::retention::end_of;

/// So many rows are let go in one transaction at the most.
pub const BATCH: i64 = 500;
/// What the bodies that stand in the rows of deliveries are called, in `intake.retention_progress` and in a report.
pub const BODIES_IN_ROWS: &str = "bodies_in_rows";

/// A month in which a failed delivery is still tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitedFor {
    /// Its first day.
    pub month: NaiveDate,
    /// The arrival of the first such delivery.
    pub first: DateTime<Utc>,
}

/// The months in which failed deliveries are still tried again.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn waited_for(store: &Store) -> Result<Vec<WaitedFor>, Error> {
    let mut tx = store.begin(None).await?;
    let months = sqlx::query_as!(
        WaitedFor,
        r#"-- once
        select date_trunc('month', received_at at time zone 'UTC')::date as "month!", min(received_at) as "first!"
        from intake.deliveries where retry_at is not null and outcome = 'failed' group by 1"#,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(months)
}

/// How many rows a partition has.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(store: &Store, of: Partitioned, partition: &Partition) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::WHOLE_TABLES).await?;
    let Partition { month, is_first } = *partition;
    let count = match of {
        Partitioned::Deliveries => {
            let begins = month.and_time(chrono::NaiveTime::MIN).and_utc();
            let begins = if is_first { DateTime::UNIX_EPOCH } else { begins };
            sqlx::query_scalar!(
                r#"-- once
                select count(*) as "count!" from intake.deliveries where received_at >= $1 and received_at < $2"#,
                begins,
                end_of(month),
            )
            .fetch_one(&mut *tx)
            .await?
        }
        Partitioned::Bodies => {
            sqlx::query_scalar!(
                r#"-- once
                select count(*) as "count!" from intake.bodies where received_month = $1"#,
                month,
            )
            .fetch_one(&mut *tx)
            .await?
        }
    };
    tx.commit().await?;
    Ok(count)
}

/// Drops the partition of a month; gives how many rows it had, and none where another was there first.
///
/// # Errors
/// When Postgres refuses or cannot be reached; also where a long query of somebody else has the table.
pub async fn drop(store: &Store, of: Partitioned, partition: &Partition) -> Result<Option<i64>, Error> {
    let rows = count(store, of, partition).await?;
    Ok(partitions::drop(store, of, partition.month).await?.then_some(rows))
}

/// Lets the next bodies go that stand in the rows of deliveries, from before there were months; of those that arrived before
/// a time. Gives how many there were, and none at the end.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn clear_bodies_in_rows(store: &Store, before: DateTime<Utc>) -> Result<Option<i64>, Error> {
    let mut tx = store.begin(None).await?;
    let done_until = done_until(&mut tx).await?;
    let last = sqlx::query_scalar!(
        "select max(received_at) from (
            select received_at from intake.deliveries where received_at > $1 and received_at < $2
            order by received_at limit $3
        ) as next",
        done_until,
        before,
        BATCH,
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(last) = last else {
        tx.commit().await?;
        return Ok(None);
    };
    let cleared = clear_between(&mut tx, done_until, last).await?;
    sqlx::query!(
        "insert into intake.retention_progress as known (name, done_until) values ($1, $2)
        on conflict (name) do update set done_until = greatest(known.done_until, excluded.done_until)",
        BODIES_IN_ROWS,
        last,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(i64::try_from(cleared).unwrap_or(i64::MAX)))
}

/// Clears those that arrived after a time and not after another, workspace by workspace; gives how many there were.
async fn clear_between(tx: &mut PgConnection, after: DateTime<Utc>, last: DateTime<Utc>) -> Result<u64, Error> {
    let rows = sqlx::query!(
        "select workspace_id, id from intake.deliveries
        where received_at > $1 and received_at <= $2 and (body is not null or posted_body is not null)",
        after,
        last,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut of_workspaces: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for row in rows {
        of_workspaces.entry(row.workspace_id).or_default().push(row.id);
    }
    let mut cleared = 0;
    for (workspace, ids) in of_workspaces {
        // In the order in which batches lock them.
        let done = sqlx::query!(
            "with old as (
                select id, received_at from intake.deliveries
                where workspace_id = $1 and id = any($2) and received_at > $3 and received_at <= $4
                    and (body is not null or posted_body is not null)
                order by id for update
            )
            update intake.deliveries d set body = null, posted_body = null from old
            where d.workspace_id = $1 and d.id = old.id and d.received_at = old.received_at
                and d.received_at > $3 and d.received_at <= $4",
            workspace,
            &ids,
            after,
            last,
        )
        .execute(&mut *tx)
        .await?;
        cleared += done.rows_affected();
    }
    Ok(cleared)
}

/// How far bodies in rows were let go.
async fn done_until(tx: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    let done_until =
        sqlx::query_scalar!("select done_until from intake.retention_progress where name = $1", BODIES_IN_ROWS)
            .fetch_optional(tx)
            .await?;
    Ok(done_until.unwrap_or(DateTime::UNIX_EPOCH))
}

/// How many bodies stand in the rows of deliveries that arrived before a time.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count_bodies_in_rows(store: &Store, before: DateTime<Utc>) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::WHOLE_TABLES).await?;
    let done_until = done_until(&mut tx).await?;
    let count = sqlx::query_scalar!(
        r#"-- once
        select count(*) as "count!" from intake.deliveries
        where received_at > $1 and received_at < $2 and (body is not null or posted_body is not null)"#,
        done_until,
        before,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(count)
}

/// What is let go row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByAge {
    /// Deliveries for whose month there is no partition.
    Deliveries,
    /// Bodies for whose month there is no partition; of whole months.
    Bodies,
    /// Refused requests.
    Rejected,
}

/// Deletes the next rows that are older than a time; gives how many there were.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn delete(store: &Store, what: ByAge, before: DateTime<Utc>) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let deleted = match what {
        ByAge::Deliveries => {
            sqlx::query!(
                "delete from intake.deliveries_without_month where (workspace_id, id, received_at) in (
                    select workspace_id, id, received_at from intake.deliveries_without_month
                    where received_at < $1 order by received_at limit $2
                )",
                before,
                BATCH,
            )
            .execute(&mut *tx)
            .await?
        }
        ByAge::Bodies => {
            sqlx::query!(
                "-- once
                delete from intake.bodies_without_month where (workspace_id, body_key, received_month) in (
                    select workspace_id, body_key, received_month from intake.bodies_without_month
                    where received_month < $1 limit $2
                )",
                month_of(before),
                BATCH,
            )
            .execute(&mut *tx)
            .await?
        }
        ByAge::Rejected => {
            sqlx::query!(
                "delete from intake.rejected where id in (
                    select id from intake.rejected where received_at < $1 order by received_at limit $2
                )",
                before,
                BATCH,
            )
            .execute(&mut *tx)
            .await?
        }
    };
    tx.commit().await?;
    Ok(i64::try_from(deleted.rows_affected()).unwrap_or(i64::MAX))
}

/// How many rows are older than a time, of what is let go row by row.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count_older(store: &Store, what: ByAge, before: DateTime<Utc>) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let count = match what {
        ByAge::Deliveries => {
            sqlx::query_scalar!(
                r#"-- once
                select count(*) as "count!" from intake.deliveries_without_month where received_at < $1"#,
                before,
            )
            .fetch_one(&mut *tx)
            .await?
        }
        ByAge::Bodies => {
            sqlx::query_scalar!(
                r#"-- once
                select count(*) as "count!" from intake.bodies_without_month where received_month < $1"#,
                month_of(before),
            )
            .fetch_one(&mut *tx)
            .await?
        }
        ByAge::Rejected => {
            sqlx::query_scalar!(
                r#"-- once
                select count(*) as "count!" from intake.rejected where received_at < $1"#,
                before,
            )
            .fetch_one(&mut *tx)
            .await?
        }
    };
    tx.commit().await?;
    Ok(count)
}

/// How many identity documents of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// Driver licences of persons.
    pub licences: i64,
    /// Passports of persons.
    pub passports: i64,
    /// Documents as they came with leads.
    pub of_leads: i64,
}

impl Documents {
    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.licences + self.passports + self.of_leads
    }
}

/// How many identity documents of a workspace arrived before a time.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count_documents(store: &Store, workspace: WorkspaceId, before: DateTime<Utc>) -> Result<Documents, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::WHOLE_TABLES).await?;
    let count = sqlx::query_as!(
        Documents,
        r#"-- once
        select
            (select count(*) from identity.driver_licences where workspace_id = $1 and received_at < $2) as "licences!",
            (select count(*) from identity.passports where workspace_id = $1 and received_at < $2) as "passports!",
            (select count(*) from identity.lead_documents where workspace_id = $1 and received_at < $2) as "of_leads!""#,
        workspace.get(),
        before,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(count)
}

/// Deletes the next identity documents of a workspace that arrived before a time; gives how many there were.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn delete_documents(
    store: &Store,
    workspace: WorkspaceId,
    before: DateTime<Utc>,
) -> Result<Documents, Error> {
    // Whether there are any is found out without keeping the workspace from anybody.
    if count_documents(store, workspace, before).await?.total() == 0 {
        return Ok(Documents::default());
    }
    let mut tx = store.begin(Some(workspace)).await?;
    let deleted = sqlx::query_as!(
        Documents,
        r#"-- once
        with licences as (
            delete from identity.driver_licences where workspace_id = $1 and person_id in (
                select person_id from identity.driver_licences where workspace_id = $1 and received_at < $2 limit $3
            ) returning 1
        ), passports as (
            delete from identity.passports where workspace_id = $1 and person_id in (
                select person_id from identity.passports where workspace_id = $1 and received_at < $2 limit $3
            ) returning 1
        ), of_leads as (
            delete from identity.lead_documents where workspace_id = $1 and lead_id in (
                select lead_id from identity.lead_documents where workspace_id = $1 and received_at < $2 limit $3
            ) returning 1
        )
        select (select count(*) from licences) as "licences!", (select count(*) from passports) as "passports!",
            (select count(*) from of_leads) as "of_leads!""#,
        workspace.get(),
        before,
        BATCH,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Ends the retries of deliveries whose body is gone, workspace by workspace; gives of how many.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn end_retries(store: &Store) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let workspaces = due::workspaces(&mut tx).await?;
    tx.commit().await?;
    let mut ended = 0;
    for workspace in workspaces {
        if ended >= BATCH {
            break;
        }
        ended += end_retries_of(store, workspace, BATCH - ended).await?;
    }
    Ok(ended)
}

async fn end_retries_of(store: &Store, workspace: i64, most: i64) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::BY_KEY).await?;
    let ended = sqlx::query!(
        "with bodiless as (
            select w.id, w.received_at from intake.deliveries w
            where w.workspace_id = $1 and w.retry_at is not null and exists (
                select from intake.deliveries_with_bodies v
                where v.workspace_id = $1 and v.id = w.id and v.received_at = w.received_at and v.body is null
                offset 0
            )
            limit $2
        )
        update intake.deliveries d set retry_at = null from bodiless b
        where d.workspace_id = $1 and d.id = b.id and d.received_at = b.received_at",
        workspace,
        most,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(i64::try_from(ended.rows_affected()).unwrap_or(i64::MAX))
}
