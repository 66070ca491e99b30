//! What bodies said that were read before: a daily full feed sends the same bytes again for nearly every vehicle.
//!
//! What such a body says is a matter of its bytes and of the place it is for. In short it is remembered, and the body is
//! read again only where the tables have come to know something else since.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::domain::facts::Facts;
use crate::domain::finding::{Code, Finding};
use crate::domain::unchanged::ContentSummary;
use crate::domain::workspace::{DealershipId, Locale};
use crate::feeds::{self, Feed, Reading};

/// So many bodies are remembered at the least, once there were as many, and twice as many at the most. One takes some
/// 550 bytes.
const MANY: usize = 50_000;

/// So many bytes the half of them may take: bodies with many findings or unknown fields are fewer.
const HALF_OF_ALL: usize = 32 << 20;
/// What says more than this is not remembered.
const MOST_OF_ONE: usize = 16 << 10;
/// What an unknown field takes beside its path.
const BESIDE_PATH: usize = 48;
/// What one takes beside its findings and unknown fields.
const ONE: usize = 550;

/// The digest of a body.
pub(super) type Digest = [u8; 32];

/// What a body said, in short.
#[derive(Debug)]
pub(super) struct Recalled {
    feed: Feed,
    /// The dealership that it names.
    pub(super) dealership: DealershipId,
    locale: Locale,
    /// What it says of a vehicle.
    pub(super) summary: Arc<ContentSummary>,
    /// What its reading found.
    pub(super) findings: Vec<Finding>,
    /// Paths of fields that are not documented.
    pub(super) unknown: Arc<BTreeSet<String>>,
    /// How many bytes it takes.
    bytes: usize,
}

impl Recalled {
    /// Whether it says the same for this place and time. What was not ahead of its arrival then is not ahead of a later
    /// one.
    pub(super) fn holds_for(&self, locale: &Locale) -> bool {
        let Locale { received_at, .. } = self.locale;
        received_at <= locale.received_at && self.locale == Locale { received_at, ..locale.clone() }
    }

    /// All that the body says; nothing where it is not the body that was read.
    pub(super) fn facts(&self, body: &[u8]) -> Option<Facts> {
        feeds::parse(self.feed, body, &self.locale).ok().map(|reading| reading.facts)
    }
}

/// A body, and the place and time it was read for.
pub(super) struct Source {
    pub(super) feed: Feed,
    pub(super) digest: Digest,
    pub(super) dealership: DealershipId,
    pub(super) locale: Locale,
}

/// The bodies that are remembered.
#[derive(Debug, Default)]
pub(super) struct Recall(Mutex<Remembered>);

/// Those of late, and those before: where there are many of the former, they take the place of the latter.
#[derive(Debug, Default)]
struct Remembered {
    late: HashMap<Digest, Arc<Recalled>>,
    /// How many bytes these take.
    late_bytes: usize,
    before: HashMap<Digest, Arc<Recalled>>,
    /// The undocumented paths of the last one, which are likely those of the next.
    unknown: Arc<BTreeSet<String>>,
}

/// Digests a body.
pub(super) fn digest(body: &[u8]) -> Digest {
    Sha256::digest(body).into()
}

impl Recall {
    /// What a body said.
    pub(super) fn find(&self, digest: &Digest) -> Option<Arc<Recalled>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recalled) = remembered.late.get(digest) {
            return Some(Arc::clone(recalled));
        }
        let recalled = remembered.before.remove(digest)?;
        remembered.keep(*digest, Arc::clone(&recalled));
        Some(recalled)
    }

    /// Remembers what a body said of a vehicle, where its reading does not hang on the hour.
    pub(super) fn note(&self, of: &Source, reading: &Reading, summary: &Arc<ContentSummary>) {
        let Reading { facts: _, findings, unknown_paths } = reading;
        if findings.iter().any(|finding| finding.code == Code::DateInvalid) {
            return;
        }
        let unknown_bytes: usize = unknown_paths.iter().map(|path| path.len() + BESIDE_PATH).sum();
        let findings_bytes: usize = findings.iter().map(Finding::bytes).sum();
        if unknown_bytes + findings_bytes > MOST_OF_ONE {
            return;
        }
        let Source { feed, digest, dealership, locale } = of;
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = ONE + findings_bytes;
        if *remembered.unknown != *unknown_paths {
            bytes += unknown_bytes;
            remembered.unknown = Arc::new(unknown_paths.clone());
        }
        let unknown = Arc::clone(&remembered.unknown);
        let (locale, findings, summary) = (locale.clone(), findings.clone(), Arc::clone(summary));
        let (feed, dealership) = (*feed, *dealership);
        remembered.keep(*digest, Arc::new(Recalled { feed, dealership, locale, summary, findings, unknown, bytes }));
    }
}

