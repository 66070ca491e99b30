//! The load generator: a process that sends deliveries and measures the answers.
//!
//! It keeps a number of requests in flight (closed loop), or begins a number of them each second whether or not the
//! former are answered (open loop): a request that waits for its turn is late, and its time counts from when it was due.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::payloads::{Kind, Payloads};
use crate::{Fallible, usage};

/// How requests follow each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// As many in flight as there are connections, for so many seconds.
    Closed { seconds: f64 },
    /// As many in flight as there are connections, until so many are answered.
    All { count: u64 },
    /// So many a second, for so many seconds.
    Open { rate: f64, seconds: f64 },
}

/// What to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// To whom.
    pub(crate) address: SocketAddr,
    /// The secret that opens the door.
    pub(crate) token: String,
    /// What.
    pub(crate) kind: Kind,
    /// For which dealership.
    pub(crate) dealership: u64,
    /// For how many dealerships, this one and those that follow it; each connection sends for one of them.
    pub(crate) dealerships: u64,
    /// The number of the first delivery; the others follow.
    pub(crate) first: u64,
    /// Over how many connections.
    pub(crate) connections: usize,
    /// In which order.
    pub(crate) pace: Pace,
    /// For how many seconds nothing is measured yet.
    pub(crate) warm_up: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// How many requests were answered, those of the warm-up included.
    pub(crate) answers: u64,
    /// Answers a second.
    pub(crate) rate: f64,
    /// How long half of the requests took at the most, in milliseconds.
    pub(crate) p50: f64,
    /// How long ninety-nine of a hundred took at the most, in milliseconds.
    pub(crate) p99: f64,
    /// How long the slowest took, in milliseconds.
    pub(crate) max: f64,
    /// Answers other than 200.
    pub(crate) refused: u64,
    /// Answers that say `applied`.
    pub(crate) applied: u64,
    /// Answers that tell of a new booking.
    pub(crate) booked: u64,
    /// Bytes of bodies sent.
    pub(crate) bytes: u64,
    /// The generator's own processor time, in seconds.
    pub(crate) cpu: f64,
}

/// Starts a generator in a process of its own and waits for its result.
pub(crate) async fn send(order: &Order) -> Fallible<Heard> {
    start(order)?.finish().await
}

/// Starts a generator in a process of its own.
pub(crate) fn start(order: &Order) -> Fallible<Generator> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.arg("load").arg(serde_json::to_string(order)?).stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(Generator { child: command.kill_on_drop(true).spawn()? })
}

/// A generator that is sending.
pub(crate) struct Generator {
    child: tokio::process::Child,
}

impl Generator {
    /// Waits until it has sent everything.
    pub(crate) async fn finish(self) -> Fallible<Heard> {
        let said = self.child.wait_with_output().await?;
        if !said.status.success() {
            return Err("the load generator gave up".into());
        }
        Ok(serde_json::from_slice(&said.stdout)?)
    }
}

/// The generator's process: carries out an order and prints the result.
pub(crate) async fn run(order: &str) -> Fallible {
    let order: Order = serde_json::from_str(order)?;
    let payloads = Payloads::new(order.kind);
    let began = Instant::now();
    let sending = Sending {
        turns: Turns::new(&order, began),
        head: format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            payloads.path(),
            order.address,
            order.token,
            payloads.body(order.first, order.dealership).len()
        ),
        payloads,
        measured_from: began + Duration::from_secs_f64(order.warm_up),
        heard: RefCell::default(),
        latencies: RefCell::default(),
        number: Cell::new(order.first),
    };
    let dealerships = (order.dealership..order.dealership + order.dealerships).cycle();
    let connections = dealerships.take(order.connections);
    try_join_all(connections.map(|dealership| sending.connection(order.address, dealership))).await?;
    let ended = Instant::now();
    let mut latencies = sending.latencies.into_inner();
    latencies.sort_unstable();
    let millis = |share: f64| percentile(&latencies, share).as_secs_f64() * 1_000.0;
    let window = ended.saturating_duration_since(sending.measured_from).as_secs_f64();
    let heard = Heard {
        rate: count(latencies.len()) / window,
        p50: millis(0.5),
        p99: millis(0.99),
        max: millis(1.0),
        cpu: usage::cpu(std::process::id()).unwrap_or_default(),
        ..sending.heard.into_inner()
    };
    println!("{}", serde_json::to_string(&heard)?);
    Ok(())
}

