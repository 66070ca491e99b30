//! The tables spread over several servers, as the owner asks for it: what would be done, and that done. Where each table
//! stands is in `spread`.

use serde_json::json;

use super::actions::{self, Action, Counts};
pub use super::spread::{Place, Plan, SHARDS, SPREAD, Spread, Step};
use super::{Error, Store, grants, migrations, ownership, session, spread};

/// What each transaction sets that spreads tables.
pub const SETTINGS: &str = session::DISTRIBUTION;

const NO_EXTENSION: &str = "this database does not have the extension Citus: install it on every server (13 or newer, \
    https://docs.citusdata.com), add `citus` to shared_preload_libraries there, run `create extension citus` in this database as a \
    superuser and name the other servers with `citus_add_node`, then try again; one Postgres needs none of this";

/// What would be done.
///
/// # Errors
/// When Postgres refuses or cannot be reached, where migrations are missing, and where tables are spread otherwise.
pub async fn plan(store: &Store, shards: u16) -> Result<Plan, Error> {
    migrated(store).await?;
    let mut tx = store.begin(None).await?;
    let plan = spread::planned(&mut tx, shards).await?;
    let hindrance = ownership::hindrance(&mut tx).await?;
    tx.rollback().await?;
    Ok(Plan { hindrance, ..plan })
}

async fn migrated(store: &Store) -> Result<(), Error> {
    let pending = store.pending_migrations().await?;
    pending.first().map_or(Ok(()), |first| {
        let number = first.version;
        Err(Error::Migration(format!(
            "migration {number:04} is missing: run `forecourt migrate` first, because a database is migrated first and \
             distributed then"
        )))
    })
}

/// Brings every table to its place, in one transaction: all of them or none. Whoever writes meanwhile waits. Gives what was
/// done, and leaves a row in `intake.actions` if there was anything.
///
/// # Errors
/// With a sentence that says what to do, where the extension is missing, migrations are, or the user is not the tables'
/// owner; and when Postgres refuses or cannot be reached.
pub async fn distribute(store: &Store, shards: u16, acted_by: &str) -> Result<Plan, Error> {
    migrated(store).await?;
    let mut tx = store.begin_as_owner().await?;
    migrations::lock(&mut tx).await?;
    if let Some(hindrance) = ownership::hindrance(&mut tx).await? {
        return Err(Error::Migration(hindrance));
    }
    let plan = spread::planned(&mut tx, shards).await?;
    if !plan.has_extension {
        return Err(Error::Migration(NO_EXTENSION.to_owned()));
    }
    if plan.steps.is_empty() {
        tx.rollback().await?;
        return Ok(plan);
    }
    session::run(&mut tx, SETTINGS).await?;
    for step in &plan.steps {
        spread::run(&mut tx, step).await?;
    }
    grants::give_again(&mut tx).await?;
    actions::record(&mut tx, Action::Distribute, acted_by, counts(&plan)).await?;
    tx.commit().await?;
    Ok(plan)
}

fn counts(plan: &Plan) -> Counts {
    let spread: Vec<Place> = plan.steps.iter().filter_map(|step| step.spreads).map(|spread| spread.place).collect();
    let places = [Place::Reference, Place::Distributed, Place::Coordinator];
    let of = |place: Place| spread.iter().filter(|one| **one == place).count();
    Counts::from_iter(places.map(|place| (place.name().to_owned(), json!(of(place)))))
}
