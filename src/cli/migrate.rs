//! `forecourt migrate`: bring the tables to this version, as a start does, before the service is started; or say what
//! would be done.

use std::io::Write;

use clap::Args;

use crate::config::{Config, Environment};
use crate::store::granting;
use crate::store::rereading;
use crate::store::{Demands, PutsUp, Store};

use super::acted_by::acted_by;
use super::command_result::CommandResult;
use super::interruption::Interruption;
use super::log::{start_log, warn};
use super::postgres::Postgres;
use super::progress::Progress;
use super::tables;

/// What is asked for.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// Say what would be applied, and change nothing; the exit status is 0 where there is nothing, and 1 where there is
    #[arg(long)]
    check: bool,
}

/// So many connections: one does the work, and one may look at it.
const CONNECTIONS: u32 = 2;

/// Brings the tables to this version, or says what that would take.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let postgres = if arguments.check {
        let Some(postgres) = Postgres::existing_as_owner(&config, environment).await? else {
            return Err("there is no private Postgres yet; the first start makes it with all its tables".into());
        };
        postgres
    } else {
        Postgres::reach_as_owner(&config, environment).await?
    };
    let done = over(arguments, &config, environment, &postgres, interruption, out).await;
    let stopped = postgres.stop().await;
    done.and(stopped)
}

async fn over(
    arguments: &Arguments,
    config: &Config,
    environment: &Environment,
    postgres: &Postgres,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> CommandResult {
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::WithTables };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(postgres.options.clone(), CONNECTIONS, demands, retry_days).await?;
    if arguments.check {
        return say(&store, out).await;
    }
    let acted_by = acted_by(environment);
    let missing = store.pending_migrations().await?;
    let progress = Progress::begin("looking at the tables", 0, environment);
    let done = tokio::select! {
        done = tables::bring_up(&store, &progress, &acted_by) => done,
        () = interruption.asked() => {
            drop(progress);
            let left = store.pending_migrations().await?.len();
            let applied = missing.iter().take(missing.len().saturating_sub(left)).map(|one| one.version).collect();
            tables::record(&store, &acted_by, applied).await;
            return Err(format!(
                "stopped: what was under way is undone, and {left} migrations are left; `forecourt migrate` or a start goes \
                 on with them"
            )
            .into());
        }
    };
    drop(progress);
    let done = done?;
    granting::give_again(&store).await?;
    match done {
        0 => writeln!(out, "The tables are of this version; there was nothing to do.")?,
        1 => writeln!(out, "One migration was applied; the tables are of this version.")?,
        count => writeln!(out, "{count} migrations were applied; the tables are of this version.")?,
    }
    store.close().await;
    Ok(())
}

/// Says what would be done.
async fn say(store: &Store, out: &mut dyn Write) -> CommandResult {
    let pending = store.pending_migrations().await?;
    for migration in &pending {
        writeln!(out, "would apply {}", tables::named(migration))?;
    }
    // The list of what is to be read anew comes with a migration.
    let workspaces = if pending.is_empty() { rereading::workspaces(store).await? } else { 0 };
    if workspaces > 0 {
        writeln!(out, "would read the stored values of {workspaces} workspaces anew")?;
    }
    let missing = match pending.len() {
        0 if workspaces == 0 => {
            return Ok(writeln!(out, "The tables are of this version; there is nothing to do.")?);
        }
        0 => "stored values are to be read anew".to_owned(),
        1 => "one migration is missing".to_owned(),
        count => format!("{count} migrations are missing"),
    };
    Err(format!(
        "{missing}, and nothing was changed: `forecourt migrate` does it, and so does a start as the tables' owner"
    )
    .into())
}
