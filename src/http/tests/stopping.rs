//! How a stop treats connections that send nothing at that moment, and who comes after it.

use futures_util::FutureExt as _;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::wire::{open, read_all, read_until, send_head};
use super::*;

const HEADERS: &str = "Content-Length: 2\r\nAuthorization: Bearer bearer-5ecret\r\n";
/// Well within what a stop leaves to those who are about to send.
const SHORTLY: Duration = Duration::from_millis(100);
/// A stop has closed what rests by then.
const AFTER: Duration = Duration::from_millis(750);

/// A request that goes the way of any other.
fn request() -> String {
    format!("POST {LEADS} HTTP/1.1\r\nHost: here\r\n{HEADERS}\r\n{{}}")
}

#[tokio::test]
async fn one_that_was_taken_and_speaks_shortly_after_the_stop_is_answered() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    sleep(SHORTLY).await;
    drop(stop);
    sleep(SHORTLY).await;
    silent.write_all(request().as_bytes()).await.unwrap();
    assert!(read_all(&mut silent).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_that_rests_and_speaks_shortly_after_the_stop_is_answered_and_told_that_this_was_the_last() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut resting = send_head(address, HEADERS).await;
    resting.write_all(b"{}").await.unwrap();
    assert!(!read_until(&mut resting, REPLY).await.contains("connection: close"));
    drop(stop);
    sleep(SHORTLY).await;
    resting.write_all(request().as_bytes()).await.unwrap();
    let answer = read_all(&mut resting).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn an_answer_under_way_at_the_stop_says_that_it_is_the_last() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut begun = send_head(address, HEADERS).await;
    sleep(SHORTLY).await;
    drop(stop);
    sleep(SHORTLY).await;
    begun.write_all(b"{}").await.unwrap();
    let answer = read_all(&mut begun).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn half_a_head_at_the_stop_may_come_to_its_end() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut resting = send_head(address, HEADERS).await;
    resting.write_all(b"{}").await.unwrap();
    read_until(&mut resting, REPLY).await;
    let request = request();
    let (first, rest) = request.split_at(20);
    resting.write_all(first.as_bytes()).await.unwrap();
    sleep(SHORTLY).await;
    drop(stop);
    sleep(AFTER).await;
    resting.write_all(rest.as_bytes()).await.unwrap();
    assert!(read_all(&mut resting).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_request_that_crosses_the_close_is_taken_although_nobody_hears_the_answer() {
    let house = House::new();
    let (address, stop) = open(&house).await;
    let mut resting = send_head(address, HEADERS).await;
    resting.write_all(b"{}").await.unwrap();
    read_until(&mut resting, REPLY).await;
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    sleep(SHORTLY).await;
    drop(stop);
    sleep(AFTER).await;
    for connection in [&mut resting, &mut silent] {
        // The close is here, and this side has not looked.
        connection.write_all(request().as_bytes()).await.unwrap();
    }
    let until = tokio::time::Instant::now() + Duration::from_mins(1);
    while house.deliveries().len() < 3 {
        assert!(tokio::time::Instant::now() < until, "{} arrived", house.deliveries().len());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn who_comes_while_others_are_still_answered_is_answered_too() {
    let house = House::with(ReadTimeouts::default());
    let (address, stop) = open(&house).await;
    let mut slow = send_head(address, HEADERS).await;
    sleep(SHORTLY).await;
    drop(stop);
    for _ in 0..3 {
        sleep(SHORTLY).await;
        let mut late = send_head(address, HEADERS).await;
        late.write_all(b"{}").await.unwrap();
        assert!(read_all(&mut late).await.starts_with("HTTP/1.1 200"));
    }
    slow.write_all(b"{}").await.unwrap();
    assert!(read_all(&mut slow).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_waits_in_a_held_socket_is_left_to_the_successor() {
    let (house, successor) = (House::with(ReadTimeouts::default()), House::new());
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    held.set_nonblocking(true).unwrap();
    let address = held.local_addr().unwrap();
    let successors = || Listener::held(vec![TcpListener::from_std(held.try_clone().unwrap()).unwrap()]);
    let (stop, stopped) = oneshot::channel::<()>();
    let stopping = stopped.map(drop);
    let first = tokio::spawn(serve(successors(), house.router.clone(), Bounds::of(100), stopping));
    let mut begun = send_head(address, HEADERS).await;
    sleep(SHORTLY).await;
    drop(stop);
    sleep(SHORTLY).await;
    let mut waiting = send_head(address, HEADERS).await;
    waiting.write_all(b"{}").await.unwrap();
    begun.write_all(b"{}").await.unwrap();
    assert!(read_all(&mut begun).await.starts_with("HTTP/1.1 200"));
    first.await.unwrap().unwrap();
    assert_eq!((house.deliveries().len(), successor.deliveries().len()), (1, 0));
    tokio::spawn(serve(successors(), successor.router.clone(), Bounds::of(100), std::future::pending()));
    assert!(read_until(&mut waiting, REPLY).await.starts_with("HTTP/1.1 200"));
    assert_eq!((house.deliveries().len(), successor.deliveries().len()), (1, 1));
}

#[tokio::test]
async fn routes_that_hang_do_not_live() {
    assert!(lives(House::new().router).await);
    let broken = Router::new().route("/livez", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    assert!(!lives(broken).await);
}
