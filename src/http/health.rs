//! Whether the process lives, and whether it can do its work.

use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::body_budget::{BodyBudget, Usage};

/// Finds out whether one part works.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), ProbeError>> + Send + Sync>;

/// Why a part does not work.
#[derive(Debug)]
pub struct ProbeError {
    /// The state's name in the reply.
    code: &'static str,
    /// For the log, never for the reply.
    cause: Box<dyn Error + Send + Sync>,
}

impl ProbeError {
    /// A reason with its cause. The code holds nothing that is not for everybody.
    pub fn new(code: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, cause: cause.into() }
    }
}

/// Adds details of one part to the reply.
pub type Detail = Arc<dyn Fn() -> Value + Send + Sync>;

/// A part that can store a delivery by itself.
#[derive(Clone)]
pub struct Check {
    /// Its name in the reply, as `postgres`.
    pub part: &'static str,
    /// Its details, under its name; null where there is no more.
    pub detail: Option<Detail>,
    /// How to find out.
    pub probe: Probe,
}

/// A part that has not answered after this time does not work.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /livez`: the process takes requests.
pub(crate) async fn livez() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Whether these routes answer that.
pub async fn lives(router: Router) -> bool {
    let Ok(request) = Request::get("/livez").body(Body::empty()) else { return false };
    let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    answer.status() == StatusCode::OK
}

/// `GET /readyz`: 200 while at least one part works, so that deliveries can be stored, else 503; with the state of each
/// part by name, and of one that does not work the reason as a code. A lack of room for bodies is reported and makes nothing unready: it costs those who take most of it, and else
/// a slow sender could have the whole service taken away.
pub(crate) async fn readyz(checks: Arc<[Check]>, budget: BodyBudget) -> Response {
    let reasons = join_all(checks.iter().map(reason)).await;
    let name = |works: bool| if works { "ok" } else { "unavailable" };
    let each = || iter::zip(checks.iter(), &reasons);
    let parts: Map<String, Value> =
        each().map(|(check, reason)| (check.part.to_owned(), name(reason.is_none()).into())).collect();
    let broken: Map<String, Value> =
        each().filter_map(|(check, reason)| Some((check.part.to_owned(), (*reason)?.into()))).collect();
    let any = reasons.iter().any(Option::is_none);
    let status = if any { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = Map::from_iter([("status".to_owned(), name(any).into()), ("parts".to_owned(), parts.into())]);
    if !broken.is_empty() {
        body.insert("reasons".to_owned(), broken.into());
    }
    let details = checks.iter().filter_map(|check| Some((check.part.to_owned(), check.detail.as_ref()?())));
    body.extend(details.filter(|(_, detail)| !detail.is_null()));
    let Usage { held_bytes, total_bytes, waiting, let_go } = budget.usage();
    if waiting > 0 || let_go > 0 {
        let bodies = json!({
            "held_bytes": held_bytes, "total_bytes": total_bytes, "waiting": waiting, "let_go_in_last_minute": let_go,
        });
        body.insert("bodies".to_owned(), bodies);
    }
    (status, Json(body)).into_response()
}

/// Why a part does not work; none where it does.
async fn reason(check: &Check) -> Option<&'static str> {
    let part = check.part;
    match tokio::time::timeout(PATIENCE, (check.probe)()).await {
        Ok(Ok(())) => None,
        Ok(Err(ProbeError { code, cause })) => {
            tracing::warn!(part, reason = chain(cause.as_ref()), "a part does not work");
            Some(code)
        }
        Err(_elapsed) => {
            tracing::warn!(part, patience = ?PATIENCE, "a part does not answer in time");
            Some("no_answer")
        }
    }
}

/// The error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        cause = error.source();
    }
    chain
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn check(part: &'static str, probe: fn() -> BoxFuture<'static, Result<(), ProbeError>>) -> Check {
        Check { part, detail: None, probe: Arc::new(probe) }
    }

    async fn asked(checks: Vec<Check>) -> (u16, String) {
        let response = readyz(checks.into(), BodyBudget::new(1 << 20, 1 << 10)).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ready_when_one_part_works_and_each_tells_of_itself() {
        let works = check("postgres", || Box::pin(async { Ok(()) }));
        assert_eq!(asked(vec![works]).await, (200, r#"{"parts":{"postgres":"ok"},"status":"ok"}"#.to_owned()));
        let fails = check("postgres", || Box::pin(async { Err(ProbeError::new("unreachable", "it is away")) }));
        let mut spool = check("spool", || Box::pin(async { Ok(()) }));
        spool.detail = Some(Arc::new(|| json!({ "deliveries": 7 })));
        let body = concat!(
            r#"{"parts":{"postgres":"unavailable","spool":"ok"},"reasons":{"postgres":"unreachable"},"#,
            r#""spool":{"deliveries":7},"status":"ok"}"#
        );
        assert_eq!(asked(vec![fails, spool]).await, (200, body.to_owned()));
    }

    #[tokio::test]
    async fn not_ready_when_no_part_works_and_of_the_reason_only_the_code_is_told() {
        let postgres =
            check("postgres", || Box::pin(async { Err(ProbeError::new("refused", "the password is hunter2")) }));
        let disk = check("disk", || Box::pin(async { Err(ProbeError::new("full", "the disk is full")) }));
        let body = concat!(
            r#"{"parts":{"disk":"unavailable","postgres":"unavailable"},"reasons":{"disk":"full","postgres":"refused"},"#,
            r#""status":"unavailable"}"#
        );
        assert_eq!(asked(vec![postgres, disk]).await, (503, body.to_owned()));
    }

    #[tokio::test]
    async fn a_part_that_does_not_answer_does_not_work() {
        let hangs = check("postgres", || Box::pin(std::future::pending()));
        let asked = tokio::time::timeout(PATIENCE * 30, asked(vec![hangs])).await.unwrap();
        assert!(asked.0 == 503 && asked.1.contains(r#""reasons":{"postgres":"no_answer"}"#), "{asked:?}");
    }
}
