//! Summaries of bodies that were read before: a daily full feed sends the same bytes again for nearly every vehicle.
//!
//! The facts of such a body depend on its bytes and on the locale they are read for. Its summary is kept by the body's
//! digest, and the body is read again only where the tables have come to know something else since.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::facts::Facts;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::unchanged::ContentSummary;
use crate::domain::workspace::{DealershipId, Locale};
use crate::feeds::{self, ParsedPayload};

/// How many bodies a generation has at the most. One takes some 550 bytes.
const GENERATION: usize = 50_000;

/// How many bytes a generation takes at the most: bodies with many findings or unknown fields are fewer.
const GENERATION_BYTES: usize = 32 << 20;
/// A body with more findings and unknown fields than this, in bytes, is not kept.
const MOST_OF_ONE: usize = 16 << 10;
/// What an unknown field takes beside its path.
const BESIDE_PATH: usize = 48;
/// What one takes beside its findings and unknown fields.
const ONE: usize = 600;

/// The SHA-256 of a body.
type Digest = [u8; 32];

/// What was read of a body, as far as it is needed where nothing has changed.
#[derive(Debug)]
pub(super) struct CachedBody {
    feed: Feed,
    /// The dealership that it names.
    pub(super) dealership: DealershipId,
    /// The sender's identifier of the vehicle.
    pub(super) external_id: Option<String>,
    locale: Locale,
    /// The summary of its facts about a vehicle.
    pub(super) summary: Arc<ContentSummary>,
    /// What its reading found.
    pub(super) findings: Vec<Finding>,
    /// Paths of fields that are not documented.
    pub(super) unknown: Arc<BTreeSet<String>>,
    /// How many bytes it takes.
    bytes: usize,
}

impl CachedBody {
    /// Whether it reads the same for this locale. What was not ahead of its arrival then is not ahead of a later one.
    pub(super) fn holds_for(&self, locale: &Locale) -> bool {
        let Locale { received_at, .. } = self.locale;
        received_at <= locale.received_at && self.locale == Locale { received_at, ..locale.clone() }
    }

    /// The facts of the body, read again; none where it is not the body that was read.
    pub(super) fn facts(&self, body: &[u8]) -> Option<Facts> {
        feeds::parse(self.feed, body, &self.locale).ok().map(|reading| reading.facts)
    }
}

/// A body, and the locale it was read for.
pub(super) struct CacheKey {
    pub(super) feed: Feed,
    pub(super) sha256: [u8; 32],
    pub(super) dealership: DealershipId,
    pub(super) external_id: Option<String>,
    pub(super) locale: Locale,
}

/// The bodies that are kept, by digest.
#[derive(Debug, Default)]
pub(super) struct BodyCache(Mutex<Generations>);

/// Two generations: where the recent ones are many, they take the place of the older ones.
#[derive(Debug, Default)]
struct Generations {
    recent: HashMap<Digest, Arc<CachedBody>>,
    /// How many bytes these take.
    recent_bytes: usize,
    older: HashMap<Digest, Arc<CachedBody>>,
    /// The undocumented paths of the last one, which are likely those of the next.
    unknown: Arc<BTreeSet<String>>,
}

impl BodyCache {
    /// What was read of a body with this digest.
    pub(super) fn find(&self, digest: &Digest) -> Option<Arc<CachedBody>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = generations.recent.get(digest) {
            return Some(Arc::clone(found));
        }
        let found = generations.older.remove(digest)?;
        generations.keep(*digest, Arc::clone(&found));
        Some(found)
    }

    /// Keeps what was read of a body about a vehicle, where that does not depend on the hour.
    pub(super) fn insert(&self, of: &CacheKey, reading: &ParsedPayload, summary: &Arc<ContentSummary>) {
        let ParsedPayload { facts: _, findings, unknown_paths } = reading;
        if findings.iter().any(|finding| finding.code == Code::DateInvalid) {
            return;
        }
        let unknown_bytes: usize = unknown_paths.iter().map(|path| path.len() + BESIDE_PATH).sum();
        let findings_bytes: usize = findings.iter().map(Finding::bytes).sum();
        if unknown_bytes + findings_bytes > MOST_OF_ONE {
            return;
        }
        let CacheKey { feed, sha256, dealership, external_id, locale } = of;
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = ONE + findings_bytes;
        if *generations.unknown != *unknown_paths {
            bytes += unknown_bytes;
            generations.unknown = Arc::new(unknown_paths.clone());
        }
        let unknown = Arc::clone(&generations.unknown);
        let (locale, findings, summary) = (locale.clone(), findings.clone(), Arc::clone(summary));
        let (feed, dealership, external_id) = (*feed, *dealership, external_id.clone());
        let found = CachedBody { feed, dealership, external_id, locale, summary, findings, unknown, bytes };
        generations.keep(*sha256, Arc::new(found));
    }
}

