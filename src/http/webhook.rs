//! The one webhook handler, and the one place where an outcome becomes a reply.
//!
//! Whatever was stored is answered 200, whatever its outcome: a sender does not repeat after an error status.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::access::{AccessPolicy, CurrentPolicy};
use super::auth::{AuthError, Authenticated};
use super::body::{self, BodyError, DecodedBody, content_type};
use super::body_budget::{BodyBudget, BodyRoom, BudgetTimeout};
use super::connections::Phase;
use super::header_limit::{self, HeadTooLarge};
use super::peer_addr;
use super::refusal::{self, Unauthenticated};
use crate::domain::delivery::{Body, Delivery};
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::intake::{Answer, EffectSummary, Reply, Unavailable};
use crate::quarantine::Quarantine;

/// Accepts a delivery, and answers once it is durable.
pub type Accept = Arc<dyn Fn(Delivery) -> BoxFuture<'static, Result<Answer, Unavailable>> + Send + Sync>;

/// What the webhook handler works with.
pub struct WebhookState {
    /// Who may enter, and how much they may bring.
    pub current_policy: CurrentPolicy,
    /// Tells the time of arrival.
    pub clock: fn() -> DateTime<Utc>,
    /// Where a delivery goes.
    pub accept: Accept,
    /// Where bodies have room.
    pub budget: BodyBudget,
    /// How long a request is held whose body finds no room.
    pub hold: Duration,
    /// Where a refused request goes.
    pub quarantine: Quarantine,
}

