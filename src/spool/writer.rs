//! The one thread that reads and writes the spool's file. What waits together is made durable together.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::file::{Fault, Record, SpoolFile};
use super::key::Key;
use super::limits::{Depth, Limits, Refused, footprint};
use super::record;
use crate::domain::delivery::Delivery;

/// Where the result of a command is sent.
pub(super) type Done<T> = oneshot::Sender<Result<T, Refused>>;

/// What the thread can be asked to do.
pub(super) enum Command {
    /// Make a delivery durable.
    Put(Box<Put>),
    /// Remove what is settled.
    Remove(Vec<Key>, Done<()>),
    /// Read the next after a key: so many at the most.
    Read(Option<Key>, usize, Done<Vec<Record>>),
    /// Put one that cannot be read aside.
    SetAside(Key, Done<()>),
    /// Check whether a delivery would be taken.
    Probe(Done<()>),
    /// Close the file and end.
    Close(Done<()>),
}

/// A delivery to be made durable.
pub(super) struct Put {
    pub(super) delivery: Delivery,
    /// Its share of what may wait; given back once it is written or refused.
    pub(super) held: OwnedSemaphorePermit,
    pub(super) done: Done<()>,
}

/// How many commands are gathered at the most, and of how many bytes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 16 << 20;
/// How many bytes are read at a time at the most, where there is more than one record.
const READ_BYTES: usize = 8 << 20;
/// For how long the spool must have been empty before its file is begun anew.
const REST: Duration = Duration::from_secs(1);

/// The thread's state.
pub(super) struct Writer {
    file: SpoolFile,
    limits: Limits,
    depth: watch::Sender<Depth>,
    /// Whether the depth is known; not before the file could be read once.
    counted: bool,
    /// Whether the file may hold anything of deliveries that have left it.
    used: bool,
    /// Why nothing could be written the last time, as it was logged.
    trouble: Option<Refused>,
}

/// What is written together.
#[derive(Default)]
struct Group {
    puts: Vec<Put>,
    removes: Vec<(Vec<Key>, Done<()>)>,
    bytes: usize,
}

impl Group {
    fn is_enough(&self) -> bool {
        self.puts.len() + self.removes.len() >= GROUP || self.bytes >= GROUP_BYTES
    }
}

impl Writer {
    /// A writer of an open file, or of one that cannot be opened yet.
    pub(super) fn new(file: SpoolFile, limits: Limits, depth: watch::Sender<Depth>) -> Self {
        let mut writer = Self { file, limits, depth, counted: false, used: false, trouble: None };
        // Why it cannot be opened is logged; it is tried again as long as nobody knows what is in it.
        let _ = writer.count();
        writer
    }

