//! Who may have room for a body, and who must give it back: the accounting alone, without tasks, clocks or wakers.
//!
//! Room is taken piece by piece and counted by account (a credential, an address, a workspace). One part of it, the reserve, is as large as one
//! whole body and is given only to an account that holds nothing, to one body at a time. All the rest is common. Whoever
//! finds no room waits; of those who wait, the account that holds least is served first, and of equals the one that
//! asked first. Where room must be made, the account that holds most loses the body that made the least progress.
//!
//! A body that is let go keeps what it holds until [`Shares::end`], when its bytes are really gone.

mod body;
mod evict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use body::BodyId;
pub use body::Eviction;
use body::{Account, Body, CREDIT, HALF_LIFE, Progress, Rank, State};

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
pub(super) enum Decision {
    /// The bytes are taken at once.
    Served,
    /// There is none now; a verdict follows.
    Waits,
    /// There is none any more.
    LetGo,
}

/// For so long a body that is still being read has the reserve where others wait for it.
const RESERVE_TIME: Duration = Duration::from_secs(10);

/// How much room there is, and how it is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all accounts may hold together, the reserve among them.
    pub total: usize,
    /// As many of them are kept for accounts that hold nothing; three quarters of all at the most.
    pub reserve: usize,
    /// An account that holds something gets no more than this in all.
    pub most_of_one: usize,
    /// Who has to go where there is no room.
    pub eviction: Eviction,
}

/// The room and all who hold some of it. `T` is what a body is begun with, to send it its verdict.
#[derive(Debug)]
pub(super) struct Shares<T> {
    /// Bytes of the common room that nobody holds.
    free: usize,
    /// Bytes that are held beyond the common room.
    overdrawn: usize,
    /// Bytes of the common room that come back from bodies that were let go.
    coming: usize,
    /// Bytes of the reserve.
    reserve: usize,
    limits: Limits,
    /// The body that has the reserve, and since when.
    reserved_by: Option<(BodyId, Instant)>,
    accounts: BTreeMap<Arc<str>, Account>,
    bodies: BTreeMap<BodyId, Body<T>>,
    waiting: usize,
    next: u64,
    /// When the first body began.
    epoch: Option<Instant>,
}

impl<T: Clone> Shares<T> {
    /// Room within limits; nobody holds any yet.
    pub(super) fn new(limits: Limits) -> Self {
        let Limits { total, reserve, .. } = limits;
        let reserve = reserve.min(total - total / 4);
        Self {
            free: total - reserve,
            overdrawn: 0,
            coming: 0,
            reserve,
            limits,
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
    ) -> Decision {
        let (asked, half_lives, eviction) = (self.number(), self.half_lives(now), self.limits.eviction);
        let Some(body) = self.bodies.get_mut(&id).filter(|body| body.state == State::Reading) else {
            return Decision::LetGo;
        };
        // What is larger than everything would wait in vain, and others behind it.
        if body.held().saturating_add(wants) > self.limits.total {
            self.let_go(id);
            return Decision::LetGo;
        }
        let rank = body.rank(id, eviction);
        body.progress.add(arrived, half_lives);
        (body.wants, body.asked, body.presses) = (wants, asked, false);
        self.place(id, rank);
        let has_reserve = self.reserved_by.is_some_and(|(holder, _)| holder == id);
        if wants == 0 || ((self.waiting == 0 || has_reserve) && self.give(id, now)) {
            return Decision::Served;
        }
        let account = self.bodies.get(&id).map(|body| Arc::clone(&body.account));
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(&account)) {
            account.waiting.push_back(id);
            self.waiting += 1;
        }
        self.settle(now, verdicts);
        if self.bodies.get(&id).is_some_and(|body| body.wants > 0) {
            return Decision::Waits;
        }
        // The caller learns it from the return value.
        verdicts.retain(|(told, _, _)| *told != id);
        Decision::Served
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
        let eviction = self.limits.eviction;
        let Some(body) = self.bodies.get_mut(&id) else { return };
        let rank = body.rank(id, eviction);
        let of_common = bytes.min(body.common);
        let of_reserve = (bytes - of_common).min(body.reserved);
        body.common -= of_common;
        body.reserved -= of_reserve;
        if body.state == State::LetGo {
            self.coming -= of_common;
        } else if let Some(account) = self.accounts.get_mut(&body.account) {
            account.held -= of_common + of_reserve;
            account.readable -= if body.state == State::Reading { of_common + of_reserve } else { 0 };
            self.place(id, rank);
        }
        self.come_back(of_common);
        self.settle(now, verdicts);
    }

