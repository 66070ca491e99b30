//! Who may enter: the schemes as a small pure core. It takes headers and a time and finds the credential that they prove; it
//! knows no database, no clock and no replies.
//!
//! What is presented is hashed and compared with every candidate, and a signed token is verified with every key, without
//! stopping at the first that fits, so the time an attempt takes does not reveal how near it came.

mod access_token;
mod client;
mod jwt;
mod presented;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use subtle::Choice;

use crate::config::{Credential, Scheme};
use crate::domain::feed::Feed;
pub use access_token::AccessTokens;
use access_token::{Grant, WorkspacesDigest};
pub use client::{ClientProof, ClientProofError};
pub use jwt::sign;
use presented::{API_KEY, BASIC, BEARER, Fingerprint, Presented, digest, equals_any};

/// Why a set of credentials cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Two credentials have one name.
    #[error("the credential name `{name}` is used twice")]
    DuplicateName {
        /// The credential's name in the configuration.
        name: String,
    },
    /// A secret is the empty text, which anyone could present.
    #[error("the secret of the credential `{name}` is empty")]
    EmptySecret {
        /// The credential's name.
        name: String,
    },
    /// A Basic user name or a client id holds a colon, so that name and secret could not be separated.
    #[error("the user name or client id of the credential `{name}` holds a colon")]
    UserWithColon {
        /// The credential's name.
        name: String,
    },
    /// A header that is to carry API keys cannot be called so.
    #[error("`{name}` cannot be the name of a header")]
    HeaderName {
        /// What the configuration gives as the header's name.
        name: String,
    },
}

/// Nothing that was presented proves a credential of the feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no credential of this feed was presented")]
pub struct AuthError {
    /// The schemes that were tried, by name; never what was presented.
    pub tried: BTreeSet<&'static str>,
    /// Digests of what was presented, from which a keyed fingerprint can be made. Not to be shown as they are.
    pub presented: Vec<[u8; 32]>,
    /// The credential that would have been proven before its `not_after`.
    pub expired: Option<String>,
}

/// Whom the headers of a request prove.
#[derive(Debug)]
pub struct Proven<'c> {
    /// The credential that was proven.
    pub credential: &'c Credential,
    /// The claims of a signed token, byte for byte: they are the payload.
    pub claims: Option<Vec<u8>>,
}

/// What a client gets that asks for a token.
#[derive(Debug)]
pub struct Issued<'c> {
    /// The credential that was proven.
    pub credential: &'c Credential,
    /// The signed token, as the client is to present it.
    pub token: SecretString,
    /// The feeds it is for.
    pub scope: BTreeSet<Feed>,
    /// How long it lasts.
    pub lifetime: Duration,
}

/// Why a client gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// No client has this id and secret.
    #[error("no client has this id and secret")]
    Client,
    /// The scope names what is no feed, or none of the client's.
    #[error("the scope is not within the client's")]
    Scope,
}

/// Every credential of the configuration.
pub struct Credentials {
    candidates: Vec<Candidate>,
    api_key_headers: Vec<HeaderName>,
    tokens: Option<AccessTokens>,
}

/// A credential with what proves it.
struct Candidate {
    credential: Credential,
    proof: Proof,
}

/// What proves a credential.
enum Proof {
    /// A secret with this digest.
    Secret(Fingerprint),
    /// A token that was given to the client, for this credential or for one of these workspaces; and for getting one, a
    /// pair with this digest.
    Client(Fingerprint, WorkspacesDigest),
    /// A signature with this key.
    Signature(jwt::Key),
    /// Nothing is asked.
    Nothing,
}

/// The headers in which an API key is looked for, whatever the configuration names. Dealer Studio's pages spell the
/// first both ways.
const API_KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x_api_key"),
    HeaderName::from_static("x-authorization"),
];

impl Credentials {
    /// Takes the credentials of a configuration, the names of further API key headers, and what makes the tokens of OAuth
    /// clients.
    ///
    /// # Errors
    ///
    /// When a credential could not be distinguished from another, or would let anyone in without being `open`; when a header
    /// cannot have such a name.
    pub fn new(
        credentials: Vec<Credential>,
        api_key_headers: &[String],
        tokens: Option<AccessTokens>,
    ) -> Result<Self, CredentialError> {
        let mut names = BTreeSet::new();
        for credential in &credentials {
            check(credential)?;
            if !names.insert(credential.name.clone()) {
                return Err(CredentialError::DuplicateName { name: credential.name.clone() });
            }
        }
        let candidates =
            credentials.into_iter().map(|credential| Candidate { proof: Proof::of(&credential), credential }).collect();
        let mut headers = API_KEY_HEADERS.to_vec();
        for name in api_key_headers {
            let unusable = |_cause| CredentialError::HeaderName { name: name.clone() };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(unusable)?;
            if !headers.contains(&name) {
                headers.push(name);
            }
        }
        Ok(Self { candidates, api_key_headers: headers, tokens })
    }

