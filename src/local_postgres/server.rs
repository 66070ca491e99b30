//! The server's process: made, started, waited for, and started again when it dies.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::cluster::Layout;
use super::error::{Error, io};
use super::process::{self, Guarded, Plan, WatchdogPipe};
use super::{Durability, PORT, SUPERUSER};

/// How long a start may take; going through a long log after a crash is part of it.
const START_PATIENCE: Duration = Duration::from_mins(5);

/// How long processes of a server that was killed may still hold its memory.
const MEMORY_PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two attempts to start a server that died.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A server that ran this long was well, and the next pause is a short one again.
const WELL: Duration = Duration::from_mins(1);

/// Everything that a start of the server needs.
pub(super) struct StartConfig {
    pub(super) layout: Layout,
    pub(super) account: Account,
    pub(super) binaries: Binaries,
    pub(super) durability: Durability,
}

impl StartConfig {
    /// Makes a new cluster, whole or not at all: beside its place first, then renamed.
    pub(super) fn make_cluster(&self) -> Result<(), Error> {
        let fresh = self.layout.home.join(format!("cluster.new.{}", std::process::id()));
        let locale = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };
        let mut words = vec![self.binaries.program("initdb").into_os_string(), "-D".into(), fresh.clone().into()];
        words.extend([format!("--username={SUPERUSER}"), format!("--locale={locale}")].map(OsString::from));
        let shared = ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-instructions"];
        words.extend(shared.map(OsString::from));
        words.push(match self.durability {
            Durability::Durable => "--data-checksums".into(),
            Durability::Throwaway => "--no-sync".into(),
        });
        let before = log_length(&self.layout.log);
        let (mut making, watchdog_pipe) = Guarded::start(&self.plan(words, fresh.clone()))?;
        let status = making.child.wait().map_err(io("run", "initdb"))?;
        making.unwatch(watchdog_pipe);
        if !status.success() {
            let detail = last_words(&self.layout.log, before);
            return Err(Error::Initdb { dir: self.layout.cluster.clone(), detail });
        }
        fs::rename(&fresh, &self.layout.cluster).map_err(io("rename", fresh))
    }

    /// Starts the server and waits until it takes connections, or until `given_up` says so.
    fn launch(&self, given_up: &dyn Fn() -> bool) -> Result<(Guarded, WatchdogPipe), Error> {
        let began = Instant::now();
        loop {
            self.layout.clear_postmaster_pid()?;
            self.layout.clear_socket_dir(&self.account)?;
            let before = log_length(&self.layout.log);
            let (mut server, watchdog_pipe) = Guarded::start(&self.plan(self.server_words(), self.layout.pid_file()))?;
            let detail = match self.wait_until_ready(&mut server, given_up)? {
                Start::Ready => return Ok((server, watchdog_pipe)),
                Start::Ended => {
                    server.unwatch(watchdog_pipe);
                    last_words(&self.layout.log, before)
                }
                Start::TooSlow => {
                    watchdog_pipe.keep();
                    server.wait();
                    last_words(&self.layout.log, before)
                }
            };
            // The processes of a server that was killed take a moment to notice.
            if given_up() || !detail.contains("is still in use") || began.elapsed() > MEMORY_PATIENCE {
                return Err(Error::NotStarted { detail, log: self.layout.log.clone() });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The server writes its state into `postmaster.pid`; that is what its own control program looks at, too.
    fn wait_until_ready(&self, server: &mut Guarded, given_up: &dyn Fn() -> bool) -> Result<Start, Error> {
        let pid = server.child.id().to_string();
        let began = Instant::now();
        loop {
            if server.child.try_wait().map_err(io("wait for", "postgres"))?.is_some() {
                return Ok(Start::Ended);
            }
            let told = fs::read_to_string(self.layout.pid_file()).unwrap_or_default();
            let mut lines = told.lines();
            if lines.next() == Some(pid.as_str()) && lines.nth(6).is_some_and(|state| state.trim() == "ready") {
                return Ok(Start::Ready);
            }
            if given_up() || began.elapsed() > START_PATIENCE {
                return Ok(Start::TooSlow);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Removes the files of a throwaway cluster, where its watchdog has not done so: it may stop while it does not run.
    fn clear_away(&self) {
        let Layout { data_dir, home, cluster: _, socket_dir, log: _ } = &self.layout;
        if matches!(self.durability, Durability::Throwaway) {
            for dir in [home, socket_dir] {
                let _may_be_gone = fs::remove_dir_all(dir);
            }
            let _may_be_used = fs::remove_dir(data_dir);
        }
    }

    fn server_words(&self) -> Vec<OsString> {
        // The value is a list, so the path is quoted as an element of it.
        let socket_dir = self.layout.socket_dir.display().to_string().replace('"', "\"\"");
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories=\"{socket_dir}\""),
            "unix_socket_permissions=0700".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
            // Errors name values of rows in their detail, and those are personal data.
            "log_error_verbosity=terse".to_owned(),
            "log_min_error_statement=panic".to_owned(),
        ];
        if matches!(self.durability, Durability::Throwaway) {
            // Without a sync, a commit costs one write; so commits survive a killed server here, too, as tests want.
            // Memory that is shared as files of the cluster goes with it, even when nobody could free it in order.
            let fast = ["fsync=off", "full_page_writes=off", "max_connections=300", "dynamic_shared_memory_type=mmap"];
            settings.extend(fast.map(str::to_owned));
        }
        let mut words = vec![self.binaries.program("postgres").into_os_string(), "-D".into()];
        words.push(self.layout.cluster.clone().into());
        words.extend(settings.into_iter().flat_map(|setting| [OsString::from("-c"), setting.into()]));
        words
    }

    /// How to run one of the programs: in order for data that is worth something, at once for data that is not.
    fn plan(&self, words: Vec<OsString>, witness: std::path::PathBuf) -> Plan<'_> {
        let Layout { data_dir, home, cluster: _, socket_dir, log } = &self.layout;
        let (signal, patience, remove, parent) = match self.durability {
            Durability::Durable => ("INT", 6000, Vec::new(), None),
            Durability::Throwaway => ("QUIT", 2000, vec![home.clone(), socket_dir.clone()], Some(data_dir.clone())),
        };
        Plan { words, account: &self.account, dir: home, log, signal, witness, patience, remove, parent }
    }
}

enum Start {
    Ready,
    Ended,
    TooSlow,
}

/// The running server, kept running by a thread until it is told to stop.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stopping: Option<Files>,
    pid: u32,
    watchdog_pipe: Option<WatchdogPipe>,
}

/// What becomes of a throwaway cluster's files at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// They go the way that the durability says.
    AsMeant,
    /// They stay.
    Keep,
}

