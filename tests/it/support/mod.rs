//! What the integration tests stand on.

pub(crate) mod car;
pub(crate) mod payloads;
pub(crate) mod picture;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod service;

pub(crate) use car::{Car, car, minute, vin};
pub(crate) use postgres::{database, own_cluster, throwaway_options};
pub(crate) use program::Program;
pub(crate) use service::{
    Answer, CONFIG, SECRETS, TOKEN, TestService, credential, fixture, fixture_bytes, fixtures, service, service_with,
    unique, workspaces,
};
