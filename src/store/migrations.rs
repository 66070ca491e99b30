//! The tables are brought to this version: each migration in a transaction of its own, which has all migrating to
//! itself, in any number of processes and through any pooler.

use std::collections::BTreeMap;
use std::time::Instant;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{PgConnection, PgPool};

use super::error::{Error, is_transient};
use super::server::Server;
use super::session::{self, Transaction};
use super::{grants, ownership, spread};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// A migration that is missing, as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub version: i64,
    /// What it is about, in a few words.
    pub description: &'static str,
}

impl Pending {
    fn of(migration: &'static Migration) -> Self {
        Self { version: migration.version, description: &migration.description }
    }
}

/// Brings the tables to this version, one process at a time. Before each migration it is told which, and how many are
/// missing with it.
///
/// # Errors
/// With a sentence that says what to do, when a migration failed or the database has one that this version lacks.
pub(super) async fn run(pool: &PgPool, server: &Server, tell: &(dyn Fn(Pending, usize) + Sync)) -> Result<(), Error> {
    let sql = sql(server);
    while let Step::Done = step(pool, &sql, tell).await? {}
    Ok(())
}

/// The migrations that are missing, in their order.
///
/// # Errors
/// As [`run`], where they could not be applied.
pub(super) async fn pending(pool: &PgPool, server: &Server) -> Result<Vec<Pending>, Error> {
    let connection = pool.acquire().await.map_err(Error::Unreachable)?;
    let mut tx = Transaction::begin(connection, &sql(server)).await.map_err(Error::Unreachable)?;
    let applied = if is_new(&mut tx).await? { BTreeMap::new() } else { applied(&mut tx).await? };
    tx.rollback().await?;
    Ok(missing(&applied)?.into_iter().map(Pending::of).collect())
}

/// Begins a transaction as a migration's, for what else the owner does to the tables.
///
/// # Errors
/// When Postgres cannot be reached.
pub(super) async fn begin(pool: &PgPool, server: &Server) -> Result<Transaction, Error> {
    let connection = pool.acquire().await.map_err(Error::Unreachable)?;
    Transaction::begin(connection, &sql(server)).await.map_err(Error::Unreachable)
}

fn sql(server: &Server) -> String {
    let mut sql = String::from(session::BEGIN);
    sql.extend(server.sql());
    sql.push_str(session::MIGRATION);
    sql
}

/// What a look at the tables came to.
enum Step {
    /// One migration was applied, and there may be more.
    Done,
    /// There is none that was not.
    Nothing,
}

/// Applies the first migration that is missing.
async fn step(pool: &PgPool, sql: &str, tell: &(dyn Fn(Pending, usize) + Sync)) -> Result<Step, Error> {
    let connection = pool.acquire().await.map_err(Error::Unreachable)?;
    let mut tx = Transaction::begin(connection, sql).await.map_err(Error::Unreachable)?;
    lock(&mut tx).await?;
    let applied = if is_new(&mut tx).await? { BTreeMap::new() } else { applied(&mut tx).await? };
    let missing = missing(&applied)?;
    let Some(migration) = missing.first().copied() else {
        tx.rollback().await?;
        return Ok(Step::Nothing);
    };
    if let Some(hindrance) = ownership::hindrance(&mut tx).await? {
        return Err(Error::Migration(lacking(migration, missing.len(), &hindrance)));
    }
    tell(Pending::of(migration), missing.len());
    if spread::is_distributed(&mut tx).await? {
        // Before anything else is written there.
        session::run(&mut tx, session::DISTRIBUTION).await?;
    }
    if applied.is_empty() {
        make_list(&mut tx).await.map_err(|error| refused(migration, error))?;
    }
    apply(&mut tx, migration).await.map_err(|error| refused(migration, error))?;
    spread::follow(&mut tx).await?;
    tx.commit().await.map_err(|error| match error {
        Error::Database(cause) => refused(migration, cause),
        other @ (Error::Unreachable(_)
        | Error::Locked
        | Error::Unfit(_)
        | Error::Pooler
        | Error::NotWritable(_)
        | Error::Unreadable(_)
        | Error::Lacking(_)
        | Error::ErasureKey
        | Error::Migration(_)) => other,
    })?;
    Ok(Step::Done)
}

/// That migrations are missing and why they stay so.
fn lacking(first: &Migration, count: usize, why: &str) -> String {
    let (number, name) = (first.version, &first.description);
    let (more, are) = if count == 1 { (String::new(), "is") } else { (format!(" and {} more", count - 1), "are") };
    format!("migration {number:04} ({name}){more} {are} missing, and {why}")
}

