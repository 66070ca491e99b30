//! Answers that are given before the request has been read: a refusal must reach a sender who is still sending.
//!
//! A server that closes a connection with unread bytes in it makes the network reset it, and the sender may never
//! read what was answered. So whatever of a request's body its handler left unread is read on and thrown away, behind
//! the answer and within bounds, and the connection is closed after that.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// As many bytes are read and thrown away.
const MAX_BYTES: usize = 128 << 20;

/// For as long it is read and thrown away.
const MAX_TIME: Duration = Duration::from_secs(30);

/// A sender who pauses for as long has stopped sending.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The layer: answers at once, and reads on behind an answer that came before the request's end.
pub(crate) async fn read_on_behind(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    let (body, mut unread) = ReturnedBody::new(body);
    let response = next.run(Request::from_parts(head, Body::new(body))).await;
    let Ok(unread) = unread.try_recv() else { return response };

    let (mut head, body) = response.into_parts();
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // Not before the answer's head is written: until then, reading on would ask a sender who waits for
    // `100 Continue` to send.
    let (body, written) = ReturnedBody::new(body);
    tokio::spawn(async move {
        let _finished_or_given_up = written.await;
        throw_away(unread).await;
    });
    Response::from_parts(head, Body::new(body))
}

/// Reads the body until its end or until a bound is reached.
async fn throw_away(mut body: Body) {
    let end = Instant::now() + MAX_TIME;
    let mut thrown = 0;
    while thrown < MAX_BYTES {
        let next = timeout_at(end.min(Instant::now() + MAX_PAUSE), body.frame()).await;
        let Ok(Some(Ok(frame))) = next else { return };
        thrown += frame.data_ref().map_or(0, Bytes::len);
    }
    tracing::debug!(bytes = thrown, "gave up on a sender who does not stop sending");
}

/// A body that is given back when it is dropped before its end. The receiver learns of the drop in any case.
struct ReturnedBody {
    body: Body,
    lender: Option<oneshot::Sender<Body>>,
    ended: bool,
}

impl ReturnedBody {
    fn new(body: Body) -> (Self, oneshot::Receiver<Body>) {
        let (lender, borrower) = oneshot::channel();
        (Self { body, lender: Some(lender), ended: false }, borrower)
    }
}

impl Drop for ReturnedBody {
    fn drop(&mut self) {
        if self.ended || self.body.is_end_stream() {
            return;
        }
        if let Some(lender) = self.lender.take() {
            // Nobody waits for it any more: then it is dropped here.
            drop(lender.send(std::mem::take(&mut self.body)));
        }
    }
}

impl HttpBody for ReturnedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
