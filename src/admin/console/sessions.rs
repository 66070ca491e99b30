//! Who has logged in: sessions in memory, which end by themselves and with the process. What is kept of a session's id is its
//! digest.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::keyring::new_secret;

/// As many are there at a time; of more the one that was used least lately ends.
const MOST_SESSIONS: usize = 64;
/// How long one lasts at the most.
pub(super) const LONGEST: TimeDelta = TimeDelta::hours(12);
/// How long one lasts that is not used.
const UNUSED: TimeDelta = TimeDelta::hours(1);

type Digest = [u8; 32];

/// The session of a request.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Who has logged in.
    pub(super) user: String,
    /// What each form of its pages carries.
    pub(super) token: String,
    digest: Digest,
}

impl Session {
    /// Who acts, for `intake.actions`.
    pub(super) fn acted_by(&self) -> String {
        format!("{} in the console", self.user)
    }
}

struct Kept {
    user: String,
    token: String,
    began_at: DateTime<Utc>,
    used_at: DateTime<Utc>,
}

impl Kept {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        // A clock that was put back makes no session longer.
        now < self.began_at || now - self.began_at >= LONGEST || now - self.used_at >= UNUSED
    }
}

/// The sessions there are.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Digest, Kept>>);

impl Sessions {
    /// Begins one, and gives its id, which only the cookie holds.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub(super) fn begin(&self, user: &str, now: DateTime<Utc>) -> io::Result<SecretString> {
        let (id, token) = (new_secret()?, new_secret()?);
        let mut sessions = self.lock();
        sessions.retain(|_, kept| !kept.is_over(now));
        while sessions.len() >= MOST_SESSIONS {
            let Some(oldest) = sessions.iter().min_by_key(|(_, kept)| kept.used_at).map(|(digest, _)| *digest) else {
                break;
            };
            sessions.remove(&oldest);
        }
        let (user, token) = (user.to_owned(), token.expose_secret().to_owned());
        sessions.insert(digest(id.expose_secret()), Kept { user, token, began_at: now, used_at: now });
        Ok(id)
    }

    /// The session of an id, which counts as used now.
    pub(super) fn find(&self, id: &str, now: DateTime<Utc>) -> Option<Session> {
        let digest = digest(id);
        let mut sessions = self.lock();
        let kept = sessions.get_mut(&digest)?;
        if kept.is_over(now) {
            sessions.remove(&digest);
            return None;
        }
        kept.used_at = now;
        Some(Session { user: kept.user.clone(), token: kept.token.clone(), digest })
    }

    /// Ends one.
    pub(super) fn end(&self, session: &Session) {
        self.lock().remove(&session.digest);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(id: &str) -> Digest {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_session_ends_after_an_hour_without_use_and_after_twelve_in_any_case() {
        let sessions = Sessions::default();
        let id = sessions.begin("ada", at(0)).unwrap();
        let id = id.expose_secret();
        for minutes in (0..12 * 60).step_by(59) {
            assert_eq!(sessions.find(id, at(minutes)).unwrap().user, "ada", "{minutes}");
        }
        assert!(sessions.find(id, at(12 * 60)).is_none());
        let unused = sessions.begin("ada", at(0)).unwrap();
        assert!(sessions.find(unused.expose_secret(), at(60)).is_none());
        assert!(sessions.find(unused.expose_secret(), at(1)).is_none(), "it does not come back");
        let set_back = sessions.begin("ada", at(0)).unwrap();
        assert!(sessions.find(set_back.expose_secret(), at(-1)).is_none());
    }

    #[test]
    fn there_are_so_many_at_a_time_and_the_one_used_least_lately_makes_room() {
        let sessions = Sessions::default();
        let first = sessions.begin("first", at(0)).unwrap();
        let ids: Vec<SecretString> = (1..64).map(|_| sessions.begin("ada", at(1)).unwrap()).collect();
        assert!(sessions.find(first.expose_secret(), at(2)).is_some(), "it was used last");
        for _ in 0..1_000 {
            sessions.begin("ada", at(3)).unwrap();
        }
        assert_eq!(sessions.lock().len(), MOST_SESSIONS);
        assert!(ids.iter().all(|id| sessions.find(id.expose_secret(), at(3)).is_none()));
    }

    #[test]
    fn each_has_an_id_and_a_token_of_its_own_and_ends_when_it_is_ended() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin("a", at(0)).unwrap(), sessions.begin("a", at(0)).unwrap());
        let [one, other] = [one, other].map(|id| sessions.find(id.expose_secret(), at(0)).unwrap());
        assert_ne!(one.token, other.token);
        sessions.end(&one);
        assert_eq!(sessions.lock().len(), 1);
        assert!(sessions.find("", at(0)).is_none());
    }
}
