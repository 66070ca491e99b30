//! `forecourt setup`: what is to be entered at each sender, and the first delivery of each as it arrives.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::support::{CONFIG, Program, SECRETS, credential, database, workspaces};

/// Each scheme, on the feeds of which a page names it and on some of which none does.
fn everything(public_url: &str) -> String {
    let server = format!("[server]\ndata_dir = \"/srv/forecourt\"\n{public_url}");
    let workspaces = "
[[workspaces]]
slug = \"north\"
dealerships = [{ id = 356, name = \"North Toyota\" }, 357]
[[workspaces]]
slug = \"south\"
dealerships = [400]
[[workspaces]]
slug = \"letters\"
";
    let credentials = [
        credential(
            "old",
            "bearer",
            "[\"lead\"]",
            "\"all\"",
            "secret_env = \"BETA\"\nnot_after = 2024-01-31T18:00:00Z\n",
        ),
        credential(
            "bearer",
            "bearer",
            "[\"lead\", \"lead_cluster\"]",
            "[\"north\"]",
            "secret_env = \"TOKEN\"\nnot_after = 2999-01-31T18:00:00Z\n",
        ),
        credential("key", "api_key", "[\"lead_cluster\", \"inventory\"]", "[\"south\"]", "secret_file = \"key\"\n"),
        credential(
            "basic",
            "basic",
            "[\"inventory\"]",
            "[\"north\"]",
            "user = \"dealer-studio\"\nsecret_env = \"PASSWORD\"\n",
        ),
        credential(
            "client",
            "oauth_client",
            "[\"lead\"]",
            "[\"south\"]",
            "client_id = \"loopit\"\nsecret_env = \"CLIENT_SECRET\"\n",
        ),
        credential(
            "leadpro",
            "leadpro_jwt",
            "[\"leadpro_lead\"]",
            "[\"letters\"]",
            "secret_env = \"LEADPRO_SECRET\"\n",
        ),
        credential("all", "bearer", "\"all\"", "\"all\"", "secret_env = \"OTHER_TOKEN\"\n"),
        credential("anyone", "open", "[\"inventory\"]", "[\"south\"]", ""),
    ];
    [server, workspaces.to_owned(), credentials.concat()].concat()
}

/// The command in a folder with a configuration.
fn setup(folder: &Path, config: &str, arguments: &[&str]) -> Command {
    let path = folder.join("setup.toml");
    std::fs::write(&path, config).unwrap();
    std::fs::write(folder.join("key"), "hush-of-the-file").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.current_dir(folder).env_clear().envs(SECRETS).args(["setup", "--config", "setup.toml"]).args(arguments);
    command
}

fn printed(folder: &Path, config: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = setup(folder, config, arguments).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).unwrap();
    for (name, secret) in SECRETS.into_iter().chain([("file", "hush-of-the-file")]) {
        assert!(!text.contains(secret), "{name}: {text}");
    }
    text
}

#[test]
fn each_credential_and_feed_is_told_in_the_words_of_the_senders_pages_and_without_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(folder.path(), &everything("public_url = \"https://leads.example.com.au/\"\n"), &[]);
    let text = text.replace(folder.path().to_str().unwrap(), "/etc/forecourt");
    insta::assert_snapshot!(text);
}

