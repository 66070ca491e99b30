//! `forecourt check`: is this configuration good?

use std::io::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::config::{Config, Credential, Origin};
use crate::domain::workspace::{Dealership, Permitted, Workspace};

use super::command_result::CommandResult;

/// Says what a good configuration holds, by names and never by secrets. One that no start would take does not come as far
/// as here; one that a start takes, and logs errors about, ends with these.
pub(super) fn run(config: &Config, now: DateTime<Utc>, out: &mut dyn Write) -> CommandResult {
    if !config.errors.is_empty() {
        return Err(config.errors.join("\n").into());
    }
    match &config.origin {
        Origin::File(path) => writeln!(out, "{} is good.", path.display())?,
        Origin::Demo => writeln!(out, "There is no configuration file; the demo configuration is good.")?,
    }
    let postgres = if config.database.url.is_some() { "the Postgres that is named" } else { "a private Postgres" };
    let (listen, data_dir) = (config.server.listen, config.server.data_dir.display());
    writeln!(out, "It listens on {listen}, uses {postgres}, and keeps its files in {data_dir}.")?;
    for workspace in &config.workspaces {
        writeln!(out, "{}", workspace_line(workspace))?;
    }
    for credential in &config.credentials {
        writeln!(out, "{}", credential_line(credential))?;
    }
    for warning in config.warnings.iter().cloned().chain(expiring(config, now)) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn workspace_line(workspace: &Workspace) -> String {
    let Workspace { slug, former_slug: _, name, timezone, phone_region, country, dealerships, locations, packages } =
        workspace;
    let dealerships = dealerships.iter().map(|Dealership { id, name, timezone, moved_from: _ }| {
        let name = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
        timezone.map_or_else(|| format!("{id}{name}"), |zone| format!("{id}{name} ({zone})"))
    });
    format!(
        "workspace {slug} ({name}): {timezone}, phone region {phone_region}, country {country}; dealerships: {}; \
         locations: {}; packages: {}",
        listed(dealerships),
        listed(locations.iter().map(|location| {
            if location.bookable { location.name.clone() } else { format!("{} (not bookable)", location.name) }
        })),
        listed(packages.iter().cloned()),
        phone_region = phone_region.code(),
        country = country.code(),
    )
}

fn credential_line(credential: &Credential) -> String {
    let Credential { name, scheme, secret: _, feeds, permitted, not_after } = credential;
    let workspaces = match permitted {
        Permitted::All => "all".to_owned(),
        Permitted::Only(slugs) => listed(slugs.iter().cloned()),
    };
    let feeds = listed(feeds.iter().map(|feed| feed.name().to_owned()));
    let until = not_after.map_or_else(String::new, |end| format!("; until {}", shown(end)));
    format!("credential {name}: {}; feeds: {feeds}; workspaces: {workspaces}{until}", scheme.name())
}

/// A sentence for each credential that lets nobody in any more, or soon will not.
pub(super) fn expiring(config: &Config, now: DateTime<Utc>) -> impl Iterator<Item = String> {
    config.credentials.iter().filter_map(move |Credential { name, not_after, .. }| {
        let end = (*not_after)?;
        if end <= now {
            return Some(format!(
                "credential `{name}` expired at {}: it lets nobody in; take it out, or give it a later `not_after`",
                shown(end)
            ));
        }
        (end - now <= SOON).then(|| {
            format!(
                "credential `{name}` expires at {}, in {} days: give the sender another one before, and write it here \
                 beside this one",
                shown(end),
                (end - now).num_days()
            )
        })
    })
}

/// How long before its end a credential is spoken of.
const SOON: TimeDelta = TimeDelta::days(30);

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Environment};

    use super::*;

    #[test]
    fn a_good_configuration_is_described_without_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecourt.toml");
        let text = r#"
            [server]
            data_dir = "/srv/forecourt"
            [[workspaces]]
            slug = "north"
            name = "North Motors"
            dealerships = [1, { id = 2, timezone = "Australia/Perth" }]
            locations = ["North", { name = "Workshop", bookable = false }]
            [[credentials]]
            name = "stock"
            scheme = "api_key"
            feeds = ["inventory"]
            workspaces = ["north"]
            secret_env = "STOCK_KEY"
            not_after = 2026-12-20T22:00:00+10:00
            [[credentials]]
            name = "old"
            scheme = "bearer"
            feeds = ["lead"]
            workspaces = "all"
            secret_env = "STOCK_KEY"
            not_after = "2026-11-20T12:00:00Z"
            [[credentials]]
            name = "later"
            scheme = "oauth_client"
            feeds = ["lead"]
            workspaces = "all"
            secret_env = "STOCK_KEY"
            not_after = 2026-12-20T12:00:01Z
            [[credentials]]
            name = "anyone"
            scheme = "open"
            feeds = ["lead"]
            workspaces = "all"
        "#;
        std::fs::write(&path, text).unwrap();
        let config = config::load(Some(&path), &Environment::of([("STOCK_KEY", "hush")])).unwrap();
        let mut out = Vec::new();
        run(&config, "2026-11-20T12:00:00Z".parse().unwrap(), &mut out).unwrap();
        let file = path.display();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "{file} is good.\n\
                 It listens on 127.0.0.1:8080, uses a private Postgres, and keeps its files in /srv/forecourt.\n\
                 workspace north (North Motors): Australia/Brisbane, phone region AU, country AU; dealerships: 1, 2 \
                 (Australia/Perth); locations: North, Workshop (not bookable); packages: none\n\
                 credential stock: api_key; feeds: inventory; workspaces: north; until 2026-12-20T12:00:00Z\n\
                 credential old: bearer; feeds: lead; workspaces: all; until 2026-11-20T12:00:00Z\n\
                 credential later: oauth_client; feeds: lead; workspaces: all; until 2026-12-20T12:00:01Z\n\
                 credential anyone: open; feeds: lead; workspaces: all\n\
                 warning: {file}:30:13: credential `anyone` is open: whoever reaches the service may post to `lead`\n\
                 warning: credential `stock` expires at 2026-12-20T12:00:00Z, in 30 days: give the sender another one \
                 before, and write it here beside this one\n\
                 warning: credential `old` expired at 2026-11-20T12:00:00Z: it lets nobody in; take it out, or give it \
                 a later `not_after`\n"
            )
        );
    }
}
