//! What has come so far of credentials and feeds that a person waits for, and what was refused meanwhile.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Store};

/// The first delivery of a credential and a feed, or the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The credential's name.
    pub credential: String,
    /// The feed's name.
    pub feed: String,
    /// The delivery.
    pub id: Uuid,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Its outcome's name.
    pub outcome: String,
    /// The codes of its findings.
    pub codes: Vec<String>,
}

/// Requests that were refused in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAlike {
    /// The name of the feed; none where the address is that of no feed.
    pub feed: Option<String>,
    /// The path, as far as it may be told.
    pub path: String,
    /// The sender's address.
    pub remote_address: Option<String>,
    /// The schemes that were tried.
    pub scheme: Option<String>,
    /// Tells one wrong secret from another.
    pub fingerprint: Option<String>,
    /// When the newest arrived.
    pub last_at: DateTime<Utc>,
    /// How many they are.
    pub count: i64,
}

/// Of each pair of a credential and a feed the first delivery that arrived in a time, or the newest; of pairs of which
/// none did, nothing.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn delivered(
    store: &Store,
    pairs: &[(String, String)],
    since: DateTime<Utc>,
    newest: bool,
) -> Result<Vec<Delivered>, Error> {
    let credentials: Vec<String> = pairs.iter().map(|(credential, _)| credential.clone()).collect();
    let feeds: Vec<String> = pairs.iter().map(|(_, feed)| feed.clone()).collect();
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"select distinct on (d.credential, d.feed) d.credential, d.feed, d.id, d.received_at, d.outcome,
            array(select f ->> 'code' from jsonb_array_elements(d.findings) as f) as "codes!: Vec<String>"
        from intake.deliveries d
        join unnest($1::text[], $2::text[]) as k (credential, feed) on (k.credential, k.feed) = (d.credential, d.feed)
        where d.received_at >= $3
        order by d.credential, d.feed, case when $4 then null else d.received_at end, d.received_at desc"#,
        &credentials,
        &feeds,
        since,
        newest,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let delivered = rows.into_iter().map(|row| Delivered {
        credential: row.credential,
        feed: row.feed,
        id: row.id,
        received_at: row.received_at,
        outcome: row.outcome,
        codes: row.codes,
    });
    Ok(delivered.collect())
}

/// In how many ways at the most refused requests are told apart.
const MOST_WAYS: i64 = 100;

/// What was refused since a time, by way; those that began first come first.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn refused(store: &Store, since: DateTime<Utc>) -> Result<Vec<RefusedAlike>, Error> {
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"select feed, path, host(remote_address) as remote_address, scheme, fingerprint,
            max(received_at) as "last_at!", count(*) as "count!"
        from intake.rejected where received_at >= $1
        group by 1, 2, 3, 4, 5 order by min(received_at) limit $2"#,
        since,
        MOST_WAYS,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let refused = rows.into_iter().map(|row| RefusedAlike {
        feed: row.feed,
        path: row.path,
        remote_address: row.remote_address,
        scheme: row.scheme,
        fingerprint: row.fingerprint,
        last_at: row.last_at,
        count: row.count,
    });
    Ok(refused.collect())
}