    /// A body is whole. It keeps its room and cannot be let go any more.
    pub(super) fn finish(&mut self, id: BodyId) {
        let eviction = self.limits.eviction;
        if let Some(body) = self.bodies.get_mut(&id).filter(|body| body.state == State::Reading) {
            body.state = State::Whole;
            let (held, rank) = (body.held(), body.rank(id, eviction));
            if let Some(account) = self.accounts.get_mut(&body.account) {
                account.readable -= held;
                account.by_rank.remove(&(rank, id));
            }
        }
    }

    /// A body is gone with all that it held.
    pub(super) fn end(&mut self, id: BodyId, now: Instant, verdicts: &mut Verdicts<T>) {
        self.take_off(id);
        let Some(body) = self.bodies.remove(&id) else { return };
        if body.state == State::LetGo {
            self.coming -= body.common;
        }
        self.come_back(body.common);
        if self.reserved_by.is_some_and(|(holder, _)| holder == id) {
            self.reserved_by = None;
        }
        self.settle(now, verdicts);
    }

    /// How many bodies wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes that all accounts may hold together.
    pub(super) fn total(&self) -> usize {
        self.limits.total
    }

    /// Bytes that bodies hold.
    pub(super) fn held(&self) -> usize {
        let reserved =
            self.reserved_by.and_then(|(holder, _)| self.bodies.get(&holder)).map_or(0, |body| body.reserved);
        self.limits.total - self.reserve - self.free + self.overdrawn + reserved
    }

    /// Bytes of the common room are held no more.
    fn come_back(&mut self, bytes: usize) {
        let owed = bytes.min(self.overdrawn);
        self.overdrawn -= owed;
        self.free += bytes - owed;
    }

    fn half_lives(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_secs() / HALF_LIFE.as_secs()
    }

    /// Puts a body of such a former rank in its place among those of its account.
    fn place(&mut self, id: BodyId, former: Rank) {
        let eviction = self.limits.eviction;
        let Some(body) = self.bodies.get(&id) else { return };
        let Some(account) = self.accounts.get_mut(&body.account) else { return };
        account.by_rank.remove(&(former, id));
        if body.state == State::Reading && body.held() > 0 {
            account.by_rank.insert((body.rank(id, eviction), id));
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
        let wants = |id: BodyId| self.bodies.get(&id).map_or(0, |body| body.wants);
        let fronts = fronts.filter(|(held, id)| self.may_hold(*held, wants(*id)));
        let asked = |id: BodyId| self.bodies.get(&id).map(|body| body.asked);
        fronts.min_by_key(|(held, id)| (*held, asked(*id))).map(|(_, id)| id)
    }

    /// Whether an account that holds so much may have so much more. One that holds nothing may, up to all there is.
    fn may_hold(&self, held: usize, wants: usize) -> bool {
        held == 0 || held.saturating_add(wants) <= self.limits.most_of_one
    }

    /// Gives a body what it wants, if there is so much for it.
    fn give(&mut self, id: BodyId, now: Instant) -> bool {
        let Some(Body { account, wants, .. }) = self.bodies.get(&id) else { return false };
        let (account, wants) = (Arc::clone(account), *wants);
        let held = self.accounts.get(&account).map_or(0, |account| account.held);
        if !self.may_hold(held, wants) {
            return false;
        }
        if wants > self.free && held == 0 {
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
        let rank = body.rank(id, self.limits.eviction);
        if let Some(account) = self.accounts.get_mut(&account) {
            account.held += wants;
            account.readable += wants;
            account.by_rank.insert((rank, id));
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
}

#[cfg(test)]
mod tests;
