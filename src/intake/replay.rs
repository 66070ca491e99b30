//! Stored deliveries through the same path again: those that failed, when they are due, and those that were rejected
//! for a dealership that the configuration has come to know.

use std::time::Duration;

use super::Intake;
use crate::feeds::Feed;
use crate::store::deliveries::{self, Stored};

/// How many stored deliveries are tried again in one round.
const ROUND: i64 = 200;
/// The pause between rounds that found nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// Tries stored deliveries again for as long as the service runs.
pub async fn run(intake: Intake) {
    let mut assign = intake.directory().dealerships();
    loop {
        match round(&intake, &assign).await {
            Ok(0) => {
                // A dealership becomes known only with a new configuration, so these are looked for once.
                assign.clear();
                tokio::time::sleep(PAUSE).await;
            }
            Ok(tried) => tracing::info!(tried, "stored deliveries tried again"),
            Err(error) => {
                tracing::debug!(%error, "stored deliveries could not be looked up");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One round: takes what is due, oldest first, and puts it through the lanes. Gives how many there were.
async fn round(intake: &Intake, dealerships: &[i64]) -> Result<usize, crate::store::Error> {
    let stored = deliveries::due(intake.store(), intake.now(), dealerships, ROUND).await?;
    let count = stored.len();
    for stored in stored {
        again(intake, stored).await;
    }
    Ok(count)
}

/// Puts one stored delivery through its lane.
async fn again(intake: &Intake, stored: Stored) {
    let Some(feed) = Feed::named(&stored.arrived.feed) else {
        tracing::warn!(delivery = %stored.arrived.id, "a stored delivery is of a feed that is not known");
        return;
    };
    let permitted = intake.directory().permission(&stored.arrived.credential);
    let replied = intake.take(feed, stored.arrived, stored.attempts, &permitted, None).await;
    if replied.is_err() {
        tracing::debug!("a stored delivery could not be tried again");
    }
}
