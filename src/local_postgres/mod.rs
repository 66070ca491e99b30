//! The private Postgres of first runs and of tests.
//!
//! A machine with PostgreSQL installed (or with npm, which can get it) needs no database set up by hand: this starts a
//! server of our own under a data directory, reachable over a Unix socket that nobody else may enter, without port or
//! password. It cannot outlive us, is started again when it dies, and stays readable after any kind of death.
//!
//! The parts: `options` says how it is started, `search`, `binaries` and `npm` find the programs, `account` says as
//! whom they run, `cluster` knows the files, `process` ties a child to our life, `server` starts, watches and stops it.

mod account;
mod binaries;
mod cluster;
mod error;
mod npm;
mod options;
mod process;
mod search;
mod server;

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection};

use account::Account;
use cluster::Layout;
pub use error::Error;
pub use options::{Durability, Options};
use options::{PORT, SUPERUSER};
use server::{Files, StartConfig, Supervisor};

/// A running private Postgres. Dropped, it is told to stop; [`LocalPostgres::stop`] also waits until it has.
pub struct LocalPostgres {
    supervisor: Supervisor,
    socket_dir: PathBuf,
    log: PathBuf,
}

impl LocalPostgres {
    /// Starts the server, in a new cluster if there is none yet, and returns when it takes connections.
    ///
    /// # Errors
    ///
    /// Every [`Error`] but those of a statement: no programs, no account, no access, in use, wrong version, no start.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let start = move || Self::start_blocking(&options);
        tokio::task::spawn_blocking(start).await.map_err(broken_off)?
    }

    /// [`LocalPostgres::start`] for threads without a runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start_blocking(options: &Options) -> Result<Self, Error> {
        let layout = Layout::below(&options.data_dir)?;
        let account = Account::choose(&layout.cluster)?;
        layout.furnish(&account)?;
        let lock = layout.lock()?;
        let (socket_dir, log, home) = (layout.socket_dir.clone(), layout.log.clone(), layout.home.clone());
        let started = prepare(options, layout, account).and_then(|start_config| Supervisor::start(start_config, lock));
        if let (Err(_), Durability::Throwaway) = (&started, options.durability) {
            let _best_effort = std::fs::remove_dir_all(&home);
        }
        Ok(Self { supervisor: started?, socket_dir, log })
    }

    /// How to connect to one of its databases.
    #[must_use]
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        options_by(&self.socket_dir, database)
    }

    /// How to connect to a database of the server that another process runs below the data directory.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::SocketPathTooLong`], as for a start.
    pub fn connect_options_of_another(data_dir: &Path, database: &str) -> Result<PgConnectOptions, Error> {
        Ok(options_by(&Layout::below(data_dir)?.socket_dir, database))
    }

    /// A command line for a shell that opens one of its databases in `psql`.
    #[must_use]
    pub fn psql_command(&self, database: &str) -> String {
        let host = quoted(&self.socket_dir.to_string_lossy());
        format!("psql -h {host} -p {PORT} -U {SUPERUSER} -d {}", quoted(database))
    }

    /// Makes a database if there is none of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the server refuses, or is away.
    pub async fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let refused = |source| Error::Database { database: name.to_owned(), source };
        let mut connection =
            sqlx::PgConnection::connect_with(&self.connect_options("postgres")).await.map_err(refused)?;
        let known = sqlx::query_scalar("select exists (select from pg_database where datname = $1)").bind(name);
        if !known.fetch_one(&mut connection).await.map_err(refused)? {
            let create = format!("create database \"{}\"", name.replace('"', "\"\""));
            let created = sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await;
            match created {
                // Somebody else may have made it since we looked.
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => {}
                Err(error) => return Err(refused(error)),
                Ok(_) => {}
            }
        }
        connection.close().await.map_err(refused)
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.supervisor.pid()
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Stops the server, whoever is connected, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When the system lets us start no process, or the thread that watches the server is gone.
    pub async fn stop(self) -> Result<(), Error> {
        self.end(Files::AsMeant).await
    }

    /// Stops the server but keeps its files, also those of a throwaway cluster, for another start with the same options.
    ///
    /// # Errors
    ///
    /// As for [`LocalPostgres::stop`].
    pub async fn stop_and_keep(self) -> Result<(), Error> {
        self.end(Files::Keep).await
    }

    async fn end(self, files: Files) -> Result<(), Error> {
        tokio::task::spawn_blocking(move || self.supervisor.stop(files)).await.map_err(broken_off)?
    }
}

fn options_by(socket_dir: &Path, database: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().socket(socket_dir).port(PORT);
    options.username(SUPERUSER).database(database).ssl_mode(PgSslMode::Disable)
}

/// Everything before the start, with the lock held: programs, a cluster, and no traces of an earlier life.
fn prepare(options: &Options, layout: Layout, account: Account) -> Result<StartConfig, Error> {
    let major = layout.major_version();
    let binaries = search::find(options, major.map(|major| (major, layout.cluster.as_path())))?;
    account.must_reach(&binaries.program("postgres"))?;
    layout.turn_log()?;
    layout.clear_half_made()?;
    let start_config = StartConfig { layout, account, binaries, durability: options.durability };
    if major.is_none() {
        start_config.make_cluster()?;
    }
    Ok(start_config)
}

/// The work was done on a thread that panicked or was cut off with its runtime.
fn broken_off(error: impl std::fmt::Display) -> Error {
    Error::BrokenOff { detail: error.to_string() }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_is_quoted_only_where_it_must_be() {
        assert_eq!(quoted("/var/lib/forecourt/postgres/socket"), "/var/lib/forecourt/postgres/socket");
        assert_eq!(quoted("/Users/Jo's data"), r"'/Users/Jo'\''s data'");
        assert_eq!(quoted(""), "''");
    }
}
