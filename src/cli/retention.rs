//! `forecourt retention`: let go what is older than the configuration keeps it, as the service does once a day; or say what
//! that would be.

use std::io::Write;
use std::path::Path;

use clap::Args;

use crate::config::{self, Config, Environment};
use crate::intake::clock;
use crate::intake::retention::{self, Gone, Report};
use crate::store::{self, Demands, PutsUp, Store};

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
    /// Say what would go, and let nothing go
    #[arg(long)]
    dry_run: bool,
}

/// So many connections: one does the work, and one may look at it.
const CONNECTIONS: u32 = 2;

/// Lets go what is too old, or says what that is.
pub(super) fn run(
    arguments: &Arguments,
    config_path: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let (config, stop) = (config::load(config_path, environment)?, Interruption::listen());
    tokio::runtime::Runtime::new()?.block_on(with_postgres(arguments, config, environment, &stop, out))
}

async fn with_postgres(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let postgres = Postgres::reach(&config, environment).await?;
    let done = over(arguments, &config, environment, postgres.options.clone(), interruption, out).await;
    let stopped = postgres.stop().await;
    done.and(stopped)
}

async fn over(
    arguments: &Arguments,
    config: &Config,
    environment: &Environment,
    address: store::Address,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> CommandResult {
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(address, CONNECTIONS, demands, retry_days).await?;
    let acted_by = acted_by(environment);
    tables::bring_up(&store, &Progress::begin("looking at the tables", 0, environment), &acted_by).await?;
    let now = clock::now();
    if arguments.dry_run {
        let would_go = retention::preview(&store, &config.retention, now).await?;
        store.close().await;
        return tell(&would_go, "would go", "Nothing is too old; nothing would go.", out);
    }
    let mut report = Report::default();
    let passed = loop {
        let passed = tokio::select! {
            passed = retention::pass(&store, &config.retention, now, &mut report) => Some(passed),
            () = interruption.asked() => None,
        };
        match passed {
            Some(Ok(())) if report.is_more_left => {}
            passed => break passed,
        }
    };
    let recorded = report.record(&store, &acted_by).await;
    store.close().await;
    tell(&report.gone, "gone", "Nothing is too old; nothing has gone.", out)?;
    passed.ok_or("stopped: what is left goes with the next `forecourt retention`, or by the service")??;
    Ok(recorded?)
}

/// A line for each kind and month.
fn tell(gone: &[Gone], how: &str, none: &str, out: &mut dyn Write) -> CommandResult {
    if gone.is_empty() {
        return Ok(writeln!(out, "{none}")?);
    }
    for Gone { what, month, rows } in gone {
        let month = month.map_or_else(String::new, |month| format!(" {}", month.format("%Y-%m")));
        writeln!(out, "{what}{month}: {rows} rows {how}")?;
    }
    Ok(())
}
