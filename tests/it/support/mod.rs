//! What the integration tests stand on.

mod postgres;

pub(crate) use postgres::{OwnCluster, TestDatabase, database, own_cluster, throwaway_options};
