//! The program itself: started as a process, with its log at hand.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::service::{SECRETS, TOKEN};

/// The program, listening; it is killed with the test.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: mpsc::Receiver<String>,
    /// Every line that was looked at.
    pub(crate) seen: Vec<String>,
}

impl Program {
    /// Starts it with a configuration, which is written into the folder; its data directory is the folder too.
    pub(crate) fn start(database: &str, folder: &Path, config: &str) -> Self {
        let path = folder.join("forecourt.toml");
        std::fs::write(&path, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_forecourt"))
            .env_clear()
            .env("DATABASE_URL", database)
            .env("FORECOURT_CONFIG", path)
            .env("FORECOURT_DATA_DIR", folder)
            .env("FORECOURT_LISTEN", "127.0.0.1:0")
            .envs(SECRETS)
            .env("RUST_LOG", "trace")
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
        let mut program = Self { child, address: ([127, 0, 0, 1], 0).into(), log, seen: Vec::new() };
        let line = program.wait_for("listening address=");
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        program.address = address.parse().unwrap();
        program
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The first line from now on that holds a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let line = self.log.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{text} never came: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Posts a lead with the credential `all`.
    pub(crate) async fn post_lead(&self, headers: &str, body: &[u8]) -> String {
        self.send("/webhooks/dealer-studio/leads", &format!("Authorization: Bearer {TOKEN}\r\n{headers}"), body).await
    }

    /// Posts anything; the whole answer as text.
    pub(crate) async fn send(&self, path: &str, headers: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n");
        stream.write_all(&[format!("{head}{headers}\r\n").as_bytes(), body].concat()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
