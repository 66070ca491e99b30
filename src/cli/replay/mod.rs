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
use crate::intake::{self, Intake, configuration};
use crate::metrics::Metrics;
use crate::store::actions::{self, Action};
use crate::store::replay_filter::{Cursor, ReplayFilter, START};
use crate::store::{self, Demands, PutsUp, Store, rejected};

use super::acted_by::acted_by;
use super::command_result::{CommandError, CommandResult};
use super::interruption::Interruption;
use super::log::{start_log, warn};
use super::postgres::Postgres;
use super::progress::Progress;
use super::{service, tables};
pub(super) use arguments::Arguments;
use report::Report;
use source::{Entrances, Item, Source};

/// So many connections; the service may need the others.
const CONNECTIONS: u32 = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Replays what is asked for.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> CommandResult {
    let replay_filter =
        arguments.replay_filter(intake::clock::now()).map_err(|wrong| CommandError::Usage(wrong.to_owned()))?;
    // Each delivery has its line on standard output, so the log tells only what went wrong.
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let postgres = Postgres::reach(&config, environment).await?;
    let asked = AskedFor { arguments, replay_filter: &replay_filter, environment, interruption };
    let done = Box::pin(over(postgres.options.clone(), &asked, &config, out)).await;
    postgres.stop().await?;
    match done? {
        Some(wrong) => Err(wrong.into()),
        None => Ok(()),
    }
}

/// What is asked for, and who asks.
struct AskedFor<'a> {
    arguments: &'a Arguments,
    replay_filter: &'a ReplayFilter,
    environment: &'a Environment,
    interruption: &'a Interruption,
}

/// Replays over a database. Gives what went wrong with single deliveries, and what is left where it was stopped.
async fn over(
    address: store::Address,
    asked: &AskedFor<'_>,
    config: &Config,
    out: &mut dyn Write,
) -> Result<Option<String>, Failure> {
    let AskedFor { arguments, replay_filter, environment, interruption } = *asked;
    // A person looks on, and the deliveries are there already: what the server is like is for the service to say.
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    let store = Store::connect(address, CONNECTIONS, demands, i64::from(config.server.booking_retry_days)).await?;
    let acted_by = acted_by(environment);
    tables::bring_up(&store, &Progress::begin("looking at the tables", 0, environment), &acted_by).await?;
    values::warm_up();
    let entrances = Entrances::find(arguments, config, &store, replay_filter).await?;
    let of_no_door = arguments.of_no_door(replay_filter);
    let intake = open_intake(arguments, config, &store).await?;
    let of_doors = Some(replay_filter).filter(|_| !(arguments.rejected && arguments.as_feed.is_some()));
    let sources = [(arguments.rejected, of_doors), (true, of_no_door.as_ref())];
    let sources = sources.into_iter().filter_map(|(is_refused, replay_filter)| {
        let identity = if is_refused { entrances.of_refused.as_ref() } else { None };
        Some(Source { intake: &intake, identity, of_stored: &entrances.of_stored, replay_filter: replay_filter? })
    });
    let sources: Vec<Source<'_>> = sources.collect();
    let mut rounds = Rounds::of(&sources, arguments, interruption).await?;
    let progress = Progress::begin("replayed", u64::try_from(rounds.total).unwrap_or_default(), environment);
    let mut report = Report::new(out, arguments.dry_run, progress);
    let replayed = rounds.replay_all(&sources, &mut report).await;
    intake.finish().await;
    let recorded = match report.counts() {
        Some(counts) => actions::record_alone(&store, Action::Replay, &acted_by, counts).await,
        None => Ok(()),
    };
    store.close().await;
    let left = replayed?;
    let wrong = report.end()?;
    let unrecorded = recorded
        .err()
        .map(|error| format!("the replay could not be noted in intake.actions ({})", error.without_values()));
    let missing: Vec<String> =
        arguments.ids().iter().filter(|id| !rounds.seen.contains(*id)).map(ToString::to_string).collect();
    let missing = (!missing.is_empty() && left.is_none())
        .then(|| format!("nothing that was asked for has the id {}", missing.join(", ")));
    let told: Vec<String> = [wrong, missing, left, unrecorded].into_iter().flatten().collect();
    Ok((!told.is_empty()).then(|| told.join("; ")))
}

/// The intake under today's configuration. To try something out, the tables are taken as they are.
async fn open_intake(arguments: &Arguments, config: &Config, store: &Store) -> Result<Intake, store::Error> {
    if arguments.dry_run {
        let applied = configuration::preview(store, &config.workspaces).await?;
        return Ok(service::intake_over(config, store, &applied, Metrics::default()));
    }
    service::open_intake(config, store, &Metrics::default()).await
}

/// The rounds of one command.
struct Rounds<'r> {
    arguments: &'r Arguments,
    interruption: &'r Interruption,
    /// How many deliveries there are to replay.
    total: i64,
    /// How many may still be replayed.
    left: i64,
    /// The ids that were there, where ids were asked for.
    seen: BTreeSet<uuid::Uuid>,
}

impl<'r> Rounds<'r> {
    async fn of(
        sources: &[Source<'_>],
        arguments: &'r Arguments,
        interruption: &'r Interruption,
    ) -> Result<Self, store::Error> {
        let mut total = 0;
        for source in sources {
            total += source.count().await?;
        }
        let left = arguments.limit();
        Ok(Self { arguments, interruption, total: total.min(left), left, seen: BTreeSet::new() })
    }

    /// Replays source by source. Gives what is left where somebody stopped it.
    async fn replay_all(&mut self, sources: &[Source<'_>], report: &mut Report<'_>) -> Result<Option<String>, Failure> {
        for source in sources {
            let left = self.replay(source, report).await?;
            if left.is_some() {
                return Ok(left);
            }
        }
        Ok(None)
    }

    /// Replays round by round, so that memory stays bounded, until somebody stops it between two rounds. Gives what is
    /// left then.
    async fn replay(&mut self, source: &Source<'_>, report: &mut Report<'_>) -> Result<Option<String>, Failure> {
        let mut after: Cursor = START;
        while self.left > 0 {
            if self.interruption.is_asked() {
                return Ok(Some(self.stopped(after)));
            }
            let items = source.round(after, self.left).await?;
            let Some(last) = items.last() else { break };
            after = last.cursor;
            self.left -= i64::try_from(items.len()).unwrap_or(i64::MAX);
            if !self.arguments.ids().is_empty() {
                self.seen.extend(items.iter().map(|item| item.before.id));
            }
            replay_round(source, items, self.arguments.dry_run, report).await?;
        }
        Ok(None)
    }

    fn stopped(&self, after: Cursor) -> String {
        let done = self.arguments.limit() - self.left;
        let since = after.0.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let how = if after == START { String::new() } else { format!("; `--since {since}` goes on with them") };
        format!("stopped after {done} deliveries: {} are left{how}", (self.total - done).max(0))
    }
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
        told.push((before, work.as_ref().err().cloned()));
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
            Some(why) => report.left(&before, &why)?,
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
