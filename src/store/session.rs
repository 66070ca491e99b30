//! The session that the laws rely on, made anew by each transaction: whatever the role, the database or a pooler says,
//! it begins with what stands here. `docs/session.md` says the same of every setting that a session can have.
//!
//! All of it is one message, because each would be answered before the next is sent.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row as _};

use super::error::{self, Error};

/// How every transaction begins.
///
/// The tables are named in `public` alone: a schema that happens to bear the role's name, or temporary tables that
/// somebody else left in a pooler's connection, are never looked at first.
pub(super) const BEGIN: &str = concat!(
    "begin isolation level read committed read write",
    "; set local search_path = public, pg_temp",
    // Deadlines are ours. What is left idle was left by a process that stands still, and must let go of its locks.
    "; set local statement_timeout = 0",
    "; set local lock_timeout = 0",
    "; set local idle_in_transaction_session_timeout = '60s'",
    // How texts are read and written.
    "; set local client_encoding = 'UTF8'",
    "; set local timezone = 'UTC'",
    "; set local datestyle = 'ISO, MDY'",
    "; set local intervalstyle = 'postgres'",
    "; set local bytea_output = 'hex'",
    "; set local extra_float_digits = 1",
    "; set local standard_conforming_strings = on",
    "; set local array_nulls = on",
    "; set local transform_null_equals = off",
    // A look-up finds all there is, or fails.
    "; set local row_security = off",
    "; set local gin_fuzzy_search_limit = 0",
    // Every look-up has an index, so that nothing needs to be read from end to end; and what Postgres believes to be
    // costly is not, and would be compiled for longer than it runs.
    "; set local enable_seqscan = off",
    "; set local enable_indexscan = on",
    "; set local enable_nestloop = on",
    // Row by row, whatever the statistics say: to gather what several indexes give, or what a whole workspace has, and
    // to compare that with a few keys, looks cheap where a table is believed to be small.
    "; set local enable_bitmapscan = off",
    "; set local enable_hashjoin = off",
    "; set local enable_mergejoin = off",
    "; set local from_collapse_limit = 8",
    "; set local join_collapse_limit = 8",
    "; set local max_parallel_workers_per_gather = 0",
    "; set local jit = off",
    // Notices tell of nothing that a person should do; and values of rows stay out of the server's log.
    "; set local client_min_messages = warning",
    "; set local log_parameter_max_length_on_error = 0",
);

/// Statements are planned for the values of each call until the tables have statistics: a plan kept from an empty table
/// is wrong on a full one.
pub(super) const PLANS_ANEW: &str = "; set local plan_cache_mode = force_custom_plan";
/// From then on plans are kept.
pub(super) const PLANS_KEPT: &str = "; set local plan_cache_mode = force_generic_plan";

/// What bodies are read by: each is looked up by its key. While Postgres has no statistics of a month, it would rather read
/// all of it.
pub(super) const BY_KEY: &str = "set local enable_hashjoin = off; set local enable_mergejoin = off";

/// What is read for a person who looks on is given up after this time, and is planned for what is asked: a plan for any number of
/// rows and any time would sort all that ever arrived, to give the newest few.
pub(super) const FOR_A_PERSON: &str =
    "set local statement_timeout = '2s'; set local plan_cache_mode = force_custom_plan";

/// How rows are counted that are most of their table, which is cheaper from end to end.
pub(super) const WHOLE_TABLES: &str = "set local enable_seqscan = on";

/// How a person looks things up: nothing is written, and nobody waits for long.
pub(super) const LOOK_UP: &str = "set local statement_timeout = '5s'; set local transaction_read_only = on";

/// What has been answered is on disk, and on the standby that the server waits for.
pub(super) const COMMITS_ON_DISK: &str = "; set local synchronous_commit = on";
/// Stronger yet, where the server says so: what has been answered can be seen on the standby.
pub(super) const COMMITS_APPLIED: &str = "; set local synchronous_commit = remote_apply";

