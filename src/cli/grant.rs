//! `forecourt grant`: give a role what it may read, or what the service needs, and no more.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;

use crate::config::{Config, Environment};
use crate::store::granting::{self, Granted};
use crate::store::rights::Grant;
use crate::store::{Demands, PutsUp, Store};

use super::acted_by::acted_by;
use super::command_result::{CommandError, CommandResult};
use super::log::{start_log, warn};
use super::postgres::Postgres;

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The role, as the database knows it
    role: String,
    /// What it may read, in place of whatever it was given before: reporting, contacts, tables, identity, deliveries, bodies;
    /// or none
    #[arg(long, value_name = "WHAT", value_delimiter = ',', required_unless_present = "serves")]
    reads: Vec<String>,
    /// It is the service's: it gets all that the service does, and nothing by which tables are made, changed or dropped
    #[arg(long, conflicts_with = "reads")]
    serves: bool,
    /// Print the statements, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What takes away what was given.
const NONE: &str = "none";

/// So many connections: one does the work, and one may look at it.
const CONNECTIONS: u32 = 2;

impl Arguments {
    fn grants(&self) -> Result<BTreeSet<Grant>, CommandError> {
        if self.serves {
            return Ok(BTreeSet::from([Grant::Serves]));
        }
        if self.reads == [NONE] {
            return Ok(BTreeSet::new());
        }
        let named = |name: &String| Grant::named(name).filter(|grant| *grant != Grant::Serves);
        self.reads.iter().map(|name| named(name).ok_or_else(|| unknown(name))).collect()
    }
}

fn unknown(name: &str) -> CommandError {
    let known: Vec<&str> =
        Grant::ALL.iter().filter(|grant| **grant != Grant::Serves).map(|grant| grant.name()).collect();
    CommandError::Usage(format!("`--reads {name}`: what can be read is {}; or `{NONE}` alone", known.join(", ")))
}

/// Gives the role what is asked for, as the owner of the tables.
pub(super) async fn run(
    arguments: &Arguments,
    config: Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let grants = arguments.grants()?;
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "warn".to_owned());
    start_log(&filter, config.log.format, environment)?;
    warn(&config);
    let Some(postgres) = Postgres::existing_as_owner(&config, environment).await? else {
        return Err("there is no private Postgres yet, and so no role; the first start makes it".into());
    };
    let done = over(arguments, &grants, &config, environment, &postgres, out).await;
    let stopped = postgres.stop().await;
    done.and(stopped)
}

async fn over(
    arguments: &Arguments,
    grants: &BTreeSet<Grant>,
    config: &Config,
    environment: &Environment,
    postgres: &Postgres,
    out: &mut dyn Write,
) -> CommandResult {
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::WithTables };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = Store::connect(postgres.options.clone(), CONNECTIONS, demands, retry_days).await?;
    let role = &arguments.role;
    let granted = granting::give(&store, role, grants, &acted_by(environment), arguments.dry_run).await;
    store.close().await;
    let Granted { statements, remarks } = granted?;
    if arguments.dry_run {
        for statement in &statements {
            writeln!(out, "{statement};")?;
        }
    } else {
        writeln!(out, "{}", sentence(role, grants))?;
    }
    for remark in remarks {
        // Between statements, so that what is printed can be passed on as it is.
        let mark = if arguments.dry_run { "-- " } else { "" };
        writeln!(out, "{mark}warning: {}", remark.replace(['\n', '\r'], " "))?;
    }
    Ok(())
}

fn sentence(role: &str, grants: &BTreeSet<Grant>) -> String {
    if grants.is_empty() {
        return format!("The role `{role}` has nothing any more of what forecourt gives.");
    }
    if grants.contains(&Grant::Serves) {
        return format!("The role `{role}` may do what the service does, and make, change or drop no table.");
    }
    let reads: Vec<&str> = grants.iter().map(|grant| grant.name()).collect();
    format!("The role `{role}` reads {}; so it will after later migrations.", reads.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(reads: &[&str]) -> Result<BTreeSet<Grant>, String> {
        let reads = reads.iter().map(|name| (*name).to_owned()).collect();
        let arguments = Arguments { role: "bi".to_owned(), reads, serves: false, dry_run: false };
        arguments.grants().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_read_is_asked_for_by_name_and_none_stands_alone() {
        assert_eq!(asked(&["tables", "bodies", "tables"]).unwrap(), BTreeSet::from([Grant::Tables, Grant::Bodies]));
        assert_eq!(asked(&["none"]).unwrap(), BTreeSet::new());
        for wrong in [&["serves"][..], &["none", "tables"], &["everything"], &[""]] {
            assert!(asked(wrong).unwrap_err().contains("what can be read is reporting, contacts, tables"), "{wrong:?}");
        }
    }
}
