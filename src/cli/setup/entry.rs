//! What is to be entered at a sender for one credential and feed, in the words of the sender's own page.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{Config, Credential, Scheme, SecretSource};
use crate::domain::feed::Feed;
use crate::domain::workspace::Slug;

/// The address where OAuth clients get their tokens.
const TOKEN_PATH: &str = "/oauth/token";
/// What stands for the public name while nobody has said it.
pub(super) const NAMELESS: &str = "https://<public name>";

/// In which order the feeds are set up: cars first, so that the first lead finds the one that it asks for.
pub(super) const ORDER: [Feed; 4] = [Feed::Inventory, Feed::Lead, Feed::LeadCluster, Feed::LeadPro];

/// One credential and feed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// The system that posts it.
    pub(super) sender: &'static str,
    /// The feed's name.
    pub(super) feed: &'static str,
    /// The credential's name.
    pub(super) credential: String,
    /// The name of its scheme.
    pub(super) scheme: &'static str,
    /// Where it is posted to; without a public name a form of it.
    pub(super) address: String,
    /// Where an OAuth client gets its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_address: Option<String>,
    /// The header that shows the credential, as the sender writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    /// The user of a basic credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// The id of an OAuth client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    /// The environment variable that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_env: Option<String>,
    /// The file that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_file: Option<String>,
    /// From when on it lets nobody in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_after: Option<DateTime<Utc>>,
    /// Whether that is over.
    pub(super) expired: bool,
    /// The workspaces that it may write to.
    pub(super) workspaces: Vec<Slug>,
    /// Whether its first delivery is waited for.
    pub(super) awaited: bool,
    /// What a person should know, one sentence each.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    pub(super) kind: Feed,
    #[serde(skip)]
    pub(super) secret: Option<SecretSource>,
}

/// Every credential and feed, in the order in which they are set up.
pub(super) fn entries(config: &Config, now: DateTime<Utc>) -> Vec<Entry> {
    let of_feed = |feed: Feed| {
        let credentials = config.credentials.iter().filter(move |credential| credential.feeds.contains(&feed));
        credentials.map(move |credential| entry(config, credential, feed, now))
    };
    ORDER.into_iter().flat_map(of_feed).collect()
}

fn entry(config: &Config, credential: &Credential, feed: Feed, now: DateTime<Utc>) -> Entry {
    let address = |path: &str| match &config.server.public_url {
        Some(url) => url.join(path),
        None => format!("{NAMELESS}{path}"),
    };
    let workspaces = config.workspaces.iter().map(|workspace| workspace.slug.clone());
    let workspaces: Vec<Slug> = workspaces.filter(|slug| credential.permitted.includes(slug)).collect();
    let (user, client_id) = match &credential.scheme {
        Scheme::Basic { user, .. } => (Some(user.clone()), None),
        Scheme::OauthClient { client_id, .. } => (None, Some(client_id.clone())),
        Scheme::Bearer(_) | Scheme::ApiKey(_) | Scheme::LeadproJwt(_) | Scheme::Open => (None, None),
    };
    let (secret_env, secret_file) = match &credential.secret {
        Some(SecretSource::Variable(name)) => (Some(name.clone()), None),
        Some(SecretSource::File(path)) => (None, Some(path.display().to_string())),
        None => (None, None),
    };
    let is_ambiguous = feed.dealership_path().is_none() && workspaces.len() != 1;
    let expired = !credential.is_valid(now);
    Entry {
        sender: feed.sender(),
        feed: feed.name(),
        credential: credential.name.clone(),
        scheme: credential.scheme.name(),
        address: address(feed.path()),
        token_address: client_id.as_ref().map(|_| address(TOKEN_PATH)),
        header: header(&credential.scheme, feed).map(str::to_owned),
        user,
        client_id,
        secret_env,
        secret_file,
        not_after: credential.not_after,
        expired,
        workspaces,
        awaited: !expired && !is_ambiguous && (can_show(&credential.scheme, feed) || credential.feeds.len() == 1),
        notes: notes(&credential.scheme, feed, is_ambiguous),
        kind: feed,
        secret: credential.secret.clone(),
    }
}

/// The header, as the sender's page writes it for the feed.
fn header(scheme: &Scheme, feed: Feed) -> Option<&'static str> {
    match scheme {
        Scheme::Bearer(_) => Some("Authorization: Bearer <token>"),
        Scheme::ApiKey(_) => Some(match feed {
            Feed::LeadCluster => "X-Authorization: <token>",
            Feed::Lead | Feed::Inventory | Feed::LeadPro => "X-API-KEY: <token>",
        }),
        Scheme::Basic { .. } => Some("Authorization: Basic <username:password in base64>"),
        Scheme::OauthClient { .. } => Some("Authorization: Bearer <access token>"),
        Scheme::LeadproJwt(_) => Some("Authorization: <token that LeadPro signs>"),
        Scheme::Open => None,
    }
}

/// Whether the sender's page of the feed names the scheme.
fn can_show(scheme: &Scheme, feed: Feed) -> bool {
    match (scheme, feed) {
        (Scheme::Open | Scheme::LeadproJwt(_), _)
        | (Scheme::Bearer(_), Feed::Lead | Feed::LeadCluster | Feed::Inventory)
        | (Scheme::ApiKey(_), Feed::LeadCluster | Feed::Inventory)
        | (Scheme::Basic { .. }, Feed::Inventory)
        | (Scheme::OauthClient { .. }, Feed::Lead) => true,
        (Scheme::Bearer(_) | Scheme::ApiKey(_) | Scheme::Basic { .. } | Scheme::OauthClient { .. }, _) => false,
    }
}

fn notes(scheme: &Scheme, feed: Feed, is_ambiguous: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !can_show(scheme, feed) {
        let named = match feed {
            Feed::Lead => "names a bearer token and an OAuth client only: ask Dealer Studio whether it can send this",
            Feed::LeadCluster => {
                "names `Bearer` and `X-Authorization` only: ask Dealer Studio whether it can send this"
            }
            Feed::Inventory => "names Basic, `X-API-KEY` and `Bearer` only: ask Dealer Studio whether it can send this",
            Feed::LeadPro => {
                "knows no such setting: LeadPro signs what it posts (`scheme = \"leadpro_jwt\"`); this is for something \
                in between that adds the header"
            }
        };
        notes.push(format!("the sender's page {named}"));
    }
    if is_ambiguous {
        notes.push(
            "LeadPro does not say which workspace a lead is for, so that what comes is rejected: give it a credential \
            with one workspace"
                .to_owned(),
        );
    }
    notes
}
