//! The program itself: started as a process, with its log at hand.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::service::{Answer, SECRETS, TOKEN};

/// The program, listening; it is killed with the test.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: mpsc::Receiver<String>,
    /// Every line that was looked at.
    pub(crate) seen: Vec<String>,
}

/// How the program is started.
pub(crate) struct Launch<'a> {
    /// Its `DATABASE_URL`.
    pub(crate) database: &'a str,
    /// Its data directory.
    pub(crate) folder: &'a Path,
    /// Its configuration, which is written into the folder.
    pub(crate) config: &'a str,
    /// Where it listens; port 0 is any.
    pub(crate) listen: SocketAddr,
    /// Its log filter.
    pub(crate) log: &'a str,
    /// What a shell does first, which then becomes the program.
    pub(crate) first: &'a str,
}

/// Passes a shell's standard input on as systemd passes sockets: from the third file on, to this very process.
const PASS: &str = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";

impl Program {
    /// Starts it with a configuration, which is written into the folder; its data directory is the folder too.
    pub(crate) fn start(database: &str, folder: &Path, config: &str) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        Self::launch(&Launch { database, folder, config, listen, log: "trace", first: "" })
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn launch(launch: &Launch<'_>) -> Self {
        Self::spawn(launch).listening()
    }

    /// Starts it; it need not come as far as listening.
    pub(crate) fn spawn(launch: &Launch<'_>) -> Self {
        Self::spawn_with(launch, Path::new(env!("CARGO_BIN_EXE_forecourt")), None)
    }

    /// Starts this file as the program, behind a socket that is held for it as systemd holds one.
    pub(crate) fn spawn_with(launch: &Launch<'_>, program: &Path, held: Option<&TcpListener>) -> Self {
        let Launch { database, folder, config, listen, log, first } = launch;
        let path = folder.join("forecourt.toml");
        std::fs::write(&path, over_a_throwaway_server(config)).unwrap();
        // A process passes on its standard input and nothing else without further ado: the shell moves it.
        let (stdin, pass) = match held {
            Some(socket) => (OwnedFd::from(socket.try_clone().unwrap()).into(), PASS),
            None => (Stdio::null(), ""),
        };
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("{first}\n{pass}\nexec \"$0\"")])
            .arg(program)
            .stdin(stdin)
            .env_clear()
            .env("DATABASE_URL", database)
            .env("FORECOURT_CONFIG", path)
            .env("FORECOURT_DATA_DIR", folder)
            .env("FORECOURT_LISTEN", listen.to_string())
            .envs(SECRETS)
            .env("RUST_LOG", log)
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).split(b'\n');
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _gone_at_the_end = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self { child, address: ([127, 0, 0, 1], 0).into(), log, seen: Vec::new() }
    }

    /// Waits until it listens.
    pub(crate) fn listening(mut self) -> Self {
        let line = self.wait_for("listening address=");
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        self.address = address.parse().unwrap();
        self
    }

    /// Where its admin listener listens, once it does.
    #[allow(dead_code, reason = "of the test binaries only one needs it")]
    pub(crate) fn admin_address(&mut self) -> SocketAddr {
        let said = "metrics are served";
        let line = self.seen.iter().find(|line| line.contains(said)).cloned();
        let line = line.unwrap_or_else(|| self.wait_for(said));
        line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its process.
    #[allow(dead_code, reason = "of the test binaries only one needs it")]
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end.
    #[allow(dead_code, reason = "of the test binaries only one needs it")]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            // The lines stay for whoever waits for one.
            assert!(
                Instant::now() < end,
                "it did not end: {:#?} {:#?}",
                self.seen,
                self.log.try_iter().collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that it logged, once it has ended.
    #[allow(dead_code, reason = "of the test binaries only one needs it")]
    pub(crate) fn whole_log(&mut self) -> Vec<String> {
        self.ended();
        let rest: Vec<String> = self.log.iter().collect();
        self.seen.extend(rest);
        self.seen.clone()
    }

    /// The first line from now on that holds a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let line = self.log.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{text} never came: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// What a path answers.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        exchange(self.address, Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Posts a body with the secret of a credential, sent as a bearer token.
    pub(crate) async fn post_as(&self, secret: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.post_with(&[("authorization", &format!("Bearer {secret}"))], path, body).await
    }

    /// Posts a body with these headers and no others that matter.
    pub(crate) async fn post_with(&self, headers: &[(&str, &str)], path: &str, body: impl Into<Body>) -> Answer {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        exchange(self.address, request.body(body.into()).unwrap()).await.unwrap()
    }

    // What follows is for tests of what is on the wire.

    /// Posts a lead with the credential `all`.
    pub(crate) async fn post_lead(&self, headers: &str, body: &[u8]) -> String {
        self.send("/webhooks/dealer-studio/leads", &format!("Authorization: Bearer {TOKEN}\r\n{headers}"), body).await
    }

    /// Posts anything; the whole answer as text.
    pub(crate) async fn send(&self, path: &str, headers: &str, body: &[u8]) -> String {
        self.send_by("POST", path, headers, body).await
    }

    /// Sends anything by any method; the whole answer as text.
    pub(crate) async fn send_by(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n");
        self.send_raw(&[format!("{head}{headers}\r\n").as_bytes(), body].concat()).await
    }

    /// Sends bytes over a connection of their own; the whole answer as text.
    pub(crate) async fn send_raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Sends a request to an address by hyper's client, over a connection of its own.
pub(crate) async fn exchange(address: SocketAddr, mut request: Request<Body>) -> hyper::Result<Answer> {
    request.headers_mut().insert("host", "test".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
}

/// A configuration for the tests' servers, which lose what they have committed when the machine loses power. One that says
/// itself whether that may be is left as it is.
fn over_a_throwaway_server(config: &str) -> String {
    if config.contains("allow_unsafe") {
        return config.to_owned();
    }
    let (allowed, section) = ("allow_unsafe = true", "[database]\n");
    if config.contains(section) {
        config.replace(section, &format!("{section}{allowed}\n"))
    } else {
        format!("{config}\n{section}{allowed}\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
