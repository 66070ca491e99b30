//! All SQL: what is loaded before the rules run, and what is saved after. [`mod@load`] and [`save`] show the order of reads
//! and writes on one screen; each noun's statements stand in the file that bears its name.

pub mod actions;
pub mod address;
mod appointments;
mod bodies;
mod bookings;
mod clusters;
mod content;
mod customers;
pub mod dealership_feeds;
pub mod deliveries;
pub mod dependencies;
mod dependency_codec;
pub mod distribution;
pub mod drift;
pub mod due;
pub mod erase_rows;
pub mod erased_bodies;
pub mod erased_rows;
mod erasure_key;
pub mod erasures;
mod error;
pub mod examination;
mod flaw;
pub mod granting;
mod grants;
mod identifiers;
mod json_row;
pub mod known_person;
mod lead_codec;
mod lead_insert;
mod leads;
mod listing_insert;
mod listings;
mod load;
mod locations;
mod migrations;
pub mod newcomers;
mod ownership;
pub mod partitions;
mod persons;
pub mod placements;
mod probe;
mod properties;
pub mod rejected;
pub mod replay_filter;
mod requested;
pub mod rereading;
pub mod retention;
pub mod rights;
mod server;
mod session;
mod spread;
pub mod statistics;
mod stored;
pub mod unchanged;
mod unnest;
mod workspace_locks;
pub mod workspaces;

use crate::domain::ids::{ClusterId, LeadId, ListingId, WorkspaceId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};

use crate::domain::keys::Keys;
use crate::domain::state::WorkspaceState;
use crate::domain::values::{Email, StockNumber, Vin};
pub use erasure_key::ErasureKey;
pub use error::Error;
pub use flaw::Flaw;
pub use migrations::Pending;
use probe::Probes;
use server::Server;
pub use server::{Demands, PutsUp};
pub use session::Transaction;
pub use stored::Unreadable;

/// How to connect to a database.
pub type Address = PgConnectOptions;

/// A connection, as the one of a transaction.
pub type Connection = PgConnection;

/// The database, with ids reserved for new rows.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    server: Arc<Server>,
    reserved: Arc<Mutex<Vec<i64>>>,
    booking_retry_days: i64,
    use_generic_plans: Arc<AtomicBool>,
    probes: Arc<Probes>,
    erasure_key: Arc<OnceLock<ErasureKey>>,
}

/// How many ids are reserved at a time at the least.
const ID_BLOCK: usize = 1_000;
/// How long one try waits for a workspace that somebody else writes, where it is waited for in any case.
const LOCK_WAIT: Duration = Duration::from_secs(1);

impl Store {
    /// A store over a pool. Blocked bookings are tried again for so many days from the lead's arrival.
    #[must_use]
    pub fn new(pool: PgPool, booking_retry_days: i64) -> Self {
        Self::over(pool, Arc::default(), booking_retry_days)
    }

    /// A store over so many connections to a server, which is looked at first, and again by each new connection.
    ///
    /// # Errors
    /// When Postgres cannot be reached, or breaks a law that it must not break.
    pub async fn connect(
        options: Address,
        connections: u32,
        demands: Demands,
        booking_retry_days: i64,
    ) -> Result<Self, Error> {
        let (pool, server) = server::connect(options, connections, demands).await?;
        Ok(Self::over(pool, server, booking_retry_days))
    }

    fn over(pool: PgPool, server: Arc<Server>, booking_retry_days: i64) -> Self {
        let (reserved, use_generic_plans, probes, erasure_key) = Default::default();
        Self { pool, server, reserved, booking_retry_days, use_generic_plans, probes, erasure_key }
    }

    /// From now on what was erased is known by this key; only the first one counts.
    pub fn set_erasure_key(&self, key: ErasureKey) {
        // The same key is set again by a reload.
        let _ = self.erasure_key.set(key);
    }

    /// The key of erasures, once there is one.
    #[must_use]
    pub fn erasure_key(&self) -> Option<ErasureKey> {
        self.erasure_key.get().cloned()
    }

