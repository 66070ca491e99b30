//! `forecourt erase`: remove a person everywhere, whether the service runs or not. It needs the database, the configuration
//! and the data directory, not the service.
//!
//! The order is written down first. While Postgres is away it waits there: the running service does it once Postgres is
//! back, and so does the next `forecourt erase`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use uuid::Uuid;

use crate::config::{Config, Environment};
use crate::domain::values::{self, Email};
use crate::intake::clock;
use crate::intake::erasure::{self, Erased, ErasureError, Mode, Order, Target, again, journal, orders};
use crate::store::{self, Demands, PutsUp, Store};

use super::acted_by::acted_by;
use super::command_result::{CommandError, CommandResult, with_causes};
use super::log::{start_log, warn};
use super::postgres::Postgres;
use super::progress::Progress;
use super::{service, tables};

/// Whom to erase, and where.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["email", "lead", "again"])))]
pub(super) struct Arguments {
    /// The person of this e-mail address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    email: Option<Email>,
    /// The person of this lead, by the sender's id of it; one without an address is erased alone
    #[arg(long, value_name = "ID")]
    lead: Option<String>,
    /// Do the erasures of this file over on a database that was restored: the erasures.log of a data directory
    #[arg(long, value_name = "FILE")]
    again: Option<PathBuf>,
    /// In this workspace only [default: in all]
    #[arg(long, value_name = "SLUG", conflicts_with = "again")]
    workspace: Option<String>,
    /// Why, for the record; no personal data
    #[arg(long, value_name = "TEXT", conflicts_with = "again")]
    reason: Option<String>,
    /// Say how many rows of each table it would concern, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// So many connections: one looks ahead, one writes.
const CONNECTIONS: u32 = 2;

/// Reads an address of the command line.
pub(super) fn address(text: &str) -> Result<Email, &'static str> {
    Email::parse(text).ok_or("this is not an e-mail address")
}

/// Erases whom it is asked for.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Commit };
    let order = order(arguments, environment)?;
    let data_dir = &config.server.data_dir;
    if let (Some(order), Mode::Commit) = (&order, mode) {
        orders::keep(data_dir, order)?;
    }
    let reached = async {
        let postgres = Postgres::reach(&config, environment).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(postgres)
    };
    let postgres = match reached.await {
        Ok(postgres) => postgres,
        Err(error) if error.downcast_ref::<CommandError>().is_some() => {
            // To wait mends nothing.
            if let Some(order) = &order {
                orders::forget(data_dir, order.id);
            }
            return Err(error);
        }
        Err(error) => return Err(waits(order.as_ref(), mode, with_causes(error.as_ref()))),
    };
    let done = over(arguments, order.as_ref(), mode, &config, environment, postgres.options.clone(), out).await;
    let stopped = postgres.stop().await;
    done.and(stopped)
}

fn order(arguments: &Arguments, environment: &Environment) -> Result<Option<Order>, CommandError> {
    if let (Some(email), Some(reason)) = (&arguments.email, &arguments.reason)
        && reason.to_lowercase().contains(email.as_str())
    {
        return Err(CommandError::Usage("the reason names the address, and is kept: leave it out there".to_owned()));
    }
    let target = match (&arguments.email, &arguments.lead) {
        (Some(email), _) => Target::Address(email.clone()),
        (None, Some(lead)) if !lead.trim().is_empty() => Target::Lead(lead.trim().to_owned()),
        (None, Some(_)) => return Err(CommandError::Usage("the id of the lead is empty".to_owned())),
        (None, None) => return Ok(None),
    };
    Ok(Some(Order {
        id: Uuid::now_v7(),
        erased_at: clock::now(),
        target,
        workspace: arguments.workspace.clone(),
        reason: arguments.reason.clone(),
        acted_by: acted_by(environment),
    }))
}

/// That the order waits, where it was given in earnest.
fn waits(order: Option<&Order>, mode: Mode, why: String) -> Box<dyn std::error::Error + Send + Sync> {
    match (order, mode) {
        (Some(_), Mode::Commit) => format!(
            "Postgres cannot be used, and the order waits in the data directory: the running service does it once Postgres is \
             back, and so does the next `forecourt erase` ({why})"
        )
        .into(),
        (Some(_) | None, _) => why.into(),
    }
}

