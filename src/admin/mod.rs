//! The admin listener's routes: metrics for Prometheus, the description of the doors, whether the service is well, and the
//! console. It has a listener of its own and asks nobody but whoever wants the console for a credential, so it answers only to
//! names that it is known by ([`host`]).
//!
//! A scrape asks Postgres nothing: it renders what was counted, and what is looked at in memory.

mod console;
mod host;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, LazyLock};

use axum::extract::Request;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::http::body_budget::BodyBudget;
use crate::http::health::{self, Check};
use crate::http::openapi;
use crate::metrics::{Format, Metrics, Sample};

pub use console::ConsoleSettings;

/// Looks at what is measured only when somebody asks. It waits for nothing.
pub type Look = Arc<dyn Fn() -> Sample + Send + Sync>;

/// What the routes work with.
#[derive(Clone)]
pub struct AdminState {
    /// What was counted.
    pub metrics: Metrics,
    /// What is looked at.
    pub look: Look,
    /// The parts that can store a delivery, for `/readyz`.
    pub checks: Vec<Check>,
    /// Where bodies have room, for `/readyz`.
    pub budget: BodyBudget,
    /// The names that it answers to, beside those of the machine itself.
    pub hosts: Vec<String>,
    /// The console, where somebody may log in.
    pub console: Option<ConsoleSettings>,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// The paths there are.
const PATHS: [&str; 4] = ["/metrics", "/openapi.json", "/livez", "/readyz"];

/// The description of the doors, which does not change while the program runs.
static OPENAPI: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", openapi::document()));

/// Every route, under every layer.
pub fn router(state: AdminState) -> Router {
    let AdminState { metrics, look, checks, budget, hosts, console } = state;
    let (checks, hosts): (Arc<[Check]>, Arc<[String]>) = (checks.into(), hosts.into());
    let console = match console {
        Some(settings) => console::routes(settings),
        None => Router::new().route("/", get(no_console)),
    };
    console
        .route("/metrics", get(move |headers: HeaderMap| async move { scraped(&metrics, &look, &headers) }))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI.as_str())))
        .route("/livez", get(health::livez))
        .route("/readyz", get(move || health::readyz(checks, budget)))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(hosts, host::check))
        .layer(CatchPanicLayer::custom(caught))
        .layer(middleware::map_response(|response: Response| async { not_kept(response) }))
}

/// The metrics in the form that whoever asks understands: `OpenMetrics` where it is named, else the older one.
fn scraped(metrics: &Metrics, look: &Look, headers: &HeaderMap) -> Response {
    let is_named =
        |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("application/openmetrics-text"));
    let format = if headers.get_all(ACCEPT).iter().any(is_named) { Format::OpenMetrics } else { Format::Prometheus };
    match metrics.render(format, &look()) {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What stands where the console would be.
async fn no_console() -> Response {
    let message = "There is no console: write `user` and `password_file` (or `password_env`) into `[admin]`, and start \
                   forecourt again. Metrics are at /metrics, the description of the doors is at /openapi.json.\n";
    (StatusCode::NOT_FOUND, message).into_response()
}

async fn unknown(_request: Request) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found", "paths": PATHS }))).into_response()
}

/// The answer to a panic, whose message is neither answered nor logged here.
fn caught(_panic: Box<dyn Any + Send>) -> HttpResponse<axum::body::Body> {
    tracing::error!("a request to the admin listener ended in a panic and was answered 500");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "internal_error" }))).into_response()
}

/// Nothing of it is to be kept on the way, unless it says so, or taken for something else than it says.
fn not_kept(mut response: Response) -> Response {
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let sniffing = HeaderName::from_static("x-content-type-options");
    response.headers_mut().insert(sniffing, HeaderValue::from_static("nosniff"));
    response
}
