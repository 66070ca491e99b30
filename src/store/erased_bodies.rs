//! The bodies of deliveries and refused requests about whom an erasure is: looked through, and deleted.
//!
//! A statement picks those that hold a text; whether they are about the person is found out by reading them, in `intake`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;
use super::bodies::{self, BodyKey};
use super::replay_filter::Cursor;
use super::unnest::list;
use crate::domain::feed::Feed;

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The number of the workspace; 0 for none.
    pub workspace: i64,
    /// From this arrival on.
    pub from: DateTime<Utc>,
    /// Before this arrival.
    pub until: DateTime<Utc>,
    /// Only what got its outcome at this time or later.
    pub settled_since: DateTime<Utc>,
}

/// A delivery that may be about somebody.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its arrival and its id.
    pub cursor: Cursor,
    /// The name of its feed, where that is known here.
    pub feed: Option<Feed>,
    /// Whether it was applied, so that its body can be read.
    pub was_applied: bool,
}

/// So many are looked at in one round.
const ROUND: i64 = 500;

/// The next deliveries whose body holds one of these texts, or that are about what it is the sender's id of, and all that were not applied: in which case nothing but
/// reading them tells whom they are about. What an applied vehicle says is nobody's.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn candidates(
    tx: &mut PgConnection,
    range: Range,
    texts: &[String],
    after: Cursor,
) -> Result<Vec<Candidate>, Error> {
    let patterns: Vec<String> = texts.iter().map(|text| pattern(text)).collect();
    let rows = sqlx::query!(
        r#"-- once
        select id as "id!", received_at as "received_at!", feed as "feed!",
            outcome in ('applied', 'unchanged') as "was_applied!"
        from intake.deliveries_with_bodies
        where workspace_id = $1 and received_at >= $2 and received_at < $3 and settled_at >= $4
            and (received_at, id) > ($5, $6) and body is not null
            and case when outcome in ('applied', 'unchanged')
                then feed <> 'inventory' and (external_id = any($8) or lower(encode(body, 'escape')) like any($7)) else true end
        order by received_at, id limit $9"#,
        range.workspace,
        range.from,
        range.until,
        range.settled_since,
        after.0,
        after.1,
        &patterns,
        texts,
        ROUND,
    )
    .fetch_all(tx)
    .await?;
    let candidates = rows.into_iter().map(|row| Candidate {
        cursor: (row.received_at, row.id),
        feed: Feed::named(&row.feed),
        was_applied: row.was_applied,
    });
    Ok(candidates.collect())
}

/// A text as the patterns of [`candidates`] have it: in lower case, whatever stands around it, each byte as Postgres
/// writes it.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for byte in text.to_lowercase().bytes() {
        match byte {
            b'\\' => pattern.push_str(r"\\\\"),
            b'%' | b'_' => pattern.extend(['\\', char::from(byte)]),
            0x20..0x7f => pattern.push(char::from(byte)),
            // As `\303`, of which the pattern's own backslash is doubled.
            _ => {
                // Writing to a text cannot fail.
                let _ = write!(pattern, r"\\{byte:03o}");
            }
        }
    }
    pattern.push('%');
    pattern
}

/// The body of a delivery, with what was posted beside it.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn body(
    tx: &mut PgConnection,
    workspace: i64,
    of: Cursor,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, Error> {
    let row = sqlx::query!(
        "-- once
        select body, posted_body from intake.deliveries_with_bodies
        where workspace_id = $1 and id = $2 and received_at = $3",
        workspace,
        of.1,
        of.0,
    );
    let row = row.fetch_optional(tx).await?;
    Ok(row.and_then(|row| Some((row.body?, row.posted_body))))
}

/// Deletes the bodies of these deliveries, which are not tried again without one. Gives how many there were.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn delete(
    tx: &mut PgConnection,
    workspace: i64,
    deliveries: &[Cursor],
    erased_at: DateTime<Utc>,
) -> Result<i64, Error> {
    let own: Vec<BodyKey> = list(deliveries, |(received_at, id)| BodyKey::own(*id, *received_at));
    bodies::remove_own(&mut *tx, workspace, &own).await?;
    let deleted = sqlx::query!(
        "-- once
        update intake.deliveries as d
        set body = null, posted_body = null, body_sha256 = null, erased_at = $4, retry_at = null
        from unnest($2::uuid[], $3::timestamptz[]) as e (id, received_at)
        where d.workspace_id = $1 and d.id = e.id and d.received_at = e.received_at",
        workspace,
        &list(deliveries, |(_, id)| *id),
        &list(deliveries, |(received_at, _)| *received_at),
        erased_at,
    )
    .execute(tx)
    .await?;
    Ok(i64::try_from(deleted.rows_affected()).unwrap_or(i64::MAX))
}

/// Lets the service apply these deliveries again: what came after the erasure makes the person anew.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn apply_again(
    tx: &mut PgConnection,
    workspace: i64,
    deliveries: &[Cursor],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- once
        update intake.deliveries as d set retry_at = $4
        from unnest($2::uuid[], $3::timestamptz[]) as e (id, received_at)
        where d.workspace_id = $1 and d.id = e.id and d.received_at = e.received_at and d.retry_at is null",
        workspace,
        &list(deliveries, |(_, id)| *id),
        &list(deliveries, |(received_at, _)| *received_at),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A refused request whose body was kept.
#[derive(Clone, Debug)]
pub struct RefusedBody {
    /// Its id.
    pub id: Uuid,
    /// Its arrival.
    pub received_at: DateTime<Utc>,
    /// The feed of the door it came to.
    pub feed: Option<Feed>,
    /// The body.
    pub body: Vec<u8>,
}

/// The next refused requests with a body, so many bodies at a time as fit into memory.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn refused(tx: &mut PgConnection, until: DateTime<Utc>, after: Uuid) -> Result<Vec<RefusedBody>, Error> {
    let rows = sqlx::query!(
        r#"-- once
        select id, received_at, feed, body as "body!" from intake.rejected
        where body is not null and received_at < $1 and id > $2 order by id limit 8"#,
        until,
        after,
    )
    .fetch_all(tx)
    .await?;
    let refused = rows.into_iter().map(|row| RefusedBody {
        id: row.id,
        received_at: row.received_at,
        feed: row.feed.as_deref().and_then(Feed::named),
        body: row.body,
    });
    Ok(refused.collect())
}

/// Deletes the bodies of refused requests.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn delete_refused(tx: &mut PgConnection, ids: &[Uuid]) -> Result<(), Error> {
    sqlx::query!("-- once\nupdate intake.rejected set body = null where id = any($1)", ids).execute(tx).await?;
    Ok(())
}

/// One delivery as an export lists it.
#[derive(Clone, Debug)]
pub struct ListedDelivery {
    /// Its feed's name.
    pub feed: String,
    /// Its fate.
    pub outcome: String,
}

/// How a delivery stands in its record.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn listed(tx: &mut PgConnection, workspace: i64, of: Cursor) -> Result<Option<ListedDelivery>, Error> {
    let row = sqlx::query!(
        "-- once
        select feed, outcome from intake.deliveries where workspace_id = $1 and id = $2 and received_at = $3",
        workspace,
        of.1,
        of.0,
    );
    Ok(row.fetch_optional(tx).await?.map(|row| ListedDelivery { feed: row.feed, outcome: row.outcome }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_what_postgres_makes_of_the_bytes() {
        assert_eq!(pattern("Ada_L@Example.com"), r"%ada\_l@example.com%");
        assert_eq!(pattern("é"), r"%\\303\\251%");
        assert_eq!(pattern(r"\u00e9"), r"%\\\\u00e9%");
    }
}
