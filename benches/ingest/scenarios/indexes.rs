//! What the indexes cost that are there for people's questions: rows of leads written with all of them, without each, and
//! without any.
//!
//! Rates, and processor time of whole runs, waver by more than an index costs. So the same rows are written into grown tables by
//! one connection, with the index and without it in turn, and taken back; what counts is the time for which that connection's
//! process was on a processor, as Linux tells it in nanoseconds. It is set beside the processor time that service and
//! Postgres need for a lead in the same run.

use std::fs;

use sqlx::{AssertSqlSafe, PgConnection};

use super::{Bench, MANY, SEED, ratio, say};
use crate::Fallible;
use crate::grown::{self, Grown};
use crate::load::{Order, Pace};
use crate::report::{Limit, median};

/// A table that leads write to.
struct Table {
    name: &'static str,
    /// What the sender or the customer calls a row: it is unique, so that what is written again needs another.
    key: &'static str,
    /// How many rows of it a lead makes, as in the grown tables.
    rows_per_lead: f64,
    /// Its indexes of the migrations 0031 and 0037.
    indexes: &'static [&'static str],
}

const TABLES: [Table; 4] = [
    Table {
        name: "leads",
        key: "external_id",
        rows_per_lead: 1.0,
        indexes: &[
            "leads_enquired_at_idx",
            "leads_enquired_at_brin_idx",
            "leads_received_at_brin_idx",
            "leads_erased_idx",
            "leads_blocked_idx",
            "leads_contact_email_idx",
            "leads_vin_idx",
            "leads_stock_number_idx",
            "leads_contact_phone_idx",
            "leads_contact_home_phone_idx",
        ],
    },
    Table {
        name: "persons",
        key: "email",
        rows_per_lead: 0.8,
        indexes: &["persons_mobile_phone_idx", "persons_home_phone_idx"],
    },
    Table {
        name: "lead_clusters",
        key: "external_id",
        rows_per_lead: 0.4,
        indexes: &["lead_clusters_contact_phone_idx"],
    },
    Table { name: "appointments", key: "external_id", rows_per_lead: 0.1, indexes: &["appointments_starts_at_idx"] },
];

/// How many leads are there, and how many rows of each table are written again each time.
const LEADS: u64 = 200_000;
const WRITTEN: u32 = 20_000;
/// How often a table is written with an index and without it: each round counts their median.
const TURNS: usize = 5;
/// How many leads are sent for each second that a measurement may take.
const LEADS_A_SECOND: u64 = 2_500;
/// Where the numbers of those leads begin.
const FRESH: u64 = 100_000;
/// What one may cost, and all together, in percent of the processor time of a lead.
const MOST: (f64, f64) = (2.0, 8.0);

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    bench.many().await?;
    bench.server.copy(MANY, "indexes").await?;
    let mut connection = bench.server.connect("indexes").await?;
    grown::fill(&mut connection, &Grown { leads: LEADS, ..Grown::default() }).await?;
    for table in &TABLES {
        prepare(&mut connection, table).await?;
    }
    for round in 1..=bench.options.rounds {
        say(&format!("indexes, round {round}"));
        let a_lead = processor_time_of_a_lead(bench).await?;
        let mut all = 0.0;
        for table in &TABLES {
            for name in table.indexes {
                let cost = table.rows_per_lead * cost_of_a_row(&mut connection, table, &[name]).await?;
                let what = format!("processor time a lead for {name}, % of all");
                bench.report.aim(&what, cost / a_lead * 100.0, Limit::AtMost(MOST.0));
            }
            all += table.rows_per_lead * cost_of_a_row(&mut connection, table, table.indexes).await?;
        }
        bench.report.aim("the same for all of them together, %", all / a_lead * 100.0, Limit::AtMost(MOST.1));
    }
    drop(connection);
    bench.server.drop("indexes").await
}

/// The processor time of service and Postgres for a lead, in seconds, with all indexes.
async fn processor_time_of_a_lead(bench: &mut Bench<'_>) -> Fallible<f64> {
    bench.server.copy(SEED, "indexed").await?;
    let service = bench.forecourt("indexed").await?;
    let pace = Pace::All { count: bench.options.seconds * LEADS_A_SECOND };
    let figures = bench.measure(&service, &Order { first: FRESH, ..super::leads(&service, pace) }).await?.1;
    drop(service);
    bench.server.drop("indexed").await?;
    bench.report.add("leads with the indexes for questions", figures);
    Ok(ratio(figures.cpu(), Some(1_000.0)))
}

/// Keeps rows of a table aside that can be written beside those that are there.
async fn prepare(connection: &mut PgConnection, table: &Table) -> Fallible {
    let Table { name, key, .. } = table;
    let sql = format!(
        "create temp table fresh_{name} as select * from {name} order by id limit {WRITTEN};
        update fresh_{name} set id = id + 1000000000000, {key} = 'again' || {key};
        vacuum analyze fresh_{name}; vacuum analyze {name};"
    );
    for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What these indexes cost a row of their table, in seconds: the median of turns with and without them.
async fn cost_of_a_row(connection: &mut PgConnection, table: &Table, indexes: &[&str]) -> Fallible<f64> {
    let mut costs = Vec::new();
    for turn in 0..TURNS {
        // Whichever comes first finds another cache.
        let (with, without) = if turn % 2 == 0 {
            let with = written(connection, table, &[]).await?;
            (with, written(connection, table, indexes).await?)
        } else {
            let without = written(connection, table, indexes).await?;
            (written(connection, table, &[]).await?, without)
        };
        costs.push((with - without) / f64::from(WRITTEN));
    }
    Ok(median(costs))
}

/// For how long the connection's process was on a processor to write the rows without these indexes, in seconds.
async fn written(connection: &mut PgConnection, table: &Table, without: &[&str]) -> Fallible<f64> {
    let name = table.name;
    let process: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *connection).await?;
    let drops = without.iter().map(|index| format!("drop index {index}")).collect::<Vec<_>>().join("; ");
    sqlx::raw_sql(AssertSqlSafe(format!("begin; {drops}"))).execute(&mut *connection).await?;
    let begun = on_processor(process)?;
    let write = format!("insert into {name} select * from fresh_{name}");
    sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut *connection).await?;
    let taken = on_processor(process)? - begun;
    for statement in ["rollback".to_owned(), format!("vacuum {name}")] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(taken)
}

/// For how long a process has been on a processor, in seconds.
fn on_processor(process: i32) -> Fallible<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/schedstat"))?;
    let nanoseconds: f64 = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
