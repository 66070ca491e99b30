//! Who may do what: a page is shown to whoever has a session, and something is changed by whoever, beside that, sends what
//! only a page of ours can send: its token, and our own name as the place where it comes from.

use std::time::Duration;

use axum::body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;

use super::form::{self, Fields};
use super::sessions::Session;
use super::state::Console;

/// The cookie that holds the id of a session.
pub(super) const SESSION: &str = "forecourt_console";

/// No form of ours is longer.
const MOST_BYTES: usize = 8 << 10;
/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a request comes from, by its own word, which no page of somebody else can forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    /// Whether the browser reaches us by HTTPS.
    pub(super) is_https: bool,
}

/// Lets pages be asked for, and of what is posted only what comes from a page of ours; with the form that was posted.
pub(super) async fn of_origin(State(_console): State<Console>, mut request: Request, next: Next) -> Response {
    if *request.method() != Method::POST {
        return next.run(request).await;
    }
    let Some(sender) = sender(request.headers()) else {
        return refusal(
            StatusCode::FORBIDDEN,
            "This was not sent by a page of this console. A proxy in front has to pass \
            `Host` on as it came.",
        );
    };
    let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.split(';').next() == Some("application/x-www-form-urlencoded"))
    });
    if !is_form {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not a form of this console.");
    }
    let body = std::mem::take(request.body_mut());
    let fields = match timeout(PATIENCE, body::to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(bytes)) => Fields::parse(&bytes),
        Ok(Err(_too_long_or_cut_off)) => {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "No form of this console is so long.");
        }
        Err(_elapsed) => return refusal(StatusCode::REQUEST_TIMEOUT, "The form did not arrive in time."),
    };
    request.extensions_mut().insert(fields);
    request.extensions_mut().insert(sender);
    next.run(request).await
}

/// Lets in whoever has a session, and lets something be changed by whoever sends its token; others are led to the login.
pub(super) async fn of_session(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let now = console.now();
    let ids = cookies(request.headers(), SESSION);
    let Some(session) = ids.iter().find_map(|id| console.sessions().find(id, now)) else {
        return to_login(&request);
    };
    if *request.method() == Method::POST && !has_token(&request, &session) {
        return refusal(
            StatusCode::FORBIDDEN,
            "The form is of another login. Go back, load the page again, and try anew.",
        );
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

fn has_token(request: &Request, session: &Session) -> bool {
    let fields = request.extensions().get::<Fields>();
    fields.is_some_and(|fields| same(fields.get("token"), &session.token))
}

/// Whether two texts are the same, found out in a time that does not tell how far they are.
pub(super) fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

fn to_login(request: &Request) -> Response {
    if request.headers().contains_key("hx-request") {
        let login = [(HeaderName::from_static("hx-redirect"), "/login")];
        return (StatusCode::UNAUTHORIZED, login).into_response();
    }
    let asked = request.uri().path_and_query().map(ToString::to_string);
    let next = asked.filter(|asked| *request.method() == Method::GET && asked != "/");
    (StatusCode::SEE_OTHER, [(LOCATION, form::address("/login", &[("next", next.as_deref())]))]).into_response()
}

/// Where what is posted comes from, where that is here: `Origin` names the host that the request is sent to.
fn sender(headers: &HeaderMap) -> Option<Sender> {
    let mut named = headers.get_all(ORIGIN).iter();
    let (origin, None) = (named.next()?.to_str().ok()?, named.next()) else { return None };
    let (scheme, origin) = origin.split_once("://")?;
    let is_https = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let port = if is_https { ":443" } else { ":80" };
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    let host = headers.get(HOST)?.to_str().ok()?;
    let site = headers.get("sec-fetch-site");
    let is_ours = bare(host) == bare(origin) && site.is_none_or(|site| site == "same-origin");
    is_ours.then_some(Sender { is_https })
}

/// The values of a cookie. There is one, unless somebody else has set one for us, too.
pub(super) fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(of, _)| *of == name).map(|(_, value)| value.to_owned()).take(8).collect()
}

/// A line that says why something is not done, to whoever has no page.
fn refusal(status: StatusCode, message: &'static str) -> Response {
    (status, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(host: &str, origin: &str) -> Option<bool> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        headers.insert(ORIGIN, origin.parse().unwrap());
        sender(&headers).map(|sender| sender.is_https)
    }

    #[test]
    fn what_is_posted_comes_from_the_host_that_it_is_posted_to() {
        assert_eq!(is_ours("localhost:8081", "http://localhost:8081"), Some(false));
        assert_eq!(is_ours("Console.example", "https://console.example"), Some(true));
        assert_eq!(is_ours("console.example:443", "https://console.example"), Some(true));
        assert_eq!(is_ours("console.example", "http://console.example:80"), Some(false));
        for origin in [
            "null",
            "",
            "http://localhost",
            "http://localhost:8082",
            "http://evil.example",
            "http://localhost:8081.evil.example",
            "http://localhost:8081@evil.example",
            "ftp://localhost:8081",
            "localhost:8081",
            "http://127.0.0.1:8081",
        ] {
            assert_eq!(is_ours("localhost:8081", origin), None, "{origin}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().unwrap());
        assert_eq!(sender(&headers), None, "nobody says where it comes from");
        for origin in ["http://localhost", "http://evil.example"] {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(sender(&headers), None, "it cannot come from two places");
        headers.insert(ORIGIN, "http://localhost".parse().unwrap());
        assert!(sender(&headers).is_some());
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert_eq!(sender(&headers), None);
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; forecourt_console=x; b=2".parse().unwrap());
        headers.append(COOKIE, "forecourt_console=y;forecourt_console2=z".parse().unwrap());
        assert_eq!(cookies(&headers, SESSION), ["x", "y"]);
    }
}
