//! How an OAuth client shows its id and secret when it asks for a token (RFC 6749 §2.3.1): by a Basic header or in the
//! form. The header's two parts should be form-encoded and often are not, so each is tried as sent and decoded.

use axum::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;

use super::presented::{BASE64, CLIENT, Fingerprint, digest, split_scheme};

/// What was shown, as digests.
pub struct ClientProof {
    pub(super) digests: Vec<Fingerprint>,
    /// The id that the header names, as sent and decoded; for a form that names it again.
    ids: Vec<Vec<u8>>,
}

/// Why a request shows no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProofError {
    /// It shows several at once, which is not allowed.
    Several,
    /// It shows none, or one that cannot be read.
    None,
}

impl ClientProof {
    /// What the header and the form's `client_id` and `client_secret` show.
    ///
    /// # Errors
    /// When they show nothing, or when both show a secret.
    pub fn of(headers: &HeaderMap, id: Option<&str>, secret: Option<&str>) -> Result<Self, ClientProofError> {
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next(), id, secret) {
            (Some(_), Some(_), _, _) | (Some(_), None, _, Some(_)) => Err(ClientProofError::Several),
            (Some(value), None, id, None) => {
                let proof = Self::of_header(value.as_bytes()).ok_or(ClientProofError::None)?;
                // Some clients name themselves in the form too. That is harmless as long as it is the same name.
                let same = id.is_none_or(|id| proof.ids.iter().any(|known| known == id.as_bytes()));
                if same { Ok(proof) } else { Err(ClientProofError::Several) }
            }
            (None, _, Some(id), Some(secret)) => {
                let pairs = [(id.as_bytes().to_vec(), secret.as_bytes().to_vec())];
                Ok(Self::of_pairs(pairs.into()))
            }
            (None, _, _, _) => Err(ClientProofError::None),
        }
    }

    fn of_header(value: &[u8]) -> Option<Self> {
        let (scheme, rest) = split_scheme(value);
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let pair = BASE64.decode(rest).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        let (id, secret) = (pair.get(..colon)?.to_vec(), pair.get(colon + 1..)?.to_vec());
        let decoded = (form_decoded(&id), form_decoded(&secret));
        Some(Self::of_pairs(vec![(id, secret), decoded]))
    }

    fn of_pairs(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let digests = pairs.iter().map(|(id, secret)| client_digest(id, secret)).collect();
        Self { digests, ids: pairs.into_iter().map(|(id, _)| id).collect() }
    }
}

/// The digest of a client's id and secret. Their lengths are in it, so that no other pair gives the same text.
pub(super) fn client_digest(id: &[u8], secret: &[u8]) -> Fingerprint {
    digest(CLIENT, &[id.len().to_string().as_bytes(), b":", id, secret].concat())
}

/// Undoes `application/x-www-form-urlencoded`: `+` is a space, `%41` an `A`. The value may hold `&` and `=` itself.
fn form_decoded(value: &[u8]) -> Vec<u8> {
    let plus = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<u8>>();
    percent_encoding::percent_decode(&plus).collect()
}