    /// Brings the tables to this version, one process at a time.
    ///
    /// # Errors
    /// With a sentence that says what to do, when a migration failed or the database has one that this version lacks.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.migrate_telling(&|_migration, _missing| {}).await
    }

    /// The same, and tells before each migration which it is, and how many are missing with it.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn migrate_telling(&self, tell: &(dyn Fn(Pending, usize) + Sync)) -> Result<(), Error> {
        migrations::run(&self.pool, &self.server, tell).await
    }

    /// The migrations that are missing, in their order.
    ///
    /// # Errors
    /// When Postgres cannot be reached, or they could not be applied to these tables.
    pub async fn pending_migrations(&self) -> Result<Vec<Pending>, Error> {
        migrations::pending(&self.pool, &self.server).await
    }

    /// Begins a transaction as a migration's.
    async fn begin_as_owner(&self) -> Result<Transaction, Error> {
        migrations::begin(&self.pool, &self.server).await
    }

    /// Why the user of this store cannot change the tables, where it does not own them.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached.
    pub async fn hindrance_to_migrate(&self) -> Result<Option<String>, Error> {
        let mut tx = self.begin(None).await?;
        let hindrance = ownership::hindrance(&mut tx).await?;
        tx.rollback().await?;
        Ok(hindrance)
    }

    /// What of the server breaks a law and is put up with.
    #[must_use]
    pub fn flaws(&self) -> &[Flaw] {
        self.server.put_up_with()
    }

    /// Whether the tables may be spread over several servers: whether the database has the extension for that.
    #[must_use]
    pub fn is_over_several_servers(&self) -> bool {
        self.server.has_citus()
    }

    /// How many connections there are at the most.
    #[must_use]
    pub fn connections(&self) -> usize {
        usize::try_from(self.pool.options().get_max_connections()).unwrap_or(usize::MAX)
    }

    /// Begins a transaction, the only way to reach the tables. With a workspace it has that to itself, among all processes,
    /// and has raised its version; while somebody else writes it, it is waited for, in short tries, however long that takes.
    /// A transaction has one workspace at the most.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub async fn begin(&self, workspace: Option<WorkspaceId>) -> Result<Transaction, Error> {
        loop {
            match self.try_begin(workspace, LOCK_WAIT).await {
                Err(Error::Locked) => {}
                begun => return begun,
            }
        }
    }

    /// The same, and waits no longer than this for somebody else who writes the workspace.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody else still does; otherwise as [`Store::begin`].
    pub async fn try_begin(&self, workspace: Option<WorkspaceId>, wait: Duration) -> Result<Transaction, Error> {
        let mut sql = self.begin_sql();
        let Some(workspace) = workspace else { return self.begin_anew(&sql).await };
        workspace_locks::take(&mut sql, workspace, wait);
        for _ in 0..2 {
            let begun = self.begin_anew(&sql).await?;
            if begun.workspace_version().is_some() {
                return Ok(begun);
            }
            begun.rollback().await?;
            self.make_locks(&[workspace]).await?;
        }
        Err(Error::Locked)
    }

    /// Makes the rows by which these workspaces are locked, where they are not there.
    async fn make_locks(&self, workspaces: &[WorkspaceId]) -> Result<(), Error> {
        let mut tx = self.begin_anew(&self.begin_sql()).await?;
        workspace_locks::make(&mut tx, workspaces).await?;
        tx.commit().await
    }

    fn begin_sql(&self) -> String {
        let mut sql = String::with_capacity(2_048);
        sql.push_str(session::BEGIN);
        sql.extend(self.server.sql());
        // Over several servers a kept plan would not know the one that its workspace is on.
        let use_generic_plans = self.use_generic_plans.load(Ordering::Relaxed) && !self.server.has_citus();
        sql.push_str(if use_generic_plans { session::PLANS_KEPT } else { session::PLANS_ANEW });
        sql
    }

    async fn begin_anew(&self, sql: &str) -> Result<Transaction, Error> {
        match self.begin_with(sql).await {
            // One that rested may be gone without anybody's fault, as after `idle_session_timeout`: nothing was begun.
            Err(Error::Unreachable(error)) if error::is_gone(&error) => self.begin_with(sql).await,
            begun => begun,
        }
    }

    async fn begin_with(&self, sql: &str) -> Result<Transaction, Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::Unreachable)?;
        let flaws = self.server.unfit();
        if !flaws.is_empty() {
            // The next one looks again.
            connection.close_on_drop();
            return Err(Error::Unfit(flaws));
        }
        Transaction::begin(connection, sql)
            .await
            .map_err(|error| if error::is_lock_timeout(&error) { Error::Locked } else { Error::Unreachable(error) })
    }

    /// Takes ids for new rows from those reserved, and reserves more where they do not suffice.
    async fn take_ids(&self, tx: &mut PgConnection, count: usize) -> Result<Vec<i64>, Error> {
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
    fn return_ids(&self, ids: Vec<i64>) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.extend(ids);
        descend(&mut reserved);
    }

    /// From now on plans are kept.
    fn switch_to_generic_plans(&self) {
        self.use_generic_plans.store(true, Ordering::Relaxed);
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether Postgres answers at all, and can be written to.
    ///
    /// # Errors
    /// When it does not, or cannot.
    pub async fn answers(&self) -> Result<(), Error> {
        self.begin(None).await?.rollback().await
    }

    /// Whether a delivery can be written: found out by an insert that is undone, at most once in five seconds.
    ///
    /// # Errors
    /// When none can, or none could a moment ago.
    pub async fn probe(&self) -> Result<(), Error> {
        self.probes.ask(self.begin(None).await?).await
    }
}

