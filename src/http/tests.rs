//! The router from outside. Here without a network; what only shows on a connection is in `wire`.

mod connections;
mod stopping;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_compression::tokio::bufread::GzipEncoder;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tower::ServiceExt;
use uuid::Uuid;

use super::access::{AccessPolicy, CurrentPolicy, Limits};
use super::auth::Credentials;
use super::body::ReadTimeouts;
use super::body_budget::BodyBudget;
use super::health::Check;
use super::webhook::{Accept, WebhookState};
use super::*;
use crate::config::{Credential, DECODER, Scheme};
use crate::domain::delivery::Delivery;
use crate::domain::finding::Code;
use crate::domain::workspace::Permitted;
use crate::intake::complaints::Complaints;
use crate::intake::{Answer, Effect, EffectSummary, Outcome, Reply, Unavailable};
use crate::metrics::Metrics;
use crate::quarantine::Quarantine;

const LIMIT: usize = 1 << 20;
const SHORT: ReadTimeouts = ReadTimeouts { pause: Duration::from_secs(1), total: Duration::from_secs(4) };
const LEADS: &str = "/webhooks/dealer-studio/leads";
const BEARER: &str = "Bearer bearer-5ecret";
const REPLY: &str =
    r#"{"delivery_id":"00000000-0000-0000-0000-000000000007","outcome":"applied","person":"created","findings":[]}"#;

/// A router over an intake that keeps what arrives.
struct House {
    router: Router,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl House {
    fn new() -> Self {
        Self::with(SHORT)
    }

    fn with(timeouts: ReadTimeouts) -> Self {
        let deliveries = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&deliveries);
        let accept: Accept = Arc::new(move |delivery| {
            kept.lock().unwrap().push(delivery);
            Box::pin(async { Ok(Answer::Applied(reply())) })
        });
        Self { router: router_with(accept, timeouts), deliveries }
    }

    async fn answer(&self, request: Request) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap().clone()
    }
}

fn router_over(accept: Accept) -> Router {
    router_with(accept, SHORT)
}

fn router_with(accept: Accept, timeouts: ReadTimeouts) -> Router {
    let secret = SecretString::from;
    let credentials = [
        ("bearer", Scheme::Bearer(secret("bearer-5ecret")), Feed::Lead),
        ("key", Scheme::ApiKey(secret("key-5ecret")), Feed::Lead),
        ("basic", Scheme::Basic { user: "dealer".into(), password: secret("basic-5ecret") }, Feed::Lead),
        ("clusters", Scheme::Bearer(secret("cluster-5ecret")), Feed::LeadCluster),
        ("stock", Scheme::Bearer(secret("stock-5ecret")), Feed::Inventory),
        ("property", Scheme::Bearer(secret("property-5ecret")), Feed::LeadPro),
    ];
    let credentials = credentials.map(|(name, scheme, feed)| Credential {
        secret: None,
        name: name.into(),
        scheme,
        feeds: [feed].into(),
        permitted: Permitted::Only(["acme".to_owned()].into()),
        not_after: None,
    });
    let mut limits = Limits::default().with(Feed::Lead, LIMIT);
    limits.timeouts = timeouts;
    let policy = AccessPolicy { credentials: Credentials::new(credentials.into(), &[], None).unwrap(), limits };
    let quarantine = Quarantine::off(noon);
    let budget = BodyBudget::new(64 << 20, 2 * LIMIT + DECODER);
    let hold = Duration::from_secs(2);
    let webhook_state = WebhookState {
        current_policy: CurrentPolicy::new(policy),
        clock: noon,
        accept,
        budget,
        hold,
        quarantine: quarantine.clone(),
        misdirected: quarantine,
        proxies: Proxies::default(),
        metrics: Metrics::default(),
        complaints: Complaints::default(),
    };
    let postgres = Check { part: "postgres", detail: None, probe: Arc::new(|| Box::pin(async { Ok(()) })) };
    router(webhook_state, vec![postgres])
}

fn noon() -> DateTime<Utc> {
    "2026-11-02T12:00:00Z".parse().unwrap()
}

fn reply() -> Reply {
    Reply {
        delivery_id: Uuid::from_u128(7),
        outcome: Outcome::Applied,
        effects: vec![("person", EffectSummary::One(Effect::Created))],
        findings: vec![],
    }
}

