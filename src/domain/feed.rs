//! The feeds: one table of what tells them apart. A new feed is one entry here, and a folder in `feeds` with its payload.

use super::facts::Sender;

/// A kind of delivery.
///
/// ```
/// use forecourt::domain::feed::Feed;
///
/// assert_eq!(Feed::named("lead_cluster"), Some(Feed::LeadCluster));
/// assert_eq!(Feed::Lead.path(), "/webhooks/dealer-studio/leads");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// Dealer Studio's lead webhook.
    Lead,
    /// Dealer Studio's lead cluster webhook.
    LeadCluster,
    /// Dealer Studio's inventory webhook.
    Inventory,
    /// LeadPro's webhook.
    LeadPro,
}

/// What is known of a feed before any payload of it is read.
#[derive(Debug)]
struct Entry {
    /// Its name in configuration, tables and logs.
    name: &'static str,
    /// The path of its door.
    path: &'static str,
    /// The system that posts it.
    sender: Sender,
    /// Where its payload names the dealership; none where the credential's only workspace is meant.
    dealership_path: Option<&'static str>,
    /// Whether a payload without a dealership may still find its workspace by its credential.
    may_name_no_dealership: bool,
    /// Whether a payload without a dealership names a vehicle by which its workspace is looked up.
    may_be_fragment: bool,
    /// Whether the sender posts all of it again each day, mostly unchanged.
    is_sent_again: bool,
    /// How many bytes of headers its door takes, names and values together.
    header_limit: usize,
    /// How many bytes a decompressed body may have where nothing else is configured.
    body_limit: usize,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

impl Feed {
    /// Every feed, in the order of their variants.
    pub const ALL: &'static [Self] = &[Self::Lead, Self::LeadCluster, Self::Inventory, Self::LeadPro];

    /// The table.
    const fn entry(self) -> &'static Entry {
        match self {
            Self::Lead => &Entry {
                name: "lead",
                path: "/webhooks/dealer-studio/leads",
                sender: Sender::DealerStudio,
                dealership_path: Some("dealership.id"),
                may_name_no_dealership: false,
                may_be_fragment: false,
                is_sent_again: false,
                header_limit: 32 * KIB,
                body_limit: 2 * MIB,
            },
            Self::LeadCluster => &Entry {
                name: "lead_cluster",
                path: "/webhooks/dealer-studio/lead-clusters",
                sender: Sender::DealerStudio,
                dealership_path: Some("dealership_id"),
                may_name_no_dealership: false,
                may_be_fragment: false,
                is_sent_again: false,
                header_limit: 32 * KIB,
                body_limit: 16 * MIB,
            },
            // The page's withdrawal is a fragment: an identifier and little else.
            Self::Inventory => &Entry {
                name: "inventory",
                path: "/webhooks/dealer-studio/inventory",
                sender: Sender::DealerStudio,
                dealership_path: Some("Seller.Identifier"),
                may_name_no_dealership: true,
                may_be_fragment: true,
                is_sent_again: true,
                header_limit: 32 * KIB,
                body_limit: 2 * MIB,
            },
            // The token, which is the whole payload, stands in a header.
            Self::LeadPro => &Entry {
                name: "leadpro_lead",
                path: "/webhooks/leadpro",
                sender: Sender::LeadPro,
                dealership_path: None,
                may_name_no_dealership: true,
                may_be_fragment: false,
                is_sent_again: false,
                header_limit: 256 * KIB,
                body_limit: 2 * MIB,
            },
        }
    }

    /// Its name in configuration, tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The feed of that name, where a name comes from outside: the configuration, a command's arguments, a stored row.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feed| feed.name() == name)
    }

    /// Where it is posted to.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.entry().path
    }

    /// The name of the system that posts it.
    #[must_use]
    pub fn sender(self) -> &'static str {
        self.entry().sender.name()
    }

    /// Where its payload names the dealership; `None` where it names none, and the credential's workspace is meant.
    #[must_use]
    pub fn dealership_path(self) -> Option<&'static str> {
        self.entry().dealership_path
    }

    /// Whether its payloads may leave their dealership to the credential.
    #[must_use]
    pub fn may_name_no_dealership(self) -> bool {
        self.entry().may_name_no_dealership
    }

    /// Whether a payload that names no dealership may name a vehicle, by which its workspace can be looked up.
    #[must_use]
    pub fn may_be_fragment(self) -> bool {
        self.entry().may_be_fragment
    }

    /// Whether the sender posts all of it again each day, mostly unchanged.
    #[must_use]
    pub fn is_sent_again(self) -> bool {
        self.entry().is_sent_again
    }

    /// The most bytes of headers that its door takes, names and values together.
    #[must_use]
    pub fn header_limit(self) -> usize {
        self.entry().header_limit
    }

    /// The most bytes that a decompressed body may have where nothing else is configured.
    #[must_use]
    pub fn body_limit(self) -> usize {
        self.entry().body_limit
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_feed_has_a_name_and_a_door_of_its_own() {
        let names: BTreeSet<_> = Feed::ALL.iter().map(|feed| feed.name()).collect();
        let paths: BTreeSet<_> = Feed::ALL.iter().map(|feed| feed.path()).collect();
        assert_eq!((names.len(), paths.len()), (Feed::ALL.len(), Feed::ALL.len()));
        for feed in Feed::ALL {
            assert_eq!(Feed::named(feed.name()), Some(*feed));
        }
        assert_eq!(Feed::named("Lead"), None);
    }
}
