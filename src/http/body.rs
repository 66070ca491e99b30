//! Reads a request's body within its limit and decodes its `Content-Encoding` (RFC 9110 §8.4).
//!
//! The limit holds for the body as sent and for every stage of decoding, so a few bytes cannot become a gigabyte here.
//! Room is taken for each piece before it is kept, as it arrives and as it is decoded: both buffers exist at a time.
//! A body whose encoding is unknown or broken is not refused: its bytes are taken as they came, with a finding.

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::body_budget::{BudgetTimeout, ByteShare};
use crate::config::DECODER;
use crate::domain::finding::{Code, Finding};

/// A body that was received to its end and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedBody {
    /// Its bytes, the `Content-Encoding` decoded where that was possible.
    pub bytes: Vec<u8>,
    /// Why the `Content-Encoding` could not be decoded.
    pub undecoded: Option<Finding>,
}

/// Why there is no whole body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the limit, as sent or decoded.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It came too slowly.
    #[error("the body took too long")]
    TooSlow,
    /// It ended before its end: the sender broke off or broke the framing.
    #[error("the body did not arrive whole")]
    Incomplete(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was no room for it.
    #[error("the body was not read")]
    NoRoom(#[from] BudgetTimeout),
}

/// How slowly a body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTimeouts {
    /// For so long a sender may pause.
    pub pause: Duration,
    /// For so long all of it may take.
    pub total: Duration,
}

impl Default for ReadTimeouts {
    fn default() -> Self {
        Self { pause: Duration::from_secs(30), total: Duration::from_mins(5) }
    }
}

/// An encoding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Why an encoding was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooLarge,
    Unknown,
    Broken,
    NoRoom(BudgetTimeout),
}

impl From<BudgetTimeout> for Fault {
    fn from(timeout: BudgetTimeout) -> Self {
        Self::NoRoom(timeout)
    }
}

/// More encodings than this, one upon the other, are nothing a sender does in earnest.
const MAX_CODINGS: usize = 4;

/// The largest window of a zstd body, as a power of two: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decoded bytes are taken in pieces of this many bytes; between two of them other tasks may run.
const PIECE: usize = 32 * 1024;

/// The least that a buffer grows by, where the body may become as large.
const GROWTH: usize = 1024;

/// Reads the body to its end and decodes its `Content-Encoding`. A body that announces more than `limit` bytes is not
/// begun, so that a sender who asks first (`Expect: 100-continue`) is refused before sending. When it is whole, `room` holds
/// as many bytes as it keeps.
///
/// # Errors
///
/// When the body is larger than `limit` bytes, does not arrive whole, or finds no room.
pub async fn read(
    body: Body,
    headers: &HeaderMap,
    limit: usize,
    timeouts: ReadTimeouts,
    room: &mut ByteShare,
) -> Result<DecodedBody, BodyError> {
    let announced = body.size_hint();
    if usize::try_from(announced.lower()).unwrap_or(usize::MAX) > limit {
        return Err(BodyError::TooLarge { limit });
    }
    let most = announced.exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit);
    let sent = collect(body, limit, most, timeouts, room).await?;
    let unusable = match decode_all(&sent, headers, limit, room).await {
        Ok(None) => return Ok(DecodedBody { bytes: sent, undecoded: None }),
        Ok(Some(bytes)) => {
            forget(sent, room);
            return Ok(DecodedBody { bytes, undecoded: None });
        }
        Err(fault @ (Fault::Unknown | Fault::Broken)) => {
            return Ok(DecodedBody { bytes: sent, undecoded: Some(finding(fault)) });
        }
        Err(Fault::TooLarge) => BodyError::TooLarge { limit },
        Err(Fault::NoRoom(timeout)) => BodyError::NoRoom(timeout),
    };
    forget(sent, room);
    Err(unusable)
}

/// `Content-Type` as sent.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Bytes that are kept, each piece with its room.
struct Buffer<'r> {
    bytes: Vec<u8>,
    /// It is not expected to become larger.
    most: usize,
    room: &'r mut ByteShare,
}

impl<'r> Buffer<'r> {
    fn new(most: usize, room: &'r mut ByteShare) -> Self {
        Self { bytes: Vec::new(), most, room }
    }

    /// Keeps a piece, once there is room for it. The buffer grows by a quarter, so that of what it holds little is spare.
    async fn push(&mut self, piece: &[u8]) -> Result<(), BudgetTimeout> {
        let (capacity, needed) = (self.bytes.capacity(), self.bytes.len() + piece.len());
        let grown = if needed <= capacity {
            capacity
        } else {
            (capacity + GROWTH.max(capacity / 4)).min(self.most).max(needed)
        };
        self.room.take(piece.len(), grown - capacity).await?;
        self.bytes.reserve_exact(grown - self.bytes.len());
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The bytes; their room stays taken.
    fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        forget(std::mem::take(&mut self.bytes), self.room);
    }
}

