//! What the doors know, from the configuration.

use std::error::Error;

use secrecy::SecretString;

use crate::config::{Config, Credential, Oauth, Scheme, keyring};
use crate::domain::feed::Feed;
use crate::http::access::{AccessPolicy, Limits};
use crate::http::auth::{AccessTokens, Credentials};

/// The file of the data directory that keeps the key of access tokens where the configuration names none.
const SIGNING_KEY_FILE: &str = "oauth-signing-key";

/// Who may enter, and how much they may bring.
///
/// # Errors
/// When credentials contradict each other, or the key of access tokens can be neither read nor made.
pub(super) fn open(config: &Config) -> Result<AccessPolicy, Box<dyn Error + Send + Sync>> {
    let tokens = tokens(config)?;
    let credentials = Credentials::new(config.credentials.clone(), &config.server.api_key_headers, tokens)?;
    let limits = |limits: Limits, feed: &Feed| limits.with(*feed, config.server.body_limit(*feed));
    Ok(AccessPolicy { credentials, limits: Feed::ALL.iter().fold(Limits::default(), limits) })
}

/// What makes access tokens, where there is a client that could ask for one.
fn tokens(config: &Config) -> Result<Option<AccessTokens>, Box<dyn Error + Send + Sync>> {
    let is_client = |credential: &Credential| matches!(credential.scheme, Scheme::OauthClient { .. });
    if !config.credentials.iter().any(is_client) {
        return Ok(None);
    }
    let Oauth { signing_key, previous_signing_key, token_lifetime } = &config.oauth;
    let signing_key = match signing_key {
        Some(key) => key.clone(),
        None => kept_key(config)?,
    };
    Ok(Some(AccessTokens::new(&signing_key, previous_signing_key.as_ref(), *token_lifetime)))
}

fn kept_key(config: &Config) -> Result<SecretString, Box<dyn Error + Send + Sync>> {
    let path = config.server.data_dir.join(SIGNING_KEY_FILE);
    keyring::load_or_create_secret(&config.server.data_dir, SIGNING_KEY_FILE).map_err(|error| {
        format!(
            "the key of access tokens cannot be kept in `{}` ({error}): let forecourt write there, or name a key with \
             `signing_key_env` or `signing_key_file` in `[oauth]`",
            path.display()
        )
        .into()
    })
}
