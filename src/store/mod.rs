//! All SQL: what is loaded before the rules run, and what is saved after. [`load`] and [`save`] show the order of reads
//! and writes on one screen; each noun's statements stand in the file that bears its name.

mod appointments;
mod bookings;
pub mod choice;
mod clusters;
mod content;
pub mod deliveries;
pub mod drift;
mod identifiers;
mod known;
mod lead_lists;
mod lead_words;
mod leads;
mod listing_lists;
mod listings;
mod lists;
mod persons;
mod places;
mod properties;
mod record;
pub mod rejected;
pub mod repetition;
pub mod rereading;
pub mod statistics;
mod stored;
pub mod workspaces;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, Transaction};

use crate::domain::keys::Keys;
use crate::domain::values::Email;
use crate::domain::world::{Lack, RowId, Tenant};
use stored::LoadError;
pub use stored::Unreadable;

/// What can go wrong between forecourt and Postgres.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement or the connection failed.
    #[error("the database refused or could not be reached")]
    Database(#[from] sqlx::Error),
    /// A row does not hold what belongs there.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The rules needed what was not loaded or reserved.
    #[error("the rules needed a row or an id that was not loaded: {0:?}")]
    Lacking(Lack),
    /// The server is older than forecourt can use.
    #[error("the server is PostgreSQL {0}: use 14 or newer")]
    TooOld(i32),
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

/// SQLSTATE classes and codes after which the same transaction may succeed: connection, resources, operator
/// intervention, serialisation, deadlock, read-only, and a transaction that was left idle for too long, as by a process
/// that was frozen.
const TRANSIENT: [&str; 7] = ["08", "53", "57P", "40001", "40P01", "25006", "25P03"];

impl Error {
    /// What went wrong, without the values of rows: Postgres puts those into its detail, which is left out.
    #[must_use]
    pub fn without_values(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                format!("SQLSTATE {} in {}", error.code().unwrap_or_default(), error.table().unwrap_or("a statement"))
            }
            Self::Unreadable(_) | Self::Lacking(_) => self.to_string(),
            Self::Database(_) | Self::Migration(_) | Self::TooOld(_) => "the database library refused".to_owned(),
        }
    }

    /// Whether the same work may succeed when it is tried again, because nothing is wrong with the work itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => is_transient(error),
            Self::TooOld(_) | Self::Migration(_) | Self::Unreadable(_) | Self::Lacking(_) => false,
        }
    }

    /// Whether it is one row, or we, that is to blame, and not the database.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Lacking(_) => true,
            Self::Database(_) | Self::TooOld(_) | Self::Migration(_) => false,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's list is open, and what is not named here is poison")]
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| TRANSIENT.iter().any(|known| code.starts_with(known)))
        }
        _ => false,
    }
}

/// How to connect to a database.
pub type Address = PgConnectOptions;

/// A connection, as the one of a transaction.
pub type Connection = PgConnection;

/// The database, with ids reserved for new rows.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    reserved: Arc<Mutex<Vec<RowId>>>,
    booking_retry_days: i64,
    keeps_plans: Arc<AtomicBool>,
}

/// How many ids are reserved at a time at the least.
const ID_BLOCK: usize = 1_000;

impl Store {
    /// A store over a pool. Blocked bookings are tried again for so many days from the lead's arrival.
    #[must_use]
    pub fn new(pool: PgPool, booking_retry_days: i64) -> Self {
        Self { pool, reserved: Arc::default(), booking_retry_days, keeps_plans: Arc::default() }
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a transaction that has a workspace to itself, among all processes.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub async fn begin(&self, workspace: Option<RowId>) -> Result<Transaction<'static, Postgres>, Error> {
        // One message for all of it, because each would be answered before the next is sent. What stands in it is a number.
        let mut words = String::from("begin");
        if self.keeps_plans.load(Ordering::Relaxed) {
            words.push_str("; set local plan_cache_mode = force_generic_plan");
        }
        if let Some(workspace) = workspace {
            let lock = format!("; select pg_advisory_xact_lock(hashtextextended('forecourt workspace', {workspace}))");
            words.push_str(&lock);
        }
        Ok(self.pool.begin_with(AssertSqlSafe(words)).await?)
    }

