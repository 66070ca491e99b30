//! Room for bodies: how many bytes of them are in the process at a time, shared out by credential.
//!
//! A body takes room piece by piece, as its bytes arrive and as they are decoded, and keeps it until its request is
//! answered. So memory has a bound, however many requests come at once, and a sender who announces much and sends little
//! holds little. Room for one whole body is always kept for credentials that hold none. Where there is no room, the
//! credential that holds most loses the body with the least progress: it is read no further, its buffer is dropped, and
//! its request is answered at the end of the hold, because senders repeat only what was not answered in time.
//!
//! Strangers have a room of their own, a tenth of all, shared out by address: they cost no credential anything.

mod shares;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use shares::{Asked, BodyId, Shares, Verdict, Verdicts};

use super::peer_addr;

/// Room for bodies. Copies share it.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    total: usize,
    credentials: Arc<Pool>,
    strangers: Arc<Pool>,
}

/// How much is held, and by whom it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that are held.
    pub held_bytes: usize,
    /// Bytes that there are.
    pub total_bytes: usize,
    /// How many bodies wait for room.
    pub waiting: usize,
    /// How many were let go within the last minute.
    pub let_go: u64,
}

/// There was no room for the body in time, or it had to make room for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there was no room for the body in time")]
pub struct BudgetTimeout {
    /// Since when nothing was done for the request.
    pub since: Instant,
}

/// The room of one body. Dropped, it is given back.
#[derive(Debug)]
pub struct BodyRoom {
    pool: Arc<Pool>,
    account: String,
    /// For so long it waits for room.
    patience: Duration,
    body: Option<BodyId>,
    signal: Arc<Signal>,
}

/// After so long a body that waits may cost a body of its own credential.
const GRACE: Duration = Duration::from_secs(1);

/// One log line for as long.
const MINUTE: Duration = Duration::from_mins(1);

impl BodyBudget {
    /// So many bytes in all; room for one whole body (of so many bytes, as sent and decoded) is kept for credentials that
    /// hold none.
    #[must_use]
    pub fn new(total_bytes: usize, one_whole_body_bytes: usize) -> Self {
        let strangers = total_bytes / 10;
        Self {
            total: total_bytes,
            credentials: Arc::new(Pool::new("credential", total_bytes - strangers, one_whole_body_bytes)),
            strangers: Arc::new(Pool::new("address", strangers, strangers / 2)),
        }
    }

    /// Room for a body of a credential, that waits for it for so long.
    #[must_use]
    pub fn of_credential(&self, name: &str, patience: Duration) -> BodyRoom {
        BodyRoom::new(&self.credentials, name.to_owned(), patience)
    }

    /// Room for a body of whoever has this address and no credential.
    pub(super) fn of_unauthenticated(&self, address: Option<IpAddr>, patience: Duration) -> BodyRoom {
        let account = address.map_or_else(String::new, |address| peer_addr::network(address).to_string());
        BodyRoom::new(&self.strangers, account, patience)
    }

    /// How much of it is held.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (credentials, strangers) = (self.credentials.state(), self.strangers.state());
        Usage {
            held_bytes: credentials.shares.held() + strangers.shares.held(),
            total_bytes: self.total,
            waiting: credentials.shares.waiting() + strangers.shares.waiting(),
            let_go: credentials.let_go.of_last_minute(Instant::now()),
        }
    }
}

impl BodyRoom {
    fn new(pool: &Arc<Pool>, account: String, patience: Duration) -> Self {
        let signal = Arc::new(Signal { verdict: AtomicU8::new(NONE), notify: Notify::new() });
        Self { pool: Arc::clone(pool), account, patience, body: None, signal }
    }

    /// So many bytes have arrived, and so many more are to be kept. Waits until there is room for these.
    ///
    /// # Errors
    /// When there was none in time, or the body is to make room for others.
    pub(super) async fn take(&mut self, arrived: usize, more: usize) -> Result<(), BudgetTimeout> {
        let since = Instant::now();
        match self.pool.ask(self, arrived, more, since) {
            (body, Asked::Served) => {
                self.body = Some(body);
                return Ok(());
            }
            (body, Asked::Waits) => self.body = Some(body),
            (body, Asked::LetGo) => {
                self.body = Some(body);
                return Err(BudgetTimeout { since });
            }
        }
        let end = since + self.patience;
        loop {
            let now = Instant::now();
            match timeout_at(end.min(now + GRACE), self.signal.verdict()).await {
                Ok(Verdict::Served) => return Ok(()),
                Ok(Verdict::LetGo) => return Err(BudgetTimeout { since }),
                Err(_elapsed) if Instant::now() >= end => {
                    self.give_up();
                    return Err(BudgetTimeout { since });
                }
                Err(_elapsed) => self.press(),
            }
        }
    }

