//! Large batches: what they are, and how they are kept from holding up the others.

use std::future::Future;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::seats::Pending;

/// A batch with a body of more bytes than this is a large one.
const LARGE_BODY: usize = 1 << 20;

/// Whether a batch takes so long, or so much memory, that one such is enough at a time.
pub(super) fn is_large(batch: &[Pending]) -> bool {
    batch.iter().any(|pending| pending.taken.is_large() || pending.arrived.bytes() > LARGE_BODY)
}

/// Does what takes long between its waits on a thread of its own, where the runtime has threads for that: what waits on
/// this one goes on meanwhile.
pub(super) async fn aside<T>(is_long: bool, work: impl Future<Output = T>) -> T {
    match Handle::try_current() {
        Ok(runtime) if is_long && runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(|| runtime.block_on(work))
        }
        Ok(_) | Err(_) => work.await,
    }
}