    /// The credential of the feed that the headers prove. Where several are proven the first of the configuration
    /// counts, and an open one only where none is.
    ///
    /// # Errors
    ///
    /// When no credential of the feed is proven.
    pub fn authenticate(&self, headers: &HeaderMap, feed: Feed, now: DateTime<Utc>) -> Result<Proven<'_>, AuthError> {
        let presented = Presented::of(headers, &self.api_key_headers);
        let grant = presented.token.and_then(|token| self.grant(token, now));
        let mut found = Found::default();
        for Candidate { credential, proof } in &self.candidates {
            let of_feed = Choice::from(u8::from(credential.feeds.contains(&feed)));
            let (proven, match_kind) = match proof {
                Proof::Secret(digest) => (equals_any(digest, &presented.digests), MatchKind::Own(None)),
                Proof::Signature(key) => signed(&presented, key, now),
                Proof::Client(_, workspaces) => granted(credential, workspaces, grant.as_ref(), feed),
                Proof::Nothing => (Choice::from(1), MatchKind::Open),
            };
            if bool::from(proven & of_feed) {
                found.add(credential, match_kind, now);
            }
        }
        let Found { own, same_client, open, expired } = found;
        own.or(same_client).or(open).ok_or(AuthError { tried: presented.tried, presented: presented.digests, expired })
    }

    /// What a token grants that we made. The workspaces are those of its credential as it is now, also where that lets
    /// nobody in any more; of one that is gone, those that it had when the token was made.
    fn grant(&self, token: jwt::Compact<'_>, now: DateTime<Utc>) -> Option<Grant> {
        let grant = self.tokens.as_ref()?.grant(token, now)?;
        let own = self.candidates.iter().find_map(|Candidate { credential, proof }| match proof {
            Proof::Client(_, workspaces) if is_own(credential, &grant) => Some(workspaces.clone()),
            Proof::Client(..) | Proof::Secret(_) | Proof::Signature(_) | Proof::Nothing => None,
        });
        Some(Grant { workspaces: own.or(grant.workspaces), ..grant })
    }

    /// Gives a client a token for the feeds it asks for, which are all of its feeds where it asks for none. Where two
    /// credentials have its id and secret, the token is for the first that is valid.
    ///
    /// # Errors
    ///
    /// When nobody has this id and secret, or the scope is not within the client's.
    pub fn issue(
        &self,
        proof: &ClientProof,
        scope: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Issued<'_>, TokenRefused> {
        let mut proven = None;
        for Candidate { credential, proof: own } in &self.candidates {
            let Proof::Client(digest, workspaces) = own else { continue };
            if bool::from(equals_any(digest, &proof.digests)) && credential.is_valid(now) {
                proven = proven.or(Some((credential, workspaces)));
            }
        }
        let (credential, workspaces) = proven.ok_or(TokenRefused::Client)?;
        let (Scheme::OauthClient { client_id, .. }, Some(tokens)) = (&credential.scheme, &self.tokens) else {
            return Err(TokenRefused::Client);
        };
        let scope = match scope {
            None => credential.feeds.clone(),
            Some(names) => narrowed(names, &credential.feeds).ok_or(TokenRefused::Scope)?,
        };
        let grant = Grant {
            client_id: client_id.clone(),
            credential: credential.name.clone(),
            scope: scope.clone(),
            workspaces: Some(workspaces.clone()),
        };
        let token = tokens.issue(grant, now).ok_or(TokenRefused::Client)?;
        Ok(Issued { credential, token: SecretString::from(token), scope, lifetime: tokens.lifetime() })
    }

    /// The values of `WWW-Authenticate` for a feed, one for each scheme that has a challenge. A refusal must carry
    /// one (RFC 9110 §11.6.1), so a feed that knows only API keys, which have none, asks for a bearer token.
    #[must_use]
    pub fn challenges(&self, feed: Feed) -> Vec<HeaderValue> {
        let of_feed = |fits: fn(&Scheme) -> bool| {
            self.candidates.iter().any(|each| each.credential.feeds.contains(&feed) && fits(&each.credential.scheme))
        };
        let basic = of_feed(|scheme| matches!(scheme, Scheme::Basic { .. }));
        let bearer = |scheme: &Scheme| match scheme {
            Scheme::Bearer(_) | Scheme::OauthClient { .. } | Scheme::LeadproJwt(_) => true,
            Scheme::ApiKey(_) | Scheme::Basic { .. } | Scheme::Open => false,
        };
        let bearer = of_feed(bearer) || !basic;
        let mut challenges = Vec::new();
        if bearer {
            challenges.push(HeaderValue::from_static("Bearer realm=\"forecourt\""));
        }
        if basic {
            challenges.push(HeaderValue::from_static("Basic realm=\"forecourt\", charset=\"UTF-8\""));
        }
        challenges
    }

    /// The names of the headers that can hold a secret.
    pub fn secret_headers(&self) -> impl Iterator<Item = HeaderName> {
        self.api_key_headers.iter().cloned().chain([AUTHORIZATION])
    }
}

