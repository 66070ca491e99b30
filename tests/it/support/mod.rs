//! What the integration tests stand on.

pub(crate) mod car;
pub(crate) mod db_snapshot;
mod delivery;
pub(crate) mod grown;
mod left_out;
pub(crate) mod majors;
mod packed;
pub(crate) mod payloads;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod replies;
pub(crate) mod rows;
pub(crate) mod scrape;
pub(crate) mod service;
pub(crate) mod sink;
pub(crate) mod tables;
pub(crate) mod token;

pub(crate) use car::{Car, car, minute, vin};
pub(crate) use delivery::delivery;
pub(crate) use left_out::left_out;
pub(crate) use packed::packed;
pub(crate) use payloads::a_lead;
pub(crate) use postgres::{database, own_cluster, throwaway_options};
pub(crate) use program::Program;
pub(crate) use replies::counts;
pub(crate) use rows::assert_holds;
pub(crate) use scrape::Scrape;
pub(crate) use service::{
    Answer, CLUSTERS, CONFIG, INVENTORY, LEADPRO, LEADS, OTHER_TOKEN, PATIENCE, SECRETS, TOKEN, TOKEN_OF_BETA,
    TestService, config_with, credential, credential_of_beta, credential_of_leadpro, fixture, fixture_bytes, fixtures,
    named_fixtures, service, service_with, soon, unique, workspaces,
};
pub(crate) use tables::{ALL, BUSINESS, listed, tables};
