//! What the integration tests stand on.

pub(crate) mod car;
pub(crate) mod postgres;
pub(crate) mod service;

pub(crate) use car::{Car, car, minute, vin};
pub(crate) use postgres::{database, own_cluster, throwaway_options};
pub(crate) use service::{Answer, TestService, fixture, service, service_with};
