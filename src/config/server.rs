//! `[server]`: where the service listens, where it keeps its files, and its limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::feed::Feed;
use crate::feeds::weight::heaviest;

use super::budgets::{Budgets, TooLittle, Written};
use super::environment::Environment;
use super::proxies::{self, Proxies};
use super::public_url::{self, PublicUrl};
use super::report::Report;
use super::section::Section;

/// The service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port; `127.0.0.1:8080` by default.
    pub listen: SocketAddr,
    /// The address by which the senders know the service, where it is said.
    pub public_url: Option<PublicUrl>,
    /// The folder of the private Postgres, the spool and generated keys; absolute.
    pub data_dir: PathBuf,
    /// How long a request is held open while nothing can store its delivery; 60 s by default.
    pub hold: Duration,
    /// How long Postgres has to commit a delivery before it goes to the spool; 2 s by default.
    pub deadline: Duration,
    /// How many bytes of memory each part of the service may take; 1 GiB in all by default, or what the other keys need.
    pub budgets: Budgets,
    /// How long a stop may take before what is still under way is cut off; 25 s by default.
    pub stop: Duration,
    /// The most connections at a time, silent ones included; 16,000 by default.
    pub max_connections: usize,
    /// How long a connection may rest between two requests; 75 s by default.
    pub keep_alive: Duration,
    /// Whose word about a sender's address is believed; nobody's by default.
    pub proxies: Proxies,
    /// How many days from its arrival a lead with a blocked booking is tried again; 30 by default.
    pub booking_retry_days: u32,
    /// Whether the configuration is read again when its files change, and not on SIGHUP alone; not by default.
    pub reload_on_change: bool,
    /// Names of headers that may carry an API key beside the built-in ones; none by default.
    pub api_key_headers: Vec<String>,
    body_limits: BTreeMap<Feed, usize>,
}

impl Server {
    /// The most bytes that a body of the feed may have once it is decompressed.
    #[must_use]
    pub fn body_limit(&self, feed: Feed) -> usize {
        self.body_limits.get(&feed).copied().unwrap_or_else(|| feed.body_limit())
    }
}

const MIB: usize = 1024 * 1024;
const BODY_LIMITS: RangeInclusive<i64> = 1024..=256 * 1024 * 1024;
const HOLD_SECONDS: RangeInclusive<i64> = 1..=3600;
const DEADLINE_MS: RangeInclusive<i64> = 10..=60_000;
const MAX_MEMORY_BYTES: RangeInclusive<i64> = 1024 * 1024..=1 << 44;
const MAX_HELD_BYTES: RangeInclusive<i64> = 1024 * 1024..=1 << 40;
const STOP_SECONDS: RangeInclusive<i64> = 1..=3600;
const MAX_CONNECTIONS: RangeInclusive<i64> = 16..=1_000_000;
/// The least is above what a reply says less of it, the most is an hour: a rest costs a place among the connections.
const KEEP_ALIVE_SECONDS: RangeInclusive<i64> = 5..=3600;
const BOOKING_RETRY_DAYS: RangeInclusive<i64> = 0..=3650;

/// Where the service listens where nothing says.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const EXAMPLE_LISTEN: &str = "\"127.0.0.1:8080\"";

pub(super) const KEYS: &[&str] = &[
    "listen",
    "public_url",
    "data_dir",
    "deadline_ms",
    "hold_seconds",
    "max_memory_bytes",
    "max_held_bytes",
    "stop_seconds",
    "max_connections",
    "keep_alive_seconds",
    "trusted_proxies",
    "forwarded_header",
    "booking_retry_days",
    "reload_on_change",
    "api_key_headers",
    "body_limits",
];

