//! Waiting for the first delivery of each credential and feed: it is looked for in the tables, beside the service.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Config, Environment};
use crate::domain::feed::Feed;
use crate::intake::clock;
use crate::local_postgres::LocalPostgres;
use crate::store::newcomers::{self, Delivered, RefusedAlike};
use crate::store::{self, Demands, PutsUp, Store};

use super::super::command_result::{CommandResult, with_causes};
use super::super::log::start_log;
use super::super::postgres::{DATABASE, Postgres};
use super::super::shutdown;
use super::entry::Entry;
use super::text::shown;

/// So many connections at the most; the service may need the others.
const CONNECTIONS: u32 = 2;
/// The pause between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A sender that has posted within this time before is not waited for.
const BEFORE: TimeDelta = TimeDelta::days(7);
/// Two clocks may differ by so much: what arrived so shortly before the start counts as having come since.
const SLACK: TimeDelta = TimeDelta::minutes(1);
/// In so many ways at the most refused requests are told of; the service's log and `intake.rejected` have all.
const MOST_REFUSALS: usize = 30;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Waits until everything has come, it takes too long, or somebody ends it.
pub(super) async fn run(
    entries: &[Entry],
    config: &Config,
    environment: &Environment,
    limit: Option<Duration>,
    out: &mut dyn Write,
) -> CommandResult {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "error".to_owned());
    start_log(&filter, config.log.format, environment)?;
    let mut watch = Watch::new(entries, out);
    watch.begin()?;
    let over = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = watch.until_all(config, environment) => return done,
        () = over => {}
        () = shutdown::told() => {}
    }
    Err(watch.missing_sentence().into())
}

/// Who is still waited for, and what was told.
struct Watch<'w> {
    entries: &'w [Entry],
    missing: BTreeSet<(String, String)>,
    since: DateTime<Utc>,
    refusals: BTreeSet<String>,
    trouble: String,
    out: &'w mut dyn Write,
}

impl<'w> Watch<'w> {
    fn new(entries: &'w [Entry], out: &'w mut dyn Write) -> Self {
        let awaited = entries.iter().filter(|entry| entry.awaited);
        let missing = awaited.map(|entry| (entry.credential.clone(), entry.feed.to_owned())).collect();
        let since = clock::now() - SLACK;
        Self { entries, missing, since, refusals: BTreeSet::new(), trouble: String::new(), out }
    }

    /// Says who is waited for, and who is not, and why.
    fn begin(&mut self) -> io::Result<()> {
        for entry in self.entries.iter().filter(|entry| !entry.awaited) {
            let why = if entry.expired {
                "it has expired".to_owned()
            } else {
                entry.notes.last().cloned().unwrap_or_default()
            };
            writeln!(self.out, "not waited for: {}, {}: {why}", entry.credential, entry.feed)?;
        }
        self.say(&format!("waiting for: {}", listed(&self.missing)))
    }

