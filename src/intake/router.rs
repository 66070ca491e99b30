//! The workspace of a dealership, and who may write to it: the configuration, in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::feed::Feed;
use crate::domain::state::RowId;
use crate::domain::workspace::{Dealership, DealershipId, Locale, Permitted, Slug, Workspace};
use crate::store::deliveries::RetryableRejections;

/// A workspace, as far as deliveries need it.
#[derive(Clone, Debug)]
struct Entry {
    id: RowId,
    workspace: Workspace,
}

/// The workspaces by dealership id, and the credentials' permissions by name.
#[derive(Clone, Debug)]
pub struct WorkspaceRouter {
    workspaces: BTreeMap<Slug, Entry>,
    dealerships: BTreeMap<DealershipId, (Slug, Dealership)>,
    permissions: BTreeMap<String, Permitted>,
}

/// Where a delivery belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its row.
    pub workspace: RowId,
    /// What the payload's values depend on.
    pub locale: Locale,
}

/// Which workspace a dealership id leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// This one.
    Route(Route),
    /// None: no workspace has the dealership.
    Unknown,
    /// One that the credential may not write to.
    NotPermitted,
}

impl WorkspaceRouter {
    /// The configured workspaces with their rows, and each credential's permission.
    #[must_use]
    pub fn new(
        workspaces: Vec<Workspace>,
        ids: &BTreeMap<Slug, RowId>,
        permissions: BTreeMap<String, Permitted>,
    ) -> Self {
        let dealerships = workspaces.iter().flat_map(|workspace| {
            let of = |dealership: &Dealership| (dealership.id, (workspace.slug.clone(), dealership.clone()));
            workspace.dealerships.iter().map(of)
        });
        let dealerships = dealerships.collect();
        let entry = |workspace: Workspace| {
            let id = *ids.get(&workspace.slug)?;
            Some((workspace.slug.clone(), Entry { id, workspace }))
        };
        Self { workspaces: workspaces.into_iter().filter_map(entry).collect(), dealerships, permissions }
    }

    /// The workspace of a dealership, if the credential may write to it.
    #[must_use]
    pub fn find(&self, dealership: DealershipId, permitted: &Permitted, received_at: DateTime<Utc>) -> Found {
        let Some((slug, dealership)) = self.dealerships.get(&dealership) else { return Found::Unknown };
        let Some(entry) = self.workspaces.get(slug) else { return Found::Unknown };
        if permitted.includes(slug) {
            Found::Route(route(entry, Some(dealership), received_at))
        } else {
            Found::NotPermitted
        }
    }

    /// The rows of the workspaces that the credential may write to.
    #[must_use]
    pub fn permitted(&self, permitted: &Permitted) -> Vec<RowId> {
        let entries = self.workspaces.iter().filter(|(slug, _)| permitted.includes(slug));
        entries.map(|(_, entry)| entry.id).collect()
    }

    /// The workspace of a row; where it has one dealership, that dealership's zone counts.
    #[must_use]
    pub fn route_to(&self, workspace: RowId, received_at: DateTime<Utc>) -> Option<Route> {
        let entry = self.workspaces.values().find(|entry| entry.id == workspace)?;
        let only = match entry.workspace.dealerships.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        Some(route(entry, only, received_at))
    }

    /// What may give a rejected delivery its workspace.
    #[must_use]
    pub fn retryable(&self) -> RetryableRejections {
        let has_one = |permitted: &Permitted| self.permitted(permitted).len() == 1;
        let credentials = self.permissions.iter().filter(|(_, permitted)| has_one(permitted));
        let nameless = Feed::ALL.iter().filter(|feed| feed.may_name_no_dealership());
        RetryableRejections {
            dealerships: self.dealerships.keys().copied().collect(),
            known_credentials: self.permissions.keys().cloned().collect(),
            credentials: credentials.map(|(name, _)| name.clone()).collect(),
            nameless_feeds: nameless.copied().collect(),
        }
    }

    /// What a stored delivery may be applied to: what its credential may write to now. Where the credential is gone, as
    /// after a change of its secret, the workspace that the delivery has been stored with, and no other.
    #[must_use]
    pub fn permission(&self, credential: &str, stored_with: Option<RowId>) -> Permitted {
        if let Some(permitted) = self.permissions.get(credential) {
            return permitted.clone();
        }
        let workspaces = self.workspaces.iter().filter(|(_, entry)| Some(entry.id) == stored_with);
        Permitted::Only(workspaces.map(|(slug, _)| slug.clone()).collect())
    }
}

fn route(entry: &Entry, dealership: Option<&Dealership>, received_at: DateTime<Utc>) -> Route {
    let Workspace { timezone, phone_region, country, .. } = &entry.workspace;
    let own = dealership.and_then(|dealership| dealership.timezone);
    let locale = Locale {
        received_at,
        timezone: own.unwrap_or(*timezone),
        phone_region: phone_region.clone(),
        country: country.clone(),
    };
    Route { workspace: entry.id, locale }
}
