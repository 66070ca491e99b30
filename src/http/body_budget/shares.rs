//! Who may have room for a body, and who must give it back: the accounting alone, without tasks, clocks or wakers.
//!
//! Room is taken piece by piece and counted by account (a credential). One part of it, the reserve, is as large as one
//! whole body and is given only to an account that holds nothing, to one body at a time. All the rest is common. Whoever
//! finds no room waits; of those who wait, the account that holds least is served first, and of equals the one that
//! asked first. Where room must be made, the account that holds most loses the body that made the least progress.
//!
//! A body that is let go keeps what it holds until [`Shares::end`], when its bytes are really gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A body's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BodyId(u64);

/// What became of a body that waited, or that was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has the room that it asked for.
    Served,
    /// It gets none any more, and is to give back what it has.
    LetGo,
}

/// Verdicts that are to be passed on, each with what the body was begun with.
pub(super) type Verdicts<T> = Vec<(BodyId, T, Verdict)>;

/// The answer to one who asks for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Here it is.
    Served,
    /// There is none now; a verdict follows.
    Waits,
    /// There is none any more.
    LetGo,
}

/// With so many bytes of progress a body begins, because it is too early to say that it makes none.
const CREDIT: u64 = 64 << 10;
/// Progress counts half as much each time this has passed.
const HALF_LIFE: Duration = Duration::from_secs(5);
/// For so long a body that is still being read has the reserve where others wait for it.
const TURN: Duration = Duration::from_secs(10);

/// The room and all who hold some of it. `T` is what a body is begun with, to tell it its verdict.
#[derive(Debug)]
pub(super) struct Shares<T> {
    /// Bytes of the common room that nobody holds.
    free: usize,
    /// Bytes of the common room that come back from bodies that were let go.
    coming: usize,
    /// Bytes of the reserve.
    reserve: usize,
    /// Bytes of both.
    total: usize,
    /// The body that has the reserve, and since when.
    reserved_by: Option<(BodyId, Instant)>,
    accounts: BTreeMap<Arc<str>, Account>,
    bodies: BTreeMap<BodyId, Body<T>>,
    waiting: usize,
    next: u64,
    /// When the first body began.
    epoch: Option<Instant>,
}

#[derive(Debug, Default)]
struct Account {
    /// Bytes of all its bodies, those that were let go aside.
    held: usize,
    /// As many of them are of bodies that are still being read.
    readable: usize,
    /// How many bodies it has, those that were let go aside.
    bodies: usize,
    /// Those that are being read and hold something, by their progress.
    by_progress: BTreeSet<(Rank, BodyId)>,
    /// Those that wait for room, in the order in which they asked.
    waiting: VecDeque<BodyId>,
}

#[derive(Debug)]
struct Body<T> {
    account: Arc<str>,
    tag: T,
    common: usize,
    reserved: usize,
    /// How many bytes it waits for; nought where it does not wait.
    wants: usize,
    /// The number of its question.
    asked: u64,
    /// Whether it has waited long enough to cost a body of its own account.
    presses: bool,
    progress: Progress,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// Read to its end: it goes when its delivery is stored, and is not let go.
    Whole,
    LetGo,
}

/// The bytes that came of late: halved for each half-life that has passed since.
#[derive(Clone, Copy, Debug)]
struct Progress {
    bytes: u64,
    /// How many half-lives there were before.
    half_lives: u64,
}

/// Progress as it compares with that of others. Time passes for all alike, so that it changes only with what arrives: it
/// is the logarithm of the bytes, and how late they came.
type Rank = (u64, u64);

impl Progress {
    fn add(&mut self, bytes: usize, half_lives: u64) {
        let passed = u32::try_from(half_lives.saturating_sub(self.half_lives)).unwrap_or(u32::MAX);
        let left = self.bytes.checked_shr(passed).unwrap_or(0);
        self.bytes = left.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)).max(1);
        self.half_lives = self.half_lives.max(half_lives);
    }

    fn rank(self) -> Rank {
        (self.half_lives + u64::from(self.bytes.ilog2()), self.bytes << self.bytes.leading_zeros())
    }
}

