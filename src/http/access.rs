//! What the doors know of the configuration: who may enter, and how much they may bring. A reload replaces it whole; a
//! request keeps what was there when it came.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::auth::Credentials;
use super::body::ReadTimeouts;
use crate::domain::feed::Feed;

/// Who may enter, and how much they may bring.
pub struct AccessPolicy {
    /// The credentials, and what each may do.
    pub credentials: Credentials,
    /// How large a body may be.
    pub limits: Limits,
}

/// The access that counts now. Copies share it.
#[derive(Clone)]
pub struct CurrentPolicy {
    current: Arc<RwLock<Arc<AccessPolicy>>>,
}

/// How large a body may be, as sent and with its `Content-Encoding` decoded, and how slow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    by_feed: BTreeMap<Feed, usize>,
    /// How slowly it may come.
    pub timeouts: ReadTimeouts,
}

impl CurrentPolicy {
    /// An entrance with this access.
    #[must_use]
    pub fn new(policy: AccessPolicy) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(policy))) }
    }

    /// What counts for a request that comes now.
    #[must_use]
    pub fn current(&self) -> Arc<AccessPolicy> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the access for every request that comes from now on.
    pub fn replace(&self, policy: AccessPolicy) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}

impl fmt::Debug for CurrentPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentPolicy").finish_non_exhaustive()
    }
}

impl Limits {
    /// The same limits, with another one for this feed.
    #[must_use]
    pub fn with(mut self, feed: Feed, bytes: usize) -> Self {
        self.by_feed.insert(feed, bytes);
        self
    }

    /// The limit of a feed, in bytes.
    #[must_use]
    pub fn of(&self, feed: Feed) -> usize {
        self.by_feed.get(&feed).copied().unwrap_or_else(|| feed.body_limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_without_a_limit_of_its_own_has_the_usual_one() {
        let limits = Limits::default().with(Feed::Lead, 10);
        assert_eq!((limits.of(Feed::Lead), limits.of(Feed::Inventory)), (10, 2 * 1024 * 1024));
    }
}
