//! The console in a real browser: the way of a person who starts forecourt for the first time, and of one who looks for a
//! customer. What the browser shows is written to `target/console/`, where a person can look at it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect has failed"
)]
// A test of its own: the driver's crate adds keys to texts, and then nothing adds a text to a text any more where the compiler
// has to find out what is meant.

mod driver;
#[path = "../it/support/left_out.rs"]
mod left_out;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use driver::{Chromium, Window, axe, exchange};

/// forecourt as a newcomer starts it: without a configuration or a database.
struct Demo {
    child: Child,
    folder: tempfile::TempDir,
    /// Where the doors are.
    doors: SocketAddr,
    /// Where the console is, as the start prints it.
    console: String,
    password: String,
}

impl Demo {
    /// Starts it, and reads what it prints.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            // Its private Postgres is somebody else's, who has to come through.
            std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        }
        let mut child = Self::command(folder.path())
            .env("FORECOURT_LISTEN", "127.0.0.1:0")
            .env("FORECOURT_ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let printed: Vec<String> = printed.take_while(|line| !line.starts_with("Look at the rows")).collect();
        let at = |begin: &str| {
            printed.iter().find_map(|line| line.split(begin).nth(1)).unwrap_or_else(|| panic!("{printed:?}"))
        };
        let doors = at("curl -sS http://").split('/').next().unwrap().parse().unwrap();
        let password = at("as `demo` with the password ").trim_end_matches(':').to_owned();
        let console = printed.iter().rfind(|line| line.starts_with("http://")).unwrap().clone();
        Self { child, folder, doors, console, password }
    }

    fn command(folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
        command.current_dir(folder).env_clear().env("FORECOURT_DATA_DIR", folder.join("data")).env("NO_COLOR", "1");
        let path = std::env::vars_os().find(|(name, _)| name == "PATH");
        command.envs(path);
        command
    }

    /// Posts the examples.
    fn send(&self) {
        let mut posting = Self::command(self.folder.path());
        let sent = posting.arg("send").env("FORECOURT_LISTEN", self.doors.to_string()).output().unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    }

    /// Posts a lead; the id of its delivery.
    async fn post(&self, lead: &Value) -> String {
        let token = std::fs::read_to_string(self.folder.path().join("data/demo-token")).unwrap();
        let request = axum::http::Request::post("/webhooks/dealer-studio/leads")
            .header("authorization", format!("Bearer {}", token.trim()))
            .body(lead.to_string().into());
        let answer = exchange(&self.doors.to_string(), request.unwrap()).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        answer["delivery_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.console.trim_end_matches('/'))
    }

    async fn log_in(&self, window: &Window) {
        window.go(&self.at("/")).await;
        window.fill("#user", "demo").await;
        window.fill("#password", &self.password).await;
        window.press("\u{e007}").await;
        window.reads("How things stand").await;
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // In order, so that it takes its Postgres with it.
        let _gone_already = rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ended = self.child.wait();
    }
}

/// Checks what every page must be, and writes what it looks like.
async fn looked_at(window: &Window, axe: Option<&str>, name: &str) {
    window.fits().await;
    if let Some(axe) = axe {
        window.is_accessible(axe).await;
    }
    window.picture(name).await;
}

