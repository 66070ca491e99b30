//! `forecourt check`: is this configuration good? And, where that is asked for, is its database?

mod connect;

use std::io::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Args;

use crate::config::{self, Admin, Alerts, Config, ConsoleLogin, Credential, Environment, Origin, duration};
use crate::domain::values::Currency;
use crate::domain::workspace::{Dealership, Permitted, Workspace};

use super::command_result::CommandResult;

/// What is asked for.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// Try the database, too: that it answers and is safe, what migrations are missing, and what its user may do
    #[arg(long)]
    connect: bool,
}

/// Says what a configuration holds, by names and never by secrets, and ends with what is wrong with it. One that no start
/// would take does not come as far as here; one that a start takes, and logs errors about, does.
pub(super) fn run(
    arguments: &Arguments,
    config: &Config,
    environment: &Environment,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> CommandResult {
    let mut wrong = config.errors.clone();
    describe(config, now, out)?;
    if arguments.connect {
        let examined = connect::examine(config, environment, out);
        wrong.extend(tokio::runtime::Runtime::new()?.block_on(examined)?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn describe(config: &Config, now: DateTime<Utc>, out: &mut dyn Write) -> CommandResult {
    match &config.origin {
        Origin::File(path) if config.errors.is_empty() => writeln!(out, "{} is good.", path.display())?,
        Origin::File(path) => writeln!(out, "{} can be used, and something is wrong with it.", path.display())?,
        Origin::Demo if config.errors.is_empty() => {
            writeln!(out, "There is no configuration file; the demo configuration is good.")?;
        }
        Origin::Demo => {
            writeln!(out, "There is no configuration file, and something is wrong beside the demo configuration.")?;
        }
    }
    let postgres = if config.database.url.is_some() { "the Postgres that is named" } else { "a private Postgres" };
    let (listen, data_dir) = (config.server.listen, config.server.data_dir.display());
    writeln!(out, "It listens on {listen}, uses {postgres}, and keeps its files in {data_dir}.")?;
    if let Some(Admin { listen, hosts, console, is_optional: _ }) = &config.admin {
        let names = listed(["localhost".to_owned()].into_iter().chain(hosts.iter().cloned()));
        writeln!(out, "It serves metrics on {listen}, to whoever asks for {names}.")?;
        match console {
            Some(ConsoleLogin { user, password: _ }) => {
                writeln!(out, "The console is at http://{}/, for the user {user}.", config::reachable(*listen))?;
            }
            None => writeln!(out, "There is no console: `user` and `password_file` of [admin] would make one.")?,
        }
    }
    for workspace in &config.workspaces {
        writeln!(out, "{}", workspace_line(workspace))?;
    }
    for credential in &config.credentials {
        writeln!(out, "{}", credential_line(credential))?;
    }
    if let Some(Alerts { url, key }) = &config.alerts {
        let signed = if key.is_some() { "signed" } else { "unsigned" };
        writeln!(out, "Where a sender falls silent, or speaks again, that is posted to {}, {signed}.", url.origin())?;
    }
    for warning in config.warnings.iter().cloned().chain(expiring(config, now)).chain(config.advice.iter().cloned()) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn workspace_line(workspace: &Workspace) -> String {
    let Workspace {
        slug,
        former_slug: _,
        name,
        timezone,
        phone_region,
        country,
        currency,
        dealerships,
        locations,
        packages,
        expect,
    } = workspace;
    let dealerships = dealerships.iter().map(|Dealership { id, name, timezone, moved_from: _ }| {
        let name = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
        timezone.map_or_else(|| format!("{id}{name}"), |zone| format!("{id}{name} ({zone})"))
    });
    let expected = expect.iter().map(|(feed, every)| format!("{} every {}", feed.name(), duration::shown(*every)));
    let expected = if expect.is_empty() { String::new() } else { format!("; expected: {}", listed(expected)) };
    format!(
        "workspace {slug} ({name}): {timezone}, phone region {phone_region}, country {country}, currency {currency}; \
         dealerships: {}; locations: {}; packages: {}{expected}",
        listed(dealerships),
        listed(locations.iter().map(|location| {
            if location.bookable { location.name.clone() } else { format!("{} (not bookable)", location.name) }
        })),
        listed(packages.iter().cloned()),
        phone_region = phone_region.code(),
        country = country.code(),
        currency = currency.as_ref().map_or("none", Currency::code),
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
    fn what_a_start_logs_as_an_error_ends_the_check_and_the_rest_is_told_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecourt.toml");
        let text = "[server]\napi_key_headers = [\"Authorization\"]\n[[workspaces]]\nslug = \"a\"\n[[workspaces]]\n\
                    slug = \"b\"\n[[credentials]]\nname = \"l\"\nscheme = \"leadpro_jwt\"\nfeeds = [\"leadpro_lead\"]\n\
                    workspaces = \"all\"\nsecret_env = \"KEY\"\n";
        std::fs::write(&path, text).unwrap();
        let environment = Environment::of([("KEY", "short"), ("HOME", "/home/ada")]);
        let config = config::load(Some(&path), &environment).unwrap();
        let mut out = Vec::new();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let error = run(&Arguments::default(), &config, &environment, now, &mut out).unwrap_err();
        assert_eq!(super::super::command_result::exit_status(error.as_ref()), 1);
        let (error, out) = (error.to_string(), String::from_utf8(out).unwrap());
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(error.contains("`Authorization` shows") && error.contains("may write to 2 workspaces"), "{error}");
        assert!(!out.contains("is good") && out.contains("can be used, and something is wrong with it"), "{out}");
        assert!(out.contains("warning: ") && out.contains("less than 16 characters"), "{out}");
    }

    const GOOD: &str = r#"
            [server]
            data_dir = "/srv/forecourt"
            [[workspaces]]
            slug = "north"
            name = "North Motors"
            dealerships = [1, { id = 2, timezone = "Australia/Perth" }]
            expect = { inventory = "26h", lead_cluster = "3d" }
            locations = ["North", { name = "Workshop", bookable = false }]
            [alerts]
            url = "https://alerts.example/hush"
            secret_env = "ALERTS_SECRET"
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
            secret_env = "OLD_KEY"
            not_after = "2026-11-20T12:00:00Z"
            [[credentials]]
            name = "later"
            scheme = "oauth_client"
            feeds = ["lead"]
            workspaces = "all"
            secret_env = "LATER_KEY"
            not_after = 2026-12-20T12:00:01Z
            [[credentials]]
            name = "anyone"
            scheme = "open"
            feeds = ["lead"]
            workspaces = "all"
        "#;

    #[test]
    fn a_good_configuration_is_described_without_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecourt.toml");
        std::fs::write(&path, GOOD).unwrap();
        let keys = ["STOCK_KEY", "OLD_KEY", "LATER_KEY"].map(|key| (key, format!("a secret to hush up for {key}")));
        let alerts = ("ALERTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let config = config::load(Some(&path), &Environment::of(keys.into_iter().chain([alerts]))).unwrap();
        let mut out = Vec::new();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        run(&Arguments::default(), &config, &Environment::of_process(), now, &mut out).unwrap();
        let file = path.display();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "{file} is good.\n\
                 It listens on 127.0.0.1:8080, uses a private Postgres, and keeps its files in /srv/forecourt.\n\
                 workspace north (North Motors): Australia/Brisbane, phone region AU, country AU, currency AUD; dealerships: 1, 2 \
                 (Australia/Perth); locations: North, Workshop (not bookable); packages: none; expected: lead_cluster every 3d, \
                 inventory every 26h\n\
                 credential stock: api_key; feeds: inventory; workspaces: north; until 2026-12-20T12:00:00Z\n\
                 credential old: bearer; feeds: lead; workspaces: all; until 2026-11-20T12:00:00Z\n\
                 credential later: oauth_client; feeds: lead; workspaces: all; until 2026-12-20T12:00:01Z\n\
                 credential anyone: open; feeds: lead; workspaces: all\n\
                 Where a sender falls silent, or speaks again, that is posted to https://alerts.example, signed.\n\
                 warning: {file}:34:13: credential `anyone` is open: whoever reaches the service may post to `lead`\n\
                 warning: credential `stock` expires at 2026-12-20T12:00:00Z, in 30 days: give the sender another one \
                 before, and write it here beside this one\n\
                 warning: credential `old` expired at 2026-11-20T12:00:00Z: it lets nobody in; take it out, or give it \
                 a later `not_after`\n\
                 warning: {file}:13:13: no credential may post to `lead_cluster`, `leadpro_lead`: whoever does is answered 401\n\
                 warning: {file}:4:13: workspace `north` has no packages: bookings are made with those alone that the \
                 inventory names; list what can be booked\n\
                 warning: {file}:4:13: workspace `north` expects `lead_cluster`, and no credential may post that for it: it \
                 will be silent; let a credential have the feed and the workspace, or take it out of `expect`\n"
            )
        );
    }
}
