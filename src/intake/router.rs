//! The workspace of a dealership, and who may write to it: the configuration, in memory.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::feed::Feed;
use crate::domain::reconciliation::{Applied, Kept};
use crate::domain::silence::{DealershipFeed, NO_DEALERSHIP};
use crate::domain::workspace::{Dealership, DealershipId, Locale, Permitted, Slug, Workspace};
use crate::store::due::RetryableRejections;

/// A workspace of the configuration, as far as deliveries need it.
#[derive(Clone, Debug)]
struct Entry {
    /// Its row; none while nothing is written, as by a dry run.
    id: Option<WorkspaceId>,
    workspace: Workspace,
    /// Slugs that it had or has in the tables, and that none of the configuration has: deliveries that were
    /// let in before a change of the slug, and wait in the spool, carry these.
    aliases: Vec<Slug>,
}

impl Entry {
    fn is_permitted(&self, permitted: &Permitted) -> bool {
        permitted.includes(&self.workspace.slug) || self.aliases.iter().any(|slug| permitted.includes(slug))
    }
}

/// Where a dealership belongs.
#[derive(Clone, Debug)]
struct Home {
    /// The workspace that the configuration has it in.
    slug: Slug,
    dealership: Dealership,
    /// The one in which it stays all the same.
    kept: Option<Kept>,
    /// The slug of the one that it has left, where none of the configuration has that.
    former: Option<Slug>,
}

/// The workspaces by dealership id, and the credentials' permissions by name.
#[derive(Clone, Debug)]
pub struct WorkspaceRouter {
    workspaces: BTreeMap<Slug, Entry>,
    dealerships: BTreeMap<DealershipId, Home>,
    permissions: BTreeMap<String, Permitted>,
    /// The workspaces whose locations and packages are not applied yet.
    postponed: BTreeSet<Slug>,
}

/// Where a delivery belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The row of the workspace that the delivery is written to.
    pub workspace: WorkspaceId,
    /// What the payload's values depend on.
    pub locale: Locale,
}

/// Which workspace a dealership id leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// To a workspace that the credential may write to.
    Route(Route),
    /// None: no workspace has the dealership.
    Unknown,
    /// One that the credential may not write to.
    NotPermitted,
}

impl WorkspaceRouter {
    /// The configured workspaces as they are in the tables, and each credential's permission.
    #[must_use]
    pub fn new(workspaces: Vec<Workspace>, applied: &Applied, permissions: BTreeMap<String, Permitted>) -> Self {
        let slugs: BTreeSet<Slug> = workspaces.iter().map(|workspace| workspace.slug.clone()).collect();
        let unused = |slug: &&Slug| !slugs.contains(*slug);
        let home = |workspace: &Workspace, dealership: &Dealership| Home {
            slug: workspace.slug.clone(),
            dealership: dealership.clone(),
            kept: applied.plan.kept.get(&dealership.id).cloned(),
            former: dealership.moved_from.as_ref().filter(unused).cloned(),
        };
        let mut dealerships = BTreeMap::new();
        for workspace in &workspaces {
            let homes = workspace.dealerships.iter().map(|dealership| (dealership.id, home(workspace, dealership)));
            dealerships.extend(homes);
        }
        let entry = |workspace: Workspace| {
            let of_tables = applied.plan.kept_slugs.get(&workspace.slug);
            let aliases = workspace.former_slug.iter().chain(of_tables).filter(unused).cloned().collect();
            let id = applied.ids.get(&workspace.slug).copied();
            (workspace.slug.clone(), Entry { id, workspace, aliases })
        };
        let postponed = applied.postponed.clone();
        Self { workspaces: workspaces.into_iter().map(entry).collect(), dealerships, permissions, postponed }
    }

    /// The workspace of a dealership, if the credential may write to it. Where the configuration has the dealership in
    /// another workspace than the tables, whoever may write to either may write for it, to that of the tables: neither
    /// name of a change that the file does not declare yet may cost a delivery.
    #[must_use]
    pub fn find(&self, dealership: DealershipId, permitted: &Permitted, received_at: DateTime<Utc>) -> Found {
        let Some(home) = self.dealerships.get(&dealership) else { return Found::Unknown };
        let Some(entry) = self.workspaces.get(&home.slug) else { return Found::Unknown };
        let kept = home.kept.as_ref();
        let Some(workspace) = kept.map(|kept| kept.workspace).or(entry.id) else { return Found::Unknown };
        let of_dealership = [kept.map(|kept| &kept.slug), home.former.as_ref()];
        if entry.is_permitted(permitted) || of_dealership.into_iter().flatten().any(|slug| permitted.includes(slug)) {
            Found::Route(route(workspace, entry, Some(&home.dealership), received_at))
        } else {
            Found::NotPermitted
        }
    }

