//! The spool's file. A fault closes it, and the next use opens it again, because after one that failed the library
//! writes nothing more; a file that is damaged is put aside whole, and a new one begun.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, ReadableDatabase as _, ReadableTable, ReadableTableMetadata as _};
use redb::{Table, TableDefinition};

use super::key::{Key, LENGTH};
use super::limits::{Depth, footprint};

/// The deliveries, by key.
const DELIVERIES: TableDefinition<&[u8; LENGTH], &[u8]> = TableDefinition::new("deliveries");
/// One row, under the empty name: how many bytes the deliveries take up, which would else have to be counted.
const TOTAL: TableDefinition<&str, u64> = TableDefinition::new("total_bytes");

/// The name of the file.
const NAME: &str = "deliveries.redb";
/// How the file of a delivery begins that was put aside.
pub const UNREADABLE: &str = "unreadable-";
/// The same of a whole file that was put aside because it was damaged.
pub const DAMAGED: &str = "damaged-";
/// Only its owner may read what customers wrote.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// The pages of the library; its files have whole ones.
const PAGE: u64 = 4_096;
/// How much of the file is kept in memory.
const CACHE_BYTES: usize = 16 << 20;

/// Why the file cannot be used now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Another process has it.
    #[error("another running process has it")]
    InUse,
    /// What it holds is not what was written.
    #[error("the file is damaged ({0})")]
    Damaged(String),
    /// It could not be read or written.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<redb::Error> for Fault {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open, and the rest is told by its text")]
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_) => Self::Damaged(error.to_string()),
            // What is no file of the library, or one that was cut off, is reported as an I/O error.
            redb::Error::Io(cause)
                if matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged(cause.to_string())
            }
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// The spool's file, open or not.
pub(super) struct SpoolFile {
    dir: PathBuf,
    lock: Option<File>,
    database: Option<Database>,
}

