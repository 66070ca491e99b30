//! Stored deliveries that are due: those that failed, after their pause, and those that were rejected for a workspace that
//! the configuration has come to know. What a person asks for is in [`super::replay`].

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::attempt::AttemptInfo;
use super::postponed::Postponed;
use super::replay::{self, ReplayItem};
use super::submit::Resubmitted;
use super::{Intake, Reply, Unavailable};
use crate::domain::delivery::Delivery;
use crate::store::due::{self, RetryableRejections, Rotation, Stored};

/// How many stored deliveries are tried again in one round.
const BATCH: usize = 200;
/// The pause between rounds that left nothing over.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);
/// How long after a new configuration its workspaces are looked for.
const FOLLOW_UP: Duration = Duration::from_mins(1);
/// The pause between rounds while there is more.
const BUSY_INTERVAL: Duration = Duration::from_millis(200);

/// Tries stored deliveries again for as long as the service runs.
pub async fn run(intake: Intake) {
    let mut routers = intake.routers();
    let mut retryable = intake.router().retryable();
    let mut until = Instant::now() + FOLLOW_UP;
    let mut rotation = Rotation::default();
    let mut postponed = Postponed::default();
    postponed.look_at(&intake);
    loop {
        // A workspace becomes known only with a new configuration, so these are looked for for a while
        // after each: what was parsed before it may be stored after it.
        if routers.has_changed().unwrap_or(false) {
            retryable = routers.borrow_and_update().retryable();
            until = Instant::now() + FOLLOW_UP;
            postponed.look_at(&intake);
        }
        if let Err(error) = postponed.apply(&intake).await {
            tracing::debug!(%error, "what was postponed of the configuration could not be applied");
        }
        let pause = match round_of(&intake, &retryable, &mut rotation).await {
            Ok(tried) if tried == BATCH => BUSY_INTERVAL,
            Ok(tried) => {
                if tried > 0 {
                    tracing::info!(tried, "stored deliveries tried again");
                } else if Instant::now() >= until {
                    retryable.clear();
                }
                IDLE_INTERVAL
            }
            Err(error) => {
                tracing::debug!(%error, "stored deliveries could not be looked up");
                IDLE_INTERVAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// One round from the first workspace on: takes what is due, oldest first, and submits it. Gives how many there were.
///
/// # Errors
/// When Postgres cannot be asked what is due.
pub async fn round(intake: &Intake, retryable: &RetryableRejections) -> Result<usize, crate::store::Error> {
    round_of(intake, retryable, &mut Rotation::default()).await
}

/// The same from the workspace on whose rotation it is.
async fn round_of(
    intake: &Intake,
    retryable: &RetryableRejections,
    rotation: &mut Rotation,
) -> Result<usize, crate::store::Error> {
    let stored = due::due(intake.store(), intake.now(), retryable, BATCH, rotation).await?;
    let count = stored.len();
    let known = stored.into_iter().filter_map(|stored| match stored {
        Ok(stored) => Some(again(intake, stored)),
        Err(not_repeatable) => {
            let (id, obstacle) = (not_repeatable.id, not_repeatable.obstacle);
            tracing::warn!(delivery = %id, %obstacle, "a stored delivery cannot be tried again");
            None
        }
    });
    join_all(known).await;
    Ok(count)
}

/// Tries one stored delivery again.
async fn again(intake: &Intake, stored: Stored) {
    let Stored { mut delivery, workspace, attempts, was_applied } = stored;
    if intake.is_held(workspace) {
        // It stays due, and those of other workspaces need not wait for it.
        return;
    }
    delivery.permitted = intake.router().permission(&delivery.credential, workspace);
    if was_applied {
        replay::replay(intake, vec![ReplayItem { delivery, attempts, is_unread: false }]).await;
    } else if submit(intake, delivery, attempts).await.is_err() {
        tracing::debug!("a stored delivery could not be tried again");
    }
}

/// Submits a stored delivery, and waits for its reply for as long as requests are held.
async fn submit(intake: &Intake, delivery: Delivery, attempts: i32) -> Result<Reply, Unavailable> {
    let attempt = AttemptInfo::again(attempts);
    let work = async { intake.submit(delivery, attempt, None).await.settled_unless_held(intake).await };
    match tokio::time::timeout(intake.shared.settings.hold, work).await {
        Ok(Resubmitted::Done(reply)) => Ok(reply),
        Ok(Resubmitted::GivenUp | Resubmitted::Held) | Err(_) => Err(Unavailable),
    }
}