    /// The rows of the workspaces that the credential may write to.
    #[must_use]
    pub fn permitted(&self, permitted: &Permitted) -> Vec<WorkspaceId> {
        self.workspaces.values().filter(|entry| entry.is_permitted(permitted)).filter_map(|entry| entry.id).collect()
    }

    /// Those, and the workspaces in which dealerships stay for which the credential may write: where its
    /// deliveries about a vehicle may belong.
    #[must_use]
    pub fn reachable(&self, permitted: &Permitted) -> Vec<WorkspaceId> {
        let is_of = |home: &&Home| self.workspaces.get(&home.slug).is_some_and(|entry| entry.is_permitted(permitted));
        let kept = self.dealerships.values().filter(is_of).filter_map(|home| Some(home.kept.as_ref()?.workspace));
        let all: BTreeSet<WorkspaceId> = self.permitted(permitted).into_iter().chain(kept).collect();
        all.into_iter().collect()
    }

    /// The workspace of a row; where it has one dealership, that dealership's zone counts.
    #[must_use]
    pub fn route_to(&self, workspace: WorkspaceId, received_at: DateTime<Utc>) -> Option<Route> {
        let here = |home: &&Home| home.kept.as_ref().is_some_and(|kept| kept.workspace == workspace);
        let entry = self.workspaces.values().find(|entry| entry.id == Some(workspace));
        let Some(entry) = entry else {
            let home = self.dealerships.values().find(here)?;
            return Some(route(workspace, self.workspaces.get(&home.slug)?, Some(&home.dealership), received_at));
        };
        let only = match entry.workspace.dealerships.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        Some(route(workspace, entry, only, received_at))
    }

    /// The workspaces whose locations and packages are not applied yet.
    pub(super) fn postponed(&self) -> &BTreeSet<Slug> {
        &self.postponed
    }

    /// A workspace of the configuration, with its row where it has one.
    pub(super) fn configured(&self, slug: &Slug) -> Option<(&Workspace, WorkspaceId)> {
        let entry = self.workspaces.get(slug)?;
        Some((&entry.workspace, entry.id?))
    }

    /// Every dealership and feed of the configuration, with what is expected of it, by workspace.
    #[must_use]
    pub fn dealership_feeds(&self) -> BTreeMap<WorkspaceId, Vec<DealershipFeed>> {
        let mut all: BTreeMap<WorkspaceId, Vec<DealershipFeed>> = BTreeMap::new();
        for entry in self.workspaces.values() {
            for feed in Feed::ALL.iter().copied() {
                let mut add = |workspace: Option<WorkspaceId>, dealership, name| {
                    let Some(workspace) = workspace else { return };
                    let Workspace { slug, timezone, expect, .. } = &entry.workspace;
                    let (slug, timezone, every) = (slug.clone(), *timezone, expect.get(&feed).copied());
                    let one = DealershipFeed { workspace, slug, timezone, dealership, name, feed, every };
                    all.entry(workspace).or_default().push(one);
                };
                if feed.dealership_path().is_none() {
                    add(entry.id, NO_DEALERSHIP, None);
                    continue;
                }
                for dealership in &entry.workspace.dealerships {
                    let home = self.dealerships.get(&dealership.id);
                    let kept = home.and_then(|home| home.kept.as_ref()).map(|kept| kept.workspace);
                    add(kept.or(entry.id), dealership.id, dealership.name.clone());
                }
            }
        }
        all
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
    pub fn permission(&self, credential: &str, stored_with: Option<WorkspaceId>) -> Permitted {
        if let Some(permitted) = self.permissions.get(credential) {
            return permitted.clone();
        }
        let Some(workspace) = stored_with else { return Permitted::Only(BTreeSet::new()) };
        let configured = self.workspaces.iter().filter(|(_, entry)| entry.id == Some(workspace)).map(|(slug, _)| slug);
        let kept = self.dealerships.values().filter_map(|home| home.kept.as_ref());
        let kept = kept.filter(|kept| kept.workspace == workspace).map(|kept| &kept.slug);
        Permitted::Only(configured.chain(kept).cloned().collect())
    }
}

/// A row with how values are read for it: by the dealership's settings, whichever workspace it stays in.
fn route(workspace: WorkspaceId, entry: &Entry, dealership: Option<&Dealership>, received_at: DateTime<Utc>) -> Route {
    let Workspace { timezone, phone_region, country, .. } = &entry.workspace;
    let own = dealership.and_then(|dealership| dealership.timezone);
    let locale = Locale {
        received_at,
        timezone: own.unwrap_or(*timezone),
        phone_region: phone_region.clone(),
        country: country.clone(),
    };
    Route { workspace, locale }
}