impl Remembered {
    fn keep(&mut self, digest: Digest, recalled: Arc<Recalled>) {
        if self.late.len() >= MANY || self.late_bytes >= HALF_OF_ALL {
            self.before = std::mem::take(&mut self.late);
            self.late_bytes = 0;
        }
        self.late_bytes += recalled.bytes;
        self.late.insert(digest, recalled);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
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

    fn note(recall: &Recall, digest: Digest) {
        let reading = feeds::parse(Feed::Inventory, BODY, &locale()).unwrap();
        let summary = Arc::new(ContentSummary::of(&reading.facts).unwrap());
        recall.note(&Source { feed: Feed::Inventory, digest, dealership: 1, locale: locale() }, &reading, &summary);
    }

    fn numbered(number: usize) -> Digest {
        digest(&number.to_be_bytes())
    }

    #[test]
    fn a_body_says_the_same_later_and_for_the_same_place_only() {
        let recall = Recall::default();
        note(&recall, digest(BODY));
        let recalled = recall.find(&digest(BODY)).unwrap();
        let received_at = locale().received_at;
        for (holds, locale) in [
            (true, locale()),
            (true, Locale { received_at: received_at + TimeDelta::days(1), ..locale() }),
            (false, Locale { received_at: received_at - TimeDelta::days(1), ..locale() }),
            (false, Locale { timezone: chrono_tz::Europe::London, ..locale() }),
            (false, Locale { country: Country::parse("NZ").unwrap(), ..locale() }),
        ] {
            assert_eq!(recalled.holds_for(&locale), holds, "{locale:?}");
        }
        assert!(recalled.facts(BODY).is_some());
        assert!(recall.find(&numbered(0)).is_none());
    }

    #[test]
    fn bodies_that_say_much_are_not_remembered_or_fewer_are() {
        let recall = Recall::default();
        let note = |number: usize, findings: usize, unknown: usize| {
            let mut reading = feeds::parse(Feed::Inventory, BODY, &locale()).unwrap();
            reading.findings = vec![Finding::whole(Code::FieldType, "x".repeat(100)); findings];
            reading.unknown_paths = (0..unknown).map(|field| format!("{number} {field}")).collect();
            let summary = Arc::new(ContentSummary::of(&reading.facts).unwrap());
            let digest = numbered(number);
            recall.note(&Source { feed: Feed::Inventory, digest, dealership: 1, locale: locale() }, &reading, &summary);
        };
        note(0, 200, 0);
        note(1, 0, 1_000);
        assert!(recall.find(&numbered(0)).is_none() && recall.find(&numbered(1)).is_none());
        for number in 2..8_000 {
            note(number, 20, 100);
        }
        let remembered = recall.0.lock().unwrap();
        assert!(remembered.before.len() > 100 && remembered.before.len() < 7_000, "{}", remembered.before.len());
    }

    #[test]
    fn the_bodies_of_late_are_remembered_and_no_more_than_twice_as_many() {
        let recall = Recall::default();
        for number in 0..=MANY {
            note(&recall, numbered(number));
        }
        // The first one was asked for, so it is one of late; the second was not.
        assert!(recall.find(&numbered(0)).is_some());
        for number in MANY..2 * MANY {
            note(&recall, numbered(number));
        }
        assert!(recall.find(&numbered(0)).is_some());
        assert!(recall.find(&numbered(1)).is_none());
        let remembered = recall.0.lock().unwrap();
        assert!(remembered.late.len() + remembered.before.len() <= 2 * MANY);
    }
}
