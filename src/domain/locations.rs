//! Locations and packages: named by the configuration or by inventory, and where both name one, the configuration wins.

use std::collections::BTreeSet;

use super::booking_request::Dependency;
use super::columns::Columns;
use super::facts::{LocationColumns, PackagePrices, SellerLocation};
use super::ids::{LocationId, PackageId};
use super::state::{Location, Package, Row, WorkspaceState};
use super::version::{SourceTime, merge_newest};
use super::workspace::Workspace;

impl Location {
    /// Whether anything still names it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.configured.is_some() || self.reported.is_some()
    }

    /// Whether bookings may be made for it: as the configuration says, else wherever inventory knows it.
    #[must_use]
    pub fn is_bookable(&self) -> bool {
        self.configured.as_ref().map_or(self.reported.is_some(), |configured| configured.bookable)
    }

    /// Its name: as the configuration writes it, else as inventory does, else as it was.
    #[must_use]
    pub fn name(&self) -> &str {
        let configured = self.configured.as_ref().map(|configured| configured.name.as_str());
        configured.or(self.reported.as_ref().map(|reported| reported.value.name.as_str())).unwrap_or(&self.last_name)
    }

    /// Its columns: what the configuration gives, and for the rest what inventory says.
    #[must_use]
    pub fn columns(&self) -> LocationColumns {
        let mut columns = self.reported.as_ref().map(|reported| reported.value.columns.clone()).unwrap_or_default();
        if let Some(configured) = &self.configured {
            columns.merge_from(configured.columns.clone(), &mut |_| true);
        }
        columns
    }
}

impl Package {
    /// Whether anything still names it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.configured || self.reported
    }
}

/// Names that a delivery or the configuration brought, or made usable again.
#[derive(Clone, Debug, Default)]
pub struct NewlyBookable {
    /// Locations, in lower case.
    pub locations: Vec<String>,
    /// Packages.
    pub packages: Vec<String>,
    /// Whether anything was written.
    pub wrote: bool,
}

/// Merges a location and packages from inventory; every delivery counts, also a withdrawal.
pub fn merge(
    state: &mut WorkspaceState,
    location: Option<&SellerLocation>,
    packages: &[PackagePrices],
    at: SourceTime,
) -> NewlyBookable {
    let mut newly_bookable = NewlyBookable::default();
    if let Some(location) = location {
        merge_location(state, location, at, &mut newly_bookable);
    }
    for package in packages {
        merge_package(state, &package.name, &mut newly_bookable);
    }
    newly_bookable
}

fn merge_location(
    state: &mut WorkspaceState,
    incoming: &SellerLocation,
    at: SourceTime,
    newly_bookable: &mut NewlyBookable,
) {
    let key = incoming.name.to_lowercase();
    let id = if state.locations.get(&key).is_some() { LocationId::from(0) } else { state.take_id() };
    let row = state.locations.get_or_make(&key, || Row::new(new_location(id)));
    let was_bookable = row.value.is_bookable();
    let merged = merge_newest(&mut row.value.reported, incoming.clone(), at);
    if merged.writes() {
        row.mark_dirty();
        newly_bookable.wrote = true;
    }
    if row.value.is_bookable() && !was_bookable {
        newly_bookable.locations.push(key);
    }
}

fn new_location(id: LocationId) -> Location {
    Location { id, last_name: String::new(), configured: None, reported: None }
}

fn merge_package(state: &mut WorkspaceState, name: &str, newly_bookable: &mut NewlyBookable) {
    let id = if state.packages.get(name).is_some() { PackageId::from(0) } else { state.take_id() };
    let unknown = || Row::new(Package { id, configured: false, reported: false });
    let row = state.packages.get_or_make(name, unknown);
    if row.value.reported {
        return;
    }
    if !row.value.is_active() {
        newly_bookable.packages.push(name.to_owned());
    }
    row.value.reported = true;
    row.mark_dirty();
    newly_bookable.wrote = true;
}

/// Takes over the workspace's locations and packages from the configuration; what it no longer names it loses. Those
/// that it names and those that it named before must be loaded.
pub fn configure(state: &mut WorkspaceState, workspace: &Workspace) -> NewlyBookable {
    let mut newly_bookable = NewlyBookable::default();
    configure_locations(state, workspace, &mut newly_bookable);
    configure_packages(state, workspace, &mut newly_bookable);
    newly_bookable
}

fn configure_locations(state: &mut WorkspaceState, workspace: &Workspace, newly_bookable: &mut NewlyBookable) {
    let mut named = BTreeSet::new();
    for configured in &workspace.locations {
        let key = configured.name.to_lowercase();
        named.insert(key.clone());
        let id = if state.locations.get(&key).is_some() { LocationId::from(0) } else { state.take_id() };
        let row = state.locations.get_or_make(&key, || Row::new(new_location(id)));
        let was_bookable = row.value.is_bookable();
        if row.value.configured.as_ref() != Some(configured) {
            row.value.configured = Some(configured.clone());
            row.mark_dirty();
        }
        if row.value.is_bookable() && !was_bookable {
            newly_bookable.locations.push(key);
        }
    }
    for (key, row) in state.locations.iter_mut().filter(|(key, _)| !named.contains(*key)) {
        let was_bookable = row.value.is_bookable();
        if row.value.configured.take().is_some() {
            row.mark_dirty();
        }
        if row.value.is_bookable() && !was_bookable {
            newly_bookable.locations.push(key.clone());
        }
    }
}

fn configure_packages(state: &mut WorkspaceState, workspace: &Workspace, newly_bookable: &mut NewlyBookable) {
    for name in &workspace.packages {
        let id = if state.packages.get(name).is_some() { PackageId::from(0) } else { state.take_id() };
        let unknown = || Row::new(Package { id, configured: false, reported: false });
        let row = state.packages.get_or_make(name, unknown);
        if !row.value.is_active() {
            newly_bookable.packages.push(name.clone());
        }
        if !row.value.configured {
            row.value.configured = true;
            row.mark_dirty();
        }
    }
    for (_, row) in state.packages.iter_mut().filter(|(name, _)| !workspace.packages.contains(name)) {
        if row.value.configured {
            row.value.configured = false;
            row.mark_dirty();
        }
    }
}

impl NewlyBookable {
    /// What leads may have waited for.
    #[must_use]
    pub fn dependencies(&self) -> BTreeSet<Dependency> {
        let packages = self.packages.iter().cloned().map(Dependency::Plan);
        packages.chain(self.locations.iter().cloned().map(Dependency::Location)).collect()
    }
}
