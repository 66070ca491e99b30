//! `[[credentials]]`: who may post to which feeds, for which workspaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::workspace::{Permitted, Slug};
use crate::feeds::Feed;

use super::environment::Environment;
use super::report::{Report, Span, quoted, suggestion};
use super::secret::SecretSource;
use super::section::{Section, Text, tables};

/// One credential of the configuration.
#[derive(Clone, Debug)]
pub struct CredentialConfig {
    /// Its name in the configuration, in logs and in `deliveries.credential`.
    pub name: String,
    /// How it is shown at the door.
    pub scheme: SchemeConfig,
    /// The feeds it may post to; at least one.
    pub feeds: Vec<Feed>,
    /// The workspaces it may write to.
    pub permitted: Permitted,
}

/// How a credential is shown, with its secret.
#[derive(Clone, Debug)]
pub enum SchemeConfig {
    /// `Authorization: Bearer <secret>`.
    Bearer(SecretString),
    /// One of the API key headers.
    ApiKey(SecretString),
    /// `Authorization: Basic <base64 of user:password>`.
    Basic {
        /// The user; holds no colon.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// Nothing is asked.
    Open,
}

impl SchemeConfig {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::ApiKey(_) => "api_key",
            Self::Basic { .. } => "basic",
            Self::Open => "open",
        }
    }
}

const SCHEMES: &[&str] = &["bearer", "api_key", "basic", "open"];
pub(super) const KEYS: &[&str] = &["name", "scheme", "feeds", "workspaces", "secret_env", "secret_file", "user"];

/// What credentials are read against.
pub(super) struct Surroundings<'s> {
    /// Where secrets are looked up.
    pub(super) environment: &'s Environment,
    /// The folder that relative paths start from.
    pub(super) base: &'s Path,
    /// The slugs of the workspaces there are.
    pub(super) slugs: Vec<&'s str>,
}

/// Reads every `[[credentials]]`.
pub(super) fn read(root: &Section, around: &Surroundings, report: &mut Report) -> Vec<CredentialConfig> {
    if root.value("credentials").is_none() {
        let message = "there are no credentials, so nobody could post; write `[[credentials]]` with a `name`";
        report.problem(&root.span(), message);
    }
    let mut names = BTreeMap::new();
    let mut read: Vec<CredentialConfig> = Vec::new();
    for entry in tables(root, "credentials", report) {
        let Some(section) = Section::open_value("[[credentials]]", entry, KEYS, report) else { continue };
        let Some(credential) = credential(&section, &mut names, around, report) else { continue };
        if let Some(other) = read.iter().find(|other| indistinguishable(other, &credential)) {
            let message =
                format!("it cannot be told from the credential `{}`; give it a secret of its own", other.name);
            report.problem(&section.span(), message);
        }
        read.push(credential);
    }
    read
}

fn credential<'a>(
    section: &Section<'a>,
    names: &mut BTreeMap<&'a str, Span>,
    around: &Surroundings,
    report: &mut Report,
) -> Option<CredentialConfig> {
    let name = name(section, names, report);
    let scheme = scheme(section, around, report);
    let feeds = feeds(section, report);
    let permitted = permitted(section, around, report);
    let (name, scheme, feeds) = (name?, scheme?, feeds?);
    if matches!(scheme, SchemeConfig::Open) {
        let doors = quoted(feeds.iter().map(|feed| feed.name()));
        let message = format!("credential `{name}` is open: whoever reaches the service may post to {doors}");
        report.warning(&section.span(), message);
    }
    let permitted = permitted?;
    warn_of_ambiguity(section, name, &feeds, &permitted, around, report);
    Some(CredentialConfig { name: name.to_owned(), scheme, feeds, permitted })
}

/// A feed whose payloads name no dealership needs a credential of one workspace. Who named the feed has meant it; of
/// `"all"` it is only a part.
fn warn_of_ambiguity(
    section: &Section,
    name: &str,
    feeds: &[Feed],
    permitted: &Permitted,
    around: &Surroundings,
    report: &mut Report,
) {
    let is_named = section.value("feeds").is_some_and(|value| value.get_ref().is_array());
    let nameless: Vec<&str> =
        feeds.iter().filter(|feed| feed.dealership_path().is_none()).map(|feed| feed.name()).collect();
    let workspaces = around.slugs.iter().filter(|slug| permitted.includes(slug)).count();
    if is_named && !nameless.is_empty() && workspaces > 1 {
        let message = format!(
            "credential `{name}` may write to {workspaces} workspaces, and deliveries of {} do not say for which they \
            are, so they will be rejected; give it one workspace",
            quoted(nameless)
        );
        report.warning(&section.span(), message);
    }
}

