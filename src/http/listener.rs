//! Where connections come from: sockets of our own, or sockets that somebody else holds and who has us take from them.
//!
//! The difference shows at a stop. Our own is gone with the process, so it is taken from to the last moment. What waits in
//! one that is held waits for whoever takes from it next, and nobody is refused: so nothing more is taken.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// For so long our own socket is taken from at a stop, unless configured otherwise.
const LASTING: Duration = Duration::from_secs(10);

/// The sockets that connections come from.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    holding: Holding,
}

/// Who holds the sockets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holding {
    /// They are gone with the process. At a stop they are taken from while requests are under way, for so long at the most.
    Own(Duration),
    /// Somebody else, who has them still when the process is gone.
    Other,
}

impl Listener {
    /// One that is gone with the process; at a stop it is taken from for so long at the most.
    #[must_use]
    pub fn own(socket: TcpListener, lasting: Duration) -> Self {
        Self { sockets: vec![socket], holding: Holding::Own(lasting) }
    }

    /// Some that somebody else holds, and goes on to hold.
    #[must_use]
    pub fn held(sockets: Vec<TcpListener>) -> Self {
        Self { sockets, holding: Holding::Other }
    }

    pub(super) fn holding(&self) -> Holding {
        self.holding
    }

    /// The next connection of any of them.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            for socket in &self.sockets {
                if let Poll::Ready(taken) = socket.poll_accept(context) {
                    return Poll::Ready(taken);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Listener {
    /// Closes our own; gives what the system had taken by then.
    pub(super) fn close(self) -> Vec<(TcpStream, SocketAddr)> {
        // Asked itself: the runtime may not have been notified yet.
        let sockets = self.sockets.into_iter().filter_map(|socket| socket.into_std().ok());
        let taken = sockets.flat_map(|socket| std::iter::from_fn(move || socket.accept().ok()));
        let made = taken.map(|(stream, address)| {
            stream.set_nonblocking(true)?;
            Ok((TcpStream::from_std(stream)?, address))
        });
        made.filter_map(|made: io::Result<_>| made.ok()).collect()
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::own(socket, LASTING)
    }
}
