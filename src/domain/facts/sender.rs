//! Who tells something, and through which feed.

/// A system that sends leads. Each counts its leads for itself, so the same id of two senders names two leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Dealer Studio.
    DealerStudio,
    /// LeadPro.
    LeadPro,
}

impl Sender {
    /// The sender of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::DealerStudio, Self::LeadPro].into_iter().find(|sender| sender.name() == name)
    }

    /// Its name in the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DealerStudio => "dealer_studio",
            Self::LeadPro => "leadpro",
        }
    }
}

/// Which feed a fact came through; of equally new facts the greater source wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The contact of a cluster.
    Contact,
    /// A lead, or an event, inside a cluster.
    Cluster,
    /// A lead of the lead feed.
    LeadFeed,
    /// LeadPro's `lead.created`.
    LeadCreated,
    /// LeadPro's `lead.updated`.
    LeadUpdated,
}

impl Source {
    /// The system that posts the feed.
    #[must_use]
    pub fn sender(self) -> Sender {
        match self {
            Self::Contact | Self::Cluster | Self::LeadFeed => Sender::DealerStudio,
            Self::LeadCreated | Self::LeadUpdated => Sender::LeadPro,
        }
    }
}
