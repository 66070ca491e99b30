//! The transaction of a batch: it has its workspace to itself, and a permit to work. What is written in it is only chosen
//! then, so that whatever came while it was waited for is written together.

use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::failure::Failure;
use super::large::is_large;
use super::permits::{ConnectionPermit, WritePermit};
use super::queue::QueueEntry;
use super::writer::{LONGEST, Writer};
use crate::domain::ids::WorkspaceId;
use crate::store;
use crate::store::placements::lock_of;

/// What a batch is written in.
#[derive(Debug)]
pub(super) struct BatchTx {
    pub(super) tx: store::Transaction,
    pub(super) permit: WritePermit,
    /// Given back once the transaction has come to its end.
    pub(super) connection: ConnectionPermit,
}

impl BatchTx {
    /// Gives it back: there is nothing to write.
    pub(super) async fn release(self) -> Result<(), Failure> {
        let Self { tx, permit: _, connection: _connection } = self;
        Ok(tx.rollback().await?)
    }
}

impl Writer {
    /// Begins a batch of a workspace, once that is to be had; not for ever where somebody else has the workspace.
    ///
    /// # Errors
    /// [`Failure::Locked`] where somebody else has it, and where Postgres is away.
    pub(super) async fn begin_batch(&self, workspace: Option<WorkspaceId>) -> Result<BatchTx, Failure> {
        let begun = Box::pin(self.lock(workspace));
        let (tx, connection) = timeout(LONGEST, begun).await.unwrap_or_else(|_elapsed| Err(Failure::TimedOut))?;
        // The workspace comes first, so that who waits for one holds up nobody who could work.
        let permit = self.permits.writer().await;
        Ok(BatchTx { tx, permit, connection })
    }

    async fn lock(&self, workspace: Option<WorkspaceId>) -> Result<(store::Transaction, ConnectionPermit), Failure> {
        let lock_try = self.permits.lock_try(workspace).await;
        let begun = self.store.try_begin(Some(lock_of(workspace)), lock_try.wait).await;
        let is_held = matches!(begun, Err(store::Error::Locked));
        if is_held && self.permits.is_held(workspace) {
            let workspace = lock_of(workspace);
            let kind = format!("workspace {workspace} is held");
            if let Some(left_out) = self.complaints.take(&kind) {
                tracing::warn!(
                    workspace = workspace.get(),
                    left_out,
                    "another session writes a workspace for long: its deliveries wait"
                );
            }
        }
        match begun {
            Ok(tx) => {
                self.permits.note(workspace, false);
                Ok((tx, lock_try.connection))
            }
            Err(store::Error::Locked) => {
                self.permits.note(workspace, true);
                Err(Failure::Locked)
            }
            Err(error) if error.is_of_another_server() => {
                self.permits.note_away(workspace, true);
                Err(Failure::PartAway(error))
            }
            // No transaction could be begun, so that nothing is wrong with what was to be done in it.
            Err(error) => Err(Failure::Transient(error)),
        }
    }

    /// The transaction in which a batch is written, the one that it has where that will do. While one large batch waits for the
    /// other nobody waits for its workspace, nor for a permit.
    pub(super) async fn tx_for(
        &self,
        workspace: Option<WorkspaceId>,
        batch: &[QueueEntry],
        mut begun: Option<BatchTx>,
    ) -> Result<(BatchTx, Option<SemaphorePermit<'_>>), Failure> {
        let mut large = None;
        if is_large(batch) {
            large = self.permits.try_large();
            if large.is_none() {
                if let Some(begun) = begun.take() {
                    begun.release().await?;
                }
                large = self.permits.large().await;
            }
        }
        let begun = match begun {
            Some(begun) => begun,
            None => self.begin_batch(workspace).await?,
        };
        Ok((begun, large))
    }
}
