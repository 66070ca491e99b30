//! A POST to no door. It is answered 404 with the doors there are, logged with the nearest door, and kept, because
//! its sender does not repeat it: a mistyped address in a dealer's setup costs no lead.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::access::AccessPolicy;
use super::addresses;
use super::auth::Proven;
use super::body::{self, ReadTimeouts};
use super::peer_addr;
use super::state::WebhookState;
use crate::config::Scheme;
use crate::domain::feed::Feed;
use crate::feeds::shape;
use crate::metrics::Refusal;
use crate::quarantine::Rejected;

/// So long the body may take.
const PATIENCE: ReadTimeouts = ReadTimeouts { pause: Duration::from_secs(10), total: Duration::from_secs(10) };

/// Answers what leads to no door; a POST is kept.
pub(super) async fn receive(state: Arc<WebhookState>, request: Request) -> Response {
    if request.method() != Method::POST {
        return (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found" }))).into_response();
    }
    state.metrics.refused(None, Refusal::NoDoor);
    let nearest = addresses::nearest(request.uri().path());
    let remote_address = peer_addr::address(request.extensions()).map(tracing::field::display);
    let (credential, looks_like) = keep(&state, request).await;
    if let Some(left_out) = state.complaints.take(nearest) {
        let left_out = (left_out > 0).then_some(left_out);
        let looks_like = looks_like.map(Feed::name);
        tracing::warn!(
            nearest,
            looks_like,
            credential,
            remote_address,
            left_out,
            "posted to no door, and answered 404"
        );
    }
    let paths: Vec<String> = addresses::state().map(|path| format!("POST {path}")).collect();
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found", "doors": paths }))).into_response()
}

/// Keeps the request, if there is a permit for it, within bounds of its own. The body is kept where a credential has proven itself
/// or the path begins as those of webhooks do. Gives the credential, and what the body looks like.
async fn keep(state: &WebhookState, request: Request) -> (Option<String>, Option<Feed>) {
    let received_at = (state.clock)();
    let (head, body) = request.into_parts();
    let remote_address = peer_addr::address(&head.extensions);
    let policy = state.current_policy.current();
    let proven = prove(&policy, &head.headers, received_at);
    let credential = proven.as_ref().map(|proven| proven.credential.name.clone());
    let permit = match &credential {
        Some(credential) => state.misdirected.read_permit_of(credential),
        None => state.misdirected.read_permit(remote_address),
    };
    let Some(permit) = permit else { return (credential, None) };
    let path = head.uri.path();
    let wanted = credential.is_some() || addresses::begins_with_webhook(path);
    let body = if wanted { read(state, &policy, proven, remote_address, &head.headers, body).await } else { None };
    let looks_like = body.as_deref().and_then(shape::guess);
    let rejected = Rejected {
        path: addresses::reduced(path),
        feed: None,
        credential: credential.clone(),
        received_at,
        remote_address,
        tried: Vec::new(),
        presented: Vec::new(),
        content_type: body::content_type(&head.headers),
        body: body.filter(|body| looks_like.is_some() || !asks_for_a_token(body)),
    };
    state.misdirected.keep(permit, rejected);
    (credential, looks_like)
}

/// The credential of any feed that the headers prove; an open one proves nothing.
fn prove<'a>(policy: &'a AccessPolicy, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Proven<'a>> {
    let mut fitting = Feed::ALL.iter().filter_map(|feed| policy.credentials.authenticate(headers, *feed, now).ok());
    fitting.find(|proven| !matches!(proven.credential.scheme, Scheme::Open))
}

/// The body, or the claims of a signed token, which are used in its place. None where it does not come whole and in time.
async fn read(
    state: &WebhookState,
    policy: &AccessPolicy,
    proven: Option<Proven<'_>>,
    remote_address: Option<IpAddr>,
    headers: &HeaderMap,
    body: Body,
) -> Option<Vec<u8>> {
    let mut room = match proven {
        Some(Proven { claims: Some(claims), .. }) => return Some(claims),
        Some(Proven { credential, claims: None }) => state.budget.of_credential(&credential.name, PATIENCE.total),
        None => state.budget.of_unauthenticated(remote_address, PATIENCE.total),
    };
    // Which feed it is of is not known.
    let limit = Feed::ALL.iter().map(|feed| policy.limits.of(*feed)).max()?;
    body::read(body, headers, limit, PATIENCE, &mut room).await.ok().map(|whole| whole.bytes)
}

/// Whether a body may hold the secret of an OAuth client: secrets are stored nowhere.
fn asks_for_a_token(body: &[u8]) -> bool {
    let holds = |word: &[u8]| body.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    holds(b"grant_type") || holds(b"client_secret")
}
