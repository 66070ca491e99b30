//! Signed tokens (RFC 7519): HS256 and nothing else, whatever their header asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// A token in its three parts, whose signature is not verified yet.
#[derive(Clone, Copy)]
pub(super) struct Compact<'t> {
    /// What is signed: the header and the claims.
    message: &'t str,
    claims: &'t str,
    signature: &'t str,
    /// Whether its header says that it is an access token (RFC 9068 §2.1).
    pub(super) is_access_token: bool,
}

/// A key that verifies signatures.
#[derive(Clone)]
pub(super) struct Key(DecodingKey);

/// The type of access tokens.
pub(super) const ACCESS_TOKEN: &str = "at+jwt";

/// How far a sender's clock may be ahead of ours, in seconds. A token that is used too early is only that; one that
/// has expired gets no such grace.
const AHEAD_SECONDS: f64 = 60.0;

impl<'t> Compact<'t> {
    /// Takes what looks like a token (RFC 7515 §7.1) and wants HS256. A header with critical extensions is refused,
    /// because none are understood here (RFC 7515 §4.1.11).
    pub(super) fn parse(token: &'t [u8]) -> Option<Self> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::HS256 || header.crit.is_some() {
            return None;
        }
        let (message, signature) = std::str::from_utf8(token).ok()?.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let is_access_token = header.typ.as_deref() == Some(ACCESS_TOKEN);
        Some(Self { message, claims, signature, is_access_token })
    }

    /// Whether bytes have a token's form, right or wrong.
    pub(super) fn looks_like(bytes: &[u8]) -> bool {
        bytes.split(|byte| *byte == b'.').count() == 3
    }

    /// The claims, byte for byte, if the key made the signature. The comparison takes the same time whatever it is.
    pub(super) fn verified(&self, key: &Key) -> Option<Vec<u8>> {
        let signed = jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), &key.0, Algorithm::HS256);
        if signed.ok()? { URL_SAFE_NO_PAD.decode(self.claims).ok() } else { None }
    }
}

impl Key {
    /// The key that the bytes of a secret are.
    pub(super) fn of(secret: &SecretString) -> Self {
        Self(DecodingKey::from_secret(secret.expose_secret().as_bytes()))
    }
}

/// Whether claims may be used now: `exp` and `nbf` count where they are present (RFC 7519 §4.1.4, §4.1.5), and one that
/// is no number cannot be kept. Claims that are not JSON have neither.
pub(super) fn are_current(claims: &[u8], now: DateTime<Utc>) -> bool {
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else { return true };
    let Ok(now) = u32::try_from(now.timestamp()).map(f64::from) else { return false };
    let holds = |name, rule: fn(f64, f64) -> bool| match claims.get(name) {
        None | Some(Value::Null) => true,
        Some(time) => time.as_f64().is_some_and(|time| rule(time, now)),
    };
    holds("exp", |expires, now| now < expires) && holds("nbf", |begins, now| begins <= now + AHEAD_SECONDS)
}
