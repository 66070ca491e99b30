//! Why a request got no delivery's reply: a closed list, which is the label `reason`.

/// Why a request got no delivery's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It showed no credential of the feed.
    Unauthorized,
    /// Its head is larger than the door takes.
    HeadersTooLarge,
    /// Its body is larger than the door takes.
    BodyTooLarge,
    /// Its body came too slowly.
    BodyTooSlow,
    /// Its body broke off before its end.
    BodyIncomplete,
    /// Its body found no room before the end of the hold.
    NoRoom,
    /// Neither Postgres nor the spool took its delivery before the end of the hold.
    Unavailable,
    /// It was posted to no door.
    NoDoor,
    /// It asked for an access token and got none.
    Token,
    /// It ended in a fault of ours.
    InternalError,
}

impl Refusal {
    /// Those that a door answers.
    pub(super) const AT_DOORS: [Self; 7] = [
        Self::Unauthorized,
        Self::HeadersTooLarge,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyIncomplete,
        Self::NoRoom,
        Self::Unavailable,
    ];
    /// Those whose feed is not known.
    pub(super) const ELSEWHERE: [Self; 3] = [Self::NoDoor, Self::Token, Self::InternalError];

    /// Its name in the label, which is the code of the answer where that has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::HeadersTooLarge => "headers_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyIncomplete => "body_incomplete",
            Self::NoRoom => "no_room",
            Self::Unavailable => "unavailable",
            Self::NoDoor => "no_door",
            Self::Token => "token",
            Self::InternalError => "internal_error",
        }
    }
}
