//! OAuth clients: they ask for a token as the RFC says, and post with it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use oauth2::basic::{BasicClient, BasicTokenType};
use oauth2::{AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, Scope, TokenResponse as _, TokenUrl};
use serde_json::{Value, json};

use crate::support::{INVENTORY, LEADS, Program, SECRETS, TestService, credential, database, service_with, workspaces};

/// The secret behind a variable of the configuration.
fn secret(variable: &str) -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == variable).unwrap().1
}

fn client(rest: &str) -> String {
    let rest = format!("secret_env = \"CLIENT_SECRET\"\n{rest}");
    credential("studio", "oauth_client", "[\"lead\", \"inventory\"]", "\"all\"", &rest)
}

async fn studio() -> TestService {
    service_with(&[workspaces(), &client("client_id = \"studio & co\"\n")].concat()).await
}

/// Posts a form to the token endpoint, with the `Authorization` where one is given.
async fn ask(service: &TestService, authorization: Option<String>, form: &str) -> (Response<()>, Value) {
    let mut request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    split(service.respond(request.body(Body::from(form.to_owned())).unwrap()).await).await
}

async fn split(response: Response) -> (Response<()>, Value) {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

const STUDIO: &str = "studio & co";

fn studio_basic() -> String {
    basic(STUDIO, secret("CLIENT_SECRET"))
}

async fn post(service: &TestService, path: &str, token: &str) -> StatusCode {
    let body = json!({"id": 1, "dealership": {"id": 356}, "prospect": {"email": "ada@example.com"}});
    let request = Request::post(path).header("authorization", format!("Bearer {token}"));
    service.send(request.body(Body::from(body.to_string())).unwrap()).await.status
}

#[tokio::test]
async fn a_client_gets_a_token_and_its_deliveries_bear_its_name() {
    let service = studio().await;
    let (head, body) = ask(&service, Some(studio_basic()), "grant_type=client_credentials").await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["cache-control"], "no-store");
    assert_eq!(head.headers()["pragma"], "no-cache");
    assert_eq!(head.headers()["content-type"], "application/json");
    let token = body["access_token"].as_str().unwrap();
    let rest = json!({"token_type": "bearer", "expires_in": 3600, "scope": "lead inventory", "access_token": token});
    assert_eq!(body, rest);

    assert_eq!(post(&service, LEADS, token).await, 200);
    assert_eq!(
        service.row("select credential, feed from intake.deliveries").await,
        json!({"credential": "studio", "feed": "lead"})
    );
    assert_eq!(post(&service, "/webhooks/dealer-studio/lead-clusters", token).await, 401);
    assert_eq!(post(&service, LEADS, &format!("{token}x")).await, 401);
    assert_eq!(post(&service, LEADS, secret("CLIENT_SECRET")).await, 401, "the secret itself is no token");
}