/// Waits until nobody else migrates this database: neither a process of this version nor one of an older version, which
/// holds the same lock for a whole session.
pub(super) async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    let name = sqlx::query_scalar!(r#"select current_database()::text as "name!""#).fetch_one(&mut *tx).await?;
    let key = lock_key(&name);
    sqlx::query!(r#"select pg_advisory_xact_lock($1) as "lock!: ()""#, key).execute(tx).await?;
    Ok(())
}

/// The key that sqlx's own migrator locks, by which older versions of forecourt migrate.
fn lock_key(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.as_bytes()))
}

/// CRC-32 as zip files have it.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

/// Whether there are no tables yet.
///
/// # Errors
/// Where a session that was not pinned has put them elsewhere.
async fn is_new(tx: &mut PgConnection) -> Result<bool, Error> {
    let found = sqlx::query!(
        r#"select to_regclass('public._sqlx_migrations') is null as "is_new!",
            (select string_agg(format('%I.%I', t.schemaname, t.tablename), ', ' order by 1)
                from pg_tables t where t.schemaname <> 'public' and t.tablename = any(array['persons', 'leads',
                    'listings', 'bookings', 'lead_clusters', 'lead_events', 'listing_identifiers', 'property_enquiries'])
                and not exists (select from pg_tables p where p.schemaname = 'public' and p.tablename = t.tablename)
                and (t.schemaname in ('identity', 'intake') or exists (
                    select from pg_tables m where m.schemaname = t.schemaname and m.tablename = '_sqlx_migrations'))
            ) as misplaced"#
    )
    .fetch_one(tx)
    .await?;
    match found.misplaced {
        Some(tables) => Err(Error::Migration(format!(
            "tables of forecourt are where a `search_path` of the role or the database once put them ({tables}): move \
             all that is there into the schema public (`alter table ... set schema public`), then start again"
        ))),
        None => Ok(found.is_new),
    }
}

/// The migrations that the database has, each with the checksum of its text.
async fn applied(tx: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, Error> {
    let rows = sqlx::query!("select version, checksum, success from public._sqlx_migrations order by version");
    let rows = rows.fetch_all(tx).await?;
    if let Some(row) = rows.iter().find(|row| !row.success) {
        return Err(Error::Migration(format!(
            "migration {} was begun and not finished: restore a backup from before it and start again",
            row.version
        )));
    }
    Ok(rows.into_iter().map(|row| (row.version, row.checksum)).collect())
}

/// The migrations that were not applied, in their order.
fn missing(applied: &BTreeMap<i64, Vec<u8>>) -> Result<Vec<&'static Migration>, Error> {
    if let Some(version) = applied.keys().find(|version| !MIGRATIONS.version_exists(**version)) {
        return Err(Error::Migration(format!(
            "the database has migration {version}, which this version of forecourt does not know: \
             run the newer version that made it, or restore a backup from before it"
        )));
    }
    let mut missing = Vec::new();
    for migration in MIGRATIONS.iter() {
        let version = migration.version;
        match applied.get(&version) {
            None => missing.push(migration),
            Some(checksum) if *checksum != *migration.checksum => {
                return Err(Error::Migration(format!(
                    "migration {version} was applied to the database with another text than this version of \
                     forecourt has: run the version that applied it, or restore a backup from before it"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

/// The list of what was applied, as sqlx's own migrator makes it.
async fn make_list(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "create table if not exists public._sqlx_migrations (
        version bigint primary key,
        description text not null,
        installed_on timestamptz not null default now(),
        success boolean not null,
        checksum bytea not null,
        execution_time bigint not null
    )";
    session::run(tx, sql).await
}

async fn apply(tx: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let began = Instant::now();
    sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await?;
    let took = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
    sqlx::query!(
        "insert into public._sqlx_migrations (version, description, success, checksum, execution_time)
        values ($1, $2, true, $3, $4)",
        migration.version,
        &migration.description,
        &migration.checksum,
        took,
    )
    .execute(&mut *tx)
    .await?;
    // Before anybody sees the tables as they are now.
    grants::give_again(tx).await?;
    tracing::info!(migration = migration.version, "the tables were brought one step further");
    Ok(())
}

/// A server that went away meanwhile says nothing about the tables.
fn refused(migration: &Migration, error: sqlx::Error) -> Error {
    if is_transient(&error) {
        return Error::Database(error);
    }
    Error::Migration(format!(
        "the tables could not be brought to this version (while executing migration {}: {error}): check that the \
         database user owns the database and may create schemas, or run `forecourt migrate` as one that does, then start \
         again",
        migration.version,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_that_of_older_versions() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(lock_key("forecourt"), 0x3d32_ad9e * i64::from(crc32(b"forecourt")));
    }

    #[test]
    fn every_migration_runs_in_a_transaction() {
        assert!(MIGRATIONS.iter().all(|migration| !migration.no_tx && migration.migration_type.is_up_migration()));
    }
}