    /// A line, at once.
    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Looks again and again until everything has come. A database that cannot be asked is asked again, for the service
    /// may not have been started yet.
    async fn until_all(&mut self, config: &Config, environment: &Environment) -> CommandResult {
        let mut store: Option<Store> = None;
        let mut is_first = true;
        while !self.missing.is_empty() {
            let looked = match &store {
                Some(store) => self.look(store, is_first).await,
                None => match connect(config, environment).await {
                    Ok(connected) => self.look(store.insert(connected), is_first).await,
                    Err(error) => Err(error),
                },
            };
            match looked {
                Ok(()) => is_first = false,
                Err(error) => self.note_trouble(&error)?,
            }
            if !self.missing.is_empty() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        self.say("everything has come")?;
        Ok(())
    }

    /// Once for each kind of trouble.
    fn note_trouble(&mut self, error: &Failure) -> io::Result<()> {
        let trouble = match error.downcast_ref::<store::Error>() {
            Some(error) => error.without_values(),
            None => with_causes(error.as_ref()),
        };
        if self.trouble == trouble {
            return Ok(());
        }
        self.trouble.clone_from(&trouble);
        self.say(&format!("the tables cannot be read ({trouble}): is the service running? trying again"))
    }

    /// Tells what has come since the last look.
    async fn look(&mut self, store: &Store, is_first: bool) -> Result<(), Failure> {
        let mut came = newcomers::delivered(store, &self.pairs(), self.since, false).await?;
        came.sort_by_key(|came| came.received_at);
        for came in came {
            self.came(&came)?;
        }
        if is_first {
            for came in newcomers::delivered(store, &self.pairs(), self.since - BEFORE, true).await? {
                if came.received_at >= self.since {
                    // It has come between the two questions.
                    self.came(&came)?;
                    continue;
                }
                self.missing.remove(&(came.credential.clone(), came.feed.clone()));
                let at = shown(came.received_at);
                self.say(&format!("came before: {}, {}: the last one at {at}", came.credential, came.feed))?;
            }
        }
        for refused in newcomers::refused(store, self.since).await? {
            self.refused(&refused)?;
        }
        Ok(())
    }

    fn pairs(&self) -> Vec<(String, String)> {
        self.missing.iter().cloned().collect()
    }

    fn came(&mut self, came: &Delivered) -> io::Result<()> {
        let Delivered { credential, feed, id, received_at, outcome, codes } = came;
        self.missing.remove(&(credential.clone(), feed.clone()));
        let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        self.say(&format!("came: {credential}, {feed}: at {}, {outcome}{codes}, delivery {id}", shown(*received_at)))
    }

    /// Once for each way in which requests are refused.
    fn refused(&mut self, refused: &RefusedAlike) -> io::Result<()> {
        let RefusedAlike { feed, path, remote_address, scheme, fingerprint, last_at, count: _ } = refused;
        let why = match feed.as_deref().and_then(Feed::named) {
            Some(feed) => wrong_secret(self.entries, feed, scheme.as_deref(), fingerprint.as_deref()),
            None => format!("wrong address: {path} is none of forecourt's"),
        };
        let what = feed.as_deref().unwrap_or("a request");
        let from = remote_address.as_deref().map_or_else(String::new, |address| format!(" from {address}"));
        let key = format!("{what}{from}: {why}");
        if self.refusals.contains(&key) || self.refusals.len() > MOST_REFUSALS {
            return Ok(());
        }
        let is_last = self.refusals.len() == MOST_REFUSALS;
        let line = format!("refused: {what}{from} at {}: {why}", shown(*last_at));
        self.refusals.insert(key);
        self.say(if is_last { "refused: more; the rest stands in intake.rejected" } else { &line })
    }

    fn missing_sentence(&self) -> String {
        format!("still missing: {}", listed(&self.missing))
    }
}

/// What is known of a secret that lets nobody in.
fn wrong_secret(entries: &[Entry], feed: Feed, tried: Option<&str>, fingerprint: Option<&str>) -> String {
    let known = entries.iter().filter(|entry| entry.kind == feed && !entry.expired);
    let known: Vec<String> = known.map(|entry| format!("{} ({})", entry.credential, entry.scheme)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let shown = fingerprint.map_or_else(String::new, |digits| format!(", fingerprint {digits}"));
    match tried {
        None => format!("no secret was shown; the credentials of this feed are {known}"),
        Some(tried) => format!(
            "wrong secret, shown as {}{shown}; the credentials of this feed are {known}",
            tried.replace(' ', " and ")
        ),
    }
}

fn listed(pairs: &BTreeSet<(String, String)>) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(credential, feed)| format!("{credential} ({feed})")).collect();
    if pairs.is_empty() { "nothing".to_owned() } else { pairs.join(", ") }
}

/// The tables of the running service: its private Postgres where none is named. It is not started here.
async fn connect(config: &Config, environment: &Environment) -> Result<Store, Failure> {
    let address = match config.database.url {
        Some(_) => Postgres::open(config, environment).await?.options,
        None => LocalPostgres::connect_options_of_another(&config.server.data_dir, DATABASE)?,
    };
    // A person looks on: what the server is like is for the service to say.
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Always };
    Ok(Store::connect(address, CONNECTIONS, demands, i64::from(config.server.booking_retry_days)).await?)
}
