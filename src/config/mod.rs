//! `forecourt.toml` and the environment, parsed once into types.
//!
//! The file is read key by key, so that every mistake is found in one go and shown with its place. What is read is
//! checked against itself: names are unique, credentials name workspaces that exist, secrets can be read.

mod admin;
mod advice;
mod alerts;
mod budgets;
mod context;
mod credentials;
mod database;
pub mod demo;
pub mod duration;
mod environment;
mod erasure;
mod expect;
pub mod keyring;
mod log;
mod oauth;
mod proxies;
mod public_url;
mod rejected;
mod report;
mod retention;
mod scheme;
mod secret;
mod section;
mod server;
mod spool;
mod text;
mod workspaces;
mod zones;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use crate::domain::retention::Retention;
use crate::domain::workspace::Workspace;

pub use admin::{Admin, ConsoleLogin};
pub use alerts::{AlertKey, AlertUrl, Alerts};
pub use budgets::{Budgets, DECODER};
pub use credentials::Credential;
pub use database::{Database, NamedAddress};
pub use environment::Environment;
pub use erasure::Erasure;
pub use log::{Log, LogFormat};
pub use oauth::Oauth;
pub use proxies::{ForwardedHeader, Proxies};
pub use public_url::PublicUrl;
pub use rejected::Rejected;
pub use report::{Problem, Problems};
pub use scheme::Scheme;
pub use secret::{SecretError, SecretSource};
pub use server::{Server, reachable};
pub use spool::Spool;
pub use text::NotText;

use report::{Concluded, Header, Report};
use section::Section;

/// Everything that a start needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it came from.
    pub origin: Origin,
    /// The service itself.
    pub server: Server,
    /// The admin listener, where there is one.
    pub admin: Option<Admin>,
    /// The database.
    pub database: Database,
    /// What is kept of requests without a valid credential.
    pub rejected: Rejected,
    /// How long what arrived is kept.
    pub retention: Retention,
    /// The spool.
    pub spool: Spool,
    /// The workspaces; at least one.
    pub workspaces: Vec<Workspace>,
    /// The credentials; at least one. Secrets are in memory only.
    pub credentials: Vec<Credential>,
    /// How the access tokens of OAuth clients are signed.
    pub oauth: Oauth,
    /// How erasures are known again.
    pub erasure: Erasure,
    /// Where it is posted that a sender has fallen silent, if anywhere.
    pub alerts: Option<Alerts>,
    /// Which log lines are written, and in which form.
    pub log: Log,
    /// What is wrong and stops no start, one sentence each, with its place. To be logged as errors at every start and
    /// reload, and what `forecourt check` fails for.
    pub errors: Vec<String>,
    /// What a person should look at, one sentence each, with its place. To be logged at every start.
    pub warnings: Vec<String>,
    /// What may be meant so, and may have been forgotten, one sentence each, with its place. Only `forecourt check` tells it.
    pub advice: Vec<String>,
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

/// Where the file is looked for where nobody names one: in the working directory, then where the system keeps such files.
const PLACES: [&str; 2] = ["forecourt.toml", "/etc/forecourt/forecourt.toml"];
const KEYS: &[&str] = &[
    "server",
    "admin",
    "database",
    "spool",
    "rejected",
    "retention",
    "oauth",
    "erasure",
    "alerts",
    "workspaces",
    "credentials",
];
/// The tables of the file.
const HEADERS: &[Header] = &[
    ("[server]", server::KEYS),
    ("[database]", database::KEYS),
    ("[spool]", spool::KEYS),
    ("[rejected]", rejected::KEYS),
    ("[retention]", retention::KEYS),
    ("[oauth]", oauth::KEYS),
    ("[erasure]", erasure::KEYS),
    ("[alerts]", alerts::KEYS),
    ("[[workspaces]]", workspaces::KEYS),
    ("[[credentials]]", credentials::KEYS),
    ("[admin]", admin::KEYS),
];

/// Reads the configuration: the file that was asked for, else that of `FORECOURT_CONFIG`, else `forecourt.toml` in the
/// working directory, else `/etc/forecourt/forecourt.toml`, else the demo configuration, whose token is made here when there
/// is none yet. Touches nothing else.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub fn load(config_path: Option<&Path>, environment: &Environment) -> Result<Config, Problems> {
    match read_file(config_path, environment, &PLACES)? {
        Some((path, text)) => parse_file(&path, &text, environment),
        None => demo(environment),
    }
}

