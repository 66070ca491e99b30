//! The configuration, applied to the tables: its workspaces, and in each its locations and packages, for which leads
//! may have waited.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::booking_request::Dependency;
use crate::domain::keys::Keys;
use crate::domain::reconciliation::{self, Applied, Disagreement};
use crate::domain::state::WorkspaceState;
use crate::domain::workspace::Workspace;
use crate::domain::{booking, locations};
use crate::store::{self, Store, workspaces};

/// How long a workspace is waited for that somebody else writes; then the others come first.
const WAIT: Duration = Duration::from_secs(2);

/// Applies the configuration: what it names is there and active afterwards, what it no longer names is inactive.
/// Blocked leads are tried again where it brought a location or a package. A slug or a dealership that stands elsewhere
/// than in the tables stays there, and is an error in the log, unless the configuration declares the move.
///
/// A row that cannot be read keeps its workspace's locations and packages as they were, and nothing else: deliveries
/// must be taken in. They are applied by the next start or reload after the row was mended. Those of a workspace that
/// somebody else writes for long are postponed.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn apply(store: &Store, configured: &[Workspace], now: DateTime<Utc>) -> Result<Applied, store::Error> {
    let mut applied = apply_workspaces(store, configured).await?;
    for workspace in configured {
        let Some(id) = applied.ids.get(&workspace.slug) else { continue };
        if !apply_to(store, workspace, *id, now).await? {
            let workspace = &workspace.slug;
            tracing::warn!(
                workspace,
                "another session writes a workspace: its locations and packages are applied later"
            );
            applied.postponed.insert(workspace.clone());
        }
    }
    Ok(applied)
}

/// Applies the locations and packages of one workspace; false where somebody else writes it for long.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn apply_to(
    store: &Store,
    workspace: &Workspace,
    id: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<bool, store::Error> {
    match apply_places(store, workspace, id, now).await {
        Err(store::Error::Locked) => return Ok(false),
        Err(error) if error.is_of_rows() => tracing::error!(
            workspace = workspace.slug,
            error = error.without_values(),
            "the locations and packages of the configuration could not be applied: mend the row and reload"
        ),
        applied => applied?,
    }
    Ok(true)
}

/// What applying the configuration would come to; nothing is written, so that its new workspaces have no rows.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn preview(store: &Store, configured: &[Workspace]) -> Result<Applied, store::Error> {
    let mut tx = store.begin(None).await?;
    let stored = workspaces::load(&mut tx).await?;
    tx.commit().await?;
    let plan = reconciliation::plan(configured, &stored);
    Ok(Applied { ids: plan.rows.clone(), plan, postponed: BTreeSet::new() })
}

/// What the configuration and the tables disagree about: dealerships that would move and slugs that would be renamed
/// without the configuration declaring it. One sentence each; what `forecourt check --connect` fails for.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn disagreements(store: &Store, configured: &[Workspace]) -> Result<Vec<Disagreement>, store::Error> {
    Ok(preview(store, configured).await?.plan.disagreements)
}

/// The workspaces and their dealerships.
async fn apply_workspaces(store: &Store, configured: &[Workspace]) -> Result<Applied, store::Error> {
    let mut tx = store.begin(None).await?;
    let stored = workspaces::load_for_change(&mut tx).await?;
    let plan = reconciliation::plan(configured, &stored);
    let ids = workspaces::save(&mut tx, configured, &plan).await?;
    tx.commit().await?;
    workspaces::make_locks(store, ids.values().copied()).await?;
    for change in &plan.changes {
        tracing::warn!("{change}");
    }
    for disagreement in &plan.disagreements {
        tracing::error!("{disagreement}");
    }
    Ok(Applied { ids, plan, postponed: BTreeSet::new() })
}

/// Locations and packages of one workspace, and the leads that waited for one of them.
async fn apply_places(
    store: &Store,
    workspace: &Workspace,
    id: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    let mut tx = store.try_begin(Some(id), WAIT).await?;
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
        let mut dependencies = newly_bookable.dependencies();
        if !newly_bookable.locations.is_empty() {
            // Vehicles may stand where no lead names it.
            dependencies.insert(Dependency::AnyLocation);
        }
        let keys = Keys { dependencies: dependencies.clone(), ..Keys::default() };
        add(&mut state, store::load(store, &mut tx, id, keys).await?);
        booking::retry(&mut state, now, |lead| booking::is_pending_on(lead, &dependencies));
    }
    let bookings = state.other_bookings.len();
    store::save(store, &mut tx, id, state).await?;
    tx.commit().await?;
    if bookings > 0 {
        let workspace = &workspace.slug;
        tracing::info!(workspace, bookings, "the configuration brought what leads had waited for");
    }
    Ok(())
}

/// Adds the leads that wait, with what decides on them. Locations and packages that the configuration has changed stay
/// as it says.
fn add(state: &mut WorkspaceState, waiting: WorkspaceState) {
    state.leads = waiting.leads;
    state.persons = waiting.persons;
    state.listings = waiting.listings;
    state.bookings = waiting.bookings;
    state.looked_at = waiting.looked_at;
    state.locations.extend(waiting.locations);
    state.packages.extend(waiting.packages);
}
