//! How many requests of the console ask the database at a time: few, so that its connections stay for deliveries.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many at a time, where the service has connections enough.
const TURNS: u32 = 2;
/// With fewer connections than this, one at a time.
const MANY_CONNECTIONS: usize = 8;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns there are.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// The right to ask the database.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TURNS as usize)))
    }
}

impl Turns {
    /// Waits for a turn; none where others take too long.
    pub(super) async fn take(&self, connections: usize) -> Option<Turn> {
        let count = if connections < MANY_CONNECTIONS { TURNS } else { 1 };
        let permit = timeout(PATIENCE, Arc::clone(&self.0).acquire_many_owned(count)).await.ok()?.ok()?;
        Some(Turn { _permit: permit })
    }
}