impl Generations {
    fn keep(&mut self, digest: Digest, found: Arc<CachedBody>) {
        if self.recent.len() >= GENERATION || self.recent_bytes >= GENERATION_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += found.bytes;
        self.recent.insert(digest, found);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::delivery::Body;
    use crate::domain::values::{Country, PhoneRegion};

    const BODY: &[u8] = br#"{"Identifier": 7, "SaleStatus": "For Sale", "LastModifiedUtc": "1970-01-01T00:00:00Z"}"#;

    fn locale() -> Locale {
        let received_at = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let country = Country::parse("AU").unwrap();
        Locale {
            received_at,
            timezone: chrono_tz::Australia::Brisbane,
            phone_region: PhoneRegion::great_britain(),
            country,
        }
    }

    fn note(cache: &BodyCache, digest: Digest) {
        let reading = feeds::parse(Feed::Inventory, BODY, &locale()).unwrap();
        let summary = Arc::new(ContentSummary::of(&reading.facts).unwrap());
        cache.insert(
            &CacheKey { feed: Feed::Inventory, sha256: digest, dealership: 1, external_id: None, locale: locale() },
            &reading,
            &summary,
        );
    }

    fn digest(body: &[u8]) -> Digest {
        *Body::from(body.to_vec()).sha256()
    }

    fn numbered(number: usize) -> Digest {
        digest(&number.to_be_bytes())
    }

    #[test]
    fn a_body_reads_the_same_later_and_for_the_same_locale_only() {
        let cache = BodyCache::default();
        note(&cache, digest(BODY));
        let found = cache.find(&digest(BODY)).unwrap();
        let received_at = locale().received_at;
        for (holds, locale) in [
            (true, locale()),
            (true, Locale { received_at: received_at + TimeDelta::days(1), ..locale() }),
            (false, Locale { received_at: received_at - TimeDelta::days(1), ..locale() }),
            (false, Locale { timezone: chrono_tz::Europe::London, ..locale() }),
            (false, Locale { country: Country::parse("NZ").unwrap(), ..locale() }),
        ] {
            assert_eq!(found.holds_for(&locale), holds, "{locale:?}");
        }
        assert!(found.facts(BODY).is_some());
        assert!(cache.find(&numbered(0)).is_none());
    }

    #[test]
    fn bodies_that_say_much_are_not_cached_or_fewer_are() {
        let cache = BodyCache::default();
        let note = |number: usize, findings: usize, unknown: usize| {
            let mut reading = feeds::parse(Feed::Inventory, BODY, &locale()).unwrap();
            reading.findings = vec![Finding::whole(Code::FieldType, "x".repeat(100)); findings];
            reading.unknown_paths = (0..unknown).map(|field| format!("{number} {field}")).collect();
            let summary = Arc::new(ContentSummary::of(&reading.facts).unwrap());
            let digest = numbered(number);
            cache.insert(
                &CacheKey { feed: Feed::Inventory, sha256: digest, dealership: 1, external_id: None, locale: locale() },
                &reading,
                &summary,
            );
        };
        note(0, 200, 0);
        note(1, 0, 1_000);
        assert!(cache.find(&numbered(0)).is_none() && cache.find(&numbered(1)).is_none());
        for number in 2..8_000 {
            note(number, 20, 100);
        }
        let cached = cache.0.lock().unwrap();
        assert!(cached.older.len() > 100 && cached.older.len() < 7_000, "{}", cached.older.len());
    }

    #[test]
    fn the_bodies_of_late_are_cached_and_no_more_than_twice_as_many() {
        let cache = BodyCache::default();
        for number in 0..=GENERATION {
            note(&cache, numbered(number));
        }
        // The first one was asked for, so it is one of late; the second was not.
        assert!(cache.find(&numbered(0)).is_some());
        for number in GENERATION..2 * GENERATION {
            note(&cache, numbered(number));
        }
        assert!(cache.find(&numbered(0)).is_some());
        assert!(cache.find(&numbered(1)).is_none());
        let cached = cache.0.lock().unwrap();
        assert!(cached.recent.len() + cached.older.len() <= 2 * GENERATION);
    }
}
