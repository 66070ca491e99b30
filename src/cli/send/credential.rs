//! The credential that payloads are sent with.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{self, Environment, Scheme, SecretError, SecretSource, demo};

use super::SendError;

/// Which credential to show; the secret itself never stands on a command line.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(super) struct CredentialArguments {
    /// A credential of the configuration, by its name [default: the token of the demo configuration]
    #[arg(long, value_name = "NAME")]
    pub(super) credential: Option<String>,
    /// The environment variable that holds a bearer token
    #[arg(long, value_name = "NAME")]
    pub(super) bearer_env: Option<String>,
    /// The file that holds a bearer token
    #[arg(long, value_name = "PATH")]
    pub(super) bearer_file: Option<PathBuf>,
    /// The environment variable that holds an API key
    #[arg(long, value_name = "NAME")]
    pub(super) api_key_env: Option<String>,
    /// The file that holds an API key
    #[arg(long, value_name = "PATH")]
    pub(super) api_key_file: Option<PathBuf>,
    /// The environment variable that holds `user:password`
    #[arg(long, value_name = "NAME")]
    pub(super) basic_env: Option<String>,
    /// The file that holds `user:password`
    #[arg(long, value_name = "PATH")]
    pub(super) basic_file: Option<PathBuf>,
    /// Show no credential, for feeds that are open
    #[arg(long)]
    pub(super) open: bool,
}

/// How the sender shows who it is.
#[derive(Debug)]
pub(super) enum Shown {
    /// Not at all.
    Nothing,
    /// By the same header every time.
    Header(CredentialHeader),
    /// By a token that it asks for first, with this pair in a header.
    Client(CredentialHeader),
    /// By signing each payload.
    Signature(SecretString),
}

/// A header that shows a credential.
#[derive(Debug)]
pub(super) struct CredentialHeader {
    pub(super) name: &'static str,
    pub(super) value: SecretString,
}

impl CredentialArguments {
    /// What to show.
    pub(super) fn shown(&self, config: Option<&Path>, environment: &Environment) -> Result<Shown, SendError> {
        let Self { credential, bearer_env, bearer_file, api_key_env, api_key_file, basic_env, basic_file, open } = self;
        let read = |name: &Option<String>, path: &Option<PathBuf>| {
            let file = || path.clone().map(SecretSource::File);
            let source = name.clone().map(SecretSource::Variable).or_else(file)?;
            Some(source.read(environment).map_err(SendError::Secret))
        };
        if let Some(name) = credential {
            return configured(name, config, environment);
        }
        if *open {
            return Ok(Shown::Nothing);
        }
        if let Some(token) = read(bearer_env, bearer_file) {
            return Ok(Shown::Header(CredentialHeader::bearer(&token?)));
        }
        if let Some(key) = read(api_key_env, api_key_file) {
            return Ok(Shown::Header(CredentialHeader::api_key(&key?)));
        }
        if let Some(pair) = read(basic_env, basic_file) {
            return Ok(Shown::Header(CredentialHeader::basic(pair?.expose_secret())));
        }
        demo_token(environment).map(|token| Shown::Header(CredentialHeader::bearer(&token)))
    }
}

impl CredentialHeader {
    pub(super) fn bearer(token: &SecretString) -> Self {
        Self { name: "Authorization", value: format!("Bearer {}", token.expose_secret()).into() }
    }

    fn api_key(key: &SecretString) -> Self {
        Self { name: "X-API-KEY", value: key.clone() }
    }

    /// From `user:password`.
    fn basic(pair: &str) -> Self {
        Self { name: "Authorization", value: format!("Basic {}", STANDARD.encode(pair)).into() }
    }
}

/// How a credential of the configuration is shown.
fn configured(name: &str, config: Option<&Path>, environment: &Environment) -> Result<Shown, SendError> {
    let config = config::load(config, environment).map_err(SendError::Configuration)?;
    let credential = config.credentials.iter().find(|credential| credential.name == name);
    let pair =
        |user: &str, secret: &SecretString| CredentialHeader::basic(&format!("{user}:{}", secret.expose_secret()));
    Ok(match &credential.ok_or_else(|| SendError::NoSuchCredential(name.to_owned()))?.scheme {
        Scheme::Bearer(token) => Shown::Header(CredentialHeader::bearer(token)),
        Scheme::ApiKey(key) => Shown::Header(CredentialHeader::api_key(key)),
        Scheme::Basic { user, password } => Shown::Header(pair(user, password)),
        Scheme::OauthClient { client_id, secret } => Shown::Client(pair(client_id, secret)),
        Scheme::LeadproJwt(secret) => Shown::Signature(secret.clone()),
        Scheme::Open => Shown::Nothing,
    })
}

fn demo_token(environment: &Environment) -> Result<SecretString, SendError> {
    let source = demo::token_source(environment).ok_or(SendError::NoDataDirectory)?;
    source.read(environment).map_err(|error| {
        if let SecretError::NoFile(path) = error { SendError::NoDemoToken(path) } else { SendError::Secret(error) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(arguments: &CredentialArguments, environment: &Environment) -> Option<(&'static str, String)> {
        match arguments.shown(None, environment).unwrap() {
            Shown::Header(header) => Some((header.name, header.value.expose_secret().to_owned())),
            Shown::Nothing => None,
            Shown::Client(_) | Shown::Signature(_) => panic!("no configuration is read here"),
        }
    }

    #[test]
    fn each_scheme_is_shown_in_its_header() {
        let environment = Environment::of([("SECRET", "a:b\n")]);
        let name = || Some("SECRET".to_owned());
        let cases = [
            (CredentialArguments { bearer_env: name(), ..Default::default() }, Some(("Authorization", "Bearer a:b"))),
            (CredentialArguments { api_key_env: name(), ..Default::default() }, Some(("X-API-KEY", "a:b"))),
            (CredentialArguments { basic_env: name(), ..Default::default() }, Some(("Authorization", "Basic YTpi"))),
            (CredentialArguments { open: true, ..Default::default() }, None),
        ];
        for (arguments, expected) in cases {
            assert_eq!(shown(&arguments, &environment), expected.map(|(name, value)| (name, value.to_owned())));
        }
    }

    #[test]
    fn without_a_choice_the_demo_token_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::of([("FORECOURT_DATA_DIR", folder.path().to_str().unwrap())]);
        let nothing = CredentialArguments::default();
        let path = folder.path().join("demo-token");
        let error = nothing.shown(None, &environment).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "there is no demo token in `{}`: start `forecourt` first, set FORECOURT_DATA_DIR as it is set for the \
                 service, or name a credential, for example with `--credential NAME`",
                path.display()
            )
        );
        std::fs::write(&path, "abc\n").unwrap();
        assert_eq!(shown(&nothing, &environment), Some(("Authorization", "Bearer abc".to_owned())));
    }
}
