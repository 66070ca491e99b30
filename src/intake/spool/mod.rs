//! The spool: deliveries on local disk while Postgres cannot take them.
//!
//! What [`Spool::put`] has taken is on disk, and stays there until it is removed: through a crash, a full disk, a restart.
//! One thread owns the file and makes what waits together durable together. The spool is bounded by its own limit and by
//! the free space of its disk. Once everything has left it, its file is deleted and a new one begun.

mod file;
mod key;
mod limits;
mod record;
mod writer;

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use tokio::sync::{oneshot, watch};

use super::delivery::Delivery;
use file::{Fault, SpoolFile};
pub use key::Key;
pub use limits::{Depth, Limits, OpenError, Refused};
pub use record::Unreadable;
use writer::{Command, Done, Writer};

/// The spool of this process.
#[derive(Clone, Debug)]
pub struct Spool {
    commands: mpsc::Sender<Command>,
    depth: watch::Receiver<Depth>,
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
        let mut file = SpoolFile::new(dir);
        if let Err(Fault::InUse) = file.open() {
            return Err(OpenError::InUse { dir: dir.to_owned() });
        }
        let (sender, depth) = watch::channel(Depth::default());
        let writer = Writer::new(file, limits, sender);
        let (commands, waiting) = mpsc::channel();
        let thread = thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(&waiting));
        thread.map_err(OpenError::Thread)?;
        Ok(Self { commands, depth })
    }

    /// Makes a delivery durable.
    ///
    /// # Errors
    /// When there is no room for it, or it could not be written. It may be on disk all the same.
    pub async fn put(&self, delivery: Delivery) -> Result<(), Refused> {
        self.ask(|done| Command::Put(Box::new(delivery), done)).await
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
        // One that is closed already says so, and that is as well.
        let _ = self.ask(Command::Close).await;
    }

    /// How full it is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        *self.depth.borrow()
    }

    /// Tells each change of the depth.
    pub(super) fn changes(&self) -> watch::Receiver<Depth> {
        self.depth.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(Done<T>) -> Command) -> Result<T, Refused> {
        let (done, end) = oneshot::channel();
        self.commands.send(command(done)).map_err(|_ended| Refused::Closed)?;
        end.await.unwrap_or(Err(Refused::Closed))
    }
}

#[cfg(test)]
mod tests;
