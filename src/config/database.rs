//! `[database]`: which Postgres, and how many connections.

use std::ops::Range;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::store::address::{self, ReadAddress};

use super::environment::Environment;
use super::report::{Place, Report};
use super::secret::SecretSource;
use super::section::Section;

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// The Postgres to use; without one a private one is started below the data directory.
    pub url: Option<SecretString>,
    /// The same Postgres as the owner of the tables, for `migrate` and `grant`; without it these use `url`, too.
    pub migrations: Option<NamedAddress>,
    /// The folder with `initdb` and `postgres` for the private one, where it is not found by itself.
    pub bin_dir: Option<PathBuf>,
    /// The most connections of the pool; 10 by default.
    pub max_connections: u32,
    /// How many batches are worked on at a time; by default as many as the private Postgres shares processors with the
    /// service, and 4 with another one.
    pub writers: usize,
    /// Whether a server may be used that loses what it has committed when its machine loses power; false by default.
    pub allow_unsafe: bool,
}

/// An address, or where it stands. That of the tables' owner is read by the commands that need it alone: the service has
/// no business with that password, and need not be able to read it.
#[derive(Clone, Debug)]
pub enum NamedAddress {
    /// In the file: it holds no password.
    Here(SecretString),
    /// Somewhere else.
    In(SecretSource),
}

impl NamedAddress {
    /// Reads that of the tables' owner.
    ///
    /// # Errors
    /// With a sentence that names where it should stand.
    pub fn read(&self, environment: &Environment) -> Result<SecretString, String> {
        match self {
            Self::Here(url) => Ok(url.clone()),
            Self::In(source) => match source.read(environment) {
                Ok(url) => Ok(SecretString::from(url.expose_secret().trim())),
                Err(error) => Err(format!("[database] migrations_url: {error}")),
            },
        }
    }
}

impl Database {
    /// Whether both say the same to the service.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let url = |database: &Self| database.url.as_ref().map(|url| url.expose_secret().to_owned());
        url(self) == url(other)
            && self.bin_dir == other.bin_dir
            && self.max_connections == other.max_connections
            && self.writers == other.writers
            && self.allow_unsafe == other.allow_unsafe
    }
}

pub(super) const KEYS: &[&str] = &[
    "url",
    "url_env",
    "url_file",
    "migrations_url",
    "migrations_url_env",
    "migrations_url_file",
    "bin_dir",
    "max_connections",
    "writers",
    "allow_unsafe",
];

/// Opens `[database]` with the keys that it may have.
pub(super) fn open<'a>(root: &Section<'a>, report: &mut Report) -> Option<Section<'a>> {
    Section::open_value("[database]", root.value("database")?, KEYS, report)
}

/// Reads `[database]`, which may be absent; `base` is the folder that relative paths start from.
pub(super) fn read(section: Option<&Section>, base: &Path, environment: &Environment, report: &mut Report) -> Database {
    let bin_dir = section.and_then(|section| section.text("bin_dir", "\"/usr/lib/postgresql/17/bin\"", report));
    let connections = section.and_then(|section| section.whole("max_connections", &(2..=1000), report));
    let in_environment = of_environment(environment, report);
    let in_file = section.and_then(|section| of_file(section, base, environment, report));
    let (url, max_connections) = (in_environment.or(in_file), connections.unwrap_or(10));
    Database {
        writers: writers(section, url.is_none(), max_connections, report),
        url,
        migrations: section.and_then(|section| of_owner(section, base, report)),
        bin_dir: bin_dir.map(|folder| base.join(folder.get_ref())),
        max_connections,
        allow_unsafe: section.and_then(|section| section.flag("allow_unsafe", report)).unwrap_or(false),
    }
}

/// How many batches are worked on at a time where nothing is written and Postgres is another's.
const WRITERS: usize = 4;

/// One connection is left over for whatever else there is to ask.
fn writers(section: Option<&Section>, is_private: bool, connections: u32, report: &mut Report) -> usize {
    let most = connections.saturating_sub(1);
    // It has the processors of this machine. With one alone no feed would leave a lead room beside it.
    let processors = || std::thread::available_parallelism().map_or(WRITERS, usize::from).max(2);
    let usual = || if is_private { processors() } else { WRITERS }.min(usize::try_from(most).unwrap_or(WRITERS));
    section.and_then(|section| section.whole("writers", &(1..=most.into()), report)).unwrap_or_else(usual)
}

/// The variables that take the place of what the file says.
const VARIABLE: &str = "DATABASE_URL";
const FILE_VARIABLE: &str = "DATABASE_URL_FILE";