/// Drops bytes and gives their room back.
fn forget(bytes: Vec<u8>, room: &mut ByteShare) {
    let capacity = bytes.capacity();
    drop(bytes);
    room.give_back(capacity);
}

/// Everything that is sent. A sender who pauses for too long, or sends a little now and then, is given up; one who is to
/// make room for others is read no further.
async fn collect(
    body: Body,
    limit: usize,
    most: usize,
    timeouts: ReadTimeouts,
    room: &mut ByteShare,
) -> Result<Vec<u8>, BodyError> {
    let end = Instant::now() + timeouts.total;
    let mut body = Limited::new(body, limit);
    let mut sent = Buffer::new(most, room);
    loop {
        let pause = end.min(Instant::now() + timeouts.pause);
        let frame = tokio::select! {
            biased;
            frame = timeout_at(pause, body.frame()) => frame.map_err(|_elapsed| BodyError::TooSlow)?,
            timeout = sent.room.let_go() => return Err(BodyError::NoRoom(timeout)),
        };
        let Some(frame) = frame else { return Ok(sent.into_bytes()) };
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() { BodyError::TooLarge { limit } } else { BodyError::Incomplete(error) }
        })?;
        if let Some(piece) = frame.data_ref() {
            sent.push(piece).await?;
        }
    }
}

/// The body with every encoding decoded, the last one first; `None` where there is nothing to decode.
async fn decode_all(
    sent: &[u8],
    headers: &HeaderMap,
    limit: usize,
    room: &mut ByteShare,
) -> Result<Option<Vec<u8>>, Fault> {
    let codings = codings(headers)?;
    if sent.is_empty() {
        return Ok(None);
    }
    let mut decoded: Option<Vec<u8>> = None;
    for coding in codings.into_iter().rev() {
        let bytes = decode(coding, decoded.as_deref().unwrap_or(sent), limit, room).await;
        if let Some(packed) = decoded.take() {
            forget(packed, room);
        }
        decoded = Some(bytes?);
    }
    Ok(decoded)
}

/// The encodings in the order in which they were applied. `identity` is none.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Fault> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let Ok(list) = value.to_str() else { return Err(Fault::Unknown) };
        for name in list.split(',').map(str::trim) {
            match name.to_ascii_lowercase().as_str() {
                "" | "identity" => (),
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "br" => codings.push(Coding::Brotli),
                "zstd" => codings.push(Coding::Zstd),
                _ => return Err(Fault::Unknown),
            }
        }
    }
    if codings.len() > MAX_CODINGS { Err(Fault::Unknown) } else { Ok(codings) }
}

impl Coding {
    /// How many bytes decoding it keeps beside what it reads and gives: its window, and some for its tables.
    fn window(self) -> usize {
        match self {
            Self::Gzip | Self::Deflate => 64 << 10,
            Self::Brotli => DECODER,
            Self::Zstd => (1 << ZSTD_WINDOW_LOG) + (256 << 10),
        }
    }
}

/// Decodes one encoding, and gives back the room of the window when that is done.
async fn decode(coding: Coding, packed: &[u8], limit: usize, room: &mut ByteShare) -> Result<Vec<u8>, Fault> {
    let window = coding.window();
    room.take(0, window).await?;
    let plain = decode_within(coding, packed, limit, room).await;
    room.give_back(window);
    plain
}

/// `deflate` means zlib (RFC 9110 §8.4.1.2), but some senders leave the zlib wrapping away.
async fn decode_within(coding: Coding, packed: &[u8], limit: usize, room: &mut ByteShare) -> Result<Vec<u8>, Fault> {
    let mut rest = packed;
    let plain = match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(&mut rest);
            decoder.multiple_members(true);
            unpack(decoder, limit, room).await?
        }
        Coding::Deflate => match unpack(ZlibDecoder::new(&mut rest), limit, room).await {
            Err(Fault::Broken) => {
                rest = packed;
                unpack(DeflateDecoder::new(&mut rest), limit, room).await?
            }
            other => other?,
        },
        Coding::Brotli => unpack(BrotliDecoder::new(&mut rest), limit, room).await?,
        Coding::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
            let mut decoder = ZstdDecoder::with_params(&mut rest, &[window]);
            decoder.multiple_members(true);
            unpack(decoder, limit, room).await?
        }
    };
    // Bytes after the end would silently be lost: better the whole body as it came.
    if rest.is_empty() {
        return Ok(plain);
    }
    forget(plain, room);
    Err(Fault::Broken)
}

