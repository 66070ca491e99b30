//! What became of a delivery, and of the rows that it is about.

use std::collections::BTreeMap;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The person.
    pub person: Option<Effect>,
    /// The lead.
    pub lead: Option<Effect>,
    /// The lead cluster.
    pub lead_cluster: Option<Effect>,
    /// The listing.
    pub listing: Option<Effect>,
    /// The booking.
    pub booking: Option<Effect>,
    /// How many rows of each kind, where the delivery holds many.
    pub counts: Option<Counts>,
    /// Bookings of leads that it was not about, which it made or changed: it brought what they waited for.
    pub other_bookings: OtherBookings,
    /// Whether anything else was written: a cluster, an appointment, a location, a package, another lead's booking.
    pub other_rows_changed: bool,
}

/// What became of bookings, by the sender's id of the lead.
pub type OtherBookings = BTreeMap<String, Effect>;

/// What replies and reports tell of one kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectSummary {
    /// What became of the one row.
    One(Effect),
    /// How many became what.
    Many(Tally),
}

/// How many rows of one kind became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New ones.
    pub created: u32,
    /// Changed ones.
    pub updated: u32,
    /// Those that stayed as they were.
    pub unchanged: u32,
    /// Those that could not be made; bookings only.
    pub blocked: u32,
}

impl Tally {
    /// Counts one row more.
    pub fn add(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::Created) => self.created += 1,
            Some(Effect::Updated) => self.updated += 1,
            Some(Effect::Unchanged) => self.unchanged += 1,
            Some(Effect::Blocked) => self.blocked += 1,
        }
    }

    /// The parts by name; blocked ones only where there are any.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, u32)> {
        let Self { created, updated, unchanged, blocked } = *self;
        let mut parts = vec![("created", created), ("updated", updated), ("unchanged", unchanged)];
        if blocked > 0 {
            parts.push(("blocked", blocked));
        }
        parts
    }

    /// Whether there was any row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The tallies of a delivery that holds many rows of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Persons.
    pub person: Tally,
    /// Leads.
    pub lead: Tally,
    /// Lead events.
    pub lead_event: Tally,
    /// Bookings.
    pub booking: Tally,
}

impl Counts {
    fn wrote(&self) -> bool {
        let kinds = [self.person, self.lead, self.lead_event, self.booking];
        kinds.iter().any(|tally| tally.created + tally.updated > 0)
    }
}

impl Effects {
    /// What replies and reports tell, kind by kind; what the delivery was not about is left out.
    #[must_use]
    pub fn summary(&self) -> Vec<(&'static str, EffectSummary)> {
        let Self { person, lead, lead_cluster, listing, booking, counts, other_bookings: _, other_rows_changed: _ } =
            self;
        let (person, lead, lead_cluster, listing, booking) = (*person, *lead, *lead_cluster, *listing, *booking);
        let one = |effect: Option<Effect>| effect.map(EffectSummary::One);
        let many = |tally: fn(&Counts) -> Tally| counts.as_ref().map(tally).filter(|tally| !tally.is_empty());
        let kinds = [
            ("lead_cluster", one(lead_cluster)),
            ("person", one(person).or(many(|counts| counts.person).map(EffectSummary::Many))),
            ("lead", one(lead).or(many(|counts| counts.lead).map(EffectSummary::Many))),
            ("lead_event", many(|counts| counts.lead_event).map(EffectSummary::Many)),
            ("listing", one(listing)),
            ("booking", one(booking).or(many(|counts| counts.booking).map(EffectSummary::Many))),
        ];
        kinds.into_iter().filter_map(|(kind, summary)| Some((kind, summary?))).collect()
    }

    /// Whether the delivery wrote anything.
    #[must_use]
    pub fn wrote(&self) -> bool {
        let rows = [self.person, self.lead, self.lead_cluster, self.listing, self.booking];
        let counted = self.counts.is_some_and(|counts| counts.wrote());
        self.other_rows_changed
            || !self.other_bookings.is_empty()
            || counted
            || rows.iter().any(|row| matches!(row, Some(Effect::Created | Effect::Updated)))
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
    /// It was merged into the rows.
    Merged(Effects),
    /// It is of a kind that is not handled; the finding says why.
    Ignored,
    /// It cannot be assigned to anything; the finding says why.
    Rejected,
}
