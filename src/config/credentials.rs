//! `[[credentials]]`: who may post to which feeds, for which workspaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use crate::domain::workspace::{Permitted, Slug};
use crate::feeds::Feed;

use super::environment::Environment;
use super::report::{Report, Span, quoted, suggestion};
use super::scheme::{self, SchemeConfig};
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
    /// From when on it lets nobody in; `None` for never.
    pub not_after: Option<DateTime<Utc>>,
}

pub(super) const KEYS: &[&str] =
    &["name", "scheme", "feeds", "workspaces", "secret_env", "secret_file", "user", "client_id", "not_after"];

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
    let scheme = scheme::read(section, around, name, report);
    let feeds = feeds(section, report);
    let permitted = permitted(section, around, report);
    let not_after = section.time("not_after", report);
    let (name, scheme, feeds) = (name?, scheme?, feeds?);
    if matches!(scheme, SchemeConfig::LeadproJwt(_)) && feeds != [Feed::LeadPro] {
        let message = "only LeadPro posts signed tokens that are their own payload; write `feeds = [\"leadpro_lead\"]`";
        report.problem(&section.span_of("feeds"), message);
    }
    if matches!(scheme, SchemeConfig::Open) {
        let doors = quoted(feeds.iter().map(|feed| feed.name()));
        let message = format!("credential `{name}` is open: whoever reaches the service may post to {doors}");
        report.warning(&section.span(), message);
    }
    let permitted = permitted?;
    warn_of_ambiguity(section, name, &feeds, &permitted, around, report);
    Some(CredentialConfig { name: name.to_owned(), scheme, feeds, permitted, not_after })
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
        (
            SchemeConfig::OauthClient { client_id: a, secret: x },
            SchemeConfig::OauthClient { client_id: b, secret: y },
        ) => a == b && x.expose_secret() == y.expose_secret(),
        (SchemeConfig::LeadproJwt(a), SchemeConfig::LeadproJwt(b)) => a.expose_secret() == b.expose_secret(),
        (SchemeConfig::Open, SchemeConfig::Open) => true,
        (
            SchemeConfig::Bearer(_)
            | SchemeConfig::ApiKey(_)
            | SchemeConfig::Basic { .. }
            | SchemeConfig::OauthClient { .. }
            | SchemeConfig::LeadproJwt(_)
            | SchemeConfig::Open,
            _,
        ) => false,
    };
    same && one.feeds.iter().any(|feed| other.feeds.contains(feed))
}
