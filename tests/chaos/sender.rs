//! The sender: it posts at a steady pace, whatever becomes of what it posted before. What was not answered in time is
//! repeated, three times at the most; what was refused or broken off is not.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::scenario::{Telling, telling};
use crate::support::TOKEN;

/// How often a request is repeated at the most.
const REPEATS: usize = 3;

/// One who posts, to an address.
#[derive(Clone)]
pub(crate) struct Sender {
    address: SocketAddr,
    /// How long it waits for an answer.
    patience: Duration,
    /// Connections that can be used again.
    idle: Arc<Mutex<Vec<TcpStream>>>,
}

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It was answered.
    Answered {
        status: u16,
        /// The id of the delivery, where the answer has one.
        id: Option<String>,
        /// The outcome, where the answer has one.
        outcome: Option<String>,
    },
    /// It was not, for as long as the sender waits.
    TimedOut,
    /// It could not be sent, or the connection broke off.
    Broken,
}

/// A delivery as the sender knows it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Which one of the story it is.
    pub(crate) number: usize,
    /// When it was posted first.
    pub(crate) at: Instant,
    /// How each of its requests ended, and how long that took.
    pub(crate) tries: Vec<(Duration, End)>,
}

impl Sent {
    /// The ids under which it was acknowledged, with the outcomes.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tries.iter().filter_map(|(_, end)| match end {
            End::Answered { status: 200, id, outcome } => Some((id.as_deref()?, outcome.as_deref()?)),
            End::Answered { .. } | End::TimedOut | End::Broken => None,
        })
    }

    /// The status of its last request, where that was answered.
    pub(crate) fn status(&self) -> Option<u16> {
        match self.tries.last() {
            Some((_, End::Answered { status, .. })) => Some(*status),
            Some((_, End::TimedOut | End::Broken)) | None => None,
        }
    }

    /// How long its last request took.
    pub(crate) fn took(&self) -> Duration {
        self.tries.last().map_or(Duration::ZERO, |(took, _)| *took)
    }
}

impl Sender {
    /// One who waits so long for an answer.
    pub(crate) fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, idle: Arc::default() }
    }

    /// The same one, who waits so long for an answer.
    pub(crate) fn waiting(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The address that it posts to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Posts a delivery of the story, and again where it is not answered in time.
    pub(crate) async fn tell(&self, number: usize) -> Sent {
        let Telling { feed, body } = telling(number);
        // Half of the senders make a connection for each request.
        let fresh = (number / 2).is_multiple_of(2);
        let connection = if fresh { "close" } else { "keep-alive" };
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nConnection: {connection}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            feed.path(),
            body.len()
        );
        let at = Instant::now();
        let mut tries = Vec::new();
        while tries.len() <= REPEATS {
            let began = Instant::now();
            let end = match timeout(self.patience, self.exchange(&request, fresh)).await {
                Err(_) => End::TimedOut,
                Ok(Err(_)) => End::Broken,
                Ok(Ok((status, body))) => {
                    let text = |name: &str| body[name].as_str().map(str::to_owned);
                    End::Answered { status, id: text("delivery_id"), outcome: text("outcome") }
                }
            };
            let again = matches!(end, End::TimedOut);
            tries.push((began.elapsed(), end));
            if !again {
                break;
            }
        }
        Sent { number, at, tries }
    }

    /// What a path answers.
    pub(crate) async fn get(&self, path: &str) -> io::Result<(u16, Value)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        timeout(self.patience, self.exchange(&request, true)).await?
    }

    /// A connection that rests, and that the other side has not closed meanwhile.
    fn idle_connection(&self) -> Option<TcpStream> {
        let mut idle = self.idle.lock().unwrap();
        let is_open = |stream: &TcpStream| {
            stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        std::iter::from_fn(|| idle.pop()).find(is_open)
    }

    async fn exchange(&self, request: &str, fresh: bool) -> io::Result<(u16, Value)> {
        let idle = if fresh { None } else { self.idle_connection() };
        let mut stream = match idle {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes()).await?;
        let (answer, was_last) = answer(&mut stream).await?;
        // Whoever sends on after `Connection: close` sends into the close.
        if !fresh && !was_last {
            self.idle.lock().unwrap().push(stream);
        }
        Ok(answer)
    }
}

/// Reads one answer, and whether it says that it is the connection's last.
async fn answer(stream: &mut TcpStream) -> io::Result<((u16, Value), bool)> {
    let odd = || io::Error::from(io::ErrorKind::InvalidData);
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(odd)?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(Ok(0), str::parse);
            let whole = end + 4 + length.map_err(|_not_a_number| odd())?;
            if read.len() >= whole {
                let was_last = head.lines().any(|line| line == "connection: close");
                return Ok(((status, serde_json::from_slice(&read[end + 4..whole]).unwrap_or(Value::Null)), was_last));
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The story, told at a steady pace.
pub(crate) struct Load {
    going: Arc<AtomicBool>,
    pacer: JoinHandle<Vec<Sent>>,
}

impl Load {
    /// Begins to tell the story, from the number that is next, so many deliveries a second.
    pub(crate) fn begin(sender: Sender, next: Arc<AtomicUsize>, rate: u32) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&going);
        let pacer = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs(1) / rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let (mut under_way, mut sent) = (JoinSet::new(), Vec::new());
            while goes_on.load(Ordering::Relaxed) {
                ticks.tick().await;
                let (sender, number) = (sender.clone(), next.fetch_add(1, Ordering::Relaxed));
                under_way.spawn(async move { sender.tell(number).await });
                while let Some(done) = under_way.try_join_next() {
                    sent.push(done.unwrap());
                }
            }
            sent.extend(under_way.join_all().await);
            sent
        });
        Self { going, pacer }
    }

    /// Ends it, and waits for the answers that are still to come.
    pub(crate) async fn end(self) -> Vec<Sent> {
        self.going.store(false, Ordering::Relaxed);
        self.pacer.await.unwrap()
    }
}
