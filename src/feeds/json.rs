//! The one parser of what is posted or signed: whoever looks at a body sees the same fields in it.

use serde_json::Value;

/// The byte order mark, as some systems write it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Parses a body as JSON. A byte order mark before it is skipped, and of a repeated key the last counts.
///
/// # Errors
/// Where it is not JSON.
pub fn parse(body: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body))
}