/// Puts the smallest ids last, where they are taken from: later rows have greater ids.
fn descend(ids: &mut [i64]) {
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
}

/// Brings the tables behind a pool to this version, on a server that nobody looked at; see [`Store::migrate`].
///
/// # Errors
/// With a sentence that says what to do, when a migration failed or the database has one that this version lacks.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    Store::new(pool.clone(), 0).migrate().await
}

/// Loads what is known about the keys of a batch.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load(
    store: &Store,
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    mut keys: Keys,
) -> Result<WorkspaceState, Error> {
    let mut state = WorkspaceState {
        ids: store.take_ids(tx, keys.new_rows).await?,
        booking_retry_days: store.booking_retry_days,
        events: clusters::load_events(tx, workspace, &keys.events).await?,
        ..WorkspaceState::default()
    };
    if keys.configured {
        locations::load_configured(tx, workspace, &mut state).await?;
    }
    listings::load(tx, workspace, &keys, &mut state).await?;
    let brought = load::LoadKeys { names: keys.brought(&state).without_loaded(&state), ..load::LoadKeys::default() };
    load::load(tx, workspace, brought).await?.requested.show(&mut state)?;
    Box::pin(load_customers(tx, workspace, &mut keys, &mut state)).await?;
    if keys.has_lists {
        let clusters: Vec<ClusterId> = state.clusters.values().map(|row| row.value.id).collect();
        let leads: Vec<LeadId> = state.leads.values().map(|row| row.value.id).collect();
        state.appointments = appointments::load(tx, workspace, &keys.appointments, &clusters, &leads).await?;
    }
    Ok(state)
}

/// Loads the customers that a batch names, and those that wait for what it may bring, with what decides on their bookings:
/// by what the deliveries name, and once more where the rows that were found name something else.
async fn load_customers(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    keys: &mut Keys,
    state: &mut WorkspaceState,
) -> Result<(), Error> {
    let asked = (keys.emails.clone(), keys.requested_vins.clone(), keys.requested_stock_numbers.clone());
    let named = load::LoadKeys {
        leads: keys.leads.iter().collect(),
        clusters: keys.clusters.iter().map(String::as_str).collect(),
        emails: keys.emails.iter().map(Email::as_str).collect(),
        dependencies: keys.dependencies(state),
        vins: keys.requested_vins.iter().map(Vin::as_str).collect(),
        stock_numbers: keys.requested_stock_numbers.iter().map(StockNumber::as_str).collect(),
        listings: Vec::new(),
        names: keys.asked_by_leads(state).without_loaded(state),
    };
    let known = load::load(tx, workspace, named).await?;
    (state.clusters, state.leads, state.persons) = (known.clusters, known.leads, known.persons);
    state.bookings = known.bookings;
    known.requested.show(state)?;
    keys.emails.extend(state.clusters.values().filter_map(|row| row.value.email()));
    keys.add_booking_requests(state);
    let booked = state.bookings.values().map(|row| row.value.listing);
    let others = load::LoadKeys {
        emails: keys.emails.difference(&asked.0).map(Email::as_str).collect(),
        vins: keys.requested_vins.difference(&asked.1).map(Vin::as_str).collect(),
        stock_numbers: (keys.requested_stock_numbers.difference(&asked.2)).map(StockNumber::as_str).collect(),
        listings: booked.filter(|id| !state.listings.contains_key(id)).map(ListingId::get).collect(),
        names: keys.asked_by_leads(state).without_loaded(state),
        ..load::LoadKeys::default()
    };
    let others = load::load(tx, workspace, others).await?;
    state.persons.extend(others.persons);
    Ok(others.requested.show(state)?)
}

/// Saves what a batch changed, in the order in which the tables refer to each other.
///
/// # Errors
/// When Postgres refuses or cannot be reached; and, before anything is written, when the rules lacked something.
pub async fn save(
    store: &Store,
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: WorkspaceState,
) -> Result<(), Error> {
    complete(&state)?;
    listings::save_heads(tx, workspace, &state).await?;
    locations::save_locations(tx, workspace, &state).await?;
    locations::save_packages(tx, workspace, &state).await?;
    listings::save(tx, workspace, &state).await?;
    // Its lists are many.
    Box::pin(customers::save(tx, workspace, &state)).await?;
    properties::save(tx, workspace, &state).await?;
    clusters::save_events(tx, workspace, &state).await?;
    appointments::save(tx, workspace, &state).await?;
    listings::save_merged(tx, workspace, &state.merged).await?;
    // Names are looked up while writing, too.
    complete(&state)?;
    store.return_ids(state.ids);
    Ok(())
}

/// What the rules make of too little is not saved.
fn complete(state: &WorkspaceState) -> Result<(), Error> {
    state.lack().map_or(Ok(()), |lack| Err(Error::Lacking(lack)))
}
