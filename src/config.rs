//! `forecourt.toml` and the environment, parsed once into types.
