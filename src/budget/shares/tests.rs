//! Who is served, and who must go.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn limits(total: usize, reserve: usize) -> Limits {
    Limits { total, reserve, most_of_one: usize::MAX, eviction: Eviction::LeastProgress }
}

/// A room of 100 bytes with a reserve of 20, at a second of its own.
struct Room {
    shares: Shares<&'static str>,
    began: Instant,
    second: u64,
    verdicts: Verdicts<&'static str>,
}

impl Room {
    fn new() -> Self {
        Self { shares: Shares::new(limits(100, 20)), began: Instant::now(), second: 0, verdicts: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_secs(self.second)
    }

    fn begin(&mut self, account: &str, tag: &'static str) -> BodyId {
        self.shares.begin(account, tag, self.now())
    }

    /// So many bytes have arrived, and as much room is asked for.
    fn ask(&mut self, id: BodyId, bytes: usize) -> Decision {
        let now = self.now();
        let asked = self.shares.ask(id, bytes, bytes, now, &mut self.verdicts);
        check(&self.shares, 100, 20);
        asked
    }

    /// A body that has so many bytes.
    fn filled(&mut self, account: &str, tag: &'static str, bytes: usize) -> BodyId {
        let id = self.begin(account, tag);
        assert_eq!(self.ask(id, bytes), Decision::Served, "{tag}");
        id
    }

    fn press(&mut self, id: BodyId) {
        let now = self.now();
        self.shares.press(id, now, &mut self.verdicts);
        check(&self.shares, 100, 20);
    }

    fn end(&mut self, id: BodyId) {
        let now = self.now();
        self.shares.end(id, now, &mut self.verdicts);
        check(&self.shares, 100, 20);
    }

    /// The verdicts since the last time.
    fn told(&mut self) -> Vec<(&'static str, Verdict)> {
        self.verdicts.drain(..).map(|(_, tag, verdict)| (tag, verdict)).collect()
    }
}

/// Every byte is somewhere once, and the sums are those of what they add up.
fn check<T>(shares: &Shares<T>, total: usize, reserve: usize) {
    let of = |kind: fn(&Body<T>) -> usize| shares.bodies.values().map(kind).sum::<usize>();
    assert_eq!(shares.free + of(|body| body.common), total - reserve + shares.overdrawn, "the common room");
    let coming = of(|body| if body.state == State::LetGo { body.common } else { 0 });
    assert_eq!(shares.coming, coming);
    for (id, body) in &shares.bodies {
        let is_holder = shares.reserved_by.is_some_and(|(holder, _)| holder == *id);
        assert!(body.reserved == 0 || is_holder && body.reserved <= reserve, "one body has the reserve");
    }
    for (name, account) in &shares.accounts {
        let bodies = shares.bodies.iter().filter(|(_, body)| body.account == *name && body.state != State::LetGo);
        let bodies: Vec<_> = bodies.collect();
        let ranked = bodies.iter().filter(|(_, body)| body.state == State::Reading && body.held() > 0);
        let ranked: BTreeSet<_> = ranked.map(|(id, body)| (body.rank(**id, shares.limits.eviction), **id)).collect();
        assert_eq!((account.bodies, &account.by_rank), (bodies.len(), &ranked));
        assert!(!bodies.is_empty());
        let bodies: Vec<_> = bodies.into_iter().map(|(_, body)| body).collect();
        assert_eq!(account.held, bodies.iter().map(|body| body.held()).sum::<usize>());
        let readable = bodies.iter().filter(|body| body.state == State::Reading).map(|body| body.held()).sum::<usize>();
        assert_eq!(account.readable, readable);
        assert!(account.waiting.iter().all(|id| shares.bodies[id].wants > 0));
    }
    assert_eq!(shares.waiting, shares.accounts.values().map(|account| account.waiting.len()).sum::<usize>());
    assert_eq!(shares.waiting, shares.bodies.values().filter(|body| body.wants > 0).count());
}

#[test]
fn one_credential_may_take_all_but_room_for_one_whole_body() {
    let mut room = Room::new();
    room.filled("slow", "first", 50);
    let second = room.filled("slow", "second", 30);
    assert_eq!(room.ask(second, 1), Decision::Waits);
    // Whoever holds nothing is served at once, piece by piece, up to a whole body.
    let other = room.filled("other", "other", 5);
    assert_eq!(room.ask(other, 15), Decision::Served);
    assert_eq!(room.told(), []);
    room.end(other);
    assert_eq!(room.told(), [], "the reserve goes to nobody who holds something");
    room.filled("another", "another", 20);
}

#[test]
fn those_who_hold_nothing_have_the_reserve_in_turn() {
    let mut room = Room::new();
    // Whole: it can make no room.
    let full = room.filled("full", "full", 80);
    room.shares.finish(full);
    let first = room.filled("a", "first", 20);
    room.shares.finish(first);
    let (second, third) = (room.begin("z", "second"), room.begin("b", "third"));
    assert_eq!((room.ask(second, 20), room.ask(third, 20)), (Decision::Waits, Decision::Waits));
    room.end(first);
    assert_eq!(room.told(), [("second", Verdict::Served)]);
    room.end(second);
    assert_eq!(room.told(), [("third", Verdict::Served)]);
}

#[test]
fn the_reserve_is_free_again_once_the_common_room_can_take_what_is_in_it() {
    let mut room = Room::new();
    let full = room.filled("full", "full", 80);
    room.filled("a", "first", 20);
    room.end(full);
    room.filled("full", "full", 55);
    // 25 are free in the common room: the first body moves there.
    room.filled("b", "second", 20);
    let third = room.begin("c", "third");
    assert_eq!(room.ask(third, 6), Decision::Waits);
}

#[test]
fn who_stands_still_in_the_reserve_keeps_it_for_a_turn_only() {
    let mut room = Room::new();
    let full = room.filled("full", "full", 80);
    room.shares.finish(full);
    let first = room.filled("a", "first", 3);
    let second = room.begin("b", "second");
    assert_eq!(room.ask(second, 5), Decision::Waits);
    room.press(second);
    assert_eq!(room.told(), []);
    room.second = 10;
    room.press(second);
    assert_eq!(room.told(), [("first", Verdict::LetGo)]);
    room.end(first);
    assert_eq!(room.told(), [("second", Verdict::Served)]);
}

#[test]
fn of_the_credential_that_holds_most_the_body_with_the_least_progress_makes_room() {
    let mut room = Room::new();
    // The one that was fast and stands still now holds most, and is the one to go.
    let stalled = room.filled("many", "stalled", 30);
    let steady = room.filled("many", "steady", 5);
    for second in 1..=20 {
        room.second = second;
        room.shares.ask(steady, 3, 0, room.now(), &mut room.verdicts);
    }
    room.filled("many", "new", 12);
    let other = room.filled("other", "other", 33);
    assert_eq!(room.ask(other, 1), Decision::Waits);
    assert_eq!(room.told(), [("stalled", Verdict::LetGo)]);
    assert_eq!(room.ask(stalled, 1), Decision::LetGo);
    room.end(stalled);
    assert_eq!(room.told(), [("other", Verdict::Served)]);
}

#[test]
fn nobody_makes_room_for_one_who_would_hold_as_much() {
    let mut room = Room::new();
    room.filled("one", "one", 40);
    let other = room.filled("other", "other", 39);
    assert_eq!(room.ask(other, 2), Decision::Waits);
    assert_eq!(room.told(), []);
    // After its grace it is the one that holds most.
    room.press(other);
    assert_eq!(room.told(), [("other", Verdict::LetGo)]);
}

#[test]
fn a_credential_waits_for_its_own_room_before_it_costs_one_of_its_own_bodies() {
    let mut room = Room::new();
    let whole = room.filled("one", "whole", 40);
    room.shares.finish(whole);
    let slow = room.filled("one", "slow", 40);
    room.second = 30;
    let quick = room.begin("one", "quick");
    assert_eq!(room.ask(quick, 10), Decision::Waits);
    room.end(whole);
    assert_eq!(room.told(), [("quick", Verdict::Served)], "it came back by itself");
    assert_eq!(room.ask(quick, 31), Decision::Waits);
    room.press(quick);
    assert_eq!(room.told(), [("slow", Verdict::LetGo)]);
    room.end(slow);
    assert_eq!(room.told(), [("quick", Verdict::Served)]);
}

#[test]
fn whole_bodies_are_never_let_go() {
    let mut room = Room::new();
    let whole = room.filled("one", "whole", 80);
    room.shares.finish(whole);
    let held = room.filled("other", "held", 10);
    let other = room.begin("other", "other");
    assert_eq!(room.ask(other, 10), Decision::Waits);
    room.press(other);
    room.second = 60;
    room.press(other);
    assert_eq!(room.told(), [], "the credential that holds most has nothing to let go of");
    room.end(whole);
    assert_eq!(room.told(), [("other", Verdict::Served)]);
    room.end(held);
}

#[test]
fn what_is_larger_than_everything_is_let_go_and_who_gives_up_holds_up_nobody() {
    let mut room = Room::new();
    let large = room.filled("one", "large", 50);
    assert_eq!(room.ask(large, 51), Decision::LetGo);
    let other = room.begin("other", "other");
    assert_eq!(room.ask(other, 31), Decision::Waits);
    let next = room.begin("next", "next");
    assert_eq!(room.ask(next, 30), Decision::Waits);
    let now = room.now();
    room.shares.give_up(other, now, &mut room.verdicts);
    check(&room.shares, 100, 20);
    assert_eq!(room.told(), [("next", Verdict::Served)]);
}

#[test]
fn who_holds_least_is_served_first() {
    let mut room = Room::new();
    let full = room.filled("full", "full", 60);
    room.shares.finish(full);
    let (more, less) = (room.filled("more", "more", 12), room.filled("less", "less", 8));
    assert_eq!((room.ask(more, 5), room.ask(less, 5)), (Decision::Waits, Decision::Waits));
    room.end(full);
    assert_eq!(room.told(), [("less", Verdict::Served), ("more", Verdict::Served)]);
}

/// Forty credentials with one body each, together far more than there is room for: nobody waits for ever.
#[test]
fn as_many_as_find_room_come_to_their_end_and_the_rest_is_let_go() {
    let mut room = Room::new();
    let mut open: Vec<(BodyId, usize)> =
        (0..40).map(|number| (room.begin(&format!("credential {number}"), "body"), 0)).collect();
    let mut done = 0;
    for second in 0..200 {
        room.second = second;
        let mut still = Vec::new();
        for (id, mut bytes) in std::mem::take(&mut open) {
            let wants = room.shares.bodies[&id].wants;
            if wants > 0 {
                room.press(id);
            } else if bytes < 18 && room.shares.bodies[&id].state == State::Reading {
                bytes += 3;
                room.ask(id, 3);
            }
            let body = &room.shares.bodies[&id];
            match (body.state, body.wants) {
                (State::LetGo, _) => room.end(id),
                (State::Reading, 0) if bytes == 18 => {
                    done += 1;
                    room.end(id);
                }
                (State::Reading | State::Whole, _) => still.push((id, bytes)),
            }
        }
        open = still;
    }
    assert!(open.is_empty() && done >= 5, "{done} {open:?}");
    assert!(room.shares.accounts.is_empty() && room.shares.free == 80);
}

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Ask(usize, usize),
    Press(usize),
    GiveBack(usize, usize),
    Finish(usize),
    End(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..100_usize;
    prop_oneof![
        3 => (0..4_usize).prop_map(Step::Begin),
        8 => (any.clone(), 1..15_usize).prop_map(|(body, bytes)| Step::Ask(body, bytes)),
        2 => any.clone().prop_map(Step::Press),
        1 => (any.clone(), 1..15_usize).prop_map(|(body, bytes)| Step::GiveBack(body, bytes)),
        1 => any.clone().prop_map(Step::Finish),
        2 => any.prop_map(Step::End),
        1 => (1..8_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens: no byte is given twice, one who holds nothing finds room for a whole body unless another such
    /// one has it, nobody loses a body to one who would hold as much, and at the end all room is back.
    #[test]
    fn the_laws_hold_whatever_happens(steps in prop::collection::vec(step(), 1..200)) {
        let mut room = Room::new();
        let mut open: Vec<BodyId> = Vec::new();
        for step in steps {
            let pick = |number: usize| open.get(number % open.len().max(1)).copied();
            match step {
                Step::Begin(account) => open.push(room.begin(["a", "b", "c", "d"][account], "body")),
                Step::Ask(number, bytes) => {
                    let Some(id) = pick(number).filter(|id| room.shares.bodies[id].wants == 0) else { continue };
                    let body = &room.shares.bodies[&id];
                    let account = Arc::clone(&body.account);
                    let is_read = body.state == State::Reading;
                    let held = room.shares.accounts.get(&account).map_or(0, |account| account.held);
                    let accounts = room.shares.accounts.iter();
                    let before: BTreeMap<_, _> = accounts.map(|(name, account)| (name.clone(), account.held)).collect();
                    let nobody_waits = room.shares.waiting == 0;
                    let is_first = is_read && held == 0 && nobody_waits && room.shares.reserved_by.is_none();
                    room.verdicts.clear();
                    let asked = room.ask(id, bytes);
                    prop_assert!(!is_first || asked == Decision::Served);
                    for (gone, _, verdict) in room.verdicts.drain(..) {
                        let loses = before.get(&room.shares.bodies[&gone].account).copied().unwrap_or(0);
                        prop_assert!(verdict != Verdict::LetGo || !nobody_waits || loses > held + bytes);
                    }
                }
                Step::Press(number) => pick(number).into_iter().for_each(|id| room.press(id)),
                Step::GiveBack(number, bytes) => {
                    let Some(id) = pick(number) else { continue };
                    let now = room.now();
                    room.shares.give_back(id, bytes, now, &mut room.verdicts);
                    check(&room.shares, 100, 20);
                }
                Step::Finish(number) => {
                    let Some(id) = pick(number).filter(|id| room.shares.bodies[id].wants == 0) else { continue };
                    room.shares.finish(id);
                    check(&room.shares, 100, 20);
                }
                Step::End(number) => {
                    let Some(id) = pick(number) else { continue };
                    open.retain(|other| *other != id);
                    room.end(id);
                }
                Step::Wait(seconds) => room.second += seconds,
            }
        }
        for id in open {
            room.end(id);
        }
        prop_assert!(room.shares.free == 80 && room.shares.bodies.is_empty() && room.shares.accounts.is_empty());
        prop_assert!(room.shares.waiting == 0 && room.shares.coming == 0 && room.shares.reserved_by.is_none());
    }
}

/// Shares without an end of their own, of so many bytes and no more than this for one.
fn plain(total: usize, most_of_one: usize, eviction: Eviction) -> Shares<()> {
    Shares::new(Limits { total, reserve: 0, most_of_one, eviction })
}

#[test]
fn where_nobody_has_to_go_one_has_no_more_than_its_part_and_others_do_not_wait_for_that() {
    let (mut shares, now, mut verdicts) = (plain(100, 50, Eviction::Never), Instant::now(), Vec::new());
    let mut ask = |account: &str, bytes: usize| {
        let id = shares.begin(account, (), now);
        (id, shares.ask(id, 0, bytes, now, &mut verdicts))
    };
    let (first, _) = ask("one", 30);
    assert_eq!(ask("one", 30).1, Decision::Waits, "it would have more than half");
    assert_eq!(ask("other", 50).1, Decision::Served);
    assert_eq!(ask("third", 30).1, Decision::Waits, "there is no room");
    shares.end(first, now, &mut verdicts);
    assert_eq!(verdicts.len(), 1, "what has come back is enough for one of those who wait");
    check(&shares, 100, 0);
}

#[test]
fn where_the_newest_goes_it_is_of_the_one_that_holds_most_and_small_ones_are_spared() {
    let (mut shares, now) = (plain(100, usize::MAX, Eviction::NewestFirst { spared: 5 }), Instant::now());
    let mut verdicts = Vec::new();
    let mut hold = |account: &str, bytes: usize| {
        let id = shares.begin(account, (), now);
        shares.hold(id, bytes, &mut verdicts);
        let let_go: Vec<BodyId> = verdicts.drain(..).map(|(id, (), _)| id).collect();
        (id, let_go)
    };
    let many: Vec<BodyId> = (0..9).map(|_| hold("many", 10).0).collect();
    assert_eq!(hold("other", 10).1, [], "as much as there may be");
    assert_eq!(hold("another", 15).1, [many[8], many[7]]);
    assert_eq!(hold("many", 5).1, [], "a small one costs nobody anything");
    let (own, gone) = hold("many", 10);
    assert_eq!(gone[0], own, "and what it brings now");
    assert_eq!(hold("huge", 1_000).1.len(), 1, "what is larger than all goes itself");
    for id in many {
        shares.end(id, now, &mut Vec::new());
    }
    check(&shares, 100, 0);
}
