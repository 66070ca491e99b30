//! Other people's OAuth clients against the program: curl, and the Python libraries that `tests/clients/install` brings.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{LEADS, Program, SECRETS, a_lead, credential, database, left_out, workspaces};

fn client_secret() -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == "CLIENT_SECRET").unwrap().1
}

fn config() -> String {
    let rest = "client_id = \"studio & co\"\nsecret_env = \"CLIENT_SECRET\"\n";
    [workspaces(), &credential("studio", "oauth_client", "[\"lead\"]", "\"all\"", rest)].concat()
}

/// What a client prints; a client that fails ends the test with what it said.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oauth_clients_of_python_get_tokens_and_post_with_them() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/clients/venv/bin/python");
    if !root.join("target/clients/ready").exists() {
        return left_out("`tests/clients/install` brings the clients of this test");
    }
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let program = Program::start(&database.url(), folder.path(), &config());
    let script = root.join("tests/clients/oauth.py");
    let url = format!("http://{}", program.address);
    let mut command = Command::new(python);
    command.arg(script).arg(url).arg("studio & co").env("CLIENT_SECRET", client_secret());
    let printed = tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap();
    let expected = ["requests-oauthlib, header", "requests-oauthlib, form", "authlib, header", "authlib, form"];
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines, expected.map(|name| format!("{name}: 200 applied")));
    let posted: i64 = database.value("select count(*) from intake.deliveries where credential = 'studio'").await;
    assert_eq!(posted, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_gets_a_token_with_its_user_option() {
    if Command::new("curl").arg("--version").output().is_err() {
        return left_out("there is no curl");
    }
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let program = Program::start(&database.url(), folder.path(), &config());
    let mut command = Command::new("curl");
    command.args(["-sS", "-o", "-", "-w", "\n%{http_code}", "-d", "grant_type=client_credentials", "--user"]);
    command.arg(format!("studio & co:{}", client_secret())).arg(format!("http://{}/oauth/token", program.address));
    let printed = tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap();
    let (body, status) = printed.rsplit_once('\n').unwrap();
    assert_eq!(status, "200", "{body}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let token = body["access_token"].as_str().unwrap();
    program.post_as(token, LEADS, a_lead(1).bytes()).await.expect("applied", &[]);
}

#[tokio::test]
async fn the_key_of_tokens_is_made_once_for_its_owner_alone_and_outlives_a_restart() {
    use std::os::unix::fs::PermissionsExt as _;
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let body = "grant_type=client_credentials&client_id=studio+%26+co&client_secret=client+secret+%26+more%3A+of%2Bthe%2520tests";
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let program = Program::start(&database.url(), folder.path(), &config());
    let answer = program.post_with(&kind, "/oauth/token", body).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let key = folder.path().join("oauth-signing-key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    drop(program);

    let program = Program::start(&database.url(), folder.path(), &config());
    assert_eq!(program.post_as(token, LEADS, a_lead(1).bytes()).await.status, 200);
    drop(program);
    std::fs::remove_file(&key).unwrap();
    let program = Program::start(&database.url(), folder.path(), &config());
    assert_eq!(program.post_as(token, LEADS, a_lead(1).bytes()).await.status, 401);
}
