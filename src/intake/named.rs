//! Whom a delivery names, also where it could not be applied: as whatever feed it can be read, else by the addresses that
//! stand in it.

use chrono::{DateTime, Utc};

use super::parse::LARGE_BODY;
use crate::domain::erasure::{self, Subject, Subjects};
use crate::domain::facts::Facts;
use crate::domain::feed::Feed;
use crate::domain::values::{Country, PhoneRegion};
use crate::domain::workspace::Locale;
use crate::feeds::{self, shape};

/// Whom a body names as a payload of this feed; nothing where it is none. Neither addresses nor ids depend on the place,
/// so that any will do.
pub(super) fn facts(feed: Feed, body: &[u8], received_at: DateTime<Utc>) -> Option<Facts> {
    let country = Country::parse("AU")?;
    let phone_region = PhoneRegion::great_britain();
    let locale = Locale { received_at, timezone: chrono_tz::Australia::Brisbane, phone_region, country };
    feeds::parse(feed, body, &locale).ok().map(|parsed| parsed.facts)
}

/// Whom a body names as a payload of its feed, or of the one that it looks like.
pub(super) fn by_parsing(feed: Option<Feed>, body: &[u8], received_at: DateTime<Utc>) -> Subjects {
    let feeds = feed.into_iter().chain(shape::guess(body).filter(|likely| Some(*likely) != feed));
    let read = feeds.filter_map(|feed| facts(feed, body, received_at));
    read.flat_map(|facts| erasure::named(&facts)).collect()
}

/// The addresses that stand somewhere in a body.
pub(super) fn addresses(body: &[u8]) -> Subjects {
    erasure::addresses_in(body).into_iter().map(Subject::Address).collect()
}

/// Whom a delivery without facts may name. What is large is not built for that, since nobody took memory for it.
pub(super) fn without_facts(feed: Feed, body: &[u8], received_at: DateTime<Utc>) -> Subjects {
    let mut named = addresses(body);
    if body.len() < LARGE_BODY {
        named.extend(by_parsing(Some(feed), body, received_at));
    }
    named
}
