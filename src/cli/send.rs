//! `forecourt send`: post payloads to a running service and print each reply in a line.
//!
//! Without a path it posts the examples that the program carries: the lead of the Loopit page, whose car is not listed, that
//! car, which makes the booking, the car for sale of the inventory page, a lead that books this car, the lead of the lead
//! page, and the cluster of the cluster page. The inventory page's withdrawal takes its car down; it is posted last, and only
//! with `--all` or by its path.

mod credential;
mod error;
mod payloads;
mod reply;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use oauth2::TokenResponse as _;
use oauth2::basic::BasicTokenResponse;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::Environment;
use crate::domain::feed::Feed;
use crate::feeds::json;
use crate::http::auth;

use super::client::{self, agent};
use super::interruption::Interruption;
use super::progress::Progress;
use credential::{CredentialArguments, CredentialHeader, Shown};
pub(super) use error::SendError;
use payloads::Payload;

/// What to send, whither and with which credential.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// Files, or folders whose .json files are sent in sorted order [default: the shipped examples]
    paths: Vec<PathBuf>,
    /// Send every shipped example, also the one that withdraws the car
    #[arg(long, conflicts_with = "paths")]
    all: bool,
    /// Where the service is [default: where it listens, by `FORECOURT_LISTEN` or the configuration]
    #[arg(long)]
    url: Option<String>,
    /// The feed to post to [default: told from the folder, as `lead` or `lead_cluster`, else from the payload]
    #[arg(long, value_parser = feed)]
    feed: Option<Feed>,
    /// How many times to send everything
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    #[command(flatten)]
    credential: CredentialArguments,
}

/// Longer than a service holds a request that it cannot store.
const PATIENCE: Duration = Duration::from_secs(90);

/// Sends everything, in order, one after the other. Stops when the service cannot be reached, and between two deliveries
/// when it is asked to.
pub(super) fn run(
    arguments: &Arguments,
    config: Option<&Path>,
    environment: &Environment,
    interruption: &Interruption,
    out: &mut dyn Write,
) -> Result<(), SendError> {
    let payloads = payloads_of(arguments)?;
    let shown = arguments.credential.shown(config, environment)?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => client::listening_at(config, environment)
            .map_err(SendError::Configuration)?
            .ok_or(SendError::PortUnknown)?,
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(SendError::UrlUnusable(url));
    }
    let service = Service { url: url.trim_end_matches('/'), agent: agent(PATIENCE) };
    let shown = service.with_token(shown)?;
    let total = payloads.len() as u64 * u64::from(arguments.repeat);
    let progress = Progress::begin("sent", total, environment);
    let (mut sent, mut failed, mut last_failure) = (0, 0, 0);
    for payload in (0..arguments.repeat).flat_map(|_| &payloads) {
        if interruption.is_asked() {
            let next = payload.name.clone();
            return Err(SendError::Interrupted { sent, left: total - sent, next, failed });
        }
        let (status, reply) = service.post(payload, &shown)?;
        let note = payload.note_on(&reply).unwrap_or_default();
        let line = format!("{}: {}{note}", payload.name, reply::line(status, &reply));
        progress.print(out, &line).map_err(SendError::Output)?;
        progress.add(1);
        sent += 1;
        if status != 200 {
            failed += 1;
            last_failure = status;
        }
    }
    if failed > 0 {
        return Err(SendError::Refused { failed, sent, remedy: remedy(last_failure) });
    }
    Ok(())
}

fn payloads_of(arguments: &Arguments) -> Result<Vec<Payload>, SendError> {
    if arguments.paths.is_empty() {
        return Ok(payloads::examples(arguments.all));
    }
    let mut all = Vec::new();
    for path in &arguments.paths {
        all.extend(payloads::below(path, arguments.feed)?);
    }
    Ok(all)
}

fn feed(name: &str) -> Result<Feed, String> {
    let known: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    Feed::named(name).ok_or_else(|| format!("write one of {}", known.join(", ")))
}

/// A running service.
struct Service<'s> {
    url: &'s str,
    agent: ureq::Agent,
}

impl Service<'_> {
    /// Posts a payload; the status and the body of the reply.
    fn post(&self, payload: &Payload, shown: &Shown) -> Result<(u16, Vec<u8>), SendError> {
        let unreachable = |source| SendError::Unreachable { url: self.url.to_owned(), source: Box::new(source) };
        let mut request = self.agent.post(format!("{}{}", self.url, payload.feed.path()));
        request = request.header("Content-Type", "application/json").header("Accept", "application/json");
        let body = payload.body()?;
        match shown {
            Shown::Header(header) => request = request.header(header.name, header.value.expose_secret()),
            Shown::Signature(secret) => {
                request = request.header("Authorization", signed(&body, secret)?.expose_secret());
            }
            Shown::Nothing | Shown::Client(_) => {}
        }
        let mut response = request.send(body).map_err(unreachable)?;
        let reply = response.body_mut().read_to_vec().map_err(unreachable)?;
        Ok((response.status().as_u16(), reply))
    }
}

impl Service<'_> {
    /// Asks for a token where one is needed (RFC 6749 §4.4.2).
    fn with_token(&self, shown: Shown) -> Result<Shown, SendError> {
        let Shown::Client(header) = shown else { return Ok(shown) };
        let unreachable = |source| SendError::Unreachable { url: self.url.to_owned(), source: Box::new(source) };
        let request = self.agent.post(format!("{}/oauth/token", self.url));
        let request = request.header(header.name, header.value.expose_secret());
        let mut response = request.send_form([("grant_type", "client_credentials")]).map_err(unreachable)?;
        let reply = response.body_mut().read_to_vec().map_err(unreachable)?;
        let given: Option<BasicTokenResponse> = serde_json::from_slice(&reply).ok();
        let token = given.ok_or(SendError::NoToken(response.status().as_u16()))?;
        let token = SecretString::from(token.access_token().secret().as_str());
        Ok(Shown::Header(CredentialHeader::bearer(&token)))
    }
}

/// The payload as a token (RFC 7519) whose claims it is. What is no JSON cannot be signed so.
fn signed(body: &[u8], secret: &SecretString) -> Result<SecretString, SendError> {
    let claims = json::parse::<serde_json::Value>(body).and_then(|claims| serde_json::to_vec(&claims));
    claims.ok().and_then(|claims| auth::sign(&claims, secret)).ok_or(SendError::NotSignable)
}

/// What to do about a status.
fn remedy(status: u16) -> &'static str {
    match status {
        401 => {
            "the service does not take this credential for this feed, so name one of its own, for example with \
            `--credential NAME`"
        }
        404 | 405 => "this is not the address of a forecourt service, so name one with `--url`",
        413 => "the body is larger than the service allows, so send less or raise `server.body_limits`",
        503 => "the service could not store it, so look at its `/readyz` and its log, and send again",
        _ => "look at the log of the service",
    }
}

#[cfg(test)]
mod tests;
