//! Signed tokens made by hand, so that what the service verifies is not what it made itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Sha256, Sha384};

/// A token of claims, as senders make it.
pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    signed_as(r#"{"typ":"JWT","alg":"HS256"}"#, &claims.to_string(), secret)
}

/// A token with this header and these claims, byte for byte, signed by HS256 whatever the header says.
pub(crate) fn signed_as(header: &str, claims: &str, secret: &str) -> String {
    let message = message(header, claims);
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes()))
}

/// A token signed by HS384, which nobody takes.
pub(crate) fn signed_by_hs384(claims: &Value, secret: &str) -> String {
    let message = message(r#"{"typ":"JWT","alg":"HS384"}"#, &claims.to_string());
    let mut hmac = Hmac::<Sha384>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes()))
}

fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}
