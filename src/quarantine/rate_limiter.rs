//! So many a minute for each key, and how many more there were; within bounds itself, however many keys there are.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};

/// As many keys are known at a time.
const MOST_KEYS: usize = 10_000;

/// Counts by key. A key's minute begins with its first permit.
#[derive(Debug)]
pub(super) struct RateLimiter<K> {
    per_minute: u32,
    minutes: HashMap<K, Minute>,
    /// The keys with the beginnings of their minutes, in that order. Those of former minutes are in it until they are reached
    /// to be forgotten.
    order: VecDeque<(K, DateTime<Utc>)>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    began_at: DateTime<Utc>,
    taken: u32,
    left_out: u64,
}

impl Minute {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        // A clock that was put back does not make a minute longer.
        now < self.began_at || now - self.began_at >= TimeDelta::minutes(1)
    }
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, minutes: HashMap::new(), order: VecDeque::new() }
    }

    /// Takes a permit, if the key's minute has one left. Returns how many were left out in the minute before.
    pub(super) fn take(&mut self, key: &K, now: DateTime<Utc>) -> Option<u64> {
        let known = self.minutes.get(key).copied();
        let current = known.filter(|minute| !minute.is_over(now));
        let mut left_out = 0;
        let mut minute = current.unwrap_or_else(|| {
            left_out = known.map_or(0, |former| former.left_out);
            self.make_room();
            self.order.push_back((key.clone(), now));
            Minute { began_at: now, taken: 0, left_out: 0 }
        });
        let has_turn = minute.taken < self.per_minute;
        if has_turn {
            minute.taken += 1;
        } else {
            minute.left_out += 1;
        }
        self.minutes.insert(key.clone(), minute);
        has_turn.then_some(left_out)
    }

    /// Forgets the keys whose minute is over, and gives those of which some were left out.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) -> Vec<(K, u64)> {
        let mut left_out = Vec::new();
        self.minutes.retain(|key, minute| {
            let over = minute.is_over(now);
            if over && minute.left_out > 0 {
                left_out.push((key.clone(), minute.left_out));
            }
            !over
        });
        let minutes = &self.minutes;
        self.order.retain(|(key, began_at)| minutes.get(key).is_some_and(|minute| minute.began_at == *began_at));
        left_out
    }

    /// Where as many keys are known as may be, the one whose minute began first is forgotten.
    fn make_room(&mut self) {
        if self.order.len() < MOST_KEYS {
            return;
        }
        let Some((key, began_at)) = self.order.pop_front() else { return };
        if self.minutes.get(&key).is_some_and(|minute| minute.began_at == began_at) {
            self.minutes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn each_key_has_so_many_turns_a_minute() {
        let mut limiter = RateLimiter::new(2);
        let taken: Vec<_> = [0, 1, 2, 59].map(|at| limiter.take(&"a", second(at)).is_some()).into();
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!(limiter.take(&"b", second(59)), Some(0));
        assert_eq!(limiter.take(&"a", second(60)), Some(2), "two were left out in the minute before");
        assert_eq!(limiter.take(&"a", second(60)), Some(0));
        assert_eq!(limiter.take(&"a", second(61)), None);
        assert_eq!(limiter.take(&"a", second(10)), Some(1), "a clock that was put back begins a new minute");
    }

    #[test]
    fn what_was_left_out_is_told_when_the_minute_is_over() {
        let mut limiter = RateLimiter::new(1);
        for (key, at) in [("a", 0), ("a", 1), ("b", 1), ("c", 30), ("c", 31)] {
            limiter.take(&key, second(at));
        }
        assert_eq!(limiter.forget(second(59)), []);
        assert_eq!(limiter.forget(second(61)), [("a", 1)]);
        assert_eq!(limiter.minutes.keys().copied().collect::<Vec<_>>(), ["c"]);
        assert_eq!(limiter.order.len(), 1);
    }

    #[test]
    fn however_many_keys_come_only_so_many_are_known() {
        let mut limiter = RateLimiter::new(1);
        for key in 0..30_000_u32 {
            assert!(limiter.take(&key, second(i64::from(key / 1_000))).is_some());
        }
        assert_eq!((limiter.minutes.len(), limiter.order.len()), (MOST_KEYS, MOST_KEYS));
        assert!(limiter.take(&29_999, second(30)).is_none(), "the newest are known");
    }
}