fn of_environment(environment: &Environment, report: &mut Report) -> Option<SecretString> {
    match (environment.setting(VARIABLE), environment.setting(FILE_VARIABLE)) {
        (Some(_), Some(_)) => {
            let message = format!("`{VARIABLE}` is set as well; keep one of the two");
            report.problem_in_environment(FILE_VARIABLE, message);
            None
        }
        (Some(url), None) => {
            looked_at(&url, &Place::Environment(VARIABLE), "", report);
            Some(SecretString::from(url))
        }
        (None, Some(path)) => {
            // The file's folder has no say in what the environment names.
            let path = std::path::absolute(&path).unwrap_or_else(|_cause| PathBuf::from(path));
            of_source(&SecretSource::File(path), &Place::Environment(FILE_VARIABLE), environment, report)
        }
        (None, None) => None,
    }
}

/// The address that the file names; not looked up where the environment takes its place.
fn of_file(section: &Section, base: &Path, env: &Environment, report: &mut Report) -> Option<SecretString> {
    let is_replaced = env.setting(VARIABLE).is_some() || env.setting(FILE_VARIABLE).is_some();
    match written(section, ["url", "url_env", "url_file"], base, report)? {
        (_, NamedAddress::Here(url)) => Some(url),
        (span, NamedAddress::In(source)) if !is_replaced => of_source(&source, &Place::File(span), env, report),
        (_, NamedAddress::In(_)) => None,
    }
}

/// The owner's address, or where it stands.
fn of_owner(section: &Section, base: &Path, report: &mut Report) -> Option<NamedAddress> {
    let keys = ["migrations_url", "migrations_url_env", "migrations_url_file"];
    written(section, keys, base, report).map(|(_, address)| address)
}

/// What the file says of an address by one of three keys: itself, a variable or a file.
fn written(
    section: &Section,
    keys: [&'static str; 3],
    base: &Path,
    report: &mut Report,
) -> Option<(Range<usize>, NamedAddress)> {
    let [here, in_variable, in_file] = keys;
    let url = section.text(here, "\"postgres://forecourt@localhost/forecourt\"", report);
    let variable = section.text(in_variable, "\"FORECOURT_DATABASE_URL\"", report);
    let file = section.text(in_file, "\"/run/secrets/database_url\"", report);
    let given = [&url, &variable, &file].into_iter().flatten().count();
    if given > 1 {
        let message = format!(
            "[database] names its address more than once; keep one of `{here}`, `{in_variable}` and `{in_file}`"
        );
        report.problem(&section.span(), message);
        return None;
    }
    if let Some(url) = url {
        let place = Place::File(url.span());
        if holds_password(url.get_ref()) {
            report.problem_at(&place, password_in_file(keys));
        } else {
            looked_at(url.get_ref(), &place, "", report);
        }
        return Some((url.span(), NamedAddress::Here(SecretString::from(*url.get_ref()))));
    }
    match (variable, file) {
        (Some(name), _) => Some((name.span(), NamedAddress::In(SecretSource::variable(name.get_ref())))),
        (None, Some(path)) => Some((path.span(), NamedAddress::In(SecretSource::file(base, path.get_ref())))),
        (None, None) => None,
    }
}

/// The address that stands somewhere else, which what is said of it names.
fn of_source(source: &SecretSource, place: &Place, env: &Environment, report: &mut Report) -> Option<SecretString> {
    if let SecretSource::File(path) = source {
        report.used(path);
    }
    let found = source.read(env).map_err(|error| report.problem_at(place, error.to_string())).ok()?;
    let url = found.expose_secret().trim();
    looked_at(url, place, &format!("{source}: "), report);
    Some(SecretString::from(url))
}

/// Reports what is wrong with an address: a start reads it by the same function.
fn looked_at(url: &str, place: &Place, source: &str, report: &mut Report) {
    match address::read(url) {
        Ok(ReadAddress { options: _, errors, warnings }) => {
            for error in errors {
                report.error_at(place, format!("{source}{error}"));
            }
            for warning in warnings {
                report.warning_at(place, format!("{source}{warning}"));
            }
        }
        Err(error) => report.problem_at(place, format!("{source}{error}")),
    }
}

fn password_in_file([here, in_variable, in_file]: [&str; 3]) -> String {
    let or_the_usual = if here == "url" { ", or DATABASE_URL" } else { "" };
    format!(
        "`{here}` holds a password, and a secret does not stand in this file; put the whole address into an environment \
         variable (`{in_variable} = \"NAME\"`{or_the_usual}) or a file (`{in_file} = \"path\"`)"
    )
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
