//! `[database]`: which Postgres, and how many connections.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::environment::Environment;
use super::report::Report;
use super::secret::SecretSource;
use super::section::Section;

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// The Postgres to use; without one a private one is started below the data directory.
    pub url: Option<SecretString>,
    /// The folder with `initdb` and `postgres` for the private one, where it is not found by itself.
    pub bin_dir: Option<PathBuf>,
    /// The most connections of the pool; 10 by default.
    pub max_connections: u32,
    /// Whether a server may be used that loses what it has committed when its machine loses power; false by default.
    pub allow_unsafe: bool,
}

impl Database {
    /// Whether both say the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let url = |database: &Self| database.url.as_ref().map(|url| url.expose_secret().to_owned());
        url(self) == url(other)
            && self.bin_dir == other.bin_dir
            && self.max_connections == other.max_connections
            && self.allow_unsafe == other.allow_unsafe
    }
}

pub(super) const KEYS: &[&str] = &["url", "url_env", "url_file", "bin_dir", "max_connections", "allow_unsafe"];

/// Opens `[database]` with the keys that it may have.
pub(super) fn open<'a>(root: &Section<'a>, report: &mut Report) -> Option<Section<'a>> {
    Section::open_value("[database]", root.value("database")?, KEYS, report)
}

/// Reads `[database]`, which may be absent; `base` is the folder that relative paths start from.
pub(super) fn read(section: Option<&Section>, base: &Path, environment: &Environment, report: &mut Report) -> Database {
    let bin_dir = section.and_then(|section| section.text("bin_dir", "\"/usr/lib/postgresql/17/bin\"", report));
    let connections = section.and_then(|section| section.whole("max_connections", &(2..=1000), report));
    let in_file = section.and_then(|section| url_of_file(section, base, environment, report));
    Database {
        url: url_of_environment(environment, report).or(in_file),
        bin_dir: bin_dir.map(|folder| base.join(folder.get_ref())),
        max_connections: connections.unwrap_or(10),
        allow_unsafe: section.and_then(|section| section.flag("allow_unsafe", report)).unwrap_or(false),
    }
}

fn url_of_environment(environment: &Environment, report: &mut Report) -> Option<SecretString> {
    let url = environment.setting("DATABASE_URL")?;
    if let Some(message) = objection(&url) {
        report.problem_in_environment("DATABASE_URL", message);
    }
    Some(SecretString::from(url))
}

/// The address that the file names; not looked up where `DATABASE_URL` stands in its place.
fn url_of_file(section: &Section, base: &Path, env: &Environment, report: &mut Report) -> Option<SecretString> {
    let url = section.text("url", "\"postgres://forecourt@localhost/forecourt\"", report);
    let variable = section.text("url_env", "\"FORECOURT_DATABASE_URL\"", report);
    let file = section.text("url_file", "\"/run/secrets/database_url\"", report);
    let given = [&url, &variable, &file].into_iter().flatten().count();
    if given > 1 {
        let message = "[database] names its address more than once; keep one of `url`, `url_env` and `url_file`";
        report.problem(&section.span(), message);
        return None;
    }
    if env.setting("DATABASE_URL").is_some() && url.is_none() {
        return None;
    }
    let (span, found) = match (url, variable, file) {
        (Some(url), _, _) => (url.span(), Ok(SecretString::from(*url.get_ref()))),
        (_, Some(name), _) => (name.span(), SecretSource::variable(name.get_ref()).read(env)),
        (_, _, Some(path)) => (path.span(), SecretSource::File(base.join(path.get_ref())).read(env)),
        (None, None, None) => return None,
    };
    match found {
        Ok(address) => {
            if let Some(message) = objection(address.expose_secret()) {
                report.problem(&span, message);
            } else if section.value("url").is_some() && holds_password(address.expose_secret()) {
                report.problem(&span, PASSWORD_IN_FILE);
            }
            Some(address)
        }
        Err(problem) => {
            report.problem(&span, problem.to_string());
            None
        }
    }
}

const PASSWORD_IN_FILE: &str = "`url` holds a password, and a secret does not stand in this file; put the whole \
    address into an environment variable (`url_env = \"NAME\"`, or DATABASE_URL) or a file (`url_file = \"path\"`)";

/// Why it cannot be an address of a Postgres. Does not repeat it: it may hold a password.
fn objection(url: &str) -> Option<&'static str> {
    let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
    (!known).then_some("this is not the address of a Postgres; write one such as `postgres://user@host:5432/database`")
}

fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || query.split('&').any(|pair| pair.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_in_either_place() {
        let cases = [
            ("postgres://localhost/forecourt", false),
            ("postgres://ada@localhost:5432/forecourt?sslmode=require", false),
            ("postgres:///forecourt?host=/run/a:b@c", false),
            ("postgres://ada:secret@localhost/forecourt", true),
            ("postgres://localhost/forecourt?user=ada&password=secret", true),
        ];
        for (url, expected) in cases {
            assert_eq!(holds_password(url), expected, "{url}");
        }
    }
}
