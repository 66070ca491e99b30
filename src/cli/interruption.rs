//! Ctrl-C in the midst of long work: it ends where it can go on later, and a second one ends it at once.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::shutdown::told;

/// How often it is looked whether somebody wants the work to end.
const LOOK: Duration = Duration::from_millis(50);

/// Whether somebody wants the work to end.
#[derive(Clone, Default)]
pub(super) struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Listens for Ctrl-C, and for whoever runs the command and asks it to stop. Where the system does not let us, they end
    /// the process as ever.
    pub(super) fn listen() -> Self {
        let interruption = Self::default();
        let asked = Arc::clone(&interruption.0);
        let _best_effort = std::thread::Builder::new().name("interruption".to_owned()).spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                told().await;
                asked.store(true, Ordering::Relaxed);
                told().await;
            });
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(std::io::stderr(), "stopped at once: whether what was under way is done is not known");
            std::process::exit(1);
        });
        interruption
    }

    /// Whether the work is to end.
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ready when the work is to end.
    pub(super) async fn asked(&self) {
        while !self.is_asked() {
            tokio::time::sleep(LOOK).await;
        }
    }
}
