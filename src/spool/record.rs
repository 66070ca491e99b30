//! A delivery as bytes: a version, a checksum, a header of everything that is known about it, and its body as it came.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::{Permitted, Slug};
use crate::feeds::Feed;
use crate::intake::Delivery;
use crate::store::deliveries::Arrived;

/// Why bytes are no delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by another version.
    #[error("its format has the number {0}, which this version of forecourt does not know")]
    Version(u8),
    /// Cut off or changed since it was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// Sound, and yet not what this version writes.
    #[error("its header cannot be read")]
    Header,
    /// Of a feed that this version does not have.
    #[error("its feed is not known")]
    Feed,
}

/// The format written here. A header may get new fields that have a default; anything else is a new number.
const VERSION: u8 = 1;
/// How many bytes of the digest are kept: enough to notice damage.
const CHECKSUM: usize = 8;

/// What is known about a delivery beside its body.
#[derive(Serialize, Deserialize)]
struct HeaderPayload {
    id: Uuid,
    received_at: DateTime<Utc>,
    feed: String,
    credential: String,
    permitted: PermittedPayload,
    remote_address: Option<IpAddr>,
    content_type: Option<String>,
    /// How many bytes at the end are what was posted beside a signed token.
    #[serde(default)]
    posted_bytes: Option<usize>,
    undecoded: Option<FindingPayload>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PermittedPayload {
    All,
    Only(BTreeSet<Slug>),
}

#[derive(Serialize, Deserialize)]
struct FindingPayload {
    code: String,
    path: Option<String>,
    message: String,
}

/// The bytes of a delivery.
pub(super) fn encode(delivery: &Delivery) -> Vec<u8> {
    let Delivery { feed, arrived, permitted, undecoded } = delivery;
    // The name of the feed is the feed's; dealership and schema version are read from the body when it is applied.
    let Arrived {
        id,
        received_at,
        feed: _,
        dealership_id: _,
        credential,
        remote_address,
        content_type,
        body,
        posted_body,
        schema_version: _,
    } = arrived;
    let header = HeaderPayload {
        id: *id,
        received_at: *received_at,
        feed: feed.name().to_owned(),
        credential: credential.clone(),
        permitted: match permitted {
            Permitted::All => PermittedPayload::All,
            Permitted::Only(slugs) => PermittedPayload::Only(slugs.clone()),
        },
        remote_address: *remote_address,
        content_type: content_type.clone(),
        posted_bytes: posted_body.as_ref().map(|body| body.len()),
        undecoded: undecoded.as_ref().map(|Finding { code, path, message }| FindingPayload {
            code: code.name().to_owned(),
            path: path.clone(),
            message: message.clone(),
        }),
    };
    // Texts and numbers only: there is nothing in it that JSON does not have.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let mut bytes = Vec::with_capacity(1 + CHECKSUM + 4 + header.len() + arrived.bytes());
    bytes.push(VERSION);
    bytes.extend([0; CHECKSUM]);
    bytes.extend(u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(header);
    bytes.extend(body.iter());
    bytes.extend(posted_body.iter().flat_map(|body| body.iter()));
    let (head, rest) = bytes.split_at_mut(1 + CHECKSUM);
    if let Some((_version, place)) = head.split_first_mut() {
        place.copy_from_slice(&checksum(rest));
    }
    bytes
}

/// The delivery that bytes hold.
pub(super) fn decode(bytes: &[u8]) -> Result<Delivery, Unreadable> {
    let (version, rest) = bytes.split_first().ok_or(Unreadable::Checksum)?;
    if *version != VERSION {
        return Err(Unreadable::Version(*version));
    }
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>().ok_or(Unreadable::Checksum)?;
    if *sum != checksum(rest) {
        return Err(Unreadable::Checksum);
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(Unreadable::Header)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (header, body) = rest.split_at_checked(length).ok_or(Unreadable::Header)?;
    let header: HeaderPayload = serde_json::from_slice(header).map_err(|_cause| Unreadable::Header)?;
    delivery(header, body)
}

fn delivery(header: HeaderPayload, body: &[u8]) -> Result<Delivery, Unreadable> {
    let HeaderPayload {
        id,
        received_at,
        feed,
        credential,
        permitted,
        remote_address,
        content_type,
        posted_bytes,
        undecoded,
    } = header;
    let end = body.len().checked_sub(posted_bytes.unwrap_or(0)).ok_or(Unreadable::Header)?;
    let (body, posted) = body.split_at_checked(end).ok_or(Unreadable::Header)?;
    let feed = Feed::named(&feed).ok_or(Unreadable::Feed)?;
    let undecoded = match undecoded {
        None => None,
        Some(FindingPayload { code, path, message }) => {
            Some(Finding { code: Code::named(&code).ok_or(Unreadable::Header)?, path, message })
        }
    };
    let arrived = Arrived {
        id,
        received_at,
        feed: feed.name().to_owned(),
        dealership_id: None,
        credential,
        remote_address,
        content_type,
        body: Arc::new(body.to_vec()),
        posted_body: posted_bytes.map(|_bytes| Arc::new(posted.to_vec())),
        schema_version: None,
    };
    let permitted = match permitted {
        PermittedPayload::All => Permitted::All,
        PermittedPayload::Only(slugs) => Permitted::Only(slugs),
    };
    Ok(Delivery { feed, arrived, permitted, undecoded })
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(bytes);
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    sum
}