#[test]
fn without_a_public_address_it_says_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(folder.path(), &everything(""), &["--credential", "bearer", "--feed", "lead"]);
    assert!(text.contains("write `public_url = \"https://leads.example.com.au\"`, with your own name, into"), "{text}");
    assert!(text.contains("https://<public name>/webhooks/dealer-studio/leads"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
}

#[test]
fn scripts_get_it_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let config = everything("public_url = \"https://leads.example.com.au\"\n");
    let all: Value = serde_json::from_str(&printed(folder.path(), &config, &["--json"])).unwrap();
    assert_eq!(all["public_url"], "https://leads.example.com.au");
    let entries = all["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 13);
    let client = entries.iter().find(|entry| entry["credential"] == "client").unwrap();
    assert_eq!(
        *client,
        json!({
            "sender": "dealer_studio", "feed": "lead", "credential": "client", "scheme": "oauth_client",
            "address": "https://leads.example.com.au/webhooks/dealer-studio/leads",
            "token_address": "https://leads.example.com.au/oauth/token", "client_id": "loopit",
            "header": "Authorization: Bearer <access token>", "secret_env": "CLIENT_SECRET", "expired": false,
            "workspaces": ["south"], "awaited": true, "notes": [],
        })
    );
    let awaited = entries.iter().filter(|entry| entry["awaited"] == true);
    let awaited: Vec<String> = awaited
        .map(|entry| format!("{} {}", entry["credential"].as_str().unwrap(), entry["feed"].as_str().unwrap()))
        .collect();
    let expected = [
        "key inventory",
        "basic inventory",
        "all inventory",
        "anyone inventory",
        "bearer lead",
        "client lead",
        "all lead",
        "bearer lead_cluster",
        "key lead_cluster",
        "all lead_cluster",
        "leadpro leadpro_lead",
    ];
    assert_eq!(awaited, expected);
    assert_eq!(all["dealerships"][0], json!({ "id": 356, "name": "North Toyota", "workspace": "north" }));
}

#[test]
fn what_cannot_be_asked_for_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["--for", "10m"][..], &["--wait", "--for", "soon"], &["--wait", "--json"], &["--credential", "no"]]
    {
        let ended = setup(folder.path(), &everything(""), arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

/// `setup --wait` as a process, with what it prints.
struct Waiting {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Waiting {
    fn start(folder: &Path, config: &str, database: &str, arguments: &[&str]) -> Self {
        let config = format!("{config}\n[database]\nallow_unsafe = true\n");
        let mut command = setup(folder, &config, &[&["--wait"], arguments].concat());
        command.env("DATABASE_URL", database).env("HOME", folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || printed.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that begins so.
    fn line(&mut self, beginning: &str) -> String {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{beginning} never came: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// How it ended, and what it said then on standard error.
    fn ended(self) -> (Option<i32>, String) {
        let ended = self.child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

fn two_credentials() -> String {
    let stock = credential("stock", "api_key", "[\"inventory\"]", "\"all\"", "secret_env = \"BETA\"\n");
    let leads = credential("leads", "bearer", "[\"lead\"]", "\"all\"", "secret_env = \"TOKEN\"\n");
    [workspaces(), &stock, &leads].concat()
}

const LEADS: &str = "/webhooks/dealer-studio/leads";
const INVENTORY: &str = "/webhooks/dealer-studio/inventory";
const STOCK: &str = "X-API-KEY: the-token-of-beta\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_delivery_of_each_is_told_as_it_comes_and_what_is_refused_meanwhile_with_why() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &two_credentials());
    program.wait_for("postgres is ready");
    let mut waiting = Waiting::start(folder.path(), &two_credentials(), &database.url(), &[]);
    assert_eq!(waiting.line("waiting for"), "waiting for: leads (lead), stock (inventory)");

    program.send(LEADS, "Authorization: Bearer not-this-one\r\n", b"{}").await;
    let refused = waiting.line("refused: lead from 127.0.0.1 at ");
    assert!(
        refused.contains("wrong secret, shown as bearer, fingerprint ") && !refused.contains("not-this-one"),
        "{refused}"
    );
    assert!(refused.ends_with("; the credentials of this feed are leads (bearer)"), "{refused}");
    program.send(INVENTORY, "", b"{}").await;
    let refused = waiting.line("refused: inventory from 127.0.0.1 at ");
    assert!(refused.ends_with(": no secret was shown; the credentials of this feed are stock (api_key)"), "{refused}");

    // What came to no address of ours is kept without a feed.
    let astray = "insert into intake.rejected (id, received_at, path) values (gen_random_uuid(), now(), '/webhook/*')";
    database.execute(astray).await;
    let refused = waiting.line("refused: a request at ");
    assert!(refused.ends_with(": wrong address: /webhook/* is none of forecourt's"), "{refused}");

    let vehicle = json!({ "Identifier": 1, "Seller": { "Identifier": 356 }, "SaleStatus": "For Sale" }).to_string();
    program.send(INVENTORY, STOCK, vehicle.as_bytes()).await;
    let came = waiting.line("came: stock, inventory: at ");
    assert!(came.contains("Z, applied") && came.contains(", delivery 0"), "{came}");
    // What is rejected has come as well: its address and its secret are right.
    program.post_lead("", json!({ "id": 1, "dealership": { "id": 9 } }).to_string().as_bytes()).await;
    let came = waiting.line("came: leads, lead: at ");
    assert!(came.contains("rejected (dealership_unknown), delivery "), "{came}");
    waiting.line("everything has come");
    let lines = waiting.seen.len();
    assert_eq!(lines, 7, "one line for each: {:#?}", waiting.seen);
    assert_eq!(waiting.ended(), (Some(0), String::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_wait_says_what_is_missing_and_what_came_before_is_not_waited_for() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    // Before the service has been started there is nothing to read, and that is waited out, too.
    let mut early = Waiting::start(folder.path(), CONFIG, "postgres://nobody@127.0.0.1:1/none", &["--for", "2s"]);
    early.line("the tables cannot be read");
    let missing = "still missing: all (inventory), all (lead), all (lead_cluster)\n";
    assert_eq!(early.seen.len(), 3, "one line for the trouble: {:#?}", early.seen);
    assert!(early.seen[0].starts_with("not waited for: all, leadpro_lead: "), "{:?}", early.seen);
    assert_eq!(early.ended(), (Some(1), missing.to_owned()));

    let mut program = Program::start(&database.url(), folder.path(), &two_credentials());
    program.wait_for("postgres is ready");
    program.send(INVENTORY, STOCK, b"{}").await;
    database.execute("update intake.deliveries set received_at = received_at - interval '2 days'").await;
    let mut waiting = Waiting::start(folder.path(), &two_credentials(), &database.url(), &[]);
    waiting.line("came before: stock, inventory: the last one at ");
    rustix::process::kill_process(Pid::from_child(&waiting.child), Signal::INT).unwrap();
    assert_eq!(waiting.ended(), (Some(1), "still missing: leads (lead)\n".to_owned()));

    let only = ["--feed", "inventory", "--for", "1m"];
    let mut waiting = Waiting::start(folder.path(), &two_credentials(), &database.url(), &only);
    waiting.line("everything has come");
    assert_eq!(waiting.ended().0, Some(0));
}
