//! What a configuration that can be used may lack: a person may have meant it so, or may have forgotten it.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use toml::de::DeValue;

use crate::domain::feed::Feed;
use crate::domain::workspace::Workspace;

use super::credentials::Credential;
use super::report::{Report, Span, quoted};
use super::section::{Section, Value};
use super::zones::OF_AMERICA;

/// Shorter secrets can be guessed, or found in a list.
const SECRET_BYTES: usize = 16;

/// Looks at what was read as a whole. Secrets are warned of at every start; the rest is for `check` alone.
pub(super) fn give(root: &Section, workspaces: &[Workspace], credentials: &[Credential], report: &mut Report) {
    secrets(root, credentials, report);
    idle_feeds(root, credentials, report);
    let whole = Whole { root, workspaces, credentials };
    whole.credentials_of_all_feeds(report);
    for workspace in workspaces {
        whole.without_a_way_in(workspace, report);
        whole.without_what_bookings_need(workspace, report);
        whole.odd_zones(workspace, report);
        whole.similar_packages(workspace, report);
        whole.expected_of_nobody(workspace, report);
    }
}

/// What was read, with where it stands.
struct Whole<'w> {
    root: &'w Section<'w>,
    workspaces: &'w [Workspace],
    credentials: &'w [Credential],
}

/// The table of an array of tables that has this name.
fn entry<'a>(root: &Section<'a>, tables: &str, key: &str, name: &str) -> Option<&'a Value<'a>> {
    let DeValue::Array(entries) = root.value(tables)?.get_ref() else { return None };
    entries.iter().find(|entry| {
        let value = entry.get_ref().get(key).and_then(|value| value.get_ref().as_str());
        value.is_some_and(|value| value.trim() == name)
    })
}

fn place_of(root: &Section, tables: &str, key: &str, name: &str) -> Span {
    entry(root, tables, key, name).map_or_else(|| root.span(), Value::span)
}

fn credential_place(root: &Section, credential: &Credential) -> Span {
    place_of(root, "credentials", "name", &credential.name)
}

/// Secrets that are short, and those that two credentials have.
fn secrets(root: &Section, credentials: &[Credential], report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for credential in credentials {
        let Some(secret) = credential.scheme.secret().map(ExposeSecret::expose_secret) else { continue };
        let (name, span) = (credential.name.as_str(), credential_place(root, credential));
        if secret.len() < SECRET_BYTES {
            let message = format!(
                "the secret of credential `{name}` has less than {SECRET_BYTES} characters, so it could be guessed; make one \
                 with `forecourt secret`"
            );
            report.warning(&span, message);
        }
        if let Some(owner) = owners.get(secret) {
            let message = format!(
                "credential `{name}` has the secret of credential `{owner}`, so that whoever knows one can use the other; \
                 give it one of its own"
            );
            report.warning(&span, message);
        } else {
            owners.insert(secret, name);
        }
    }
}

/// Feeds that nobody may post to.
fn idle_feeds(root: &Section, credentials: &[Credential], report: &mut Report) {
    let is_idle = |feed: &&Feed| !credentials.iter().any(|credential| credential.feeds.contains(feed));
    let idle: Vec<&str> = Feed::ALL.iter().filter(is_idle).map(|feed| feed.name()).collect();
    let Some(first) = credentials.first() else { return };
    if !idle.is_empty() {
        let message = format!("no credential may post to {}: whoever does is answered 401", quoted(idle));
        report.advise(&credential_place(root, first), message);
    }
}

