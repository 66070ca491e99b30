//! `forecourt check --connect`: is this database good, for the user that the configuration names?

use std::error::Error;
use std::io::Write;

use crate::cli::command_result::with_causes;
use crate::cli::postgres::Postgres;
use crate::cli::{service, tables};
use crate::config::{Config, Environment};
use crate::intake::configuration;
use crate::store::{self, Demands, PutsUp, Store, examination};

/// So many connections are made, of which the second shows what a pooler does.
const CONNECTIONS: u32 = 2;

/// Looks at the database as a first start does, and at what the user may do. Says what is good, and gives what is not, one
/// sentence each.
///
/// # Errors
/// When it cannot be said.
pub(super) async fn examine(
    config: &Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let postgres = match Postgres::existing(config, environment).await {
        Ok(Some(postgres)) => postgres,
        Ok(None) => {
            writeln!(out, "There is no private Postgres yet: the first start makes it.")?;
            return Ok(Vec::new());
        }
        Err(error) => return Ok(vec![with_causes(error.as_ref())]),
    };
    let wrong = over(config, &postgres, out).await;
    let stopped = postgres.stop().await;
    let wrong = wrong?;
    stopped?;
    Ok(wrong)
}

async fn over(
    config: &Config,
    postgres: &Postgres,
    out: &mut dyn Write,
) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    // What a service puts up with that has been there before is wrong all the same.
    let demands = Demands { allow_unsafe: config.database.allow_unsafe, puts_up: PutsUp::Never };
    let retry_days = i64::from(config.server.booking_retry_days);
    let store = match Store::connect(postgres.options.clone(), CONNECTIONS, demands, retry_days).await {
        Ok(store) => store,
        Err(error) => return Ok(sentences(&error)),
    };
    service::set_existing_erasure_key(config, &store);
    let examined = examine_with(config, &store).await;
    store.close().await;
    let examination::Examination { version, encoding, pending, lacking } = match examined {
        Ok(examination) => examination,
        Err(error) => return Ok(sentences(&error)),
    };
    writeln!(out, "The database answers: PostgreSQL {version}, {encoding}; what was committed there is kept.")?;
    match pending.as_deref() {
        None => {}
        Some([]) => writeln!(out, "Its tables are of this version.")?,
        Some([only]) => {
            let only = tables::named(only);
            writeln!(out, "Migration {only} is missing: the next start or `forecourt migrate` applies it.")?;
        }
        Some(several @ [first, ..]) => {
            let (count, first) = (several.len(), tables::named(first));
            writeln!(
                out,
                "{count} migrations are missing, from {first} on: the next start or `forecourt migrate` applies them."
            )?;
        }
    }
    Ok(lacking)
}

/// What the store finds, and, where its tables are of this version, what the configuration and they disagree about.
async fn examine_with(config: &Config, store: &Store) -> Result<examination::Examination, store::Error> {
    let mut examination = examination::examine(store).await?;
    if examination.pending.as_deref() == Some(&[]) {
        let disagreements = configuration::disagreements(store, &config.workspaces).await?;
        examination.lacking.extend(disagreements.iter().map(ToString::to_string));
    }
    Ok(examination)
}

/// What is wrong, one sentence each, without values of rows.
fn sentences(error: &store::Error) -> Vec<String> {
    match error {
        store::Error::Unfit(flaws) => flaws.iter().map(ToString::to_string).collect(),
        store::Error::Unreachable(_) => vec![format!("the database cannot be used: {}", error.without_values())],
        store::Error::Database(_) => {
            vec![format!("the database refuses what a delivery needs: {}", error.without_values())]
        }
        store::Error::Locked
        | store::Error::Pooler
        | store::Error::NotWritable(_)
        | store::Error::Unreadable(_)
        | store::Error::Lacking(_)
        | store::Error::ErasureKey
        | store::Error::Migration(_) => vec![error.without_values()],
    }
}
