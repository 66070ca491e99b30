//! What goes over one connection, and for how long nothing may: between two requests, within a request's head, and while
//! replies are not read.
//!
//! hyper knows one bound for the first two, which makes it either close a connection that proxies still use, or hold one
//! whose head never ends. So its bounds are off, and these count.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::bounds::Bounds;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its last request is answered, and nothing of another one was read.
    Idle { since: Instant },
    /// A head is under way.
    Head { since: Instant },
    /// A request is under way; its body and its work have bounds of their own.
    Request,
    /// The last reply announces that the connection is closed after it.
    Closing,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    /// Since when nothing of a reply could be sent.
    stalled_since: Option<Instant>,
}

impl State {
    fn is_at_rest(&self) -> bool {
        matches!(self.stage, Stage::Idle { .. }) && self.stalled_since.is_none()
    }
}

/// The traffic of one connection.
#[derive(Debug)]
pub(super) struct Traffic {
    stream: TcpStream,
    state: Mutex<State>,
}

impl Traffic {
    /// That of a connection whose first byte has arrived.
    pub(super) fn new(stream: TcpStream) -> Arc<Self> {
        let state = State { stage: Stage::Head { since: Instant::now() }, stalled_since: None };
        Arc::new(Self { stream, state: Mutex::new(state) })
    }

    /// A request's head has been read.
    pub(super) fn begin_request(&self) {
        self.state().stage = Stage::Request;
    }

    /// A request is answered; `is_last` where its reply announces that the connection is closed after it.
    pub(super) fn end_request(&self, is_last: bool) {
        self.state().stage = if is_last { Stage::Closing } else { Stage::Idle { since: Instant::now() } };
    }

    /// The head of a request is what comes next.
    pub(super) fn expect_head(&self) {
        self.state().stage = Stage::Head { since: Instant::now() };
    }

    /// Whether every request was answered, every reply taken, and nothing of another request read.
    pub(super) fn is_at_rest(&self) -> bool {
        self.state().is_at_rest()
    }

    /// Waits for the other side: true where it sends something, false where it closes or is gone.
    pub(super) async fn is_spoken_to(&self) -> bool {
        matches!(self.stream.peek(&mut [0]).await, Ok(1..))
    }

    /// Closes the sending half of a connection that was at rest for too long; false where it has been sent something in the
    /// last moment, and stays. The system is asked, because the runtime may not have noticed it yet: what is closed with
    /// unread bytes in it loses a request. What comes after the close finds a connection whose last reply announced it.
    pub(super) fn close_unless_spoken_to(&self) -> bool {
        let mut state = self.state();
        if state.is_at_rest() && self.has_unread() {
            state.stage = Stage::Head { since: Instant::now() };
            return false;
        }
        self.end();
        true
    }

    /// Closes the sending half, unless it is closed.
    pub(super) fn end(&self) {
        if let Err(error) = self.shut_down() {
            tracing::trace!(%error, "a connection had ended already");
        }
    }

    fn shut_down(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write)?)
    }

    /// Whether something has arrived that was not read.
    pub(super) fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.stream).is_ok_and(|bytes| bytes > 0)
    }

    /// Ready when nothing has gone over the connection for as long as may be. It is to be polled whenever the connection
    /// is: only then does it see that another bound counts.
    pub(super) async fn overdue(&self, bounds: Bounds) {
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        std::future::poll_fn(|context| {
            let Some(deadline) = self.deadline(bounds) else { return Poll::Pending };
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(context)
        })
        .await;
    }

    fn deadline(&self, bounds: Bounds) -> Option<Instant> {
        let state = self.state();
        let of_stage = match state.stage {
            Stage::Idle { since } => Some(since + bounds.keep_alive),
            Stage::Head { since } => Some(since + bounds.header_timeout),
            Stage::Request | Stage::Closing => None,
        };
        let of_reply = state.stalled_since.map(|since| since + bounds.reply);
        of_stage.into_iter().chain(of_reply).min()
    }

    fn note_read(&self, bytes: usize) {
        let mut state = self.state();
        if bytes > 0 && matches!(state.stage, Stage::Idle { .. }) {
            state.stage = Stage::Head { since: Instant::now() };
        }
    }

    fn note_write(&self, has_progress: bool) {
        let mut state = self.state();
        if has_progress {
            state.stalled_since = None;
        } else {
            state.stalled_since.get_or_insert_with(Instant::now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of a connection, which counts what goes over it.
#[derive(Debug)]
pub(super) struct Stream(pub(super) Arc<Traffic>);

impl Stream {
    fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(ready) = self.0.stream.poll_write_ready(context) else {
                self.0.note_write(false);
                return Poll::Pending;
            };
            ready?;
            match write(&self.0.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.0.note_write(true);
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(context))?;
            match self.0.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    return Poll::Ready(read.map(|bytes| self.0.note_read(bytes)));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shut_down())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_with_unread_bytes_in_it_is_not_closed_for_its_rest() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let traffic = Traffic::new(listener.accept().await.unwrap().0);
        traffic.begin_request();
        traffic.end_request(false);
        client.write_all(b"POST").await.unwrap();
        // The runtime is not polled in between and cannot notice it.
        while !traffic.has_unread() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(!traffic.close_unless_spoken_to());
        assert!(matches!(traffic.state().stage, Stage::Head { .. }), "from here on it is a head that is waited for");
        traffic.stream.try_read(&mut [0; 4]).unwrap_or_default();
        traffic.end_request(false);
        let mut rest = [0; 4];
        if traffic.has_unread() {
            traffic.stream.readable().await.unwrap();
            traffic.stream.try_read(&mut rest).unwrap();
        }
        assert!(traffic.close_unless_spoken_to());
        assert_eq!(client.read(&mut rest).await.unwrap(), 0, "closed in good order");
    }
}
