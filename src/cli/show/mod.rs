//! `forecourt show`: why something is as it is, for a person who knows an address, a number or a plate and no SQL. It reads,
//! and writes nothing.

mod text;

use std::io::Write;
use std::iter;
use std::path::Path;

use clap::Args;

use crate::config::{self, Config, Environment};
use crate::domain::values;
use crate::intake::clock;
use crate::intake::story::{self, Found, Key, Kind};
use crate::store::{Demands, PutsUp, Store};

use super::command_result::{CommandError, CommandResult};
use super::log::start_log;
use super::postgres::Postgres;
pub use text::text;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What it is: lead, person, vehicle, cluster or delivery
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: Kind,
    /// The sender's id of a lead or a cluster; a person's e-mail address or phone number; a vehicle's VIN, stock number,
    /// identifier or plate; a delivery's UUID
    #[arg(value_name = "KEY")]
    key: String,
    /// In this workspace only [default: in all]
    #[arg(long, value_name = "SLUG")]
    workspace: Option<String>,
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::named(text).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name).join(", ");
        format!("this is none of {names}")
    })
}

/// Shows what is asked for.
pub(super) fn run(
    arguments: &Arguments,
    path: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let config = config::load(path, environment)?;
    tokio::runtime::Runtime::new()?.block_on(show(arguments, config, environment, out))
}

async fn show(arguments: &Arguments, config: Config, environment: &Environment, out: &mut dyn Write) -> CommandResult {
    let key = Key::of(arguments.kind, &arguments.key)
        .ok_or_else(|| CommandError::Usage(format!("this is no key of a {}", arguments.kind.name())))?;
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    let postgres = Postgres::reach(&config, environment).await?;
    let found = find(arguments, &key, &config, &postgres).await;
    let stopped = postgres.stop().await;
    let found = found?;
    stopped?;
    if found.stories.is_empty() {
        return Err(nothing(arguments, &found).into());
    }
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
    } else {
        write!(out, "{}", text(&found))?;
    }
    Ok(())
}

/// A look at the tables as they are: whoever looks does not change their shape.
async fn find(
    arguments: &Arguments,
    key: &Key,
    config: &Config,
    postgres: &Postgres,
) -> Result<Found, Box<dyn std::error::Error + Send + Sync>> {
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(postgres.options.clone(), 1, demands, retry_days).await?;
    if !store.pending_migrations().await?.is_empty() {
        return Err("the tables are those of an older version: start this one, or run `forecourt migrate`".into());
    }
    values::warm_up();
    let found = story::find(&store, key, arguments.workspace.as_deref(), clock::now()).await;
    store.close().await;
    match found {
        Ok(found) => Ok(found),
        Err(story::Error::NoSuchWorkspace(slug)) => {
            Err(CommandError::Usage(format!("there is no workspace `{slug}`")).into())
        }
        Err(story::Error::Store(error)) => Err(error.into()),
    }
}

/// That there is nothing, with what there is instead.
fn nothing(arguments: &Arguments, found: &Found) -> String {
    let place = arguments.workspace.as_ref().map_or_else(String::new, |slug| format!(" in workspace `{slug}`"));
    let missing = format!("there is no {} `{}`{place}", arguments.kind.name(), arguments.key.trim());
    let parts: Vec<&str> = iter::once(&missing).chain(&found.near_misses).map(String::as_str).collect();
    text::plain(&parts.join("; "))
}
