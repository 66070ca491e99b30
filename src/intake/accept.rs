//! Accepting: a request is answered once its delivery is durable, in Postgres or in the spool.
//!
//! A delivery is submitted to the pipeline; where that has not committed it within the deadline, it goes to the spool as
//! well. Where Postgres is known to be away it is the other way round, and for what must not overtake the spool. Whichever
//! has it first ends the wait. Where neither can take it, the request is held while both are tried, because senders repeat
//! only what was not answered.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use super::attempt::AttemptInfo;
use super::complaints::Complaints;
use super::database::Database;
use super::drain;
use super::parse::Peek;
use super::reply::{Answer, Reply};
use super::{Intake, Unavailable};
use crate::budget::{ByteBudget, Eviction, Limits};
use crate::domain::delivery::Delivery;
use crate::spool::{Refused, Spool};

/// How long a request waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// How long Postgres has to commit a delivery before it goes to the spool.
    pub deadline: Duration,
    /// How long a request is held while nothing can store its delivery.
    pub hold: Duration,
    /// How many bytes of bodies wait for a store at the most; beyond that the newest of the credential that holds most
    /// wait for nothing.
    pub max_held_bytes: usize,
}

/// The pause before a store that refused is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Takes deliveries in.
#[derive(Clone, Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: watch::Sender<Database>,
    spool: Option<Spool>,
    timeouts: Timeouts,
    held: ByteBudget,
    complaints: Complaints,
    drain: Mutex<Option<JoinHandle<()>>>,
}

impl Acceptor {
    /// An acceptor that has no tables yet. Where there is a spool, it is emptied into the tables once there are some.
    /// Must be made inside a runtime.
    #[must_use]
    pub fn new(spool: Option<Spool>, mut timeouts: Timeouts) -> Self {
        // A deadline beyond the hold would refuse each request before the spool was tried.
        timeouts.deadline = timeouts.deadline.min(timeouts.hold / 2);
        let (database, ready) = watch::channel(Database::Starting);
        let drain = spool.clone().map(|spool| tokio::spawn(drain::run(spool, ready)));
        let (held, drain) = (held_bodies(timeouts.max_held_bytes), Mutex::new(drain));
        Self { shared: Arc::new(Shared { database, spool, timeouts, held, complaints: Complaints::default(), drain }) }
    }

    /// From now on deliveries are applied by this intake.
    pub fn open(&self, intake: Intake) {
        self.shared.database.send_replace(Database::Ready(intake));
    }

    /// The tables cannot be had for now: nothing waits for them.
    pub fn set_down(&self) {
        self.shared.database.send_replace(Database::Down);
    }

    /// The intake, once there is one.
    #[must_use]
    pub fn intake(&self) -> Option<Intake> {
        self.shared.database.borrow().intake()
    }

    /// The spool, where there is one.
    #[must_use]
    pub fn spool(&self) -> Option<&Spool> {
        self.shared.spool.as_ref()
    }

    /// Ends the emptying of the spool and closes it. What is in it stays there.
    pub async fn close(&self) {
        let drain = self.shared.drain.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(drain) = drain {
            drain.abort();
            // It ends as cancelled, because it was aborted.
            let _ = drain.await;
        }
        if let Some(spool) = &self.shared.spool {
            spool.close().await;
        }
    }

    /// Takes one delivery in. Dropping the future does not undo what was begun.
    ///
    /// # Errors
    /// When nothing could store the delivery while the request was held.
    pub async fn accept(&self, delivery: Delivery) -> Result<Answer, Unavailable> {
        let acceptor = self.clone();
        // In the request's span, so that whatever becomes of the delivery is logged under the request's id.
        let taken = tokio::spawn(async move { Box::pin(acceptor.first_durable(delivery)).await }.in_current_span());
        taken.await.unwrap_or(Err(Unavailable))
    }

    /// Waits for the first store that has the delivery.
    async fn first_durable(&self, delivery: Delivery) -> Result<Answer, Unavailable> {
        let Timeouts { deadline, hold, max_held_bytes: _ } = self.shared.timeouts;
        let mut held = self.shared.held.share(delivery.credential.clone(), None);
        held.hold(delivery.bytes());
        // What is likely to have it soon is asked first, and the other one as well when that takes too long.
        let (must_follow, peek) = self.must_follow_spooled(&delivery);
        let spool_first = self.spools_first() || must_follow;
        let applied = pin!(async {
            if spool_first {
                sleep(deadline).await;
            }
            self.apply(&delivery, peek).await
        });
        let on_disk = pin!(async {
            if !spool_first {
                sleep(deadline).await;
                self.note_late();
            }
            self.spool_when_it_can(&delivery).await;
        });
        tokio::select! {
            biased;
            _too_much = held.let_go() => {}
            reply = applied => return Ok(Answer::Applied(reply)),
            () = on_disk => return Ok(spooled(&delivery)),
            () = sleep(hold) => return Err(Unavailable),
        }
        self.spool_now(&delivery).await
    }

