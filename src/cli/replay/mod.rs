//! `forecourt replay`: stored deliveries, or refused requests, through the same path again, whether the service runs or
//! not. It needs the database and the configuration, not the service.

mod arguments;
mod report;
mod source;

use std::collections::BTreeSet;
use std::io::Write;

use crate::config::{Config, Environment};
use crate::domain::values;
use crate::intake::replay::{self, ReplayItem};
use crate::intake::{self, Intake};
use crate::local_postgres::{self, LocalPostgres};
use crate::store::replay_filter::{Cursor, ReplayFilter, START};
use crate::store::{self, Demands, PutsUp, Store, rejected, workspaces};

use super::command_result::{CommandError, CommandResult};
use super::log::{start_log, warn};
use super::postgres::{DATABASE, Postgres};
use super::service;
pub(super) use arguments::Arguments;
use report::Report;
use source::{Item, ReplayIdentity, Source};

/// So many connections; the service may need the others.
const CONNECTIONS: u32 = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Replays what is asked for.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let replay_filter =
        arguments.replay_filter(intake::clock::now()).map_err(|wrong| CommandError::Usage(wrong.to_owned()))?;
    // Each delivery has its line on standard output, so the log tells only what went wrong.
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, environment)?;
    warn(&config);
    let postgres = reach_postgres(&config, environment).await?;
    let done = Box::pin(over(postgres.options.clone(), arguments, &config, &replay_filter, out)).await;
    postgres.stop().await?;
    match done? {
        Some(wrong) => Err(wrong.into()),
        None => Ok(()),
    }
}

/// The Postgres that is configured; of the private one, that of the running service, else one started for this.
async fn reach_postgres(config: &Config, environment: &Environment) -> Result<Postgres, Failure> {
    match Postgres::open(config, environment).await {
        Err(error) if is_in_use(error.as_ref()) => {
            let options = LocalPostgres::connect_options_of_another(&config.server.data_dir, DATABASE)?;
            Ok(Postgres::of_another(options))
        }
        other => other,
    }
}

fn is_in_use(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(local_postgres::Error::InUse { .. }))
}

/// Replays over a database. Gives what went wrong with single deliveries.
async fn over(
    address: store::Address,
    arguments: &Arguments,
    config: &Config,
    replay_filter: &ReplayFilter,
    out: &mut dyn Write,
) -> Result<Option<String>, Failure> {
    // A person looks on, and the deliveries are there already: what the server is like is for the service to say.
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    let store = Store::connect(address, CONNECTIONS, demands, i64::from(config.server.booking_retry_days)).await?;
    store.migrate().await?;
    values::warm_up();
    let named = arguments.credential.as_deref();
    let (identity, permitted) = if arguments.rejected {
        let feeds = rejected::feeds(&store, replay_filter).await?;
        (Some(ReplayIdentity::find(config, named, &feeds)?), None)
    } else {
        (None, named.map(|name| source::permission(config, name)).transpose()?)
    };
    let intake = open_intake(arguments, config, &store).await?;
    let source = Source { intake: &intake, identity, permitted, replay_filter };
    let mut report = Report::new(out, arguments.dry_run);
    let seen = replay_all(&source, arguments, &mut report).await?;
    intake.finish().await;
    store.close().await;
    let missing: Vec<String> =
        arguments.ids().iter().filter(|id| !seen.contains(*id)).map(ToString::to_string).collect();
    let wrong = report.end()?;
    let missing =
        (!missing.is_empty()).then(|| format!("nothing that was asked for has the id {}", missing.join(", ")));
    Ok(match (wrong, missing) {
        (Some(wrong), Some(missing)) => Some(format!("{wrong}; {missing}")),
        (wrong, missing) => wrong.or(missing),
    })
}

/// The intake under today's configuration. To try something out, the tables are taken as they are.
async fn open_intake(arguments: &Arguments, config: &Config, store: &Store) -> Result<Intake, store::Error> {
    if arguments.dry_run {
        return Ok(service::intake_over(config, store, &workspaces::ids(store).await?));
    }
    service::open_intake(config, store).await
}

/// Replays round by round, so that memory stays bounded. Gives the ids that were there, where ids were asked for.
async fn replay_all(
    source: &Source<'_>,
    arguments: &Arguments,
    report: &mut Report<'_>,
) -> Result<BTreeSet<uuid::Uuid>, Failure> {
    let mut seen = BTreeSet::new();
    let mut left = arguments.limit();
    let mut after: Cursor = START;
    while left > 0 {
        let items = source.round(after, left).await?;
        let Some(last) = items.last() else { break };
        after = last.cursor;
        left -= i64::try_from(items.len()).unwrap_or(i64::MAX);
        if !arguments.ids().is_empty() {
            seen.extend(items.iter().map(|item| item.before.id));
        }
        replay_round(source, items, arguments.dry_run, report).await?;
    }
    Ok(seen)
}

async fn replay_round(
    source: &Source<'_>,
    items: Vec<Item>,
    dry_run: bool,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut wanted: Vec<ReplayItem> = Vec::with_capacity(items.len());
    let mut told = Vec::with_capacity(items.len());
    for Item { before, work, cursor: _ } in items {
        told.push((before, work.as_ref().err().copied()));
        wanted.extend(work);
    }
    let made = if dry_run {
        replay::dry_run(source.intake, wanted).await?.into_iter().map(Some).collect()
    } else {
        replay::replay(source.intake, wanted).await
    };
    let mut made = made.into_iter();
    let mut entered = Vec::new();
    for (before, obstacle) in told {
        match obstacle {
            Some(why) => report.left(&before, why)?,
            None => match made.next().flatten() {
                Some(made) => {
                    report.made(&before, &made)?;
                    entered.push(before.id);
                }
                None => report.left(&before, "the database did not take it in time")?,
            },
        }
    }
    if source.identity.is_some() && !dry_run {
        rejected::mark(source.intake.store(), &entered, intake::clock::now()).await?;
    }
    Ok(())
}
