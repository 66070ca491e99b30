//! `[oauth]`: how the access tokens of OAuth clients are signed.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::environment::Environment;
use super::report::{Report, Span};
use super::secret::SecretSource;
use super::section::Section;

/// How access tokens are signed.
#[derive(Clone, Debug)]
pub struct Oauth {
    /// The key that signs; without one, a key is made and kept in the data directory.
    pub signing_key: Option<SecretString>,
    /// The key that signed before, whose tokens are still taken.
    pub previous_signing_key: Option<SecretString>,
    /// How long a token lasts; an hour by default.
    pub token_lifetime: Duration,
}

pub(super) const KEYS: &[&str] =
    &["signing_key_env", "signing_key_file", "previous_signing_key_env", "previous_signing_key_file", "token_seconds"];
const TOKEN_SECONDS: RangeInclusive<i64> = 60..=86_400;
/// A key for HS256 has 256 bits at least (RFC 7518 §3.2).
const KEY_BYTES: usize = 32;

/// Reads `[oauth]`, which may be absent; `base` is the folder that relative paths start from.
pub(super) fn read(root: &Section, base: &Path, environment: &Environment, report: &mut Report) -> Oauth {
    let section = root.value("oauth").and_then(|value| Section::open_value("[oauth]", value, KEYS, report));
    let mut key = |name| {
        let examples = (name, "OAUTH_SIGNING_KEY", "/run/secrets/oauth_signing_key");
        section.as_ref().and_then(|section| key(section, examples, base, environment, report))
    };
    let (signing_key, previous_signing_key) = (key("signing_key"), key("previous_signing_key"));
    let seconds = section.as_ref().and_then(|section| section.whole("token_seconds", &TOKEN_SECONDS, report));
    if let (Some(section), None, Some(_)) = (&section, &signing_key, &previous_signing_key) {
        let message =
            "there is a previous key and none that signs; name it with `signing_key_env` or `signing_key_file`";
        report.problem(&section.span(), message);
    }
    Oauth { signing_key, previous_signing_key, token_lifetime: Duration::from_secs(seconds.unwrap_or(3_600)) }
}

/// A key, from the variable or the file that is named; with a variable and a file that may be written there.
pub(super) fn key(
    section: &Section,
    examples: (&str, &str, &str),
    base: &Path,
    environment: &Environment,
    report: &mut Report,
) -> Option<SecretString> {
    let (span, key) = named_secret(section, examples, "key", base, environment, report)?;
    if key.expose_secret().len() < KEY_BYTES {
        let message = format!(
            "the key has less than {KEY_BYTES} characters, so it could be guessed; make one with `forecourt secret`"
        );
        report.problem(&span, message);
    }
    Some(key)
}

/// A secret, from the variable or the file that is named, and where it is named; with the words for what it is, and a
/// variable and a file that may be written there.
pub(super) fn named_secret(
    section: &Section,
    (name, variable_example, file_example): (&str, &str, &str),
    what: &str,
    base: &Path,
    environment: &Environment,
    report: &mut Report,
) -> Option<(Span, SecretString)> {
    let variable = section.text(&format!("{name}_env"), &format!("\"{variable_example}\""), report);
    let file = section.text(&format!("{name}_file"), &format!("\"{file_example}\""), report);
    if let (Some(_), Some(file)) = (&variable, &file) {
        let message = format!("the {what} is named twice; keep one of `{name}_env` and `{name}_file`");
        report.problem(&file.span(), message);
    }
    let (span, source) = match (variable, file) {
        (Some(variable), _) => (variable.span(), SecretSource::variable(variable.get_ref())),
        (None, Some(file)) => (file.span(), SecretSource::file(base, file.get_ref())),
        (None, None) => return None,
    };
    if let Some(exposed) = source.exposed() {
        report.warning(&span, exposed);
    }
    if let SecretSource::File(path) = &source {
        report.used(path);
    }
    let secret = source.read(environment).map_err(|error| report.problem(&span, error.to_string())).ok()?;
    Some((span, secret))
}
