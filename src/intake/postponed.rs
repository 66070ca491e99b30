//! Locations and packages of the configuration that could not be applied, because somebody else was writing their workspace:
//! they are applied once it is free. No start and no reload waits for that.

use std::collections::BTreeSet;

use super::{Intake, configuration};
use crate::domain::workspace::Slug;
use crate::store;

/// What is still to be applied.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    left: BTreeSet<Slug>,
    /// What was applied since the configuration was last looked at.
    applied: BTreeSet<Slug>,
}

impl Postponed {
    /// The configuration may be another. What was applied meanwhile may have been the former one's, over the new one's: it
    /// is applied again.
    pub(super) fn look_at(&mut self, intake: &Intake) {
        self.left.clone_from(intake.router().postponed());
        self.left.append(&mut self.applied);
    }

    /// Applies what can be applied.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached.
    pub(super) async fn apply(&mut self, intake: &Intake) -> Result<(), store::Error> {
        for slug in self.left.clone() {
            let router = intake.router();
            let is_applied = match router.configured(&slug) {
                Some((workspace, id)) => configuration::apply_to(intake.store(), workspace, id, intake.now()).await?,
                None => true,
            };
            if is_applied {
                tracing::info!(workspace = slug, "the locations and packages of a workspace are applied");
                self.left.remove(&slug);
                self.applied.insert(slug);
            }
        }
        Ok(())
    }
}
