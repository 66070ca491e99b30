//! How the tables are spread over several servers by the extension Citus: the one listing of where each stands, the
//! statements that bring it there, and what was done already.
//!
//! Everything of a workspace is on one server, so that a batch, with its lock, its foreign keys and its joins, is the work of
//! that one alone. What every workspace reads is on each, and the rest stays with the coordinator. A table that is not listed
//! is not spread, and a test fails until it is listed. What is listed and not there is passed over, so that the same
//! listing serves every step of the way to this version.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row as _};

use super::error::{Error, is_transient};
use super::rights::SCHEMAS;
use super::session;

/// Where a table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Whole on every server, because rows of all workspaces refer to it or ask it.
    Reference,
    /// Spread by `workspace_id`, the rows of a workspace together with those of all other such tables.
    Distributed,
    /// With the coordinator, and known to every server; it belongs to no workspace.
    Coordinator,
}

impl Place {
    /// What a table there is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Distributed => "distributed",
            Self::Coordinator => "coordinator",
        }
    }

    /// How Citus notes it, as its method of distribution and its model of replication.
    const fn marks(self) -> (&'static str, &'static str) {
        match self {
            Self::Reference => ("n", "t"),
            Self::Distributed => ("h", "s"),
            Self::Coordinator => ("n", "s"),
        }
    }
}

/// A table and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Its name with its schema in front.
    pub table: &'static str,
    /// Where it stands.
    pub place: Place,
}

const fn reference(table: &'static str) -> Spread {
    Spread { table, place: Place::Reference }
}

const fn distributed(table: &'static str) -> Spread {
    Spread { table, place: Place::Distributed }
}

const fn coordinator(table: &'static str) -> Spread {
    Spread { table, place: Place::Coordinator }
}

/// The table that the others stand beside.
const ANCHOR: &str = "intake.workspace_locks";

/// The listing, in the order in which the tables are spread: what others refer to stands before them. Partitions go with
/// their tables.
pub const SPREAD: &[Spread] = &[
    reference("public.workspaces"),
    reference("public.dealerships"),
    reference("intake.finding_codes"),
    reference("intake.erasures"),
    distributed(ANCHOR),
    distributed("public.locations"),
    distributed("public.packages"),
    distributed("public.persons"),
    distributed("identity.driver_licences"),
    distributed("identity.passports"),
    distributed("public.lead_clusters"),
    distributed("public.leads"),
    distributed("identity.lead_documents"),
    distributed("public.trade_ins"),
    distributed("public.property_enquiries"),
    distributed("public.lead_events"),
    distributed("public.appointments"),
    distributed("public.listings"),
    distributed("public.listing_identifiers"),
    distributed("public.listing_sources"),
    distributed("public.listing_locations"),
    distributed("public.listing_packages"),
    distributed("public.listing_changes"),
    distributed("public.lead_changes"),
    distributed("public.bookings"),
    distributed("intake.lead_dependencies"),
    distributed("intake.deliveries"),
    distributed("intake.bodies"),
    distributed("intake.drift"),
    distributed("intake.dealership_feeds"),
    distributed("intake.workspace_watches"),
    distributed("intake.rereadings"),
    coordinator("public._sqlx_migrations"),
    coordinator("intake.rejected"),
    coordinator("intake.actions"),
    coordinator("intake.retention_progress"),
    coordinator("intake.granted_roles"),
];

/// Into how many parts the distributed tables are cut where nobody says otherwise: as many as Citus itself takes.
pub const SHARDS: u16 = 32;

/// One statement that is to be run, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The statement.
    pub sql: String,
    /// The table that it brings to its place; none where it is for a view.
    pub spreads: Option<Spread>,
}

/// What is to be done, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether the database has the extension.
    pub has_extension: bool,
    /// The statements, in their order; nothing where every table is in its place.
    pub steps: Vec<Step>,
    /// How many tables are in their places already.
    pub done: usize,
    /// Why the user may not run them, in a sentence; none where it may, or that was not asked.
    pub hindrance: Option<String>,
}

/// Runs a step.
///
/// # Errors
/// With a sentence, where the extension refuses it; and when Postgres cannot be reached.
pub(super) async fn run(tx: &mut PgConnection, step: &Step) -> Result<(), Error> {
    session::run(tx, &step.sql).await.map_err(|error| {
        let said = error.as_database_error().filter(|_| !is_transient(&error)).map(|said| said.message().to_owned());
        match said {
            Some(said) => {
                let what = step.spreads.map_or("a view", |spread| spread.table);
                Error::Migration(format!("{what} could not be distributed, and nothing was changed: {said}"))
            }
            None => Error::Database(error),
        }
    })
}

/// Brings tables that a migration has made to their places, where the others are distributed.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn follow(tx: &mut PgConnection) -> Result<(), Error> {
    if !is_distributed(tx).await? {
        return Ok(());
    }
    for step in planned(tx, SHARDS).await?.steps {
        run(tx, &step).await?;
    }
    Ok(())
}

