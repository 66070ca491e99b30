//! Threads of their own for the lanes. Among the requests that are being read, each answer of Postgres would wait for its
//! turn, and with it everybody who waits for the batch.

use std::future::Future;
use std::num::NonZero;
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// The threads on which lanes run: half as many as there are processors.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(processors.div_ceil(2)).thread_name("lanes").enable_all();
        let built = builder.build();
        if let Err(error) = &built {
            tracing::warn!(%error, "the lanes get no threads of their own and run among the requests");
        }
        Self(built.ok())
    }

    pub(super) fn spawn(&self, lane: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Some(runtime) => drop(runtime.spawn(lane)),
            None => drop(tokio::spawn(lane)),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The last lane may be what drops it.
            runtime.shutdown_background();
        }
    }
}
