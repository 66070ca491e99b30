//! `forecourt setup`: what to enter at each sender, and whether what was entered works.
//!
//! The configuration says who may post what; the senders' dashboards ask the same in words of their own. So this prints,
//! for each credential and feed, what stands in which field there, and `--wait` confirms the first delivery of each.

mod entry;
mod text;
mod wait;

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::config::{Config, Environment};
use crate::domain::feed::Feed;
use crate::intake::clock;

use super::command_result::{CommandError, CommandResult};
use entry::{Entry, entries};

/// What is asked for.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// Wait for the first delivery of each credential and feed, and say of each when it has come
    #[arg(long, conflicts_with = "json")]
    wait: bool,
    /// With --wait: for so long at the most, as 90s, 10m or 2h [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "wait")]
    limit: Option<Duration>,
    /// Of this credential only; may be given several times, as may --feed
    #[arg(long = "credential", value_name = "NAME")]
    credentials: Vec<String>,
    /// Of this feed only
    #[arg(long = "feed", value_name = "FEED", value_parser = feed)]
    feeds: Vec<Feed>,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// Prints what is to be entered, or waits for what comes.
pub(super) fn run(
    arguments: &Arguments,
    config: &Config,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    for name in &arguments.credentials {
        if !config.credentials.iter().any(|credential| credential.name == *name) {
            let known: Vec<&str> = config.credentials.iter().map(|credential| credential.name.as_str()).collect();
            let message = format!("there is no credential `{name}`: name one of {}", known.join(", "));
            return Err(CommandError::Usage(message).into());
        }
    }
    let asked = |entry: &Entry| {
        (arguments.credentials.is_empty() || arguments.credentials.contains(&entry.credential))
            && (arguments.feeds.is_empty() || arguments.feeds.contains(&entry.kind))
    };
    let entries: Vec<Entry> = entries(config, clock::now()).into_iter().filter(asked).collect();
    if arguments.wait {
        let runtime = tokio::runtime::Runtime::new()?;
        return runtime.block_on(wait::run(&entries, config, environment, arguments.limit, out));
    }
    if arguments.json {
        let public_url = config.server.public_url.as_ref().map(ToString::to_string);
        let dealerships = config.workspaces.iter().flat_map(|workspace| {
            workspace
                .dealerships
                .iter()
                .map(|dealership| json!({ "id": dealership.id, "name": dealership.name, "workspace": workspace.slug }))
        });
        let dealerships: Vec<_> = dealerships.collect();
        let all = json!({ "public_url": public_url, "entries": entries, "dealerships": dealerships });
        return Ok(writeln!(out, "{all:#}")?);
    }
    Ok(text::print(config, &entries, out)?)
}

fn feed(name: &str) -> Result<Feed, String> {
    let known: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    Feed::named(name).ok_or_else(|| format!("write one of {}", known.join(", ")))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and s, m or h, such as 90s, 10m or 2h".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_cause| wrong())?;
    let seconds = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        Some(_) | None => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .filter(|total| (1..=7 * 86_400).contains(total))
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_a_number_with_its_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("1s", 1)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "10", "m", "1d", "-5m", "0s", "1 m", "99999999999999999999h", "5124095576030431h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
