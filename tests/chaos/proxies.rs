//! The configurations of `deploy/`, each in its proxy, before the service: restarts under load, and what a proxy must let
//! pass. Nothing but addresses is changed in them, and what certificates need.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Harness, ORDINARY};
use crate::restarts::restart_under_load;
use crate::scale::SCALE;
use crate::sender::Sender;
use crate::support::{PATIENCE, TOKEN};
use crate::table;

/// A credential of a sender that shows a key.
const KEY: &str = r#"
[[credentials]]
name = "key"
scheme = "api_key"
feeds = "all"
workspaces = "all"
secret_env = "OTHER_TOKEN"
"#;

/// A dealership that no workspace has, so that nothing but the delivery is kept.
const NOBODYS: u32 = 999;

/// A proxy that runs; it is ended when it is dropped.
pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its own children would outlive a kill.
        let _gone_already = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let began = Instant::now();
        while !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            if began.elapsed() > Duration::from_secs(10) {
                let _gone_already = self.child.kill();
                let _ended = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What starts a proxy in a folder, before a service and on an address.
type Start = fn(&Path, &Path, SocketAddr, SocketAddr) -> Command;

/// Who holds the socket.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    /// The stage, as systemd does.
    ByStage,
    /// The service alone: the proxy has to wait for it.
    ByNobody,
}

/// `HAProxy`, with `deploy/haproxy.cfg`.
pub(crate) async fn haproxy() {
    behind_haproxy(Held::ByStage).await;
}

/// The same without a held socket: `HAProxy` tries again. In the long form only.
pub(crate) async fn haproxy_that_tries_again() {
    if SCALE.restarts > 2 {
        behind_haproxy(Held::ByNobody).await;
    }
}

/// Caddy, with `deploy/Caddyfile`. Only with a held socket: up to 2.11.1, as in Debian, it loses the body of what it tries
/// again (caddyserver/caddy#7547).
pub(crate) async fn caddy() {
    behind("Caddy", "caddy", Held::ByStage, |program, folder, service, address| {
        let mut caddy = Command::new(program);
        caddy.args(["run", "--adapter", "caddyfile", "--config", &deployed("Caddyfile")]).env_clear();
        caddy.env("HOME", folder).env("FORECOURT_DOMAIN", format!("http://test:{}", address.port()));
        caddy.env("FORECOURT_UPSTREAM", service.to_string());
        caddy.env("CADDY_ADMIN", format!("unix/{}", folder.join("caddy-admin").display()));
        caddy
    })
    .await;
}

async fn behind_haproxy(held: Held) {
    behind("HAProxy", "haproxy", held, |program, folder, service, address| {
        let config = changed(
            "haproxy.cfg",
            &[
                ("bind :443 ssl crt /etc/haproxy/forecourt.pem", &format!("bind {address}")),
                ("server forecourt 127.0.0.1:8080", &format!("server forecourt {service}")),
            ],
        );
        let path = folder.join("haproxy.cfg");
        std::fs::write(&path, config).unwrap();
        let mut haproxy = Command::new(program);
        haproxy.arg("-db").arg("-f").arg(path);
        haproxy
    })
    .await;
}

/// nginx, with `deploy/nginx.conf`.
pub(crate) async fn nginx() {
    behind("nginx", "nginx", Held::ByStage, |program, folder, service, address| {
        let at = folder.display();
        let config = changed(
            "nginx.conf",
            &[
                ("listen 443 ssl;", &format!("listen {address};")),
                ("        ssl_certificate /etc/nginx/forecourt.crt;\n", ""),
                ("        ssl_certificate_key /etc/nginx/forecourt.key;\n", ""),
                ("proxy_pass http://127.0.0.1:8080;", &format!("proxy_pass http://{service};")),
                (
                    "http {\n",
                    &format!("http {{\n    client_body_temp_path {at}/bodies;\n    proxy_temp_path {at}/answers;\n"),
                ),
            ],
        );
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut nginx = Command::new(program);
        let more = format!("daemon off; pid {at}/nginx.pid; error_log {at}/nginx.log;");
        nginx.arg("-p").arg(folder).arg("-c").arg(path).args(["-g", &more]);
        nginx
    })
    .await;
}

/// The service behind a proxy: what has to pass does, and restarts cost nothing.
async fn behind(name: &str, program: &str, held: Held, start: Start) {
    let set_up = match held {
        Held::ByStage => format!("{name}, the socket held"),
        Held::ByNobody => format!("{name}, no socket held"),
    };
    let scenario = format!("service restarted behind {set_up}");
    let Some(program) = found(program) else {
        table::leave_out(&scenario, "it is not installed here");
        return;
    };
    let mut harness = Harness::set(ORDINARY).await;
    if held == Held::ByStage {
        harness.hold();
    }
    harness.configure(KEY);
    harness.start();
    harness.wait_for("postgres is ready");
    let service = harness.address();
    let start = |program: &Path, folder: &Path, address| start(program, folder, service, address);
    let proxy = proxy(harness.folder(), &program, start).await;
    what_has_to_pass(name, proxy.address).await;
    harness.sender = Sender::new(proxy.address, harness.hold + PATIENCE);
    restart_under_load(&set_up, harness, &scenario).await;
}

/// A program of this name; `/usr/sbin` is not in everybody's path.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}

fn deployed(file: &str) -> String {
    format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// A file of `deploy/` with some of its text changed.
pub(crate) fn changed(file: &str, changes: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(deployed(file)).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{file} has no {old:?}");
        text = text.replace(old, new);
    }
    text
}

/// Starts a proxy, and waits until it listens.
pub(crate) async fn proxy(folder: &Path, program: &Path, start: impl Fn(&Path, &Path, SocketAddr) -> Command) -> Proxy {
    let folder = folder.join("proxy");
    std::fs::create_dir(&folder).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = start(program, &folder, address);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut proxy = Proxy { child: command.spawn().unwrap(), address };
    let began = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        let ended = proxy.child.try_wait().unwrap();
        let said = || std::fs::read_to_string(folder.join("log")).unwrap();
        assert!(ended.is_none() && began.elapsed() < PATIENCE, "{ended:?}: {}", said());
        sleep(Duration::from_millis(20)).await;
    }
    proxy
}

/// A cluster of nearly 16 MiB, headers of nearly 256 KiB, and a header's name with underscores.
async fn what_has_to_pass(name: &str, proxy: SocketAddr) {
    let cluster = json!({ "id": 1, "dealership_id": NOBODYS, "status": "a".repeat((16 << 20) - 1000) }).to_string();
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = post(proxy, "/webhooks/dealer-studio/lead-clusters", &bearer, cluster.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{name}, 16 MiB: {answer}");
    // What is refused by the service itself has come through: a token that nobody has signed.
    let token = format!("Authorization: {}\r\n", "a".repeat(250 << 10));
    let answer = post(proxy, "/webhooks/leadpro", &token, b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains(r#"{"error":"unauthorized"}"#), "{name}: {answer}");
    let lead = json!({ "id": 2, "dealership": { "id": NOBODYS }, "created": "2025-10-03T06:10:08Z" }).to_string();
    for header in ["X_API_KEY", "X-API-KEY"] {
        let key = format!("{header}: another-token-of-the-tests\r\n");
        let answer = post(proxy, "/webhooks/dealer-studio/leads", &key, lead.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}, {header}: {answer}");
    }
}

/// Posts, and reads the answer to its end.
async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = Vec::new();
    write!(request, "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}").unwrap();
    write!(request, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
    request.extend_from_slice(body);
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