impl<T: Clone> Shares<T> {
    /// So many bytes in all, of which so many are kept for accounts that hold nothing; three quarters of all at the most.
    pub(super) fn new(total: usize, reserve: usize) -> Self {
        let reserve = reserve.min(total - total / 4);
        Self {
            free: total - reserve,
            coming: 0,
            reserve,
            total,
            reserved_by: None,
            accounts: BTreeMap::new(),
            bodies: BTreeMap::new(),
            waiting: 0,
            next: 0,
            epoch: None,
        }
    }

    /// A body of an account begins; it holds nothing yet.
    pub(super) fn begin(&mut self, account: &str, tag: T, now: Instant) -> BodyId {
        let id = BodyId(self.number());
        let account = self.accounts.get_key_value(account).map_or_else(|| Arc::from(account), |(name, _)| name.clone());
        self.accounts.entry(Arc::clone(&account)).or_default().bodies += 1;
        let progress = Progress { bytes: CREDIT, half_lives: self.half_lives(now) };
        let body = Body {
            account,
            tag,
            common: 0,
            reserved: 0,
            wants: 0,
            asked: 0,
            presses: false,
            progress,
            state: State::Reading,
        };
        self.bodies.insert(id, body);
        id
    }

    /// So many bytes of a body have arrived, and it needs so many more bytes of room.
    pub(super) fn ask(
        &mut self,
        id: BodyId,
        arrived: usize,
        wants: usize,
        now: Instant,
        verdicts: &mut Verdicts<T>,
    ) -> Asked {
        let (asked, half_lives) = (self.number(), self.half_lives(now));
        let Some(body) = self.bodies.get_mut(&id).filter(|body| body.state == State::Reading) else {
            return Asked::LetGo;
        };
        // What is larger than everything would wait in vain, and others behind it.
        if body.held().saturating_add(wants) > self.total {
            self.let_go(id);
            return Asked::LetGo;
        }
        let rank = body.progress.rank();
        body.progress.add(arrived, half_lives);
        (body.wants, body.asked, body.presses) = (wants, asked, false);
        self.place(id, rank);
        let has_reserve = self.reserved_by.is_some_and(|(holder, _)| holder == id);
        if wants == 0 || ((self.waiting == 0 || has_reserve) && self.give(id, now)) {
            return Asked::Served;
        }
        let account = self.bodies.get(&id).map(|body| Arc::clone(&body.account));
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(&account)) {
            account.waiting.push_back(id);
            self.waiting += 1;
        }
        self.settle(now, verdicts);
        if self.bodies.get(&id).is_some_and(|body| body.wants > 0) {
            return Asked::Waits;
        }
        // The asker is told by the answer.
        verdicts.retain(|(told, _, _)| *told != id);
        Asked::Served
    }

    /// A body has waited for a while: from now on it may cost a body of its own account.
    pub(super) fn press(&mut self, id: BodyId, now: Instant, verdicts: &mut Verdicts<T>) {
        if let Some(body) = self.bodies.get_mut(&id) {
            body.presses = true;
        }
        self.settle(now, verdicts);
    }

    /// A body waits no longer, and is to give back what it has.
    pub(super) fn give_up(&mut self, id: BodyId, now: Instant, verdicts: &mut Verdicts<T>) {
        if self.bodies.get(&id).is_some_and(|body| body.state != State::LetGo) {
            self.let_go(id);
            self.settle(now, verdicts);
        }
    }

    /// A body gives so many bytes back and keeps the rest.
    pub(super) fn give_back(&mut self, id: BodyId, bytes: usize, now: Instant, verdicts: &mut Verdicts<T>) {
        let Some(body) = self.bodies.get_mut(&id) else { return };
        let rank = body.progress.rank();
        let of_common = bytes.min(body.common);
        let of_reserve = (bytes - of_common).min(body.reserved);
        body.common -= of_common;
        body.reserved -= of_reserve;
        self.free += of_common;
        if body.state == State::LetGo {
            self.coming -= of_common;
        } else if let Some(account) = self.accounts.get_mut(&body.account) {
            account.held -= of_common + of_reserve;
            account.readable -= if body.state == State::Reading { of_common + of_reserve } else { 0 };
            self.place(id, rank);
        }
        self.settle(now, verdicts);
    }

    /// A body is whole. It keeps its room and cannot be let go any more.
    pub(super) fn finish(&mut self, id: BodyId) {
        if let Some(body) = self.bodies.get_mut(&id).filter(|body| body.state == State::Reading) {
            body.state = State::Whole;
            let (held, rank) = (body.held(), body.progress.rank());
            if let Some(account) = self.accounts.get_mut(&body.account) {
                account.readable -= held;
                account.by_progress.remove(&(rank, id));
            }
        }
    }

    /// A body is gone with all that it held.
    pub(super) fn end(&mut self, id: BodyId, now: Instant, verdicts: &mut Verdicts<T>) {
        self.take_off(id);
        let Some(body) = self.bodies.remove(&id) else { return };
        self.free += body.common;
        if body.state == State::LetGo {
            self.coming -= body.common;
        }
        if self.reserved_by.is_some_and(|(holder, _)| holder == id) {
            self.reserved_by = None;
        }
        self.settle(now, verdicts);
    }

    /// How many bodies wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes that bodies hold.
    pub(super) fn held(&self) -> usize {
        let reserved =
            self.reserved_by.and_then(|(holder, _)| self.bodies.get(&holder)).map_or(0, |body| body.reserved);
        self.total - self.reserve - self.free + reserved
    }

    fn half_lives(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_secs() / HALF_LIFE.as_secs()
    }

    /// Puts a body of such a former rank in its place among those of its account.
    fn place(&mut self, id: BodyId, former: Rank) {
        let Some(body) = self.bodies.get(&id) else { return };
        let Some(account) = self.accounts.get_mut(&body.account) else { return };
        account.by_progress.remove(&(former, id));
        if body.state == State::Reading && body.held() > 0 {
            account.by_progress.insert((body.progress.rank(), id));
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Serves those who wait, in their order, and makes room for the first of them while there is somebody to let go.
    fn settle(&mut self, now: Instant, verdicts: &mut Verdicts<T>) {
        while let Some(first) = self.first_waiting() {
            if self.give(first, now) {
                self.tell(first, Verdict::Served, verdicts);
                continue;
            }
            let wants = self.bodies.get(&first).map_or(0, |body| body.wants);
            if self.free + self.coming >= wants {
                return;
            }
            let Some(victim) = self.victim(first, now) else { return };
            self.let_go(victim);
            self.tell(victim, Verdict::LetGo, verdicts);
        }
    }

    fn tell(&self, id: BodyId, verdict: Verdict, verdicts: &mut Verdicts<T>) {
        verdicts.extend(self.bodies.get(&id).map(|body| (id, body.tag.clone(), verdict)));
    }

    /// Of the account that holds least, the body that asked first.
    fn first_waiting(&self) -> Option<BodyId> {
        if self.waiting == 0 {
            return None;
        }
        let fronts = self.accounts.values().filter_map(|account| Some((account.held, *account.waiting.front()?)));
        let asked = |id: BodyId| self.bodies.get(&id).map(|body| body.asked);
        fronts.min_by_key(|(held, id)| (*held, asked(*id))).map(|(_, id)| id)
    }

    /// Gives a body what it wants, if there is so much for it.
    fn give(&mut self, id: BodyId, now: Instant) -> bool {
        let Some(Body { account, wants, .. }) = self.bodies.get(&id) else { return false };
        let (account, wants) = (Arc::clone(account), *wants);
        let holds_nothing = self.accounts.get(&account).is_some_and(|account| account.held == 0);
        if wants > self.free && holds_nothing {
            self.free_reserve(now, id, wants);
        }
        let has_reserve = self.reserved_by.is_some_and(|(holder, _)| holder == id);
        let Some(body) = self.bodies.get_mut(&id) else { return false };
        if has_reserve && body.reserved + wants <= self.reserve {
            body.reserved += wants;
        } else if wants <= self.free {
            body.common += wants;
            self.free -= wants;
        } else {
            return false;
        }
        let rank = body.progress.rank();
        if let Some(account) = self.accounts.get_mut(&account) {
            account.held += wants;
            account.readable += wants;
            account.by_progress.insert((rank, id));
        }
        self.leave(id);
        true
    }

    /// Gives the reserve to a body, if nobody has it or the common room can take over what the one who has it holds.
    fn free_reserve(&mut self, now: Instant, id: BodyId, wants: usize) {
        if let Some(holder) = self.reserved_by.and_then(|(holder, _)| self.bodies.get_mut(&holder)) {
            if holder.reserved > self.free || holder.state == State::LetGo {
                return;
            }
            self.free -= holder.reserved;
            holder.common += holder.reserved;
            holder.reserved = 0;
        }
        self.reserved_by = (wants <= self.reserve).then_some((id, now));
    }

    /// A body waits no longer.
    fn leave(&mut self, id: BodyId) {
        let Some(body) = self.bodies.get_mut(&id).filter(|body| body.wants > 0) else { return };
        body.wants = 0;
        let Some(account) = self.accounts.get_mut(&body.account) else { return };
        if let Some(at) = account.waiting.iter().position(|waiting| *waiting == id) {
            account.waiting.remove(at);
            self.waiting -= 1;
        }
    }

    /// A body is read no further. What it holds comes back at its end.
    fn let_go(&mut self, id: BodyId) {
        self.take_off(id);
        let Some(body) = self.bodies.get_mut(&id) else { return };
        body.state = State::LetGo;
        self.coming += body.common;
    }

    /// Takes a body and what it holds off its account; one that was let go is off it already.
    fn take_off(&mut self, id: BodyId) {
        self.leave(id);
        let Some(body) = self.bodies.get(&id) else { return };
        let Some(account) = self.accounts.get_mut(&body.account) else { return };
        if body.state != State::LetGo {
            account.bodies -= 1;
            account.held -= body.held();
            account.readable -= if body.state == State::Reading { body.held() } else { 0 };
            account.by_progress.remove(&(body.progress.rank(), id));
        }
        if account.bodies == 0 {
            self.accounts.remove(&body.account);
        }
    }

    /// The body that is to make room for one that waits: of the account that holds most. That can be the waiting body's
    /// own account, which then has some time first, because room mostly comes back by itself.
    fn victim(&self, waiting: BodyId, now: Instant) -> Option<BodyId> {
        let body = self.bodies.get(&waiting)?;
        let own = self.accounts.get(&body.account)?;
        let would_hold = own.held + body.wants;
        let others = self.accounts.iter().filter(|(name, account)| **name != body.account && account.readable > 0);
        let other = others.map(|(_, account)| account).max_by_key(|account| account.held);
        if let Some(other) = other.filter(|other| other.held > would_hold) {
            return other.least_progress();
        }
        if !body.presses {
            return None;
        }
        if let Some((holder, since)) = self.reserved_by.filter(|_| own.held == 0) {
            let is_read = self.bodies.get(&holder).is_some_and(|holder| holder.state == State::Reading);
            if is_read && now.saturating_duration_since(since) >= TURN {
                return Some(holder);
            }
        }
        let holds_most = self.accounts.values().all(|account| account.held <= would_hold);
        if holds_most { own.least_progress() } else { None }
    }
}

impl Account {
    /// Of its bodies that are being read and hold something, the one that made the least progress of late.
    fn least_progress(&self) -> Option<BodyId> {
        self.by_progress.first().map(|(_, id)| *id)
    }
}

impl<T> Body<T> {
    fn held(&self) -> usize {
        self.common + self.reserved
    }
}

#[cfg(test)]
mod tests;
