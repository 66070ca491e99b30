//! Which feed a body looks like, by the fields at its top: for what was posted to another feed's door, or to none.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::domain::feed::Feed;

/// Fields that only payloads of one feed have, or that they all have.
const FIELDS: [(Feed, &[&str]); 4] = [
    (Feed::Lead, &["dealership", "prospect", "item", "additional_details", "updated_at", "lead_cluster_id"]),
    (
        Feed::LeadCluster,
        &["dealership_id", "contact", "leads", "first_lead_created_at", "last_lead_created_at", "modified"],
    ),
    (
        Feed::Inventory,
        &["Identifier", "SaleStatus", "Seller", "LastModifiedUtc", "ListingType", "Identification", "Specification"],
    ),
    (Feed::LeadPro, &["event", "data"]),
];
/// So many of them make a body look like a feed's.
const ENOUGH: usize = 2;

/// The feed whose payloads a body looks like; none where it is no object, or might be of several.
#[must_use]
pub fn guess(body: &[u8]) -> Option<Feed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut json = serde_json::Deserializer::from_slice(body);
    let found = json.deserialize_map(Fields).ok()?;
    let counts = FIELDS.map(|(feed, fields)| (fields.iter().filter(|field| found.contains(*field)).count(), feed));
    let most = counts.iter().map(|(count, _)| *count).max().filter(|most| *most >= ENOUGH)?;
    let mut likely = counts.iter().filter(|(count, _)| *count == most);
    match (likely.next(), likely.next()) {
        (Some((_, feed)), None) => Some(*feed),
        (_, _) => None,
    }
}

/// Takes the known fields of an object, and passes over what they hold.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = BTreeSet<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            let mut known = FIELDS.iter().flat_map(|(_, fields)| *fields);
            found.extend(known.find(|field| **field == name).copied());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_every_fixture_looks_like_what_it_is_and_none_like_another() {
        for feed in Feed::ALL {
            let folder = format!("{}/fixtures/{}/{}", env!("CARGO_MANIFEST_DIR"), feed.sender(), feed.name());
            let (mut count, mut guessed) = (0, 0);
            let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            for file in files.filter(|file| file.extension().is_none_or(|extension| extension != "snap")) {
                let body = std::fs::read(file).unwrap();
                let guess = guess(&body);
                assert!(guess.is_none_or(|guess| guess == *feed), "{feed:?} {guess:?}");
                count += 1;
                guessed += usize::from(guess.is_some());
            }
            assert!(guessed * 10 >= count * 8, "{feed:?}: {guessed} of {count}");
        }
    }

    #[test]
    fn what_is_no_object_or_says_nothing_looks_like_nothing() {
        for body in ["", "[]", "{}", "null", "{\"Identifier\": 1}", "{\"event\": 1, \"data\": 2", "a=b", "\u{feff}"] {
            assert_eq!(guess(body.as_bytes()), None, "{body}");
        }
        let withdrawal = "\u{feff}{\"Identifier\": 1, \"SaleStatus\": \"WITHDRAWN\"}";
        assert_eq!(guess(withdrawal.as_bytes()), Some(Feed::Inventory));
        assert_eq!(guess(b"{\"event\": 1, \"event\": 2, \"id\": 3}"), None);
    }
}
