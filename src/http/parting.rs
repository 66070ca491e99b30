//! How a connection that rests is closed without losing the request that crosses the close.
//!
//! HTTP/1.1 has no word by which a server could ask whether it may close (RFC 9112 §9.5): whoever closes a resting
//! connection while a request is on its way has the network reset it, and the sender never learns that nobody read it.
//! So our half alone is closed first. A request that was sent before the other side saw that is still read, and its
//! delivery stored, although its answer reaches nobody any more; and one that was here before is answered.

use std::io::Cursor;
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For so long what crosses the close is waited for: a request under way, or that the other side closes as well.
const CROSSING: Duration = Duration::from_millis(500);

/// What may be read of a connection before it is closed.
pub(super) type Rest =
    tokio::io::Join<tokio::io::Chain<Cursor<Bytes>, tokio::net::tcp::OwnedReadHalf>, tokio::net::tcp::OwnedWriteHalf>;

/// Closes a connection of which so much was read and not heard; gives what is still to be heard, if there is anything.
pub(super) async fn part(mut stream: TcpStream, unheard: Bytes) -> Option<Rest> {
    let mut byte = [0];
    if unheard.is_empty() && !is_there(&stream) {
        stream.shutdown().await.ok()?;
        match timeout(CROSSING, stream.peek(&mut byte)).await {
            Ok(Ok(1..)) => {
                tracing::debug!("a request crossed the close of its connection: it is heard, and not answered");
            }
            Ok(Ok(0) | Err(_)) | Err(_) => return None,
        }
    }
    let (read, write) = stream.into_split();
    Some(tokio::io::join(Cursor::new(unheard).chain(read), write))
}

/// Whether something has arrived that was not read.
fn is_there(stream: &TcpStream) -> bool {
    use futures_util::FutureExt as _;
    let mut byte = [0];
    matches!(stream.peek(&mut byte).now_or_never(), Some(Ok(1..)))
}