#[tokio::test]
async fn a_client_that_encodes_nothing_or_names_itself_twice_is_understood() {
    let service = studio().await;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("grant_type", "client_credentials"), ("client_id", "studio & co")])
        .append_pair("client_secret", secret("CLIENT_SECRET"))
        .append_pair("scope", "inventory")
        .append_pair("resource", "ignored")
        .finish();
    let (head, body) = ask(&service, None, &form).await;
    assert_eq!((head.status().as_u16(), &body["scope"]), (200, &json!("inventory")));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(post(&service, INVENTORY, token).await, 200);
    assert_eq!(post(&service, LEADS, token).await, 401);
    let twice = "grant_type=client_credentials&client_id=studio+%26+co&client_secret=";
    assert_eq!(ask(&service, Some(studio_basic()), twice).await.0.status(), 200);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_told_in_the_words_of_the_rfc() {
    let service = studio().await;
    let grant = "grant_type=client_credentials";
    let with = |rest: &str| format!("{grant}&{rest}");
    let wrong = || Some(basic("studio & co", "wrong"));
    let table = [
        (Some(studio_basic()), String::new(), 400, "invalid_request"),
        (Some(studio_basic()), "grant_type=".to_owned(), 400, "invalid_request"),
        (Some(studio_basic()), with(grant), 400, "invalid_request"),
        (Some(studio_basic()), with("scope=lead&scope=inventory"), 400, "invalid_request"),
        (Some(studio_basic()), with("client_secret=x"), 400, "invalid_request"),
        (Some(studio_basic()), with("client_id=another"), 400, "invalid_request"),
        (Some(studio_basic()), "grant_type=authorization_code&code=x".to_owned(), 400, "unsupported_grant_type"),
        (Some(studio_basic()), "grant_type=Client_Credentials".to_owned(), 400, "unsupported_grant_type"),
        (Some(studio_basic()), with("scope=lead_cluster"), 400, "invalid_scope"),
        (Some(studio_basic()), with("scope=lead+nothing"), 400, "invalid_scope"),
        (None, grant.to_owned(), 401, "invalid_client"),
        (None, with("client_id=studio+%26+co"), 401, "invalid_client"),
        (None, with("client_id=studio+%26+co&client_secret=wrong"), 401, "invalid_client"),
        (wrong(), grant.to_owned(), 401, "invalid_client"),
        (wrong(), "grant_type=password".to_owned(), 401, "invalid_client"),
        (wrong(), with("scope=nothing"), 401, "invalid_client"),
        (
            Some(basic("studio+%26+co", &format!("{}\n", secret("CLIENT_SECRET")))),
            grant.to_owned(),
            401,
            "invalid_client",
        ),
        (Some("Basic no-colon".to_owned()), grant.to_owned(), 401, "invalid_client"),
        (Some(format!("Basic {}", STANDARD.encode("nocolon"))), grant.to_owned(), 401, "invalid_client"),
        (Some(format!("{} x", studio_basic())), grant.to_owned(), 401, "invalid_client"),
        (Some(format!("Bearer {}", secret("CLIENT_SECRET"))), grant.to_owned(), 401, "invalid_client"),
    ];
    for (authorization, form, status, error) in table {
        let (head, body) = ask(&service, authorization, &form).await;
        assert_eq!((head.status().as_u16(), body["error"].as_str()), (status, Some(error)), "{form}: {body}");
        assert_eq!(head.headers()["cache-control"], "no-store");
        assert_eq!(head.headers().contains_key("www-authenticate"), status == 401, "{form}");
        let told = body["error_description"].as_str().unwrap();
        assert!(told.is_ascii() && !told.contains(['"', '\\']) && !told.contains("wrong "), "{told}");
    }
}