/// Why a request gets no delivery's reply.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the request was refused")]
    Unauthorized {
        #[source]
        auth_error: AuthError,
        challenges: Vec<HeaderValue>,
    },
    #[error("the head was not taken")]
    Head(#[from] HeadTooLarge),
    #[error("the body was not taken")]
    Body(#[from] BodyError),
    #[error("the delivery was not taken in")]
    Unavailable(#[from] Unavailable),
}

/// A reply names at most this many findings; the delivery's record holds all.
const MAX_FINDINGS: usize = 100;

/// After how many seconds a sender may try again when nothing could store its delivery.
const RETRY_AFTER_SECONDS: u32 = 30;

/// Takes in one request of a feed.
pub(crate) async fn receive(state: Arc<WebhookState>, feed: Feed, request: Request) -> Response {
    let remote_address = peer_addr::address(request.extensions());
    match take_in(&state, feed, remote_address, request).await {
        Ok(Answer::Settled(reply)) => Json(ReplyPayload(&reply)).into_response(),
        Ok(Answer::Spooled(id)) => Json(json!({ "delivery_id": id, "outcome": "spooled" })).into_response(),
        Err(error) => {
            log(&state.quarantine, &error, feed, remote_address);
            error.into_response()
        }
    }
}

async fn take_in(
    state: &WebhookState,
    feed: Feed,
    remote_address: Option<IpAddr>,
    request: Request,
) -> Result<Answer, Error> {
    let received_at = (state.clock)();
    let (head, body) = request.into_parts();
    header_limit::check(&head.headers, feed)?;
    let policy = state.current_policy.current();
    let phase = Phase::of(&head.extensions);
    let authenticated = match policy.credentials.authenticate(&head.headers, feed, received_at) {
        Ok(authenticated) => authenticated,
        Err(auth_error) => {
            let unauthenticated = Unauthenticated { feed, received_at, remote_address, auth_error: &auth_error };
            let limit = policy.limits.of(feed);
            refusal::quarantine(&state.quarantine, &state.budget, unauthenticated, limit, &head.headers, body).await;
            return Err(Error::Unauthorized { auth_error, challenges: policy.credentials.challenges(feed) });
        }
    };
    let credential = authenticated.credential;
    phase.reading(&credential.name);
    let received = match read(state, &policy, feed, authenticated, &head.headers, body).await {
        // It holds nothing any more. Answered now, it would never be repeated.
        Err(Error::Body(BodyError::NoRoom(BudgetTimeout { since }))) => {
            sleep_until(since + state.hold).await;
            return Err(Error::Body(BodyError::NoRoom(BudgetTimeout { since })));
        }
        received => received?,
    };
    phase.working();
    let Received { body, posted_body, undecoded, rooms } = received;
    let delivery = Delivery {
        id: Uuid::now_v7(),
        feed,
        received_at,
        credential: credential.name.clone(),
        permitted: credential.permitted.clone(),
        remote_address,
        content_type: content_type(&head.headers),
        body: body.into(),
        posted_body: posted_body.map(Body::from),
        undecoded,
        dealership_id: None,
        schema_version: None,
    };
    let begun = Instant::now();
    match (state.accept)(delivery).await {
        Err(Unavailable) => {
            // Nothing of it is here any more. Answered before the end of the hold, it would never be repeated.
            drop(rooms);
            phase.reading(&credential.name);
            sleep_until(begun + state.hold).await;
            Err(Unavailable.into())
        }
        answer => Ok(answer?),
    }
}

/// What a request brought, with the room that it takes.
struct Received {
    body: Vec<u8>,
    posted_body: Option<Vec<u8>>,
    undecoded: Option<Finding>,
    rooms: (BodyRoom, Option<BodyRoom>),
}

/// Reads the body. A signed token's claims are the payload; what was posted beside them is kept where it says something
/// else. One that cannot be had whole, or finds no room, costs nothing but itself.
async fn read(
    state: &WebhookState,
    policy: &AccessPolicy,
    feed: Feed,
    authenticated: Authenticated<'_>,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<Received, Error> {
    let Authenticated { credential, claims } = authenticated;
    let mut room = state.budget.of_credential(&credential.name, state.hold);
    let mut room_of_claims = None;
    if let Some(claims) = &claims {
        let mut room = state.budget.of_credential(&credential.name, state.hold);
        room.take(claims.len(), claims.capacity()).await.map_err(BodyError::from)?;
        room.finish();
        room_of_claims = Some(room);
    }
    let decoded = body::read(body, headers, policy.limits.of(feed), policy.limits.timeouts, &mut room).await;
    let (body, posted_body, undecoded) = match (claims, decoded) {
        (Some(claims), Ok(decoded)) => (claims, Some(decoded.bytes), None),
        (Some(claims), Err(_unusable)) => {
            room = state.budget.of_credential(&credential.name, state.hold);
            (claims, Some(Vec::new()), None)
        }
        (None, decoded) => {
            let DecodedBody { bytes, undecoded } = decoded?;
            (bytes, None, undecoded)
        }
    };
    room.finish();
    Ok(Received { body, posted_body, undecoded, rooms: (room, room_of_claims) })
}

/// One line for each request that gets no delivery's reply. Nothing of the request's own text is in it.
fn log(quarantine: &Quarantine, error: &Error, of: Feed, address: Option<IpAddr>) {
    let feed = of.name();
    let remote_address = address.map(tracing::field::display);
    match error {
        Error::Unauthorized { auth_error, .. } => {
            // Strangers may come by the hundred; a few lines tell of them.
            let Some(left_out) = quarantine.should_log(of, address) else { return };
            let left_out = (left_out > 0).then_some(left_out);
            let AuthError { tried, expired, presented: _ } = auth_error;
            tracing::warn!(feed, remote_address, ?tried, expired, left_out, "refused: no credential of this feed");
        }
        Error::Head(HeadTooLarge { limit }) => {
            tracing::warn!(feed, remote_address, limit_bytes = limit, "refused: the headers are too large");
        }
        Error::Body(BodyError::TooLarge { limit }) => {
            tracing::warn!(feed, remote_address, limit_bytes = limit, "refused: the body is too large");
        }
        Error::Body(BodyError::TooSlow) => {
            tracing::info!(feed, remote_address, "the sender took too long for the body");
        }
        Error::Body(BodyError::Incomplete(_)) => {
            tracing::info!(feed, remote_address, "the sender broke off before the end of the body");
        }
        // A line a minute says that there is no room.
        Error::Body(BodyError::NoRoom(_)) => {
            tracing::debug!(feed, remote_address, "a body found no room and was answered 503");
        }
        Error::Unavailable(Unavailable) => {
            tracing::error!(feed, remote_address, "a delivery could not be stored and was answered 503");
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized { challenges, .. } => {
                let mut response = failure(StatusCode::UNAUTHORIZED, "unauthorized");
                for challenge in challenges {
                    response.headers_mut().append(WWW_AUTHENTICATE, challenge);
                }
                response
            }
            Self::Head(HeadTooLarge { limit }) => {
                let reason = Json(json!({ "error": "headers_too_large", "limit_bytes": limit }));
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason).into_response()
            }
            Self::Body(BodyError::TooLarge { limit }) => {
                let reason = Json(json!({ "error": "body_too_large", "limit_bytes": limit }));
                (StatusCode::PAYLOAD_TOO_LARGE, reason).into_response()
            }
            Self::Body(BodyError::TooSlow) => failure(StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            Self::Body(BodyError::Incomplete(_)) => failure(StatusCode::BAD_REQUEST, "body_incomplete"),
            Self::Body(BodyError::NoRoom(_)) | Self::Unavailable(Unavailable) => unavailable("unavailable"),
        }
    }
}

/// Nothing could be done now; later it may be.
pub(super) fn unavailable(error: &str) -> Response {
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, error);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

fn failure(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// The reply to a stored delivery: `delivery_id`, `outcome`, what became of each kind of row, `findings`.
struct ReplyPayload<'a>(&'a Reply);

impl Serialize for ReplyPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Reply { delivery_id, outcome, effects, findings } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("delivery_id", delivery_id)?;
        map.serialize_entry("outcome", outcome.name())?;
        for (kind, summary) in effects {
            match summary {
                EffectSummary::One(effect) => map.serialize_entry(kind, effect.name())?,
                EffectSummary::Many(tally) => map.serialize_entry(kind, &BTreeMap::from_iter(tally.parts()))?,
            }
        }
        let shown: Vec<_> = findings.iter().take(MAX_FINDINGS).map(FindingPayload::from).collect();
        map.serialize_entry("findings", &shown)?;
        if shown.len() < findings.len() {
            map.serialize_entry("findings_total", &findings.len())?;
        }
        map.end()
    }
}

