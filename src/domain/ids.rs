//! The ids of rows, of a kind for each table: that of a lead is never taken for that of a person.
//!
//! All of them come from one sequence of the database, so an id of the wrong kind would find no row rather than the wrong
//! one, and the deliveries that met it would fail long after the mistake. So the compiler refuses it:
//!
//! ```compile_fail,E0308
//! use forecourt::domain::ids::{LeadId, PersonId};
//!
//! let person: PersonId = LeadId::from(7);
//! ```

use std::fmt;

/// Makes the kinds of ids, each with what its rows are.
macro_rules! ids {
    ($($(#[$what:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$what])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(i64);

            impl $name {
                /// The number, as the tables have it.
                #[must_use]
                pub const fn get(self) -> i64 {
                    self.0
                }
            }

            impl From<i64> for $name {
                fn from(number: i64) -> Self {
                    Self(number)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )*
    };
}

ids! {
    /// The `id` of a workspace.
    WorkspaceId,
    /// The `id` of a customer.
    PersonId,
    /// The `id` of a lead.
    LeadId,
    /// The `id` of a lead cluster.
    ClusterId,
    /// The `id` of a vehicle in stock.
    ListingId,
    /// The `id` of a location.
    LocationId,
    /// The `id` of a package.
    PackageId,
}
