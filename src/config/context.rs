//! What a credential is read against.

use std::path::Path;

use super::environment::Environment;

/// What credentials are read against.
pub(super) struct Context<'s> {
    /// Where secrets are looked up.
    pub(super) environment: &'s Environment,
    /// The folder that relative paths start from.
    pub(super) base: &'s Path,
    /// The slugs of the workspaces there are.
    pub(super) slugs: Vec<&'s str>,
}
