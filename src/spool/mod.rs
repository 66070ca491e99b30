//! The spool: deliveries on local disk while Postgres cannot take them.
//!
//! What [`Spool::put`] has taken is on disk, and stays there until it is removed: through a crash, a full disk, a restart.
//! One thread owns the file and makes what waits together durable together. The spool is bounded by its own limit and by
//! the free space of its disk, and so is what waits to be written while the disk stalls. Once everything has left it, its file is deleted and a new one begun.

mod file;
mod key;
mod limits;
mod record;
mod writer;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::domain::delivery::Delivery;
pub use file::{DAMAGED, UNREADABLE};
use file::{Fault, SpoolFile};
pub use key::Key;
pub use limits::{Depth, Limits, OpenError, Refused};
pub use record::Unreadable;
use writer::{Command, Done, Put, Writer};

/// Its folder in the data directory.
pub const FOLDER: &str = "spool";
/// How many bytes of bodies wait to be written at the most, those included that no request waits for any more.
const WAITING_BYTES: u32 = 256 << 20;

/// The spool of this process.
#[derive(Clone, Debug)]
pub struct Spool {
    commands: mpsc::Sender<Command>,
    depth: watch::Receiver<Depth>,
    waiting: Budget,
}

/// A delivery of the spool with its key, or why it cannot be read.
pub type Spooled = (Key, Result<Delivery, Unreadable>);

impl Spool {
    /// Opens the spool of a folder, which is made where there is none. A folder that cannot be used now is tried again
    /// whenever something is to be written.
    ///
    /// # Errors
    /// When another process has it, or the system lets us start no thread.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, OpenError> {
        Self::open_for(dir, limits, WAITING_BYTES)
    }

    /// The same, where so many bytes of bodies may wait to be written.
    ///
    /// # Errors
    /// When another process has it, or the system lets us start no thread.
    pub fn open_for(dir: &Path, limits: Limits, waiting_bytes: u32) -> Result<Self, OpenError> {
        let mut file = SpoolFile::new(dir);
        if let Err(Fault::InUse) = file.open() {
            return Err(OpenError::InUse { dir: dir.to_owned() });
        }
        let (spool, run) = Self::over(file, limits, waiting_bytes);
        thread::Builder::new().name("spool".to_owned()).spawn(run).map_err(OpenError::Thread)?;
        Ok(spool)
    }

    /// The spool of a file, and what its thread has to do.
    fn over(file: SpoolFile, limits: Limits, waiting_bytes: u32) -> (Self, impl FnOnce() + Send + 'static) {
        let (sender, depth) = watch::channel(Depth::default());
        let writer = Writer::new(file, limits, sender);
        let (commands, asked) = mpsc::channel();
        (Self { commands, depth, waiting: Budget::of(waiting_bytes) }, move || writer.run(&asked))
    }

    /// A spool whose disk takes nothing and refuses nothing, for as long as what is given beside it is kept.
    #[cfg(test)]
    pub(crate) fn stalled(dir: &Path) -> (Self, impl FnOnce() + Send + 'static) {
        Self::over(SpoolFile::new(dir), Limits { max_bytes: u64::MAX, min_free_bytes: 0 }, WAITING_BYTES)
    }

    /// Makes a delivery durable.
    ///
    /// # Errors
    /// When there is no room for it, too much waits already, or it could not be written. It may be on disk all the same.
    pub async fn put(&self, delivery: Delivery) -> Result<(), Refused> {
        let held = self.waiting.take(delivery.bytes())?;
        self.ask(|done| Command::Put(Box::new(Put { delivery, held, done }))).await
    }

    /// The next deliveries after a key, oldest first, so many at the most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, after: Option<Key>, most: usize) -> Result<Vec<Spooled>, Refused> {
        let records = self.ask(|done| Command::Read(after, most, done)).await?;
        Ok(records.into_iter().map(|(key, bytes)| (key, record::decode(&bytes))).collect())
    }

    /// Removes what is settled.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn remove(&self, keys: Vec<Key>) -> Result<(), Refused> {
        self.ask(|done| Command::Remove(keys, done)).await
    }

    /// Moves what cannot be read to a file of its own in the spool's folder.
    ///
    /// # Errors
    /// When that file or the spool's cannot be written.
    pub async fn set_aside(&self, key: Key) -> Result<(), Refused> {
        self.ask(|done| Command::SetAside(key, done)).await
    }

    /// Whether a delivery would be taken.
    ///
    /// # Errors
    /// With the reason why not.
    pub async fn probe(&self) -> Result<(), Refused> {
        self.ask(Command::Probe).await
    }

    /// Closes the file and gives the folder free. What is in it stays.
    pub async fn close(&self) {
        // A spool that is closed already refuses the command, which is as good.
        let _ = self.ask(Command::Close).await;
    }

    /// How many deliveries and bytes it holds, and the key of the oldest.
    #[must_use]
    pub fn depth(&self) -> Depth {
        *self.depth.borrow()
    }

    /// Notifies of each change of the depth.
    pub(crate) fn changes(&self) -> watch::Receiver<Depth> {
        self.depth.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(Done<T>) -> Command) -> Result<T, Refused> {
        let (done, end) = oneshot::channel();
        self.commands.send(command(done)).map_err(|_ended| Refused::Closed)?;
        end.await.unwrap_or(Err(Refused::Closed))
    }
}

/// What may wait to be written.
#[derive(Clone, Debug)]
struct Budget {
    bytes: u32,
    left: Arc<Semaphore>,
}

impl Budget {
    fn of(bytes: u32) -> Self {
        let left = Semaphore::new(usize::try_from(bytes).unwrap_or(Semaphore::MAX_PERMITS));
        Self { bytes, left: Arc::new(left) }
    }

    /// Takes so many bytes out of it, until what is given back is dropped. One delivery that is larger than all of it
    /// is taken alone.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes);
        Arc::clone(&self.left).try_acquire_many_owned(bytes).map_err(|_none_left| Refused::Slow)
    }
}

#[cfg(test)]
mod tests;
