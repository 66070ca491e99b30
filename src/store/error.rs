//! What can go wrong between forecourt and Postgres, and whether the same work may succeed later.

use super::flaw::Flaw;
use super::stored::{LoadError, Unreadable};
use crate::domain::state::Lack;

/// What can go wrong between forecourt and Postgres.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("the database refused a statement{}", right(.0))]
    Database(#[from] sqlx::Error),
    /// No transaction could be begun, so that nothing is wrong with what was to be done in it.
    #[error("the database refused or could not be reached{}", advice(.0))]
    Unreachable(#[source] sqlx::Error),
    /// Somebody else writes the workspace, and went on for as long as it was waited for.
    #[error("the workspace is being written by somebody else")]
    Locked,
    /// The server answers, and what it says of itself breaks a law.
    #[error("{}", sentences(.0))]
    Unfit(Vec<Flaw>),
    /// The pooler between us and the server loses prepared statements.
    #[error("{POOLER}")]
    Pooler,
    /// An insert was refused a moment ago.
    #[error("no delivery can be written: {0}")]
    NotWritable(String),
    /// A row does not hold what belongs there.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The rules needed what was not loaded or reserved.
    #[error("the rules needed a row or an id that was not loaded: {0:?}")]
    Lacking(Lack),
    /// What was erased cannot be known again, so that nothing may be applied.
    #[error("{ERASURE_KEY}")]
    ErasureKey,
    /// The tables could not be brought to this version.
    #[error("{0}")]
    Migration(String),
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Database(error) => Self::Database(error),
            LoadError::Unreadable(row) => Self::Unreadable(row),
        }
    }
}

/// SQLSTATE classes and codes after which the same transaction may succeed: connection, transaction rollback (a
/// serialisation failure, a deadlock), resources, operator intervention (a cancelled statement, a shutdown), a lock
/// that was not to be had, a system error such as a disk that does not answer, read-only, and a transaction that was
/// left idle or open for too long, as by a process that was frozen.
const TRANSIENT: [&str; 9] = ["08", "40", "53", "57", "55P03", "58", "25006", "25P03", "25P04"];

/// A prepared statement that is not there, or there already: the connection behind the pooler is not the one before.
const LOST_STATEMENT: [&str; 2] = ["26000", "42P05"];

/// `insufficient_privilege`.
const LACKS_A_RIGHT: &str = "42501";

/// Where Postgres says that a prepared statement's result has another type since a table was changed.
const STALE_PLAN: &str = "RevalidateCachedQuery";

const ERASURE_KEY: &str = "persons were erased in this database with another key than the one that is here, so that what was \
    erased cannot be known again: give every instance the same one by `key_env` or `key_file` in `[erasure]`";

const POOLER: &str = "the pooler before the database gives each transaction another connection and loses prepared \
    statements on the way: use PgBouncer 1.21 or newer with max_prepared_statements above 0, or pool_mode = session";

/// What a pooler says of its own settings, not of a server behind it that is away.
const POOLER_REFUSES: [&str; 5] = [
    "unsupported startup parameter",
    "no such database",
    "no such user",
    "bouncer config error",
    "transaction blocks not allowed",
];

impl Error {
    /// What went wrong, without the values of rows: Postgres puts those into its detail and its message, which are left
    /// out of what a statement was refused for. What is said before any statement holds none.
    #[must_use]
    pub fn without_values(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                let lost = if is_one_of(&code, &LOST_STATEMENT) { format!(": {POOLER}") } else { String::new() };
                let right = of(self).map_or("", right);
                format!("SQLSTATE {code} in {}{lost}{right}", error.table().unwrap_or("a statement"))
            }
            Self::Unreachable(sqlx::Error::Database(error)) => {
                format!("SQLSTATE {} ({}){}", error.code().unwrap_or_default(), error.message(), advice(of(self)))
            }
            Self::Database(error) | Self::Unreachable(error) => if_io(error),
            Self::Locked
            | Self::Unfit(_)
            | Self::Pooler
            | Self::NotWritable(_)
            | Self::Unreadable(_)
            | Self::Lacking(_)
            | Self::ErasureKey
            | Self::Migration(_) => self.to_string(),
        }
    }

    /// What went wrong in one word, for those who may know no more.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(error) | Self::Unreachable(error) => {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
                match code.as_ref() {
                    "" => "unreachable",
                    "3D000" => "no_such_database",
                    LACKS_A_RIGHT => "no_right",
                    "53100" => "disk_full",
                    "53300" => "too_many_connections",
                    "25006" => "read_only",
                    "57P03" => "starting",
                    code if code.starts_with("28") => "login_refused",
                    _ => "refused",
                }
            }
            Self::Locked => "workspace_locked",
            Self::Unfit(_) => "unfit_server",
            Self::Pooler => "unfit_pooler",
            Self::NotWritable(_) => "not_writable",
            Self::Unreadable(_) | Self::Lacking(_) => "internal",
            Self::ErasureKey => "erasure_key",
            Self::Migration(_) => "not_migrated",
        }
    }

    /// Whether the same work may succeed when it is tried again, because nothing is wrong with the work itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => is_transient(error),
            Self::Unreachable(_)
            | Self::Locked
            | Self::Unfit(_)
            | Self::Pooler
            | Self::NotWritable(_)
            | Self::ErasureKey => true,
            Self::Migration(_) | Self::Unreadable(_) | Self::Lacking(_) => false,
        }
    }

    /// Whether a server behind the one that answers is away, so that it concerns only the workspaces that are there.
    #[must_use]
    pub fn is_of_another_server(&self) -> bool {
        of(self).is_some_and(is_of_another_server)
    }

    /// Whether it is one row, or we, that is to blame, and not the database.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Lacking(_) => true,
            Self::Database(_)
            | Self::Unreachable(_)
            | Self::Locked
            | Self::Unfit(_)
            | Self::Pooler
            | Self::NotWritable(_)
            | Self::ErasureKey
            | Self::Migration(_) => false,
        }
    }

    /// Whether the database cannot hold what was to be written: text in its encoding, or so much of it.
    #[must_use]
    pub fn is_of_the_data(&self) -> bool {
        let code = of(self).and_then(|error| error.as_database_error()).and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| is_one_of(&code, &["22", "54"]))
    }

    /// Whether waiting may be enough: the server is away or busy. What else is wrong at a start, a person has to mend.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(error) => is_transient(error),
            Self::Unreachable(error) => is_transient(error) && !is_refusal_of_pooler(error),
            Self::Locked => true,
            Self::Unfit(_)
            | Self::Pooler
            | Self::NotWritable(_)
            | Self::Unreadable(_)
            | Self::Lacking(_)
            | Self::ErasureKey
            | Self::Migration(_) => false,
        }
    }
}

