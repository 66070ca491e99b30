//! What a scenario runs on: a Postgres, a database in it, the program, and the sender.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::faults::OUTLIVE_THE_LIMIT;
use crate::scale::SCALE;
use crate::sender::{Load, Sender};
use crate::support::postgres::{OwnCluster, TestDatabase};
use crate::support::program::Launch;
use crate::support::{PATIENCE, Program, config_with, own_cluster};

/// The cluster that the last scenario left whole.
static CLUSTER: Mutex<Option<OwnCluster>> = Mutex::new(None);
/// Numbers for databases.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// What the program is told of its limits.
pub(crate) struct Settings {
    /// How many seconds a request is held.
    pub(crate) hold_seconds: u64,
    /// What Postgres has to commit a delivery, in milliseconds, where it is not as long as in the others.
    pub(crate) deadline_ms: Option<u64>,
    /// The lines of `[spool]`.
    pub(crate) spool: &'static str,
}

/// A hold that nothing comes near to, and a spool that is wide enough.
pub(crate) const ORDINARY: Settings = Settings { hold_seconds: 60, deadline_ms: None, spool: "min_free_bytes = 0" };

/// Everything that a scenario runs on.
pub(crate) struct Harness {
    /// The server.
    pub(crate) cluster: OwnCluster,
    /// The database.
    pub(crate) database: TestDatabase,
    /// Who posts.
    pub(crate) sender: Sender,
    /// How long a request is held.
    pub(crate) hold: Duration,
    folder: TempDir,
    config: String,
    address: SocketAddr,
    next: Arc<AtomicUsize>,
    program: Option<Program>,
    /// The socket, where the stage holds it as systemd does.
    held: Option<TcpListener>,
    /// The program's file, where it is not the one under test itself.
    installed: Option<PathBuf>,
}

impl Harness {
    /// A harness with a running program, which has its tables.
    pub(crate) async fn ready(settings: Settings) -> Self {
        let mut harness = Self::set(settings).await;
        harness.start();
        harness.wait_for("postgres is ready");
        harness
    }

    /// A harness whose program is yet to be started.
    pub(crate) async fn set(settings: Settings) -> Self {
        let cluster = Self::cluster().await;
        Self::over(cluster, settings).await
    }

    /// A harness whose database has no tables: the program makes them at its start, as their owner.
    pub(crate) async fn bare(settings: Settings) -> Self {
        let cluster = Self::cluster().await;
        let database = bare_database(&cluster).await;
        Self::with(cluster, database, &settings)
    }

    async fn cluster() -> OwnCluster {
        let kept = CLUSTER.lock().unwrap().take();
        match kept {
            Some(cluster) => cluster,
            None => own_cluster().await,
        }
    }

    /// A harness over a server.
    pub(crate) async fn over(cluster: OwnCluster, settings: Settings) -> Self {
        let database = bare_database(&cluster).await.migrated().await;
        Self::with(cluster, database, &settings)
    }

    fn with(cluster: OwnCluster, database: TestDatabase, settings: &Settings) -> Self {
        let &Settings { hold_seconds, deadline_ms, spool } = settings;
        let deadline_ms = deadline_ms.unwrap_or(SCALE.deadline_ms);
        let terms = format!("hold_seconds = {hold_seconds}\ndeadline_ms = {deadline_ms}");
        let config = config_with(&terms).replace("max_bytes = 0", spool);
        let (address, hold) = (free_address(), Duration::from_secs(hold_seconds));
        let sender = Sender::new(address, hold + PATIENCE);
        let (folder, next) = (tempfile::tempdir().unwrap(), Arc::default());
        Self {
            cluster,
            database,
            sender,
            hold,
            folder,
            config,
            address,
            next,
            program: None,
            held: None,
            installed: None,
        }
    }

    /// Holds the socket from now on, before the program is started.
    pub(crate) fn hold(&mut self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        // As many may wait as in deploy/systemd/forecourt.socket; the standard library's 128 are soon too few.
        self.held = Some(socket.listen(4096).unwrap().into_std().unwrap());
    }

    /// Adds something to the configuration, before the program is started.
    pub(crate) fn configure(&mut self, more: &str) {
        self.config.push_str(more);
    }