/// Since PostgreSQL 17.
pub(super) const NO_TRANSACTION_TIMEOUT: &str = "; set local transaction_timeout = 0";

/// What else a migration needs. Tables can be written row by row and have indexes of every kind; bulk moves may read a
/// table from end to end; and what waits for a lock does not hold up everybody behind it for ever.
pub(super) const MIGRATION: &str = concat!(
    "; set local default_table_access_method = heap",
    "; set local enable_seqscan = on",
    "; set local enable_bitmapscan = on",
    "; set local enable_hashjoin = on",
    "; set local enable_mergejoin = on",
    "; set local check_function_bodies = on",
    "; set local lock_timeout = '60s'",
);

/// What spreads tables over several servers: the tables that are not spread yet are left as they are while others refer to
/// them, and the parts of a table are written one after the other, because foreign keys connect them with tables that were
/// written in the same transaction.
pub(super) const DISTRIBUTION: &str = "set local citus.enable_local_reference_table_foreign_keys = off; \
    set local citus.multi_shard_modify_mode = 'sequential'";

/// The first statement fails where another one has: what a failed statement has undone is never taken for committed.
const COMMIT: &str = "set local jit = off; commit";
const ROLLBACK: &str = "rollback";

/// A transaction. Dropped before its end, it takes its connection with it: whatever was wrong there, a plan that holds
/// no more or a pooler that mixed up its connections, is gone with it, and the next try has a new one.
#[derive(Debug)]
pub struct Transaction {
    connection: PoolConnection<Postgres>,
    ended: bool,
    workspace_version: Option<i64>,
    /// Whether anything was erased in the workspace that it was begun for.
    has_erasures: bool,
}

impl Transaction {
    /// Begins one on a connection of the pool. What the message returns is the row of the workspace's lock,
    /// and whether anything was erased there.
    pub(super) async fn begin(connection: PoolConnection<Postgres>, sql: &str) -> Result<Self, sqlx::Error> {
        let mut transaction = Self { connection, ended: false, workspace_version: None, has_erasures: false };
        let message = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match message.fetch_all(&mut *transaction.connection).await {
            Ok(rows) => {
                transaction.workspace_version = rows.iter().find_map(|row| row.try_get("version").ok());
                transaction.has_erasures = rows.iter().any(|row| row.try_get("erasures").unwrap_or(false));
                Ok(transaction)
            }
            Err(refusal) => {
                // Somebody else has the workspace, or its server is away behind the one that answers, and nothing is wrong with
                // the connection: the next try needs one.
                if error::is_lock_timeout(&refusal) || error::is_of_another_server(&refusal) {
                    transaction.ended = run(&mut transaction.connection, ROLLBACK).await.is_ok();
                }
                Err(refusal)
            }
        }
    }

    /// The version that the workspace has once this is committed; none where no workspace was asked for.
    #[must_use]
    pub fn workspace_version(&self) -> Option<i64> {
        self.workspace_version
    }

    /// Whether anything was erased in the workspace that was asked for.
    #[must_use]
    pub fn has_erasures(&self) -> bool {
        self.has_erasures
    }

    /// Makes it last.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached; then it may have been committed all the same.
    pub async fn commit(mut self) -> Result<(), Error> {
        run(&mut self.connection, COMMIT).await?;
        self.ended = true;
        Ok(())
    }

    /// Undoes it.
    ///
    /// # Errors
    /// When Postgres cannot be reached; it is undone all the same.
    pub async fn rollback(mut self) -> Result<(), Error> {
        run(&mut self.connection, ROLLBACK).await?;
        self.ended = true;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

/// Runs statements that hold nothing but our own words and numbers, as one message.
pub(super) async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}

/// Asks what stands in no catalogue that queries could be checked by.
pub(super) async fn ask(connection: &mut PgConnection, sql: &'static str) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::raw_sql(sql).fetch_all(connection).await
}
