//! Bodies as senders pack them.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use tokio::io::AsyncReadExt as _;

/// A body in a `Content-Encoding`; `identity` leaves it as it is.
pub(crate) async fn packed(encoding: &str, plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    match encoding {
        "identity" => return plain.to_vec(),
        "gzip" => GzipEncoder::new(plain).read_to_end(&mut packed).await,
        "deflate" => ZlibEncoder::new(plain).read_to_end(&mut packed).await,
        "br" => Box::pin(BrotliEncoder::new(plain).read_to_end(&mut packed)).await,
        "zstd" => ZstdEncoder::new(plain).read_to_end(&mut packed).await,
        other => panic!("{other}"),
    }
    .unwrap();
    packed
}
