//! How often it is tried to log in: so often a minute from one network, and so often in all. What is kept of a minute is
//! bounded by how many tries it has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// So many tries a minute of one network.
const OF_NETWORK: u32 = 6;
/// So many tries a minute of all together.
const OF_ALL: u32 = 60;

/// The tries of the minute that runs.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began_at: DateTime<Utc>,
    all: u32,
    by_network: HashMap<IpAddr, u32>,
}

impl Attempts {
    /// Takes a try. Where there are none left, for how many seconds there will be none.
    ///
    /// It is taken before the password is looked at, so that many tries at once are no more than one after the other.
    pub(super) fn take(&self, network: IpAddr, now: DateTime<Utc>) -> Result<(), i64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now - minute.began_at;
        if since < TimeDelta::zero() || since >= TimeDelta::minutes(1) {
            *minute = Minute { began_at: now, ..Minute::default() };
        }
        let of_network = minute.by_network.get(&network).copied().unwrap_or_default();
        if minute.all >= OF_ALL || of_network >= OF_NETWORK {
            return Err((60 - (now - minute.began_at).num_seconds()).clamp(1, 60));
        }
        minute.all += 1;
        minute.by_network.insert(network, of_network + 1);
        Ok(())
    }

    /// Gives back a try that succeeded.
    pub(super) fn give_back(&self, network: IpAddr) {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.all = minute.all.saturating_sub(1);
        if let Some(count) = minute.by_network.get_mut(&network) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
    }

    fn network(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn one_network_has_a_few_tries_a_minute_and_another_one_its_own() {
        let attempts = Attempts::default();
        for _ in 0..OF_NETWORK {
            attempts.take(network(1), at(0)).unwrap();
        }
        assert_eq!(attempts.take(network(1), at(20)), Err(40));
        attempts.take(network(2), at(20)).unwrap();
        attempts.take(network(1), at(60)).unwrap();
        assert_eq!(attempts.take(network(1), at(-5)), Ok(()), "a clock that was put back locks nobody out for long");
    }

    #[test]
    fn a_try_that_succeeds_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..1_000 {
            attempts.take(network(1), at(0)).unwrap();
            attempts.give_back(network(1));
        }
    }

    #[test]
    fn many_networks_together_have_so_many_and_take_no_more_room_than_that() {
        let attempts = Attempts::default();
        let taken = (0..100_000).filter(|number| attempts.take(network(*number), at(0)).is_ok()).count();
        assert_eq!(taken, OF_ALL as usize);
        assert_eq!(attempts.0.lock().unwrap().by_network.len(), OF_ALL as usize);
    }
}
