//! Bodies: each under the id of its delivery, and that of a vehicle that was applied under its digest, once a month and
//! workspace, however often it is sent.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;
use super::unnest::list;
use crate::domain::Outcome;
use crate::domain::delivery::Delivery;

/// What a body of a workspace is kept under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BodyKey {
    key: Vec<u8>,
    /// The first day of the month (UTC) in which its deliveries arrived.
    month: NaiveDate,
}

impl BodyKey {
    /// The key of what is one delivery's own.
    pub(super) fn own(id: Uuid, received_at: DateTime<Utc>) -> Self {
        Self { key: id.as_bytes().to_vec(), month: month_of(received_at) }
    }

    /// The key under which the deliveries of one month share a body.
    pub(super) fn shared(sha256: &[u8], received_at: DateTime<Utc>) -> Self {
        Self { key: sha256.to_vec(), month: month_of(received_at) }
    }
}

/// A body that is to be kept.
pub(super) struct KeptBody<'a> {
    pub(super) key: BodyKey,
    pub(super) delivery: &'a Delivery,
}

/// The lists of bodies that a statement writes.
#[derive(Default)]
pub(super) struct BodyLists<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    pub(super) months: Vec<NaiveDate>,
    pub(super) bodies: Vec<&'a [u8]>,
    pub(super) posted_bodies: Vec<Option<&'a [u8]>>,
}

impl<'a> BodyLists<'a> {
    pub(super) fn of(bodies: &'a [KeptBody<'a>]) -> Self {
        Self {
            keys: list(bodies, |body| body.key.key.as_slice()),
            months: list(bodies, |body| body.key.month),
            bodies: list(bodies, |body| &*body.delivery.body),
            posted_bodies: list(bodies, |body| body.delivery.posted_body.as_deref()),
        }
    }
}

/// The month (UTC) of an arrival, by its first day.
pub(super) fn month_of(received_at: DateTime<Utc>) -> NaiveDate {
    let day = received_at.date_naive();
    day.with_day(1).unwrap_or(day)
}

/// The first and the last month of keys: what is asked for within them is looked for in no other.
fn span<'a>(keys: impl IntoIterator<Item = &'a BodyKey> + Copy) -> Option<(NaiveDate, NaiveDate)> {
    let months = |key: &BodyKey| key.month;
    Some((keys.into_iter().map(months).min()?, keys.into_iter().map(months).max()?))
}

/// Whether a delivery with this outcome shares its body with others of the same bytes: nobody's personal data is in what is
/// said of a vehicle, and it is said again each day.
pub(super) fn is_shared(delivery: &Delivery, outcome: Outcome) -> bool {
    let was_merged = match outcome {
        Outcome::Applied | Outcome::Unchanged => true,
        Outcome::Ignored | Outcome::Rejected | Outcome::Failed => false,
    };
    was_merged && delivery.feed.is_sent_again() && delivery.posted_body.is_none()
}

/// Those of these keys that a workspace has bodies of.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn known(
    tx: &mut PgConnection,
    workspace: i64,
    keys: &BTreeSet<BodyKey>,
) -> Result<BTreeSet<BodyKey>, Error> {
    let Some((first, last)) = span(keys) else { return Ok(BTreeSet::new()) };
    let asked: Vec<&[u8]> = keys.iter().map(|key| key.key.as_slice()).collect();
    let rows = sqlx::query!(
        "select body_key, received_month from intake.bodies
        where workspace_id = $1 and body_key = any($2) and received_month >= $3 and received_month <= $4",
        workspace,
        &asked as &[&[u8]],
        first,
        last,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| BodyKey { key: row.body_key, month: row.received_month }).collect())
}

/// Lets bodies go that are their deliveries' own.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn remove_own(tx: &mut PgConnection, workspace: i64, keys: &[BodyKey]) -> Result<(), Error> {
    let Some((first, last)) = span(keys) else { return Ok(()) };
    sqlx::query!(
        "delete from intake.bodies
        where workspace_id = $1 and body_key = any($2) and received_month >= $3 and received_month <= $4",
        workspace,
        &list(keys, |key| key.key.as_slice()) as &[&[u8]],
        first,
        last,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets bodies go that deliveries shared, where none names them any more. To find that out, all deliveries of their month and
/// workspace are read: it is done where one of them has gone to another workspace.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn remove_unnamed(tx: &mut PgConnection, workspace: i64, keys: &[BodyKey]) -> Result<(), Error> {
    for BodyKey { key, month } in keys {
        let begins = month.and_time(chrono::NaiveTime::MIN).and_utc();
        sqlx::query!(
            "-- once
            delete from intake.bodies b
            where b.workspace_id = $1 and b.body_key = $2 and b.received_month = $3 and not exists (
                select from intake.deliveries d
                where d.workspace_id = $1 and d.received_at >= $4 and d.received_at < $5 and d.shares_body
                    and d.body_sha256 = $2
            )",
            workspace,
            key,
            month,
            begins,
            begins + chrono::Months::new(1),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_that_of_greenwich() {
        let month = |text: &str| month_of(text.parse().unwrap()).to_string();
        assert_eq!(month("2026-11-30T23:59:59.999999Z"), "2026-11-01");
        assert_eq!(month("2026-12-01T09:59:59+10:00"), "2026-11-01");
        assert_eq!(month("2026-12-01T10:00:00+10:00"), "2026-12-01");
    }
}
