//! `forecourt.toml` and the environment, parsed once into types.
//!
//! The file is read key by key, so that every mistake is found in one go and shown with its place. What is read is
//! checked against itself: names are unique, credentials name workspaces that exist, secrets can be read.

mod budgets;
mod context;
mod credentials;
mod database;
pub mod demo;
mod environment;
pub mod keyring;
mod oauth;
mod proxies;
mod rejected;
mod report;
mod scheme;
mod secret;
mod section;
mod server;
mod spool;
mod text;
mod workspaces;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::domain::workspace::Workspace;

pub use budgets::{Budgets, DECODER};
pub use credentials::Credential;
pub use database::Database;
pub use environment::Environment;
pub use oauth::Oauth;
pub use proxies::{ForwardedHeader, Proxies};
pub use rejected::Rejected;
pub use report::{Problem, Problems};
pub use scheme::Scheme;
pub use secret::{SecretError, SecretSource};
pub use server::{Server, reachable, reachable_address};
pub use spool::Spool;
pub use text::NotText;

use report::{Concluded, Report};
use section::Section;

/// Everything that a start needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it came from.
    pub origin: Origin,
    /// The service itself.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// What is kept of requests without a valid credential.
    pub rejected: Rejected,
    /// The spool.
    pub spool: Spool,
    /// The workspaces; at least one.
    pub workspaces: Vec<Workspace>,
    /// The credentials; at least one. Secrets are in memory only.
    pub credentials: Vec<Credential>,
    /// How the access tokens of OAuth clients are signed.
    pub oauth: Oauth,
    /// Which log lines are written, in the syntax of `RUST_LOG`; `info` by default.
    pub log_filter: String,
    /// What is wrong and stops no start, one sentence each, with its place. To be logged as errors at every start and
    /// reload, and what `forecourt check` fails for.
    pub errors: Vec<String>,
    /// What a person should look at, one sentence each, with its place. To be logged at every start.
    pub warnings: Vec<String>,
    /// The files it was read from: the configuration's own first, then those of the secrets.
    pub files: Vec<PathBuf>,
}

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From this file.
    File(PathBuf),
    /// There was no file: the built-in demo configuration.
    Demo,
}

const FILE: &str = "forecourt.toml";
const KEYS: &[&str] = &["server", "database", "spool", "rejected", "oauth", "workspaces", "credentials"];

/// Reads the configuration: the file that was asked for, else that of `FORECOURT_CONFIG`, else `forecourt.toml` in the
/// working directory, else the demo configuration, whose token is made here when there is none yet. Touches nothing else.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub fn load(config_path: Option<&Path>, environment: &Environment) -> Result<Config, Problems> {
    match read_file(config_path, environment)? {
        Some((path, text)) => parse_file(&path, &text, environment),
        None => demo(environment),
    }
}

/// The file, with its text; none where nobody named one and the working directory has none.
fn read_file(config_path: Option<&Path>, environment: &Environment) -> Result<Option<(PathBuf, String)>, Problems> {
    let named =
        config_path.map(Path::to_path_buf).or_else(|| environment.setting("FORECOURT_CONFIG").map(PathBuf::from));
    let path = named.clone().unwrap_or_else(|| PathBuf::from(FILE));
    match std::fs::read(&path) {
        Ok(bytes) => match text::text(bytes) {
            Ok(text) => Ok(Some((path, text))),
            Err(reason) => {
                let message = format!("the configuration file {reason}; save it as UTF-8");
                Err(Problems::of(path.display().to_string(), message))
            }
        },
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problems {
    let message = if error.kind() == io::ErrorKind::NotFound {
        "there is no configuration file here; put one here, or name another with `--config` or FORECOURT_CONFIG"
            .to_owned()
    } else {
        format!("the configuration file cannot be read ({error}); name another with `--config` or FORECOURT_CONFIG")
    };
    Problems::of(path.display().to_string(), message)
}

/// Where the service of a configuration listens. Of the file nothing else is read, so that this is known without
/// secrets, and where something else in it is wrong.
///
/// # Errors
///
/// When the file cannot be read, or what stands there is not an address.
pub fn listen_address(config_path: Option<&Path>, environment: &Environment) -> Result<SocketAddr, Problems> {
    if let Some(text) = environment.setting("FORECOURT_LISTEN") {
        return text.parse().map_err(|_cause| Problems::of("FORECOURT_LISTEN", server::not_an_address(&text)));
    }
    let Some((path, text)) = read_file(config_path, environment)? else { return Ok(server::DEFAULT_LISTEN) };
    let place = || path.display().to_string();
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Problems::of(place(), format!("this is not TOML: {}", error.message().replace('\n', "; ")))
    })?;
    match table.get("server").and_then(|server| server.get("listen")) {
        None => Ok(server::DEFAULT_LISTEN),
        Some(value) => {
            let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            written.parse().map_err(|_cause| Problems::of(place(), server::not_an_address(&written)))
        }
    }
}

