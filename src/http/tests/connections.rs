//! Connections between two requests: how long they rest, and what becomes of a request that crosses their end.

use std::io::ErrorKind;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

/// Serves the house within these bounds; it stops when the sender is dropped.
async fn open(house: &House, bounds: Bounds) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        let _dropped = stopped.await;
    };
    tokio::spawn(serve(listener, house.router.clone(), bounds, shutdown));
    (address, stop)
}

fn request() -> String {
    format!("POST {LEADS} HTTP/1.1\r\nHost: here\r\nAuthorization: {BEARER}\r\nContent-Length: 2\r\n\r\n{{}}")
}

/// Posts over a connection, and reads the reply.
async fn post(connection: &mut TcpStream) -> std::io::Result<String> {
    connection.write_all(request().as_bytes()).await?;
    let mut answer = String::new();
    while !answer.ends_with(REPLY) {
        let mut piece = [0; 1024];
        let length = timeout(PATIENCE, connection.read(&mut piece)).await.unwrap()?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    Ok(answer)
}

/// What became of those that were posted around the end of a rest.
#[derive(Debug, Default)]
struct Crossed {
    answered: usize,
    /// Closed in good order, before the request came.
    closed: usize,
    /// Closed with the request in it.
    reset: usize,
}

/// Posts over many connections at about the moment at which their rest ends.
async fn cross(address: SocketAddr, rest: Duration, count: u64) -> Crossed {
    let outcomes = join_all((0..count).map(|number| async move {
        // One after the other, so that each knows well when its rest began.
        sleep(Duration::from_millis(8 * number)).await;
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        post(&mut connection).await.unwrap();
        // From eight milliseconds before it to one after it: on a busy machine whoever waits for a moment comes late.
        let within = Duration::from_micros(9_000 * number / count);
        sleep_until(Instant::now() + rest - Duration::from_millis(8) + within).await;
        post(&mut connection).await.map_err(|error| error.kind())
    }));
    let mut crossed = Crossed::default();
    for outcome in outcomes.await {
        match outcome {
            Ok(_) => crossed.answered += 1,
            Err(ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => crossed.closed += 1,
            Err(ErrorKind::ConnectionReset) => crossed.reset += 1,
            Err(other) => panic!("{other}"),
        }
    }
    crossed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_posts_at_the_end_of_a_rest_is_answered_or_finds_the_connection_closed() {
    let house = House::new();
    let rest = Duration::from_secs(1);
    let (address, _open) = open(&house, Bounds { keep_alive: rest, ..Bounds::of(1_000) }).await;
    let (mut answered, mut closed) = (0, 0);
    for _ in 0..5 {
        let crossed = cross(address, rest, 80).await;
        println!("{crossed:?}");
        assert_eq!(crossed.reset, 0, "{crossed:?}");
        answered += 80 + crossed.answered;
        closed += crossed.closed;
    }
    // What crossed the close is taken in as well, where it came soon enough, and nobody reads the answer.
    let taken = house.deliveries().len();
    assert!((answered..=answered + closed).contains(&taken), "{taken} of {answered} answered and {closed} closed");
}

#[tokio::test]
async fn a_connection_rests_longer_than_a_head_may_take_and_says_for_how_long() {
    let house = House::new();
    let (head, keep_alive) = (Duration::from_millis(300), Duration::from_secs(3));
    let (address, _open) = open(&house, Bounds { header_timeout: head, keep_alive, ..Bounds::of(10) }).await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let answer = post(&mut connection).await.unwrap();
    assert!(answer.contains("\r\nkeep-alive: timeout=1\r\n"), "{answer}");
    sleep(head * 4).await;
    post(&mut connection).await.unwrap();
    // A head that does not end is given up all the same.
    connection.write_all(b"POST ").await.unwrap();
    let began = Instant::now();
    assert_eq!(timeout(PATIENCE, connection.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    assert!(began.elapsed() < keep_alive, "{:?}", began.elapsed());

    let mut resting = TcpStream::connect(address).await.unwrap();
    post(&mut resting).await.unwrap();
    assert_eq!(timeout(PATIENCE, resting.read(&mut [0; 1])).await.unwrap().unwrap(), 0, "it is closed at last");
}

#[test]
fn a_reply_says_less_than_the_rest_that_there_is() {
    for (seconds, said) in [(75, "timeout=70"), (8, "timeout=4"), (5, "timeout=2")] {
        let bounds = Bounds { keep_alive: Duration::from_secs(seconds), ..Bounds::of(1) };
        assert_eq!(bounds.keep_alive_hint().unwrap(), said);
    }
}

#[tokio::test]
async fn whoever_posts_and_posts_and_reads_no_reply_gives_the_place_back() {
    let house = House::new();
    let bounds = Bounds { reply: Duration::from_millis(500), ..Bounds::of(10) };
    let (address, _open) = open(&house, bounds).await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let many = request().repeat(100);
    let posted = async {
        // Until nothing more is taken, and then until the connection is reset.
        while connection.write_all(many.as_bytes()).await.is_ok() {}
    };
    timeout(PATIENCE, posted).await.expect("the connection stays for ever");
    assert!(!house.deliveries().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_was_sent_over_connections_that_were_at_rest() {
    for _ in 0..20 {
        let house = House::new();
        let (address, stop) = open(&house, Bounds::of(1_000)).await;
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.set_nodelay(true).unwrap();
            post(&mut connection).await.unwrap();
            connections.push(connection);
        }
        for connection in &mut connections {
            connection.write_all(request().as_bytes()).await.unwrap();
        }
        drop(stop);
        for connection in &mut connections {
            let mut answer = String::new();
            timeout(PATIENCE, connection.read_to_string(&mut answer)).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}
