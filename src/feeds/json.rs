//! The one parser of what is posted or signed: whoever looks at a body sees the same fields in it.

use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Error as _};

/// The byte order mark, as some systems write it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Parses a body as JSON, into a tree that may borrow from it. A byte order mark before it is skipped, and of a repeated key
/// the last counts.
///
/// # Errors
/// Where it is not JSON.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    parse_with(PhantomData, body)
}

/// As [`parse`], with what knows how to read.
pub(super) fn parse_with<'a, S: DeserializeSeed<'a>>(seed: S, body: &'a [u8]) -> serde_json::Result<S::Value> {
    let body = without_mark(body);
    // Looked at once for the whole, and not for each text.
    let Ok(text) = str::from_utf8(body) else { return Err(invalid(body)) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
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
