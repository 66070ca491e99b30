//! The files of the private Postgres: where they are, who owns them, what an earlier life left in them.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::{Error, io};
use super::{PORT, process};

/// The longest path of a socket in bytes, without the zero that ends it: 108 on Linux, 104 on the BSDs and macOS.
const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How long a server that an earlier process left behind may take to stop.
const ORPHAN_PATIENCE: Duration = Duration::from_mins(1);

/// The size in bytes from which the server's log is put aside at a start.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// Every path of one private Postgres.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The data directory that was asked for; the rest is below it, the socket perhaps not.
    pub(super) data_dir: PathBuf,
    /// What belongs to the server.
    pub(super) home: PathBuf,
    /// What `postgres -D` is given.
    pub(super) cluster: PathBuf,
    /// The directory of the socket; its mode is what keeps others out.
    pub(super) socket_dir: PathBuf,
    /// The server's log.
    pub(super) log: PathBuf,
}

impl Layout {
    /// The paths below a data directory, which is made if it is missing.
    pub(super) fn below(data_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(io("make", data_dir))?;
        let data_dir = fs::canonicalize(data_dir).map_err(io("find", data_dir))?;
        let home = data_dir.join("postgres");
        let socket_dir = socket_dir(&home)?;
        Ok(Self { cluster: home.join("cluster"), log: home.join("server.log"), socket_dir, home, data_dir })
    }

    /// Makes the directories and hands them to the server's account.
    pub(super) fn furnish(&self, account: &Account) -> Result<(), Error> {
        account.let_through(&self.data_dir)?;
        private_dir(&self.home, account)?;
        account.must_reach(&self.home)
    }

    /// Makes the directory of the socket, empty of what an earlier server left: nobody else may listen in it.
    pub(super) fn clear_socket_dir(&self, account: &Account) -> Result<(), Error> {
        private_dir(&self.socket_dir, account)?;
        let name = socket_name();
        for leftover in [self.socket_dir.join(&name), self.socket_dir.join(format!("{name}.lock"))] {
            remove_file(&leftover)?;
        }
        Ok(())
    }

    /// The major version that made the cluster; none where there is no cluster yet.
    pub(super) fn major_version(&self) -> Option<u32> {
        fs::read_to_string(self.cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Puts a log that has grown large aside; one older log is kept.
    pub(super) fn turn_log(&self) -> Result<(), Error> {
        match fs::metadata(&self.log) {
            Ok(log) if log.len() > LOG_LIMIT => {
                fs::rename(&self.log, self.home.join("server.log.old")).map_err(io("rename", &self.log))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes the lock that makes us the one owner; it is held for as long as the file is open.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.home.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: self.home.clone() }),
            Err(TryLockError::Error(source)) => Err(io("lock", path)(source)),
        }
    }

    /// Removes clusters that were being made when their maker died.
    pub(super) fn clear_half_made(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.home).map_err(io("read", &self.home))? {
            let entry = entry.map_err(io("read", &self.home))?;
            if entry.file_name().to_string_lossy().starts_with("cluster.new") {
                fs::remove_dir_all(entry.path()).map_err(io("remove", entry.path()))?;
            }
        }
        Ok(())
    }

    /// Deals with the `postmaster.pid` of an earlier life. Called with the lock held: a server that still runs has lost
    /// its owner and is stopped. Postgres itself copes with the id of a process that is gone, but takes a zombie, or
    /// a stranger with a reused id, for a running server; such a file is removed. (Shared memory that is still in use
    /// keeps Postgres from starting twice also without the file.)
    pub(super) fn clear_postmaster_pid(&self) -> Result<(), Error> {
        let path = self.pid_file();
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else {
            return remove_file(&path);
        };
        match self.holder(pid) {
            Holder::Nobody => Ok(()),
            Holder::Stranger => remove_file(&path),
            Holder::Server => self.stop_orphan(pid),
        }
    }

    /// The file in which the server tells its process id and its state.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.cluster.join("postmaster.pid")
    }

    fn stop_orphan(&self, pid: u32) -> Result<(), Error> {
        tracing::warn!(pid, "a private Postgres outlived its owner, stopping it");
        process::signal("INT", pid)?;
        let asked = Instant::now();
        while matches!(self.holder(pid), Holder::Server) {
            if asked.elapsed() > ORPHAN_PATIENCE {
                return Err(Error::Orphan { pid });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It may be gone or a zombie now, with or without having put its file away.
        remove_file(&self.pid_file())
    }

    /// Whose process id it is. The command line tells, to every user; a zombie has none.
    fn holder(&self, pid: u32) -> Holder {
        let cluster = self.cluster.as_os_str().as_bytes();
        if Path::new("/proc/self").exists() {
            return match fs::read(format!("/proc/{pid}/cmdline")) {
                Ok(words) if words.split(|byte| *byte == 0).any(|word| word == cluster) => Holder::Server,
                Ok(_) => Holder::Stranger,
                Err(_) => Holder::Nobody,
            };
        }
        let pid = pid.to_string();
        let said = Command::new("ps").args(["-o", "command=", "-p", &pid]).stdin(Stdio::null()).output();
        match said.map(|said| said.stdout) {
            Ok(line) if line.windows(cluster.len()).any(|part| part == cluster) => Holder::Server,
            Ok(line) if line.is_empty() => Holder::Nobody,
            Ok(_) | Err(_) => Holder::Stranger,
        }
    }
}

/// Whose process id stands in a `postmaster.pid`.
enum Holder {
    Nobody,
    Stranger,
    Server,
}

/// The directory of the socket: beside the cluster where the path is short enough, else one in the system's directory
/// for temporary files whose name is made from the cluster's place, so that it stays the same from start to start.
fn socket_dir(home: &Path) -> Result<PathBuf, Error> {
    let digest = Sha256::digest(home.as_os_str().as_bytes());
    let name = digest.iter().take(6).fold("forecourt-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    let places = [home.join("socket"), std::env::temp_dir().join(&name), Path::new("/tmp").join(&name)];
    let fits = |dir: &PathBuf| dir.join(socket_name()).as_os_str().len() <= SOCKET_PATH_LIMIT;
    let too_long =
        || Error::SocketPathTooLong { path: home.join("socket").join(socket_name()), limit: SOCKET_PATH_LIMIT };
    places.into_iter().find(fits).ok_or_else(too_long)
}

fn socket_name() -> String {
    format!(".s.PGSQL.{PORT}")
}

/// Makes a directory that only the server's account (and root) may enter, or takes one that is so already.
fn private_dir(dir: &Path, account: &Account) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return account.give(dir),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io("make", dir)(error)),
    }
    let meta = fs::symlink_metadata(dir).map_err(io("read", dir))?;
    if !meta.is_dir() || !account.trusts(meta.uid()) || meta.mode() & 0o022 != 0 {
        return Err(Error::ForeignOwner { path: dir.to_owned(), uid: meta.uid() });
    }
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(io("close", dir))?;
    account.give(dir)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
