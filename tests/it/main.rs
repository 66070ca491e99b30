//! The integration tests: the whole service against a real Postgres of its own.

mod local_postgres;
mod support;
