//! The one place where an outcome, or why there is none, becomes a reply and a log line.
//!
//! Whatever was stored is answered 200, whatever its outcome: a sender does not repeat after an error status.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::auth::AuthError;
use super::body::BodyError;
use super::header_limit::HeadTooLarge;
use super::state::WebhookState;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::intake::{Answer, EffectSummary, Reply, Unavailable};
use crate::metrics::Refusal;

/// Why a request gets no delivery's reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
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

/// The reply to a delivery that is durable.
pub(super) fn answered(answer: &Answer) -> Response {
    match answer {
        Answer::Applied(reply) => Json(ReplyPayload(reply)).into_response(),
        Answer::Spooled(id) => Json(json!({ "delivery_id": id, "outcome": "spooled" })).into_response(),
    }
}

impl Error {
    /// Its name in the metrics.
    fn refusal(&self) -> Refusal {
        match self {
            Self::Unauthorized { .. } => Refusal::Unauthorized,
            Self::Head(HeadTooLarge { .. }) => Refusal::HeadersTooLarge,
            Self::Body(BodyError::TooLarge { .. }) => Refusal::BodyTooLarge,
            Self::Body(BodyError::TooSlow) => Refusal::BodyTooSlow,
            Self::Body(BodyError::Incomplete(_)) => Refusal::BodyIncomplete,
            Self::Body(BodyError::NoRoom(_)) => Refusal::NoRoom,
            Self::Unavailable(Unavailable) => Refusal::Unavailable,
        }
    }
}

/// Counts a request that gets no delivery's reply, and writes one line for it. Nothing of the request's own text is in it.
pub(super) fn log(state: &WebhookState, error: &Error, of: Feed, address: Option<IpAddr>) {
    state.metrics.refused(Some(of), error.refusal());
    let feed = of.name();
    let remote_address = address.map(tracing::field::display);
    match error {
        Error::Unauthorized { auth_error, .. } => {
            // Requests without a credential may come by the hundred; a few lines report them.
            let Some(left_out) = state.quarantine.should_log(of, address) else { return };
            let left_out = (left_out > 0).then_some(left_out);
            let AuthError { tried, expired, presented: _ } = auth_error;
            tracing::warn!(feed, remote_address, ?tried, expired, left_out, "refused: no credential of this feed");
        }
        Error::Head(HeadTooLarge { limit }) => {
            tracing::warn!(feed, remote_address, limit_bytes = limit, "refused: the headers are too large");
        }
        Error::Body(BodyError::TooLarge { limit }) => {
            let Some(left_out) = state.complaints.take(&format!("too large: {feed}")) else { return };
            let left_out = (left_out > 0).then_some(left_out);
            tracing::warn!(feed, remote_address, limit_bytes = limit, left_out, "refused: the body is too large");
        }
        Error::Body(BodyError::TooSlow) => {
            tracing::info!(feed, remote_address, "the sender took too long for the body");
        }
        Error::Body(BodyError::Incomplete(_)) => {
            tracing::info!(feed, remote_address, "the sender broke off before the end of the body");
        }
        // A line a minute reports that there is no room.
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
        for (kind, told) in effects {
            match told {
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
    /// A dealership of somebody else looks like one that nobody has: the reply reveals to no one which ones there are.
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
    use uuid::Uuid;

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
