//! A PgBouncer of a test's own, before the server of a database.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forecourt::store::Address;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::postgres::TestDatabase;

/// A running PgBouncer; it is killed with the test.
pub(crate) struct Pooler {
    child: Child,
    port: u16,
    _folder: TempDir,
}

/// A PgBouncer of this machine.
#[derive(Clone)]
pub(crate) struct Program {
    path: PathBuf,
    /// As 1.18 is (1, 18).
    pub(crate) version: (u32, u32),
}

/// The programs to test with: that of `FORECOURT_PGBOUNCER`, and that of the system.
pub(crate) fn programs() -> Vec<Program> {
    let named = std::env::vars_os().find_map(|(name, value)| (name == "FORECOURT_PGBOUNCER").then_some(value));
    let path = std::env::vars_os().find_map(|(name, value)| (name == "PATH").then_some(value)).unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let in_path = folders.map(|folder| folder.join("pgbouncer")).find(|path| path.exists());
    named.map(PathBuf::from).into_iter().chain(in_path).filter_map(Program::at).collect()
}

impl Program {
    fn at(path: PathBuf) -> Option<Self> {
        let said = Command::new(&path).arg("--version").output().ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        let mut numbers = said.split_whitespace().nth(1)?.split('.').map(|number| number.parse().ok());
        Some(Self { path, version: (numbers.next()??, numbers.next()??) })
    }

    /// Whether it carries prepared statements from one connection to another.
    pub(crate) fn keeps_statements(&self) -> bool {
        self.version >= (1, 21)
    }

    /// Starts it before a database's server.
    pub(crate) async fn start(&self, database: &TestDatabase, mode: &str, rest: &str) -> Pooler {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let socket = database.options.get_socket().unwrap().display().to_string();
        let (server_port, user) = (database.options.get_port(), database.service_options.get_username());
        let is_root = rustix::process::getuid().is_root();
        // It refuses root, and so does the server, whose account it has to be to reach the socket.
        let account = if is_root { format!("user = {}\n", account()) } else { String::new() };
        let kept = if self.keeps_statements() { "max_prepared_statements = 200\n" } else { "" };
        let settings = format!(
            "[databases]\n* = host={socket} port={server_port} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{account}{kept}{rest}"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let open = Command::new("chmod").arg("-R").arg("a+rX").arg(folder.path()).status().unwrap();
        assert!(open.success());
        let child = Command::new(&self.path).arg("-q").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Pooler { child, port, _folder: folder };
        let (began, address) = (Instant::now(), pooler.address(database));
        let plain = address.disable_statement_logging().extra_float_digits(None);
        loop {
            match plain.connect().await {
                Ok(connection) => break connection.close().await.unwrap(),
                Err(error) => assert!(began.elapsed() < Duration::from_secs(20), "the pooler did not start: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        pooler
    }
}

/// The account of the tests' server where they are run by root.
fn account() -> &'static str {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if known.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

impl Pooler {
    /// How to reach the database through it.
    pub(crate) fn address(&self, database: &TestDatabase) -> Address {
        self.url(database).parse().unwrap()
    }

    /// The same as a `DATABASE_URL`.
    pub(crate) fn url(&self, database: &TestDatabase) -> String {
        let (user, name) = (database.service_options.get_username(), &database.name);
        format!("postgres://{user}@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
