//! One installation of the server's programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One installation of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The directory that holds `postgres` and `initdb`.
    pub(super) dir: PathBuf,
    /// The major version, such as 17.
    pub(super) major: u32,
}

impl Binaries {
    /// The path of one of the programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What a directory holds, or why it is of no use.
pub(super) fn look_into(dir: &Path) -> Result<Binaries, String> {
    if !dir.join("initdb").is_file() {
        return Err("there is no `initdb` in it".to_owned());
    }
    let mut postgres = Command::new(dir.join("postgres"));
    let said =
        postgres.arg("--version").stdin(Stdio::null()).output().map_err(|error| format!("`postgres`: {error}"))?;
    let version = String::from_utf8_lossy(&said.stdout);
    let complaint = || format!("`postgres --version` says {:?}", String::from_utf8_lossy(&said.stderr).trim());
    let major = major_version(&version).ok_or_else(complaint)?;
    Ok(Binaries { dir: dir.to_owned(), major })
}

/// The major version in a line such as `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`.
fn major_version(line: &str) -> Option<u32> {
    let number = line.split(')').nth(1)?.trim_start();
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// Where a program is on a `PATH`.
pub(super) fn on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_server_says_of_itself() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(major_version("postgres\n"), None);
    }
}
