//! The server that a connection leads to: what it says of itself, and what of that breaks a law.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _};

use super::error::Error;
use super::error::{is_lost_statement, is_refusal_of_pooler};
use super::flaw::Flaw;
use super::session;

/// Settings that a service must not rely on, and cannot set: those of the server, and those that only a superuser may
/// set.
const SETTINGS: [(&str, &str, &str); 5] = [
    ("fsync", "on", "a machine that loses power loses what was answered 200"),
    ("full_page_writes", "on", "a machine that loses power may leave tables that cannot be read"),
    ("session_replication_role", "origin", "foreign keys are not checked"),
    ("zero_damaged_pages", "off", "pages that are damaged are emptied without a word"),
    ("ignore_checksum_failure", "off", "pages that are damaged are taken for good"),
];

/// PostgreSQL 14.
const OLDEST: i32 = 140_000;
/// The first that has `transaction_timeout`.
const WITH_TRANSACTION_TIMEOUT: i32 = 170_000;

/// What the newest connection found out, for all of them.
#[derive(Debug, Default)]
pub(super) struct Server {
    version: AtomicI32,
    applies_remotely: AtomicBool,
    has_citus: AtomicBool,
    /// What breaks a law and was not so at the start.
    unfit: Mutex<Vec<Flaw>>,
    /// What breaks a law and is put up with.
    put_up_with: Vec<Flaw>,
    allow_unsafe: bool,
}

impl Server {
    /// What every transaction on it begins with, beside what is the same everywhere.
    pub(super) fn sql(&self) -> impl Iterator<Item = &'static str> {
        let commits = if self.applies_remotely.load(Ordering::Relaxed) {
            session::COMMITS_APPLIED
        } else {
            session::COMMITS_ON_DISK
        };
        let has_timeout = self.version.load(Ordering::Relaxed) >= WITH_TRANSACTION_TIMEOUT;
        [Some(commits), has_timeout.then_some(session::NO_TRANSACTION_TIMEOUT)].into_iter().flatten()
    }

    /// Whether tables may be spread over several servers.
    pub(super) fn has_citus(&self) -> bool {
        self.has_citus.load(Ordering::Relaxed)
    }

    /// What breaks a law since a connection found it so.
    pub(super) fn unfit(&self) -> Vec<Flaw> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What breaks a law and is put up with.
    pub(super) fn put_up_with(&self) -> &[Flaw] {
        &self.put_up_with
    }

    fn note(&self, seen: &Seen) {
        self.version.store(seen.version, Ordering::Relaxed);
        self.applies_remotely.store(seen.applies_remotely, Ordering::Relaxed);
        self.has_citus.store(seen.has_citus, Ordering::Relaxed);
        let mut flaws = seen.flaws(self.allow_unsafe);
        flaws.retain(|flaw| !self.put_up_with.contains(flaw));
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner) = flaws;
    }
}

/// What a server says of itself.
struct Seen {
    version: i32,
    encoding: String,
    applies_remotely: bool,
    has_citus: bool,
    settings: Vec<String>,
}

impl Seen {
    fn flaws(&self, allow_unsafe: bool) -> Vec<Flaw> {
        let old = (self.version < OLDEST).then_some(Flaw::TooOld(self.version / 10_000));
        let encoding = (self.encoding != "UTF8").then(|| Flaw::Encoding(self.encoding.clone()));
        let settings = SETTINGS.into_iter().zip(&self.settings).filter(|((_, wanted, _), value)| value != wanted);
        let settings = settings.filter(|_| !allow_unsafe).map(|((setting, wanted, why), value)| Flaw::Setting {
            setting,
            value: value.clone(),
            why,
            wanted,
        });
        old.into_iter().chain(encoding).chain(settings).collect()
    }
}

/// How long a connection is waited for. While the server refuses connections the pool asks again and again, with pauses
/// up to a fifth of this: the shorter it is, the sooner a server that is back is found.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long a connection may rest before it is asked whether it is still there.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// How long the second connection is waited for that shows whether a pooler keeps prepared statements.
const SECOND: Duration = Duration::from_secs(2);

/// What a start puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// A server that may lose what it has committed is as good as any.
    pub allow_unsafe: bool,
    /// What breaks a law is told and put up with.
    pub puts_up: PutsUp,
}

/// When a server that breaks a law is put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutsUp {
    /// Never: nothing has been kept there yet.
    Never,
    /// Where our tables are there.
    WithTables,
    /// Always: it was so yesterday, and senders do not wait.
    Always,
}

