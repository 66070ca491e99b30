//! `forecourt export`: print all that is known of a person as JSON.

use std::io::Write;
use std::path::Path;

use clap::Args;

use crate::config::{self, Config, Environment};
use crate::domain::values::Email;
use crate::intake::erasure;
use crate::store::Store;

use super::acted_by::acted_by;
use super::command_result::CommandResult;
use super::erase::{address, open};
use super::log::{start_log, warn};
use super::postgres::Postgres;

/// Whom to export.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The person of this e-mail address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    email: Email,
}

/// Prints what is known.
pub(super) fn run(
    arguments: &Arguments,
    path: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let config = config::load(path, environment)?;
    tokio::runtime::Runtime::new()?.block_on(export(arguments, config, environment, out))
}

async fn export(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let postgres = Postgres::reach(&config, environment).await?;
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
    let store: Store = open(config, environment, postgres.options.clone()).await?;
    let known = erasure::export::export(&store, &arguments.email, &acted_by(environment)).await?;
    store.close().await;
    writeln!(out, "{}", serde_json::to_string_pretty(&known)?)?;
    Ok(())
}