    /// Takes ids for new rows from those reserved, and reserves more where they do not suffice.
    async fn take_ids(&self, tx: &mut PgConnection, count: usize) -> Result<Vec<RowId>, Error> {
        let mut ids = {
            let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = reserved.len().saturating_sub(count);
            reserved.split_off(keep)
        };
        if ids.len() < count {
            let block = i64::try_from(count.max(ID_BLOCK)).unwrap_or(i64::MAX);
            let more =
                sqlx::query_scalar!(r#"select nextval('row_ids') as "id!" from generate_series(1, $1::bigint)"#, block)
                    .fetch_all(tx)
                    .await?;
            ids.extend(more);
        }
        descend(&mut ids);
        Ok(ids)
    }

    /// Gives back the ids that a batch did not need.
    fn return_ids(&self, ids: Vec<RowId>) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.extend(ids);
        descend(&mut reserved);
    }

    /// From now on plans are kept.
    fn keep_plans(&self) {
        self.keeps_plans.store(true, Ordering::Relaxed);
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether Postgres answers and can be written to.
    ///
    /// # Errors
    /// When it does not, or cannot.
    pub async fn probe(&self) -> Result<(), Error> {
        let read_only = sqlx::query_scalar!(r#"select pg_is_in_recovery() as "read_only!""#).fetch_one(&self.pool);
        if read_only.await? {
            return Err(Error::Database(sqlx::Error::Protocol("the server is a read-only standby".to_owned())));
        }
        Ok(())
    }
}

/// Puts the smallest ids last, where they are taken from: later rows have greater ids.
fn descend(ids: &mut [RowId]) {
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
}

/// Connects a pool. Statements are planned for the values of each call until the tables have statistics: a plan kept from an
/// empty table is wrong on a full one. Every look-up has an index, so that nothing needs to be read from end to end.
///
/// # Errors
/// When Postgres cannot be reached.
pub async fn connect(options: Address, connections: u32) -> Result<PgPool, Error> {
    let options = options.application_name("forecourt").options([
        ("plan_cache_mode", "force_custom_plan"),
        ("enable_seqscan", "off"),
        // What Postgres believes to be costly is not, and would be compiled for longer than it runs.
        ("jit", "off"),
        ("timezone", "UTC"),
        // Notices tell of nothing that a person should do.
        ("client_min_messages", "warning"),
        ("idle_in_transaction_session_timeout", "60s"),
    ]);
    // Not through the pool, which would go on asking a server that refuses.
    let version = tokio::time::timeout(PATIENCE, version(&options));
    let version = version.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    if version < OLDEST_SERVER {
        return Err(Error::TooOld(version / 10_000));
    }
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    // One that was used a moment ago is not asked whether it is still there.
    let pool = pool.test_before_acquire(false).before_acquire(|connection, used| {
        Box::pin(async move {
            let rested = used.idle_for > UNASKED;
            Ok(!rested || connection.ping().await.is_ok())
        })
    });
    Ok(pool.connect_lazy_with(options))
}

async fn version(options: &Address) -> Result<i32, sqlx::Error> {
    let mut connection = options.connect().await?;
    let version = sqlx::query_scalar!(r#"select current_setting('server_version_num')::int as "version!""#);
    let version = version.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

/// How long a connection is waited for. While the server refuses connections the pool asks again and again, with pauses
/// up to a fifth of this: the shorter it is, the sooner a server that is back is found.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long a connection may rest before it is asked whether it is still there.
const UNASKED: Duration = Duration::from_secs(1);

/// PostgreSQL 14.
const OLDEST_SERVER: i32 = 140_000;

/// Brings the tables to this version, one process at a time.
///
/// # Errors
/// With a sentence that says what to do, when a migration failed or the database has one that this version lacks.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's list is open, and the rest is told in one sentence")]
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    use sqlx::migrate::MigrateError;
    let done = sqlx::migrate!().run(pool).await;
    done.map_err(|error| match error {
        MigrateError::VersionMissing(version) => Error::Migration(format!(
            "the database has migration {version}, which this version of forecourt does not know: \
             run the newer version that made it, or restore a backup from before it"
        )),
        MigrateError::VersionMismatch(version) => Error::Migration(format!(
            "migration {version} was applied to the database with another text than this version of forecourt has: \
             run the version that applied it, or restore a backup from before it"
        )),
        MigrateError::Dirty(version) => Error::Migration(format!(
            "migration {version} was begun and not finished: restore a backup from before it and start again"
        )),
        // The server went away meanwhile: that says nothing about the tables.
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) if is_transient(&cause) => {
            Error::Database(cause)
        }
        error => Error::Migration(format!(
            "the tables could not be brought to this version ({error}): check that the database user owns the \
             database and may create schemas, then start again"
        )),
    })
}

/// Loads what is known about the keys of a batch.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load(store: &Store, tx: &mut PgConnection, workspace: RowId, mut keys: Keys) -> Result<Tenant, Error> {
    let mut tenant = Tenant {
        ids: store.take_ids(tx, keys.new_rows).await?,
        booking_retry_days: store.booking_retry_days,
        events: clusters::load_events(tx, workspace, &keys.events).await?,
        ..Tenant::default()
    };
    if keys.configured {
        places::load_configured(tx, workspace, &mut tenant).await?;
    }
    listings::load(tx, workspace, &keys, &mut tenant).await?;
    places::load(tx, workspace, keys.brought(&tenant), &mut tenant).await?;
    let asked: BTreeSet<Email> = keys.emails.clone();
    let known = known::load(tx, workspace, &asked_for(&keys, &tenant)).await?;
    (tenant.clusters, tenant.leads, tenant.persons) = (known.clusters, known.leads, known.persons);
    keys.emails.extend(tenant.clusters.values().filter_map(|row| row.value.email()));
    keys.add_wishes(&tenant);
    // Those whom what was loaded names beside.
    let others = keys.emails.difference(&asked).map(Email::as_str).collect();
    let others = known::Asked { emails: others, ..known::Asked::default() };
    tenant.persons.extend(known::load(tx, workspace, &others).await?.persons);
    let leads: Vec<RowId> = tenant.leads.values().map(|row| row.value.id).collect();
    tenant.bookings = bookings::load(tx, workspace, &leads).await?;
    listings::load_wanted(tx, workspace, &keys, &mut tenant).await?;
    places::load(tx, workspace, keys.asked_by_leads(&tenant), &mut tenant).await?;
    if keys.has_lists {
        let clusters: Vec<RowId> = tenant.clusters.values().map(|row| row.value.id).collect();
        tenant.appointments = appointments::load(tx, workspace, &keys.appointments, &clusters, &leads).await?;
    }
    Ok(tenant)
}

/// The customers that a batch names, and those that wait for what it may bring.
fn asked_for<'a>(keys: &'a Keys, tenant: &Tenant) -> known::Asked<'a> {
    known::Asked {
        leads: keys.leads.iter().collect(),
        clusters: keys.clusters.iter().map(String::as_str).collect(),
        emails: keys.emails.iter().map(Email::as_str).collect(),
        wants: keys.wants(tenant),
        any_missing_name: keys.any_missing_name,
    }
}

