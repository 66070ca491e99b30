//! Every route and layer of the service on one screen.

pub mod access;
mod addresses;
pub mod auth;
mod authenticate;
pub mod body;
pub mod body_budget;
mod bounds;
mod connections;
mod forwarded;
mod header_limit;
pub mod health;
mod lingering_close;
mod listener;
mod misdirected;
pub mod openapi;
mod parting;
mod peer_addr;
mod refusal;
mod reply;
mod request_id;
mod server;
mod state;
mod token;
mod traffic;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

pub use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, middleware};
use serde_json::json;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

use crate::config::Proxies;
use crate::domain::feed::Feed;
use crate::metrics::{Metrics, Refusal};
pub use bounds::Bounds;
pub use health::lives;
pub use listener::Listener;
pub use peer_addr::sender_network;
pub use server::serve;

use access::CurrentPolicy;
use addresses::{LIVEZ, READYZ, TOKEN, UNKNOWN};
use authenticate::{Door, authenticate};
use health::Check;
use request_id::NewId;
use token::TokenState;
use webhook::WebhookState;

/// Every route, under every layer. A layer sees a request before those above it.
pub fn router(webhook_state: WebhookState, checks: Vec<Check>) -> Router {
    let current_policy = webhook_state.current_policy.clone();
    let token_state = TokenState {
        current_policy: current_policy.clone(),
        budget: webhook_state.budget.clone(),
        clock: webhook_state.clock,
        metrics: webhook_state.metrics.clone(),
    };
    let metrics = webhook_state.metrics.clone();
    let (budget, proxies) = (webhook_state.budget.clone(), webhook_state.proxies.clone());
    let webhook_state = Arc::new(webhook_state);
    let strays = Arc::clone(&webhook_state);
    let checks: Arc<[Check]> = checks.into();

    let routes = Feed::ALL
        .iter()
        .fold(Router::new(), |router, feed| {
            let door = Door { feed: *feed, state: Arc::clone(&webhook_state) };
            let authenticated = middleware::from_fn_with_state(door.clone(), authenticate);
            router.route(feed.path(), post(webhook::receive).route_layer(authenticated).with_state(door))
        })
        .route(TOKEN, post(move |request| token::give(token_state, request)))
        .route(LIVEZ, get(health::livez))
        .route(READYZ, get(move || health::readyz(checks, budget.clone())))
        .fallback(move |request| misdirected::receive(strays, request))
        .layer(CatchPanicLayer::custom(move |panic| caught(&metrics, panic)))
        .layer(middleware::from_fn(lingering_close::read_on_behind))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(trace).on_failure(()))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(NewId))
        .layer(middleware::map_request(move |request| ready(prepare(&current_policy, &proxies, request))));
    // A layer of the router would come too late: it has found its route by then.
    Router::new().fallback_service(
        middleware::map_request(|request: Request| ready(addresses::normalise(request))).layer(routes),
    )
}

/// Makes a request fit to be looked at and logged.
fn prepare(current_policy: &CurrentPolicy, proxies: &Proxies, request: Request) -> Request {
    hide_secrets(current_policy, request_id::take_away_other(peer_addr::find_out(proxies, request)))
}

/// Marks the headers that can hold a secret, so that no log shows them.
fn hide_secrets(current_policy: &CurrentPolicy, mut request: Request) -> Request {
    let policy = current_policy.current();
    let names: Vec<_> = policy.credentials.secret_headers().collect();
    for (_, value) in request.headers_mut().iter_mut().filter(|(name, _)| names.contains(name)) {
        value.set_sensitive(true);
    }
    request
}

/// The answer to a panic. A panic's message can hold a piece of a payload, so it is neither answered nor logged here.
fn caught(metrics: &Metrics, _panic: Box<dyn Any + Send>) -> Response {
    metrics.refused(None, Refusal::InternalError);
    tracing::error!("a request ended in a panic and was answered 500");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "internal_error" }))).into_response()
}

/// The span of one request. It names the door and never the path as it was sent, with or without its query: people put
/// secrets and addresses there. What leads to no door is `*`, and so is a method that nobody knows.
fn span(request: &Request) -> Span {
    let (request_id, traceparent) = (request_id::id_of(request), request_id::trace_of(request));
    let route = request.extensions().get::<MatchedPath>().map_or(UNKNOWN, MatchedPath::as_str);
    tracing::info_span!("request", request_id, traceparent, method = known(request.method()), route)
}

/// The name of a method of HTTP (RFC 9110 §9.3, RFC 5789). Any other token would pass for one.
fn known(method: &Method) -> &'static str {
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    names.into_iter().find(|name| method == name).unwrap_or(UNKNOWN)
}

fn trace(response: &Response, latency: Duration, _span: &Span) {
    tracing::debug!(status = response.status().as_u16(), ?latency, "answered");
}
