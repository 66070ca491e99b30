//! The database of the benchmark: a durable Postgres as forecourt starts it, and `pgbench` against it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use forecourt::local_postgres::{Durability, LocalPostgres, Options};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::load::percentile;
use crate::{Fallible, usage};

/// Deletes a folder once whoever holds its standard input is gone.
const SWEEP: &str = r#"trap "" INT TERM HUP; cat >/dev/null; until rm -rf "$1" 2>/dev/null; do sleep 1; done"#;

/// A running server.
pub(crate) struct Server {
    local: LocalPostgres,
    dir: PathBuf,
    pgbench: PathBuf,
    /// Deletes the folder also where this process is killed.
    _sweeper: Child,
}

/// What `pgbench` did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pgbench {
    /// Transactions a second.
    pub(crate) rate: f64,
    /// How long half of them took at the most, in milliseconds.
    pub(crate) p50: f64,
    /// How long ninety-nine of a hundred took at the most, in milliseconds.
    pub(crate) p99: f64,
    /// How long the slowest took, in milliseconds.
    pub(crate) max: f64,
    /// How many there were.
    pub(crate) count: f64,
}

impl Server {
    /// Starts a new server in a folder.
    pub(crate) async fn start(dir: &Path) -> Fallible<Self> {
        std::fs::create_dir_all(dir)?;
        let sweeper = Command::new("/bin/sh")
            .args(["-c", SWEEP, "sh"])
            .arg(dir)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let path = std::env::vars_os().find_map(|(name, value)| (name == "PATH").then_some(value));
        let local = LocalPostgres::start(Options::new(dir, Durability::Durable, path)).await?;
        let mut server = Self { local, dir: dir.to_owned(), pgbench: PathBuf::new(), _sweeper: sweeper };
        let programs: String = server.value("postgres", "select setting from pg_config where name = 'BINDIR'").await?;
        server.pgbench = Path::new(&programs).join("pgbench");
        Ok(server)
    }

    /// Stops the server and deletes its folder.
    pub(crate) async fn stop(self) -> Fallible {
        self.local.stop().await?;
        Ok(std::fs::remove_dir_all(&self.dir)?)
    }

    /// The folder, for files that go with the database.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes an empty database.
    pub(crate) async fn create(&self, name: &str) -> Fallible {
        Ok(self.local.ensure_database(name).await?)
    }

    /// Makes a copy of a database to which nobody is connected, and writes everything to disk.
    pub(crate) async fn copy(&self, template: &str, name: &str) -> Fallible {
        let version: i32 = self.value("postgres", "select current_setting('server_version_num')::int").await?;
        let strategy = if version >= 150_000 { "strategy file_copy" } else { "" };
        self.execute("postgres", &format!("create database {name} template {template} {strategy}")).await?;
        self.execute("postgres", "checkpoint").await
    }

    /// Deletes a database.
    pub(crate) async fn drop(&self, name: &str) -> Fallible {
        self.execute("postgres", &format!("drop database if exists {name} with (force)")).await
    }

    /// Runs statements.
    pub(crate) async fn execute(&self, database: &str, sql: &str) -> Fallible {
        let mut connection = self.connect(database).await?;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// The one value that a query returns.
    pub(crate) async fn value<T>(&self, database: &str, sql: &str) -> Fallible<T>
    where
        T: for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut connection = self.connect(database).await?;
        let value = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(value)
    }

    /// A connection of its own, as a superuser.
    pub(crate) async fn connect(&self, database: &str) -> Fallible<PgConnection> {
        Ok(self.options(database).disable_statement_logging().connect().await?)
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        self.local.connect_options(database)
    }

    /// A `DATABASE_URL` for a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let options = self.options(database);
        let socket = self.socket_dir(&options).replace('/', "%2F");
        format!("postgres://{}@localhost/{database}?host={socket}&sslmode=disable", options.get_username())
    }

    fn socket_dir(&self, options: &PgConnectOptions) -> String {
        options.get_socket().unwrap_or(&self.dir).display().to_string()
    }

    /// How many bytes of write-ahead log there are so far.
    pub(crate) async fn wal(&self) -> Fallible<f64> {
        self.value("postgres", "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8").await
    }

    /// The processor time of all of its processes so far, in seconds.
    pub(crate) fn cpu(&self) -> Option<f64> {
        usage::family_cpu(self.local.pid())
    }

    /// Lets `pgbench` run a script for so many seconds.
    pub(crate) async fn pgbench(&self, database: &str, script: &str, clients: u32, seconds: u64) -> Fallible<Pgbench> {
        let folder = self.dir.join("pgbench");
        std::fs::create_dir_all(&folder)?;
        let (file, log) = (folder.join("script.sql"), folder.join("log"));
        std::fs::write(&file, script)?;
        let options = self.options(database);
        let mut command = tokio::process::Command::new(&self.pgbench);
        command.args(["--no-vacuum", "--protocol=prepared", "--log", "--log-prefix"]).arg(&log);
        command.arg(format!("--client={clients}")).arg(format!("--jobs={clients}")).arg(format!("--time={seconds}"));
        command.arg("--file").arg(&file).args(["-h", &self.socket_dir(&options), "-U", options.get_username()]);
        command.arg(database).stdin(Stdio::null()).kill_on_drop(true);
        let said = command.output().await?;
        if !said.status.success() {
            return Err(format!("pgbench: {}", String::from_utf8_lossy(&said.stderr)).into());
        }
        let latencies = latencies(&folder)?;
        std::fs::remove_dir_all(&folder)?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let millis = |share: f64| percentile(&latencies, share).as_secs_f64() * 1_000.0;
        Ok(Pgbench {
            rate: rate.ok_or("pgbench did not tell its rate")?,
            p50: millis(0.5),
            p99: millis(0.99),
            max: millis(1.0),
            count: crate::load::count(latencies.len()),
        })
    }
}

/// The latencies in the logs of a `pgbench`, sorted: the third number of each line, in microseconds.
fn latencies(folder: &Path) -> Fallible<Vec<Duration>> {
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log")) {
            let text = std::fs::read_to_string(path)?;
            let micros = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
            latencies.extend(micros.map(Duration::from_micros));
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}