impl Supervisor {
    /// Starts the server and the thread that keeps it; the lock is held until the server is gone.
    pub(super) fn start(start_config: StartConfig, lock: File) -> Result<Self, Error> {
        let (server, watchdog_pipe) = start_config.launch(&|| false)?;
        let state = State { stopping: None, pid: server.child.id(), watchdog_pipe: Some(watchdog_pipe) };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let keep = move || {
            theirs.keep_running(&start_config, server);
            if theirs.lock().stopping != Some(Files::Keep) {
                start_config.clear_away();
            }
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("postgres-keeper".to_owned()).spawn(keep);
        Ok(Self { shared, thread: Some(thread.map_err(io("start a thread for", "postgres"))?) })
    }

    /// The process id of the server; that of the last one while it is being started again.
    pub(super) fn pid(&self) -> u32 {
        self.shared.lock().pid
    }

    /// Tells the server to stop, without waiting for it. Returns its process id, if it was running.
    fn let_go(&self, files: Files) -> Option<u32> {
        let mut state = self.shared.lock();
        state.stopping = Some(files);
        self.shared.changed.notify_all();
        let watchdog_pipe = state.watchdog_pipe.take()?;
        match files {
            Files::Keep => watchdog_pipe.keep(),
            Files::AsMeant => drop(watchdog_pipe),
        }
        Some(state.pid)
    }

    /// Stops the server and waits until it is gone.
    pub(super) fn stop(mut self, files: Files) -> Result<(), Error> {
        if let Some(pid) = self.let_go(files) {
            // The watchdog does this as well, unless somebody ended it.
            process::signal("INT", pid)?;
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::BrokenOff { detail: "the thread that watches it is gone".to_owned() }),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _told = self.let_go(Files::AsMeant);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the server's end and starts it again, until we stop.
    fn keep_running(&self, start_config: &StartConfig, mut server: Guarded) {
        let mut pause = Duration::ZERO;
        loop {
            let started = Instant::now();
            let _status = server.child.wait();
            if !self.let_off(&mut server) {
                server.wait();
                return;
            }
            if started.elapsed() > WELL {
                pause = Duration::ZERO;
            }
            tracing::warn!(log = %start_config.layout.log.display(), "the private Postgres died, starting it again");
            server = loop {
                if !self.pause(pause) {
                    return;
                }
                pause = (pause * 2).clamp(Duration::from_millis(100), LONGEST_PAUSE);
                match self.start_again(start_config) {
                    Some(Ok(server)) => break server,
                    Some(Err(error)) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "the private Postgres does not start");
                    }
                    None => return,
                }
            };
        }
    }

    /// After the server's end: false when we stop and the watchdog has its work to do, else it is sent away.
    fn let_off(&self, server: &mut Guarded) -> bool {
        let mut state = self.lock();
        if let (None, Some(watchdog_pipe)) = (state.stopping, state.watchdog_pipe.take()) {
            server.unwatch(watchdog_pipe);
            return true;
        }
        false
    }

    /// Waits; false when we stop.
    fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, pause, |state| state.stopping.is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.stopping.is_none()
    }

    /// Starts the server once more; none when we stop meanwhile.
    fn start_again(&self, start_config: &StartConfig) -> Option<Result<Guarded, Error>> {
        let launched = start_config.launch(&|| self.lock().stopping.is_some());
        let mut state = self.lock();
        match launched {
            Ok((mut server, watchdog_pipe)) if state.stopping.is_some() => {
                watchdog_pipe.keep();
                server.wait();
                None
            }
            Err(_) if state.stopping.is_some() => None,
            Ok((server, watchdog_pipe)) => {
                tracing::info!("the private Postgres runs again");
                state.pid = server.child.id();
                state.watchdog_pipe = Some(watchdog_pipe);
                Some(Ok(server))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn log_length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |log| log.len())
}

/// The gist of what was logged since: what was fatal or an error, else the last line.
fn last_words(log: &Path, since: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut log| {
        log.seek(SeekFrom::Start(since))?;
        log.take(64 * 1024).read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let bad = |line: &&str| ["FATAL:", "PANIC:", "error:"].iter().any(|word| line.contains(word));
    match (read, lines().rfind(bad).or_else(|| lines().next_back())) {
        (Ok(_), Some(line)) => line.to_owned(),
        (Ok(_), None) => "it said nothing".to_owned(),
        (Err(error), _) => error.to_string(),
    }
}