fn name<'a>(section: &Section<'a>, names: &mut BTreeMap<&'a str, Span>, report: &mut Report) -> Option<&'a str> {
    let text = section.required_text("name", "\"dealer-studio\"", report)?;
    let name = *text.get_ref();
    if let Some(first) = names.get(name) {
        let line = report.line(first);
        let message = format!("the credential `{name}` stands in line {line} already; give each its own name");
        report.problem(&text.span(), message);
    } else {
        names.insert(name, text.span());
    }
    Some(name)
}

fn scheme(section: &Section, around: &Surroundings, report: &mut Report) -> Option<SchemeConfig> {
    let scheme = section.required_text("scheme", "\"bearer\"", report);
    let user = section.text("user", "\"dealer-studio\"", report);
    let named = named_secret(section, around.base, report);
    let scheme = scheme?;
    if let ("bearer" | "api_key" | "open", Some(user)) = (*scheme.get_ref(), &user) {
        report
            .problem(&user.span(), "`user` belongs to the scheme `basic`; leave it out, or write `scheme = \"basic\"`");
    }
    match *scheme.get_ref() {
        "bearer" => header_secret(section, named, around, report).map(SchemeConfig::Bearer),
        "api_key" => header_secret(section, named, around, report).map(SchemeConfig::ApiKey),
        "basic" => {
            let user = basic_user(section, user.as_ref(), report);
            let password = secret(section, named.as_ref(), around, report);
            Some(SchemeConfig::Basic { user: user?, password: password? })
        }
        "open" => {
            if let Some(Named { span, .. }) = named {
                report.problem(&span, "an open credential asks for no secret; leave it out, or choose another scheme");
            }
            Some(SchemeConfig::Open)
        }
        unknown => {
            let near = suggestion(unknown, SCHEMES.iter().copied());
            let near = if near.is_empty() { ";" } else { &near };
            let known = quoted(SCHEMES.iter().copied());
            report.problem(&scheme.span(), format!("unknown scheme `{unknown}`{near} write one of {known}"));
            None
        }
    }
}

fn basic_user(section: &Section, user: Option<&Text>, report: &mut Report) -> Option<String> {
    let Some(user) = user else {
        if section.value("user").is_none() {
            report.problem(&section.span(), "a `basic` credential has a user; write `user = \"dealer-studio\"`");
        }
        return None;
    };
    if user.get_ref().contains(':') {
        report.problem(&user.span(), "the user of a `basic` credential cannot hold a colon; write one without");
    }
    Some((*user.get_ref()).to_owned())
}

/// Where the file says that the secret stands, and the place of that line.
struct Named {
    span: Span,
    source: SecretSource,
}

fn named_secret(section: &Section, base: &Path, report: &mut Report) -> Option<Named> {
    let variable = section.text("secret_env", "\"DEALER_STUDIO_TOKEN\"", report);
    let file = section.text("secret_file", "\"/run/secrets/dealer_studio\"", report);
    if let (Some(_), Some(file)) = (&variable, &file) {
        report.problem(&file.span(), "the secret is named twice; keep one of `secret_env` and `secret_file`");
    }
    let of_variable = |name: Text| Named { span: name.span(), source: SecretSource::variable(name.get_ref()) };
    let of_file = |path: Text| Named { span: path.span(), source: SecretSource::file(base, path.get_ref()) };
    variable.map(of_variable).or(file.map(of_file))
}

/// Reads the secret that the file names, or reports why it cannot be had.
fn secret(
    section: &Section,
    named: Option<&Named>,
    around: &Surroundings,
    report: &mut Report,
) -> Option<SecretString> {
    let Some(Named { span, source }) = named else {
        let reported_already = ["secret_env", "secret_file", "secret", "password", "token"];
        if reported_already.iter().all(|key| section.value(key).is_none()) {
            let message = "the credential has no secret; write `secret_env = \"NAME\"` or `secret_file = \"path\"`";
            report.problem(&section.span(), message);
        }
        return None;
    };
    if let Some(exposed) = source.exposed() {
        report.warning(span, exposed);
    }
    source.read(around.environment).map_err(|error| report.problem(span, error.to_string())).ok()
}

