//! How far the drain has come through the spool.

use std::time::Duration;

use tokio::time::Instant;

use crate::spool::Key;

/// How long a pass goes on before it looks again at what it left behind, and how long it does that at the most.
const LEG_TIME: Duration = Duration::from_secs(30);

/// One pass through the spool, from the oldest to the newest. While deliveries keep coming it has no end, so that it
/// goes in legs: ahead, and again over what it has left behind and what was spooled there late. Neither holds up the other.
#[derive(Debug)]
pub(super) struct DrainCursor {
    /// How far it has come.
    ahead: Option<Key>,
    /// How far it has looked again; from the oldest where that is none.
    behind: Option<Key>,
    leg: Leg,
    /// When the leg began.
    since: Instant,
    /// Whether anything was settled in it.
    pub(super) settled: bool,
}

#[derive(Clone, Copy, Debug)]
enum Leg {
    Ahead,
    Behind,
}

impl DrainCursor {
    pub(super) fn new(now: Instant) -> Self {
        Self { ahead: None, behind: None, leg: Leg::Ahead, since: now, settled: false }
    }

    /// After which key the next batch begins.
    pub(super) fn after(&self) -> Option<Key> {
        match self.leg {
            Leg::Ahead => self.ahead,
            Leg::Behind => self.behind,
        }
    }

    /// Notes how far a batch went, and whether anything was settled in it.
    pub(super) fn advance(&mut self, last: Key, settled: bool, now: Instant) {
        self.settled |= settled;
        let is_over = now.duration_since(self.since) >= LEG_TIME;
        let next = match self.leg {
            Leg::Ahead => {
                self.ahead = Some(last);
                if is_over { Leg::Behind } else { return }
            }
            Leg::Behind => {
                let has_caught_up = self.ahead <= Some(last);
                self.ahead = self.ahead.max(Some(last));
                self.behind = (!has_caught_up).then_some(last);
                // What is stuck still costs one batch in each leg.
                if has_caught_up || is_over || !settled { Leg::Ahead } else { return }
            }
        };
        (self.leg, self.since) = (next, now);
    }
}

#[cfg(test)]
mod tests {
    //! How a pass goes through the spool.

    use super::*;

    /// The key of the delivery that arrived in such a second.
    fn key(second: i64) -> Key {
        Key::new(chrono::DateTime::from_timestamp(second, 0).unwrap(), uuid::Uuid::nil())
    }

    #[test]
    fn a_pass_without_an_end_looks_again_at_the_oldest_and_goes_on_where_it_was() {
        let began = Instant::now();
        let mut cursor = DrainCursor::new(began);
        for second in 1..30 {
            cursor.advance(key(second), true, began + Duration::from_secs(second.unsigned_abs()));
            assert_eq!(cursor.after(), Some(key(second)));
        }
        cursor.advance(key(30), true, began + LEG_TIME);
        assert_eq!(cursor.after(), None, "the oldest");
        // Rounds over what is behind, until there is no more of it.
        cursor.advance(key(12), true, began + LEG_TIME);
        assert_eq!(cursor.after(), Some(key(12)));
        cursor.advance(key(31), true, began + LEG_TIME);
        assert_eq!(cursor.after(), Some(key(31)), "ahead again, after all that was tried");
        cursor.advance(key(32), true, began + LEG_TIME * 2);
        assert_eq!(cursor.after(), None, "the oldest again");
    }

    #[test]
    fn what_is_stuck_behind_holds_a_pass_up_for_one_round_and_is_tried_a_piece_at_a_time() {
        let began = Instant::now();
        let mut cursor = DrainCursor::new(began);
        cursor.advance(key(100), false, began + LEG_TIME);
        cursor.advance(key(10), false, began + LEG_TIME);
        assert_eq!(cursor.after(), Some(key(100)));
        cursor.advance(key(200), true, began + LEG_TIME * 2);
        assert_eq!(cursor.after(), Some(key(10)), "the next piece");
        cursor.advance(key(20), true, began + LEG_TIME * 3);
        assert_eq!(cursor.after(), Some(key(200)), "its leg is over, though it is not at its end");
    }
}
