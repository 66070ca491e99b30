//! The login: a form, a password that is compared in constant time and tried a few times a minute, and a session of its own
//! for each login. Of a session that somebody else has set nothing is taken over.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::{ConsoleLogin, keyring};
use crate::http;

use super::form::Fields;
use super::guard::{self, SESSION, Sender};
use super::page;
use super::sessions::{LONGEST, Session};
use super::state::Console;

/// The cookie by which a login form is known to be the browser's own.
const FORM: &str = "forecourt_login";
/// For how many seconds a login form can be used.
const FORM_SECONDS: i64 = 3_600;

/// The login form.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    token: String,
    next: String,
    user: String,
    problem: Option<String>,
}

/// The form.
pub(super) async fn show(State(console): State<Console>, request: Request) -> Response {
    let fields = Fields::of_query(request.uri().query());
    form(&console, request.headers(), StatusCode::OK, &fields, None)
}

/// Shows the form, with what is wrong. A browser that has no cookie of it yet gets one.
fn form(
    console: &Console,
    headers: &HeaderMap,
    status: StatusCode,
    fields: &Fields,
    problem: Option<String>,
) -> Response {
    let known = guard::cookies(headers, FORM).into_iter().next();
    let made = if known.is_none() { keyring::new_secret().ok() } else { None };
    let made = made.map(|made| made.expose_secret().to_owned());
    let token = known.as_ref().or(made.as_ref()).and_then(|id| console.sign("login", id));
    let next = fields.given("next").and_then(own_path).unwrap_or_default().to_owned();
    let user = fields.get("user").chars().take(200).collect();
    let mut response = page::html(status, &LoginPage { token: token.unwrap_or_default(), next, user, problem });
    if let Some(made) = made {
        set_cookie(&mut response, &cookie(FORM, &made, "/login", FORM_SECONDS, false));
    }
    response
}

/// Logs in.
pub(super) async fn log_in(
    State(console): State<Console>,
    Extension(fields): Extension<Fields>,
    Extension(sender): Extension<Sender>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let refused = |status, problem: &str| form(&console, headers, status, &fields, Some(problem.to_owned()));
    let is_own = guard::cookies(headers, FORM)
        .iter()
        .filter_map(|id| console.sign("login", id))
        .any(|token| guard::same(&token, fields.get("token")));
    if !is_own {
        return refused(StatusCode::FORBIDDEN, "The form was too old. Please try again.");
    }
    let network = http::sender_network(console.proxies(), &request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if let Err(seconds) = console.attempts().take(network, console.now()) {
        let message = format!("There were too many tries. Please wait for {seconds} seconds.");
        let mut response = refused(StatusCode::TOO_MANY_REQUESTS, &message);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        return response;
    }
    if !knows(console.login(), fields.get("user"), fields.get("password")) {
        if let Some(left_out) = console.complaints().take("login") {
            tracing::warn!(%network, left_out, "somebody tried to log in to the console with a wrong name or password");
        }
        return refused(StatusCode::FORBIDDEN, "The name or the password is wrong.");
    }
    console.attempts().give_back(network);
    let Ok(id) = console.sessions().begin(&console.login().user, console.now()) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "The system has no random numbers to give.");
    };
    // The session that the browser had before ends.
    for former in guard::cookies(headers, SESSION) {
        if let Some(session) = console.sessions().find(&former, console.now()) {
            console.sessions().end(&session);
        }
    }
    tracing::info!(user = console.login().user, %network, "somebody has logged in to the console");
    let next = fields.given("next").and_then(own_path).unwrap_or("/");
    let mut response = see_other(next);
    set_cookie(&mut response, &cookie(SESSION, id.expose_secret(), "/", LONGEST.num_seconds(), sender.is_https));
    set_cookie(&mut response, &cookie(FORM, "", "/login", 0, false));
    response
}

/// Ends the session.
pub(super) async fn log_out(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    Extension(sender): Extension<Sender>,
) -> Response {
    console.sessions().end(&session);
    let mut response = see_other("/login");
    set_cookie(&mut response, &cookie(SESSION, "", "/", 0, sender.is_https));
    response
}

/// Whether a name and a password are the right ones. Both are compared whatever the other is, by their digests, so that the
/// time tells nothing of them, their length neither.
fn knows(login: &ConsoleLogin, user: &str, password: &str) -> bool {
    let same = |one: &str, other: &str| Sha256::digest(one).ct_eq(&Sha256::digest(other));
    bool::from(same(user, &login.user) & same(password, login.password.expose_secret()))
}

/// An address within the console, as the login leads back to. One that a browser would take for another site's is none.
fn own_path(path: &str) -> Option<&str> {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.len() <= 2_000
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    is_own.then_some(path)
}

fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response()
}

/// A cookie that no script sees, and that no other site's page is sent with.
fn cookie(name: &str, value: &str, path: &str, seconds: i64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_leads_to_pages_of_the_console_and_nowhere_else() {
        for path in ["/", "/deliveries?outcome=failed", "/search?q=a%40b"] {
            assert_eq!(own_path(path), Some(path));
        }
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil.example",
            "/a\r\nSet-Cookie: x=y",
            "/ü",
        ] {
            assert_eq!(own_path(path), None, "{path:?}");
        }
    }

    #[test]
    fn both_the_name_and_the_password_must_be_right() {
        let login = ConsoleLogin { user: "ada".to_owned(), password: "correct horse battery".to_owned().into() };
        assert!(knows(&login, "ada", "correct horse battery"));
        for (user, password) in
            [("ada", ""), ("", "correct horse battery"), ("Ada", "correct horse battery"), ("ada", "correct horse")]
        {
            assert!(!knows(&login, user, password), "{user} {password}");
        }
    }
}
