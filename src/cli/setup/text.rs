//! What is to be entered, for a person's eyes: a numbered step for each form of a sender.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::config::{Config, Origin, SecretSource};
use crate::domain::feed::Feed;

use super::entry::{Entry, NAMELESS, ORDER};

/// So many characters stand in a line at the most, as far as words can be parted.
const WIDTH: usize = 110;

/// A time without fractions of a second.
pub(super) fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Prints all steps.
pub(super) fn print(config: &Config, entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    match &config.origin {
        Origin::File(path) => writeln!(out, "What to enter at the senders, by {}.", path.display())?,
        Origin::Demo => writeln!(out, "What to enter at the senders, by the demo configuration.")?,
    }
    writeln!(out, "Secrets are not shown: of each it is said where it stands.")?;
    if config.server.public_url.is_none() {
        let message = format!(
            "The public address is not known: write `public_url = \"https://leads.example.com.au\"`, with your own name, \
             into [server]. Until then {NAMELESS} stands in its place."
        );
        writeln!(out)?;
        paragraph("", &message, out)?;
    }
    let of_feed = |feed: Feed| entries.iter().filter(move |entry| entry.kind == feed);
    let feeds = ORDER.into_iter().filter(|feed| of_feed(*feed).next().is_some());
    for (number, feed) in (1..).zip(feeds) {
        writeln!(out, "\n{number}. {}", form(feed))?;
        for entry in of_feed(feed) {
            step(entry, out)?;
        }
    }
    dealerships(config, entries, out)?;
    writeln!(out, "\nThen `forecourt setup --wait` says when the first delivery of each has come.")
}

/// The form of the sender that a feed is entered in.
fn form(feed: Feed) -> &'static str {
    match feed {
        Feed::Inventory => "Dealer Studio, Inventory Webhook",
        Feed::Lead => "Dealer Studio, Lead Webhook Export (under dealership notifications)",
        Feed::LeadCluster => "Dealer Studio, Lead Cluster Webhook",
        Feed::LeadPro => "LeadPro, developers section of the dashboard",
    }
}

/// What the sender calls the address.
fn address_label(feed: Feed) -> &'static str {
    match feed {
        Feed::Inventory => "External service Endpoint URL",
        Feed::Lead => "endpoint",
        Feed::LeadCluster => "webhook_api_url",
        Feed::LeadPro => "endpoint URL",
    }
}

/// What the sender calls a secret that stands in a header as it is.
fn token_label(feed: Feed) -> &'static str {
    match feed {
        Feed::Inventory | Feed::LeadPro => "token",
        Feed::Lead => "API bearer token",
        Feed::LeadCluster => "webhook_api_token",
    }
}

fn step(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    let Entry { credential, scheme, not_after, expired, .. } = entry;
    let end = not_after.map(shown).unwrap_or_default();
    if *expired {
        return writeln!(out, "   credential {credential} ({scheme}): expired at {end}, lets nobody in; take it out");
    }
    let until = if end.is_empty() { String::new() } else { format!(", until {end}") };
    writeln!(out, "   credential {credential} ({scheme}{until})")?;
    for (label, value) in lines(entry) {
        paragraph(&format!("     {label:<31}"), &value, out)?;
    }
    for note in &entry.notes {
        paragraph("     note: ", note, out)?;
    }
    Ok(())
}

/// What is entered, each with the sender's word for it.
fn lines(entry: &Entry) -> Vec<(&'static str, String)> {
    let feed = entry.kind;
    let place = match &entry.secret {
        Some(SecretSource::Variable(name)) => format!("what the environment variable {name} holds"),
        Some(SecretSource::File(path)) => format!("what the file {} holds", path.display()),
        None => String::new(),
    };
    let mut lines = vec![(address_label(feed), entry.address.clone())];
    let header = entry.header.clone().unwrap_or_default();
    match entry.scheme {
        "basic" => {
            lines.push(("username", entry.user.clone().unwrap_or_default()));
            lines.push(("password", place));
            lines.push(("arrives as", header));
        }
        "oauth_client" => {
            lines.push(("token URL (client credentials)", entry.token_address.clone().unwrap_or_default()));
            lines.push(("client id", entry.client_id.clone().unwrap_or_default()));
            lines.push(("client secret", place));
            lines.push(("arrives as", header));
        }
        "leadpro_jwt" => {
            let copy = match &entry.secret {
                Some(SecretSource::Variable(name)) => {
                    format!("copy it into the environment variable {name}, and start the service again")
                }
                Some(SecretSource::File(path)) => format!("copy it into the file {}, and reload", path.display()),
                None => String::new(),
            };
            lines.push(("webhook signing secret", format!("is made there: {copy}")));
            lines.push(("arrives as", header));
        }
        "open" => lines.push(("authorization", "none: whoever knows the address may post".to_owned())),
        _ => {
            lines.push((token_label(feed), place));
            lines.push(("arrives as", header));
        }
    }
    lines.push(("for the workspaces", entry.workspaces.join(", ")));
    lines
}

/// Which dealerships Dealer Studio is to post for: its exports are set up for each.
fn dealerships(config: &Config, entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    let is_named = |entry: &Entry| !entry.expired && entry.kind.dealership_path().is_some();
    let named =
        |slug: &str| entries.iter().any(|entry| is_named(entry) && entry.workspaces.iter().any(|own| own == slug));
    let workspaces: Vec<_> = config.workspaces.iter().filter(|workspace| named(&workspace.slug)).collect();
    if workspaces.iter().all(|workspace| workspace.dealerships.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\nDealer Studio exports by dealership; these are the ids that the configuration knows:")?;
    for workspace in workspaces {
        let ids = workspace.dealerships.iter().map(|dealership| match &dealership.name {
            Some(name) => format!("{} {name}", dealership.id),
            None => dealership.id.to_string(),
        });
        let ids: Vec<String> = ids.collect();
        let ids = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        paragraph(&format!("   {}: ", workspace.slug), &ids, out)?;
    }
    Ok(())
}

/// Words in lines of a width; the first begins with a label, the others below its end.
fn paragraph(label: &str, words: &str, out: &mut dyn Write) -> io::Result<()> {
    let indent = label.chars().count();
    let (mut line, mut length, mut is_first) = (label.to_owned(), indent, true);
    for word in words.split_whitespace() {
        let more = word.chars().count() + usize::from(!is_first);
        if length + more > WIDTH && !is_first {
            writeln!(out, "{line}")?;
            (line, length, is_first) = (" ".repeat(indent), indent, true);
        }
        if !is_first {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word.chars().count();
        is_first = false;
    }
    writeln!(out, "{}", line.trim_end())
}
