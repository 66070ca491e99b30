//! What a request presents: digests of secrets, and a token where there is one. Nothing of it is kept as text.

use std::collections::BTreeSet;

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::jwt::Compact;

/// The SHA-256 of a scheme's name and what is presented under it.
pub(super) type Fingerprint = [u8; 32];

pub(super) const BEARER: &str = "bearer";
pub(super) const API_KEY: &str = "api_key";
pub(super) const BASIC: &str = "basic";
pub(super) const CLIENT: &str = "oauth_client";
const JWT: &str = "leadpro_jwt";

/// Base64 as senders write it: with its padding or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request presents.
#[derive(Default)]
pub(super) struct Presented<'h> {
    pub(super) digests: Vec<Fingerprint>,
    pub(super) tried: BTreeSet<&'static str>,
    /// A token that has the right form and algorithm; whether it is genuine is still open.
    pub(super) token: Option<Compact<'h>>,
}

impl<'h> Presented<'h> {
    /// Looks at the headers that can prove something. Two `Authorization` headers prove nothing: which of them a proxy
    /// looked at cannot be known.
    pub(super) fn of(headers: &'h HeaderMap, api_key_headers: &[HeaderName]) -> Self {
        let mut presented = Self::default();
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next()) {
            (Some(_), Some(_)) => {
                for value in headers.get_all(AUTHORIZATION) {
                    presented.add("two_authorizations", value.as_bytes());
                }
                return presented;
            }
            (Some(value), None) => presented.add_authorization(value.as_bytes()),
            (None, _) => (),
        }
        for value in api_key_headers.iter().flat_map(|name| headers.get_all(name)) {
            presented.add(API_KEY, value.as_bytes());
        }
        presented
    }

    fn add(&mut self, scheme: &'static str, value: &[u8]) {
        self.tried.insert(scheme);
        self.digests.push(digest(scheme, value));
    }

    /// Takes `<scheme> <rest>`; the scheme's name is read without regard to case (RFC 9110 §11.1). LeadPro sends its
    /// token without one.
    fn add_authorization(&mut self, value: &'h [u8]) {
        let (scheme, rest) = split_scheme(value);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            self.add(BEARER, rest);
            self.token = Compact::parse(rest);
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            self.tried.insert(BASIC);
            match BASE64.decode(rest) {
                Ok(pair) => self.add(BASIC, &pair),
                Err(_no_base64) => self.digests.push(digest("undecoded", rest)),
            }
        } else if rest.is_empty() && Compact::looks_like(scheme) {
            self.add(JWT, scheme);
            self.token = Compact::parse(scheme);
        } else {
            // Under a name that no credential has, so that it proves nothing.
            self.add("other", value);
        }
    }
}

/// The scheme of an `Authorization` header, and what follows it.
pub(super) fn split_scheme(value: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = value.splitn(2, |byte| *byte == b' ');
    let scheme = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    (scheme, rest.split_at(start).1)
}

/// The scheme is part of the digest, so that a secret presented under another scheme never equals.
pub(super) fn digest(scheme: &str, value: &[u8]) -> Fingerprint {
    Sha256::new().chain_update(scheme).chain_update([0]).chain_update(value).finalize().into()
}

/// Compares with every one of them, in the same time whichever fits.
pub(super) fn equals_any(digest: &Fingerprint, others: &[Fingerprint]) -> Choice {
    others.iter().fold(Choice::from(0), |equal, other| equal | digest.ct_eq(other))
}
