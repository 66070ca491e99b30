//! Secrets leave no trace: a whole run at trace level, and every table after it, searched for what was used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::json;

use crate::support::token;
use crate::support::{ALL, LEADPRO, LEADS, Program, SECRETS, a_lead, credential, database, soon, tables, workspaces};

/// What strangers present.
const WRONG: [&str; 4] = ["a-wrong-token-91x", "a-wrong-key-91x", "a-wrong-password-91x", "a-wrong-client-91x"];

fn secret(variable: &str) -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == variable).unwrap().1
}

/// A credential of every scheme.
fn config() -> String {
    let lead = "[\"lead\"]";
    [
        workspaces(),
        "\n[oauth]\nsigning_key_env = \"SIGNING_KEY\"\n",
        &credential("token", "bearer", lead, "\"all\"", "secret_env = \"TOKEN\"\n"),
        &credential("key", "api_key", lead, "\"all\"", "secret_env = \"OTHER_TOKEN\"\n"),
        &credential("pair", "basic", lead, "\"all\"", "user = \"dealer\"\nsecret_env = \"PASSWORD\"\n"),
        &credential("client", "oauth_client", lead, "\"all\"", "secret_env = \"CLIENT_SECRET\"\n"),
        &credential("leadpro", "leadpro_jwt", "[\"leadpro_lead\"]", "[\"beta\"]", "secret_env = \"LEADPRO_SECRET\"\n"),
    ]
    .concat()
}

fn pair(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

fn signed(secret: &str) -> String {
    let claims = json!({"event": "lead.created", "data": {"id": 1, "email": "ada@example.com"}});
    token::signed(&claims, secret)
}

#[tokio::test]
async fn no_secret_or_token_is_in_a_log_line_at_any_level_or_in_postgres() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &config());
    program.wait_for("deliveries are applied");
    let grant = "grant_type=client_credentials";
    let bearer = |token: &str| format!("Bearer {token}");
    let basic = |user: &str, password: &str| format!("Basic {}", pair(user, password));
    let client = [("authorization", &*basic("client", secret("CLIENT_SECRET")))];
    let given = program.post_with(&client, "/oauth/token", grant).await;
    assert_eq!(given.status, 200);
    let access = given.body["access_token"].as_str().unwrap().to_owned();
    let (right, wrong) = (signed(secret("LEADPRO_SECRET")), signed("a-wrong-signature-91x"));
    for (path, header, value, expected) in [
        (LEADS, "Authorization", bearer(secret("TOKEN")), 200),
        (LEADS, "X-API-KEY", secret("OTHER_TOKEN").to_owned(), 200),
        (LEADS, "Authorization", basic("dealer", secret("PASSWORD")), 200),
        (LEADS, "Authorization", bearer(&access), 200),
        (LEADPRO, "Authorization", right.clone(), 200),
        (LEADPRO, "Authorization", bearer(&right), 200),
        (LEADS, "Authorization", bearer(WRONG[0]), 401),
        (LEADS, "X-Authorization", WRONG[1].to_owned(), 401),
        (LEADS, "Authorization", basic("dealer", WRONG[2]), 401),
        (LEADS, "Authorization", bearer(&format!("{access}x")), 401),
        (LEADPRO, "Authorization", wrong.clone(), 401),
        (LEADS, "Authorization", format!("Digest {}", WRONG[3]), 401),
        ("/oauth/token", "Authorization", basic("client", WRONG[3]), 401),
        ("/webhooks/elsewhere", "Authorization", bearer(secret("TOKEN")), 404),
    ] {
        let body = if path == "/oauth/token" { grant.to_owned() } else { a_lead(1).to_string() };
        let answer = program.post_with(&[(header, &value)], path, body).await;
        assert_eq!(answer.status, expected, "{path} {header}");
    }
    // A body and a form may hold them too.
    let form = format!("grant_type=client_credentials&client_id=client&client_secret={}", WRONG[3]);
    assert_eq!(program.post_with(&[], "/oauth/token", form).await.status, 401);
    program.signal(Signal::HUP);
    program.wait_for("configuration reloaded");
    std::fs::write(folder.path().join("forecourt.toml"), config().replace("\"TOKEN\"", "\"NOT_SET\"")).unwrap();
    program.signal(Signal::HUP);
    program.wait_for("the running one stays");
    let kept = "select count(*) from intake.rejected";
    soon("six refusals written", async || database.value::<i64>(kept).await >= 6).await;

    let mut searched = std::mem::take(&mut program.seen);
    assert!(searched.iter().any(|line| line.contains("DEBUG")) && searched.len() > 50, "the log is whole");
    searched.extend(rows(&database).await);
    let encoded = [
        pair("dealer", secret("PASSWORD")),
        pair("dealer", WRONG[2]),
        pair("client", secret("CLIENT_SECRET")),
        pair("client", WRONG[3]),
    ];
    let parts = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let used = SECRETS.iter().map(|(_, secret)| (*secret).to_owned()).chain(WRONG.map(str::to_owned));
    for used in used.chain(encoded).chain([parts(&access), parts(&right), parts(&wrong), access, right, wrong]) {
        let found: Vec<_> = searched.iter().filter(|line| line.contains(&used)).collect();
        assert!(found.is_empty(), "{used}: {found:#?}");
    }
}

