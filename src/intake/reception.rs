//! The reception: answers a request once its delivery is durable, in Postgres or in the spool.
//!
//! A delivery is given to the lanes; where they have not committed it within the deadline, it goes to the spool as well.
//! Where Postgres is known to be away it is the other way round, and for what must not overtake the spool. Whichever has it first ends the wait. Where neither can
//! take it, the request is held while both are tried, because senders repeat only what was not answered.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::delivery::Delivery;
use super::drain::{self, Backend};
use super::held::Held;
use super::reading::is_fragment;
use super::reply::{Answer, Reply};
use super::{Arrival, Intake, Tries, Unavailable};
use crate::spool::{Refused, Spool};
use crate::store::deliveries::Arrived;

/// What a request may count on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long Postgres has to commit a delivery before it goes to the spool.
    pub deadline: Duration,
    /// How long a request is held while nothing can store its delivery.
    pub hold: Duration,
    /// How many bytes of bodies wait for a store at the most; beyond that the newest of the credential that holds most
    /// wait for nothing.
    pub max_held_bytes: usize,
}

/// How often a store that refused is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// Takes deliveries in.
#[derive(Clone, Debug)]
pub struct Reception {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    backend: watch::Sender<Backend>,
    spool: Option<Spool>,
    terms: Terms,
    held: Held,
    drain: Mutex<Option<JoinHandle<()>>>,
}

impl Reception {
    /// A reception that has no tables yet. Where there is a spool, it is emptied into the tables once there are some.
    /// Must be made inside a runtime.
    #[must_use]
    pub fn new(spool: Option<Spool>, mut terms: Terms) -> Self {
        // A deadline beyond the hold would refuse each request before the spool was asked.
        terms.deadline = terms.deadline.min(terms.hold / 2);
        let (backend, ready) = watch::channel(Backend::Expected);
        let drain = spool.clone().map(|spool| tokio::spawn(drain::run(spool, ready)));
        let (held, drain) = (Held::new(terms.max_held_bytes), Mutex::new(drain));
        Self { shared: Arc::new(Shared { backend, spool, terms, held, drain }) }
    }

    /// From now on deliveries are applied by this intake.
    pub fn open(&self, intake: Intake) {
        self.shared.backend.send_replace(Backend::Open(intake));
    }

    /// The tables cannot be had for now: nothing waits for them.
    pub fn expect_nothing(&self) {
        self.shared.backend.send_replace(Backend::Away);
    }

