//! Who needs what of which table: the one listing from which the service's role and readers get their rights.
//!
//! A table that is not listed is nobody's but its owner's, and a test fails until it is. What is listed and not there is
//! passed over, so that the same listing serves every step of the way to this version.

use std::fmt;

/// What a role may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// All that the service does.
    Serves,
    /// Reads the views that are promised to stay, without contact details.
    Reporting,
    /// Reads the same views with contact details.
    Contacts,
    /// Reads the business tables.
    Tables,
    /// Reads licences, passports and other identity documents.
    Identity,
    /// Reads what arrived and what came of it, without bodies.
    Deliveries,
    /// Reads deliveries with their bodies, which hold whatever the sender knows.
    Bodies,
}

impl Grant {
    /// All that can be given.
    pub const ALL: &'static [Self] =
        &[Self::Serves, Self::Reporting, Self::Contacts, Self::Tables, Self::Identity, Self::Deliveries, Self::Bodies];

    /// Its name on the command line and in `intake.granted_roles`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Reporting => "reporting",
            Self::Contacts => "contacts",
            Self::Tables => "tables",
            Self::Identity => "identity",
            Self::Deliveries => "deliveries",
            Self::Bodies => "bodies",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant| grant.name() == name)
    }

    /// The schema that it stands for, whole.
    #[must_use]
    pub const fn schema(self) -> Option<&'static str> {
        match self {
            Self::Reporting => Some("reporting"),
            Self::Contacts => Some("reporting_contacts"),
            Self::Serves | Self::Tables | Self::Identity | Self::Deliveries | Self::Bodies => None,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A table, a view or a sequence, with what the service does there and who may be given it to read.
#[derive(Debug)]
pub struct Relation {
    /// Its name with its schema in front.
    pub name: &'static str,
    /// What the service needs, as `grant` writes it; nothing where it is empty.
    pub service: &'static str,
    /// What gives it to readers.
    pub readers: &'static [Readable],
}

/// What lets a relation be read.
#[derive(Debug)]
pub struct Readable {
    /// By what it is given.
    pub by: Grant,
    /// Columns that are not given with the others.
    pub without: &'static [&'static str],
}

const fn relation(name: &'static str, service: &'static str, readers: &'static [Readable]) -> Relation {
    Relation { name, service, readers }
}

const NOBODY: &[Readable] = &[];
const TABLES: &[Readable] = &[Readable { by: Grant::Tables, without: &[] }];
const IDENTITY: &[Readable] = &[Readable { by: Grant::Identity, without: &[] }];
const DELIVERIES: &[Readable] = &[Readable { by: Grant::Deliveries, without: &[] }];
const BODIES: &[Readable] = &[Readable { by: Grant::Bodies, without: &[] }];
/// Where bodies once stood beside the rest.
const WITHOUT_BODIES: &[Readable] = &[Readable { by: Grant::Deliveries, without: &["body", "posted_body"] }];

/// The listing.
pub const RELATIONS: &[Relation] = &[
    relation("public._sqlx_migrations", "select", NOBODY),
    relation("public.row_ids", "usage", NOBODY),
    relation("public.workspaces", "select, insert, update", TABLES),
    relation("public.dealerships", "select, insert, update", TABLES),
    relation("public.locations", "select, insert, update", TABLES),
    relation("public.packages", "select, insert, update", TABLES),
    relation("public.persons", "select, insert, update, delete", TABLES),
    relation("public.lead_clusters", "select, insert, update", TABLES),
    relation("public.leads", "select, insert, update", TABLES),
    relation("public.trade_ins", "select, insert, update, delete", TABLES),
    relation("public.lead_events", "select, insert, update", TABLES),
    relation("public.appointments", "select, insert, update", TABLES),
    relation("public.property_enquiries", "select, insert, update, delete", TABLES),
    relation("public.listings", "select, insert, update, delete", TABLES),
    relation("public.listing_identifiers", "select, insert, update", TABLES),
    relation("public.listing_sources", "select, insert, update", TABLES),
    relation("public.listing_locations", "select, insert, delete", TABLES),
    relation("public.listing_packages", "select, insert, delete", TABLES),
    relation("public.listing_changes", "select, insert, update", TABLES),
    relation("public.lead_changes", "select, insert, delete", TABLES),
    relation("public.bookings", "select, insert, update", TABLES),
    relation("identity.driver_licences", "select, insert, update, delete", IDENTITY),
    relation("identity.passports", "select, insert, update, delete", IDENTITY),
    relation("identity.lead_documents", "select, insert, update, delete", IDENTITY),
    relation("intake.deliveries", "select, insert, update, delete", WITHOUT_BODIES),
    relation("intake.bodies", "select, insert, delete", BODIES),
    relation("intake.deliveries_with_bodies", "select", BODIES),
    relation("intake.deliveries_without_month", "select, delete", NOBODY),
    relation("intake.bodies_without_month", "select, delete", NOBODY),
    relation("intake.retention_progress", "select, insert, update", NOBODY),
    relation("intake.workspace_locks", "select, insert, update", NOBODY),
    relation("intake.lead_dependencies", "select, insert, delete", NOBODY),
    relation("intake.drift", "select, insert, update", DELIVERIES),
    relation("intake.dealership_feeds", "select, insert, update", DELIVERIES),
    relation("intake.workspace_watches", "select, insert, update, delete", NOBODY),
    relation("intake.finding_codes", "select, insert, update", DELIVERIES),
    relation("intake.rejected", "select, insert, update, delete", NOBODY),
    relation("intake.rereadings", "select", NOBODY),
    relation("intake.actions", "insert", NOBODY),
    relation("intake.erasures", "select, insert", NOBODY),
    relation("intake.granted_roles", "", NOBODY),
];

/// The functions by which the service does what only the owner may, each with the types of its arguments.
pub const FUNCTIONS: &[&str] =
    &["intake.drop_partition(text,date)", "intake.gather_statistics()", "intake.make_partitions(date)"];

/// The schemas that hold something of the listing.
pub(super) const SCHEMAS: &[&str] = &["public", "identity", "intake"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_found_by_its_name() {
        for grant in Grant::ALL {
            assert_eq!(Grant::named(grant.name()), Some(*grant));
        }
        assert_eq!(Grant::named("everything"), None);
    }

    #[test]
    fn each_relation_is_listed_once_and_stands_in_a_schema_of_ours() {
        let mut names: Vec<&str> = RELATIONS.iter().map(|relation| relation.name).collect();
        assert!(names.iter().all(|name| SCHEMAS.contains(&name.split('.').next().unwrap())));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