async fn over(
    arguments: &Arguments,
    order: Option<&Order>,
    mode: Mode,
    config: &Config,
    environment: &Environment,
    address: store::Address,
    out: &mut dyn Write,
) -> CommandResult {
    let store = match open(config, environment, address).await {
        Ok(store) => store,
        Err(error) if error.is_transient() => return Err(waits(order, mode, error.without_values())),
        Err(error) => return Err(error.into()),
    };
    let done = match (&arguments.again, order, mode) {
        (Some(file), ..) => erase_again(&store, file, config, environment, mode, out).await,
        (None, Some(order), Mode::DryRun) => {
            let erased = erasure::erase(&store, order, mode, None).await?;
            say(&erased, mode, out)
        }
        (None, Some(_), Mode::Commit) => perform(&store, order, config, out).await,
        (None, None, _) => Ok(()),
    };
    store.close().await;
    done
}

/// The tables, brought to this version, with the key by which erasures are known again.
pub(super) async fn open(
    config: &Config,
    environment: &Environment,
    address: store::Address,
) -> Result<Store, store::Error> {
    // A person looks on: what the server is like is for the service to say.
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(address, CONNECTIONS, demands, retry_days).await?;
    let progress = Progress::begin("looking at the tables", 0, environment);
    tables::bring_up(&store, &progress, &acted_by(environment)).await?;
    values::warm_up();
    service::set_erasure_key(config, &store);
    Ok(store)
}

/// Does what waits, this order among it.
async fn perform(store: &Store, order: Option<&Order>, config: &Config, out: &mut dyn Write) -> CommandResult {
    let data_dir = &config.server.data_dir;
    for waiting in orders::waiting(data_dir) {
        let is_own = order.is_some_and(|order| order.id == waiting.id);
        match orders::perform(store, data_dir, &waiting).await {
            Ok(erased) if is_own => say(&erased, Mode::Commit, out)?,
            Ok(_) => writeln!(out, "An order that waited is done.")?,
            Err(error) if error.is_transient() => return Err(waits(order, Mode::Commit, error.to_string())),
            Err(error) if is_own => {
                orders::forget(data_dir, waiting.id);
                return Err(wrong(error));
            }
            // It holds up none that came after it.
            Err(error) => tracing::error!(order = %waiting.id, %error, "an order to erase cannot be done and waits on"),
        }
    }
    Ok(())
}

/// What cannot be asked for is wrong usage.
fn wrong(error: ErasureError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ErasureError::UnknownWorkspace(_) => CommandError::Usage(error.to_string()).into(),
        ErasureError::Store(_) | ErasureError::File(..) | ErasureError::Line(_) => error.into(),
    }
}

async fn erase_again(
    store: &Store,
    file: &std::path::Path,
    config: &Config,
    environment: &Environment,
    mode: Mode,
    out: &mut dyn Write,
) -> CommandResult {
    let text = std::fs::read_to_string(file).map_err(|error| ErasureError::File(file.display().to_string(), error))?;
    let own = config.server.data_dir.join(journal::FILE);
    // The file itself need not say twice what it says.
    let is_own = std::fs::canonicalize(file).ok() == std::fs::canonicalize(&own).ok();
    let journal = (!is_own).then_some(own.as_path());
    let (orders, erased) = again::again(store, &text, &acted_by(environment), mode, journal).await?;
    if orders == 0 {
        return Ok(writeln!(out, "The tables have every erasure of the file; there was nothing to do.")?);
    }
    writeln!(out, "Erasures of the file that the tables lacked: {orders}.")?;
    say(&erased, mode, out)
}

/// One line for each table, and what a person should know.
fn say(erased: &Erased, mode: Mode, out: &mut dyn Write) -> CommandResult {
    let verb = match mode {
        Mode::Commit => "erased in",
        Mode::DryRun => "would be erased in",
    };
    for (table, count) in &erased.counts {
        writeln!(out, "{count:>8} {verb} {table}")?;
    }
    if erased.counts.values().all(|count| *count == 0) {
        writeln!(out, "Nothing is known of whom that names: is it written as the sender wrote it?")?;
    }
    if !erased.other_addresses.is_empty() {
        let count = erased.other_addresses.len();
        writeln!(
            out,
            "Leads of this person have {count} other addresses by now, whose persons stay; `forecourt export` names them \
             before an erasure."
        )?;
    }
    if mode == Mode::DryRun {
        writeln!(out, "Nothing was changed.")?;
    }
    Ok(())
}
