//! The configuration that is measured with: workspaces that have what the leads ask for, and a credential for all.

use std::fmt::Write as _;

/// The secret of the only credential.
pub(crate) const TOKEN: &str = "token-of-the-benchmark";
/// The dealership of the first workspace; the others follow.
pub(crate) const DEALERSHIP: u64 = 356;
/// The dealership of the second workspace.
pub(crate) const NEIGHBOUR: u64 = DEALERSHIP + 1;
/// How many workspaces there are.
pub(crate) const WORKSPACES: u64 = 50;

const CREDENTIAL: &str = r#"
[[credentials]]
name = "dealer-studio"
scheme = "bearer"
feeds = "all"
workspaces = "all"
secret_env = "TOKEN"
"#;

/// The whole file.
pub(crate) fn file() -> String {
    let mut file = String::new();
    for dealership in DEALERSHIP..DEALERSHIP + WORKSPACES {
        // Writing to a text cannot fail.
        let _ = write!(
            file,
            r#"
[[workspaces]]
slug = "dealer-{dealership}"
dealerships = [{dealership}]
locations = ["Dealer A"]
packages = ["Premium", "Starter", "Value"]
"#
        );
    }
    file + CREDENTIAL
}
