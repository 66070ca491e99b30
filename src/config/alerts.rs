//! `[alerts]`: where it is posted that a sender has fallen silent, and how that is signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::context::Context;
use super::public_url::{ascii, split_port};
use super::report::Report;
use super::secret::SecretSource;
use super::section::{Section, Text};

/// Where alerts are posted to.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// The address.
    pub url: AlertUrl,
    /// The key that signs them, if they are signed.
    pub key: Option<AlertKey>,
}

impl Alerts {
    /// Whether both say the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |alerts: &Self| alerts.key.as_ref().map(AlertKey::expose);
        self.url == other.url && key(self) == key(other)
    }
}

/// An address to post to. Its path may hold what nobody else should know, so that it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertUrl {
    origin: String,
    rest: String,
}

impl AlertUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("`url` {what}; write the address that alerts are posted to, such as {EXAMPLE}");
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| wrong("does not begin with `https://` or `http://`"))?;
        let scheme = ["https", "http"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
        let scheme = scheme.ok_or_else(|| wrong("does not begin with `https://` or `http://`"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(wrong("holds a user or a password"));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"{}|\\^`#".contains(c);
        if !path.chars().all(is_plain) {
            return Err(wrong("holds a character after the host that no address can hold there"));
        }
        let (host, port) = split_port(authority);
        let host = ascii(host).ok_or_else(|| wrong("has no host name"))?;
        let port = match port.map(str::parse::<u16>) {
            None => String::new(),
            Some(Ok(port)) if port > 0 => format!(":{port}"),
            Some(_) => return Err(wrong("has a port that is none")),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { origin: format!("{scheme}://{host}{port}"), rest: format!("{slash}{path}") })
    }

    /// The scheme, the host and the port: what may be told of it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The whole address.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}{}", self.origin, self.rest)
    }
}

impl fmt::Debug for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AlertUrl").field(&self.origin).finish()
    }
}

/// A key that signs alerts as Standard Webhooks says.
#[derive(Clone)]
pub struct AlertKey(SecretString);

/// What a key begins with as it is written.
const PREFIX: &str = "whsec_";
/// How many bytes a key has, as Standard Webhooks says.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl AlertKey {
    /// Reads a key as Standard Webhooks writes it: `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// What is wrong with it, and how one is made. Never repeats any of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "the secret of `[alerts]` {what}; it is `{PREFIX}` and 24 to 64 bytes in base64, as \
                 `echo {PREFIX}$(openssl rand -base64 32)` makes it"
            )
        };
        let encoded =
            text.trim().strip_prefix(PREFIX).ok_or_else(|| wrong(&format!("does not begin with `{PREFIX}`")))?;
        let bytes = STANDARD.decode(encoded).map_err(|_cause| wrong("is no base64"))?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(wrong(&format!("has {} bytes", bytes.len())));
        }
        Ok(Self(SecretString::from(encoded)))
    }

    /// Its bytes.
    #[must_use]
    pub fn expose(&self) -> Vec<u8> {
        // It was read once, and can be read again.
        STANDARD.decode(self.0.expose_secret()).unwrap_or_default()
    }
}

impl fmt::Debug for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlertKey")
    }
}

pub(super) const KEYS: &[&str] = &["url", "secret_env", "secret_file"];
const EXAMPLE: &str = "\"https://alerts.example.com.au/forecourt\"";

/// Reads `[alerts]`, which may be absent.
pub(super) fn read(root: &Section, context: &Context, report: &mut Report) -> Option<Alerts> {
    let section = Section::open_value("[alerts]", root.value("alerts")?, KEYS, report)?;
    let url = section.required_text("url", EXAMPLE, report);
    let key = key(&section, context, report);
    let url =
        url.and_then(|url| AlertUrl::parse(url.get_ref()).map_err(|wrong| report.problem(&url.span(), wrong)).ok());
    Some(Alerts { url: url?, key })
}

/// The key, from the variable or the file that is named.
fn key(section: &Section, context: &Context, report: &mut Report) -> Option<AlertKey> {
    let variable = section.text("secret_env", "\"ALERTS_SECRET\"", report);
    let file = section.text("secret_file", "\"/run/secrets/alerts\"", report);
    if let (Some(_), Some(file)) = (&variable, &file) {
        report.problem(&file.span(), "the secret is named twice; keep one of `secret_env` and `secret_file`");
    }
    let of_variable = |name: Text| (name.span(), SecretSource::variable(name.get_ref()));
    let of_file = |path: Text| (path.span(), SecretSource::file(context.base, path.get_ref()));
    let (span, source) = variable.map(of_variable).or_else(|| file.map(of_file))?;
    if let Some(exposed) = source.exposed() {
        report.warning(&span, exposed);
    }
    if let SecretSource::File(path) = &source {
        report.used(path);
    }
    let secret = source.read(context.environment).map_err(|error| report.problem(&span, error.to_string())).ok()?;
    AlertKey::parse(secret.expose_secret()).map_err(|wrong| report.problem(&span, wrong)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_stands_behind_its_host() {
        for (written, origin, whole) in [
            (
                "https://alerts.example/hook/s3cret?x=1",
                "https://alerts.example",
                "https://alerts.example/hook/s3cret?x=1",
            ),
            ("HTTP://Alerts.Example:8080", "http://alerts.example:8080", "http://alerts.example:8080/"),
            ("https://händler.example?k=v", "https://xn--hndler-bua.example", "https://xn--hndler-bua.example/?k=v"),
            ("http://[::1]:9/a", "http://[::1]:9", "http://[::1]:9/a"),
        ] {
            let url = AlertUrl::parse(written).unwrap();
            assert_eq!((url.origin(), url.expose().as_str()), (origin, whole), "{written}");
            assert!(!format!("{url:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write_and_without_repeating_it() {
        for (written, why) in [
            ("alerts.example/s3cret", "does not begin with"),
            ("ftp://alerts.example/s3cret", "does not begin with"),
            ("https://", "has no host name"),
            ("https://user:s3cret@alerts.example/", "holds a user or a password"),
            ("https://alerts.example:0/s3cret", "has a port that is none"),
            ("https://alerts.example/s3cret part", "holds a character"),
            ("https://alerts.example/#s3cret", "holds a character"),
        ] {
            let refusal = AlertUrl::parse(written).unwrap_err();
            assert!(refusal.contains(why) && refusal.ends_with(EXAMPLE) && !refusal.contains("s3cret"), "{refusal}");
        }
    }

    #[test]
    fn a_key_is_that_of_standard_webhooks() {
        let key = AlertKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        assert_eq!((key.expose().len(), format!("{key:?}").as_str()), (24, "AlertKey"));
        for (written, why) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with `whsec_`"),
            ("whsec_MfKQ9r8GKYqrTwjU", "has 12 bytes"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "is no base64"),
        ] {
            let refusal = AlertKey::parse(written).unwrap_err();
            assert!(refusal.contains(why) && !refusal.contains("MfKQ"), "{refusal}");
        }
    }
}
