//! The workspaces of the configuration against those of the tables: which is which, and what is meant to move.
//!
//! A slug is how the configuration names a workspace, and a dealership id how the sender names one of its dealerships.
//! A file in which either stands elsewhere than in the tables may be a booking request or a slip of the pen, and
//! carried out it would part a customer's history: the new leads in one workspace, the old ones in another. So it is
//! carried out only where the file says that it is meant, by `former_slug` or `moved_from`. Until then a dealership
//! stays where the tables have it, and every start says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::ids::WorkspaceId;
use super::workspace::{Dealership, DealershipId, Slug, Workspace};

/// A workspace as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWorkspace {
    /// Its row.
    pub id: WorkspaceId,
    /// Its slug in the table.
    pub slug: Slug,
    /// Whether the configuration that was applied last named it.
    pub active: bool,
    /// Its dealerships, each with whether that configuration named it.
    pub dealerships: BTreeMap<DealershipId, bool>,
}

/// Where a dealership stays although the configuration has it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The workspace's row.
    pub workspace: WorkspaceId,
    /// Its slug in the table.
    pub slug: Slug,
}

/// What the configuration does to the workspaces and dealerships of the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The rows that its workspaces have already, by their slugs in the configuration. All others are new.
    pub rows: BTreeMap<Slug, WorkspaceId>,
    /// The slugs that stay in the tables although the configuration has others, by those.
    pub kept_slugs: BTreeMap<Slug, Slug>,
    /// The dealerships that stay elsewhere than the configuration has them.
    pub kept: BTreeMap<DealershipId, Kept>,
    /// What was meant, and is carried out.
    pub changes: Vec<Change>,
    /// What may not be meant, and is not carried out.
    pub disagreements: Vec<Disagreement>,
}

/// A configuration that is in the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The rows of its workspaces, by their slugs in the configuration.
    pub ids: BTreeMap<Slug, WorkspaceId>,
    /// How it was brought there.
    pub plan: Plan,
    /// The workspaces whose locations and packages are still to be brought there, because somebody else was writing them.
    pub postponed: BTreeSet<Slug>,
}

/// What is carried out because the configuration says that it is meant. Shown as a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A workspace has another slug.
    Renamed {
        /// The slug in the tables until now.
        from: Slug,
        /// The slug of the configuration.
        to: Slug,
    },
    /// Dealerships belong to another workspace.
    Moved {
        /// They.
        dealerships: Vec<DealershipId>,
        /// The slug of the workspace they leave.
        from: Slug,
        /// The slug of the workspace they go to.
        to: Slug,
    },
}

/// What the configuration and the tables disagree about. Shown as a sentence with what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// A workspace seems to have another slug.
    UnsaidRename {
        /// The slug in the tables, which stays.
        from: Slug,
        /// The slug of the configuration.
        to: Slug,
        /// The dealerships by which it is recognised.
        dealerships: Vec<DealershipId>,
    },
    /// Dealerships stand in another workspace.
    UnsaidMove {
        /// They.
        dealerships: Vec<DealershipId>,
        /// The slug of the workspace in the tables, where they stay.
        from: Slug,
        /// The slug of the workspace in the configuration.
        to: Slug,
    },
    /// A former slug cannot become the new one, for both are in the tables.
    BothSlugs {
        /// The slug that the configuration calls the former one.
        from: Slug,
        /// The slug of the configuration.
        to: Slug,
    },
}

/// Compares a configuration with the tables.
#[must_use]
pub fn plan(configured: &[Workspace], stored: &[StoredWorkspace]) -> Plan {
    let tables = Tables::of(configured, stored);
    let mut plan = Plan::default();
    for workspace in configured {
        tables.find_row(workspace, &mut plan);
    }
    for workspace in configured {
        tables.place_dealerships(workspace, &mut plan);
    }
    plan
}

/// The tables, and what of the configuration they are compared with.
struct Tables<'t> {
    by_slug: BTreeMap<&'t str, &'t StoredWorkspace>,
    by_dealership: BTreeMap<DealershipId, &'t StoredWorkspace>,
    /// The slugs of the configuration.
    slugs: BTreeSet<&'t str>,
    /// The slugs that it says its workspaces had.
    former: BTreeSet<&'t str>,
    /// The dealerships that it names.
    named: BTreeSet<DealershipId>,
}

impl<'t> Tables<'t> {
    fn of(configured: &'t [Workspace], stored: &'t [StoredWorkspace]) -> Self {
        let each = |workspace: &'t StoredWorkspace| workspace.dealerships.keys().map(move |id| (*id, workspace));
        Self {
            by_slug: stored.iter().map(|workspace| (workspace.slug.as_str(), workspace)).collect(),
            by_dealership: stored.iter().flat_map(each).collect(),
            slugs: configured.iter().map(|workspace| workspace.slug.as_str()).collect(),
            former: configured.iter().filter_map(|workspace| workspace.former_slug.as_deref()).collect(),
            named: configured.iter().flat_map(|workspace| &workspace.dealerships).map(|one| one.id).collect(),
        }
    }