/// A secret that is sent as it is in a header, and so must be fit to stand in one.
fn header_secret(
    section: &Section,
    named: Option<Named>,
    around: &Surroundings,
    report: &mut Report,
) -> Option<SecretString> {
    let secret = secret(section, named.as_ref(), around, report)?;
    let text = secret.expose_secret();
    if text.trim() != text || text.contains(char::is_control) {
        let span = named.map_or_else(|| section.span(), |named| named.span);
        let message = "the secret begins or ends with a space or holds a control character, so no header can carry \
            it; make one of letters and digits";
        report.problem(&span, message);
    }
    Some(secret)
}

fn feeds(section: &Section, report: &mut Report) -> Option<Vec<Feed>> {
    let known = || Feed::ALL.iter().map(|feed| feed.name());
    let names = match names(section, "feeds", "[\"lead\", \"lead_cluster\", \"inventory\"]", report)? {
        Names::All => return Some(Feed::ALL.to_vec()),
        Names::These(names) => names,
    };
    let mut feeds = BTreeSet::new();
    for text in &names {
        let name = *text.get_ref();
        if let Some(feed) = Feed::named(name) {
            feeds.insert(feed);
        } else {
            let near = suggestion(name, known());
            let near = if near.is_empty() { ";" } else { &near };
            report.problem(&text.span(), format!("unknown feed `{name}`{near} write some of {}", quoted(known())));
        }
    }
    Some(feeds.into_iter().collect())
}

fn permitted(section: &Section, around: &Surroundings, report: &mut Report) -> Option<Permitted> {
    let names = match names(section, "workspaces", "[\"dealer-a\"]", report)? {
        Names::All => return Some(Permitted::All),
        Names::These(names) => names,
    };
    let mut slugs: BTreeSet<Slug> = BTreeSet::new();
    for text in &names {
        let name = *text.get_ref();
        if !around.slugs.contains(&name) {
            let near = suggestion(name, around.slugs.iter().copied());
            let near = if near.is_empty() { "; write the `slug` of one of the `[[workspaces]]`" } else { &near };
            report.problem(&text.span(), format!("unknown workspace `{name}`{near}"));
        }
        slugs.insert(name.to_owned());
    }
    Some(Permitted::Only(slugs))
}

/// What a credential is for.
enum Names<'a> {
    All,
    These(Vec<Text<'a>>),
}

/// Reads `"all"` or a list of names, which must not be empty.
fn names<'a>(section: &Section<'a>, key: &str, example: &str, report: &mut Report) -> Option<Names<'a>> {
    let instead = format!("write `{key} = {example}` or `{key} = \"all\"`");
    let Some(value) = section.value(key) else {
        report.problem(&section.span(), format!("the credential has no `{key}`; {instead}"));
        return None;
    };
    if value.get_ref().as_str() == Some("all") {
        return Some(Names::All);
    }
    if value.get_ref().as_array().is_some_and(|entries| !entries.is_empty()) {
        return Some(Names::These(section.texts(key, example, report)));
    }
    report.problem(&value.span(), format!("`{key}` is neither a list of names nor \"all\"; {instead}"));
    None
}

/// Whether the door could not tell which of two credentials was shown.
fn indistinguishable(one: &CredentialConfig, other: &CredentialConfig) -> bool {
    let same = match (&one.scheme, &other.scheme) {
        (SchemeConfig::Bearer(a), SchemeConfig::Bearer(b)) | (SchemeConfig::ApiKey(a), SchemeConfig::ApiKey(b)) => {
            a.expose_secret() == b.expose_secret()
        }
        (SchemeConfig::Basic { user: a, password: x }, SchemeConfig::Basic { user: b, password: y }) => {
            a == b && x.expose_secret() == y.expose_secret()
        }
        (SchemeConfig::Open, SchemeConfig::Open) => true,
        (SchemeConfig::Bearer(_) | SchemeConfig::ApiKey(_) | SchemeConfig::Basic { .. } | SchemeConfig::Open, _) => {
            false
        }
    };
    same && one.feeds.iter().any(|feed| other.feeds.contains(feed))
}
