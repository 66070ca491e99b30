//! What is seen to of the partitions of deliveries and bodies: those of this month and the next two are made, once a day and
//! at the start; and what stands in none of them is counted.

use std::time::Duration;

use tokio::time::Instant;

use super::Intake;
use crate::store::{self, partitions};

/// The pause between rounds.
const DAY: Duration = Duration::from_hours(24);
/// The pause after a round that did not come to its end. There are months to make up for it.
const RETRY_INTERVAL: Duration = Duration::from_mins(10);
/// How often rows without a month are counted.
const COUNT_INTERVAL: Duration = Duration::from_mins(5);

/// Does what is to be done once a day for as long as the service runs, and counts meanwhile.
pub async fn run(intake: Intake) {
    let mut due = Instant::now();
    loop {
        if Instant::now() >= due {
            let pause = match round(&intake).await {
                Ok(()) => DAY,
                Err(error) => {
                    let error = error.without_values();
                    tracing::warn!(error, "the partitions of the next months could not be made: trying again");
                    RETRY_INTERVAL
                }
            };
            due = Instant::now() + pause;
        }
        if let Err(error) = count(&intake).await {
            tracing::debug!(error = error.without_values(), "the rows without a month could not be counted");
        }
        tokio::time::sleep(COUNT_INTERVAL).await;
    }
}

/// One round.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn round(intake: &Intake) -> Result<(), store::Error> {
    partitions::make(intake.store(), intake.now()).await
}

/// Counts the rows without a month, for the metrics; of many, so many.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(intake: &Intake) -> Result<(), store::Error> {
    intake.metrics().set_default_partition_rows(partitions::default_rows(intake.store()).await?);
    Ok(())
}