    /// Carries out commands until `Close`, or until nobody can send one any more.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let first = match self.next(commands) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => {
                    self.tidy();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return self.file.close(),
            };
            let mut group = Group::default();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Put(put) => {
                        group.bytes += put.delivery.body.len();
                        group.puts.push(*put);
                    }
                    Command::Remove(keys, done) => group.removes.push((keys, done)),
                    Command::Close(done) => {
                        self.write(std::mem::take(&mut group));
                        self.file.close();
                        drop(self);
                        tell(done, Ok(()));
                        return;
                    }
                    command @ (Command::Read(..) | Command::SetAside(..) | Command::Probe(_)) => {
                        self.write(std::mem::take(&mut group));
                        self.answer(command);
                    }
                }
                next = if group.is_enough() { None } else { commands.try_recv().ok() };
            }
            self.write(group);
        }
    }

    /// Waits for a command; not for long where there is something to count or to tidy up.
    fn next(&self, commands: &Receiver<Command>) -> Result<Command, RecvTimeoutError> {
        if !self.counted || self.used && self.depth.borrow().deliveries == 0 {
            return commands.recv_timeout(REST);
        }
        commands.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
    }

    /// Begins the file anew where it is empty, so that nothing is left on disk of what has left the spool.
    fn tidy(&mut self) {
        if !self.counted {
            // Logged where it fails, and tried again.
            let _ = self.count();
            return;
        }
        match self.file.begin_anew() {
            Ok(depth) => {
                self.used = depth.deliveries > 0;
                self.depth.send_replace(depth);
                self.note(None);
            }
            Err(fault) => self.note(Some(&refused(&fault))),
        }
    }

    /// Answers what is no writing of deliveries.
    fn answer(&mut self, command: Command) {
        match command {
            Command::Read(after, most, done) => {
                let read = self.file.read(after, most, READ_BYTES);
                if after.is_none() && read.as_ref().map_or(true, Vec::is_empty) {
                    // A damaged file was put aside, and another one begun. The reason is reported all the same.
                    let _ = self.count();
                }
                tell(done, read.map_err(|fault| refused(&fault)));
            }
            Command::SetAside(key, done) => {
                let set_aside = self.file.set_aside(key);
                tell(done, self.settle(set_aside));
            }
            Command::Probe(done) => {
                let room = self.room();
                tell(done, room.and_then(|room| room.of(1)));
            }
            // These are gathered.
            Command::Put(..) | Command::Remove(..) | Command::Close(_) => {}
        }
    }

    /// Counts what is in the file.
    fn count(&mut self) -> Result<(), Refused> {
        let counted = self.file.depth();
        self.settle(counted)
    }

    /// Writes a group, as far as there is room, and sends each command its result.
    fn write(&mut self, group: Group) {
        let Group { puts, removes, bytes: _ } = group;
        if puts.is_empty() && removes.is_empty() {
            return;
        }
        let keys: Vec<Key> = removes.iter().flat_map(|(keys, _)| keys.iter().copied()).collect();
        let (mut records, mut waiting) = (Vec::with_capacity(puts.len()), Vec::with_capacity(puts.len()));
        let mut no_room = None;
        let mut room = if puts.is_empty() { Ok(Room::default()) } else { self.room() };
        for Put { delivery, held, done } in puts {
            let record = record::encode(&delivery);
            let taken = match &mut room {
                Ok(room) => room.take(footprint(record.len())),
                Err(refused) => Err(refused.clone()),
            };
            match taken {
                Ok(()) => {
                    records.push((Key::of(&delivery), record));
                    waiting.push((done, held));
                }
                Err(refused) => {
                    no_room = Some(refused.clone());
                    tell(done, Err(refused));
                }
            }
        }
        if records.is_empty() && keys.is_empty() {
            return self.note(no_room.as_ref());
        }
        self.used |= !records.is_empty();
        let (puts, written) = (!records.is_empty(), self.file.write(&records, &keys));
        let written = self.settle(written);
        if written.is_ok() && (puts || no_room.is_some()) {
            self.note(no_room.as_ref());
        }
        for (done, held) in waiting {
            // Whoever gets the result finds the room that it leaves.
            drop(held);
            tell(done, written.clone());
        }
        for (_, done) in removes {
            tell(done, written.clone());
        }
    }

    /// Notes how a change ended.
    fn settle(&mut self, changed: Result<Depth, Fault>) -> Result<(), Refused> {
        match changed {
            Ok(depth) => {
                self.depth.send_replace(depth);
                if !self.counted {
                    // An earlier run may have left something in a file that is empty now.
                    (self.counted, self.used) = (true, true);
                    self.note(None);
                }
                Ok(())
            }
            Err(fault) => {
                let refused = refused(&fault);
                self.note(Some(&refused));
                Err(refused)
            }
        }
    }

    /// How much more the spool may take.
    fn room(&mut self) -> Result<Room, Refused> {
        if !self.counted {
            self.count()?;
        }
        self.file.open().map_err(|fault| refused(&fault))?;
        let free = self.file.free_bytes().map_err(|fault| refused(&fault))?;
        let used = self.depth.borrow().bytes;
        // What deliveries have left behind in the file is used again before the file grows; a part of it is needed to
        // change anything at all.
        let left_behind = self.file.allocated_bytes().map_err(|fault| refused(&fault))?.saturating_sub(used) / 2;
        let of_disk = (free + left_behind).saturating_sub(self.limits.min_free_bytes);
        let of_spool = self.limits.max_bytes.saturating_sub(used);
        Ok(Room { of_spool, of_disk })
    }

    /// Logs when the spool begins to take nothing, and when it takes deliveries again.
    fn note(&mut self, refused: Option<&Refused>) {
        match (refused, &self.trouble) {
            (Some(refused), former) if former.as_ref() != Some(refused) => {
                tracing::error!(why = %refused, "the spool takes no deliveries");
            }
            (None, Some(_)) => tracing::info!("the spool takes deliveries again"),
            (Some(_) | None, _) => {}
        }
        self.trouble = refused.cloned();
    }
}

/// How many bytes more the spool may take, by its own limit and by the disk's.
#[derive(Clone, Copy, Default)]
struct Room {
    of_spool: u64,
    of_disk: u64,
}

impl Room {
    /// Whether there is room for so many bytes.
    fn of(mut self, bytes: u64) -> Result<(), Refused> {
        self.take(bytes)
    }

    fn take(&mut self, bytes: u64) -> Result<(), Refused> {
        self.of_spool = self.of_spool.checked_sub(bytes).ok_or(Refused::Full)?;
        self.of_disk = self.of_disk.checked_sub(bytes).ok_or(Refused::NoRoom)?;
        Ok(())
    }
}

fn refused(fault: &Fault) -> Refused {
    Refused::Failed(fault.to_string())
}

/// Whoever asked may have stopped waiting.
fn tell<T>(done: Done<T>, end: Result<T, Refused>) {
    let _ = done.send(end);
}
