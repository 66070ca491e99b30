//! What the integration tests stand on.

pub(crate) mod car;
pub(crate) mod db_snapshot;
mod delivery;
mod left_out;
pub(crate) mod payloads;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod token;

pub(crate) use car::{Car, car, minute, vin};
pub(crate) use delivery::delivery;
pub(crate) use left_out::left_out;
pub(crate) use postgres::{database, own_cluster, throwaway_options};
pub(crate) use program::Program;
pub(crate) use service::{
    Answer, CONFIG, PATIENCE, SECRETS, TOKEN, TestService, config_with, credential, fixture, fixture_bytes, fixtures,
    service, service_with, soon, unique, workspaces,
};
