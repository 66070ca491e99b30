//! Large batches: which these are, and how they are kept from holding up the others.

use std::future::Future;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::queue::QueueEntry;

/// A batch with a body of more bytes than this is a large one.
const LARGE_BODY: usize = 1 << 20;

/// Whether a batch takes so long, or so much memory, that one such is enough at a time.
pub(super) fn is_large(batch: &[QueueEntry]) -> bool {
    batch.iter().any(|entry| entry.memory.is_large() || entry.delivery.bytes() > LARGE_BODY)
}

/// Does what takes long between its waits on a thread of its own, where the runtime has threads for that: what waits on
/// this one goes on meanwhile.
pub(super) async fn off_thread<T>(is_long: bool, work: impl Future<Output = T>) -> T {
    match Handle::try_current() {
        Ok(runtime) if is_long && runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(|| runtime.block_on(work))
        }
        Ok(_) | Err(_) => work.await,
    }
}