/// Reads `[server]`, which may be absent; `base` is the folder that relative paths start from.
pub(super) fn read(
    section: Option<&Section>,
    base: &Path,
    environment: &Environment,
    report: &mut Report,
) -> Option<Server> {
    let listen = listen(section, environment, report);
    let public_url = section.and_then(|section| public_url::read(section, report));
    let data_dir = data_dir(section, base, environment, report);
    let hold = section.and_then(|section| section.whole("hold_seconds", &HOLD_SECONDS, report));
    let deadline = section.and_then(|section| section.whole("deadline_ms", &DEADLINE_MS, report));
    let stop = section.and_then(|section| section.whole("stop_seconds", &STOP_SECONDS, report));
    let max_connections = section.and_then(|section| section.whole("max_connections", &MAX_CONNECTIONS, report));
    let keep_alive = section.and_then(|section| section.whole("keep_alive_seconds", &KEEP_ALIVE_SECONDS, report));
    let proxies = section.map_or_else(Proxies::default, |section| proxies::read(section, report));
    let retry = section.and_then(|section| section.whole("booking_retry_days", &BOOKING_RETRY_DAYS, report));
    let reload_on_change = section.and_then(|section| section.flag("reload_on_change", report)).unwrap_or(false);
    let api_key_headers = section.map_or_else(Vec::new, |section| api_key_headers(section, report));
    let body_limits = section.map_or_else(BTreeMap::new, |section| body_limits(section, report));
    let budgets = budgets(section, &body_limits, report);
    Some(Server {
        listen: listen?,
        public_url,
        data_dir: data_dir?,
        hold: Duration::from_secs(hold.unwrap_or(60)),
        deadline: Duration::from_millis(deadline.unwrap_or(2_000)),
        budgets: budgets?,
        stop: Duration::from_secs(stop.unwrap_or(25)),
        max_connections: max_connections.unwrap_or(16_000),
        keep_alive: Duration::from_secs(keep_alive.unwrap_or(75)),
        proxies,
        booking_retry_days: retry.unwrap_or(30),
        reload_on_change,
        api_key_headers,
        body_limits,
    })
}

/// Shares out the memory. What is not written never stops a configuration that worked; what is written must suffice.
fn budgets(section: Option<&Section>, limits: &BTreeMap<Feed, usize>, report: &mut Report) -> Option<Budgets> {
    let largest_of = |feed: &Feed| limits.get(feed).copied().unwrap_or_else(|| feed.body_limit());
    let mut whole = |key, range| section.and_then(|section| section.whole(key, range, report));
    let written = Written {
        memory: whole("max_memory_bytes", &MAX_MEMORY_BYTES),
        held: whole("max_held_bytes", &MAX_HELD_BYTES),
        largest_body: Feed::ALL.iter().map(largest_of).max().unwrap_or_default(),
        heaviest: Feed::ALL.iter().map(|feed| heaviest(*feed, largest_of(feed))).max().unwrap_or_default(),
    };
    let place = |key| section.map_or(0..0, |section| section.span_of(key));
    match written.share() {
        Ok(budgets) => {
            if written.memory.is_none() && budgets.is_unusual() {
                let needed = budgets.memory;
                let key = if written.held.is_some() { "max_held_bytes" } else { "body_limits" };
                report.warning(
                    &place(key),
                    format!(
                        "with these limits the service may take {needed} bytes of memory ({} MiB) in place of 1 GiB; write \
                         `max_memory_bytes = {needed}`, and let the container or the unit have as much",
                        needed / MIB
                    ),
                );
            }
            Some(budgets)
        }
        Err(TooLittle { needed }) => {
            report.problem(
                &place("max_memory_bytes"),
                format!(
                    "`max_memory_bytes` does not suffice for the other limits: write {needed} ({} MiB) or more, or lower \
                     `max_held_bytes` or `body_limits`",
                    needed / MIB
                ),
            );
            None
        }
    }
}

/// Opens `[server]` with the keys that it may have.
pub(super) fn open<'a>(root: &Section<'a>, report: &mut Report) -> Option<Section<'a>> {
    Section::open_value("[server]", root.value("server")?, KEYS, report)
}

/// The address at which this machine reaches a service that may listen on all of its addresses.
#[must_use]
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

