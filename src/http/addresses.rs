//! What a path means that is not quite a door's: the same door, where it is only written otherwise, and else the nearest.
//!
//! A path can hold anything that a sender's dealer has typed. What is kept of it are the words that doors are made of.

use std::cmp::Reverse;

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

use crate::domain::feed::Feed;

/// Where OAuth clients ask for tokens.
pub(super) const TOKEN: &str = "/oauth/token";
/// The other routes, which take no POST.
pub(super) const LIVEZ: &str = "/livez";
pub(super) const READYZ: &str = "/readyz";

/// What stands for a word that is the sender's own.
pub(super) const UNKNOWN: &str = "*";

/// A word within so many edits of a door's is that word, mistyped.
const EDITS: usize = 2;
/// As many segments of a path are looked at.
const MOST_SEGMENTS: usize = 16;
/// As many letters of a path are compared as a whole.
const MOST_LETTERS: usize = 128;

/// Every path that can be posted to.
pub(super) fn state() -> impl Iterator<Item = &'static str> {
    Feed::ALL.iter().map(|feed| feed.path()).chain([TOKEN])
}

/// Gives a request the path that it means: without a slash at its end, double slashes, and letters written as `%2D`.
pub(super) fn normalise(mut request: Request) -> Request {
    let uri = request.uri();
    let Some(path) = normalised(uri.path()) else { return request };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(path) = format!("{path}{query}").parse::<PathAndQuery>() {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The path that is meant; none where it is that already. Letters that need not be written as `%2D` are the same either way
/// (RFC 3986 §6.2.2.2), others are not: `%2F` is no slash.
fn normalised(path: &str) -> Option<String> {
    let ends_in_slash = path.len() > 1 && path.ends_with('/');
    if !path.starts_with('/') || !(ends_in_slash || path.contains("//") || path.contains('%')) {
        return None;
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty()).map(decoded);
    let meant = segments.fold(String::new(), |meant, segment| meant + "/" + &segment);
    let meant = if meant.is_empty() { "/".to_owned() } else { meant };
    (meant != path).then_some(meant)
}

fn decoded(segment: &str) -> String {
    let mut decoded = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let letter = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        let letter = letter.filter(|letter| letter.is_ascii_alphanumeric() || "-._~".contains(*letter));
        rest = if let Some(letter) = letter {
            decoded.push(letter);
            after.get(2..).unwrap_or_default()
        } else {
            decoded.push('%');
            after
        };
    }
    decoded + rest
}

/// What is kept of a path that is no door's: the words that doors are made of, mistyped or not. Any other is `*`.
pub(super) fn reduced(path: &str) -> String {
    let mut reduced = String::new();
    for (index, segment) in segments(path).enumerate() {
        if index == MOST_SEGMENTS {
            return reduced + "/" + UNKNOWN;
        }
        let is_known = words().any(|word| edits(segment, word).is_some());
        reduced = reduced + "/" + if is_known { segment } else { UNKNOWN };
    }
    if reduced.is_empty() { "/".to_owned() } else { reduced }
}

/// The door that is nearest to a path: of most of the same words, with the fewest edits, and then the most alike as a whole.
pub(super) fn nearest(path: &str) -> &'static str {
    let sent: Vec<&str> = segments(path).take(MOST_SEGMENTS).collect();
    let whole: String = path.chars().take(MOST_LETTERS).collect();
    let likeness = |door: &&'static str| {
        let of_word = |word| sent.iter().filter_map(|segment| edits(segment, word)).min();
        let common: Vec<usize> = segments(door).filter_map(of_word).collect();
        let edits: usize = common.iter().sum();
        (common.len(), Reverse((edits, strsim::damerau_levenshtein(&whole, door))))
    };
    state().max_by_key(likeness).unwrap_or(TOKEN)
}

