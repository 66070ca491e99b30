//! What is done to the tables once a day, and at the start: the partitions of this month and the next two are made.

use std::time::Duration;

use super::Intake;
use crate::store::{self, partitions};

/// The pause between rounds.
const DAY: Duration = Duration::from_hours(24);
/// The pause after a round that did not come to its end. There are months to make up for it.
const RETRY_INTERVAL: Duration = Duration::from_mins(10);

/// Does what is to be done once a day for as long as the service runs.
pub async fn run(intake: Intake) {
    loop {
        let pause = match round(&intake).await {
            Ok(()) => DAY,
            Err(error) => {
                let error = error.without_values();
                tracing::warn!(error, "the partitions of the next months could not be made: trying again");
                RETRY_INTERVAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// One round.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn round(intake: &Intake) -> Result<(), store::Error> {
    partitions::make(intake.store(), intake.now()).await
}
