//! Who gets in and who does not, and what a page may be made to do.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::{Page, Visitor, actions, console_service};
use crate::support::{CONFIG, CONSOLE, CONSOLE_PASSWORD, Program, TOKEN, TestService, a_lead, database, service};

/// Every page that there is, for a delivery.
fn pages(id: &str) -> Vec<String> {
    ["/", "/search?q=1", "/deliveries", "/blocked?workspace=alpha&reason=asset_not_found"]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("/deliveries/{id}")])
        .collect()
}

/// Every path that a form is posted to, for a delivery.
fn posts(id: &str) -> Vec<String> {
    let of_delivery = ["documents", "dry-run", "replay"].map(|what| format!("/deliveries/{id}/{what}"));
    of_delivery.into_iter().chain(["/logout".to_owned()]).collect()
}

async fn stored(service: &TestService) -> String {
    let answer = service.lead(&a_lead(1)).await;
    answer.body["delivery_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_user_there_is_no_console_and_a_sentence_says_what_to_configure() {
    let service = service().await;
    let mut visitor = Visitor::of(&service);
    let page = visitor.get("/").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text.starts_with("There is no console: write `user` and `password_file`"), "{}", page.text);
    for path in ["/login", "/search", "/deliveries", "/assets/console.css"] {
        assert_eq!(visitor.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn whoever_has_not_logged_in_is_led_to_the_login_and_sees_nothing() {
    let service = console_service().await;
    let id = stored(&service).await;
    for cookie in ["", "forecourt_console=", "forecourt_console=made-up", "other=1"] {
        let mut visitor = Visitor::of(&service);
        if let Some((name, value)) = cookie.split_once('=') {
            visitor.cookies.insert(name.to_owned(), value.to_owned());
        }
        for path in pages(&id) {
            let page = visitor.get(&path).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
            assert!(page.location().starts_with("/login"), "{path}: {}", page.location());
            assert_eq!(page.text, "");
        }
        for path in posts(&id) {
            let page = visitor.post(&path, &[("token", "made-up"), ("proof", "made-up")]).await;
            assert_eq!(
                (page.status, page.location(), page.text.as_str()),
                (StatusCode::SEE_OTHER, "/login", ""),
                "{path}"
            );
        }
    }
    assert_eq!(actions(&service).await, [] as [serde_json::Value; 0]);
    // A page of htmx is led there as a whole.
    let request = Request::get("/deliveries").header("hx-request", "true").body(Body::empty()).unwrap();
    let page = Visitor::of(&service).send(request).await;
    assert_eq!((page.status, page.headers["hx-redirect"].to_str().unwrap()), (StatusCode::UNAUTHORIZED, "/login"));
}

#[tokio::test]
async fn a_login_leads_to_the_page_that_was_asked_for_and_to_no_other_site() {
    let service = console_service().await;
    for (next, expected) in [
        ("/deliveries?outcome=failed", "/deliveries?outcome=failed"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
    ] {
        let mut visitor = Visitor::of(&service);
        let page = visitor.get(&format!("/login?{}", encoded("next", next))).await;
        let (token, next) = (page.hidden("token"), page.hidden("next").replace("&#38;", "&"));
        let fields = [("token", token.as_str()), ("next", &next), ("user", "ada"), ("password", CONSOLE_PASSWORD)];
        assert_eq!(visitor.post("/login", &fields).await.location(), expected);
    }
}

fn encoded(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

#[tokio::test]
async fn a_wrong_name_or_password_lets_nobody_in_and_is_not_told_apart() {
    let service = console_service().await;
    let mut told = Vec::new();
    for (user, password) in [("ada", "wrong"), ("nobody", CONSOLE_PASSWORD), ("", ""), ("ada", "")] {
        let mut visitor = Visitor::of(&service);
        let page = visitor.log_in(user, password).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(!visitor.cookies.contains_key("forecourt_console"));
        assert_eq!(visitor.get("/").await.status, StatusCode::SEE_OTHER);
        assert!(!page.text.contains(CONSOLE_PASSWORD) && !page.text.contains("wrong\""));
        told.push(page.text.split("role=\"alert\"").nth(1).unwrap().split("</p>").next().unwrap().to_owned());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn tries_are_few_a_minute_and_whoever_is_logged_in_does_not_notice() {
    let service = console_service().await;
    let mut logged_in = Visitor::logged_in(&service).await;
    let mut visitor = Visitor::of(&service);
    let mut refused = None;
    for _ in 0..20 {
        let page = visitor.log_in("ada", "wrong").await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(page);
            break;
        }
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let refused = refused.expect("twenty tries are too many");
    let seconds: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Else a right guess among many wrong ones would be found out.
    assert_eq!(visitor.log_in("ada", CONSOLE_PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(logged_in.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_cookie_is_seen_by_no_script_sent_by_no_other_site_and_kept_for_https() {
    let service = console_service().await;
    for (host, origin, is_secure) in [
        ("localhost:8081", "http://localhost:8081", false),
        ("console.example", "https://console.example", true),
        ("console.example:8443", "https://console.example:8443", true),
    ] {
        let mut visitor = Visitor::of(&service);
        (visitor.host, visitor.origin) = (host.to_owned(), Some(origin.to_owned()));
        let page = visitor.log_in("ada", CONSOLE_PASSWORD).await;
        let cookies = page.cookies();
        let cookie = cookies.iter().find(|cookie| cookie.starts_with("forecourt_console=")).unwrap();
        let parts: Vec<&str> = cookie.split("; ").skip(1).collect();
        let expected = ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", "Secure"];
        assert_eq!(parts, expected[..if is_secure { 5 } else { 4 }]);
        let value = cookie.split(['=', ';']).nth(1).unwrap();
        assert_eq!(value.len(), 43, "256 bits");
    }
}

#[tokio::test]
async fn a_session_is_made_at_the_login_and_ends_at_the_logout() {
    let service = console_service().await;
    let mut visitor = Visitor::of(&service);
    // As somebody who wants to know the id beforehand sets it.
    visitor.cookies.insert("forecourt_console".to_owned(), "A".repeat(43));
    visitor.log_in("ada", CONSOLE_PASSWORD).await;
    let first = visitor.clone();
    assert_ne!(first.cookies["forecourt_console"], "A".repeat(43));
    // A login in the same browser ends the session before.
    visitor.log_in("ada", CONSOLE_PASSWORD).await;
    assert_ne!(visitor.cookies["forecourt_console"], first.cookies["forecourt_console"]);
    assert_eq!(first.clone().get("/").await.status, StatusCode::SEE_OTHER);

    let second = visitor.clone();
    let page = visitor.post_with_token("/logout", &[]).await;
    assert_eq!(page.location(), "/login");
    assert!(!visitor.cookies.contains_key("forecourt_console"));
    // Also for whoever has kept the cookie.
    assert_eq!(second.clone().get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_is_posted_comes_from_a_page_of_this_session_or_does_nothing() {
    let service = console_service().await;
    let id = stored(&service).await;
    let mut visitor = Visitor::logged_in(&service).await;
    let token = visitor.get("/").await.hidden("token");
    let of_other = Visitor::logged_in(&service).await.get("/").await.hidden("token");
    for path in posts(&id) {
        for wrong in ["", "made-up", of_other.as_str(), &token[1..]] {
            let page = visitor.post(&path, &[("token", wrong)]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {wrong}");
        }
        assert_eq!(visitor.post(&path, &[]).await.status, StatusCode::FORBIDDEN, "{path} without a token");
        for origin in
            [None, Some("null"), Some("http://evil.example"), Some("http://localhost:8082"), Some("https://localhost")]
        {
            let mut elsewhere = visitor.clone();
            elsewhere.origin = origin.map(str::to_owned);
            let page = elsewhere.post(&path, &[("token", &token)]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {origin:?}");
        }
        let as_json = Request::post(&path).header("content-type", "application/json");
        let page = visitor.send(as_json.body(json!({ "token": token }).to_string().into()).unwrap()).await;
        assert_eq!(page.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let long = "x".repeat(10_000);
        let page = visitor.post(&path, &[("token", &token), ("long", &long)]).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(visitor.get(&path).await.status, StatusCode::METHOD_NOT_ALLOWED, "an address alone does nothing");
    }
    assert_eq!(actions(&service).await, [] as [serde_json::Value; 0]);
    assert_eq!(visitor.get("/").await.status, StatusCode::OK, "nobody was logged out");

    // The login form is the browser's own, too.
    let mut other = Visitor::of(&service);
    let token = other.get("/login").await.hidden("token");
    let fields = [("token", token.as_str()), ("user", "ada"), ("password", CONSOLE_PASSWORD)];
    let page = Visitor::of(&service).post("/login", &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    other.origin = Some("http://evil.example".to_owned());
    assert_eq!(other.post("/login", &fields).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn it_answers_to_no_name_that_is_not_its_own() {
    let service = console_service().await;
    let mut visitor = Visitor::logged_in(&service).await;
    visitor.host = "evil.example:8081".to_owned();
    visitor.origin = Some("http://evil.example:8081".to_owned());
    for path in ["/", "/login", "/deliveries", "/assets/console.css"] {
        assert_eq!(visitor.get(path).await.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    assert_eq!(visitor.post("/login", &[]).await.status, StatusCode::MISDIRECTED_REQUEST);
}

/// Whether a page has nothing in it that a browser would run or that would style it.
fn has_nothing_of_its_own(page: &Page) {
    let text = page.text.to_lowercase();
    let scripts = text.matches("<script").count();
    let loaded = text.matches("<script src=\"/assets/htmx-2.0.11.min.js\" defer></script>").count();
    assert_eq!(scripts, loaded, "{text}");
    for word in
        ["<style", " style=", "javascript:", " onclick", " onerror", " onload", "<iframe", "http://", "https://"]
    {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[tokio::test]
async fn a_page_runs_and_loads_nothing_but_the_consoles_own_files_and_is_kept_nowhere() {
    let service = console_service().await;
    let id = stored(&service).await;
    let mut visitor = Visitor::logged_in(&service).await;
    for path in pages(&id).into_iter().chain(["/login".to_owned(), "/deliveries/nothing".to_owned()]) {
        let page = visitor.get(&path).await;
        has_nothing_of_its_own(&page);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        for (name, expected) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.headers[name].to_str().unwrap(), expected, "{path}: {name}");
        }
        assert!(page.text.contains("<html lang=\"en\">"), "{path}");
    }
    for (name, kind) in
        [("console.css", "text/css"), ("htmx-2.0.11.min.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let page = Visitor::of(&service).get(&format!("/assets/{name}")).await;
        assert!(page.headers["content-type"].to_str().unwrap().starts_with(kind));
    }
    for name in ["nothing.js", "..%2fmod.rs", "console.css/"] {
        assert_eq!(visitor.get(&format!("/assets/{name}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_arrives_is_shown_and_never_run() {
    let service = console_service().await;
    let script = "<script>alert(1)</script>";
    let payload = json!({
        "id": 7, "created": "2025-10-03T06:10:08Z", "dealership": { "id": 356 }, "status": script, "comments": script,
        "category": script, script: script,
        "prospect": { "first_name": script, "last_name": "'\"><img src=x onerror=alert(1)>", "email": "script@example.com" },
        "item": { "vin": "<B>VIN", "stock_number": "</td><script>" },
        "additional_details": { "subscription_plan": "<svg onload=alert(1)>", "\"><script>": "{{ 7*7 }}" },
        "location": { "location_name": "javascript:alert(1)" },
    });
    let answer = service.lead(&payload).await;
    let id = answer.body["delivery_id"].as_str().unwrap();
    let mut visitor = Visitor::logged_in(&service).await;
    let hostile = form_urlencoded::byte_serialize(script.as_bytes()).collect::<String>();
    let paths = [
        "/".to_owned(),
        "/deliveries".to_owned(),
        format!("/deliveries/{id}"),
        format!("/deliveries/{id}?find={hostile}"),
        format!("/deliveries?outcome={hostile}&feed={hostile}&workspace={hostile}"),
        format!("/search?q={hostile}&workspace={hostile}&kind={hostile}"),
        "/search?q=7".to_owned(),
        "/search?q=script%40example.com".to_owned(),
        format!("/blocked?workspace={hostile}&reason=asset_not_found"),
        "/blocked?workspace=alpha&reason=asset_not_found".to_owned(),
        format!("/login?next={hostile}"),
    ];
    for path in paths {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let text = page.text.to_lowercase();
        for word in ["<script>", "<img", "<svg", "<b>"] {
            assert!(!text.contains(word), "{path}: {word} in {text}");
        }
        assert_eq!(text.matches("<script").count(), text.matches("<script src=\"/assets/").count(), "{path}");
    }
    let page = visitor.get(&format!("/deliveries/{id}")).await;
    assert!(
        page.text.contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
        "it is shown as it was sent: {}",
        page.text
    );
}

#[tokio::test]
async fn no_secret_is_on_any_page() {
    let service = console_service().await;
    let id = stored(&service).await;
    let refused = service.post_as("a-wrong-secret-of-somebody", crate::support::LEADS, "{}").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    service.refusals_written().await;
    let mut visitor = Visitor::logged_in(&service).await;
    for path in pages(&id) {
        let text = visitor.get(&path).await.text;
        for secret in [TOKEN, CONSOLE_PASSWORD, "a-wrong-secret", visitor.cookies["forecourt_console"].as_str()] {
            assert!(!text.contains(secret), "{path}");
        }
    }
}

#[tokio::test]
async fn nothing_of_it_is_served_at_the_doors() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &format!("{CONFIG}{CONSOLE}"));
    program.wait_for("postgres is ready");
    for path in ["/", "/login", "/search", "/deliveries", "/assets/console.css", "//login", "/%6Cogin"] {
        assert_eq!(program.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        let posted = program.post_with(&[("origin", "http://test")], path, "").await;
        assert_eq!(posted.status, StatusCode::NOT_FOUND, "{path}");
    }
}