/// Reads a decoder to its end, or until it has given more than `limit` bytes.
async fn unpack(decoder: impl AsyncRead + Unpin, limit: usize, room: &mut ByteShare) -> Result<Vec<u8>, Fault> {
    let mut decoder = Box::new(decoder);
    let mut plain = Buffer::new(limit, room);
    let mut piece = vec![0; PIECE];
    loop {
        let Ok(length) = decoder.read(&mut piece).await else { return Err(Fault::Broken) };
        if length == 0 {
            return Ok(plain.into_bytes());
        }
        if plain.bytes.len() + length > limit {
            return Err(Fault::TooLarge);
        }
        plain.push(piece.get(..length).unwrap_or_default()).await?;
        tokio::task::consume_budget().await;
    }
}

fn finding(fault: Fault) -> Finding {
    let message = match fault {
        Fault::Unknown => "the Content-Encoding is none of gzip, deflate, br and zstd; the body is kept as it came",
        Fault::Broken | Fault::TooLarge | Fault::NoRoom(_) => {
            "the Content-Encoding could not be undone; the body is kept as it came"
        }
    };
    Finding::whole(Code::BodyUnreadable, message)
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
    use axum::body::Bytes;
    use axum::http::HeaderValue;

    use super::*;
    use crate::http::body_budget::BodyBudget;

    const LIMIT: usize = 100_000;
    const ENCODINGS: [&str; 5] = ["gzip", "deflate", "raw deflate", "br", "zstd"];

    async fn pack(encoding: &str, plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        match encoding {
            "gzip" => GzipEncoder::new(plain).read_to_end(&mut packed).await,
            "deflate" => ZlibEncoder::new(plain).read_to_end(&mut packed).await,
            "raw deflate" => DeflateEncoder::new(plain).read_to_end(&mut packed).await,
            "br" => Box::pin(BrotliEncoder::new(plain).read_to_end(&mut packed)).await,
            "zstd" => ZstdEncoder::new(plain).read_to_end(&mut packed).await,
            other => panic!("{other}"),
        }
        .unwrap();
        packed
    }

    fn encoded_as(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| value.strip_prefix("raw ").unwrap_or(value))
            .map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    async fn read_bytes(sent: &[u8], encodings: &[&str], limit: usize) -> Result<DecodedBody, BodyError> {
        read_body(Body::from(sent.to_vec()), &encoded_as(encodings), limit).await
    }

    async fn read_body(body: Body, headers: &HeaderMap, limit: usize) -> Result<DecodedBody, BodyError> {
        let budget = BodyBudget::new(64 << 20, 1 << 20);
        let mut room = budget.of_credential("sender", Duration::from_secs(1));
        let whole = read(body, headers, limit, ReadTimeouts::default(), &mut room).await;
        let kept = whole.as_ref().map_or(0, |whole| whole.bytes.capacity());
        assert_eq!(budget.usage().held_bytes, kept, "what is counted is what is kept");
        drop(room);
        assert_eq!(budget.usage().held_bytes, 0);
        whole
    }

    fn is_kept_as_it_came(read: Result<DecodedBody, BodyError>, sent: &[u8]) -> bool {
        let whole = read.unwrap();
        whole.bytes == sent && whole.undecoded.is_some_and(|finding| finding.code == Code::BodyUnreadable)
    }

    #[tokio::test]
    async fn every_encoding_is_undone() {
        let plain = "{\"vin\":\"Ü\"}".repeat(500).into_bytes();
        for encoding in ENCODINGS {
            let packed = pack(encoding, &plain).await;
            let whole = read_bytes(&packed, &[encoding], LIMIT).await.unwrap();
            assert_eq!(whole, DecodedBody { bytes: plain.clone(), undecoded: None }, "{encoding}");
        }
        let packed = pack("gzip", &plain).await;
        for name in ["GZip", "x-gzip", "identity, gzip", " gzip ,"] {
            assert_eq!(read_bytes(&packed, &[name], LIMIT).await.unwrap().bytes, plain, "{name}");
        }
    }

    #[tokio::test]
    async fn a_list_is_undone_from_its_end_in_one_header_or_several() {
        let packed = pack("br", &pack("gzip", b"inside").await).await;
        assert_eq!(read_bytes(&packed, &["gzip, br"], LIMIT).await.unwrap().bytes, b"inside");
        assert_eq!(read_bytes(&packed, &["gzip", "br"], LIMIT).await.unwrap().bytes, b"inside");
        assert!(is_kept_as_it_came(read_bytes(&packed, &["br, gzip"], LIMIT).await, &packed));
    }

    #[tokio::test]
    async fn without_an_encoding_the_bytes_are_the_body() {
        for encodings in [&[][..], &["identity"], &[""]] {
            let whole = read_bytes(b"\xff\x00{", encodings, LIMIT).await.unwrap();
            assert_eq!(whole, DecodedBody { bytes: b"\xff\x00{".to_vec(), undecoded: None });
        }
    }

    #[tokio::test]
    async fn an_empty_body_needs_no_undoing() {
        for encoding in ENCODINGS {
            let whole = read_bytes(b"", &[encoding], LIMIT).await.unwrap();
            assert_eq!(whole, DecodedBody { bytes: vec![], undecoded: None }, "{encoding}");
        }
    }

    #[tokio::test]
    async fn an_unknown_encoding_leaves_the_bytes_as_they_came() {
        for encodings in [&["compress"][..], &["gzip, lzma"], &["utf-8"], &["gzip,gzip,gzip,gzip,gzip"]] {
            assert!(is_kept_as_it_came(read_bytes(b"{}", encodings, LIMIT).await, b"{}"), "{encodings:?}");
        }
        let headers = [(CONTENT_ENCODING, HeaderValue::from_bytes(b"\xff").unwrap())].into_iter().collect();
        assert!(is_kept_as_it_came(read_body(Body::from("{}"), &headers, LIMIT).await, b"{}"));
    }

    #[tokio::test]
    async fn a_broken_encoding_leaves_the_bytes_as_they_came() {
        let plain: Vec<u8> = (0..5_000_u32).flat_map(u32::to_le_bytes).collect();
        for encoding in ENCODINGS {
            let packed = pack(encoding, &plain).await;
            let cut = packed.split_at(packed.len() / 2).0.to_vec();
            let almost = packed.split_at(packed.len() - 1).0.to_vec();
            let longer = [packed.as_slice(), b"\n"].concat();
            for sent in [cut, almost, longer, b"{\"plain\":1}".to_vec()] {
                assert!(is_kept_as_it_came(read_bytes(&sent, &[encoding], LIMIT).await, &sent), "{encoding}");
            }
        }
        let mut flipped = pack("gzip", &plain).await;
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x55;
        assert!(is_kept_as_it_came(read_bytes(&flipped, &["gzip"], LIMIT).await, &flipped));
    }

    #[tokio::test]
    async fn parts_that_were_packed_one_after_the_other_are_one_body() {
        for encoding in ["gzip", "zstd"] {
            let packed = [pack(encoding, b"one ").await, pack(encoding, b"two").await].concat();
            assert_eq!(read_bytes(&packed, &[encoding], LIMIT).await.unwrap().bytes, b"one two", "{encoding}");
        }
    }

    #[tokio::test]
    async fn the_limit_is_the_last_size_that_is_taken_as_sent_and_undone() {
        let exact = vec![b' '; LIMIT];
        let more = vec![b' '; LIMIT + 1];
        assert_eq!(read_bytes(&exact, &[], LIMIT).await.unwrap().bytes.len(), LIMIT);
        assert!(matches!(read_bytes(&more, &[], LIMIT).await, Err(BodyError::TooLarge { limit: LIMIT })));
        for encoding in ENCODINGS {
            let taken = read_bytes(&pack(encoding, &exact).await, &[encoding], LIMIT).await.unwrap();
            assert_eq!(taken.bytes, exact, "{encoding}");
            let refused = read_bytes(&pack(encoding, &more).await, &[encoding], LIMIT).await;
            assert!(matches!(refused, Err(BodyError::TooLarge { .. })), "{encoding}");
        }
    }

    /// The second half of the bomb is cut off: had it been decoded to its end it would be broken, not too large.
    #[tokio::test]
    async fn undoing_a_bomb_stops_at_the_limit() {
        let mut plain = vec![0; 4 << 20];
        plain.extend((0..5_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
        for encoding in ENCODINGS {
            let mut bomb = pack(encoding, &plain).await;
            bomb.truncate(bomb.len() / 2);
            assert!(bomb.len() < LIMIT, "{encoding} {}", bomb.len());
            let refused = read_bytes(&bomb, &[encoding], LIMIT).await;
            assert!(matches!(refused, Err(BodyError::TooLarge { .. })), "{encoding} {refused:?}");
        }
        let twice = pack("gzip", &pack("gzip", &plain).await).await;
        assert!(matches!(read_bytes(&twice, &["gzip, gzip"], LIMIT).await, Err(BodyError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_held_to_the_limit_too() {
        let pieces = std::iter::repeat_n(Bytes::from(vec![b' '; 1_000]), 1_000).map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert!(matches!(read_body(body, &HeaderMap::new(), LIMIT).await, Err(BodyError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let pieces = [Ok(Bytes::from("{")), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert!(matches!(read_body(body, &HeaderMap::new(), LIMIT).await, Err(BodyError::Incomplete(_))));
    }
}