fn parse_file(path: &Path, text: &str, environment: &Environment) -> Result<Config, Problems> {
    let place = path.display().to_string();
    let absolute = std::path::absolute(path).map_err(|error| {
        Problems::of(&place, format!("the working directory cannot be told ({error}); name another"))
    })?;
    let base = absolute.parent().unwrap_or(&absolute).to_path_buf();
    parse(text, Input { origin: Origin::File(path.to_path_buf()), name: place, base }, environment)
}

fn demo(environment: &Environment) -> Result<Config, Problems> {
    let token = demo::token_source(environment);
    let Some(SecretSource::File(token)) = token else {
        let message = "no folder is known for the data directory, because HOME is not set; set this variable to one";
        return Err(Problems::of("FORECOURT_DATA_DIR", message));
    };
    let base = token.parent().unwrap_or(&token).to_path_buf();
    demo::ensure_token(&base)?;
    let input = Input { origin: Origin::Demo, name: demo::NAME.to_owned(), base };
    let mut config = parse(demo::TEXT, input, environment)?;
    if config.database.url.is_some() {
        config.warnings.push(demo::OVER_A_DATABASE.to_owned());
    }
    Ok(config)
}

/// What a text is: where it came from, its name in messages, and the folder that its relative paths start from.
struct Input {
    origin: Origin,
    name: String,
    base: PathBuf,
}

fn parse(text: &str, input: Input, environment: &Environment) -> Result<Config, Problems> {
    let Input { origin, name, base } = input;
    let mut report = Report::about(name, text);
    if let Origin::File(path) = &origin {
        report.used(path);
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let message = format!("this is not TOML: {}", error.message().replace('\n', "; "));
            report.problem(&error.span().unwrap_or_default(), message);
        }
        return report.conclude(None).map(|concluded| concluded.read);
    }
    let root = Section::open("the file", 0..0, root.get_ref(), KEYS, &mut report);
    let server = server::open(&root, &mut report);
    let server = server::read(server.as_ref(), &base, environment, &mut report);
    let database = database::open(&root, &mut report);
    let database = database::read(database.as_ref(), &base, environment, &mut report);
    let rejected = rejected::read(&root, &mut report);
    let spool = spool::open(&root, &mut report);
    let spool = spool::read(spool.as_ref(), &mut report);
    let workspaces = workspaces::read(&root, &mut report);
    let slugs = workspaces::slugs(&root);
    let context = context::Context { environment, base: &base, slugs };
    let credentials = credentials::read(&root, &context, &mut report);
    let oauth = oauth::read(&root, &base, environment, &mut report);
    let log_filter = log_filter(environment, &mut report);
    let config = server.map(|server| Config {
        origin,
        server,
        database,
        rejected,
        spool,
        workspaces,
        credentials,
        oauth,
        log_filter,
        errors: Vec::new(),
        warnings: Vec::new(),
        files: Vec::new(),
    });
    let Concluded { read, errors, warnings, files } = report.conclude(config)?;
    Ok(Config { errors, warnings, files, ..read })
}

fn log_filter(environment: &Environment, report: &mut Report) -> String {
    let filter = environment.setting("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        let message = format!("`{filter}` is not a log filter ({error}); write one such as `info,forecourt=debug`");
        report.problem_in_environment("RUST_LOG", message);
    }
    filter
}

#[cfg(test)]
mod tests;
