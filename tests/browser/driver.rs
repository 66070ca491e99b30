//! Chromium, driven through chromedriver (Debian's `chromium` and `chromium-driver`).

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::{Body as HttpBody, Bytes};
use axum::http::{Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::left_out::left_out;

/// How long is waited for what must come true soon.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where programs are looked for, beside `PATH`.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/lib/chromium"];

/// chromedriver, which ends with the test and takes its browsers with it.
pub(super) struct Chromium {
    driver: Child,
    address: String,
    program: PathBuf,
}

fn found(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

impl Chromium {
    /// Starts it; none where the programs are not there.
    pub(super) fn start() -> Option<Self> {
        let (Some(driver), Some(program)) = (found("chromedriver"), found("chromium")) else {
            left_out("there are no chromium and no chromedriver (Debian: chromium, chromium-driver)");
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| {
            line.unwrap().strip_prefix("ChromeDriver was started successfully on port ").map(str::to_owned)
        });
        let port = said.unwrap().trim_end_matches('.').to_owned();
        // It is not to wait for somebody who reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { driver, address: format!("127.0.0.1:{port}"), program })
    }

    /// A window of a browser of its own, with these sizes in pixels; as a phone's where it is narrow.
    pub(super) async fn window(&self, width: u32, height: u32, is_dark: bool) -> Window {
        // Tests run as root in CI, where Chromium has no sandbox, and /dev/shm is small in containers.
        let mut arguments: Vec<String> =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
                .map(str::to_owned)
                .to_vec();
        if is_dark {
            arguments.push("--force-dark-mode".to_owned());
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        arguments.push(format!("--window-size={width},{height}"));
        let mut options = json!({ "binary": self.program, "args": arguments });
        if width < 500 {
            let metrics = json!({ "width": width, "height": height, "pixelRatio": 1.0, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = command(&self.address, "POST", "/session", Some(body)).await.unwrap();
        let session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Window { address: self.address.clone(), session }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _gone_already = rustix::process::kill_process_group(Pid::from_child(&self.driver), Signal::KILL);
        let _ended = self.driver.wait();
    }
}

/// The name by which an element's number is known (W3C `WebDriver`, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A command of W3C `WebDriver`: its value, or what chromedriver says is wrong. Spoken by hand, because the crates for it turn
/// on features of others that the program is built without.
async fn command(address: &str, method: &str, path: &str, body: Option<Value>) -> Result<Value, String> {
    let body = body.map_or_else(HttpBody::empty, |json| HttpBody::from(json.to_string()));
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let answer = exchange(address, request.body(body).unwrap()).await.map_err(|error| error.to_string())?;
    let value = serde_json::from_slice::<Value>(answer.body()).map_err(|error| error.to_string())?["value"].take();
    if answer.status().is_success() { Ok(value) } else { Err(value.to_string()) }
}

/// Sends a request to an address by hyper's client, over a connection of its own.
pub(super) async fn exchange(
    address: &str,
    mut request: Request<HttpBody>,
) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    *request.uri_mut() = request.uri().path_and_query().unwrap().as_str().parse()?;
    request.headers_mut().insert("host", address.parse()?);
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(parts, bytes))
}

/// A window.
pub(super) struct Window {
    /// chromedriver's.
    address: String,
    /// Where the commands for this window go.
    session: String,
}

impl Window {
    async fn get(&self, what: &str) -> Result<Value, String> {
        command(&self.address, "GET", &format!("{}/{what}", self.session), None).await
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, String> {
        command(&self.address, "POST", &format!("{}/{what}", self.session), Some(body)).await
    }

    pub(super) async fn go(&self, address: &str) {
        self.post("url", json!({ "url": address })).await.unwrap();
    }

    /// Where it is.
    pub(super) async fn address(&self) -> String {
        self.get("url").await.unwrap().as_str().unwrap().to_owned()
    }

    /// What a person reads.
    pub(super) async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    /// Waits until a person reads this.
    pub(super) async fn reads(&self, words: &str) {
        let began = Instant::now();
        loop {
            // A page that is just being left has no text.
            let text = self.run("return document.body ? document.body.innerText : ''").await;
            if text.as_str().unwrap_or_default().contains(words) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{words} at {}: {text}", self.address().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for an element; what commands to it begin with.
    async fn element(&self, selector: &str) -> String {
        let began = Instant::now();
        loop {
            match self.post("element", json!({ "using": "css selector", "value": selector })).await {
                Ok(element) => return format!("element/{}", element[ELEMENT].as_str().unwrap()),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{selector}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/click"), json!({})).await.unwrap();
    }

    /// Puts a text in the place of what stands in a field.
    pub(super) async fn fill(&self, selector: &str, text: &str) {
        let field = self.element(selector).await;
        self.post(&format!("{field}/clear"), json!({})).await.unwrap();
        self.post(&format!("{field}/value"), json!({ "text": text })).await.unwrap();
    }

    /// Presses keys where the focus is.
    pub(super) async fn press(&self, keys: &str) {
        let focused = self.get("element/active").await.unwrap();
        let element = focused[ELEMENT].as_str().unwrap();
        self.post(&format!("element/{element}/value"), json!({ "text": keys })).await.unwrap();
    }

    /// Runs a script, as a person with the developer's tools does: no policy of a page applies.
    pub(super) async fn run(&self, script: &str) -> Value {
        let began = Instant::now();
        loop {
            match self.post("execute/sync", json!({ "script": script, "args": [] })).await {
                Ok(result) => return result,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes what it shows, from top to bottom, where a person can look at it.
    pub(super) async fn picture(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/console");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        let base64 = self.get("screenshot").await.unwrap();
        std::fs::write(&path, STANDARD.decode(base64.as_str().unwrap()).unwrap()).unwrap();
        path
    }

    /// Whether nothing is wider than the window.
    pub(super) async fn fits(&self) {
        let script = "const wide = [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.tagName + '.' + e.className).slice(0, 5).join(' ');
            return [document.documentElement.scrollWidth - innerWidth, wide]";
        let found = self.run(script).await;
        assert!(found[0].as_i64().unwrap() <= 0, "{} is wider than the window by {found}", self.address().await);
    }

    /// Whether axe finds nothing that keeps anybody from using the page.
    pub(super) async fn is_accessible(&self, axe: &str) {
        let script = format!(
            "{axe}; return axe.run(document, {{ resultTypes: ['violations'] }}).then(result => result.violations
                .map(one => one.impact + ' ' + one.id + ': ' + one.nodes.map(node => node.target.join(' ') + ' ' +
                    node.failureSummary).slice(0, 3).join(' | ')))"
        );
        let found = self.run(&script).await;
        let found: Vec<&str> = found.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert!(found.is_empty(), "{}: {found:#?}", self.address().await);
    }

    pub(super) async fn close(self) {
        command(&self.address, "DELETE", &self.session, None).await.unwrap();
    }
}

/// The accessibility engine axe-core, which `tests/clients/install` brings.
pub(super) fn axe() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/axe/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(path).ok();
    if axe.is_none() {
        left_out("`tests/clients/install` brings axe-core");
    }
    axe
}
