//! Pages: how they are rendered, what stands around them, and what is shown where there is none.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};

use crate::store;

use super::sessions::Session;

/// What a browser may do with a page: load the files of [`super::assets`], post forms here, and nothing else. Nothing that
/// stands in a page itself is run or styles it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What stands around a page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Who has logged in.
    pub(super) user: String,
    /// What each form carries.
    pub(super) token: String,
    /// What stands in the search field.
    pub(super) query: String,
    /// Which page of the menu it is.
    pub(super) here: &'static str,
}

impl Frame {
    pub(super) fn of(session: &Session, here: &'static str) -> Self {
        Self { user: session.user.clone(), token: session.token.clone(), query: String::new(), here }
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failure {
    /// Postgres has not been there since the start.
    NoTables,
    /// Others of the console ask the database.
    Busy,
    /// Postgres refuses, cannot be reached, or did not answer in time.
    Store(store::Error),
    /// There is no such thing.
    NotFound(String),
    /// It is not done, and why.
    Refused(String),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    title: &'static str,
    message: String,
}

impl Failure {
    /// The page that says it.
    pub(super) fn page(self, frame: Frame) -> Response {
        let (status, title, message) = match self {
            Self::NoTables => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Postgres is away",
                "Deliveries are taken in all the same and wait in the spool. This page is there as soon as Postgres is."
                    .to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "One moment",
                "The console asks the database for a few things at a time, and others are being asked for. Load the page \
                 again in a few seconds."
                    .to_owned(),
            ),
            Self::Store(error) => {
                tracing::warn!(error = error.without_values(), "the console could not read the tables");
                let message = "It refused, could not be reached, or took longer than the console waits, so that deliveries \
                               are not held up. The log says more.";
                (StatusCode::SERVICE_UNAVAILABLE, "Postgres did not answer", message.to_owned())
            }
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "Not found", message),
            Self::Refused(message) => (StatusCode::CONFLICT, "Not done", message),
        };
        html(status, &MessagePage { frame, title, message })
    }
}

/// A page, or what says why there is none.
pub(super) fn or_failure(made: Result<Response, Failure>, frame: Frame) -> Response {
    made.unwrap_or_else(|failure| failure.page(frame))
}

/// A rendered page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What every answer of the console tells a browser.
pub(super) async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    headers.insert(CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    // With `no-referrer` a browser would not say either where a form comes from.
    headers.insert(REFERRER_POLICY, fixed("same-origin"));
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(HeaderName::from_static(name), fixed("same-origin"));
    }
    headers.entry(CACHE_CONTROL).or_insert(fixed("no-store"));
    response
}
