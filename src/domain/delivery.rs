//! One authenticated POST, from the door to its record: what arrived, who may write what, and what is found out on the way.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::feed::Feed;
use super::finding::Finding;
use super::workspace::{DealershipId, Permitted};

/// A delivery that has been let in. Copies share the body.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, under which everything else knows it: a `UUIDv7`.
    pub id: Uuid,
    /// The kind of delivery.
    pub feed: Feed,
    /// When its head arrived.
    pub received_at: DateTime<Utc>,
    /// The name of the credential that let it in.
    pub credential: String,
    /// The workspaces that the credential may write to.
    pub permitted: Permitted,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body, its `Content-Encoding` undone where that was possible; of a signed token its claims.
    pub body: Body,
    /// What was posted where the body is something else, the claims of a signed token, and says something else.
    pub posted_body: Option<Body>,
    /// Why the body's `Content-Encoding` could not be undone.
    pub undecoded: Option<Finding>,
    /// The dealership id that the payload names, once that was found out.
    pub dealership_id: Option<DealershipId>,
    /// The schema version of a lead, once that was found out.
    pub schema_version: Option<&'static str>,
}

impl Delivery {
    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.posted_body.as_ref().map_or(0, |body| body.len())
    }

    /// Replaces letters that not every encoding of a database has.
    pub fn make_ascii(&mut self) {
        ascii(&mut self.credential);
        self.content_type.iter_mut().for_each(ascii);
    }
}

/// Replaces every letter beyond ASCII by a question mark.
pub(crate) fn ascii(text: &mut String) {
    if !text.is_ascii() {
        *text = text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
    }
}

/// The bytes of a body, with their digest, which is made once however many ask for it. Copies share both, because a body
/// may be on its way to several places at once.
#[derive(Clone, Default)]
pub struct Body(Arc<Shared>);

#[derive(Default)]
struct Shared {
    bytes: Vec<u8>,
    sha256: OnceLock<[u8; 32]>,
}

impl Body {
    /// Its SHA-256.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        self.0.sha256.get_or_init(|| Sha256::digest(&self.0.bytes).into())
    }

    /// Whether nobody has it any more, told by whoever keeps what is given here.
    #[cfg(test)]
    pub(crate) fn watch(&self) -> impl Fn() -> bool + use<> {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().is_none()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Shared { bytes, sha256: OnceLock::new() }))
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.0.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_body_share_its_digest() {
        let body = Body::from(b"{}".to_vec());
        let copy = body.clone();
        assert!(std::ptr::eq(body.sha256(), copy.sha256()));
        assert_eq!(body.sha256().as_slice(), Sha256::digest(b"{}").as_slice());
    }
}