    /// Takes something out of the configuration, before the program is started again.
    pub(crate) fn configure_without(&mut self, what: &str) {
        self.config = self.config.replace(what, "");
    }

    /// Puts the program into the place where it is started from, over the one that may be running from there.
    pub(crate) fn install(&mut self) {
        let (new, place) = (self.folder.path().join("forecourt.new"), self.folder.path().join("forecourt"));
        std::fs::copy(env!("CARGO_BIN_EXE_forecourt"), &new).unwrap();
        std::fs::rename(new, &place).unwrap();
        self.installed = Some(place);
    }

    /// Starts this file from now on, or the program under test.
    pub(crate) fn use_program(&mut self, file: Option<PathBuf>) {
        self.installed = file;
    }

    /// What the program is configured with.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// Where the program listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program, and waits until it listens.
    pub(crate) fn start(&mut self) {
        let launch = Launch {
            database: &self.database.url(),
            folder: self.folder.path(),
            config: &self.config,
            listen: self.address,
            log: "info",
            first: OUTLIVE_THE_LIMIT,
        };
        let file = self.installed.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_forecourt")));
        self.program = Some(Program::spawn_with(&launch, file, self.held.as_ref()).listening());
    }

    /// The program, which is running.
    pub(crate) fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("the program is not running")
    }

    /// Waits until the program says something.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.program().wait_for(text);
    }

    /// Kills the program.
    pub(crate) fn kill(&mut self) {
        self.program().signal(Signal::KILL);
        self.program().ended();
        self.program = None;
    }

    /// Stops the program in order.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.program().signal(Signal::TERM);
        let ended = self.program().ended();
        self.program = None;
        ended
    }

    /// The folder of the spool.
    pub(crate) fn spool_dir(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// The file of the spool.
    pub(crate) fn spool_file(&self) -> PathBuf {
        self.spool_dir().join("deliveries.redb")
    }

    /// Begins to post the scenario's deliveries.
    pub(crate) fn load(&self) -> Load {
        self.load_of(SCALE.rate)
    }

    /// Begins to post the scenario's deliveries, so many deliveries a second.
    pub(crate) fn load_of(&self, rate: u32) -> Load {
        Load::begin(self.sender.clone(), Arc::clone(&self.next), rate)
    }

    /// How many deliveries are in the spool; `None` where the program does not answer, or none are and Postgres is away.
    pub(crate) async fn spooled(&self) -> Option<u64> {
        let (_, ready): (_, Value) = self.sender.get("/readyz").await.ok()?;
        let spooled = ready["spool"]["deliveries"].as_u64().unwrap_or(0);
        (spooled > 0 || ready["parts"]["postgres"] == "ok").then_some(spooled)
    }

    /// Waits until the spool is in use.
    pub(crate) async fn spooling(&self) {
        self.until("the spool is in use", |spooled| spooled.is_some_and(|spooled| spooled > 0)).await;
    }

    /// Waits until Postgres is there and the spool empty, and gives how many left it in a second.
    pub(crate) async fn drained(&self) -> Option<f64> {
        let (began, waited) = (Instant::now(), self.spooled().await.unwrap_or(0));
        self.until("the spool is empty", |spooled| spooled == Some(0)).await;
        let seconds = began.elapsed().as_secs_f64();
        (waited > 0).then(|| f64::from(u32::try_from(waited).unwrap()) / seconds)
    }

    async fn until(&self, what: &str, is_so: impl Fn(Option<u64>) -> bool) {
        let patience = PATIENCE * 3 + SCALE.outage;
        let began = Instant::now();
        loop {
            let spooled = self.spooled().await;
            if is_so(spooled) {
                return;
            }
            assert!(began.elapsed() < patience, "{what}: not within {patience:?}, {spooled:?} in the spool");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Leaves the harness; its server serves the next scenario.
    pub(crate) fn leave(self) {
        *CLUSTER.lock().unwrap() = Some(self.cluster);
    }
}

/// A database of a scenario's own, without tables.
async fn bare_database(cluster: &OwnCluster) -> TestDatabase {
    cluster.bare_database(&format!("chaos_{}", NEXT.fetch_add(1, Ordering::Relaxed))).await
}

/// An address that stays the program's while it is down: out of the range from which connections get theirs.
pub(crate) fn free_address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], first + PORT.fetch_add(1, Ordering::Relaxed) % 2_000));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
