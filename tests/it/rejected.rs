//! Refused requests: what is kept of them, within which bounds, and that nobody waits for it.

use std::net::SocketAddr;
use std::time::Duration;

use async_compression::tokio::bufread::GzipEncoder;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use forecourt::intake::retention;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Answer, CONFIG, LEADS, PATIENCE, TOKEN, TestService, a_lead, own_cluster, service, service_with};

/// The test configuration with these lines in its part about refused requests.
fn with(lines: &str) -> String {
    format!("[rejected]\n{lines}\n{CONFIG}")
}

/// A request with headers from an address that ends so.
fn request(last: u8, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = headers.iter().fold(Request::post(LEADS), |request, (name, value)| request.header(*name, *value));
    let address = SocketAddr::from(([192, 0, 2, last], 5000));
    request.extension(ConnectInfo(address)).body(body.into()).unwrap()
}

/// Posts with a wrong secret.
async fn wrong(service: &TestService, body: impl Into<Body>) -> Answer {
    let answer = service.send(request(1, &[("authorization", "Bearer wrong")], body)).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (401, &json!({"error": "unauthorized"})));
    answer
}

/// The bodies that are kept, oldest first.
async fn bodies(service: &TestService) -> Vec<Value> {
    service.refusals_written().await;
    let query = "select encode(body, 'escape') as body from intake.rejected order by received_at, id";
    service.rows(query).await.into_iter().map(|row| row["body"].clone()).collect()
}

#[tokio::test]
async fn a_refused_request_is_kept_with_all_that_a_delivery_needs() {
    let service = service().await;
    let mut packed = Vec::new();
    GzipEncoder::new(&b"{\"id\": 1}"[..]).read_to_end(&mut packed).await.unwrap();
    let headers = [
        ("authorization", "Bearer wrong"),
        ("x-api-key", "wrong"),
        ("content-type", "text/json"),
        ("content-encoding", "gzip"),
    ];
    let response = service.respond(request(1, &headers, packed)).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"forecourt\"");
    service.refusals_written().await;
    let row = service
        .row(
            "select path, feed, host(remote_address) as address, scheme, fingerprint, content_type,
                encode(body, 'escape') as body, replayed_at, delivery_id,
                received_at between now() - interval '1 minute' and now() as just_now
            from intake.rejected",
        )
        .await;
    let fingerprint = row["fingerprint"].as_str().unwrap();
    assert!(fingerprint.len() == 16 && fingerprint.chars().all(|digit| digit.is_ascii_hexdigit()), "{row}");
    assert_eq!(
        row,
        json!({
            "path": LEADS, "feed": "lead", "address": "192.0.2.1", "scheme": "api_key bearer",
            "fingerprint": fingerprint, "content_type": "text/json", "body": "{\"id\": 1}", "replayed_at": null,
            "delivery_id": null, "just_now": true,
        })
    );
    assert_eq!(service.count("intake.deliveries").await, 0);
}

#[tokio::test]
async fn a_fingerprint_tells_wrong_secrets_apart_and_shows_none() {
    let service = service().await;
    let shown: [&[(&str, &str)]; 8] = [
        &[("authorization", "Bearer hush-1")],
        &[("authorization", "Bearer hush-1")],
        &[("authorization", "Bearer hush-2")],
        &[("authorization", "hush-3")],
        &[("authorization", "Basic !hush-4")],
        &[("authorization", "Bearer hush-5"), ("authorization", "Bearer hush-6")],
        &[("x-authorization", "hush-7")],
        &[],
    ];
    for headers in shown {
        assert_eq!(service.send(request(1, headers, "{}")).await.status, 401);
    }
    service.refusals_written().await;
    let rows = service.rows("select * from intake.rejected order by received_at, id").await;
    let prints: Vec<&Value> = rows.iter().map(|row| &row["fingerprint"]).collect();
    assert_eq!(prints.len(), 8);
    assert_eq!(prints[0], prints[1]);
    assert_eq!((prints[7], &rows[7]["scheme"]), (&Value::Null, &Value::Null));
    let mut different: Vec<&str> = prints[1..7].iter().map(|print| print.as_str().unwrap()).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 6, "{prints:?}");
    let all = serde_json::to_string(&rows).unwrap();
    assert!(!all.contains("hush"), "{all}");
}

#[tokio::test]
async fn of_too_many_the_oldest_go() {
    let service = service_with(&with("max_count = 3")).await;
    for id in 0..7 {
        wrong(&service, json!(id).to_string()).await;
        service.refusals_written().await;
    }
    assert_eq!(bodies(&service).await, ["4", "5", "6"]);
}

#[tokio::test]
async fn of_too_many_bytes_the_oldest_go() {
    let service = service_with(&with("max_bytes = 1024")).await;
    for id in 0..5 {
        wrong(&service, format!("{id:400}")).await;
    }
    wrong(&service, " ".repeat(1_025)).await;
    let kept: Vec<String> =
        bodies(&service).await.iter().map(|body| body.as_str().unwrap_or("none").trim().to_owned()).collect();
    assert_eq!(kept, ["3", "4", "none"], "what is larger than everything together drives out nothing");
}

#[tokio::test]
async fn an_address_leaves_only_so_many_a_minute_and_takes_nothing_from_others() {
    let service = service_with(&with("per_minute_and_address = 2")).await;
    for id in 0..5 {
        wrong(&service, json!(id).to_string()).await;
    }
    let other = service.send(request(2, &[("authorization", "Bearer wrong")], "\"other\"")).await;
    assert_eq!(other.status, 401);
    assert_eq!(bodies(&service).await, ["0", "1", "\"other\""]);
}

