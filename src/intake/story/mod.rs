//! Why something is as it is, told to a person who knows an address, a number or a plate and no SQL: how it stands now,
//! and as a timeline how that came about.
//!
//! [`find`] looks the key up in indexed columns, within bounds; what it names are `subject`s, of which `gather` asks for all
//! that has to do with them. What was found is made into stories by plain functions: `assemble`, with `facts`, `blockers`,
//! `delivery` and `timeline`.

mod assemble;
mod blockers;
mod delivery;
mod facts;
mod gather;
mod key;
mod subject;
mod timeline;
mod types;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::values::text::matched;
use crate::store::story::{self, DeliveryKeys, WorkspaceRow};
use crate::store::{self, Connection, Store};
use assemble::Telling;
use gather::Gathered;
pub use key::Key;
pub use types::{
    Blocker, Booking, Change, Delivery, Effect, Entry, Event, Fact, Finding, Found, Healed, Kind, Lead, Link,
    OtherBooking, Replay, Standing, Story, Workspace,
};

/// How many stories are told of one key.
const MOST_STORIES: usize = 10;

/// Why nothing could be looked up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no workspace of this slug.
    #[error("there is no workspace `{0}`")]
    NoSuchWorkspace(String),
    /// Postgres refuses, cannot be reached, or did not answer in time.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What is said where nothing is found by what only payloads tell.
const UNREAD: &str = "a delivery that was rejected is found by the sender's number or identifier of what it is about, and among \
    the rejected deliveries";

/// What a key names, in one workspace or in all of them.
///
/// # Errors
/// When the workspace is not there, or Postgres refuses, cannot be reached or does not answer in time.
pub async fn find(store: &Store, key: &Key, workspace: Option<&str>, now: DateTime<Utc>) -> Result<Found, Error> {
    let telling = Telling { wanted: key.text(), now, retried_for: TimeDelta::days(store.booking_retry_days()) };
    let mut tx = story::begin(store).await?;
    let all = story::workspaces(&mut tx, None).await?;
    let wanted: Vec<WorkspaceRow> =
        all.iter().filter(|row| workspace.is_none_or(|slug| row.slug == slug)).cloned().collect();
    if let Some(slug) = workspace.filter(|_| wanted.is_empty()) {
        return Err(Error::NoSuchWorkspace(slug.to_owned()));
    }
    let mut found = find_in(&mut tx, key, &wanted, telling).await?;
    if workspace.is_none() {
        found.stories.extend(of_nobody(&mut tx, key, telling).await?);
    }
    if found.stories.is_empty() {
        found.near_misses = near_misses(&mut tx, key, workspace, &all, telling).await?;
    }
    tx.rollback().await?;
    Ok(found)
}

/// What a key names in these workspaces.
async fn find_in(
    tx: &mut Connection,
    key: &Key,
    workspaces: &[WorkspaceRow],
    telling: Telling<'_>,
) -> Result<Found, store::Error> {
    let mut found = Found::default();
    found.stories.extend(of_delivery(tx, key, workspaces, telling).await?);
    let ids: Vec<i64> = workspaces.iter().map(|row| row.id).collect();
    let most = i64::try_from(MOST_STORIES + 1).unwrap_or(i64::MAX);
    let hits = story::hits(tx, &ids, &subject::hit_keys(key, workspaces), most).await?;
    for (workspace, subject) in subject::subjects(&hits) {
        let Some(row) = workspaces.iter().find(|row| row.id == workspace) else { continue };
        if found.stories.len() == MOST_STORIES {
            found.has_more = true;
            break;
        }
        let gathered = gather::gather(tx, workspace, &subject).await?;
        found.stories.push(assemble::story(row, &subject, &gathered, telling));
    }
    Ok(found)
}

/// The story of the delivery that a key names, of one of these workspaces or of none.
async fn of_delivery(
    tx: &mut Connection,
    key: &Key,
    workspaces: &[WorkspaceRow],
    telling: Telling<'_>,
) -> Result<Option<Story>, store::Error> {
    let Some(id) = key.uuid().filter(|_| key.kinds().contains(&Kind::Delivery)) else { return Ok(None) };
    let Some(row) = story::by_id(tx, id).await? else { return Ok(None) };
    let workspace = workspaces.iter().find(|known| known.id == row.workspace_id);
    if workspace.is_none() && row.workspace_id != 0 {
        return Ok(None);
    }
    let gathered = gather::gather_delivery(tx, row.clone(), delivery::others(&row)).await?;
    Ok(Some(assemble::of_delivery(workspace, &row, &gathered, telling)))
}

/// The stories of what was sent about a lead, a cluster or a vehicle and belongs to no workspace: rejected, for a dealership
/// that no workspace has, or a credential that may not write there.
async fn of_nobody(tx: &mut Connection, key: &Key, telling: Telling<'_>) -> Result<Vec<Story>, store::Error> {
    let mut stories = Vec::new();
    let text = matched(key.text()).into_owned();
    for kind in key.kinds() {
        let wanted = match kind {
            Kind::Lead => DeliveryKeys { leads: vec![text.clone()], ..DeliveryKeys::default() },
            Kind::Cluster => DeliveryKeys { clusters: vec![text.clone()], ..DeliveryKeys::default() },
            Kind::Vehicle => DeliveryKeys { identifiers: vec![text.clone()], ..DeliveryKeys::default() },
            Kind::Person | Kind::Delivery => continue,
        };
        let deliveries = story::deliveries(tx, 0, &wanted, 100).await?;
        if !deliveries.is_empty() {
            let gathered = Gathered { deliveries, ..Gathered::default() };
            stories.push(assemble::of_nobody(*kind, &gathered, telling));
        }
    }
    Ok(stories)
}

/// What the key names as another kind of thing, or in another workspace, where it names nothing as it was asked for.
async fn near_misses(
    tx: &mut Connection,
    key: &Key,
    workspace: Option<&str>,
    all: &[WorkspaceRow],
    telling: Telling<'_>,
) -> Result<Vec<String>, store::Error> {
    let Some(anything) = Key::parse(key.text()) else { return Ok(Vec::new()) };
    let elsewhere = find_in(tx, &anything, all, telling).await?;
    let near = elsewhere.stories.iter().map(|story| {
        let place = story.workspace.as_ref().filter(|of| workspace.is_some_and(|slug| slug != of.slug));
        let place = place.map(|of| format!(" in workspace `{}`", of.slug)).unwrap_or_default();
        format!("there is a {} `{}`{place}", story.kind.name(), story.key)
    });
    let mut near: Vec<String> = near.collect();
    if near.is_empty() && matches!(key.kinds(), [Kind::Person | Kind::Vehicle]) {
        near.push(UNREAD.to_owned());
    }
    Ok(near)
}