/// The file, with its text; none where nobody named one and none of the places has one.
fn read_file<P: AsRef<Path>>(
    config_path: Option<&Path>,
    environment: &Environment,
    places: &[P],
) -> Result<Option<(PathBuf, String)>, Problems> {
    let named =
        config_path.map(Path::to_path_buf).or_else(|| environment.setting("FORECOURT_CONFIG").map(PathBuf::from));
    let is_named = named.is_some();
    let candidates =
        named.map_or_else(|| places.iter().map(|place| place.as_ref().to_path_buf()).collect(), |one| vec![one]);
    for path in candidates {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if !is_named && error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&path, &error)),
        };
        let text = text::text(bytes).map_err(|reason| {
            let message = format!("the configuration file {reason}; save it as UTF-8");
            Problems::of(path.display().to_string(), message)
        })?;
        return Ok(Some((path, text)));
    }
    Ok(None)
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
    let Some((path, text)) = read_file(config_path, environment, &PLACES)? else { return Ok(server::DEFAULT_LISTEN) };
    let mut report = Report::about(path.display().to_string(), &text);
    let listen = table_of(&text, &mut report).and_then(|root| {
        let Some(value) = root.get_ref().get("server").and_then(|server| server.get_ref().get("listen")) else {
            return Some(server::DEFAULT_LISTEN);
        };
        let written = value.get_ref().as_str().unwrap_or_else(|| text.get(value.span()).unwrap_or_default());
        let address = written.trim().parse().ok();
        if address.is_none() {
            report.problem(&value.span(), server::not_an_address(written));
        }
        address
    });
    report.conclude(listen).map(|concluded| concluded.read)
}

/// The file as a table. Of a text that is no TOML only the mistake that stands first is told: what follows it is read as what
/// it is not.
fn table_of<'t>(text: &'t str, report: &mut Report) -> Option<Spanned<DeTable<'t>>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let start = |error: &toml::de::Error| error.span().map_or(usize::MAX, |span| span.start);
    let Some(first) = errors.iter().min_by_key(|error| start(error)) else { return Some(root) };
    let message = format!("this is not TOML: {}", first.message().replace('\n', "; "));
    report.problem(&first.span().unwrap_or_default(), message);
    None
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
    demo::ensure_secrets(&base)?;
    let input = Input { origin: Origin::Demo, name: demo::NAME.to_owned(), base };
    let mut config = parse(demo::TEXT, input, environment)?;
    // Nobody has asked for it there: where its address is taken, the rest goes on.
    config
        .admin
        .iter_mut()
        .for_each(|admin| admin.is_optional = environment.setting("FORECOURT_ADMIN_LISTEN").is_none());
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
    let mut report = Report::about(name, text).with_headers(HEADERS);
    if let Origin::File(path) = &origin {
        report.used(path);
    }
    let Some(root) = table_of(text, &mut report) else {
        return report.conclude(None).map(|concluded| concluded.read);
    };
    let root = Section::open("the file", 0..0, root.get_ref(), KEYS, &mut report);
    let server = server::open(&root, &mut report);
    let server = server::read(server.as_ref(), &base, environment, &mut report);
    let doors = server.as_ref().map(|server| server.listen);
    let context = context::Context { environment, base: &base, slugs: workspaces::slugs(&root) };
    let admin = admin::read(&root, &context, doors, &mut report);
    let database = database::open(&root, &mut report);
    let database = database::read(database.as_ref(), &base, environment, &mut report);
    let (rejected, former_days) = rejected::read(&root, &mut report);
    let retention = retention::read(&root, former_days.as_ref(), &mut report);
    let spool = spool::open(&root, &mut report);
    let spool = spool::read(spool.as_ref(), &mut report);
    let workspaces = workspaces::read(&root, &mut report);
    let credentials = credentials::read(&root, &context, &mut report);
    let oauth = oauth::read(&root, &base, environment, &mut report);
    let erasure = erasure::read(&root, &base, environment, &mut report);
    let alerts = alerts::read(&root, &context, &mut report);
    let log = log::read(environment, &mut report);
    if matches!(origin, Origin::File(_)) {
        advice::give(&root, &workspaces, &credentials, &mut report);
    }
    let config = server.map(|server| Config {
        origin,
        server,
        admin,
        database,
        rejected,
        retention,
        spool,
        workspaces,
        credentials,
        oauth,
        erasure,
        alerts,
        log,
        errors: Vec::new(),
        warnings: Vec::new(),
        advice: Vec::new(),
        files: Vec::new(),
    });
    let Concluded { read, errors, warnings, advice, files } = report.conclude(config)?;
    Ok(Config { errors, warnings, advice, files, ..read })
}

#[cfg(test)]
mod tests;