    /// The intake, once there is one.
    #[must_use]
    pub fn intake(&self) -> Option<Intake> {
        self.shared.backend.borrow().intake()
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
            // Cut off, as it was told to be.
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
    pub async fn accept(&self, arrival: Arrival) -> Result<Answer, Unavailable> {
        let reception = self.clone();
        let taken = tokio::spawn(async move { reception.take(delivery(arrival)).await });
        taken.await.unwrap_or(Err(Unavailable))
    }

    /// Waits for the first store that has the delivery.
    async fn take(&self, delivery: Delivery) -> Result<Answer, Unavailable> {
        let Terms { deadline, hold, max_held_bytes: _ } = self.shared.terms;
        let mut held = self.shared.held.hold(&delivery.arrived.credential, delivery.arrived.bytes());
        // What is likely to have it soon is asked first, and the other one as well when that takes too long.
        let spool_first = self.is_stuck() || self.must_follow_spooled(&delivery);
        let applied = pin!(async {
            if spool_first {
                sleep(deadline).await;
            }
            self.apply(&delivery).await
        });
        let spooled = pin!(async {
            if !spool_first {
                sleep(deadline).await;
                self.note_late();
            }
            self.spool_when_it_can(&delivery).await;
        });
        tokio::select! {
            biased;
            () = held.let_go() => {}
            reply = applied => return Ok(Answer::Settled(reply)),
            () = spooled => return Ok(told_of(&delivery)),
            () = sleep(hold) => return Err(Unavailable),
        }
        self.spool_now(&delivery).await
    }

    /// Applies the delivery, for as long as that takes.
    async fn apply(&self, delivery: &Delivery) -> Reply {
        let mut tries = Tries { attempts: 0, perhaps_stored: false };
        loop {
            let mut backend = self.shared.backend.subscribe();
            // The sender of the channel is ours, so that it does not end before us.
            let intake = backend.wait_for(|backend| backend.intake().is_some()).await.ok();
            if let Some(intake) = intake.and_then(|backend| backend.intake()) {
                let waiting = intake.enqueue(delivery.clone(), tries).await;
                if let Some(reply) = waiting.settled().await {
                    return reply;
                }
            }
            tries.perhaps_stored = true;
            sleep(AGAIN).await;
        }
    }

    /// Spools the delivery, for as long as that takes; without a spool that is for ever.
    async fn spool_when_it_can(&self, delivery: &Delivery) {
        let Some(spool) = &self.shared.spool else { return std::future::pending().await };
        while let Err(refused) = spool.put(delivery.clone()).await {
            tracing::debug!(delivery = %delivery.arrived.id, %refused, "the delivery waits");
            sleep(AGAIN).await;
        }
    }

    /// Spools the delivery at once, while the request is held, or not at all: too much waits already.
    async fn spool_now(&self, delivery: &Delivery) -> Result<Answer, Unavailable> {
        let refused = match &self.shared.spool {
            Some(spool) => match timeout(self.shared.terms.hold, spool.put(delivery.clone())).await {
                Ok(put) => put.err(),
                Err(_elapsed) => Some(Refused::Slow),
            },
            None => Some(Refused::Closed),
        };
        match refused {
            None => Ok(told_of(delivery)),
            Some(refused) => {
                tracing::warn!(%refused, credential = delivery.arrived.credential, "more waits for a store than server.max_held_bytes: the newest of the credential that holds most is let go");
                Err(Unavailable)
            }
        }
    }

    /// Whether there is a spool and nothing to wait for before using it.
    fn is_stuck(&self) -> bool {
        if self.shared.spool.is_none() {
            return false;
        }
        match &*self.shared.backend.borrow() {
            Backend::Expected => false,
            Backend::Away => true,
            Backend::Open(intake) => intake.is_stuck(),
        }
    }

    /// Whether what is in the spool may tell the delivery's workspace, so that it has to be applied before.
    fn must_follow_spooled(&self, delivery: &Delivery) -> bool {
        if self.shared.spool.as_ref().is_none_or(|spool| spool.depth().deliveries == 0) {
            return false;
        }
        let Delivery { feed, arrived, permitted, undecoded: _ } = delivery;
        match &*self.shared.backend.borrow() {
            Backend::Expected | Backend::Away => is_fragment(*feed, &arrived.body),
            Backend::Open(intake) => intake.must_look_up(*feed, &arrived.body, permitted),
        }
    }

    /// The delivery was not committed within the deadline: those that come now wait for nothing, until something is.
    fn note_late(&self) {
        self.shared.backend.send_if_modified(|backend| match backend {
            Backend::Expected => {
                *backend = Backend::Away;
                true
            }
            Backend::Away => false,
            Backend::Open(intake) => {
                intake.note_late();
                false
            }
        });
    }
}

/// The delivery of a request; its id is made here.
fn delivery(arrival: Arrival) -> Delivery {
    let Arrival {
        feed,
        received_at,
        credential,
        permitted,
        remote_address,
        content_type,
        body,
        posted_body,
        undecoded,
    } = arrival;
    let arrived = Arrived {
        id: Uuid::now_v7(),
        received_at,
        feed: feed.name().to_owned(),
        dealership_id: None,
        credential,
        remote_address,
        content_type,
        body: Arc::new(body),
        posted_body: posted_body.map(Arc::new),
        schema_version: None,
    };
    Delivery { feed, arrived, permitted, undecoded }
}

/// One line for each delivery that is answered from the spool.
fn told_of(delivery: &Delivery) -> Answer {
    let Arrived { id, feed, credential, .. } = &delivery.arrived;
    tracing::info!(delivery = %id, feed, credential, outcome = "spooled", "delivery");
    Answer::Spooled(*id)
}

#[cfg(test)]
mod tests {
    //! A spool whose disk stalls.

    use super::*;
    use crate::domain::workspace::Permitted;
    use crate::feeds::Feed;
    use crate::intake::clock;

    fn arrival(bytes: usize) -> Arrival {
        Arrival {
            feed: Feed::Lead,
            received_at: clock::now(),
            credential: "dealer".to_owned(),
            permitted: Permitted::All,
            remote_address: None,
            content_type: None,
            body: vec![b' '; bytes],
            posted_body: None,
            undecoded: None,
        }
    }

    #[tokio::test]
    async fn a_disk_that_stalls_holds_no_request_longer_than_the_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _never_run) = Spool::stalled(&folder.path().join("spool"));
        let hold = Duration::from_millis(100);
        let terms = Terms { deadline: Duration::from_millis(10), hold, max_held_bytes: 1_000 };
        let reception = Reception::new(Some(spool), terms);
        for bytes in [1, 200_000] {
            let answer = timeout(Duration::from_secs(10), reception.accept(arrival(bytes))).await;
            assert!(matches!(answer, Ok(Err(Unavailable))), "{bytes} {answer:?}");
        }
    }
}
