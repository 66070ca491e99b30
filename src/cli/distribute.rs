//! `forecourt distribute`: spread the tables over several servers, where the database has the extension Citus; or say what
//! would be done.

use std::io::Write;

use clap::Args;

use crate::config::{Config, Environment};
use crate::store::distribution::{self, Plan, SHARDS};
use crate::store::{Demands, PutsUp, Store};

use super::acted_by::acted_by;
use super::command_result::CommandResult;
use super::log::{start_log, warn};
use super::postgres::Postgres;

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print the statements, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Into how many parts the tables are cut, 1 to 1024; it is said once, the first time
    #[arg(long, value_name = "N", default_value_t = SHARDS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: u16,
}

/// So many connections: one does the work, and one may look at it.
const CONNECTIONS: u32 = 2;

/// Brings each table to its place, as the owner of the tables.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let Some(postgres) = Postgres::existing_as_owner(&config, environment).await? else {
        return Err(
            "there is no private Postgres yet, and so nothing to distribute; one Postgres is not distributed, \
            docs/scale.md says when several are of use"
                .into(),
        );
    };
    let done = over(arguments, &config, environment, &postgres, out).await;
    let stopped = postgres.stop().await;
    done.and(stopped)
}

async fn over(
    arguments: &Arguments,
    config: &Config,
    environment: &Environment,
    postgres: &Postgres,
    out: &mut dyn Write,
) -> CommandResult {
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::WithTables };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(postgres.options.clone(), CONNECTIONS, demands, retry_days).await?;
    let Arguments { dry_run, shards } = *arguments;
    let plan = if dry_run {
        distribution::plan(&store, shards).await
    } else {
        distribution::distribute(&store, shards, &acted_by(environment)).await
    };
    store.close().await;
    let plan = plan?;
    if dry_run { print(&plan, out) } else { tell(&plan, out) }
}

/// Prints what would be run, so that it can be passed on as it is.
fn print(plan: &Plan, out: &mut dyn Write) -> CommandResult {
    if !plan.has_extension {
        writeln!(
            out,
            "-- This database does not have the extension Citus yet, without which nothing of this can be run."
        )?;
    }
    if let Some(hindrance) = &plan.hindrance {
        writeln!(out, "-- Not as this user: {hindrance}")?;
    }
    if plan.steps.is_empty() {
        writeln!(out, "-- All {} tables are in their places; there is nothing to do.", plan.done)?;
        return Ok(());
    }
    if plan.done > 0 {
        writeln!(out, "-- {} tables are in their places already.", plan.done)?;
    }
    writeln!(out, "begin;\n{};", distribution::SETTINGS.replace("; ", ";\n"))?;
    for step in &plan.steps {
        writeln!(out, "{};", step.sql)?;
    }
    writeln!(out, "commit;")?;
    Ok(())
}

/// Says what was done.
fn tell(plan: &Plan, out: &mut dyn Write) -> CommandResult {
    let spread: Vec<_> = plan.steps.iter().filter_map(|step| step.spreads).collect();
    for one in &spread {
        writeln!(out, "{}: {}", one.table, one.place.name())?;
    }
    match (spread.len(), plan.done) {
        (0, done) => writeln!(out, "All {done} tables were in their places; there was nothing to do.")?,
        (count, 0) => writeln!(out, "{count} tables were brought to their places. Start the services again now.")?,
        (count, done) => {
            writeln!(out, "{count} tables were brought to their places, where {done} were already.")?;
        }
    }
    Ok(())
}