impl SpoolFile {
    /// The file of a folder; not yet opened.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: None, database: None }
    }

    /// A file that is open already, on whatever kind of disk.
    #[cfg(test)]
    pub(super) fn over(database: Database) -> Self {
        Self { dir: PathBuf::new(), lock: None, database: Some(database) }
    }

    /// Opens it, where it is not open.
    pub(super) fn open(&mut self) -> Result<(), Fault> {
        if self.database.is_some() {
            return Ok(());
        }
        if self.lock.is_none() {
            make_folder(&self.dir)?;
            self.lock = Some(lock(&self.dir)?);
        }
        self.database = Some(match open_with_torn_end(&self.path()) {
            Err(Fault::Damaged(why)) => {
                self.put_aside(&why)?;
                open_database(&self.path())?
            }
            opened => opened?,
        });
        sync_folder(&self.dir)?;
        Ok(())
    }

    /// Writes and removes records, and gives the depth after that. When it returns, the change is on disk.
    pub(super) fn write(&mut self, puts: &[(Key, Vec<u8>)], removes: &[Key]) -> Result<Depth, Fault> {
        self.attempt(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_quick_repair(true);
            let depth = {
                let mut table = transaction.open_table(DELIVERIES)?;
                let mut total = transaction.open_table(TOTAL)?;
                let mut bytes = total.get("")?.map_or(0, |bytes| bytes.value());
                for (key, record) in puts {
                    let former = table.insert(&key.to_bytes(), record.as_slice())?;
                    bytes = less(bytes, former.map(|former| former.value().len())) + footprint(record.len());
                }
                for key in removes {
                    let former = table.remove(&key.to_bytes())?;
                    bytes = less(bytes, former.map(|former| former.value().len()));
                }
                total.insert("", bytes)?;
                depth(&table, bytes)?
            };
            transaction.commit()?;
            Ok(depth)
        })
    }

    /// How many deliveries and bytes it holds, and the key of the oldest.
    pub(super) fn depth(&mut self) -> Result<Depth, Fault> {
        self.write(&[], &[])
    }

    /// The records after a key, oldest first: so many at the most, and of so many bytes where there is more than one.
    pub(super) fn read(&mut self, after: Option<Key>, most: usize, bytes: usize) -> Result<Vec<Record>, Fault> {
        self.attempt(|database| {
            let table = match database.begin_read()?.open_table(DELIVERIES) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                opened => opened?,
            };
            let start = after.map(Key::to_bytes);
            let range = match &start {
                Some(start) => table.range::<&[u8; LENGTH]>((
                    std::ops::Bound::Excluded(start),
                    std::ops::Bound::<&[u8; LENGTH]>::Unbounded,
                ))?,
                None => table.range::<&[u8; LENGTH]>(..)?,
            };
            let (mut records, mut taken) = (Vec::new(), 0);
            for entry in range.take(most) {
                let (key, record) = entry?;
                taken += record.value().len();
                if taken > bytes && !records.is_empty() {
                    break;
                }
                records.push((Key::from_bytes(key.value()), record.value().to_vec()));
            }
            Ok(records)
        })
    }

    /// Writes a record to a file of its own and removes it from this one.
    pub(super) fn set_aside(&mut self, key: Key) -> Result<Depth, Fault> {
        let record = self.attempt(|database| {
            let table = database.begin_read()?.open_table(DELIVERIES)?;
            let record = table.get(&key.to_bytes())?.map(|record| record.value().to_vec());
            Ok(record)
        })?;
        if let Some(record) = record {
            let mut file = private_file(&self.dir.join(format!("{UNREADABLE}{key}")))?;
            file.set_len(0)?;
            file.write_all(&record)?;
            file.sync_all()?;
            sync_folder(&self.dir)?;
        }
        self.write(&[], &[key])
    }

    /// Begins a new file where this one is empty, so that nothing of what was in it remains.
    pub(super) fn begin_anew(&mut self) -> Result<Depth, Fault> {
        let depth = self.depth()?;
        if depth.deliveries > 0 {
            return Ok(depth);
        }
        self.close();
        fs::remove_file(self.path())?;
        self.depth()
    }

    /// How many bytes its disk has left for us.
    pub(super) fn free_bytes(&self) -> Result<u64, Fault> {
        let disk = rustix::fs::statvfs(&self.dir).map_err(io::Error::from)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// How many bytes of the disk it takes up already.
    pub(super) fn allocated_bytes(&self) -> Result<u64, Fault> {
        Ok(fs::metadata(self.path())?.blocks().saturating_mul(512))
    }

    /// Closes it; the folder stays ours.
    pub(super) fn close(&mut self) {
        let database = self.database.take();
        // Closing writes as well, and must not end the thread either.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }

    /// Does something with the open file. After a fault, what the library knows of the file may be wrong: it is closed.
    fn attempt<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Fault> {
        self.open()?;
        let Some(database) = &self.database else { return Err(Fault::Failed("the file is closed".to_owned())) };
        let fault = match catch_unwind(AssertUnwindSafe(|| work(database))) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Fault::from(error),
            Err(_panic) => Fault::Failed("the library panicked".to_owned()),
        };
        self.close();
        if let Fault::Damaged(why) = &fault {
            self.put_aside(why)?;
        }
        Err(fault)
    }

    /// Puts a damaged file aside, for a person to look at: it may hold deliveries.
    fn put_aside(&self, why: &str) -> Result<(), Fault> {
        let name = |number: u32| self.dir.join(format!("{DAMAGED}{number}.redb"));
        let aside = (1..=u32::MAX).map(name).find(|path| !path.exists());
        if let Some(aside) = aside {
            let path = aside.display();
            fs::rename(self.path(), &aside)?;
            sync_folder(&self.dir)?;
            tracing::error!(%path, why, "the spool's file is damaged and put aside; deliveries may be in it");
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }
}

/// A record with its key.
pub(super) type Record = (Key, Vec<u8>);

fn less(bytes: u64, record: Option<usize>) -> u64 {
    bytes.saturating_sub(record.map_or(0, footprint))
}

fn depth(table: &Table<&[u8; LENGTH], &[u8]>, bytes: u64) -> Result<Depth, redb::Error> {
    let oldest = table.first()?.map(|(key, _)| Key::from_bytes(key.value()));
    Ok(Depth { deliveries: table.len()?, bytes, oldest })
}

/// Opens the file, or makes it. What a crash left beyond its last whole page does not damage the pages before it, but
/// the library takes a file of such a length for damaged: it is filled up to whole pages then.
fn open_with_torn_end(path: &Path) -> Result<Database, Fault> {
    let damaged = match open_database(path) {
        Err(Fault::Damaged(why)) => why,
        opened => return opened,
    };
    let length = fs::metadata(path)?.len();
    if length.is_multiple_of(PAGE) {
        return Err(Fault::Damaged(damaged));
    }
    private_file(path)?.set_len(length.next_multiple_of(PAGE))?;
    match open_database(path) {
        Err(Fault::Damaged(why)) => {
            // It is kept as it was found.
            private_file(path)?.set_len(length)?;
            Err(Fault::Damaged(why))
        }
        opened => opened,
    }
}

/// Opens the file, or makes it. A panic is taken for damage: the library found what it thought impossible.
fn open_database(path: &Path) -> Result<Database, Fault> {
    let file = private_file(path)?;
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let backend = FileBackend::new(file).map_err(redb::Error::from)?;
        Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(redb::Error::from)
    }));
    match opened {
        Ok(opened) => Ok(opened?),
        Err(_panic) => Err(Fault::Damaged("the library panicked".to_owned())),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
    Ok(file)
}

fn make_folder(dir: &Path) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match (DirBuilder::new().mode(PRIVATE_FOLDER).create(dir), dir.parent()) {
        (Err(error), _) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        (Ok(()), Some(parent)) => sync_folder(parent)?,
        (Ok(()) | Err(_), _) => {}
    }
    fs::set_permissions(dir, Permissions::from_mode(PRIVATE_FOLDER))
}

/// Takes the lock that makes us the one owner; it is held for as long as the file is open.
fn lock(dir: &Path) -> Result<File, Fault> {
    let file = private_file(&dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Makes the names of a folder's files durable.
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
