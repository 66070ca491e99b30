//! What the environment says of a start: the form of the log, and the file that holds the database's address.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::program::Launch;
use crate::support::{CONFIG, Program, TOKEN, database};

fn launch<'a>(url: &'a str, folder: &'a Path, log: &'a str, first: &'a str) -> Launch<'a> {
    Launch { database: url, folder, config: CONFIG, listen: ([127, 0, 0, 1], 0).into(), log, first }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_json_holds_an_object_to_a_line_with_the_fields_of_its_request() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let url = database.url();
    let first = "export FORECOURT_LOG_FORMAT=json";
    let mut program = Program::spawn(&launch(&url, folder.path(), "info,forecourt::http=debug", first));
    let listening: Value = serde_json::from_str(&program.wait_for("\"listening\"")).unwrap();
    program.address = listening["address"].as_str().unwrap().parse().unwrap();
    assert_eq!((&listening["level"], &listening["message"]), (&"INFO".into(), &"listening".into()), "{listening}");
    program.wait_for("postgres is ready");
    let lead =
        br#"{"id":1,"created":"2025-10-03T06:10:08Z","dealership":{"id":356},"prospect":{"email":"ada@example.com"}}"#;
    assert!(program.post_lead("", lead).await.contains("200 OK"));
    let answered: Value = serde_json::from_str(&program.wait_for("\"answered\"")).unwrap();
    let request_id = answered["span"]["request_id"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(request_id).is_ok(), "{answered}");
    assert_eq!(answered["spans"][0]["request_id"], request_id, "{answered}");
    assert_eq!(answered["span"]["route"], "/webhooks/dealer-studio/leads");
    program.signal(rustix::process::Signal::TERM);
    program.ended();
    for line in &program.seen {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["timestamp"].is_string()), "{line}");
        assert!(!line.contains("ada@example.com") && !line.contains(TOKEN), "{line}");
    }
}

#[test]
fn variables_that_cannot_be_used_end_a_start_with_78_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "postgres://u:hush@127.0.0.1:1/f?sslmode=no-verify\n").unwrap();
    let file = file.to_str().unwrap();
    for (variables, said) in [
        (
            vec![("FORECOURT_LOG_FORMAT", "xml")],
            "FORECOURT_LOG_FORMAT: unknown log format `xml`; write `text` or `json`",
        ),
        (
            vec![("DATABASE_URL", "postgres://u@h/f"), ("DATABASE_URL_FILE", file)],
            "DATABASE_URL_FILE: `DATABASE_URL` is set as well; keep one of the two",
        ),
        (vec![("DATABASE_URL_FILE", file)], "`sslmode` is none of `disable`"),
        (vec![("DATABASE_URL", "postgres://u:a#hush@h/f")], "DATABASE_URL: the address holds `#`"),
    ] {
        for command in ["serve", "check", "migrate"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_forecourt"));
            program.current_dir(folder.path()).arg(command).env_clear().env("FORECOURT_DATA_DIR", folder.path());
            let ended = program.envs(variables.iter().copied()).output().unwrap();
            let wrong = String::from_utf8(ended.stderr).unwrap();
            assert_eq!((ended.status.code(), wrong.lines().count()), (Some(78), 1), "{command} {said}: {wrong}");
            assert!(wrong.contains(said) && !wrong.contains("hush"), "{command}: {wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_uses_the_database_whose_address_stands_in_a_file_and_follows_what_its_parameters_say() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    // As it is written for sockets: no host before the parameters.
    let url = database.url().replacen("@localhost:", "@:", 1);
    assert!(url.contains("@:"), "{url}");
    std::fs::write(folder.path().join("url"), format!("{url}\n")).unwrap();
    let first = "export DATABASE_URL_FILE=\"$FORECOURT_DATA_DIR/url\" && unset DATABASE_URL";
    let mut program = Program::launch(&launch("", folder.path(), "info", first));
    program.wait_for("postgres is ready");
    let slugs: i64 = database.value("select count(*) from workspaces").await;
    assert!(slugs > 0, "the configuration is applied there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_check_refuses_a_start_takes_and_logs_as_an_error() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let config = CONFIG.replacen("[server]", "[server]\napi_key_headers = [\"Authorization\"]", 1);
    let url = format!("{}#note", database.url());
    let launch = Launch { config: &config, ..launch(&url, folder.path(), "info", "") };
    let mut program = Program::launch(&launch);
    let errors: Vec<&String> = program.seen.iter().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.iter().any(|line| line.contains("`Authorization` shows bearer tokens")), "{errors:?}");
    assert!(errors.iter().any(|line| line.contains("the address holds `#`")), "{errors:?}");
    program.wait_for("postgres is ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_line_of_the_examples_says_that_the_block_is_expected_and_it_heals() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let url = database.url();
    let config =
        include_str!("../../demo/forecourt.toml").replace("secret_file = \"demo-token\"", "secret_env = \"TOKEN\"");
    let config = config.replace("user = \"demo\"\npassword_file = \"demo-console-password\"\n", "");
    let launch = Launch { config: &config, ..launch(&url, folder.path(), "info", "") };
    let mut program = Program::launch(&launch);
    program.wait_for("postgres is ready");
    // Where it goes is told by the configuration, of which nothing else is read.
    let elsewhere = folder.path().join("client.toml");
    std::fs::write(&elsewhere, format!("[server]\nlisten = \"0.0.0.0:{}\"\n", program.address.port())).unwrap();
    let mut send = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    send.args(["send", "--bearer-env", "TOKEN"]).env_clear().env("TOKEN", TOKEN).env("FORECOURT_CONFIG", elsewhere);
    let ended = tokio::task::spawn_blocking(move || send.output().unwrap()).await.unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].ends_with(
            "booking blocked; asset_not_found (as expected: its car is not listed yet; the inventory that follows lists it \
             and makes the booking)"
        ),
        "{said}"
    );
    let state = "select booking_state from leads where vin = 'JSAGJB74V00202326'";
    assert_eq!(database.value::<String>(state).await, "created", "{said}");
}