    /// Finds the row that a workspace of the configuration has: that of its slug, else of its former slug, else of the
    /// workspace that it seems to be.
    fn find_row(&self, workspace: &Workspace, plan: &mut Plan) {
        let former = workspace.former_slug.as_deref().and_then(|slug| self.by_slug.get(slug));
        let to = workspace.slug.clone();
        if let Some(row) = self.by_slug.get(workspace.slug.as_str()) {
            plan.rows.insert(to.clone(), row.id);
            if let Some(former) = former
                && (former.active || workspace.dealerships.iter().any(|one| former.dealerships.contains_key(&one.id)))
            {
                plan.disagreements.push(Disagreement::BothSlugs { from: former.slug.clone(), to });
            }
        } else if let Some(former) = former {
            plan.rows.insert(to.clone(), former.id);
            plan.changes.push(Change::Renamed { from: former.slug.clone(), to });
        } else if let Some(row) = self.seems_to_be(workspace) {
            plan.rows.insert(to.clone(), row.id);
            plan.kept_slugs.insert(to.clone(), row.slug.clone());
            let theirs = workspace.dealerships.iter().map(|one| one.id);
            let dealerships = theirs.filter(|id| row.dealerships.contains_key(id)).collect();
            plan.disagreements.push(Disagreement::UnsaidRename { from: row.slug.clone(), to, dealerships });
        }
    }

    /// The workspace of the tables that one with a new slug seems to be: the configuration names it no more, and all of
    /// its dealerships stand under the new slug, nothing said of where they were.
    fn seems_to_be(&self, workspace: &Workspace) -> Option<&'t StoredWorkspace> {
        let row = workspace.dealerships.iter().find_map(|one| self.by_dealership.get(&one.id))?;
        if self.slugs.contains(row.slug.as_str()) || self.former.contains(row.slug.as_str()) {
            return None;
        }
        // What was said of a former move, and may stay in the file, says nothing of this one.
        let is_unsaid = |one: &Dealership| one.moved_from.as_ref() != Some(&row.slug);
        let here = |id: &DealershipId| workspace.dealerships.iter().any(|one| one.id == *id && is_unsaid(one));
        let of_row = row.dealerships.iter().filter(|(id, active)| **active || self.named.contains(*id));
        of_row.map(|(id, _)| id).all(here).then_some(*row)
    }

    /// Tells which dealerships of a workspace move to it, and which stay where they are.
    fn place_dealerships(&self, workspace: &Workspace, plan: &mut Plan) {
        let mut leaving: BTreeMap<Slug, Vec<DealershipId>> = BTreeMap::new();
        let mut stay: BTreeMap<Slug, Vec<DealershipId>> = BTreeMap::new();
        for dealership in &workspace.dealerships {
            let Some(row) = self.by_dealership.get(&dealership.id) else { continue };
            if plan.rows.get(&workspace.slug) == Some(&row.id) {
                continue;
            }
            // Both the slug that it had and the one that it has now are its name.
            let mut names = plan.rows.iter().filter(|(_, id)| **id == row.id).map(|(slug, _)| slug);
            let is_meant =
                dealership.moved_from.as_ref().is_some_and(|from| *from == row.slug || names.any(|slug| slug == from));
            if is_meant {
                leaving.entry(row.slug.clone()).or_default().push(dealership.id);
            } else {
                plan.kept.insert(dealership.id, Kept { workspace: row.id, slug: row.slug.clone() });
                stay.entry(row.slug.clone()).or_default().push(dealership.id);
            }
        }
        let to = &workspace.slug;
        let leaving =
            leaving.into_iter().map(|(from, dealerships)| Change::Moved { dealerships, from, to: to.clone() });
        plan.changes.extend(leaving);
        let stay = stay.into_iter();
        let stay = stay.map(|(from, dealerships)| Disagreement::UnsaidMove { dealerships, from, to: to.clone() });
        plan.disagreements.extend(stay);
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renamed { from, to } => write!(
                f,
                "the workspace `{from}` is called `{to}` from now on: all its rows stay with it, under the new slug"
            ),
            Self::Moved { dealerships, from, to } => write!(
                f,
                "{} to the workspace `{to}` from now on: the rows of what came before stay in `{from}`, and what comes goes \
                 to `{to}`",
                subject(dealerships, "belongs", "belong")
            ),
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsaidRename { from, to, dealerships } => write!(
                f,
                "the configuration no longer names the workspace `{from}`, and {} in `{to}`, which is new: the workspace \
                 keeps the slug `{from}` in the tables, and what comes for `{to}` goes on to it; write `former_slug = \
                 \"{from}\"` in `{to}` if it is the same workspace, or `moved_from = \"{from}\"` at each of its \
                 dealerships if it is another one",
                subject(dealerships, "stands", "stand")
            ),
            Self::UnsaidMove { dealerships, from, to } => write!(
                f,
                "{} in the workspace `{to}` of the configuration and in `{from}` of the tables: what comes goes on to \
                 `{from}`; write `{{ id = {}, moved_from = \"{from}\" }}`{} in `{to}` if that is meant, or put it back",
                subject(dealerships, "stands", "stand"),
                dealerships.first().copied().unwrap_or_default(),
                if dealerships.len() > 1 { ", and so each of them," } else { "" },
            ),
            Self::BothSlugs { from, to } => write!(
                f,
                "`former_slug = \"{from}\"` is not carried out, because the tables have a workspace `{from}` and a \
                 workspace `{to}`: leave it out, and write `moved_from = \"{from}\"` at the dealerships that are to move"
            ),
        }
    }
}

/// The dealerships with their verb.
fn subject(dealerships: &[DealershipId], one: &str, several: &str) -> String {
    let ids: Vec<String> = dealerships.iter().map(DealershipId::to_string).collect();
    match ids.as_slice() {
        [only] => format!("the dealership {only} {one}"),
        _ => format!("the dealerships {} {several}", ids.join(", ")),
    }
}

#[cfg(test)]
mod tests;