    /// Applies the delivery, for as long as that takes.
    async fn apply(&self, delivery: &Delivery, mut peek: Option<Peek>) -> Reply {
        let mut attempt = AttemptInfo::first();
        loop {
            let mut database = self.shared.database.subscribe();
            // The sender of the channel is ours, so that it does not end before us.
            let intake = database.wait_for(|database| database.intake().is_some()).await.ok();
            if let Some(intake) = intake.and_then(|database| database.intake()) {
                let submitted = intake.submit(delivery.clone(), attempt, peek.take()).await;
                if let Some(reply) = submitted.settled().await {
                    return reply;
                }
            }
            attempt = AttemptInfo::again(0);
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Spools the delivery, for as long as that takes; without a spool that is for ever.
    async fn spool_when_it_can(&self, delivery: &Delivery) {
        let Some(spool) = &self.shared.spool else { return std::future::pending().await };
        while let Err(refused) = spool.put(delivery.clone()).await {
            tracing::debug!(delivery = %delivery.id, %refused, "the delivery waits");
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Spools the delivery at once, while the request is held, or not at all: too much waits already.
    async fn spool_now(&self, delivery: &Delivery) -> Result<Answer, Unavailable> {
        let refused = match &self.shared.spool {
            Some(spool) => match timeout(self.shared.timeouts.hold, spool.put(delivery.clone())).await {
                Ok(put) => put.err(),
                Err(_elapsed) => Some(Refused::Slow),
            },
            None => Some(Refused::Closed),
        };
        match refused {
            None => Ok(spooled(delivery)),
            Some(refused) => {
                let credential = &delivery.credential;
                if let Some(left_out) = self.shared.complaints.take(&format!("{credential} {refused}")) {
                    tracing::warn!(%refused, credential, left_out, "more waits for a store than server.max_held_bytes: the newest of the credential that holds most is let go");
                }
                Err(Unavailable)
            }
        }
    }

    /// Whether there is a spool and nothing to wait for before using it.
    fn spools_first(&self) -> bool {
        if self.shared.spool.is_none() {
            return false;
        }
        match &*self.shared.database.borrow() {
            Database::Starting => false,
            Database::Down => true,
            Database::Ready(intake) => intake.is_stalled(),
        }
    }

    /// Whether what is in the spool may decide the delivery's workspace, so that it has to be applied before; with the
    /// peek at its body, where one was needed.
    fn must_follow_spooled(&self, delivery: &Delivery) -> (bool, Option<Peek>) {
        if self.shared.spool.as_ref().is_none_or(|spool| spool.depth().deliveries == 0) {
            return (false, None);
        }
        match &*self.shared.database.borrow() {
            Database::Starting | Database::Down if delivery.feed.may_be_fragment() => {
                let peek = Peek::scan(delivery);
                (peek.is_fragment(delivery), Some(peek))
            }
            Database::Starting | Database::Down => (false, None),
            Database::Ready(intake) => intake.depends_on_tables(delivery),
        }
    }

    /// The delivery was not committed within the deadline: those that come now wait for nothing, until something is.
    fn note_late(&self) {
        self.shared.database.send_if_modified(|database| match database {
            Database::Starting => {
                *database = Database::Down;
                true
            }
            Database::Down => false,
            Database::Ready(intake) => {
                intake.note_late();
                false
            }
        });
    }
}

/// The bytes of deliveries that wait for a store, by credential. Up to some bytes a delivery waits all the same: a few huge
/// ones that wait send no lead to the spool. What there is of small ones is bounded by the room that they had to arrive.
fn held_bodies(total: usize) -> ByteBudget {
    let eviction = Eviction::NewestFirst { spared: 64 << 10 };
    ByteBudget::new(Limits { total, reserve: 0, most_of_one: usize::MAX, eviction })
}

/// One line for each delivery that is answered from the spool.
fn spooled(delivery: &Delivery) -> Answer {
    let Delivery { id, feed, credential, .. } = delivery;
    tracing::info!(delivery = %id, feed = feed.name(), credential, outcome = "spooled", "delivery");
    Answer::Spooled(*id)
}

#[cfg(test)]
mod tests {
    //! A spool whose disk stalls.

    use uuid::Uuid;

    use super::*;
    use crate::domain::feed::Feed;
    use crate::domain::workspace::Permitted;
    use crate::intake::clock;

    fn delivery(bytes: usize) -> Delivery {
        Delivery {
            id: Uuid::now_v7(),
            feed: Feed::Lead,
            received_at: clock::now(),
            credential: "dealer".to_owned(),
            permitted: Permitted::All,
            remote_address: None,
            content_type: None,
            body: vec![b' '; bytes].into(),
            posted_body: None,
            undecoded: None,
            dealership_id: None,
            external_id: None,
            schema_version: None,
        }
    }

    #[tokio::test]
    async fn a_disk_that_stalls_holds_no_request_longer_than_the_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _never_run) = Spool::stalled(&folder.path().join("spool"));
        let hold = Duration::from_millis(100);
        let timeouts = Timeouts { deadline: Duration::from_millis(10), hold, max_held_bytes: 1_000 };
        let acceptor = Acceptor::new(Some(spool), timeouts);
        for bytes in [1, 200_000] {
            let answer = timeout(Duration::from_secs(10), acceptor.accept(delivery(bytes))).await;
            assert!(matches!(answer, Ok(Err(Unavailable))), "{bytes} {answer:?}");
        }
    }
}