/// Whether a path begins as those of webhooks do.
pub(super) fn begins_with_webhook(path: &str) -> bool {
    let begins = segments(path).next().unwrap_or_default();
    begins.get(..7).is_some_and(|begins| begins.eq_ignore_ascii_case("webhook"))
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The words that doors are made of.
fn words() -> impl Iterator<Item = &'static str> {
    state().chain([LIVEZ, READYZ]).flat_map(segments)
}

/// How many edits make a segment a word, where they are few enough; capitals are none.
fn edits(segment: &str, word: &str) -> Option<usize> {
    if segment.len().abs_diff(word.len()) > 2 * EDITS {
        return None;
    }
    let edits = strsim::damerau_levenshtein(&segment.to_ascii_lowercase(), word);
    (edits <= EDITS).then_some(edits)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const LEADS: &str = "/webhooks/dealer-studio/leads";

    #[test]
    fn a_path_that_is_only_written_otherwise_is_the_same() {
        for (sent, meant) in [
            ("/webhooks/dealer-studio/leads/", LEADS),
            ("//webhooks///dealer-studio/leads//", LEADS),
            ("/webhooks/dealer%2Dstudio/%6c%65ads?x=1", "/webhooks/dealer-studio/leads?x=1"),
            ("/webhooks/dealer-studio/leads/?a=//&b=%2D", "/webhooks/dealer-studio/leads?a=//&b=%2D"),
            ("/webhooks%2Fdealer-studio/leads", "/webhooks%2Fdealer-studio/leads"),
            ("/a%2/%zz/%e9%C3%A9/%", "/a%2/%zz/%e9%C3%A9/%"),
            ("/%252D", "/%252D"),
            ("/", "/"),
            ("//", "/"),
            ("http://here//livez/", "http://here/livez"),
            ("*", "*"),
        ] {
            let request = Request::builder().uri(sent).body(Body::empty()).unwrap();
            assert_eq!(normalise(request).uri().to_string(), meant, "{sent}");
        }
    }

    #[test]
    fn of_a_path_only_the_words_of_doors_are_kept() {
        for (sent, kept) in [
            ("/webhook/leads", "/webhook/leads"),
            ("/webhooks/dealer-studio/lead", "/webhooks/dealer-studio/lead"),
            ("/Webhooks/DEALER-STUDIO/Laeds", "/Webhooks/DEALER-STUDIO/Laeds"),
            ("/api/v1/secret-91x/leads", "/*/*/*/leads"),
            ("/webhooks/ada@example.com", "/webhooks/*"),
            ("/oauth/tokens", "/oauth/tokens"),
            ("/webhooks%2Fleads", "/*"),
            ("/", "/"),
        ] {
            assert_eq!(reduced(sent), kept, "{sent}");
        }
        assert_eq!(reduced(&"/leads".repeat(1_000)), "/leads".repeat(16) + "/*");
        assert_eq!(reduced(&format!("/{}", "é".repeat(10_000))), "/*");
    }

    #[test]
    fn the_nearest_door_is_the_one_that_was_meant() {
        let inventory = Feed::Inventory.path();
        for (sent, meant) in [
            ("/webhook/leads", LEADS),
            ("/leads", LEADS),
            ("/lead", LEADS),
            ("/webhooks/dealer-studio/lead", LEADS),
            ("/webhooks/dealerstudio/inventry", inventory),
            ("/dealer-studio/webhooks/inventory", inventory),
            ("/webhooks/dealer-studio/leadclusters", Feed::LeadCluster.path()),
            ("/webhooks/lead-pro", Feed::LeadPro.path()),
            ("/webhooks/leadpro/leads", Feed::LeadPro.path()),
            ("/oauth2/token", TOKEN),
            ("/token", TOKEN),
        ] {
            assert_eq!(nearest(sent), meant, "{sent}");
        }
        for odd in ["/", "/x", &"/x".repeat(100_000), &format!("/{}", "é".repeat(10_000))] {
            assert!(state().any(|door| door == nearest(odd)));
        }
    }
}
