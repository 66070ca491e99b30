//! A delivery as bytes: a version, a checksum, a header of everything that is known about it, and its body as it came.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::delivery::{Body, Delivery};
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::{Permitted, Slug};

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

/// The format written here: this number, the checksum, the lengths of the header and of what was posted beside a signed
/// token, the header, the body, what was posted. A header may get new fields that have a default; anything else is a new
/// number.
const VERSION: u8 = 2;
/// The format of earlier versions, which is still read: only its header has the length of what was posted, and its
/// checksum is that of all the bytes after it.
const VERSION_1: u8 = 1;
/// How many bytes of the digest are kept: enough to notice damage.
const CHECKSUM: usize = 8;
/// Where the header begins.
const FRAME: usize = 1 + CHECKSUM + 4 + 4;

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
    // The dealership and the schema version are read from the body when it is applied.
    let Delivery {
        id,
        feed,
        received_at,
        credential,
        permitted,
        remote_address,
        content_type,
        body,
        posted_body,
        undecoded,
        dealership_id: _,
        external_id: _,
        schema_version: _,
    } = delivery;
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
    let posted = posted_body.clone().unwrap_or_default();
    let mut bytes = Vec::with_capacity(FRAME + header.len() + delivery.bytes());
    bytes.push(VERSION);
    bytes.extend(checksum(&header, body, &posted));
    bytes.extend(length(&header));
    bytes.extend(length(&posted));
    bytes.extend(header);
    bytes.extend(body.iter());
    bytes.extend(posted.iter());
    bytes
}

/// The delivery that bytes hold.
pub(super) fn decode(bytes: &[u8]) -> Result<Delivery, Unreadable> {
    let (version, rest) = bytes.split_first().ok_or(Unreadable::Checksum)?;
    let read = match *version {
        VERSION => decode_framed,
        VERSION_1 => decode_version_1,
        newer => return Err(Unreadable::Version(newer)),
    };
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>().ok_or(Unreadable::Checksum)?;
    read(*sum, rest)
}

fn decode_framed(sum: [u8; CHECKSUM], rest: &[u8]) -> Result<Delivery, Unreadable> {
    let (header_bytes, rest) = read_length(rest).ok_or(Unreadable::Checksum)?;
    let (posted_bytes, rest) = read_length(rest).ok_or(Unreadable::Checksum)?;
    let (header, rest) = rest.split_at_checked(header_bytes).ok_or(Unreadable::Checksum)?;
    let end = rest.len().checked_sub(posted_bytes).ok_or(Unreadable::Checksum)?;
    let (body, posted) = rest.split_at_checked(end).ok_or(Unreadable::Checksum)?;
    let (body, posted) = (Body::from(body.to_vec()), Body::from(posted.to_vec()));
    if sum != checksum(header, &body, &posted) {
        return Err(Unreadable::Checksum);
    }
    let header: HeaderPayload = serde_json::from_slice(header).map_err(|_cause| Unreadable::Header)?;
    delivery(header, body, posted)
}

fn decode_version_1(sum: [u8; CHECKSUM], rest: &[u8]) -> Result<Delivery, Unreadable> {
    if sum != first_bytes(Sha256::digest(rest).into()) {
        return Err(Unreadable::Checksum);
    }
    let (header_bytes, rest) = read_length(rest).ok_or(Unreadable::Header)?;
    let (header, body) = rest.split_at_checked(header_bytes).ok_or(Unreadable::Header)?;
    let header: HeaderPayload = serde_json::from_slice(header).map_err(|_cause| Unreadable::Header)?;
    let end = body.len().checked_sub(header.posted_bytes.unwrap_or(0)).ok_or(Unreadable::Header)?;
    let (body, posted) = body.split_at_checked(end).ok_or(Unreadable::Header)?;
    delivery(header, body.to_vec().into(), posted.to_vec().into())
}

fn delivery(header: HeaderPayload, body: Body, posted: Body) -> Result<Delivery, Unreadable> {
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
    let undecoded = match undecoded {
        None => None,
        Some(FindingPayload { code, path, message }) => {
            Some(Finding { code: Code::named(&code).ok_or(Unreadable::Header)?, path, message })
        }
    };
    Ok(Delivery {
        id,
        feed: Feed::named(&feed).ok_or(Unreadable::Feed)?,
        received_at,
        credential,
        permitted: match permitted {
            PermittedPayload::All => Permitted::All,
            PermittedPayload::Only(slugs) => Permitted::Only(slugs),
        },
        remote_address,
        content_type,
        body,
        posted_body: posted_bytes.map(|_bytes| posted),
        undecoded,
        dealership_id: None,
        external_id: None,
        schema_version: None,
    })
}

/// The checksum of a record, over the digests of its bodies: a body is digested once on its way, for its row as well.
fn checksum(header: &[u8], body: &Body, posted: &Body) -> [u8; CHECKSUM] {
    let mut all = Sha256::new();
    all.update(length(header));
    all.update(length(posted));
    all.update(header);
    all.update(body.sha256());
    all.update(posted.sha256());
    first_bytes(all.finalize().into())
}

fn first_bytes(digest: [u8; 32]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    sum
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_be_bytes(*length)).ok()?, rest))
}

/// The bytes of a delivery as earlier versions wrote them, of the same header.
#[cfg(test)]
pub(super) fn encode_version_1(delivery: &Delivery) -> Vec<u8> {
    let now = encode(delivery);
    let (_frame, rest) = now.split_at(1 + CHECKSUM);
    let rest = [&rest[..4], &rest[8..]].concat();
    [[VERSION_1].as_slice(), &first_bytes(Sha256::digest(&rest).into()), &rest].concat()
}
