//! Whether a delivery can be written: the rights, the disk and the server may be such that reading goes well and writing
//! does not.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Error, Store};

/// Nothing can be written, for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no delivery can be written: {0}")]
pub struct NotWritable(String);

/// For so long the answer to an insert holds.
const HOLDS: Duration = Duration::from_secs(5);

/// The answer to the last insert.
#[derive(Debug, Default)]
pub(super) struct Probes {
    last: Mutex<Option<(Instant, Result<(), NotWritable>)>>,
}

impl Probes {
    /// Whether Postgres answers, which is asked each time, and takes an insert, now or a moment ago. Who does not wait for
    /// the insert leaves behind that there was no answer.
    pub(super) async fn ask(&self, store: &Store) -> Result<(), NotWritable> {
        let mut last = self.last.lock().await;
        let mut tx = store.begin(None).await.map_err(not_writable)?;
        if let Some((at, answer)) = &*last
            && at.elapsed() < HOLDS
        {
            tx.rollback().await.map_err(not_writable)?;
            return answer.clone();
        }
        *last = Some((Instant::now(), Err(NotWritable("it does not answer in time".to_owned()))));
        let answer = write(&mut tx).await.map_err(not_writable);
        if let Some((_, known)) = &mut *last {
            known.clone_from(&answer);
        }
        drop(last);
        if answer.is_ok() {
            tx.rollback().await.map_err(not_writable)?;
        }
        answer
    }
}

fn not_writable(error: Error) -> NotWritable {
    NotWritable(error.without_values())
}

/// Writes a delivery of nobody, which is undone.
async fn write(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        "insert into intake.deliveries
            (id, received_at, feed, credential, body, body_sha256, outcome, findings, changes, attempts, processing_ms,
            settled_at)
        values ($1, $2, 'lead', '', '', '', 'rejected', '[]', '{}', 1, 0, $2)",
        Uuid::nil(),
        DateTime::<Utc>::UNIX_EPOCH,
    )
    .execute(tx)
    .await?;
    Ok(())
}
