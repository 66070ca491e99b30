//! Signed tokens (RFC 7519): HS256 and nothing else, whatever their header asks for.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use sha2::Sha256;

use crate::feeds::claims::{self, NumericDate, TokenTimes};

/// A token in its three parts, whose signature is not verified yet.
#[derive(Clone, Copy)]
pub(super) struct Compact<'t> {
    /// What is signed: the header and the claims, as they came.
    message: &'t [u8],
    claims: &'t [u8],
    signature: &'t [u8],
    /// Whether its header's type is that of an access token (RFC 9068 §2.1).
    pub(super) is_access_token: bool,
}

/// A key that makes and verifies signatures. HMAC takes keys of every length, so there always is one.
#[derive(Clone)]
pub(super) struct Key(Option<Hmac<Sha256>>);

/// What a token is for, by the type in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    /// A sender's own token, whose claims are checked against the credential's.
    Jwt,
    /// An access token (RFC 9068 §2.1), so that no other signed token passes for one.
    AccessToken,
}

/// The one algorithm.
const HS256: &str = "HS256";

/// How far a sender's clock may be ahead of ours, in seconds. A token that is used too early is only that; one that
/// has expired gets no such grace.
const AHEAD_SECONDS: f64 = 60.0;

impl<'t> Compact<'t> {
    /// Takes what looks like a token (RFC 7515 §7.1) and wants HS256. A header with critical extensions is refused,
    /// because none are understood here (RFC 7515 §4.1.11).
    pub(super) fn parse(token: &'t [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let message = token.get(..header.len() + 1 + claims.len())?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let Header { algorithm, kind, has_critical } = header;
        if algorithm != HS256 || has_critical {
            return None;
        }
        Some(Self { message, claims, signature, is_access_token: kind == TokenType::AccessToken.name() })
    }

    /// Whether bytes have a token's form, right or wrong.
    pub(super) fn looks_like(bytes: &[u8]) -> bool {
        bytes.split(|byte| *byte == b'.').count() == 3
    }

    /// The claims, byte for byte, if the key made the signature. The comparison takes the same time whatever it is.
    pub(super) fn verified(&self, key: &Key) -> Option<Vec<u8>> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature).ok()?;
        let mut hmac = key.0.clone()?;
        hmac.update(self.message);
        hmac.verify_slice(&signature).ok()?;
        URL_SAFE_NO_PAD.decode(self.claims).ok()
    }
}

impl Key {
    /// The key that the bytes of a secret are.
    pub(super) fn of(secret: &SecretString) -> Self {
        Self(Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok())
    }

    /// A token with these claims; `None` without a key.
    pub(super) fn signed(&self, kind: TokenType, claims: &[u8]) -> Option<String> {
        let header = format!(r#"{{"typ":"{}","alg":"{HS256}"}}"#, kind.name());
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut hmac = self.0.clone()?;
        hmac.update(message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes());
        Some(format!("{message}.{signature}"))
    }
}

impl TokenType {
    fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
        }
    }
}

/// Signs claims with a secret, as a sender does; `None` if that cannot be done, which it always can.
#[must_use]
pub fn sign(claims: &[u8], secret: &SecretString) -> Option<SecretString> {
    Key::of(secret).signed(TokenType::Jwt, claims).map(SecretString::from)
}

/// What is understood of a token's header. Everything else in it is ignored, whatever its type (RFC 7515 §4), and of a
/// repeated field the last counts.
#[derive(Default)]
struct Header {
    /// `alg`; empty where it is no text.
    algorithm: String,
    /// `typ`; empty where it is no text.
    kind: String,
    /// Whether there is a `crit`, be it what it may.
    has_critical: bool,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header of a token")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Header, M::Error> {
        let text = |value: Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let mut header = Header::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "alg" => header.algorithm = text(fields.next_value()?),
                "typ" => header.kind = text(fields.next_value()?),
                other => {
                    header.has_critical |= other == "crit";
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(header)
    }
}

/// Whether claims may be used now: `exp` and `nbf` count where they are present (RFC 7519 §4.1.4, §4.1.5), and one that
/// is no number cannot be kept. Claims that are not JSON have neither.
pub(super) fn are_current(claims: &[u8], now: DateTime<Utc>) -> bool {
    let Some(TokenTimes { expires, not_before }) = claims::token_times(claims) else { return true };
    let Ok(now) = u32::try_from(now.timestamp()).map(f64::from) else { return false };
    let holds = |date, rule: fn(f64, f64) -> bool| match date {
        NumericDate::Absent => true,
        NumericDate::At(time) => rule(time, now),
        NumericDate::Unusable => false,
    };
    holds(expires, |expires, now| now < expires) && holds(not_before, |begins, now| begins <= now + AHEAD_SECONDS)
}