fn of(error: &Error) -> Option<&sqlx::Error> {
    match error {
        Error::Database(error) | Error::Unreachable(error) => Some(error),
        Error::Locked
        | Error::Unfit(_)
        | Error::Pooler
        | Error::NotWritable(_)
        | Error::Unreadable(_)
        | Error::Lacking(_)
        | Error::ErasureKey
        | Error::Migration(_) => None,
    }
}

/// Errors of the connection tell no values.
fn if_io(error: &sqlx::Error) -> String {
    if is_transient(error) { error.to_string() } else { "the database library refused".to_owned() }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's list is open, and what is not named here is poison")]
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            is_one_of(&code, &TRANSIENT) || is_one_of(&code, &LOST_STATEMENT) || is_stale_plan(error.as_ref())
        }
        _ => false,
    }
}

/// Whether a statement that was prepared before a table was changed has to be prepared anew. Its connection goes with
/// its transaction, so that the next try does.
fn is_stale_plan(error: &dyn sqlx::error::DatabaseError) -> bool {
    let routine = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().and_then(|error| error.routine());
    error.code().as_deref() == Some("0A000") && routine == Some(STALE_PLAN)
}

/// Whether it is a pooler that says so, and waiting is no help.
pub(super) fn is_refusal_of_pooler(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    error.code().as_deref() == Some("08P01") && POOLER_REFUSES.iter().any(|said| error.message().contains(said))
}

/// Whether the connection is gone, and another one may be there.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    matches!(error, sqlx::Error::Io(_)) || is_one_of(&code, &["57P05", "57P01"])
}

/// Whether a statement failed for want of a connection, on a connection that is whole: what ends our own is no mere error to
/// Postgres (`FATAL`), so that it is the one from there to another server.
pub(super) fn is_of_another_server(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let Some(said) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() else { return false };
    matches!(said.severity(), sqlx::postgres::PgSeverity::Error)
        && is_one_of(said.code(), &["08", "57P01", "57P02", "57P03"])
        && said.code() != "08P01"
}

/// Whether a lock was not to be had in the time that was given for it.
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
}

pub(super) fn is_lost_statement(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    is_one_of(&code, &LOST_STATEMENT)
}

fn is_one_of(code: &str, known: &[&str]) -> bool {
    known.iter().any(|known| code.starts_with(known))
}

/// What a person may do about a statement that the user may not run.
fn right(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some(LACKS_A_RIGHT) { advice(error) } else { "" }
}

/// What a person may do about it.
fn advice<'e>(error: impl Into<Option<&'e sqlx::Error>>) -> &'static str {
    let Some(error) = error.into().and_then(|error| error.as_database_error()) else { return "" };
    let code = error.code().unwrap_or_default();
    match code.as_ref() {
        "28P01" | "28000" => ": check the user and the password in the database's address",
        "3D000" => ": there is no such database; make it, or check its name in the address",
        LACKS_A_RIGHT => {
            ": the user lacks a right; let it own the database, or give it its rights with `forecourt grant`"
        }
        "25006" => ": this server takes no writes; name the one that does",
        "08P01" if error.message().contains("startup parameter") => {
            ": the pooler takes no startup parameters; take `options` out of the database's address and PGOPTIONS"
        }
        "08P01" if error.message().contains("transaction blocks") => {
            ": forecourt needs transactions; set pool_mode = transaction or session in the pooler"
        }
        _ => "",
    }
}

fn sentences(flaws: &[Flaw]) -> String {
    flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
