//! One line in the log for each kind of trouble and minute, with a count of what was left out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a kind of trouble is not logged again.
const QUIET: Duration = Duration::from_mins(1);
/// As many kinds are counted separately.
const MOST_KINDS: usize = 100;

/// When each kind of trouble was last logged, and how often it was left out since.
#[derive(Debug, Default)]
pub struct Complaints {
    told: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Complaints {
    /// Whether to log it now; then with how many times it was left out since the last time.
    pub fn take(&self, kind: &str) -> Option<u64> {
        self.take_at(kind, Instant::now())
    }

    /// The trouble is over: the next trouble is logged at once.
    pub fn clear(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take_at(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, left_out)) = told.get_mut(kind)
            && now.duration_since(*at) < QUIET
        {
            *left_out += 1;
            return None;
        }
        if told.len() >= MOST_KINDS {
            told.clear();
        }
        Some(told.insert(kind.to_owned(), (now, 0)).map_or(0, |(_, left_out)| left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_once_a_minute_with_a_count() {
        let began = Instant::now();
        let complaints = Complaints::default();
        assert_eq!(complaints.take_at("away", began), Some(0));
        assert_eq!(complaints.take_at("away", began + QUIET / 2), None);
        assert_eq!(complaints.take_at("full", began + QUIET / 2), Some(0));
        assert_eq!(complaints.take_at("away", began + QUIET), Some(1));
        complaints.clear();
        assert_eq!(complaints.take_at("away", began + QUIET), Some(0));
    }
}
