//! The one parser of what is posted or signed: whoever looks at a body sees the same fields in it.

use serde::Deserialize;
use serde::de::Error as _;

/// The byte order mark, as some systems write it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Parses a body as JSON, into a tree that may borrow from it. A byte order mark before it is skipped, and of a repeated key
/// the last counts.
///
/// # Errors
/// Where it is not JSON.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    let body = without_mark(body);
    match str::from_utf8(body) {
        // Looked at once for the whole, and not for each text.
        Ok(text) => serde_json::from_str(text),
        Err(_invalid) => Err(invalid(body)),
    }
}

/// What is wrong first with a body that is not UTF-8.
fn invalid(body: &[u8]) -> serde_json::Error {
    let read: serde_json::Result<serde_json::Value> = serde_json::from_slice(body);
    read.err().unwrap_or_else(|| serde_json::Error::custom("invalid UTF-8"))
}

/// A body without its byte order mark.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}