    /// Ready when the body is to be read no further.
    pub(super) async fn let_go(&self) -> BudgetTimeout {
        loop {
            if self.signal.verdict().await == Verdict::LetGo {
                return BudgetTimeout { since: Instant::now() };
            }
        }
    }

    /// Gives so many bytes back. What held them must be gone.
    pub(super) fn give_back(&mut self, bytes: usize) {
        if let Some(body) = self.body.filter(|_| bytes > 0) {
            self.pool.change(|shares, now, verdicts| shares.give_back(body, bytes, now, verdicts));
        }
    }

    /// The body is whole: it keeps its room until its request is answered.
    pub(super) fn finish(&mut self) {
        if let Some(body) = self.body {
            self.pool.change(|shares, _, _| shares.finish(body));
        }
    }

    fn give_up(&self) {
        if let Some(body) = self.body {
            self.pool.change(|shares, now, verdicts| shares.give_up(body, now, verdicts));
        }
    }

    fn press(&self) {
        if let Some(body) = self.body {
            self.pool.change(|shares, now, verdicts| shares.press(body, now, verdicts));
        }
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        if let Some(body) = self.body {
            self.pool.change(|shares, now, verdicts| shares.end(body, now, verdicts));
        }
    }
}

/// The shares of one kind of account, and who waits for a verdict.
struct Pool {
    /// What an account is.
    kind: &'static str,
    state: Mutex<State>,
}

struct State {
    shares: Shares<Arc<Signal>>,
    let_go: LetGo,
}

impl Pool {
    fn new(kind: &'static str, total: usize, reserve: usize) -> Self {
        Self { kind, state: Mutex::new(State { shares: Shares::new(total, reserve), let_go: LetGo::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a body, which begins with that where it has not begun.
    fn ask(&self, room: &BodyRoom, arrived: usize, more: usize, now: Instant) -> (BodyId, Asked) {
        let mut verdicts = Verdicts::new();
        let mut state = self.state();
        let shares = &mut state.shares;
        let now = now.into_std();
        let body = room.body.unwrap_or_else(|| shares.begin(&room.account, Arc::clone(&room.signal), now));
        let asked = shares.ask(body, arrived, more, now, &mut verdicts);
        self.tell(state, verdicts);
        (body, asked)
    }

    fn change(&self, change: impl FnOnce(&mut Shares<Arc<Signal>>, std::time::Instant, &mut Verdicts<Arc<Signal>>)) {
        let mut verdicts = Verdicts::new();
        let mut state = self.state();
        change(&mut state.shares, Instant::now().into_std(), &mut verdicts);
        self.tell(state, verdicts);
    }

    /// Passes verdicts on. One log line a minute tells of those that were let go.
    fn tell(&self, mut state: MutexGuard<'_, State>, verdicts: Verdicts<Arc<Signal>>) {
        let let_go = verdicts.iter().filter(|(_, _, verdict)| *verdict == Verdict::LetGo).count();
        let line = if let_go > 0 { state.let_go.count(let_go, Instant::now()) } else { None };
        drop(state);
        for (_, signal, verdict) in verdicts {
            signal.tell(verdict);
        }
        if let Some(before) = line {
            let (of, before) = (self.kind, (before > 0).then_some(before));
            tracing::warn!(
                of,
                before,
                "no room for bodies: of who holds most, the body with the least progress is read no further"
            );
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// How many bodies were let go: in the minute that began with a log line, and in the one before.
#[derive(Debug, Default)]
struct LetGo {
    since: Option<Instant>,
    count: u64,
}

impl LetGo {
    /// Counts some, and says how many there were since the last log line where it is time for one.
    fn count(&mut self, more: usize, now: Instant) -> Option<u64> {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        if self.of_last_minute(now) > 0 {
            self.count += more;
            return None;
        }
        let before = self.count.saturating_sub(1);
        (self.since, self.count) = (Some(now), more);
        Some(before)
    }

    fn of_last_minute(&self, now: Instant) -> u64 {
        if self.since.is_some_and(|since| now.saturating_duration_since(since) < MINUTE) { self.count } else { 0 }
    }
}

/// Where a body hears its verdict.
#[derive(Debug)]
struct Signal {
    verdict: AtomicU8,
    notify: Notify,
}

const NONE: u8 = 0;
const SERVED: u8 = 1;
const LET_GO: u8 = 2;

impl Signal {
    fn tell(&self, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Served => SERVED,
            Verdict::LetGo => LET_GO,
        };
        self.verdict.fetch_max(verdict, Ordering::AcqRel);
        self.notify.notify_one();
    }

    /// The next verdict. That a body was let go stays true.
    async fn verdict(&self) -> Verdict {
        loop {
            if self.verdict.load(Ordering::Acquire) == LET_GO {
                return Verdict::LetGo;
            }
            if self.verdict.compare_exchange(SERVED, NONE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Verdict::Served;
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests;