/// How a credential was proven; what stands first wins.
enum MatchKind {
    /// By what is its own; with the claims of a signed token.
    Own(Option<Vec<u8>>),
    /// By a token that was given for another credential of its client, in whose place it stands.
    SameClient,
    /// By nothing, because it asks for nothing.
    Open,
}

/// What the candidates have come to so far. The first of each kind counts.
#[derive(Default)]
struct Found<'c> {
    own: Option<Proven<'c>>,
    same_client: Option<Proven<'c>>,
    open: Option<Proven<'c>>,
    expired: Option<String>,
}

impl<'c> Found<'c> {
    /// Takes a credential that was proven.
    fn add(&mut self, credential: &'c Credential, match_kind: MatchKind, now: DateTime<Utc>) {
        if !credential.is_valid(now) {
            self.expired.get_or_insert_with(|| credential.name.clone());
            return;
        }
        let (place, claims) = match match_kind {
            MatchKind::Own(claims) => (&mut self.own, claims),
            MatchKind::SameClient => (&mut self.same_client, None),
            MatchKind::Open => (&mut self.open, None),
        };
        place.get_or_insert(Proven { credential, claims });
    }
}

impl Proof {
    /// What proves a credential.
    fn of(credential: &Credential) -> Self {
        match &credential.scheme {
            Scheme::Bearer(secret) => Self::Secret(digest(BEARER, secret.expose_secret().as_bytes())),
            Scheme::ApiKey(secret) => Self::Secret(digest(API_KEY, secret.expose_secret().as_bytes())),
            Scheme::Basic { user, password } => {
                let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
                Self::Secret(digest(BASIC, pair.expose_secret().as_bytes()))
            }
            Scheme::OauthClient { client_id, secret } => Self::Client(
                client::client_digest(client_id.as_bytes(), secret.expose_secret().as_bytes()),
                WorkspacesDigest::of(&credential.permitted),
            ),
            Scheme::LeadproJwt(secret) => Self::Signature(jwt::Key::of(secret)),
            Scheme::Open => Self::Nothing,
        }
    }
}

/// Whether the key signed the token that is presented, and the claims if they may be used now.
fn signed(presented: &Presented<'_>, key: &jwt::Key, now: DateTime<Utc>) -> (Choice, MatchKind) {
    let claims = presented.token.and_then(|token| token.verified(key)).filter(|claims| jwt::are_current(claims, now));
    (Choice::from(u8::from(claims.is_some())), MatchKind::Own(claims))
}

/// Whether a token that grants this is good for the credential: it is the one that the token was given for, or one of the
/// same client and exactly the same workspaces, so that a client whose secret is changed keeps the token it has. A client
/// whose credentials have different workspaces could else write with a token of one where only the other may.
fn granted(
    credential: &Credential,
    workspaces: &WorkspacesDigest,
    grant: Option<&Grant>,
    feed: Feed,
) -> (Choice, MatchKind) {
    let Some(grant) = grant else { return (Choice::from(0), MatchKind::SameClient) };
    let (is_own, is_same) = (is_own(credential, grant), grant.workspaces.as_ref() == Some(workspaces));
    let good = is_of_client(credential, grant) && grant.scope.contains(&feed) && (is_own || is_same);
    let match_kind = if is_own { MatchKind::Own(None) } else { MatchKind::SameClient };
    (Choice::from(u8::from(good)), match_kind)
}

/// Whether it is the credential that a token was given for: the name decides, as it does in the tables and the log.
fn is_own(credential: &Credential, grant: &Grant) -> bool {
    is_of_client(credential, grant) && grant.credential == credential.name
}

fn is_of_client(credential: &Credential, grant: &Grant) -> bool {
    matches!(&credential.scheme, Scheme::OauthClient { client_id, .. } if *client_id == grant.client_id)
}

/// The feeds that a scope names (RFC 6749 §3.3), if they are all among these.
fn narrowed(names: &str, feeds: &BTreeSet<Feed>) -> Option<BTreeSet<Feed>> {
    let asked: Option<BTreeSet<Feed>> = names.split(' ').filter(|name| !name.is_empty()).map(Feed::named).collect();
    asked.filter(|asked| !asked.is_empty() && asked.is_subset(feeds))
}

/// Refuses a credential whose settings could never let a request in.
fn check(credential: &Credential) -> Result<(), CredentialError> {
    let name = || credential.name.clone();
    let secret = match &credential.scheme {
        Scheme::Bearer(secret) | Scheme::ApiKey(secret) | Scheme::LeadproJwt(secret) => secret,
        Scheme::Basic { user, .. } | Scheme::OauthClient { client_id: user, .. } if user.contains(':') => {
            return Err(CredentialError::UserWithColon { name: name() });
        }
        Scheme::Basic { password, .. } | Scheme::OauthClient { secret: password, .. } => password,
        Scheme::Open => return Ok(()),
    };
    if secret.expose_secret().is_empty() { Err(CredentialError::EmptySecret { name: name() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
