//! The one parser of what is posted or signed: whoever looks at a body sees the same fields in it.

use serde::Deserialize;

/// The byte order mark, as some systems write it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Parses a body as JSON, into a tree that may borrow from it. A byte order mark before it is skipped, and of a repeated key
/// the last counts.
///
/// # Errors
/// Where it is not JSON.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(without_mark(body))
}

/// A body without its byte order mark.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}
