//! Every route and layer of the service on one screen.

pub mod access;
pub mod auth;
mod authenticate;
pub mod body;
pub mod body_budget;
mod connections;
mod header_limit;
pub mod health;
mod lingering_close;
mod peer_addr;
mod refusal;
mod reply;
mod server;
mod state;
mod token;
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
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;
use uuid::Uuid;

use crate::domain::feed::Feed;
pub use server::{Bounds, serve};

use access::CurrentPolicy;
use authenticate::{Door, authenticate};
use health::Check;
use token::TokenState;
use webhook::WebhookState;

/// Every route, under every layer. A layer sees a request before those above it.
pub fn router(webhook_state: WebhookState, checks: Vec<Check>) -> Router {
    let current_policy = webhook_state.current_policy.clone();
    let token_state = TokenState {
        current_policy: current_policy.clone(),
        budget: webhook_state.budget.clone(),
        clock: webhook_state.clock,
    };
    let budget = webhook_state.budget.clone();
    let webhook_state = Arc::new(webhook_state);
    let checks: Arc<[Check]> = checks.into();

    Feed::ALL
        .iter()
        .fold(Router::new(), |router, feed| {
            let door = Door { feed: *feed, webhook_state: Arc::clone(&webhook_state) };
            let authenticated = middleware::from_fn_with_state(door.clone(), authenticate);
            router.route(feed.path(), post(webhook::receive).route_layer(authenticated).with_state(door))
        })
        .route("/oauth/token", post(move |request| token::give(token_state, request)))
        .route("/livez", get(health::livez))
        .route("/readyz", get(move || health::readyz(checks, budget.clone())))
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(caught))
        .layer(middleware::from_fn(lingering_close::read_on_behind))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(trace).on_failure(()))
        .layer(middleware::map_request(move |request| ready(hide_secrets(&current_policy, request))))
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

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found" }))).into_response()
}

/// The answer to a panic. What a panic says can hold a piece of a payload, so it is neither answered nor logged here.
fn caught(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request ended in a panic and was answered 500");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "internal_error" }))).into_response()
}

/// The span of one request. It names the door and never the path as it was sent, with or without its query: people put
/// secrets and addresses there. What leads to no door is `*`, and so is a method that nobody knows.
fn span(request: &Request) -> Span {
    let request_id = Uuid::now_v7();
    let route = request.extensions().get::<MatchedPath>().map_or(UNKNOWN, MatchedPath::as_str);
    tracing::info_span!("request", %request_id, method = known(request.method()), route)
}

/// What stands in the log for a word that is the sender's own.
const UNKNOWN: &str = "*";

/// The name of a method of HTTP (RFC 9110 §9.3, RFC 5789). Any other word of a sender's making would pass for one.
fn known(method: &Method) -> &'static str {
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    names.into_iter().find(|name| method == name).unwrap_or(UNKNOWN)
}

fn trace(response: &Response, latency: Duration, _span: &Span) {
    tracing::debug!(status = response.status().as_u16(), ?latency, "answered");
}
