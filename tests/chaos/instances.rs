//! Several instances on one database, each with its own spool, behind a proxy: all started at once over an empty database,
//! killed and added under load.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::checks::{Seen, compare};
use crate::faults::{OUTLIVE_THE_LIMIT, kill_and_start};
use crate::harness::{Harness, ORDINARY, free_address};
use crate::proxies::{changed, found, proxy};
use crate::scale::SCALE;
use crate::sender::Sender;
use crate::support::program::Launch;
use crate::support::{PATIENCE, Program};
use crate::table;

/// So many connections has each: the server has them for eight and one more.
const CONNECTIONS: &str = "\n[database]\nallow_unsafe = true\nmax_connections = 6\nwriters = 2\n";

/// One of them.
struct Instance {
    folder: TempDir,
    address: SocketAddr,
    program: Option<Program>,
}

impl Instance {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), address: free_address(), program: None }
    }

    /// Starts it; whether it listens is not waited for.
    fn spawn(&mut self, database: &str, config: &str) {
        let launch = Launch {
            database,
            folder: self.folder.path(),
            config,
            listen: self.address,
            log: "info",
            first: OUTLIVE_THE_LIMIT,
        };
        self.program = Some(Program::spawn(&launch));
    }

    fn ready(&mut self) {
        let program = self.program.take().unwrap();
        let mut program = program.listening();
        program.wait_for("postgres is ready");
        self.program = Some(program);
    }

    fn end(&mut self, signal: Signal) -> Option<i32> {
        let mut program = self.program.take().unwrap();
        program.signal(signal);
        program.ended().code()
    }

    /// Waits until Postgres is there and its own spool empty.
    async fn drained(&self) {
        let (sender, began) = (Sender::new(self.address, PATIENCE), Instant::now());
        loop {
            if let Ok((_, ready)) = sender.get("/readyz").await {
                let spooled = ready["spool"]["deliveries"].as_u64().unwrap_or(0);
                if spooled == 0 && ready["parts"]["postgres"] == "ok" {
                    return;
                }
            }
            assert!(began.elapsed() < PATIENCE * 3 + SCALE.outage, "its spool does not come to be empty");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Two of them.
pub(crate) async fn two() {
    several(2).await;
}

/// Four of them.
pub(crate) async fn four() {
    several(4).await;
}

/// Eight of them.
pub(crate) async fn eight() {
    several(8).await;
}

async fn several(count: usize) {
    let scenario = format!("{count} instances behind HAProxy, killed and added");
    let Some(haproxy) = found("haproxy") else {
        return table::leave_out(&scenario, "HAProxy is not installed here");
    };
    let mut harness = Harness::bare(ORDINARY).await;
    let (database, config) = (harness.database.url(), format!("{}{CONNECTIONS}", harness.config()));
    // The last one is added later.
    let mut instances: Vec<Instance> = (0..=count).map(|_| Instance::new()).collect();
    for instance in &mut instances[..count] {
        instance.spawn(&database, &config);
    }
    for instance in &mut instances[..count] {
        instance.ready();
    }
    let addresses: Vec<SocketAddr> = instances.iter().map(|instance| instance.address).collect();
    let start = |program: &Path, folder: &Path, address: SocketAddr| before(&addresses, program, folder, address);
    let proxy = proxy(harness.folder(), &haproxy, start).await;
    harness.sender = Sender::new(proxy.address(), harness.hold + PATIENCE);
    // A debug build on a busy machine has to keep up with it.
    let load = harness.load_of(SCALE.rate.min(50));
    let pause = SCALE.instances.1;
    for turn in 0..SCALE.instances.0 {
        sleep(pause).await;
        let turn = usize::try_from(turn).unwrap();
        if turn == 1 {
            instances[count].spawn(&database, &config);
            instances[count].ready();
        } else if turn % 4 == 3 {
            kill_and_start(&mut harness.cluster).await;
        }
        let instance = &mut instances[turn % count];
        // One is killed, the next one is stopped in order.
        if turn % 2 == 0 {
            instance.end(Signal::KILL);
        } else {
            assert_eq!(instance.end(Signal::TERM), Some(0), "the stop");
        }
        sleep(pause / 2).await;
        instance.spawn(&database, &config);
        instance.ready();
    }
    sleep(pause).await;
    let sent = load.end().await;
    for instance in &mut instances {
        instance.drained().await;
        assert_eq!(instance.end(Signal::TERM), Some(0), "the stop");
    }
    let migrations: i64 = harness.database.value("select count(*) from public._sqlx_migrations").await;
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert_eq!(usize::try_from(migrations).unwrap(), files, "each migration is applied once");
    drop(proxy);
    Box::pin(compare(&scenario, harness, Seen { sent, ..Seen::default() })).await;
}

/// `deploy/haproxy.cfg` with a line for each of them, which takes one out that does not answer, as docs/scale.md has it.
fn before(addresses: &[SocketAddr], program: &Path, folder: &Path, address: SocketAddr) -> Command {
    let server = |(number, address): (usize, &SocketAddr)| format!("    server forecourt{number} {address}\n");
    let servers: String = addresses.iter().enumerate().map(server).collect();
    let several = format!(
        "    option httpchk GET /readyz\n    timeout check 5s\n    default-server check inter 500ms fall 1 rise 1\n    option redispatch 1\n{servers}"
    );
    let config = changed(
        "haproxy.cfg",
        &[
            ("bind :443 ssl crt /etc/haproxy/forecourt.pem", &format!("bind {address}")),
            ("    server forecourt 127.0.0.1:8080\n", &several),
        ],
    );
    let path = folder.join("haproxy.cfg");
    std::fs::write(&path, config).unwrap();
    let mut haproxy = Command::new(program);
    haproxy.arg("-db").arg("-f").arg(path);
    haproxy
}
