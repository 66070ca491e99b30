//! The rules. Plain functions over plain values: no HTTP, no SQL, no JSON, no clock, no log.

pub mod columns;
pub mod facts;
pub mod finding;
pub mod values;
pub mod workspace;
