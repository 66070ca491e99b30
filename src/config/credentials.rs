//! `[[credentials]]`: who may post to which feeds, for which workspaces.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use crate::domain::feed::Feed;
use crate::domain::workspace::{Permitted, Slug};

use super::context::Context;
use super::report::{Report, Span, quoted, suggestion};
use super::scheme::{self, Scheme};
use super::secret::SecretSource;
use super::section::{Section, Text, tables};

/// One credential of the configuration.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name in the configuration, in logs and in `deliveries.credential`.
    pub name: String,
    /// How it is shown at the door.
    pub scheme: Scheme,
    /// Where its secret stands; nowhere for an open one.
    pub secret: Option<SecretSource>,
    /// The feeds it may post to; at least one.
    pub feeds: BTreeSet<Feed>,
    /// The workspaces it may write to.
    pub permitted: Permitted,
    /// From when on it lets nobody in; `None` for never.
    pub not_after: Option<DateTime<Utc>>,
}

pub(super) const KEYS: &[&str] =
    &["name", "scheme", "feeds", "workspaces", "secret_env", "secret_file", "user", "client_id", "not_after"];

impl Credential {
    /// Whether it still lets anyone in.
    #[must_use]
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

/// Reads every `[[credentials]]`.
pub(super) fn read(root: &Section, context: &Context, report: &mut Report) -> Vec<Credential> {
    if root.value("credentials").is_none() && !root.misspells("credentials") {
        let message = "there are no credentials, so nobody could post; write `[[credentials]]` with a `name`";
        report.problem(&root.span(), message);
    }
    let mut names = BTreeMap::new();
    let mut read: Vec<Credential> = Vec::new();
    for entry in tables(root, "credentials", report) {
        let Some(section) = Section::open_value("[[credentials]]", entry, KEYS, report) else { continue };
        let Some(credential) = credential(&section, &mut names, context, report) else { continue };
        if let Some(other) = read.iter().find(|other| indistinguishable(other, &credential)) {
            let message =
                format!("it cannot be told from the credential `{}`; give it a secret of its own", other.name);
            report.problem(&section.span(), message);
        }
        if let Some(message) = read.iter().find_map(|other| same_client_elsewhere(other, &credential)) {
            report.error(&section.span(), message);
        }
        read.push(credential);
    }
    read
}

fn credential<'a>(
    section: &Section<'a>,
    names: &mut BTreeMap<&'a str, Span>,
    context: &Context,
    report: &mut Report,
) -> Option<Credential> {
    let name = name(section, names, report);
    let scheme = scheme::read(section, context, name, report);
    let feeds = feeds(section, report);
    let permitted = permitted(section, context, report);
    let not_after = section.time("not_after", report);
    let (name, scheme, feeds) = (name?, scheme?, feeds?);
    if matches!(scheme, Scheme::LeadproJwt(_)) && feeds != BTreeSet::from([Feed::LeadPro]) {
        let message = "only LeadPro posts signed tokens that are their own payload; write `feeds = [\"leadpro_lead\"]`";
        report.problem(&section.span_of("feeds"), message);
    }
    if matches!(scheme, Scheme::Open) {
        let doors = quoted(feeds.iter().map(|feed| feed.name()));
        let message = format!("credential `{name}` is open: whoever reaches the service may post to {doors}");
        report.warning(&section.span(), message);
    }
    let permitted = permitted?;
    report_ambiguity(section, name, &feeds, &permitted, context, report);
    let secret = scheme::secret_source(section, context.base);
    Some(Credential { name: name.to_owned(), scheme, secret, feeds, permitted, not_after })
}

/// A feed whose payloads name no dealership needs a credential of one workspace. Who named the feed has meant it; of
/// `"all"` it is only a part, which is told as advice. Such a credential was taken before, and so it stops no start.
fn report_ambiguity(
    section: &Section,
    name: &str,
    feeds: &BTreeSet<Feed>,
    permitted: &Permitted,
    context: &Context,
    report: &mut Report,
) {
    let is_named = section.value("feeds").is_some_and(|value| value.get_ref().is_array());
    let nameless: Vec<&str> =
        feeds.iter().filter(|feed| feed.dealership_path().is_none()).map(|feed| feed.name()).collect();
    let workspaces = context.slugs.iter().filter(|slug| permitted.includes(slug)).count();
    if is_named && !nameless.is_empty() && workspaces > 1 {
        let message = format!(
            "credential `{name}` may write to {workspaces} workspaces, and deliveries of {} do not say for which they \
            are, so they will be rejected; give it one workspace",
            quoted(nameless)
        );
        report.error(&section.span(), message);
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

fn feeds(section: &Section, report: &mut Report) -> Option<BTreeSet<Feed>> {
    let known = || Feed::ALL.iter().map(|feed| feed.name());
    let names = match names(section, "feeds", "[\"lead\", \"lead_cluster\", \"inventory\"]", report)? {
        Names::All => return Some(Feed::ALL.iter().copied().collect()),
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
    Some(feeds)
}

fn permitted(section: &Section, context: &Context, report: &mut Report) -> Option<Permitted> {
    let names = match names(section, "workspaces", "[\"dealer-a\"]", report)? {
        Names::All => return Some(Permitted::All),
        Names::These(names) => names,
    };
    let mut slugs: BTreeSet<Slug> = BTreeSet::new();
    for text in &names {
        let name = *text.get_ref();
        // Where there are no workspaces at all, that is what is wrong, and it is said once.
        if !context.slugs.contains(&name) && !context.slugs.is_empty() {
            let near = suggestion(name, context.slugs.iter().copied());
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

/// What is wrong with two credentials of one OAuth client that have different workspaces. Each goes on working, and where
/// one ends the other cannot take over its tokens.
fn same_client_elsewhere(one: &Credential, other: &Credential) -> Option<String> {
    let (Scheme::OauthClient { client_id, .. }, Scheme::OauthClient { client_id: same, .. }) =
        (&one.scheme, &other.scheme)
    else {
        return None;
    };
    (client_id == same && one.permitted != other.permitted).then(|| {
        format!(
            "credential `{}` has the client id `{client_id}` of credential `{}` and other workspaces, so that the tokens of \
             one are refused where only the other may write; give it a `client_id` of its own, or write the same \
             `workspaces` in both",
            other.name, one.name
        )
    })
}

/// Whether the door could not tell which of two credentials was shown.
fn indistinguishable(one: &Credential, other: &Credential) -> bool {
    let same = match (&one.scheme, &other.scheme) {
        (Scheme::Bearer(a), Scheme::Bearer(b)) | (Scheme::ApiKey(a), Scheme::ApiKey(b)) => {
            a.expose_secret() == b.expose_secret()
        }
        (Scheme::Basic { user: a, password: x }, Scheme::Basic { user: b, password: y })
        | (Scheme::OauthClient { client_id: a, secret: x }, Scheme::OauthClient { client_id: b, secret: y }) => {
            a == b && x.expose_secret() == y.expose_secret()
        }
        (Scheme::LeadproJwt(a), Scheme::LeadproJwt(b)) => a.expose_secret() == b.expose_secret(),
        (Scheme::Open, Scheme::Open) => true,
        (
            Scheme::Bearer(_)
            | Scheme::ApiKey(_)
            | Scheme::Basic { .. }
            | Scheme::OauthClient { .. }
            | Scheme::LeadproJwt(_)
            | Scheme::Open,
            _,
        ) => false,
    };
    same && one.feeds.iter().any(|feed| other.feeds.contains(feed))
}
