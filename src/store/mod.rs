//! All SQL: what is loaded before the rules run, and what is saved after.
