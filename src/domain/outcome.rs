//! What became of a delivery, and of the rows that it is about.

/// What became of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is new.
    Created,
    /// It changed.
    Updated,
    /// It stayed as it was.
    Unchanged,
    /// It could not be made; bookings only.
    Blocked,
}

impl Effect {
    /// The effect of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Unchanged, Self::Blocked].into_iter().find(|effect| effect.name() == name)
    }

    /// Its name in replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Blocked => "blocked",
        }
    }
}

/// What became of the rows that a delivery is about. What it was not about is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The person.
    pub person: Option<Effect>,
    /// The lead.
    pub lead: Option<Effect>,
    /// The listing.
    pub listing: Option<Effect>,
    /// The booking.
    pub booking: Option<Effect>,
    /// Whether anything else was written: a cluster, an appointment, a location, a package, another lead's booking.
    pub beside: bool,
}

impl Effects {
    /// Whether the delivery wrote anything.
    #[must_use]
    pub fn wrote(&self) -> bool {
        let rows = [self.person, self.lead, self.listing, self.booking];
        self.beside || rows.iter().any(|row| matches!(row, Some(Effect::Created | Effect::Updated)))
    }
}

/// The one fate of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Applied,
    /// It said nothing new.
    Unchanged,
    /// It is of a kind that is not handled.
    Ignored,
    /// It could not be assigned or read; it is kept.
    Rejected,
    /// A fault of forecourt's own; it is kept and tried again.
    Failed,
}

impl Outcome {
    /// The outcome of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Applied, Self::Unchanged, Self::Ignored, Self::Rejected, Self::Failed];
        all.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Its name in tables and replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// What the rules say of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was heard.
    Heard(Effects),
    /// It cannot be assigned to anything; the finding says why.
    Rejected,
}
