//! Tables as they are after years: any number of leads over some workspaces, one of which has the largest share, with all
//! that belongs to leads and cars.
//!
//! Rows are made by SQL from their numbers, the same each time, and can be decoded by the service. Nothing is analysed:
//! whoever wants statistics runs `analyze` afterwards. The benchmark includes this file, too.
//!
//! What is filled, for each lead: 0.8 persons (one customer of four comes back), 0.4 clusters, an eighth of an event, a
//! tenth of an appointment and of a trade-in, a fifth of a licence, 0.3 bookings, a fiftieth of a car, and so many deliveries. One lead
//! in a hundred is LeadPro's. Four of a hundred are blocked; those of the last thirty days wait for a car, a package or a
//! location. Each workspace has a share of all of them, spread evenly over the time.

use std::ops::Range;

use sqlx::{AssertSqlSafe, PgConnection};

use self::rows::Rows;

mod chunk;
mod rows;

/// How many leads are made at a time.
const CHUNK: u64 = 250_000;

/// How many numbers of `row_ids` each lead takes, with what belongs to it.
const IDS: u64 = 8;

/// How large the tables are.
#[derive(Clone, Debug)]
pub(crate) struct Grown {
    /// How many leads there are.
    pub(crate) leads: u64,
    /// How many workspaces they belong to: the first that there are, by id, and new ones where there are fewer.
    pub(crate) workspaces: u64,
    /// How many of a thousand leads the first workspace has; the others share the rest.
    pub(crate) largest_share: u64,
    /// How many deliveries there are for each lead.
    pub(crate) deliveries: u64,
    /// How long a delivery's body is, about; none where it is 0.
    pub(crate) body_bytes: u64,
    /// Over how many days the leads arrived.
    pub(crate) days: u64,
    /// When the last one arrived, as SQL says it.
    pub(crate) until: &'static str,
}

impl Default for Grown {
    /// A million leads of the year until now over 20 workspaces, half of them in one, each with a delivery of a small body.
    fn default() -> Self {
        let (leads, workspaces, largest_share) = (1_000_000, 20, 500);
        Self { leads, workspaces, largest_share, deliveries: 1, body_bytes: 60, days: 365, until: "now()" }
    }
}

/// What the rows of one fill begin from.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// The first id of the rows.
    first_id: i64,
    /// When the last lead arrived.
    until: String,
}

/// Fills the tables.
pub(crate) async fn fill(connection: &mut PgConnection, grown: &Grown) -> Result<(), sqlx::Error> {
    let begun = begin(connection, grown).await?;
    fill_range(connection, grown, &begun, 0..grown.leads).await
}

/// Makes the workspaces that are missing, and reserves ids. After it, parts of the leads can be filled by several
/// connections at once.
pub(crate) async fn begin(connection: &mut PgConnection, grown: &Grown) -> Result<Begun, sqlx::Error> {
    run(connection, rows::missing_workspaces(grown.workspaces)).await?;
    let ids = grown.leads.saturating_add(1).saturating_mul(IDS);
    let reserve = format!("select setval('row_ids', nextval('row_ids') + {ids}) - {ids}");
    let first_id = sqlx::query_scalar(AssertSqlSafe(reserve)).fetch_one(&mut *connection).await?;
    let until = format!("select ({})::timestamptz::text", grown.until);
    let until: String = sqlx::query_scalar(AssertSqlSafe(until)).fetch_one(&mut *connection).await?;
    run(connection, rows::months(grown, &until)).await?;
    Ok(Begun { first_id, until })
}

/// Fills the leads with these numbers, and all that belongs to them. Foreign keys are not checked, so the connection's role
/// is a superuser, and the connection is not used for anything else. A range begins at a multiple of 50, so that leads and
/// their cars stay together.
pub(crate) async fn fill_range(
    connection: &mut PgConnection,
    grown: &Grown,
    begun: &Begun,
    leads: Range<u64>,
) -> Result<(), sqlx::Error> {
    let quick = "set session_replication_role = replica; set synchronous_commit = off; set jit = off;";
    run(connection, format!("{quick} {}", chunk::workspaces(grown))).await?;
    let mut first = leads.start;
    while first < leads.end {
        let end = leads.end.min(first + CHUNK);
        run(connection, chunk::leads(grown, begun, first..end)).await?;
        for rows in rows::of_leads(grown) {
            run(connection, insert(&rows)).await?;
        }
        run(connection, "drop table grown_leads".to_owned()).await?;
        first = end;
    }
    Ok(())
}

/// The statement that writes rows.
fn insert(Rows { table, columns, from }: &Rows) -> String {
    let (names, values): (Vec<&str>, Vec<&str>) = columns.iter().map(|(name, value)| (*name, value.as_ref())).unzip();
    format!("insert into {table} ({}) select {} from {from}", names.join(", "), values.join(", "))
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