fn listen(section: Option<&Section>, environment: &Environment, report: &mut Report) -> Option<SocketAddr> {
    let mut listen = Some(DEFAULT_LISTEN);
    if let Some(text) = section.and_then(|section| section.text("listen", EXAMPLE_LISTEN, report)) {
        listen = text.get_ref().parse().ok();
        if listen.is_none() {
            report.problem(&text.span(), not_an_address(text.get_ref()));
        }
    }
    if let Some(text) = environment.setting("FORECOURT_LISTEN") {
        listen = text.parse().ok();
        if listen.is_none() {
            report.problem_in_environment("FORECOURT_LISTEN", not_an_address(&text));
        }
    }
    listen
}

/// What is wrong with a text that is no address to listen on.
pub(super) fn not_an_address(text: &str) -> String {
    format!(
        "`{text}` is not an address to listen on; write an address and a port, such as `127.0.0.1:8080` or `[::]:8080`"
    )
}

fn data_dir(section: Option<&Section>, base: &Path, env: &Environment, report: &mut Report) -> Option<PathBuf> {
    let in_file = section.and_then(|section| section.text("data_dir", "\"/var/lib/forecourt\"", report));
    if let (Some(text), None) = (&in_file, env.setting("FORECOURT_DATA_DIR")) {
        return Some(base.join(text.get_ref()));
    }
    let found = data_dir_without_file(env, rustix::process::geteuid().is_root());
    if found.is_none() {
        let message = "no folder is known for the data directory, because HOME is not set; set this variable to one";
        report.problem_in_environment("FORECOURT_DATA_DIR", message);
    }
    found
}

/// The data directory where no file names one: of the environment, else the default; `None` without a home.
pub(super) fn data_dir_without_file(environment: &Environment, root: bool) -> Option<PathBuf> {
    if let Some(folder) = environment.setting("FORECOURT_DATA_DIR") {
        return std::path::absolute(folder).ok();
    }
    if root {
        return Some(PathBuf::from("/var/lib/forecourt"));
    }
    let data_home = environment.setting("XDG_DATA_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || environment.setting("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    data_home.or_else(home).map(|folder| folder.join("forecourt"))
}

const AUTHORIZATION_AS_KEY: &str = "`Authorization` shows bearer tokens, users with passwords and LeadPro's tokens, and \
    whatever stands there would be tried as an API key, too; leave it out, and let the sender use `X-API-KEY` or another \
    header";

fn api_key_headers(section: &Section, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for text in section.texts("api_key_headers", "[\"X-Our-Key\"]", report) {
        let name = *text.get_ref();
        if name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
            if name.eq_ignore_ascii_case("authorization") {
                report.error(&text.span(), AUTHORIZATION_AS_KEY);
            }
            names.push(name.to_owned());
        } else {
            report.problem(
                &text.span(),
                format!("`{name}` cannot be the name of a header; write one such as \"X-Our-Key\""),
            );
        }
    }
    names
}

fn body_limits(section: &Section, report: &mut Report) -> BTreeMap<Feed, usize> {
    let names: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    let Some(value) = section.value("body_limits") else { return BTreeMap::new() };
    let Some(limits) = Section::open_value("[server.body_limits]", value, &names, report) else {
        return BTreeMap::new();
    };
    let limit = |feed: &Feed| Some((*feed, limits.whole(feed.name(), &BODY_LIMITS, report)?));
    Feed::ALL.iter().filter_map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_follows_the_user() {
        let nobody = Environment::of::<&str, &str>([]);
        let user = Environment::of([("HOME", "/home/ada")]);
        let xdg = Environment::of([("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data")]);
        let odd = Environment::of([("HOME", "/home/ada"), ("XDG_DATA_HOME", "relative")]);
        let chosen = Environment::of([("FORECOURT_DATA_DIR", "/srv/forecourt")]);
        let cases = [
            (&nobody, true, Some("/var/lib/forecourt")),
            (&nobody, false, None),
            (&user, false, Some("/home/ada/.local/share/forecourt")),
            (&xdg, false, Some("/data/forecourt")),
            (&odd, false, Some("/home/ada/.local/share/forecourt")),
            (&chosen, true, Some("/srv/forecourt")),
        ];
        for (environment, root, expected) in cases {
            assert_eq!(data_dir_without_file(environment, root), expected.map(PathBuf::from));
        }
    }
}
