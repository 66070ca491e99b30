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

/// Why a part does not work; for the log, never for the reply.
pub type ProbeError = Box<dyn Error + Send + Sync>;

/// Tells more of one part, for the reply.
pub type Detail = Arc<dyn Fn() -> Value + Send + Sync>;

/// A part that can store a delivery by itself.
#[derive(Clone)]
pub struct Check {
    /// Its name in the reply, as `postgres`.
    pub part: &'static str,
    /// More of it, told under its name; null where there is no more.
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
/// part by name. A lack of room for bodies is told and makes nothing unready: it costs those who take most of it, and else
/// a slow sender could have the whole service taken away.
pub(crate) async fn readyz(checks: Arc<[Check]>, budget: BodyBudget) -> Response {
    let works = join_all(checks.iter().map(works)).await;
    let name = |works: bool| if works { "ok" } else { "unavailable" };
    let parts: Map<String, Value> =
        iter::zip(checks.iter(), &works).map(|(check, works)| (check.part.to_owned(), name(*works).into())).collect();
    let any = works.into_iter().any(|works| works);
    let status = if any { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = Map::from_iter([("status".to_owned(), name(any).into()), ("parts".to_owned(), parts.into())]);
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

async fn works(check: &Check) -> bool {
    let part = check.part;
    match tokio::time::timeout(PATIENCE, (check.probe)()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(part, reason = chain(error.as_ref()), "a part does not work");
            false
        }
        Err(_elapsed) => {
            tracing::warn!(part, patience = ?PATIENCE, "a part does not answer in time");
            false
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
        let fails = check("postgres", || Box::pin(async { Err("it is away".into()) }));
        let mut spool = check("spool", || Box::pin(async { Ok(()) }));
        spool.detail = Some(Arc::new(|| json!({ "deliveries": 7 })));
        let body =
            r#"{"parts":{"postgres":"unavailable","spool":"ok"},"spool":{"deliveries":7},"status":"ok"}"#.to_owned();
        assert_eq!(asked(vec![fails, spool]).await, (200, body));
    }

    #[tokio::test]
    async fn not_ready_when_no_part_works_and_the_reason_is_not_told() {
        let postgres = check("postgres", || Box::pin(async { Err("the password is hunter2".into()) }));
        let disk = check("disk", || Box::pin(async { Err("the disk is full".into()) }));
        let body = r#"{"parts":{"disk":"unavailable","postgres":"unavailable"},"status":"unavailable"}"#;
        assert_eq!(asked(vec![postgres, disk]).await, (503, body.to_owned()));
    }

    #[tokio::test]
    async fn a_part_that_does_not_answer_does_not_work() {
        let hangs = check("postgres", || Box::pin(std::future::pending()));
        let asked = tokio::time::timeout(PATIENCE * 3, asked(vec![hangs])).await;
        assert_eq!(asked.unwrap().0, 503);
    }
}