/// A lead with everything that is hostile or secret.
fn hostile() -> Value {
    json!({
        "id": 666, "created": "2025-10-01T00:00:00Z", "updated_at": "2025-10-01T00:00:00Z", "dealership": { "id": 356 },
        "category": "Subscription Enquiry", "location": { "location_name": "Dealer A" }, "comments": "<script>document.title = 'run'</script>",
        "prospect": {
            "first_name": "<script>document.title = 'run'</script>", "last_name": "<img src=x onerror=\"document.title='run'\">",
            "email": "hostile@example.com",
        },
        "item": { "vin": "JSAGJB74V00999999" },
        "additional_details": { "license_number": "LICENCE-77", "subscription_plan": "starter" },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_comes_from_the_start_to_the_healed_booking() {
    let Some(chromium) = Chromium::start() else { return };
    let axe = axe();
    let axe = axe.as_deref();
    let demo = tokio::task::spawn_blocking(Demo::start).await.unwrap();
    let window = chromium.window(1200, 2400, false).await;

    window.go(&demo.at("/deliveries")).await;
    looked_at(&window, axe, "login").await;
    window.fill("#user", "demo").await;
    window.fill("#password", "a wrong password").await;
    window.press("\u{e007}").await;
    window.reads("The name or the password is wrong.").await;
    looked_at(&window, axe, "login-wrong").await;
    window.fill("#password", &demo.password).await;
    window.click("button").await;
    // The page that was asked for first.
    window.reads("None of those that were looked at is like that.").await;

    window.go(&demo.at("/")).await;
    window.reads("No delivery has arrived yet.").await;
    looked_at(&window, axe, "overview-empty").await;
    let demo = tokio::task::spawn_blocking(move || {
        demo.send();
        demo
    });
    let demo = demo.await.unwrap();
    window.go(&demo.at("/")).await;
    let rows = window.run("return document.querySelectorAll('#main table tbody')[0].rows.length").await;
    assert_eq!(rows, 6, "each of the examples: {}", window.text().await);
    looked_at(&window, axe, "overview").await;

    for (name, key) in SEARCHES {
        window.fill("#q", key).await;
        window.press("\u{e007}").await;
        window.reads(&format!("What is known of {key}")).await;
        looked_at(&window, axe, &format!("search-{name}")).await;
    }
    window.go(&demo.at("/deliveries")).await;
    window.run("document.querySelector('td a').click()").await;
    window.reads("What was sent").await;
    let id = window.address().await.rsplit('/').next().unwrap().to_owned();
    window.fill("#q", &id).await;
    window.press("\u{e007}").await;
    window.reads(&format!("What is known of {id}")).await;
    // The lead was blocked when it came, and the car that came after it healed it.
    window.fill("#q", "johnsmith@email.com").await;
    window.press("\u{e007}").await;
    window.reads("booked").await;
    let text = window.text().await;
    assert!(text.contains("asset_not_found") && text.contains("Gone since"), "{text}");
    window.run("window.scrollTo(0, 0)").await;
    window.close().await;

    let picture = chromium.window(1200, 1160, false).await;
    demo.log_in(&picture).await;
    picture.go(&demo.at("/search?q=johnsmith%40email.com")).await;
    let path = picture.picture("story").await;
    assert!(std::fs::metadata(path).unwrap().len() < 300 << 10, "it is small enough for the README");
    picture.close().await;
}

/// What is searched for, by each kind of key, as the examples have it; the delivery's id is not known beforehand.
const SEARCHES: [(&str, &str); 7] = [
    ("email", "johnsmith@email.com"),
    ("lead", "1759346"),
    ("cluster", "112233"),
    ("phone", "0403 123 123"),
    ("vin", "JSAGJB74V00202326"),
    ("stock", "7021602"),
    ("plate", "123456"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_support_person_finds_what_was_sent_and_tries_it_again() {
    let Some(chromium) = Chromium::start() else { return };
    let axe = axe();
    let axe = axe.as_deref();
    let demo = tokio::task::spawn_blocking(Demo::start).await.unwrap();
    let id = demo.post(&hostile()).await;
    let window = chromium.window(1200, 2400, false).await;
    demo.log_in(&window).await;
    looked_at(&window, axe, "overview-blocked").await;
    window.click("a.count").await;
    window.reads("Leads that wait").await;
    looked_at(&window, axe, "blocked").await;

    window.go(&demo.at(&format!("/deliveries/{id}"))).await;
    window.reads("What was sent").await;
    let text = window.text().await;
    assert!(text.contains("<script>document.title = 'run'</script>"), "it is shown: {text}");
    assert!(!text.contains("LICENCE-77"), "{text}");
    let ran = window
        .run("return document.title.startsWith('run') || document.querySelectorAll('main script, main img').length")
        .await;
    assert!(ran == false || ran == 0, "{ran}");
    looked_at(&window, axe, "delivery").await;

    // As it is typed, without a button: what does not fit is folded.
    window.fill("#find", "hostile@").await;
    window.reads("1 found.").await;
    window.picture("delivery-found").await;
    window.click(".unmask button").await;
    window.reads("LICENCE-77").await;
    looked_at(&window, axe, "delivery-documents").await;

    window.click("form[action$='/dry-run'] button").await;
    window.reads("What a replay would do now").await;
    looked_at(&window, axe, "dry-run").await;
    window.click("form[action$='/replay'] button").await;
    window.reads("Replayed").await;
    looked_at(&window, axe, "replayed").await;

    // By the keyboard alone: to the content, and to the search.
    window.go(&demo.at("/deliveries")).await;
    window.press("\u{e004}").await;
    let first = window.run("return document.activeElement.innerText").await;
    assert_eq!(first, "Skip to the content");
    window.press("\u{e007}").await;
    assert!(window.address().await.ends_with("#main"));
    window.run("document.querySelector('#outcome').focus()").await;
    window.press("rejected").await;
    window.reads("None of those that were looked at is like that.").await;
    window.click("form[action='/logout'] button").await;
    window.reads("Log in").await;
    window.go(&demo.at(&format!("/deliveries/{id}"))).await;
    window.reads("Log in").await;

    // The doors are somebody else's.
    window.go(&format!("http://{}/", demo.doors)).await;
    let text = window.text().await;
    assert!(!text.contains("Log in") && text.contains("not_found"), "{text}");
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_read_on_a_phone_and_in_the_dark() {
    let Some(chromium) = Chromium::start() else { return };
    let axe = axe();
    let axe = axe.as_deref();
    let demo = tokio::task::spawn_blocking(|| {
        let demo = Demo::start();
        demo.send();
        demo
    });
    let demo = demo.await.unwrap();
    let id = demo.post(&hostile()).await;
    for (name, width, height, is_dark) in [("phone", 360, 740, false), ("dark", 1200, 900, true)] {
        let window = chromium.window(width, height, is_dark).await;
        window.go(&demo.at("/")).await;
        looked_at(&window, axe, &format!("{name}-login")).await;
        demo.log_in(&window).await;
        let paths = [
            ("overview", "/".to_owned()),
            ("search", "/search?q=johnsmith%40email.com".to_owned()),
            ("deliveries", "/deliveries".to_owned()),
            ("delivery", format!("/deliveries/{id}")),
        ];
        for (page, path) in paths {
            window.go(&demo.at(&path)).await;
            looked_at(&window, axe, &format!("{name}-{page}")).await;
        }
        if is_dark {
            let ground = window.run("return getComputedStyle(document.body).backgroundColor").await;
            assert_eq!(ground, "rgb(20, 25, 26)");
        }
        window.close().await;
    }
}
