//! How a credential is shown at the door, and where its secret is read from.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::context::Context;
use super::report::{Report, Span, quoted, suggestion};
use super::secret::SecretSource;
use super::section::{Section, Text};

/// How a credential is shown, with its secret.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// `Authorization: Bearer <secret>`.
    Bearer(SecretString),
    /// One of the API key headers.
    ApiKey(SecretString),
    /// `Authorization: Basic <base64 of user:password>`.
    Basic {
        /// The user; holds no colon.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token of `POST /oauth/token`, as `Authorization: Bearer <token>`.
    OauthClient {
        /// The client's id; holds no colon.
        client_id: String,
        /// Its secret.
        secret: SecretString,
    },
    /// `Authorization: <jwt>`, signed with the secret; its claims are the payload.
    LeadproJwt(SecretString),
    /// Nothing is asked.
    Open,
}

impl Scheme {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::ApiKey(_) => "api_key",
            Self::Basic { .. } => "basic",
            Self::OauthClient { .. } => "oauth_client",
            Self::LeadproJwt(_) => "leadpro_jwt",
            Self::Open => "open",
        }
    }

    /// The secret that it is shown with or signed with, if any.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Bearer(secret)
            | Self::ApiKey(secret)
            | Self::Basic { user: _, password: secret }
            | Self::OauthClient { client_id: _, secret }
            | Self::LeadproJwt(secret) => Some(secret),
            Self::Open => None,
        }
    }
}

const SCHEMES: &[&str] = &["bearer", "api_key", "basic", "oauth_client", "leadpro_jwt", "open"];

/// Reads the scheme of a credential with its secret; a client without an id of its own has the credential's name.
pub(super) fn read(section: &Section, context: &Context, name: Option<&str>, report: &mut Report) -> Option<Scheme> {
    let scheme = section.required_text("scheme", "\"bearer\"", report);
    let named = named_secret(section, context.base, report);
    let scheme = scheme?;
    let user = own_text(section, "user", "basic", &scheme, report);
    let client_id = own_text(section, "client_id", "oauth_client", &scheme, report);
    match *scheme.get_ref() {
        "bearer" => header_secret(section, named, context, report).map(Scheme::Bearer),
        "api_key" => header_secret(section, named, context, report).map(Scheme::ApiKey),
        "basic" => {
            let user = basic_user(section, user.as_ref(), report);
            let password = secret(section, named.as_ref(), context, report);
            Some(Scheme::Basic { user: user?, password: password? })
        }
        "oauth_client" => {
            let whose = "client id of an `oauth_client`";
            let client_id = without_colon(client_id.as_ref(), whose, report).or(name.map(str::to_owned));
            let secret = secret(section, named.as_ref(), context, report);
            Some(Scheme::OauthClient { client_id: client_id?, secret: secret? })
        }
        "leadpro_jwt" => secret(section, named.as_ref(), context, report).map(Scheme::LeadproJwt),
        "open" => {
            if let Some(Named { span, .. }) = named {
                report.problem(&span, "an open credential asks for no secret; leave it out, or choose another scheme");
            }
            Some(Scheme::Open)
        }
        unknown => {
            let near = suggestion(unknown, SCHEMES.iter().copied());
            let near = if near.is_empty() { ";" } else { &near };
            let known = quoted(SCHEMES.iter().copied());
            report.problem(&scheme.span(), format!("unknown scheme `{unknown}`{near} write one of {known}"));
            None
        }
    }
}

/// A text that only one scheme has.
fn own_text<'a>(section: &Section<'a>, key: &str, owner: &str, scheme: &Text, report: &mut Report) -> Option<Text<'a>> {
    let text = section.text(key, "\"dealer-studio\"", report)?;
    let other = *scheme.get_ref() != owner && SCHEMES.contains(scheme.get_ref());
    if other {
        let message = format!("`{key}` belongs to the scheme `{owner}`; leave it out, or write `scheme = \"{owner}\"`");
        report.problem(&text.span(), message);
    }
    Some(text)
}

fn basic_user(section: &Section, user: Option<&Text>, report: &mut Report) -> Option<String> {
    if user.is_none() && section.value("user").is_none() {
        report.problem(&section.span(), "a `basic` credential has a user; write `user = \"dealer-studio\"`");
    }
    without_colon(user, "user of a `basic`", report)
}

/// A name that is shown before a colon, and so holds none.
fn without_colon(text: Option<&Text>, what: &str, report: &mut Report) -> Option<String> {
    let text = text?;
    if text.get_ref().contains(':') {
        report.problem(&text.span(), format!("the {what} credential cannot hold a colon; write one without"));
    }
    Some((*text.get_ref()).to_owned())
}

/// Where the file says that the secret stands.
pub(super) fn secret_source(section: &Section, base: &Path) -> Option<SecretSource> {
    let named = |key| Some(section.value(key)?.get_ref().as_str()?.trim());
    let variable = named("secret_env").map(SecretSource::variable);
    variable.or_else(|| named("secret_file").map(|path| SecretSource::file(base, path)))
}

/// Where the file says that the secret stands, and the place of that line.
struct Named {
    span: Span,
    source: SecretSource,
}

fn named_secret(section: &Section, base: &Path, report: &mut Report) -> Option<Named> {
    let variable = section.text("secret_env", "\"DEALER_STUDIO_TOKEN\"", report);
    let file = section.text("secret_file", "\"/run/secrets/dealer_studio\"", report);
    if let (Some(_), Some(file)) = (&variable, &file) {
        report.problem(&file.span(), "the secret is named twice; keep one of `secret_env` and `secret_file`");
    }
    let of_variable = |name: Text| Named { span: name.span(), source: SecretSource::variable(name.get_ref()) };
    let of_file = |path: Text| Named { span: path.span(), source: SecretSource::file(base, path.get_ref()) };
    variable.map(of_variable).or(file.map(of_file))
}

/// Reads the secret that the file names, or reports why it cannot be had.
fn secret(section: &Section, named: Option<&Named>, context: &Context, report: &mut Report) -> Option<SecretString> {
    let Some(Named { span, source }) = named else {
        let reported_already = ["secret_env", "secret_file", "secret", "password", "token"];
        if reported_already.iter().all(|key| section.value(key).is_none()) {
            let message = "the credential has no secret; write `secret_env = \"NAME\"` or `secret_file = \"path\"`";
            report.problem(&section.span(), message);
        }
        return None;
    };
    if let Some(exposed) = source.exposed() {
        report.warning(span, exposed);
    }
    if let SecretSource::File(path) = source {
        report.used(path);
    }
    source.read(context.environment).map_err(|error| report.problem(span, error.to_string())).ok()
}

/// A secret that is sent as it is in a header, and so must be fit to stand in one.
fn header_secret(
    section: &Section,
    named: Option<Named>,
    context: &Context,
    report: &mut Report,
) -> Option<SecretString> {
    let secret = secret(section, named.as_ref(), context, report)?;
    let text = secret.expose_secret();
    if text.trim() != text || text.contains(char::is_control) {
        let span = named.map_or_else(|| section.span(), |named| named.span);
        let message = "the secret begins or ends with a space or holds a control character, so no header can carry \
            it; make one of letters and digits";
        report.problem(&span, message);
    }
    Some(secret)
}
