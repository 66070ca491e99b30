//! The private Postgres of first runs and of tests.
