//! The integration tests: the whole service against a real Postgres of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect has failed"
)]

mod actions;
mod addresses;
mod admin;
mod afternoon;
mod alerts;
mod appointments;
mod arbitrary;
mod backup;
mod bookings;
mod check;
mod clusters;
mod columns;
mod commands;
mod convergence;
mod crowds;
mod damaged_rows;
mod deliveries;
mod dependencies;
mod distribution;
mod doors;
mod drift;
mod erasure;
mod first_path;
mod foreign_clients;
mod grown;
mod image;
mod leadpro;
mod leadpro_tokens;
mod leads;
mod listing_history;
mod listings;
mod local_postgres;
mod locations;
mod log_lines;
mod majors;
mod memory;
mod metrics;
mod migrations;
mod months;
mod moves;
mod oauth;
mod odd_input;
mod openapi;
mod outages;
mod pages;
mod persons;
mod plans;
mod poolers;
mod processes;
mod progress;
mod proxies;
mod rejected;
mod reload;
mod replay;
mod retention;
mod roles;
mod sabotage;
mod secrets;
mod session;
mod setup;
mod several;
mod silence;
mod spool;
mod starts;
mod support;
mod unchanged;
mod units;
mod upgrade;
mod values;
mod variables;
mod workspace_locks;
mod workspaces;
