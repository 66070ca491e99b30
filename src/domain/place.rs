//! Locations and packages: named by the configuration or by inventory, and where both name one, the configuration wins.

use std::collections::BTreeSet;

use super::columns::Columns;
use super::facts::{LocationColumns, PackagePrices, SellerLocation};
use super::stamp::{Moment, hear_newest};
use super::wish::Want;
use super::workspace::Workspace;
use super::world::{Location, Package, Row, Tenant};

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
            columns.take(configured.columns.clone(), &mut |_| true);
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
pub struct Appeared {
    /// Locations, in lower case.
    pub locations: Vec<String>,
    /// Packages.
    pub packages: Vec<String>,
    /// Whether anything was written.
    pub wrote: bool,
}

/// Hears a location and packages from inventory; every delivery counts, also a withdrawal.
pub fn hear(
    tenant: &mut Tenant,
    location: Option<&SellerLocation>,
    packages: &[PackagePrices],
    at: Moment,
) -> Appeared {
    let mut appeared = Appeared::default();
    if let Some(location) = location {
        hear_location(tenant, location, at, &mut appeared);
    }
    for package in packages {
        hear_package(tenant, &package.name, &mut appeared);
    }
    appeared
}

fn hear_location(tenant: &mut Tenant, said: &SellerLocation, at: Moment, appeared: &mut Appeared) {
    let key = said.name.to_lowercase();
    let id = if tenant.locations.get(&key).is_some() { 0 } else { tenant.take_id() };
    let row = tenant.locations.get_or_make(&key, || Row::new(unnamed(id)));
    let was_bookable = row.value.is_bookable();
    let heard = hear_newest(&mut row.value.reported, said.clone(), at);
    if heard.writes() {
        row.touch();
        appeared.wrote = true;
    }
    if row.value.is_bookable() && !was_bookable {
        appeared.locations.push(key);
    }
}

fn unnamed(id: i64) -> Location {
    Location { id, last_name: String::new(), configured: None, reported: None }
}

fn hear_package(tenant: &mut Tenant, name: &str, appeared: &mut Appeared) {
    let id = if tenant.packages.get(name).is_some() { 0 } else { tenant.take_id() };
    let unknown = || Row::new(Package { id, configured: false, reported: false });
    let row = tenant.packages.get_or_make(name, unknown);
    if row.value.reported {
        return;
    }
    if !row.value.is_active() {
        appeared.packages.push(name.to_owned());
    }
    row.value.reported = true;
    row.touch();
    appeared.wrote = true;
}

/// Takes over the workspace's locations and packages from the configuration; what it no longer names it loses. Those that
/// it names and those that it named before must be loaded.
pub fn configure(tenant: &mut Tenant, workspace: &Workspace) -> Appeared {
    let mut appeared = Appeared::default();
    configure_locations(tenant, workspace, &mut appeared);
    configure_packages(tenant, workspace, &mut appeared);
    appeared
}

fn configure_locations(tenant: &mut Tenant, workspace: &Workspace, appeared: &mut Appeared) {
    let mut named = BTreeSet::new();
    for configured in &workspace.locations {
        let key = configured.name.to_lowercase();
        named.insert(key.clone());
        let id = if tenant.locations.get(&key).is_some() { 0 } else { tenant.take_id() };
        let row = tenant.locations.get_or_make(&key, || Row::new(unnamed(id)));
        let was_bookable = row.value.is_bookable();
        if row.value.configured.as_ref() != Some(configured) {
            row.value.configured = Some(configured.clone());
            row.touch();
        }
        if row.value.is_bookable() && !was_bookable {
            appeared.locations.push(key);
        }
    }
    for (key, row) in tenant.locations.iter_mut().filter(|(key, _)| !named.contains(*key)) {
        let was_bookable = row.value.is_bookable();
        if row.value.configured.take().is_some() {
            row.touch();
        }
        if row.value.is_bookable() && !was_bookable {
            appeared.locations.push(key.clone());
        }
    }
}

fn configure_packages(tenant: &mut Tenant, workspace: &Workspace, appeared: &mut Appeared) {
    for name in &workspace.packages {
        let id = if tenant.packages.get(name).is_some() { 0 } else { tenant.take_id() };
        let unknown = || Row::new(Package { id, configured: false, reported: false });
        let row = tenant.packages.get_or_make(name, unknown);
        if !row.value.is_active() {
            appeared.packages.push(name.clone());
        }
        if !row.value.configured {
            row.value.configured = true;
            row.touch();
        }
    }
    for (_, row) in tenant.packages.iter_mut().filter(|(name, _)| !workspace.packages.contains(name)) {
        if row.value.configured {
            row.value.configured = false;
            row.touch();
        }
    }
}

impl Appeared {
    /// What leads may have waited for.
    #[must_use]
    pub fn wants(&self) -> BTreeSet<Want> {
        let packages = self.packages.iter().cloned().map(Want::Plan);
        packages.chain(self.locations.iter().cloned().map(Want::Location)).collect()
    }
}
