//! Budgets of bytes: how many are in the process at a time, shared out by holder, so that what one brings costs no other.
//!
//! Three are kept. Of bodies that arrive: a body takes room piece by piece, and where there is none, the credential that
//! holds most loses the body with the least progress. Of bodies that wait for a store: none waits for room, and where there
//! is too much, the newest of the credential that holds most goes. Of what is built of bodies: nobody has to go, and who
//! finds no room waits, of each workspace only so much at a time.

mod shares;

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use shares::{BodyId, Decision, Shares, Verdict, Verdicts};
pub use shares::{Eviction, Limits};

/// A budget of bytes. Copies share it.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    pool: Arc<Pool>,
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

/// What one body holds of a budget. Dropped, it is given back.
#[derive(Debug)]
pub struct ByteShare {
    pool: Arc<Pool>,
    holder: String,
    /// How long it waits for room; without an end where that is none.
    patience: Option<Duration>,
    body: Option<BodyId>,
    signal: Arc<Signal>,
}

/// After so long a body that waits may cost a body of its own credential.
const GRACE: Duration = Duration::from_secs(1);

/// One report for as long.
const MINUTE: Duration = Duration::from_mins(1);

/// Reported once a minute when bodies were let go, with how many more there were since the last time.
pub type Report = fn(Option<u64>);

impl ByteBudget {
    /// A budget within limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { pool: Arc::new(Pool::new(limits, None)) }
    }

    /// A budget that reports when bodies were let go.
    #[must_use]
    pub fn reporting(limits: Limits, report: Report) -> Self {
        Self { pool: Arc::new(Pool::new(limits, Some(report))) }
    }

    /// A share of a holder, which holds nothing yet.
    #[must_use]
    pub fn share(&self, holder: String, patience: Option<Duration>) -> ByteShare {
        let signal = Arc::new(Signal { verdict: AtomicU8::new(NONE), notify: Notify::new() });
        ByteShare { pool: Arc::clone(&self.pool), holder, patience, body: None, signal }
    }

    /// How much of it is held.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let State { shares, let_go } = &*self.pool.state();
        Usage {
            held_bytes: shares.held(),
            total_bytes: shares.total(),
            waiting: shares.waiting(),
            let_go: let_go.of_last_minute(Instant::now()),
        }
    }
}

impl ByteShare {
    /// So many bytes have arrived, and so many more are to be kept. Waits until there is room for these.
    ///
    /// # Errors
    /// When there was none in time, or the body is to make room for others.
    pub async fn take(&mut self, arrived: usize, more: usize) -> Result<(), BudgetTimeout> {
        let since = Instant::now();
        match self.pool.ask(self, arrived, more, since) {
            (body, Decision::Served) => {
                self.body = Some(body);
                return Ok(());
            }
            (body, Decision::Waits) => self.body = Some(body),
            (body, Decision::LetGo) => {
                self.body = Some(body);
                return Err(BudgetTimeout { since });
            }
        }
        let end = self.patience.map(|patience| since + patience);
        loop {
            let now = Instant::now();
            match timeout_at(end.map_or(now + GRACE, |end| end.min(now + GRACE)), self.signal.verdict()).await {
                Ok(Verdict::Served) => return Ok(()),
                Ok(Verdict::LetGo) => return Err(BudgetTimeout { since }),
                Err(_elapsed) if end.is_some_and(|end| Instant::now() >= end) => {
                    self.give_up();
                    return Err(BudgetTimeout { since });
                }
                Err(_elapsed) => self.press(),
            }
        }
    }

    /// Holds so many bytes more, whether there is room for them or not. Where there is none, as many bodies are let go as
    /// give it back, which may be this one.
    pub fn hold(&mut self, bytes: usize) {
        let body = self.body.unwrap_or_else(|| self.pool.begin(self));
        self.body = Some(body);
        self.pool.change(|shares, _, verdicts| shares.hold(body, bytes, verdicts));
    }

    /// Ready when the body is to be read no further, or to wait no longer.
    pub async fn let_go(&self) -> BudgetTimeout {
        loop {
            if self.signal.verdict().await == Verdict::LetGo {
                return BudgetTimeout { since: Instant::now() };
            }
        }
    }

    /// Gives so many bytes back. What held them must be gone.
    pub fn give_back(&mut self, bytes: usize) {
        if let Some(body) = self.body.filter(|_| bytes > 0) {
            self.pool.change(|shares, now, verdicts| shares.give_back(body, bytes, now, verdicts));
        }
    }

    /// The body is whole: it keeps its room until its request is answered.
    pub fn finish(&mut self) {
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

impl Drop for ByteShare {
    fn drop(&mut self) {
        if let Some(body) = self.body {
            self.pool.change(|shares, now, verdicts| shares.end(body, now, verdicts));
        }
    }
}

/// The shares of all holders, and who waits for a verdict.
struct Pool {
    report: Option<Report>,
    state: Mutex<State>,
}

struct State {
    shares: Shares<Arc<Signal>>,
    let_go: LetGo,
}

impl Pool {
    fn new(limits: Limits, report: Option<Report>) -> Self {
        Self { report, state: Mutex::new(State { shares: Shares::new(limits), let_go: LetGo::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, share: &ByteShare) -> BodyId {
        self.state().shares.begin(&share.holder, Arc::clone(&share.signal), Instant::now().into_std())
    }

    /// Asks for a body, which begins with that where it has not begun.
    fn ask(&self, share: &ByteShare, arrived: usize, more: usize, now: Instant) -> (BodyId, Decision) {
        let mut verdicts = Verdicts::new();
        let mut state = self.state();
        let shares = &mut state.shares;
        let now = now.into_std();
        let body = share.body.unwrap_or_else(|| shares.begin(&share.holder, Arc::clone(&share.signal), now));
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

    /// Passes verdicts on, and reports those that were let go.
    fn tell(&self, mut state: MutexGuard<'_, State>, verdicts: Verdicts<Arc<Signal>>) {
        let let_go = verdicts.iter().filter(|(_, _, verdict)| *verdict == Verdict::LetGo).count();
        let line = if let_go > 0 { state.let_go.count(let_go, Instant::now()) } else { None };
        drop(state);
        for (_, signal, verdict) in verdicts {
            signal.tell(verdict);
        }
        if let (Some(before), Some(report)) = (line, self.report) {
            report((before > 0).then_some(before));
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// How many bodies were let go: in the minute that began with a report, and in the one before.
#[derive(Debug, Default)]
struct LetGo {
    since: Option<Instant>,
    count: u64,
}

impl LetGo {
    /// Counts some, and returns how many there were since the last report where it is time for one.
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

/// Where a body receives its verdict.
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
