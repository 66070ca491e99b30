//! What only shows on a connection: answers to senders who are still sending, wait to be asked, or break off.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tracing::subscriber::DefaultGuard;

use super::*;

const MEGABYTE: usize = 1 << 20;
const TOO_LARGE: &str = r#"{"error":"body_too_large","limit_bytes":1048576}"#;

/// Serves the house; it stops when the sender is dropped.
pub(super) async fn open(house: &House) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = house.router.clone();
    tokio::spawn(async move {
        let shutdown = async {
            let _dropped = stopped.await;
        };
        serve(listener, router, Bounds::of(1_000), shutdown).await
    });
    (address, stop)
}

pub(super) async fn send_head(address: SocketAddr, headers: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {LEADS} HTTP/1.1\r\nHost: here\r\n{headers}\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// Reads until the other side closes.
pub(super) async fn read_all(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(Duration::from_mins(1), connection.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads until the text has arrived.
pub(super) async fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut piece = [0; 1024];
        let length = timeout(Duration::from_mins(1), connection.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    answer
}

/// Sends 64 MiB, a megabyte at a time, and stops for nothing.
async fn send_64_megabytes(connection: &mut TcpStream, pause: Duration, chunked: bool) -> io::Result<()> {
    let piece = vec![b' '; MEGABYTE];
    for _ in 0..64 {
        if chunked {
            connection.write_all(b"100000\r\n").await?;
        }
        connection.write_all(&piece).await?;
        if chunked {
            connection.write_all(b"\r\n").await?;
        }
        sleep(pause).await;
    }
    if chunked { connection.write_all(b"0\r\n\r\n").await } else { Ok(()) }
}

fn assert_whole_413(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with(&format!("\r\n\r\n{TOO_LARGE}")), "{answer}");
}

#[tokio::test]
async fn a_sender_of_64_mebibytes_who_reads_only_at_the_end_reads_the_whole_refusal() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let length = format!("Content-Length: {}\r\n", 64 * MEGABYTE);
    for (framing, chunked) in [(length.as_str(), false), ("Transfer-Encoding: chunked\r\n", true)] {
        for pause in [0, 30] {
            let mut connection = send_head(address, &format!("Authorization: {BEARER}\r\n{framing}")).await;
            send_64_megabytes(&mut connection, Duration::from_millis(pause), chunked).await.unwrap();
            assert_whole_413(&read_all(&mut connection).await);
        }
    }
    assert!(house.deliveries().is_empty());
}

#[tokio::test]
async fn a_sender_that_closes_its_half_of_the_connection_is_answered() {
    let accept: Accept = Arc::new(|_| {
        Box::pin(async {
            sleep(Duration::from_millis(100)).await;
            Ok(Answer::Applied(reply()))
        })
    });
    let house = House { router: router_over(accept), deliveries: Arc::default() };
    let (address, _open) = open(&house).await;
    for _ in 0..5 {
        let mut connection = send_head(address, &format!("Authorization: {BEARER}\r\nContent-Length: 2\r\n")).await;
        connection.write_all(b"{}").await.unwrap();
        connection.shutdown().await.unwrap();
        let answer = read_all(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_is_there_while_the_sender_is_still_sending() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let table = [
        (format!("Authorization: {BEARER}\r\nContent-Length: {}\r\n", 64 * MEGABYTE), TOO_LARGE),
        (format!("Authorization: {BEARER}\r\nTransfer-Encoding: chunked\r\n"), TOO_LARGE),
        (format!("Content-Length: {}\r\n", 64 * MEGABYTE), r#"{"error":"unauthorized"}"#),
    ];
    for (headers, reason) in table {
        let mut connection = send_head(address, &headers).await;
        let (mut reading, mut writing) = connection.split();
        let sending = async {
            let piece = [b"200000\r\n", vec![b' '; 2 * MEGABYTE].as_slice(), b"\r\n"].concat();
            loop {
                writing.write_all(&piece).await.unwrap();
                sleep(Duration::from_millis(500)).await;
            }
        };
        let answered = async {
            let mut answer = String::new();
            while !answer.ends_with(reason) {
                let mut piece = [0; 1024];
                let length = reading.read(&mut piece).await.unwrap();
                assert!(length > 0, "closed after {answer:?}");
                answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
            }
        };
        let start = Instant::now();
        tokio::select! { () = sending => (), () = answered => () }
        // The whole body would take 16 seconds.
        assert!(start.elapsed() < Duration::from_secs(8), "{headers} {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_sender_who_stops_after_the_refusal_is_let_go() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let headers = format!("Authorization: {BEARER}\r\nContent-Length: {}\r\n", 2 * MEGABYTE);
    let mut connection = send_head(address, &headers).await;
    let start = Instant::now();
    assert_whole_413(&read_all(&mut connection).await);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_sender_who_never_stops_is_cut_off() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let headers = format!("Authorization: {BEARER}\r\nContent-Length: {}\r\n", 1_usize << 40);
    let mut connection = send_head(address, &headers).await;
    let piece = vec![b' '; MEGABYTE];
    let mut sent = 0;
    while connection.write_all(&piece).await.is_ok() {
        sent += 1;
        assert!(sent < 300, "still reading after {sent} MiB");
    }
    assert!(sent >= 64, "{sent}");
}

#[tokio::test]
async fn a_sender_who_asks_first_is_asked_to_send_or_refused_before_sending() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let expect = format!("Authorization: {BEARER}\r\nExpect: 100-continue\r\nConnection: close\r\n");

    let mut welcome = send_head(address, &format!("{expect}Content-Length: 2\r\n")).await;
    assert_eq!(read_until(&mut welcome, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    welcome.write_all(b"{}").await.unwrap();
    assert!(read_all(&mut welcome).await.starts_with("HTTP/1.1 200 OK\r\n"));

    let mut large = send_head(address, &format!("{expect}Content-Length: {}\r\n", 2 * MEGABYTE)).await;
    assert_whole_413(&read_all(&mut large).await);

    let mut stranger = send_head(address, "Expect: 100-continue\r\nContent-Length: 2\r\n").await;
    assert!(read_all(&mut stranger).await.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert_eq!(house.deliveries().len(), 1);
}

#[tokio::test]
async fn a_sender_who_breaks_off_has_delivered_nothing() {
    let (log, _listening) = Log::listen();
    let house = House::new();
    let (address, _open) = open(&house).await;
    let table = [
        ("Content-Length: 100\r\n", "{\"id\": 1}"),
        ("Transfer-Encoding: chunked\r\n", "9\r\n{\"id\": 1}\r\n"),
        ("Transfer-Encoding: chunked\r\n", "9\r\n{\"id\": 1}\r\nzz\r\n"),
    ];
    for (framing, part) in table {
        let headers = format!("Authorization: {BEARER}\r\nConnection: close\r\n{framing}");
        let mut half_closed = send_head(address, &headers).await;
        half_closed.write_all(part.as_bytes()).await.unwrap();
        half_closed.shutdown().await.unwrap();
        let answer = read_all(&mut half_closed).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{framing} {answer}");
        assert!(answer.ends_with(r#"{"error":"body_incomplete"}"#), "{framing} {answer}");

        let mut gone = send_head(address, &headers).await;
        gone.write_all(part.as_bytes()).await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    assert!(house.deliveries().is_empty());
    let log = log.text();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("broke off")).collect();
    assert!(lines.len() == 2 * table.len() && lines.iter().all(|line| line.contains(" INFO ")), "{log}");
}

#[tokio::test]
async fn a_connection_serves_one_delivery_after_the_other_and_names_its_sender() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let headers = format!("Authorization: {BEARER}\r\nContent-Length: 2\r\n");
    let mut connection = send_head(address, &headers).await;
    for _ in 0..2 {
        connection.write_all(b"{}").await.unwrap();
        read_until(&mut connection, REPLY).await;
        let head = format!("POST {LEADS} HTTP/1.1\r\nHost: here\r\n{headers}\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
    }
    let addresses: Vec<_> = house.deliveries().iter().map(|delivery| delivery.remote_address).collect();
    assert_eq!(addresses, [Some(address.ip()); 2]);
}

#[tokio::test]
async fn a_refused_request_is_answered_once_and_its_connection_closed() {
    let house = House::new();
    let (address, _open) = open(&house).await;
    let mut connection = send_head(address, "Content-Length: 2\r\n").await;
    connection.write_all(b"{}").await.unwrap();
    let answer = read_all(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn serving_ends_when_what_had_begun_is_answered() {
    let house = House::new();
    let (address, open) = open(&house).await;
    let headers = format!("Authorization: {BEARER}\r\nContent-Length: 2\r\n");
    let mut connection = send_head(address, &headers).await;
    sleep(Duration::from_millis(50)).await;
    drop(open);
    sleep(Duration::from_millis(50)).await;
    connection.write_all(b"{}").await.unwrap();
    assert!(read_all(&mut connection).await.ends_with(REPLY));
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_mins(1), refused).await.unwrap();
}

/// Collects what is logged at any level, as long as the guard lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn many_refusals_cost_a_few_log_lines() {
    let (log, _listening) = Log::listen();
    let house = House::new();
    for _ in 0..50 {
        let request = Request::post(LEADS).header(AUTHORIZATION, "Bearer wrong").body(Body::from("{}")).unwrap();
        assert_eq!(house.answer(request).await.status(), StatusCode::UNAUTHORIZED);
    }
    let log = log.text();
    assert_eq!(log.matches("refused: no credential").count(), 3, "{log}");
}

#[tokio::test]
async fn many_bodies_that_are_too_large_cost_one_log_line() {
    let (log, _listening) = Log::listen();
    let house = House::new();
    for _ in 0..5 {
        assert_eq!(house.answer(post_lead(vec![b' '; LIMIT + 1])).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    let log = log.text();
    assert_eq!(log.matches("refused: the body is too large").count(), 1, "{log}");
}

#[tokio::test]
async fn no_log_line_at_any_level_holds_a_secret_or_a_body() {
    let house = House::new();
    // A place in the code that another test reaches for the first time at this moment, without listening, would stay silent.
    house.answer(Request::post(LEADS).body(Body::empty()).unwrap()).await;
    let (log, _listening) = Log::listen();
    tracing::callsite::rebuild_interest_cache();
    let (address, _open) = open(&house).await;
    let wrong = ["Authorization: Bearer s3nsitive", "X-API-KEY: s3nsitive", "Authorization: s3nsitive"];
    for authorization in [format!("Authorization: {BEARER}").as_str(), "X-API-KEY: key-5ecret"].iter().chain(&wrong) {
        for rest in [
            "Content-Length: 9\r\n",
            "Content-Length: 9000000\r\n",
            "Content-Encoding: s3nsitive\r\nContent-Length: 9\r\n",
        ] {
            let mut connection = send_head(address, &format!("{authorization}\r\nConnection: close\r\n{rest}")).await;
            connection.write_all(b"s3nsitive").await.unwrap();
            connection.shutdown().await.unwrap();
            read_all(&mut connection).await;
        }
    }
    let log = log.text();
    for expected in
        ["refused: no credential of this feed", "refused: the body is too large", "tried={\"bearer\"}", LEADS]
    {
        assert!(log.contains(expected), "{expected} is missing in {log}");
    }
    for secret in ["s3nsitive", "5ecret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn of_too_many_connections_the_longest_silent_goes_and_those_that_speak_stay() {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, house.router.clone(), Bounds::of(10), std::future::pending()));
    let mut speaking = send_head(address, "Content-Length: 2\r\nAuthorization: Bearer bearer-5ecret\r\n").await;
    sleep(Duration::from_millis(200)).await;
    let mut silent = Vec::new();
    for _ in 0..9 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Each of these takes the place of the longest silent one.
    for index in 0..3 {
        let mut late = send_head(address, "Content-Length: 0\r\nConnection: close\r\n").await;
        assert!(read_all(&mut late).await.starts_with("HTTP/1.1 401"));
        silent.push(TcpStream::connect(address).await.unwrap());
        let closed = timeout(Duration::from_mins(1), silent[index].read(&mut [0; 1])).await;
        assert!(matches!(closed, Ok(Ok(0))), "{index}: {closed:?}");
    }
    let open = timeout(Duration::from_millis(100), silent[5].read(&mut [0; 1])).await;
    assert!(open.is_err(), "{open:?}");
    speaking.write_all(b"{}").await.unwrap();
    assert!(read_until(&mut speaking, REPLY).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn where_one_credentials_bodies_have_all_places_its_longest_makes_room_for_another() {
    let house = House::with(ReadTimeouts::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, house.router.clone(), Bounds::of(16), std::future::pending()));
    let mut slow = Vec::new();
    for _ in 0..16 {
        slow.push(send_head(address, &format!("Content-Length: 2\r\nAuthorization: {BEARER}\r\n")).await);
        sleep(Duration::from_millis(50)).await;
    }
    let mut other = send_head(address, "Content-Length: 2\r\nX-API-KEY: key-5ecret\r\n").await;
    other.write_all(b"{}").await.unwrap();
    assert!(read_until(&mut other, REPLY).await.starts_with("HTTP/1.1 200"));
    // Closed without a reply: what is answered is not repeated.
    let mut answer = Vec::new();
    let _closed_or_reset = timeout(Duration::from_secs(5), slow[0].read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    slow[15].write_all(b"{}").await.unwrap();
    assert!(read_until(&mut slow[15], REPLY).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stop_ends_silent_connections_and_answers_what_had_begun() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut begun = send_head(address, "Content-Length: 2\r\nAuthorization: Bearer bearer-5ecret\r\n").await;
    sleep(Duration::from_millis(50)).await;
    drop(stop);
    assert_eq!(timeout(Duration::from_mins(1), silent.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    begun.write_all(b"{}").await.unwrap();
    assert!(read_all(&mut begun).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn silence_and_heads_and_bodies_that_do_not_come_to_an_end_are_given_up() {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bounds = Bounds {
        first_byte_timeout: Duration::from_millis(300),
        header_timeout: Duration::from_millis(600),
        ..Bounds::of(10)
    };
    tokio::spawn(serve(listener, house.router.clone(), bounds, std::future::pending()));

    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(timeout(Duration::from_mins(1), silent.read(&mut [0; 1])).await.unwrap().unwrap(), 0);

    // A head that drips: closed after its time, however often a byte comes.
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let dripping = tokio::spawn(async move {
        while writing.write_all(b"P").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    let _closed_or_reset = timeout(Duration::from_mins(1), reading.read_to_end(&mut rest)).await.unwrap();
    dripping.abort();

    // A body that stops, and one that drips.
    for pause in [Duration::from_secs(3), Duration::from_millis(100)] {
        let mut stuck = send_head(address, "Content-Length: 1000\r\nAuthorization: Bearer bearer-5ecret\r\n").await;
        for _ in 0..100 {
            if stuck.write_all(b" ").await.is_err() {
                break;
            }
            let early = timeout(pause, stuck.readable()).await;
            if early.is_ok() {
                break;
            }
        }
        let answer = read_until(&mut stuck, "}").await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_too_slow"), "{answer}");
    }
    assert!(house.deliveries().is_empty());
}

#[tokio::test]
async fn a_head_that_no_door_takes_is_refused_with_431() {
    let house = House::new();
    let (address, _stop) = open(&house).await;
    let mut large = send_head(address, &format!("X-Padding: {}\r\n", "x".repeat(400 << 10))).await;
    let mut answer = [0; 12];
    large.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_every_request_that_was_sent_before_it() {
    for _ in 0..20 {
        let house = House::new();
        let (address, stop) = open(&house).await;
        let mut sent = Vec::new();
        for _ in 0..20 {
            let headers = "Content-Length: 2\r\nAuthorization: Bearer bearer-5ecret\r\n";
            let mut connection = send_head(address, headers).await;
            connection.write_all(b"{}").await.unwrap();
            sent.push(connection);
        }
        drop(stop);
        for connection in &mut sent {
            assert!(read_all(connection).await.starts_with("HTTP/1.1 200"));
        }
    }
}