/// When requests are sent.
enum Turns {
    /// At once, until then.
    Until(Instant),
    /// At once, so often.
    Left(Cell<u64>),
    /// When they are due, as a thread of its own tells: a runtime's timers are a millisecond coarse.
    Due(Mutex<mpsc::UnboundedReceiver<Instant>>),
}

impl Turns {
    fn new(order: &Order, began: Instant) -> Self {
        match order.pace {
            Pace::Closed { seconds } => Self::Until(began + Duration::from_secs_f64(order.warm_up + seconds)),
            Pace::All { count } => Self::Left(Cell::new(count)),
            Pace::Open { rate, seconds } => {
                let (sender, due) = mpsc::unbounded_channel();
                let (step, end) = (1.0 / rate, order.warm_up + seconds);
                std::thread::spawn(move || {
                    let mut after = 0.0;
                    while after < end {
                        let due = began + Duration::from_secs_f64(after);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        if sender.send(due).is_err() {
                            break;
                        }
                        after += step;
                    }
                });
                Self::Due(Mutex::new(due))
            }
        }
    }

    /// Waits for the next turn, and says when it was due; none when everything is sent.
    async fn next(&self) -> Option<Instant> {
        match self {
            Self::Until(end) => Some(Instant::now()).filter(|now| now < end),
            Self::Left(left) => {
                left.set(left.get().checked_sub(1)?);
                Some(Instant::now())
            }
            Self::Due(due) => due.lock().await.recv().await,
        }
    }
}

/// What the connections share.
struct Sending {
    payloads: Payloads,
    head: String,
    turns: Turns,
    number: Cell<u64>,
    measured_from: Instant,
    heard: RefCell<Heard>,
    latencies: RefCell<Vec<Duration>>,
}

impl Sending {
    /// Sends requests for a dealership over one connection, one after the other.
    async fn connection(&self, address: SocketAddr, dealership: u64) -> Fallible {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut answer = Vec::with_capacity(4_096);
        while let Some(due) = self.turns.next().await {
            let number = self.number.replace(self.number.get() + 1);
            let body = self.payloads.body(number, dealership);
            let mut request = Vec::with_capacity(self.head.len() + body.len());
            request.extend_from_slice(self.head.as_bytes());
            request.extend_from_slice(body.as_bytes());
            stream.write_all(&request).await?;
            read_answer(&mut stream, &mut answer).await?;
            if due >= self.measured_from {
                self.latencies.borrow_mut().push(due.elapsed());
            }
            self.note(&answer, body.len());
        }
        Ok(())
    }

    fn note(&self, answer: &[u8], bytes: usize) {
        let says = |word: &[u8]| u64::from(answer.windows(word.len()).any(|window| window == word));
        let mut heard = self.heard.borrow_mut();
        heard.answers += 1;
        heard.bytes += u64::try_from(bytes).unwrap_or_default();
        heard.refused += u64::from(!answer.starts_with(b"HTTP/1.1 200"));
        heard.applied += says(b"\"outcome\":\"applied\"");
        heard.booked += says(b"\"booking\":\"created\"");
    }
}

/// Reads one answer to the end of its body.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Fallible {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the connection was closed before the answer".into());
        }
        if let Some(length) = whole_length(answer)
            && answer.len() >= length
        {
            return Ok(());
        }
    }
}

/// The length of an answer with its head, once the head is there.
fn whole_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(answer.get(..head)?).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + 4 + length.unwrap_or_default())
}

/// The latency that so large a share does not exceed.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a length")]
    let rank = (count(sorted.len()) * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A number of things, to be divided.
#[expect(clippy::cast_precision_loss, reason = "a benchmark counts fewer than 2^52 things")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}
