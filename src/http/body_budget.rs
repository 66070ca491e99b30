//! Room for bodies that arrive, shared out by credential, as bytes arrive and as they are decoded, until the request is
//! answered. Room for one whole body is always kept for credentials that hold none.
//!
//! Requests without a credential have a budget of their own, a tenth of all, shared out by address: they cost no credential anything.

use std::net::IpAddr;
use std::time::Duration;

use super::peer_addr;
pub use crate::budget::{BudgetTimeout, ByteShare, Usage};
use crate::budget::{ByteBudget, Eviction, Limits};

/// Room for bodies. Copies share it.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    credentials: ByteBudget,
    strangers: ByteBudget,
}

impl BodyBudget {
    /// So many bytes in all; room for one whole body (of so many bytes, as sent and decoded) is kept for credentials that
    /// hold none.
    #[must_use]
    pub fn new(total_bytes: usize, one_whole_body_bytes: usize) -> Self {
        let of_strangers = total_bytes / 10;
        let limits =
            |total, reserve| Limits { total, reserve, most_of_one: usize::MAX, eviction: Eviction::LeastProgress };
        let of_credentials = limits(total_bytes - of_strangers, one_whole_body_bytes);
        Self {
            credentials: ByteBudget::reporting(of_credentials, |before| report("credential", before)),
            strangers: ByteBudget::reporting(limits(of_strangers, of_strangers / 2), |before| {
                report("address", before);
            }),
        }
    }

    /// Room for a body of a credential, that waits for it for so long.
    #[must_use]
    pub fn of_credential(&self, name: &str, patience: Duration) -> ByteShare {
        self.credentials.share(name.to_owned(), Some(patience))
    }

    /// Room for a body of whoever has this address and no credential.
    pub(super) fn of_unauthenticated(&self, address: Option<IpAddr>, patience: Duration) -> ByteShare {
        let holder = address.map_or_else(String::new, |address| peer_addr::network(address).to_string());
        self.strangers.share(holder, Some(patience))
    }

    /// How much of it is held. Of those that were let go only credentials count.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (credentials, strangers) = (self.credentials.usage(), self.strangers.usage());
        Usage {
            held_bytes: credentials.held_bytes + strangers.held_bytes,
            total_bytes: credentials.total_bytes + strangers.total_bytes,
            waiting: credentials.waiting + strangers.waiting,
            let_go: credentials.let_go,
        }
    }
}

fn report(of: &'static str, before: Option<u64>) {
    tracing::warn!(
        of,
        before,
        "no room for bodies: of who holds most, the body with the least progress is read no further"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_have_a_room_of_their_own() {
        let budget = BodyBudget::new(112, 20);
        assert_eq!(budget.usage(), Usage { held_bytes: 0, total_bytes: 112, waiting: 0, let_go: 0 });
        let mut stranger = budget.of_unauthenticated(None, Duration::from_millis(10));
        assert!(stranger.take(12, 12).await.is_err());
        let mut full = budget.of_credential("one", Duration::from_mins(1));
        full.take(80, 80).await.unwrap();
        let mut stranger = budget.of_unauthenticated(Some([192, 0, 2, 1].into()), Duration::from_secs(10));
        stranger.take(6, 6).await.unwrap();
        assert_eq!(budget.usage().held_bytes, 86);
    }
}
