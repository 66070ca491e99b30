//! Who has to go where there is no room.

use std::time::Instant;

use super::body::{Account, State};
use super::{BodyId, Eviction, RESERVE_TIME, Shares, Verdict, Verdicts};

impl<T: Clone> Shares<T> {
    /// A body holds so many bytes more, whether there is room for them or not. Where there is none, as many are let go as
    /// give that room back, which may be this one.
    pub(in crate::budget) fn hold(&mut self, id: BodyId, bytes: usize, verdicts: &mut Verdicts<T>) {
        let eviction = self.limits.eviction;
        let Some(body) = self.bodies.get_mut(&id).filter(|body| body.state == State::Reading) else { return };
        let rank = body.rank(id, eviction);
        body.common += bytes;
        if let Some(account) = self.accounts.get_mut(&body.account) {
            account.held += bytes;
            account.readable += bytes;
        }
        self.place(id, rank);
        let there = bytes.min(self.free);
        self.free -= there;
        self.overdrawn += bytes - there;
        let Eviction::NewestFirst { spared } = eviction else { return };
        while bytes > spared && self.overdrawn > self.coming {
            let heaviest =
                self.accounts.values().filter(|account| account.readable > 0).max_by_key(|account| account.held);
            let Some(victim) = heaviest.and_then(Account::first_to_go) else { return };
            self.let_go(victim);
            self.tell(victim, Verdict::LetGo, verdicts);
        }
    }

    /// A body is read no further. What it holds comes back at its end.
    pub(super) fn let_go(&mut self, id: BodyId) {
        self.take_off(id);
        let Some(body) = self.bodies.get_mut(&id) else { return };
        body.state = State::LetGo;
        self.coming += body.common;
    }

    /// Takes a body and what it holds off its account; one that was let go is off it already.
    pub(super) fn take_off(&mut self, id: BodyId) {
        let eviction = self.limits.eviction;
        self.leave(id);
        let Some(body) = self.bodies.get(&id) else { return };
        let Some(account) = self.accounts.get_mut(&body.account) else { return };
        if body.state != State::LetGo {
            account.bodies -= 1;
            account.held -= body.held();
            account.readable -= if body.state == State::Reading { body.held() } else { 0 };
            account.by_rank.remove(&(body.rank(id, eviction), id));
        }
        if account.bodies == 0 {
            self.accounts.remove(&body.account);
        }
    }

    /// The body that is to make room for one that waits: of the account that holds most. That can be the waiting body's
    /// own account, which then has some time first, because room mostly comes back by itself.
    pub(super) fn victim(&self, waiting: BodyId, now: Instant) -> Option<BodyId> {
        if self.limits.eviction != Eviction::LeastProgress {
            return None;
        }
        let body = self.bodies.get(&waiting)?;
        let own = self.accounts.get(&body.account)?;
        let would_hold = own.held + body.wants;
        let others = self.accounts.iter().filter(|(name, account)| **name != body.account && account.readable > 0);
        let other = others.map(|(_, account)| account).max_by_key(|account| account.held);
        if let Some(other) = other.filter(|other| other.held > would_hold) {
            return other.first_to_go();
        }
        if !body.presses {
            return None;
        }
        if let Some((holder, since)) = self.reserved_by.filter(|_| own.held == 0) {
            let is_read = self.bodies.get(&holder).is_some_and(|holder| holder.state == State::Reading);
            if is_read && now.saturating_duration_since(since) >= RESERVE_TIME {
                return Some(holder);
            }
        }
        let holds_most = self.accounts.values().all(|account| account.held <= would_hold);
        if holds_most { own.first_to_go() } else { None }
    }
}