fn post_lead(body: impl Into<Body>) -> Request {
    Request::post(LEADS).header(AUTHORIZATION, BEARER).body(body.into()).unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_delivery_arrives_with_all_that_is_known_of_its_request() {
    let house = House::new();
    let mut request = post_lead("{\"id\": 1}");
    request.headers_mut().insert(CONTENT_TYPE, "text/plain; charset=utf-8".parse().unwrap());
    request.headers_mut().insert("x-forwarded-for", "10.9.8.7".parse().unwrap());
    let address: SocketAddr = "[::ffff:192.0.2.1]:5000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));

    let response = house.answer(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(text(response).await, REPLY);

    let [delivery] = house.deliveries().try_into().unwrap();
    assert_eq!((delivery.feed, delivery.received_at), (Feed::Lead, noon()));
    assert_eq!(delivery.credential, "bearer");
    assert!(delivery.permitted.includes("acme") && !delivery.permitted.includes("other"));
    assert_eq!(delivery.remote_address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(delivery.content_type.as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!((&*delivery.body, delivery.undecoded), (b"{\"id\": 1}".as_slice(), None));
}

#[tokio::test]
async fn every_feed_has_its_door() {
    let house = House::new();
    let tokens = [
        (Feed::Lead, BEARER),
        (Feed::LeadCluster, "Bearer cluster-5ecret"),
        (Feed::Inventory, "Bearer stock-5ecret"),
        (Feed::LeadPro, "Bearer property-5ecret"),
    ];
    for (feed, token) in tokens {
        let request = Request::post(feed.path()).header(AUTHORIZATION, token).body(Body::from("{}")).unwrap();
        assert_eq!(house.answer(request).await.status(), StatusCode::OK, "{feed:?}");
    }
    let feeds: Vec<_> = house.deliveries().iter().map(|delivery| delivery.feed).collect();
    assert_eq!(feeds, Feed::ALL);
}

#[tokio::test]
async fn whoever_may_not_enter_is_told_so_and_no_more() {
    let house = House::new();
    let tried: [&[(&str, &str)]; 5] = [
        &[],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Bearer stock-5ecret")],
        &[("authorization", BEARER), ("authorization", BEARER)],
        &[("x-api-key", "bearer-5ecret")],
    ];
    for headers in tried {
        let request = headers.iter().fold(Request::post(LEADS), |request, (name, value)| request.header(*name, *value));
        let response = house.answer(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        let challenges: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        assert_eq!(challenges, ["Bearer realm=\"forecourt\"", "Basic realm=\"forecourt\", charset=\"UTF-8\""]);
        assert_eq!(text(response).await, r#"{"error":"unauthorized"}"#);
    }
    assert!(house.deliveries().is_empty());
}

#[tokio::test]
async fn a_packed_body_arrives_unpacked() {
    let house = House::new();
    let mut packed = Vec::new();
    GzipEncoder::new(&b"{\"id\":1}"[..]).read_to_end(&mut packed).await.unwrap();
    let mut request = post_lead(packed);
    request.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(house.answer(request).await.status(), StatusCode::OK);
    assert_eq!(*house.deliveries()[0].body, *b"{\"id\":1}");
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_arrives_as_it_came() {
    let house = House::new();
    let mut request = post_lead("{\"id\":1}");
    request.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(house.answer(request).await.status(), StatusCode::OK);
    let [delivery] = house.deliveries().try_into().unwrap();
    assert_eq!(*delivery.body, *b"{\"id\":1}");
    assert_eq!(delivery.undecoded.unwrap().code, Code::BodyUnreadable);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_the_limit() {
    let house = House::new();
    let mut bomb = Vec::new();
    GzipEncoder::new(&vec![0; 8 << 20][..]).read_to_end(&mut bomb).await.unwrap();
    let mut packed = post_lead(bomb);
    packed.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    for request in [post_lead(vec![b' '; LIMIT + 1]), packed] {
        let response = house.answer(request).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(text(response).await, r#"{"error":"body_too_large","limit_bytes":1048576}"#);
    }
    assert!(house.deliveries().is_empty());
    assert_eq!(house.answer(post_lead(vec![b' '; LIMIT])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_nobody_can_store_is_answered_503_with_a_time_to_come_back() {
    let response =
        router_over(Arc::new(|_| Box::pin(async { Err(Unavailable) }))).oneshot(post_lead("{}")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "30");
    assert_eq!(text(response).await, r#"{"error":"unavailable"}"#);
}

#[tokio::test]
async fn what_is_in_the_spool_is_answered_200_with_its_id_and_nothing_more() {
    let accept: Accept = Arc::new(|_| Box::pin(async { Ok(Answer::Spooled(Uuid::from_u128(7))) }));
    let response = router_over(accept).oneshot(post_lead("{}")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = r#"{"delivery_id":"00000000-0000-0000-0000-000000000007","outcome":"spooled"}"#;
    assert_eq!(text(response).await, body);
}

#[tokio::test]
async fn a_panic_is_answered_500_without_what_it_says() {
    let accept: Accept = Arc::new(|delivery| panic!("the body was {:?}", delivery.body));
    let response = router_over(accept).oneshot(post_lead("{}")).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(response).await, r#"{"error":"internal_error"}"#);
}

#[tokio::test]
async fn other_methods_are_told_which_one_to_use() {
    let house = House::new();
    let table =
        [("GET", LEADS, "POST"), ("PUT", LEADS, "POST"), ("DELETE", LEADS, "POST"), ("POST", "/livez", "GET,HEAD")];
    for (method, path, allow) in table {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = house.answer(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(response.headers()[ALLOW], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_404_in_json_and_a_post_to_it_with_the_doors() {
    let response = House::new().answer(Request::post("/webhooks/other").body(Body::from("{}")).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let webhook_state =
        Feed::ALL.iter().map(|feed| format!("POST {}", feed.path())).chain(["POST /oauth/token".to_owned()]);
    let told: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(told, json!({"error": "not_found", "doors": webhook_state.collect::<Vec<_>>()}));
    let response = House::new().answer(Request::get("/webhooks/other").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(text(response).await, r#"{"error":"not_found"}"#);
}

#[tokio::test]
async fn health_is_told_to_whoever_asks() {
    let house = House::new();
    let table = [("/livez", r#"{"status":"ok"}"#), ("/readyz", r#"{"parts":{"postgres":"ok"},"status":"ok"}"#)];
    for (path, body) in table {
        for (method, body) in [(Method::GET, body), (Method::HEAD, "")] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = house.answer(request).await;
            assert_eq!((response.status(), text(response).await.as_str()), (StatusCode::OK, body), "{path}");
        }
    }
}
