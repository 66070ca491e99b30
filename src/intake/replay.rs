//! Stored deliveries through the same path again: those that failed, when they are due, and those that were rejected
//! for a workspace that the configuration has come to know. What a person asks for is in [`asked`].

pub mod asked;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Delivery, Intake};
use crate::feeds::Feed;
use crate::store::deliveries::{self, RetryableRejections, Stored};

/// How many stored deliveries are tried again in one round.
const ROUND: usize = 200;
/// The pause between rounds that left nothing over.
const PAUSE: Duration = Duration::from_secs(5);
/// For so long after a new configuration its workspaces are looked for.
const FOLLOWING: Duration = Duration::from_mins(1);
/// The pause between rounds while there is more.
const BREATH: Duration = Duration::from_millis(200);

/// Tries stored deliveries again for as long as the service runs.
pub async fn run(intake: Intake) {
    let mut directories = intake.directories();
    let mut assign = intake.directory().retryable_rejections();
    let mut until = Instant::now() + FOLLOWING;
    loop {
        // A workspace becomes known only with a new configuration, so these are looked for for a while
        // after each: what was heard before it may be stored after it.
        if directories.has_changed().unwrap_or(false) {
            assign = directories.borrow_and_update().retryable_rejections();
            until = Instant::now() + FOLLOWING;
        }
        let pause = match round(&intake, &assign).await {
            Ok(tried) if tried == ROUND => BREATH,
            Ok(tried) => {
                if tried > 0 {
                    tracing::info!(tried, "stored deliveries tried again");
                } else if Instant::now() >= until {
                    assign.clear();
                }
                PAUSE
            }
            Err(error) => {
                tracing::debug!(%error, "stored deliveries could not be looked up");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// One round: takes what is due, oldest first, and puts it through the lanes. Gives how many there were.
///
/// # Errors
/// When Postgres cannot be asked what is due.
pub async fn round(intake: &Intake, retryable_rejections: &RetryableRejections) -> Result<usize, crate::store::Error> {
    let stored = deliveries::due(intake.store(), intake.now(), retryable_rejections, ROUND).await?;
    let count = stored.len();
    join_all(stored.into_iter().map(|stored| again(intake, stored))).await;
    Ok(count)
}

/// Puts one stored delivery through its lane.
async fn again(intake: &Intake, stored: Stored) {
    let Some(feed) = Feed::named(&stored.arrived.feed) else {
        tracing::warn!(delivery = %stored.arrived.id, "a stored delivery is of a feed that is not known");
        return;
    };
    let permitted = intake.directory().permission(&stored.arrived.credential, stored.workspace);
    let Stored { arrived, attempts, was_applied, .. } = stored;
    if was_applied {
        asked::replay(intake, vec![asked::Asked { feed, arrived, attempts, unread: false, permitted }]).await;
        return;
    }
    let replied = intake.take(Delivery { feed, arrived, permitted, undecoded: None }, attempts).await;
    if replied.is_err() {
        tracing::debug!("a stored delivery could not be tried again");
    }
}
