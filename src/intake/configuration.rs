//! The configuration, applied to the tables: its workspaces, and in each its locations and packages, for which leads
//! may have waited.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::finding::Code;
use crate::domain::keys::Keys;
use crate::domain::state::{RowId, WorkspaceState};
use crate::domain::workspace::{Slug, Workspace};
use crate::domain::{booking, locations};
use crate::store::{self, Store, workspaces};

/// Applies the configuration: what it names is there and active afterwards, what it no longer names is inactive.
/// Blocked leads are tried again where it brought a location or a package. Gives the ids of the workspaces.
///
/// A row that cannot be read keeps its workspace's locations and packages as they were, and nothing else: deliveries
/// must be taken in. They are applied by the next start or reload after the row was mended.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn apply(
    store: &Store,
    configured: &[Workspace],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Slug, RowId>, store::Error> {
    let ids = workspaces::save(store, configured).await?;
    for workspace in configured {
        let Some(id) = ids.get(&workspace.slug) else { continue };
        match apply_places(store, workspace, *id, now).await {
            Err(error) if error.is_of_rows() => tracing::error!(
                workspace = workspace.slug,
                error = error.without_values(),
                "the locations and packages of the configuration could not be applied: mend the row and reload"
            ),
            applied => applied?,
        }
    }
    Ok(ids)
}

/// Locations and packages of one workspace, and the leads that waited for one of them.
async fn apply_places(store: &Store, workspace: &Workspace, id: RowId, now: DateTime<Utc>) -> Result<(), store::Error> {
    let mut tx = store.begin(Some(id)).await?;
    let keys = Keys {
        new_rows: workspace.locations.len() + workspace.packages.len(),
        requested_locations: workspace.locations.iter().map(|location| location.name.to_lowercase()).collect(),
        requested_packages: workspace.packages.iter().cloned().collect(),
        configured: true,
        ..Keys::default()
    };
    let mut state = store::load(store, &mut tx, id, keys).await?;
    let newly_bookable = locations::configure(&mut state, workspace);
    if !(newly_bookable.locations.is_empty() && newly_bookable.packages.is_empty()) {
        let dependencies = newly_bookable.dependencies();
        let keys = Keys { any_missing_name: true, dependencies: dependencies.clone(), ..Keys::default() };
        add(&mut state, store::load(store, &mut tx, id, keys).await?);
        booking::retry(&mut state, now, |lead| {
            let missing = [Code::LocationNotFound, Code::PackageNotFound];
            missing.iter().any(|code| lead.blockers.contains(code)) || booking::is_pending_on(lead, &dependencies)
        });
    }
    store::save(store, &mut tx, id, state).await?;
    tx.commit().await?;
    Ok(())
}

/// Adds the leads that wait, with what decides on them. Locations and packages that the configuration has changed stay
/// as it says.
fn add(state: &mut WorkspaceState, waiting: WorkspaceState) {
    state.leads = waiting.leads;
    state.persons = waiting.persons;
    state.listings = waiting.listings;
    state.bookings = waiting.bookings;
    state.locations.extend(waiting.locations);
    state.packages.extend(waiting.packages);
}
