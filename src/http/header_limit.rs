//! How large the head of a request may be. LeadPro's token, which is the whole payload, stands in a header.

use axum::http::HeaderMap;

use crate::domain::feed::Feed;

/// A request's headers are larger than its door takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the headers are larger than {limit} bytes")]
pub(super) struct HeadTooLarge {
    /// The limit in bytes.
    pub(super) limit: usize,
}

/// Whether the door of the feed takes the headers.
pub(super) fn check(headers: &HeaderMap, feed: Feed) -> Result<(), HeadTooLarge> {
    let limit = feed.header_limit();
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > limit { Err(HeadTooLarge { limit }) } else { Ok(()) }
}
