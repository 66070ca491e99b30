//! The receivers that are measured, each a process of its own: the release binary, and the plain receiver.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Fallible, configuration, usage};

/// How long a receiver may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running receiver.
pub(crate) struct Receiver {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took until it was ready.
    pub(crate) start: Duration,
}

impl Receiver {
    /// Starts a binary of the service over a database, as it is shipped; the release binary where none is named.
    pub(crate) async fn forecourt(binary: Option<&Path>, dir: &Path, database: &str) -> Fallible<Self> {
        let config = dir.join("forecourt.toml");
        std::fs::write(&config, configuration::file())?;
        let address = free_address()?;
        let mut command = Command::new(binary.unwrap_or(Path::new(env!("CARGO_BIN_EXE_forecourt"))));
        command.env_clear().env("DATABASE_URL", database).env("FORECOURT_CONFIG", config);
        command
            .env("FORECOURT_DATA_DIR", dir)
            .env("FORECOURT_LISTEN", address.to_string())
            .env("TOKEN", configuration::TOKEN);
        let log = std::fs::File::create(dir.join("forecourt.log"))?;
        Self::start(command.stderr(log), address).await
    }

    /// Starts the plain receiver over a database.
    pub(crate) async fn plain(database: &str) -> Fallible<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        Self::start(command.arg("plain").arg(address.to_string()).arg(database), address).await
    }

    async fn start(command: &mut Command, address: SocketAddr) -> Fallible<Self> {
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut receiver = Self { child, address, start: Duration::ZERO };
        while !is_ready(address).await {
            if began.elapsed() > PATIENCE || receiver.child.try_wait()?.is_some() {
                return Err("a receiver did not start".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        receiver.start = began.elapsed();
        Ok(receiver)
    }

    /// Its processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> Option<f64> {
        usage::cpu(self.child.id())
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak_memory(&self) -> Option<f64> {
        usage::peak_memory(self.child.id())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // What was answered is stored: there is nothing to wait for.
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// An address that nobody listens on.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Whether a receiver can store deliveries in its database: the spool, which makes forecourt ready before, is not meant.
async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let is_up = answer.starts_with("HTTP/1.1 200") && !answer.contains("\"postgres\":\"unavailable\"");
        Ok::<_, std::io::Error>(is_up)
    };
    asked.await.unwrap_or_default()
}
