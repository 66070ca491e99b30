//! Access tokens of OAuth clients: signed by us, short-lived, and good without a database. A token says which client it
//! was given to and which feeds it is for; what the client may do is looked up when the token is used, so that a change
//! of the configuration counts at once.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::jwt::{self, Compact, Key};
use crate::feeds::Feed;

/// Makes and verifies access tokens.
#[derive(Clone)]
pub struct AccessTokens {
    signing: EncodingKey,
    verifying: Vec<Key>,
    lifetime: Duration,
}

/// What a token that we made says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The client.
    pub(super) client_id: String,
    /// The name of the credential that the token was given for.
    pub(super) credential: String,
    /// The feeds it is for.
    pub(super) scope: BTreeSet<Feed>,
}

/// The claims of a token, named as in RFC 9068 §2.2.
#[derive(Serialize, Deserialize)]
struct ClaimsPayload {
    iss: String,
    sub: String,
    client_id: String,
    scope: String,
    iat: i64,
    exp: i64,
}

/// Who issues the tokens.
const ISSUER: &str = "forecourt";

impl AccessTokens {
    /// Tokens signed with the first key, which last for so long; those signed with the second are taken as well.
    #[must_use]
    pub fn new(signing: &SecretString, previous: Option<&SecretString>, lifetime: Duration) -> Self {
        let verifying = [Some(signing), previous].into_iter().flatten().map(Key::of).collect();
        Self { signing: EncodingKey::from_secret(signing.expose_secret().as_bytes()), verifying, lifetime }
    }

    /// How long a token lasts.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Makes a token; `None` if the key cannot sign, which an HMAC key always can.
    pub(super) fn issue(&self, grant: &Grant, now: DateTime<Utc>) -> Option<String> {
        let Grant { client_id, credential, scope } = grant;
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = ClaimsPayload {
            iss: ISSUER.to_owned(),
            sub: credential.clone(),
            client_id: client_id.clone(),
            scope: scope.iter().map(|feed| feed.name()).collect::<Vec<_>>().join(" "),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(lifetime),
        };
        // The type says what the token is for (RFC 9068 §2.1), so that no other signed token passes for one.
        let header = Header { typ: Some(jwt::ACCESS_TOKEN.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.signing).ok()
    }

    /// What the token grants, if one of our keys signed it and it has not expired.
    pub(super) fn grant(&self, token: Compact<'_>, now: DateTime<Utc>) -> Option<Grant> {
        if !token.is_access_token {
            return None;
        }
        let verified: Vec<_> = self.verifying.iter().map(|key| token.verified(key)).collect();
        let claims = verified.into_iter().flatten().next().filter(|claims| jwt::are_current(claims, now))?;
        let ClaimsPayload { iss, sub, client_id, scope, iat: _, exp: _ } = serde_json::from_slice(&claims).ok()?;
        let scope = scope.split(' ').filter_map(Feed::named).collect();
        (iss == ISSUER).then_some(Grant { client_id, credential: sub, scope })
    }
}