impl Whole<'_> {
    /// The slugs of the workspaces that a credential may write to.
    fn open_to<'c>(&'c self, credential: &'c Credential) -> impl Iterator<Item = &'c str> {
        let slugs = self.workspaces.iter().map(|workspace| workspace.slug.as_str());
        slugs.filter(|slug| credential.permitted.includes(slug))
    }

    /// Whether it can bring deliveries that name no dealership, as LeadPro's: they are those of its only workspace.
    fn brings_nameless(&self, credential: &Credential) -> bool {
        credential.feeds.iter().any(|feed| is_nameless(*feed)) && self.open_to(credential).count() == 1
    }

    /// Credentials of `"all"` feeds that cannot bring all of them.
    fn credentials_of_all_feeds(&self, report: &mut Report) {
        if self.credentials.iter().any(|credential| self.brings_nameless(credential)) {
            return;
        }
        for credential in self.credentials {
            let table = entry(self.root, "credentials", "name", &credential.name);
            let feeds = table.and_then(|table| table.get_ref().get("feeds"));
            let is_all = feeds.is_some_and(|feeds| feeds.get_ref().as_str().is_some());
            let count = self.open_to(credential).count();
            if is_all && count > 1 {
                let nameless = quoted(Feed::ALL.iter().filter(|feed| is_nameless(**feed)).map(|feed| feed.name()));
                let message = format!(
                    "credential `{}` has `feeds = \"all\"` and {count} workspaces, and so it cannot bring {nameless}: such a \
                     delivery does not say for which workspace it is, and is rejected; where you use LeadPro, give it a \
                     credential of its own for each workspace",
                    credential.name
                );
                report.advise(&credential_place(self.root, credential), message);
            }
        }
    }

    /// Workspaces that nothing finds its way into.
    fn without_a_way_in(&self, workspace: &Workspace, report: &mut Report) {
        let slug = workspace.slug.as_str();
        let has_leadpro = |slug: &str| {
            let brings =
                |credential: &&Credential| self.brings_nameless(credential) && credential.permitted.includes(slug);
            self.credentials.iter().any(|credential| brings(&credential))
        };
        let span = place_of(self.root, "workspaces", "slug", slug);
        if workspace.dealerships.is_empty() && !has_leadpro(slug) {
            let message = format!(
                "workspace `{slug}` has no dealerships, so that no delivery of Dealer Studio is for it; write \
                 `dealerships = [356]` with the sender's ids"
            );
            report.advise(&span, message);
        }
    }

    /// Workspaces of Dealer Studio's dealerships without locations or packages of their own.
    fn without_what_bookings_need(&self, workspace: &Workspace, report: &mut Report) {
        if workspace.dealerships.is_empty() {
            return;
        }
        let lacks = [("locations", workspace.locations.is_empty()), ("packages", workspace.packages.is_empty())];
        let lacking: Vec<&str> = lacks.into_iter().filter_map(|(what, lacks)| lacks.then_some(what)).collect();
        if !lacking.is_empty() {
            let slug = &workspace.slug;
            let what = lacking.join(" and no ");
            let message = format!(
                "workspace `{slug}` has no {what}: bookings are made with those alone that the inventory names; list what \
                 can be booked"
            );
            report.advise(&place_of(self.root, "workspaces", "slug", slug), message);
        }
    }

    /// Feeds that are expected of a workspace, and that nobody may post for it.
    fn expected_of_nobody(&self, workspace: &Workspace, report: &mut Report) {
        let slug = workspace.slug.as_str();
        let may_come = |feed: &Feed| {
            let lets = |one: &Credential| one.feeds.contains(feed) && one.permitted.includes(slug);
            self.credentials.iter().any(lets)
        };
        let missing: Vec<&str> =
            workspace.expect.keys().filter(|feed| !may_come(feed)).map(|feed| feed.name()).collect();
        if !missing.is_empty() {
            let message = format!(
                "workspace `{slug}` expects {}, and no credential may post that for it: it will be silent; let a credential \
                 have the feed and the workspace, or take it out of `expect`",
                quoted(missing)
            );
            report.advise(&place_of(self.root, "workspaces", "slug", slug), message);
        }
    }

    /// Zones that are America's.
    fn odd_zones(&self, workspace: &Workspace, report: &mut Report) {
        let of_dealerships = workspace.dealerships.iter().filter_map(|dealership| dealership.timezone);
        for zone in of_dealerships.chain([workspace.timezone]).filter(|zone| OF_AMERICA.contains(&zone.name())) {
            let slug = &workspace.slug;
            let message = format!(
                "workspace `{slug}` has the time zone `{zone}`, which is America's; write an IANA name with a place, such as \
                 `Australia/Sydney`"
            );
            report.advise(&place_of(self.root, "workspaces", "slug", slug), message);
        }
    }

    /// Packages that differ in capitals alone: one of them is most likely a slip.
    fn similar_packages(&self, workspace: &Workspace, report: &mut Report) {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for name in &workspace.packages {
            let Some(other) = names.insert(name.to_lowercase(), name) else { continue };
            let slug = &workspace.slug;
            let message = format!(
                "the packages `{other}` and `{name}` of workspace `{slug}` differ in capitals alone and are two packages; \
                 where one is meant, keep the one that the inventory names"
            );
            report.advise(&place_of(self.root, "workspaces", "slug", slug), message);
        }
    }
}

fn is_nameless(feed: Feed) -> bool {
    feed.dealership_path().is_none()
}