/// Saves what a batch changed, in the order in which the tables refer to each other.
///
/// # Errors
/// When Postgres refuses or cannot be reached; and, before anything is written, when the rules lacked something.
pub async fn save(store: &Store, tx: &mut PgConnection, workspace: RowId, tenant: Tenant) -> Result<(), Error> {
    complete(&tenant)?;
    listings::save_heads(tx, workspace, &tenant).await?;
    places::save_locations(tx, workspace, &tenant).await?;
    places::save_packages(tx, workspace, &tenant).await?;
    persons::save(tx, workspace, &tenant).await?;
    clusters::save(tx, workspace, &tenant).await?;
    leads::save(tx, workspace, &tenant).await?;
    properties::save(tx, workspace, &tenant).await?;
    clusters::save_events(tx, workspace, &tenant).await?;
    appointments::save(tx, workspace, &tenant).await?;
    listings::save(tx, workspace, &tenant).await?;
    bookings::save(tx, workspace, &tenant).await?;
    listings::save_merged(tx, workspace, &tenant.merged).await?;
    // Names are looked up while writing, too.
    complete(&tenant)?;
    store.return_ids(tenant.ids);
    Ok(())
}

/// What the rules make of too little is not saved.
fn complete(tenant: &Tenant) -> Result<(), Error> {
    tenant.lack().map_or(Ok(()), |lack| Err(Error::Lacking(lack)))
}
