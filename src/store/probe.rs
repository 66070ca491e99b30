//! Whether a delivery can be written: the rights, the disk and the server may be such that reading goes well and writing
//! does not.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::error::Error;
use super::session::Transaction;

/// For so long the answer to an insert holds.
const HOLDS: Duration = Duration::from_secs(5);

/// The answer to the last insert.
#[derive(Debug, Default)]
pub(super) struct Probes {
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Probes {
    /// Whether a server that has begun a transaction takes an insert, now or a moment ago. Who does not wait for it leaves
    /// behind that there was no answer.
    pub(super) async fn ask(&self, mut tx: Transaction) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < HOLDS
        {
            let answer = answer.clone();
            tx.rollback().await?;
            return answer.map_err(Error::NotWritable);
        }
        *last = Some((Instant::now(), Err("it does not answer in time".to_owned())));
        let written = write(&mut tx).await;
        if let Some((_, known)) = &mut *last {
            *known = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(error.without_values()),
            };
        }
        drop(last);
        written?;
        tx.rollback().await
    }
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
