//! What the integration tests stand on.

pub(crate) mod postgres;

pub(crate) use postgres::{database, own_cluster, throwaway_options};
