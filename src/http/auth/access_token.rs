//! Access tokens of OAuth clients: signed by us, short-lived, and good without a database. A token names the credential
//! it was given for, which feeds it is for, and which workspaces the credential had; what the credential may do is looked
//! up when the token is used, so that a change of the configuration counts at once.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::jwt::{Compact, Key, TokenType};
use super::presented::digest;
use crate::domain::feed::Feed;
use crate::domain::workspace::Permitted;

/// Makes and verifies access tokens.
#[derive(Clone)]
pub struct AccessTokens {
    signing: Key,
    previous: Option<Key>,
    lifetime: Duration,
}

/// The claims of a token that we made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The id of the OAuth client that the token was given to.
    pub(super) client_id: String,
    /// The name of the credential that the token was given for.
    pub(super) credential: String,
    /// The feeds it is for.
    pub(super) scope: BTreeSet<Feed>,
    /// The workspaces of its credential, which another credential must have that is to take its place; `None` in a token
    /// of a version that did not write it.
    pub(super) workspaces: Option<WorkspacesDigest>,
}

/// A digest of the workspaces that a credential may write to: a token stays short however many there are. `all` is no
/// list of those that there are today, because it holds those of tomorrow as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkspacesDigest(String);

impl WorkspacesDigest {
    /// The digest; only of the same workspaces it is the same.
    pub(super) fn of(permitted: &Permitted) -> Self {
        let text = match permitted {
            Permitted::All => "all".to_owned(),
            // With their lengths, so that no other names give the same text; a set has one order.
            Permitted::Only(slugs) => {
                slugs.iter().flat_map(|slug| [slug.len().to_string(), ":".to_owned(), slug.clone()]).collect()
            }
        };
        Self(URL_SAFE_NO_PAD.encode(digest("workspaces", text.as_bytes())))
    }
}

/// The claims of a token, named as in RFC 9068 §2.2; `workspaces` is ours.
#[derive(Serialize, Deserialize)]
struct ClaimsPayload {
    iss: String,
    sub: String,
    client_id: String,
    scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspaces: Option<WorkspacesDigest>,
    iat: i64,
    exp: i64,
}

/// Who issues the tokens.
const ISSUER: &str = "forecourt";

impl AccessTokens {
    /// Tokens signed with the first key, which last for so long; those signed with the second are taken as well.
    #[must_use]
    pub fn new(signing: &SecretString, previous: Option<&SecretString>, lifetime: Duration) -> Self {
        Self { signing: Key::of(signing), previous: previous.map(Key::of), lifetime }
    }

    /// How long a token lasts.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Makes a token; `None` if the key cannot sign, which it always can.
    pub(super) fn issue(&self, grant: Grant, now: DateTime<Utc>) -> Option<String> {
        let Grant { client_id, credential, scope, workspaces } = grant;
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = ClaimsPayload {
            iss: ISSUER.to_owned(),
            sub: credential,
            client_id,
            scope: scope.iter().map(|feed| feed.name()).collect::<Vec<_>>().join(" "),
            workspaces,
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(lifetime),
        };
        self.signing.signed(TokenType::AccessToken, &serde_json::to_vec(&claims).ok()?)
    }

    /// What the token grants, if one of our keys signed it and it has not expired.
    pub(super) fn grant(&self, token: Compact<'_>, now: DateTime<Utc>) -> Option<Grant> {
        if !token.is_access_token {
            return None;
        }
        let keys = [Some(&self.signing), self.previous.as_ref()];
        let verified = keys.map(|key| key.and_then(|key| token.verified(key)));
        let claims = verified.into_iter().flatten().next()?;
        let ClaimsPayload { iss, sub, client_id, scope, workspaces, iat: _, exp } =
            serde_json::from_slice(&claims).ok()?;
        let scope = scope.split(' ').filter_map(Feed::named).collect();
        let is_good = iss == ISSUER && now.timestamp() < exp;
        is_good.then_some(Grant { client_id, credential: sub, scope, workspaces })
    }
}
