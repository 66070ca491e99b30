//! Authentication, as a layer on the doors' routes: who is let in comes to the handler as [`Authenticated`], who is not is
//! answered here, and what the request brought is kept aside.
//!
//! The body is read after that, so that nobody without a credential takes the room of those who have one.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{StatusCode, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::access::AccessPolicy;
use super::auth::Proven;
use super::refusal::{self, Unauthenticated};
use super::reply::{Error, log};
use super::state::WebhookState;
use super::{header_limit, peer_addr};
use crate::domain::feed::Feed;
use crate::domain::workspace::Permitted;

/// One door: the feed that is posted there, and what all doors work with.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) feed: Feed,
    pub(super) state: Arc<WebhookState>,
}

/// Who was let in, by what counted when the request's head arrived.
#[derive(Clone)]
pub(super) struct Authenticated {
    /// The name of the credential that was proven.
    pub(super) credential: String,
    /// The workspaces that it may write to.
    pub(super) permitted: Permitted,
    /// The claims of a signed token, byte for byte: they are the payload.
    pub(super) claims: Option<Vec<u8>>,
    /// When the request's head arrived.
    pub(super) received_at: DateTime<Utc>,
    /// What counted then: how large a body may be, and how slow.
    pub(super) policy: Arc<AccessPolicy>,
}

impl<S: Send + Sync> FromRequestParts<S> for Authenticated {
    type Rejection = StatusCode;

    /// A route without the layer lets nobody in.
    async fn from_request_parts(parts: &mut request::Parts, _state: &S) -> Result<Self, StatusCode> {
        parts.extensions.remove().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The layer: lets a request pass whose headers prove a credential of the door's feed.
pub(super) async fn authenticate(State(door): State<Door>, request: Request, next: Next) -> Response {
    let remote_address = peer_addr::address(request.extensions());
    match enter(&door, remote_address, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => {
            log(&door.state, &error, door.feed, remote_address);
            error.into_response()
        }
    }
}

/// The request with who was let in, or why nobody was.
async fn enter(
    Door { feed, state }: &Door,
    remote_address: Option<IpAddr>,
    mut request: Request,
) -> Result<Request, Error> {
    let (feed, received_at) = (*feed, (state.clock)());
    header_limit::check(request.headers(), feed)?;
    let policy = state.current_policy.current();
    let auth_error = match policy.credentials.authenticate(request.headers(), feed, received_at) {
        Ok(Proven { credential, claims }) => {
            let (credential, permitted) = (credential.name.clone(), credential.permitted.clone());
            let policy = Arc::clone(&policy);
            request.extensions_mut().insert(Authenticated { credential, permitted, claims, received_at, policy });
            return Ok(request);
        }
        Err(auth_error) => auth_error,
    };
    let stranger = Unauthenticated { feed, received_at, remote_address, auth_error: &auth_error };
    let (head, body) = request.into_parts();
    let limit = policy.limits.of(feed);
    refusal::quarantine(&state.quarantine, &state.budget, stranger, limit, &head.headers, body).await;
    Err(Error::Unauthorized { auth_error, challenges: policy.credentials.challenges(feed) })
}
