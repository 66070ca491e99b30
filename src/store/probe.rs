//! Whether a delivery can be written and applied: the rights, the disk and the server may be such that reading goes well and
//! writing does not, and what was erased must be known again.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::erasure_key::{self, ErasureKey};
use super::error::Error;
use super::session::Transaction;

/// For so long the answer to an insert holds.
const HOLDS: Duration = Duration::from_secs(5);

/// The answer to the last insert.
#[derive(Debug, Default)]
pub(super) struct Probes {
    last: Mutex<Option<(Instant, Result<(), Refusal>)>>,
}

/// What the last answer was, where it was no.
#[derive(Clone, Debug)]
enum Refusal {
    ErasureKey,
    /// Why, without the values of rows.
    NotWritable(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ErasureKey => Self::ErasureKey,
            Refusal::NotWritable(why) => Self::NotWritable(why),
        }
    }
}

impl Probes {
    /// Whether a server that has begun a transaction takes an insert, now or a moment ago. Who does not wait for it leaves
    /// behind that there was no answer.
    pub(super) async fn ask(&self, mut tx: Transaction, key: Option<&ErasureKey>) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < HOLDS
        {
            let answer = answer.clone();
            tx.rollback().await?;
            return answer.map_err(Error::from);
        }
        *last = Some((Instant::now(), Err(Refusal::NotWritable("it does not answer in time".to_owned()))));
        let written = match write(&mut tx).await {
            Ok(()) => erasure_key::check(key, &mut tx).await,
            Err(error) => Err(error),
        };
        if let Some((_, known)) = &mut *last {
            *known = match &written {
                Ok(()) => Ok(()),
                Err(Error::ErasureKey) => Err(Refusal::ErasureKey),
                Err(error) => Err(Refusal::NotWritable(error.without_values())),
            };
        }
        drop(last);
        written?;
        tx.rollback().await
    }
}

/// Writes a delivery of nobody with its body, as one that comes now is written; it is undone.
async fn write(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        "with kept as (
            insert into intake.bodies (workspace_id, body_key, received_month, body)
            values (0, uuid_send($1), (now() at time zone 'UTC')::date, '')
        )
        insert into intake.deliveries
            (workspace_id, id, received_at, feed, credential, body_sha256, outcome, findings, changes, attempts,
            processing_ms, settled_at)
        values (0, $1, now(), 'lead', '', '', 'rejected', '[]', '{}', 1, 0, now())",
        Uuid::nil(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
