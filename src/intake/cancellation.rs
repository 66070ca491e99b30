//! Whether somebody still waits for a delivery: work that nobody waits for is not begun.

use std::future::Future;

use tokio::sync::oneshot;

/// Knows whether somebody still waits for a delivery.
#[derive(Debug, Default)]
pub(super) struct Cancellation(Option<oneshot::Receiver<()>>);

impl Cancellation {
    /// Work is cancelled once the other end is dropped; without another end, never.
    pub(super) fn on_drop_of(other_end: oneshot::Receiver<()>) -> Self {
        Self(Some(other_end))
    }

    /// Waits for something; `None` where it is cancelled before.
    pub(super) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let Some(other_end) = &mut self.0 else { return Some(work.await) };
        tokio::select! {
            biased;
            done = work => Some(done),
            _dropped = other_end => None,
        }
    }
}
