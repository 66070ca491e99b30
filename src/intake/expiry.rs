//! Leads that are no longer tried again wait no longer: once a day, in small batches, by the index of what each waits for.

use std::time::Duration;

use tokio::time::sleep;

use super::Intake;
use crate::domain::ids::{LeadId, WorkspaceId};
use crate::spool::Spool;
use crate::store::{self, dependencies, workspaces};

/// The pause before the first pass, and after one that was put off or did not come to its end.
const SOON: Duration = Duration::from_mins(10);
/// The pause between passes.
const DAILY: Duration = Duration::from_hours(24);
/// The pause between batches, in which deliveries have the workspace.
const PAGE_INTERVAL: Duration = Duration::from_millis(100);

/// Passes over all that leads wait for, for as long as the service runs. While deliveries wait in the spool it is put off:
/// one that came in time may still bring what a lead waits for.
pub async fn run(intake: Intake, spool: Option<Spool>) {
    let mut pause = SOON;
    loop {
        sleep(pause).await;
        pause = SOON;
        if spool.as_ref().is_some_and(|spool| spool.depth().deliveries > 0) {
            continue;
        }
        match pass(&intake).await {
            Ok(()) => pause = DAILY,
            Err(error) => {
                tracing::debug!(error = error.without_values(), "what leads wait for could not be looked through");
            }
        }
    }
}

/// One pass over all workspaces.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn pass(intake: &Intake) -> Result<(), store::Error> {
    let mut tx = intake.store().begin(None).await?;
    let workspaces: Vec<WorkspaceId> = workspaces::load(&mut tx).await?.into_iter().map(|stored| stored.id).collect();
    tx.commit().await?;
    for workspace in workspaces {
        let mut after = Some(LeadId::from(0));
        while let Some(lead) = after {
            after = dependencies::forget_past(intake.store(), workspace, lead, intake.now()).await?;
            if after.is_some() {
                sleep(PAGE_INTERVAL).await;
            }
        }
    }
    Ok(())
}