#[tokio::test]
async fn what_is_too_old_goes_by_age_as_the_former_key_says_too() {
    for lines in ["[rejected]\ndays = 2", "[retention]\nrejected = \"2d\""] {
        let service = service_with(&CONFIG.replacen("[[workspaces]]", &format!("{lines}\n[[workspaces]]"), 1)).await;
        for id in 0..3 {
            wrong(&service, json!(id).to_string()).await;
        }
        service.refusals_written().await;
        let age = "update intake.rejected set received_at = now() - interval '1 hour' *
            case encode(body, 'escape') when '0' then 49 when '1' then 47 else 0 end";
        service.database.execute(age).await;
        let intake = service.intake();
        retention::round(intake, &intake.retention(), "ada").await.unwrap();
        assert_eq!(bodies(&service).await, ["1", "2"], "{lines}");
    }
}

#[tokio::test]
async fn nothing_is_kept_where_that_is_switched_off() {
    let service = service_with(&with("keep = false")).await;
    wrong(&service, "{}").await;
    assert_eq!(bodies(&service).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_kept_but_that_it_came_is() {
    let limits = "[server.body_limits]\nlead = 1024\n[[workspaces]]";
    let service = service_with(&CONFIG.replacen("[[workspaces]]", limits, 1)).await;
    wrong(&service, " ".repeat(1_024)).await;
    wrong(&service, " ".repeat(1_025)).await;
    let mut bomb = Vec::new();
    GzipEncoder::new(vec![b' '; 100_000].as_slice()).read_to_end(&mut bomb).await.unwrap();
    let headers = [("authorization", "Bearer wrong"), ("content-encoding", "gzip")];
    assert_eq!(service.send(request(1, &headers, bomb)).await.status, 401);
    assert_eq!(bodies(&service).await, [json!(" ".repeat(1_024)), Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_table_that_is_locked_holds_up_nobody() {
    let service = service_with(&with("per_minute_and_address = 100000")).await;
    let mut lock = service.database.pool.begin().await.unwrap();
    sqlx::query("lock table intake.rejected").execute(&mut *lock).await.unwrap();
    // More than may wait: the rest is let go.
    let refused = join_all((0..60).map(|_| async {
        for id in 0..40 {
            wrong(&service, json!(id).to_string()).await;
        }
    }));
    let right = join_all((0..20).map(|id| {
        let service = &service;
        async move { service.lead(&a_lead(id)).await }
    }));
    let (_, right) =
        tokio::time::timeout(Duration::from_mins(1), async { tokio::join!(refused, right) }).await.unwrap();
    assert!(right.iter().all(|answer| answer.body["outcome"] == "applied"), "{right:?}");
    lock.rollback().await.unwrap();
    service.refusals_written().await;
    let kept = service.count("intake.rejected").await;
    assert!((1_024..=1_024 + 128).contains(&kept), "{kept}");
}

/// Serves on a port of this machine.
async fn serve(service: &TestService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(forecourt::http::serve(
        listener,
        service.router(),
        forecourt::http::Bounds::of(1_000),
        std::future::pending(),
    ));
    address
}

/// Sends a request's head and a first part of its body.
async fn send(address: SocketAddr, headers: &str, part: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {LEADS} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n{part}");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn strangers_who_never_finish_hold_up_nobody() {
    let service = service().await;
    let address = serve(&service).await;
    let wrong = "Authorization: Bearer wrong\r\nContent-Length: 100\r\n";
    let mut stuck = Vec::new();
    for _ in 0..16 {
        stuck.push(send(address, wrong, "{\"id\"").await);
    }
    // Those whom nobody waits for are refused though their bodies are half sent.
    let refused = join_all(stuck.iter_mut().map(|stream| async {
        let mut first = [0; 12];
        let told = tokio::time::timeout(Duration::from_secs(3), stream.read_exact(&mut first)).await.is_ok();
        assert!(!told || &first == b"HTTP/1.1 401");
        told
    }));
    let refused = refused.await.into_iter().filter(|told| *told).count();
    assert!(refused >= 12, "{refused}");
    for id in 0..5 {
        let body = a_lead(id).to_string();
        let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n", body.len());
        let answer = read_all(&mut send(address, &headers, &body).await).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let mut one_more = send(address, "Authorization: Bearer wrong\r\nContent-Length: 2\r\n", "{}").await;
    assert!(read_all(&mut one_more).await.starts_with("HTTP/1.1 401"));
    drop(stuck);
}

#[tokio::test]
async fn a_stranger_who_asks_before_sending_is_asked_to_send() {
    let service = service().await;
    let address = serve(&service).await;
    let headers = "Authorization: Bearer wrong\r\nExpect: 100-continue\r\nContent-Length: 9\r\n";
    let mut stream = send(address, headers, "").await;
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"\"written\"").await.unwrap();
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 401"));
    assert_eq!(bodies(&service).await, ["\"written\""]);
}

#[tokio::test]
async fn while_postgres_is_away_a_refusal_goes_out_and_the_request_is_kept_for_when_it_is_back() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, CONFIG).await;
    cluster.stop().await;
    let refused = tokio::time::timeout(PATIENCE, wrong(&service, "\"meanwhile\"")).await;
    assert!(refused.is_ok());
    cluster.start().await;
    for _ in 0..10 {
        service.refusals_written().await;
    }
    assert_eq!(bodies(&service).await, ["\"meanwhile\""]);
}
