//! The names that the admin listener answers to. A browser can be led here by a page of somebody else whose name leads to
//! this machine for a moment (DNS rebinding); it then sends that page's name, which is not one of ours.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Answers 421 (RFC 9110 §15.5.20) to a request that names another host. The name is not repeated.
pub(super) async fn check(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    if name(&request).is_some_and(|name| is_ours(&name, &hosts)) {
        return next.run(request).await;
    }
    let message = "the admin listener does not answer to this name: write it into `hosts` of `[admin]`, or ask for it by \
                   localhost";
    (StatusCode::MISDIRECTED_REQUEST, Json(json!({ "error": "host_unknown", "message": message }))).into_response()
}

/// The name that the request is sent to, without its port. One that has several is nobody's.
fn name(request: &Request) -> Option<String> {
    let mut named = request.headers().get_all(HOST).iter();
    let (only, None) = (named.next()?, named.next()) else { return None };
    let header: Authority = only.to_str().ok()?.parse().ok()?;
    // A target with a name of its own counts in place of the header (RFC 9112 §3.2.2): both must be ours, so one.
    match request.uri().authority() {
        Some(target) if !target.host().eq_ignore_ascii_case(header.host()) => None,
        Some(_) | None if header.as_str().contains('@') => None,
        Some(_) | None => Some(header.host().to_ascii_lowercase()),
    }
}

/// Whether it is a name of the machine itself, or one that the configuration has.
fn is_ours(name: &str, hosts: &[String]) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    is_loopback || bare == "localhost" || hosts.iter().any(|host| host.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn answers_to(host: &str, hosts: &[&str]) -> bool {
        let request = Request::get("/metrics").header(HOST, host).body(Body::empty()).unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        name(&request).is_some_and(|name| is_ours(&name, &hosts))
    }

    #[test]
    fn it_answers_to_the_machine_itself_and_to_configured_names_with_any_port() {
        for host in ["localhost", "LocalHost:8081", "127.0.0.1:8081", "127.8.0.1", "[::1]:8081", "[::ffff:127.0.0.1]"] {
            assert!(answers_to(host, &[]), "{host}");
        }
        for host in ["metrics.dealer.example", "Metrics.Dealer.Example:9000", "10.0.0.5:8081", "[fd00::5]"] {
            assert!(answers_to(host, &["metrics.dealer.example", "10.0.0.5", "fd00::5"]), "{host}");
            assert!(!answers_to(host, &["dealer.example"]), "{host}");
        }
    }

    #[test]
    fn it_answers_to_no_other_name_however_it_is_written() {
        let others = [
            "evil.example",
            "localhost.evil.example",
            "evil.example:127",
            "127.0.0.1.evil.example",
            "localhost.",
            "user@localhost",
            "localhost@evil.example",
            "0.0.0.0",
            "[::]",
            "2130706433",
            "",
            ":8081",
            "localhost evil",
        ];
        for host in others {
            assert!(!answers_to(host, &[]), "{host:?}");
        }
        let without = Request::get("/metrics").body(Body::empty()).unwrap();
        assert_eq!(name(&without), None);
        let twice =
            Request::get("/").header(HOST, "localhost").header(HOST, "evil.example").body(Body::empty()).unwrap();
        assert_eq!(name(&twice), None);
        let target = Request::get("http://evil.example/metrics").header(HOST, "localhost").body(Body::empty()).unwrap();
        assert_eq!(name(&target), None);
    }
}
