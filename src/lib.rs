//! The map: the path of one delivery, modules in reading order.

pub mod cli;
pub mod config;
pub mod domain;
pub mod feeds;
pub mod http;
pub mod intake;
pub mod local_postgres;
pub mod store;