/// A finding as a sender sees it.
#[derive(serde::Serialize)]
struct FindingPayload<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a Finding> for FindingPayload<'a> {
    /// A dealership of somebody else looks like one that nobody has: the reply tells no one which ones there are.
    fn from(finding: &'a Finding) -> Self {
        let Finding { code, path, message } = finding;
        let hidden = Code::DealershipUnknown;
        let (code, message) = if *code == Code::WorkspaceNotPermitted || *code == hidden {
            (hidden, hidden.meaning())
        } else {
            (*code, message.as_str())
        };
        Self { code: code.name(), path: path.as_deref(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Effect, Outcome, Tally};

    fn reply(effects: Vec<(&'static str, Effect)>, findings: Vec<Finding>) -> Reply {
        let effects = effects.into_iter().map(|(kind, effect)| (kind, EffectSummary::One(effect))).collect();
        let delivery_id = Uuid::from_u128(0x0199_3b5e_6f6e_7cc1_b0a4_3d1b_0c7a_9e11);
        Reply { delivery_id, outcome: Outcome::Applied, effects, findings }
    }

    fn shown(reply: &Reply) -> String {
        serde_json::to_string(&ReplyPayload(reply)).unwrap()
    }

    #[test]
    fn a_reply_says_what_happened_in_this_order() {
        let effects = vec![
            ("person", Effect::Created),
            ("lead", Effect::Updated),
            ("listing", Effect::Unchanged),
            ("booking", Effect::Blocked),
        ];
        let findings = vec![
            Finding::at(Code::AssetNotFound, "item.vin", "no listing has this VIN yet"),
            Finding::whole(Code::OlderThanKnown, "a newer one is known"),
        ];
        assert_eq!(
            shown(&reply(effects, findings)),
            concat!(
                r#"{"delivery_id":"01993b5e-6f6e-7cc1-b0a4-3d1b0c7a9e11","outcome":"applied","#,
                r#""person":"created","lead":"updated","listing":"unchanged","booking":"blocked","#,
                r#""findings":[{"code":"asset_not_found","path":"item.vin","message":"no listing has this VIN yet"},"#,
                r#"{"code":"older_than_known","message":"a newer one is known"}]}"#
            )
        );
    }

    #[test]
    fn the_reply_to_many_rows_counts_them_by_what_they_became() {
        let tally = Tally { created: 3, updated: 1, ..Tally::default() };
        let blocked = Tally { blocked: 2, ..Tally::default() };
        let effects = vec![("lead", EffectSummary::Many(tally)), ("booking", EffectSummary::Many(blocked))];
        let shown = shown(&Reply { effects, ..reply(Vec::new(), Vec::new()) });
        let counts = r#""lead":{"created":3,"unchanged":0,"updated":1},"booking":{"blocked":2,"created":0,"#;
        assert!(shown.contains(counts), "{shown}");
    }

    #[test]
    fn a_reply_without_effects_and_findings_still_has_the_list() {
        assert_eq!(
            shown(&reply(vec![], vec![])),
            r#"{"delivery_id":"01993b5e-6f6e-7cc1-b0a4-3d1b0c7a9e11","outcome":"applied","findings":[]}"#
        );
    }

    #[test]
    fn a_reply_holds_a_hundred_findings_and_says_how_many_there_are() {
        let finding = Finding::whole(Code::PhoneInvalid, "not a number");
        let read = |count| -> serde_json::Value {
            serde_json::from_str(&shown(&reply(vec![], vec![finding.clone(); count]))).unwrap()
        };
        assert_eq!(read(100)["findings"].as_array().unwrap().len(), 100);
        assert_eq!(read(100).get("findings_total"), None);
        assert_eq!(read(101)["findings"].as_array().unwrap().len(), 100);
        assert_eq!(read(101)["findings_total"], 101);
    }

    #[test]
    fn a_dealership_of_somebody_else_looks_like_one_that_nobody_has() {
        let with = |code, message: &str| shown(&reply(vec![], vec![Finding::at(code, "dealership.id", message)]));
        let theirs = with(Code::WorkspaceNotPermitted, "the credential may not write to `acme`");
        let nobodys = with(Code::DealershipUnknown, "no workspace has dealership 7");
        assert_eq!(theirs, nobodys);
        assert!(theirs.contains(Code::DealershipUnknown.meaning()) && !theirs.contains("acme"), "{theirs}");
    }
}
