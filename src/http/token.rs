//! `POST /oauth/token`: the client credentials grant (RFC 6749 §4.4), with the words of the `oauth2` crate.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use axum::http::{StatusCode, request};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse, BasicTokenType};
use oauth2::{AccessToken, EmptyExtraTokenFields, Scope};
use secrecy::ExposeSecret as _;

use super::access::CurrentPolicy;
use super::auth::{ClientProof, ClientProofError, Credentials, Issued, TokenRefused};
use super::body::{self, BodyError, ReadTimeouts};
use super::body_budget::{BodyBudget, ByteShare};
use super::{peer_addr, reply};
use crate::metrics::{Metrics, Refusal};

/// What the handler works with.
#[derive(Clone)]
pub(crate) struct TokenState {
    /// The clients that may ask for a token, as of the last reload.
    pub(crate) current_policy: CurrentPolicy,
    /// Where requests have room: who asks is not known yet.
    pub(crate) budget: BodyBudget,
    /// The clock by which a token begins.
    pub(crate) clock: fn() -> DateTime<Utc>,
    /// Counts refusals.
    pub(crate) metrics: Metrics,
}

/// Why no token is given (RFC 6749 §5.2), in words that hold nothing of the request.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Request(&'static str),
    #[error("the client is not known, or its secret is wrong")]
    Client,
    #[error("only the grant type client_credentials is supported")]
    GrantType,
    #[error("a scope is one or more of the client's feeds, with spaces between them")]
    Scope,
    #[error("there was no room for the request")]
    NoRoom,
}

/// The most bytes of a request.
const LIMIT: usize = 16 << 10;
/// So long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
const FORM: &str = "application/x-www-form-urlencoded";
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"forecourt\", charset=\"UTF-8\"");

/// Gives an OAuth client a token, or the error of the standard.
pub(crate) async fn give(state: TokenState, request: Request) -> Response {
    let remote_address = peer_addr::address(request.extensions());
    let mut room = state.budget.of_unauthenticated(remote_address, PATIENCE);
    let remote_address = remote_address.map(tracing::field::display);
    let (head, body) = request.into_parts();
    let policy = state.current_policy.current();
    let given = match fields(&head, body, &mut room).await {
        Ok(fields) => issue(&policy.credentials, &head.headers, &fields, (state.clock)()),
        Err(error) => Err(error),
    };
    let response = match given {
        Ok(issued) => {
            tracing::info!(credential = issued.credential.name, remote_address, "an access token was given");
            Json(token_response(&issued)).into_response()
        }
        Err(error) => {
            state.metrics.refused(None, Refusal::Token);
            tracing::warn!(reason = %error, remote_address, "an access token was refused");
            error.into_response()
        }
    };
    not_stored(response)
}

/// The fields of the form. One without a value counts as left out; one that comes twice spoils the request (§3.2).
async fn fields(head: &request::Parts, body: Body, room: &mut ByteShare) -> Result<BTreeMap<String, String>, Error> {
    let is_form = |value: &HeaderValue| {
        let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes())
    };
    if !head.headers.get(CONTENT_TYPE).is_none_or(is_form) {
        return Err(Error::Request("the body must be application/x-www-form-urlencoded"));
    }
    let decoded = match body::read(body, &head.headers, LIMIT, ReadTimeouts::default(), room).await {
        Ok(decoded) => decoded,
        Err(BodyError::NoRoom(_)) => return Err(Error::NoRoom),
        Err(BodyError::TooLarge { .. } | BodyError::TooSlow | BodyError::Incomplete(_)) => {
            return Err(Error::Request("the body is too large or was broken off"));
        }
    };
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&decoded.bytes).filter(|(_, value)| !value.is_empty()) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Error::Request("a parameter comes twice"));
        }
    }
    Ok(fields)
}

fn issue<'c>(
    credentials: &'c Credentials,
    headers: &HeaderMap,
    fields: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<Issued<'c>, Error> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let grant_type = field("grant_type").ok_or(Error::Request("grant_type is missing"))?;
    let proof = ClientProof::of(headers, field("client_id"), field("client_secret")).map_err(|error| match error {
        ClientProofError::Several => Error::Request("the client shows itself in more than one way"),
        ClientProofError::None => Error::Client,
    })?;
    // Who is no client learns nothing else.
    let issued = credentials.issue(&proof, field("scope"), now);
    match (issued, grant_type) {
        (Err(TokenRefused::Client), _) => Err(Error::Client),
        (_, grant_type) if grant_type != "client_credentials" => Err(Error::GrantType),
        (Err(TokenRefused::Scope), _) => Err(Error::Scope),
        (Ok(issued), _) => Ok(issued),
    }
}

/// §5.1. The scope is always given, because it can be less than the client expects.
fn token_response(issued: &Issued<'_>) -> BasicTokenResponse {
    let token = AccessToken::new(issued.token.expose_secret().to_owned());
    let mut response = BasicTokenResponse::new(token, BasicTokenType::Bearer, EmptyExtraTokenFields {});
    response.set_expires_in(Some(&issued.lifetime));
    response.set_scopes(Some(issued.scope.iter().map(|feed| Scope::new(feed.name().to_owned())).collect()));
    response
}

/// Neither tokens nor errors may be kept on the way (§5.1).
fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, kind) = match self {
            Self::Request(_) => (StatusCode::BAD_REQUEST, BasicErrorResponseType::InvalidRequest),
            Self::Client => (StatusCode::UNAUTHORIZED, BasicErrorResponseType::InvalidClient),
            Self::GrantType => (StatusCode::BAD_REQUEST, BasicErrorResponseType::UnsupportedGrantType),
            Self::Scope => (StatusCode::BAD_REQUEST, BasicErrorResponseType::InvalidScope),
            Self::NoRoom => return reply::unavailable("temporarily_unavailable"),
        };
        let told = BasicErrorResponse::new(kind, Some(self.to_string()), None);
        let mut response = (status, Json(told)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}
