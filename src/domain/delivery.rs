//! One authenticated POST, from the door to its record: what arrived, who may write what, and what is found out on the way.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::{NoContext, Timestamp, Uuid, Version};

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
    /// The sender's id of what it is about, once that was found out: of the lead, the lead cluster or the vehicle.
    pub external_id: Option<String>,
    /// The schema version of a lead, once that was found out.
    pub schema_version: Option<&'static str>,
}

impl Delivery {
    /// Its id and its arrival, by which its row is found.
    #[must_use]
    pub fn key(&self) -> (Uuid, DateTime<Utc>) {
        (self.id, self.received_at)
    }

    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.posted_body.as_ref().map_or(0, |body| body.len())
    }

    /// Replaces letters that not every encoding of a database has.
    pub fn make_ascii(&mut self) {
        ascii(&mut self.credential);
        self.content_type.iter_mut().for_each(ascii);
        self.external_id.iter_mut().for_each(ascii);
    }
}

/// An id for a delivery that arrived then: a `UUIDv7` of that millisecond, so that the id alone tells where to look for it.
#[must_use]
pub fn id_at(received_at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(received_at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, received_at.timestamp_subsec_nanos()))
}

/// The millisecond that an id of [`id_at`] was made for; none of an id of another kind.
#[must_use]
pub fn arrival_of(id: Uuid) -> Option<DateTime<Utc>> {
    let is_of_time = id.get_version() == Some(Version::SortRand);
    let milliseconds = i64::try_from(id.as_u128() >> 80).ok().filter(|_| is_of_time)?;
    DateTime::from_timestamp_millis(milliseconds)
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
    fn an_id_tells_the_millisecond_of_its_arrival_and_is_its_own() {
        for text in ["2026-11-26T21:25:38.999999Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.123Z"] {
            let at: DateTime<Utc> = text.parse().unwrap();
            let (id, other) = (id_at(at), id_at(at));
            assert_eq!(arrival_of(id).unwrap().timestamp_millis(), at.timestamp_millis());
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_ne!(id, other);
        }
        assert_eq!(arrival_of(Uuid::nil()), None);
        assert_eq!(arrival_of("6f1c2a70-9d0f-4c3e-8b1a-0123456789ab".parse().unwrap()), None);
    }

    #[test]
    fn copies_of_a_body_share_its_digest() {
        let body = Body::from(b"{}".to_vec());
        let copy = body.clone();
        assert!(std::ptr::eq(body.sha256(), copy.sha256()));
        assert_eq!(body.sha256().as_slice(), Sha256::digest(b"{}").as_slice());
    }
}
