//! Behind a proxy: whose address a request has, and what it is called.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::service::config_with;
use crate::support::{CONFIG, Program, TOKEN, TestService, database, service, service_with};

const LEADS: &str = "/webhooks/dealer-studio/leads";

fn trusting(header: &str) -> String {
    let proxies = format!("trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nforwarded_header = \"{header}\"");
    config_with(&format!("hold_seconds = 120\ndeadline_ms = 60000\n{proxies}"))
}

fn lead(id: i64) -> String {
    json!({"id": id, "dealership": {"id": 356}, "prospect": {"first_name": "Ada"}}).to_string()
}

/// A lead from an address with headers.
fn request(path: &str, secret: &str, peer: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let peer: SocketAddr = peer.parse().unwrap();
    let request = Request::post(path).header("authorization", format!("Bearer {secret}")).extension(ConnectInfo(peer));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(lead(1))).unwrap()
}

/// The addresses in a table, oldest first.
async fn addresses(service: &TestService, table: &str) -> Vec<Value> {
    service.refusals_written().await;
    let query = format!("select host(remote_address) as address from {table} order by received_at, id");
    service.rows(&query).await.into_iter().map(|row| row["address"].clone()).collect()
}

const HEADERS: [(&str, &str); 3] = [
    ("x-forwarded-for", "198.51.100.66, 192.0.2.1"),
    ("x-forwarded-for", "10.0.0.7"),
    ("forwarded", "for=198.51.100.66, for=\"[2001:db8::5]:4711\";proto=https"),
];

#[tokio::test]
async fn behind_a_trusted_proxy_the_sender_has_the_address_that_the_proxy_says() {
    for (header, sender) in [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "2001:db8::5")] {
        let service = service_with(&trusting(header)).await;
        for peer in ["10.0.0.1:80", "[::1]:80", "[::ffff:10.0.0.2]:80", "203.0.113.5:80"] {
            assert_eq!(service.send(request(LEADS, TOKEN, peer, &HEADERS)).await.status, 200);
            assert_eq!(service.send(request(LEADS, "wrong", peer, &HEADERS)).await.status, 401);
            assert_eq!(service.send(request("/webhook/leads", "wrong", peer, &HEADERS)).await.status, 404);
        }
        let (once, twice) = ([sender, sender, sender, "203.0.113.5"], [sender, sender, sender, "203.0.113.5"]);
        assert_eq!(addresses(&service, "intake.deliveries").await, once);
        assert_eq!(addresses(&service, "intake.rejected where feed is not null").await, once);
        assert_eq!(addresses(&service, "intake.rejected where feed is null").await, twice);
    }
}

#[tokio::test]
async fn by_default_nobody_is_believed() {
    let service = service().await;
    for peer in ["10.0.0.1:80", "127.0.0.1:80"] {
        assert_eq!(service.send(request(LEADS, TOKEN, peer, &HEADERS)).await.status, 200);
    }
    assert_eq!(addresses(&service, "intake.deliveries").await, ["10.0.0.1", "127.0.0.1"]);
}

#[tokio::test]
async fn a_request_is_answered_with_its_id_and_one_that_brings_none_gets_one() {
    let service = service().await;
    let id_of = async |path: &str, headers: &[(&str, &str)]| {
        let response = service.respond(request(path, "wrong", "192.0.2.1:80", headers)).await;
        let ids: Vec<_> = response.headers().get_all("x-request-id").iter().cloned().collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        ids[0].to_str().unwrap().to_owned()
    };
    for path in [LEADS, "/x", "/livez", "/oauth/token"] {
        assert_eq!(id_of(path, &[("x-request-id", "Of-the.proxy_7")]).await, "Of-the.proxy_7", "{path}");
    }
    let long = "x".repeat(65);
    let mut made = Vec::new();
    for bad in [
        &[][..],
        &[("x-request-id", long.as_str())],
        &[("x-request-id", "a b")],
        &[("x-request-id", "")],
        &[("x-request-id", "one"), ("x-request-id", "two")],
    ] {
        let id = id_of(LEADS, bad).await;
        assert!(id.len() == 36 && id.matches('-').count() == 4, "{id}");
        made.push(id);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5);
}

#[tokio::test]
async fn the_log_tells_of_a_request_under_its_id_and_trace() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("X-Request-Id: of-the-proxy-7\r\nTraceparent: {trace}\r\n");
    program.send(LEADS, &format!("{headers}Authorization: Bearer wrong\r\n"), b"{}").await;
    let line = program.wait_for("refused: no credential");
    assert!(
        line.contains("request_id=\"of-the-proxy-7\"") && line.contains(&format!("traceparent=\"{trace}\"")),
        "{line}"
    );
    let headers = "X-Request-Id: not one 91x\r\nTraceparent: 00-91x\r\n";
    program.send("/oauth/token", headers, b"grant_type=client_credentials").await;
    let line = program.wait_for("an access token was refused");
    assert!(line.contains("request_id=\"0") && !line.contains("traceparent"), "{line}");
    assert!(program.seen.iter().all(|line| !line.contains("91x")), "{:#?}", program.seen);
}