/// Every row of every table of ours, bodies as text.
async fn rows(database: &crate::support::postgres::TestDatabase) -> Vec<String> {
    let mut rows = Vec::new();
    for table in tables(&database.pool, ALL).await {
        let row = match table.as_str() {
            "intake.deliveries" | "intake.bodies" => "concat(r, encode(body, 'escape'), encode(posted_body, 'escape'))",
            "intake.rejected" => "concat(r, encode(body, 'escape'))",
            _ => "r::text",
        };
        let query = format!("select {row} from {table} r");
        let found: Vec<Option<String>> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&database.pool).await.unwrap();
        rows.extend(found.into_iter().flatten());
    }
    assert!(rows.len() > 20, "{rows:#?}");
    rows
}

/// What senders put where no secret belongs.
const STRAY: &str = "a-stray-token-91x";
const ADDRESS: &str = "grace.hopper-91x";

#[tokio::test]
async fn nothing_of_a_path_a_query_a_method_or_a_header_is_in_a_log_line_at_any_level() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &config());
    program.wait_for("deliveries are applied");
    let token = secret("TOKEN");
    let right = format!("Authorization: Bearer {token}\r\n");
    let mut paths = Vec::new();
    for secret in [STRAY, ADDRESS, token] {
        paths.extend([
            format!("{LEADS}?token={secret}"),
            format!("{LEADS}/{secret}"),
            format!("/webhooks/{secret}"),
            format!("/{secret}@example.com/leads"),
            format!("/oauth/token?client_secret={secret}"),
            format!("/livez?{secret}"),
            format!("/readyz/{secret}"),
            format!("/webhooks/leadpro/%2F{secret}"),
        ]);
    }
    for path in &paths {
        for method in ["POST", "GET", "PUT", "OPTIONS", &format!("X{STRAY}")] {
            let named = format!("X-{STRAY}: {STRAY}\r\nReferer: http://x/{ADDRESS}\r\nCookie: {token}\r\n{right}");
            let answer = program.send_by(method, path, &named, b"{}").await;
            let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
            assert!([200, 400, 401, 404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
    // What HTTP cannot read at all, and a whole address in place of a path.
    for line in [format!("POST /{STRAY} {ADDRESS} HTTP/1.1"), format!("GET http://{ADDRESS}.test/{STRAY} HTTP/1.1")] {
        program.send_raw(format!("{line}\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    }
    program.signal(Signal::HUP);
    program.wait_for("configuration reloaded");
    let log = std::mem::take(&mut program.seen);
    for used in [STRAY, ADDRESS, token] {
        let found: Vec<_> = log.iter().filter(|line| line.contains(used)).collect();
        assert!(found.is_empty(), "{used}: {found:#?}");
    }
    for expected in ["route=\"/webhooks/dealer-studio/leads\"", "route=\"*\"", "method=\"*\"", "method=\"POST\""] {
        assert!(log.iter().any(|line| line.contains(expected)), "{expected} is missing: {log:#?}");
    }
}
