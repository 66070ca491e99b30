//! What goes wrong: processes that die or stand still, disks that are full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::postgres::OwnCluster;

/// Sends a signal to every process of a server; what has gone meanwhile needs none.
pub(crate) fn signal_all(cluster: &OwnCluster, signal: Signal) {
    let server = cluster.server().pid();
    let send = |pid: u32| {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let _may_be_gone = kill_process(pid, signal);
    };
    // The main process first, and the others are only looked for then: it makes no further ones.
    send(server);
    children(server).into_iter().for_each(send);
}

/// Kills a server with all its processes, and starts it again at once: whoever keeps it would wait longer each time.
pub(crate) async fn kill_and_start(cluster: &mut OwnCluster) {
    signal_all(cluster, Signal::KILL);
    cluster.stop().await;
    cluster.start().await;
}

/// The children of a process.
fn children(parent: u32) -> Vec<u32> {
    let told = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).output().unwrap();
    let processes = String::from_utf8(told.stdout).unwrap();
    let numbers = |line: &str| -> Option<(u32, u32)> {
        let (pid, parent) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, parent.trim().parse().ok()?))
    };
    processes.lines().filter_map(numbers).filter(|(_, of)| *of == parent).map(|(pid, _)| pid).collect()
}

/// Whether this system lets us limit the files of a process that runs.
pub(crate) const LIMITS_FILES: bool = cfg!(target_os = "linux");

/// Keeps a process from writing any file beyond so many bytes.
pub(crate) fn limit_files(process: Pid, bytes: Option<u64>) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, prlimit};
        prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }
    #[cfg(not(target_os = "linux"))]
    panic!("{process:?} cannot be limited to {bytes:?}");
}

/// What lets a process live when it meets that limit, and see an error as from a full disk.
pub(crate) const OUTLIVE_THE_LIMIT: &str = "trap '' XFSZ";

/// A small disk in memory, gone when it is dropped.
pub(crate) struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Makes one of so many bytes at a path, which becomes a folder; none where the system does not let us.
    pub(crate) fn new(path: &Path, bytes: u64, more: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let disk = Self { path: path.to_owned() };
        disk.mount(&format!("mode=0755,size={bytes}{more}"), &["-t", "tmpfs", "tmpfs"]).then_some(disk)
    }

    /// Changes how it is mounted.
    pub(crate) fn change(&self, options: &str) {
        assert!(self.mount(&format!("remount,{options}"), &[]), "the small disk could not be changed");
    }

    fn mount(&self, options: &str, what: &[&str]) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).args(what).arg(&self.path);
        mount.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Fills it but for so many bytes, as far as nobody else is faster.
    pub(crate) fn fill(&self, but_for: u64) {
        let disk = rustix::fs::statvfs(&self.path).unwrap();
        let free = usize::try_from((disk.f_bavail * disk.f_frsize).saturating_sub(but_for)).unwrap();
        let _full_sooner = fs::write(self.ballast(), vec![0; free]);
    }

    /// Empties it of what filled it.
    pub(crate) fn relieve(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has files there keeps them until it ends.
        let mut unmount = Command::new("umount");
        let _best_effort = unmount.arg("-l").arg(&self.path).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _may_be_gone = fs::remove_dir(&self.path);
    }
}