#[tokio::test]
async fn what_is_no_form_is_no_request() {
    let service = studio().await;
    let ask = |kind: &str, body: String| {
        let request =
            Request::post("/oauth/token").header("authorization", studio_basic()).header("content-type", kind);
        service.respond(request.body(Body::from(body)).unwrap())
    };
    let grant = || "grant_type=client_credentials".to_owned();
    let json = split(ask("application/json", r#"{"grant_type":"client_credentials"}"#.to_owned()).await).await;
    assert_eq!((json.0.status().as_u16(), &json.1["error"]), (400, &json!("invalid_request")));
    assert_eq!(ask("application/x-www-form-urlencoded; charset=UTF-8", grant()).await.status(), 200);
    let large = split(ask("application/x-www-form-urlencoded", grant() + &"&a=b".repeat(10_000)).await).await;
    assert_eq!((large.0.status().as_u16(), &large.1["error"]), (400, &json!("invalid_request")));
    let twice =
        Request::post("/oauth/token").header("authorization", studio_basic()).header("authorization", studio_basic());
    let twice = split(service.respond(twice.body(Body::from(grant())).unwrap()).await).await;
    assert_eq!((twice.0.status().as_u16(), &twice.1["error"]), (400, &json!("invalid_request")));
    let get = Request::get("/oauth/token").body(Body::empty()).unwrap();
    let get = service.respond(get).await;
    assert_eq!((get.status().as_u16(), &get.headers()["allow"]), (405, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn without_clients_nobody_gets_a_token() {
    let service = service_with(crate::support::CONFIG).await;
    let (head, body) = ask(&service, Some(studio_basic()), "grant_type=client_credentials").await;
    assert_eq!((head.status().as_u16(), &body["error"]), (401, &json!("invalid_client")));
}

/// The client of the `oauth2` crate over this service; it encodes its id and secret as the RFC says.
async fn foreign(service: &TestService, auth: AuthType) -> oauth2::basic::BasicTokenResponse {
    let http = |request: HttpRequest| async move {
        let (head, body) = request.into_parts();
        let (head, body) = service.respond(Request::from_parts(head, Body::from(body))).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Ok::<HttpResponse, std::io::Error>(Response::from_parts(head, body))
    };
    let client = BasicClient::new(ClientId::new("studio & co".to_owned()))
        .set_client_secret(ClientSecret::new(secret("CLIENT_SECRET").to_owned()))
        .set_token_uri(TokenUrl::new("http://forecourt.test/oauth/token".to_owned()).unwrap())
        .set_auth_type(auth);
    client.exchange_client_credentials().add_scope(Scope::new("lead".to_owned())).request_async(&http).await.unwrap()
}

#[tokio::test]
async fn the_client_of_the_oauth2_crate_gets_a_token_by_header_and_by_form() {
    let service = studio().await;
    for auth in [AuthType::BasicAuth, AuthType::RequestBody] {
        let given = foreign(&service, auth).await;
        assert_eq!(given.token_type(), &BasicTokenType::Bearer);
        assert_eq!(given.expires_in().unwrap().as_secs(), 3_600);
        assert_eq!(given.scopes().unwrap(), &[Scope::new("lead".to_owned())]);
        assert_eq!(post(&service, LEADS, given.access_token().secret()).await, 200);
        assert_eq!(post(&service, INVENTORY, given.access_token().secret()).await, 401);
    }
}

/// The lines of a configuration that name the keys.
fn keys(signing: &str, previous: Option<&str>) -> String {
    let previous = previous.map_or_else(String::new, |name| format!("previous_signing_key_env = \"{name}\"\n"));
    format!("\n[oauth]\nsigning_key_env = \"{signing}\"\n{previous}token_seconds = 120\n")
}

#[tokio::test]
async fn a_reload_counts_at_once_for_tokens_that_were_given_before() {
    let config = |oauth: &str, credentials: &str| [workspaces(), oauth, credentials].concat();
    let (first, second) = (keys("SIGNING_KEY", None), keys("NEXT_CLIENT_SECRET", None));
    let service = service_with(&config(&first, &client(""))).await;
    let authorization = || Some(basic("studio", secret("CLIENT_SECRET")));
    let (_, body) = ask(&service, authorization(), "grant_type=client_credentials").await;
    assert_eq!(body["expires_in"], 120);
    let token = body["access_token"].as_str().unwrap().to_owned();
    let enters = async |config: String| {
        service.reload(&config).await;
        post(&service, LEADS, &token).await.as_u16()
    };
    let during = keys("NEXT_CLIENT_SECRET", Some("SIGNING_KEY"));
    let other = credential("other", "bearer", "[\"lead\"]", "\"all\"", "secret_env = \"TOKEN\"\n");
    let short = client("").replace("\"lead\", ", "");
    let rotated = client("client_id = \"studio\"\n")
        .replace("CLIENT_SECRET", "NEXT_CLIENT_SECRET")
        .replace("\"studio\"\nscheme", "\"next\"\nscheme");

    assert_eq!(enters(config(&first, &client(""))).await, 200);
    assert_eq!(enters(config(&during, &client(""))).await, 200, "both keys are valid");
    assert_eq!(enters(config(&second, &client(""))).await, 401, "the key is a new one");
    assert_eq!(enters(config(&first, &client(""))).await, 200);
    assert_eq!(enters(config(&first, &short)).await, 401, "its scope is shorter");
    assert_eq!(enters(config(&first, &other)).await, 401, "the client is gone");
    assert_eq!(enters(config(&first, &rotated)).await, 200, "its secret was changed");
    assert_eq!(ask(&service, authorization(), "grant_type=client_credentials").await.0.status(), 401);
    assert_eq!(service.count("intake.deliveries where credential = 'next'").await, 1);
}

/// A credential of the client `studio`, for leads of one workspace.
fn of_workspace(name: &str, feeds: &str, workspace: &str, variable: &str, rest: &str) -> String {
    let rest = format!("client_id = \"studio\"\nsecret_env = \"{variable}\"\n{rest}");
    credential(name, "oauth_client", feeds, &format!("[\"{workspace}\"]"), &rest)
}

#[tokio::test]
async fn a_token_of_one_workspace_never_writes_into_another() {
    let oauth = keys("SIGNING_KEY", None);
    let config = |first: &str| {
        let second = of_workspace("of-beta", "[\"lead\"]", "beta", "NEXT_CLIENT_SECRET", "");
        [workspaces(), &oauth, first, &second].concat()
    };
    let first = |feeds: &str, rest: &str| of_workspace("of-alpha", feeds, "alpha", "CLIENT_SECRET", rest);
    let service = service_with(&config(&first("[\"lead\"]", ""))).await;
    let mut tokens = Vec::new();
    for variable in ["CLIENT_SECRET", "NEXT_CLIENT_SECRET"] {
        let (_, body) = ask(&service, Some(basic("studio", secret(variable))), "grant_type=client_credentials").await;
        tokens.push(body["access_token"].as_str().unwrap().to_owned());
    }
    // A lead of each workspace with each token; the second workspace's dealership is 285.
    let answers = async |id: i64| {
        let mut answers = Vec::new();
        for token in &tokens {
            for dealership in [356, 285] {
                let body =
                    json!({"id": id, "dealership": {"id": dealership}, "prospect": {"email": "ada@example.com"}});
                let request = Request::post(LEADS).header("authorization", format!("Bearer {token}"));
                let answer = service.send(request.body(Body::from(body.to_string())).unwrap()).await;
                answers.push((answer.status.as_u16(), answer.body["outcome"].as_str().map(str::to_owned)));
            }
        }
        answers
    };
    let answered = |status: u16, outcome: &str| (status, Some(outcome.to_owned()));
    let of_beta = [answered(200, "rejected"), answered(200, "applied")];
    let both_work = [[answered(200, "applied"), answered(200, "rejected")], of_beta.clone()].concat();
    assert_eq!(answers(1).await, both_work, "each token is its own credential");

    let refused = (401, None);
    let only_beta = [vec![refused.clone(), refused], of_beta.to_vec()].concat();
    let unchanged = only_beta.iter().map(|(status, _)| *status).collect::<Vec<_>>();
    let ways = [
        ("taken out", String::new()),
        ("lost the feed", first("[\"inventory\"]", "")),
        ("passed not_after", first("[\"lead\"]", "not_after = 2026-01-31T18:00:00+10:00\n")),
    ];
    for (id, (way, first)) in (2..).zip(ways) {
        service.reload(&config(&first)).await;
        let statuses: Vec<u16> = answers(id).await.into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, unchanged, "{way}");
    }
    let leads = "select workspaces.slug, count(*) from leads join workspaces on workspaces.id = leads.workspace_id
        group by 1 order by 1";
    assert_eq!(service.rows(leads).await, [json!({"slug": "alpha", "count": 1}), json!({"slug": "beta", "count": 4})]);
    let rotated = of_workspace("of-alpha-next", "[\"lead\"]", "alpha", "OTHER_TOKEN", "");
    service.reload(&config(&rotated)).await;
    assert_eq!(answers(9).await, both_work, "another credential with the same workspaces takes its place");
    assert_eq!(service.count("intake.deliveries where credential = 'of-alpha-next'").await, 2);
}

#[tokio::test]
async fn one_client_in_two_workspaces_is_an_error_in_the_log_and_of_check_and_stops_no_start() {
    let second = of_workspace("of-beta", "[\"lead\"]", "beta", "NEXT_CLIENT_SECRET", "");
    let first = of_workspace("of-alpha", "[\"lead\"]", "alpha", "CLIENT_SECRET", "");
    let config = [workspaces(), &keys("SIGNING_KEY", None), &first, &second].concat();
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &config);
    let sentence = "credential `of-beta` has the client id `studio` of credential `of-alpha` and other workspaces";
    let is_error = |line: &String| line.contains("ERROR") && line.contains(sentence);
    assert!(program.seen.iter().any(is_error), "{:#?}", program.seen);
    program.wait_for("deliveries are applied");
    program.signal(rustix::process::Signal::HUP);
    program.wait_for(sentence);
    program.wait_for("configuration reloaded");

    let check = |config: &str| {
        let path = folder.path().join("checked.toml");
        std::fs::write(&path, config).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_forecourt"));
        command.env_clear().envs(SECRETS).env("FORECOURT_DATA_DIR", folder.path()).arg("check").arg("--config");
        let output = command.arg(path).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (good, said) = check(&config);
    assert!(!good && said.contains(sentence), "{said}");
    let (good, said) = check(&config.replace("[\"beta\"]", "[\"alpha\"]"));
    assert!(good, "{said}");
}
