//! The console, in process: that it is safe from whoever is not logged in and from what arrives, what its pages tell, and that
//! it reads along indexes.

mod latency;
mod pages;
mod plans;
mod safety;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::{CONFIG, CONSOLE, CONSOLE_PASSWORD, TestService, service_with};

/// A service with a console.
async fn console_service() -> TestService {
    service_with(&format!("{CONFIG}{CONSOLE}")).await
}

/// What a page was answered with.
#[derive(Clone, Debug)]
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    /// Where it leads.
    fn location(&self) -> &str {
        self.headers.get("location").map_or("", |location| location.to_str().unwrap())
    }

    /// The value of its first hidden field of a name.
    fn hidden(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let rest = self.text.split(&begin).nth(1).unwrap_or_else(|| panic!("no {name} in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    /// The cookies that it sets, whole.
    fn cookies(&self) -> Vec<String> {
        self.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
    }
}

/// A browser without a screen: it keeps cookies, and says where its forms come from.
#[derive(Clone)]
struct Visitor {
    router: Router,
    cookies: BTreeMap<String, String>,
    host: String,
    origin: Option<String>,
}

impl Visitor {
    fn of(service: &TestService) -> Self {
        let (host, origin) = ("localhost:8081".to_owned(), Some("http://localhost:8081".to_owned()));
        Self { router: service.admin(), cookies: BTreeMap::new(), host, origin }
    }

    /// Who has logged in.
    async fn logged_in(service: &TestService) -> Self {
        let mut visitor = Self::of(service);
        let page = visitor.log_in("ada", CONSOLE_PASSWORD).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/"), "{}", page.text);
        visitor
    }

    /// Asks for the form and posts it.
    async fn log_in(&mut self, user: &str, password: &str) -> Page {
        let token = self.get("/login").await.hidden("token");
        self.post("/login", &[("token", &token), ("user", user), ("password", password)]).await
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.finish().into()).unwrap()).await
    }

    /// Posts to a path with the token of its session.
    async fn post_with_token(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get("/").await.hidden("token");
        let fields: Vec<(&str, &str)> = [("token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.post(path, &fields).await
    }

    async fn send(&mut self, mut request: Request<Body>) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let posts = request.method() == "POST";
        let headers = request.headers_mut();
        headers.insert("host", self.host.parse().unwrap());
        if !cookies.is_empty() {
            headers.insert("cookie", cookies.join("; ").parse().unwrap());
        }
        if let Some(origin) = self.origin.as_ref().filter(|_| posts) {
            headers.insert("origin", origin.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let page = Page { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() };
        for cookie in page.cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }
}

/// What was noted, but for what the tests gave the service's role.
async fn actions(service: &TestService) -> Vec<Value> {
    service.rows("select action, acted_by, counts from intake.actions where action <> 'grant' order by id").await
}