/// Connects a pool to a server, which is looked at before it is relied on.
pub(super) async fn connect(
    options: PgConnectOptions,
    connections: u32,
    demands: Demands,
) -> Result<(PgPool, Arc<Server>), Error> {
    // What is not the protocol's own, a pooler does not take.
    let options = options.application_name("forecourt").extra_float_digits(None);
    let Demands { allow_unsafe, puts_up } = demands;
    // Not through the pool, which would go on asking a server that refuses.
    let looking = tokio::time::timeout(PATIENCE, look_first(&options, puts_up));
    let (seen, tolerant) = looking.await.unwrap_or(Err(Error::Unreachable(sqlx::Error::PoolTimedOut)))?;
    let put_up_with = seen.flaws(allow_unsafe);
    if !put_up_with.is_empty() && !tolerant {
        return Err(Error::Unfit(put_up_with));
    }
    let server = Server { put_up_with, allow_unsafe, ..Server::default() };
    server.note(&seen);
    let server = Arc::new(server);
    Ok((pool(options, connections, &server), server))
}

fn pool(options: PgConnectOptions, connections: u32, server: &Arc<Server>) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    // One that was used a moment ago is not asked whether it is still there.
    let pool = pool.test_before_acquire(false).before_acquire(|connection, used| {
        Box::pin(async move {
            let rested = used.idle_for > PING_AFTER_IDLE;
            Ok(!rested || connection.ping().await.is_ok())
        })
    });
    let server = Arc::clone(server);
    let pool = pool.after_connect(move |connection, _new| {
        let server = Arc::clone(&server);
        Box::pin(async move {
            server.note(&look(connection).await?);
            Ok(())
        })
    });
    pool.connect_lazy_with(options)
}

/// What the server says of itself, and whether it is put up with whatever that is.
async fn look_first(options: &PgConnectOptions, puts_up: PutsUp) -> Result<(Seen, bool), Error> {
    let mut connection = options.connect().await.map_err(Error::Unreachable)?;
    let seen = look(&mut connection).await.map_err(Error::Unreachable)?;
    let tolerant = match puts_up {
        PutsUp::Never => false,
        PutsUp::Always => true,
        PutsUp::WithTables => value(&mut connection, HAS_TABLES).await.map_err(Error::Unreachable)? == "true",
    };
    keeps_statements(options, &mut connection).await?;
    // Whether it takes leave does not matter.
    let _ = connection.close().await;
    Ok((seen, tolerant))
}

/// In one message and its own transaction, as every statement.
async fn look(connection: &mut PgConnection) -> Result<Seen, sqlx::Error> {
    let of = |setting: &str| format!("coalesce(current_setting('{setting}', true), '')");
    let settings = SETTINGS.map(|(setting, ..)| of(setting)).join(", ");
    let question = format!(
        "{begin}; select {version}, {encoding}, {commits}, {HAS_CITUS}, {settings}; commit",
        begin = session::BEGIN,
        version = of("server_version_num"),
        encoding = of("server_encoding"),
        commits = of("synchronous_commit"),
    );
    let row = only(connection, &question).await?;
    let text = |index: usize| row.try_get::<String, _>(index);
    let settings = (0..SETTINGS.len()).map(|index| text(index + 4)).collect::<Result<_, _>>()?;
    Ok(Seen {
        version: text(0)?.parse().unwrap_or_default(),
        encoding: text(1)?,
        applies_remotely: text(2)? == "remote_apply",
        has_citus: text(3)? == "true",
        settings,
    })
}

const HAS_CITUS: &str = "(to_regclass('pg_catalog.pg_dist_partition') is not null)::text";
const HAS_TABLES: &str = "(to_regclass('intake.deliveries') is not null)::text";

async fn value(connection: &mut PgConnection, expression: &str) -> Result<String, sqlx::Error> {
    only(connection, &format!("{}; select {expression}; commit", session::BEGIN)).await?.try_get(0)
}

async fn only(connection: &mut PgConnection, sql: &str) -> Result<PgRow, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await
}

/// Whether what one transaction has prepared is there for the next one of the same connection, also while another
/// connection has a transaction open: a pooler that shares out its connections by transaction must see to that.
async fn keeps_statements(options: &PgConnectOptions, first: &mut PgConnection) -> Result<(), Error> {
    let shared = async {
        prepared(first).await?;
        session::run(first, "commit").await?;
        let mut second = options.connect().await?;
        // Takes the connection that the first one had.
        prepared(&mut second).await?;
        prepared(first).await?;
        session::run(first, "commit").await?;
        session::run(&mut second, "commit").await?;
        second.close().await
    };
    match tokio::time::timeout(SECOND, shared).await {
        Ok(Err(error)) if is_lost_statement(&error) => Err(Error::Pooler),
        Ok(Err(error)) if is_refusal_of_pooler(&error) => Err(Error::Unreachable(error)),
        // No second connection is to be had now, and it was only to show something.
        other => {
            tracing::debug!(?other, "whether prepared statements are kept is not known");
            Ok(())
        }
    }
}

/// Begins a transaction and asks what is prepared at the first time.
async fn prepared(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    session::run(connection, session::BEGIN).await?;
    sqlx::query_scalar!(r#"select current_database()::text as "name!""#).fetch_one(connection).await?;
    Ok(())
}