/// Whether the tables are distributed.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn is_distributed(tx: &mut PgConnection) -> Result<bool, Error> {
    Ok(has_extension(tx).await? && marks(tx).await?.contains_key(ANCHOR))
}

/// What is to be done.
///
/// # Errors
/// When Postgres refuses or cannot be reached, and where tables are spread otherwise.
pub(super) async fn planned(tx: &mut PgConnection, shards: u16) -> Result<Plan, Error> {
    let has_extension = has_extension(tx).await?;
    let there = tables(tx).await?;
    let marks = if has_extension { marks(tx).await? } else { BTreeMap::new() };
    let (mut steps, mut done) = (Vec::new(), 0);
    for spread in SPREAD.iter().filter(|spread| there.contains(spread.table)) {
        match marks.get(spread.table) {
            Some((method, model)) if (method.as_str(), model.as_str()) == spread.place.marks() => done += 1,
            Some(_) => return Err(Error::Migration(otherwise(*spread))),
            None => steps.push(Step { sql: statement(*spread, shards), spreads: Some(*spread) }),
        }
    }
    if !steps.is_empty() {
        steps.extend(views(tx).await?.into_iter().map(|sql| Step { sql, spreads: None }));
    }
    Ok(Plan { has_extension, steps, done, hindrance: None })
}

fn otherwise(Spread { table, place }: Spread) -> String {
    let place = place.name();
    format!(
        "{table} is known to Citus already, and not as forecourt has it ({place}): take that back with \
         `select undistribute_table('{table}')`, then try again"
    )
}

fn statement(Spread { table, place }: Spread, shards: u16) -> String {
    match place {
        Place::Reference => format!("select create_reference_table('{table}')"),
        Place::Distributed if table == ANCHOR => format!(
            "select create_distributed_table('{table}', 'workspace_id', colocate_with => 'none', shard_count => {shards})"
        ),
        Place::Distributed => {
            format!("select create_distributed_table('{table}', 'workspace_id', colocate_with => '{ANCHOR}')")
        }
        Place::Coordinator => format!("select citus_add_local_table_to_metadata('{table}')"),
    }
}

async fn has_extension(tx: &mut PgConnection) -> Result<bool, Error> {
    let there = sqlx::query_scalar!(
        r#"-- once
        select to_regclass('pg_catalog.pg_dist_partition') is not null as "is_there!""#
    );
    Ok(there.fetch_one(tx).await?)
}

/// The tables that are there, partitions left out.
async fn tables(tx: &mut PgConnection) -> Result<BTreeSet<String>, Error> {
    let schemas: Vec<String> = SCHEMAS.iter().map(|schema| (*schema).to_owned()).collect();
    let names = sqlx::query_scalar!(
        r#"-- once
        select n.nspname || '.' || c.relname as "name!" from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any($1)"#,
        &schemas,
    );
    Ok(names.fetch_all(tx).await?.into_iter().collect())
}

/// What Citus knows of tables: how each is distributed and replicated. Its catalogue is not there where the queries are
/// checked, so that this one is not.
async fn marks(tx: &mut PgConnection) -> Result<BTreeMap<String, (String, String)>, Error> {
    let sql = "select n.nspname || '.' || c.relname, p.partmethod::text, p.repmodel::text from pg_dist_partition p
        join pg_class c on c.oid = p.logicalrelid join pg_namespace n on n.oid = c.relnamespace";
    let rows = session::ask(tx, sql).await?;
    let read = |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)));
    let marks: Result<_, sqlx::Error> = rows.iter().map(read).collect();
    Ok(marks?)
}

/// The statements that make the views again as they are: those that were made before the tables were spread, the other
/// servers do not have.
async fn views(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    let schemas: Vec<String> =
        ["public", "identity", "intake", "reporting", "reporting_contacts"].map(str::to_owned).into();
    let sql = sqlx::query_scalar!(
        r#"-- once
        select format('create or replace view %I.%I%s as %s', n.nspname, c.relname,
                ' with (' || array_to_string(c.reloptions, ', ') || ')',
                rtrim(pg_get_viewdef(c.oid), ';')) as "sql!"
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'v' and n.nspname = any($1)
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        order by c.oid"#,
        &schemas,
    );
    Ok(sql.fetch_all(tx).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_listed_once_and_the_one_that_the_others_stand_beside_is_the_first_of_them() {
        let names: BTreeSet<&str> = SPREAD.iter().map(|spread| spread.table).collect();
        assert_eq!(names.len(), SPREAD.len());
        let first = SPREAD.iter().find(|spread| spread.place == Place::Distributed).unwrap();
        assert_eq!(first.table, ANCHOR);
        assert!(names.iter().all(|name| SCHEMAS.contains(&name.split('.').next().unwrap())));
    }

    #[test]
    fn what_every_workspace_asks_comes_first_and_what_stays_comes_last() {
        assert!(SPREAD.is_sorted_by_key(|spread| spread.place));
    }
}
