//! How a connection that rests is closed without losing the request that crosses the close.
//!
//! HTTP/1.1 has no way for a server to ask whether it may close (RFC 9112 §9.5): whoever closes a resting
//! connection while a request is on its way has the network reset it, and the sender never learns that nobody read it.
//! So our half alone is closed first. A request that was sent before the other side saw that is still read, and its
//! delivery stored, although its answer reaches nobody any more; and one that was here before is answered.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::{AsyncReadExt as _, Chain, Join};
use tokio::time::timeout;

use super::traffic::{Stream, Traffic};

/// For so long what crosses the close is waited for: a request under way, or that the other side closes as well.
const CROSSING: Duration = Duration::from_millis(500);

/// What may be read of a connection before it is closed.
pub(super) type Rest = Join<Chain<Cursor<Bytes>, Stream>, Stream>;

/// Closes a connection of which some bytes were read and not yet parsed; gives what is still to be handled, if there is anything.
pub(super) async fn part(traffic: &Arc<Traffic>, unheard: Bytes) -> Option<Rest> {
    if unheard.is_empty() && !traffic.has_unread() {
        traffic.end();
        if !timeout(CROSSING, traffic.is_spoken_to()).await.unwrap_or(false) {
            return None;
        }
        tracing::debug!("a request crossed the close of its connection: it is heard, and not answered");
    }
    traffic.expect_head();
    let stream = || Stream(Arc::clone(traffic));
    Some(tokio::io::join(Cursor::new(unheard).chain(stream()), stream()))
}
