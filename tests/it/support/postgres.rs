//! The tests' Postgres: one throwaway cluster for each test process, and in it a database for each test.
//!
//! It is always a private one, also where `DATABASE_URL` names another. Each test has its own runtime, and what one
//! runtime made must not be used in the next: the cluster is therefore looked after by threads, and a test makes its
//! pool itself. Nothing is left behind: the cluster goes with the process, however that ends.
//!
//! The tables belong to a role that is no superuser, and the service connects as another one, which has what `forecourt
//! grant ROLE --serves` gives and may make nothing: no test can come to rely on more. What a test does to the database
//! from outside, it does as a superuser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use forecourt::intake::rereading;
use forecourt::local_postgres::{Durability, LocalPostgres, Options};
use forecourt::store::Store;
use forecourt::store::granting;
use forecourt::store::rights::Grant;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};

/// The migrated database that every test's database is a copy of.
const TEMPLATE: &str = "template_forecourt";

/// The role that the tables belong to.
pub(crate) const OWNER: &str = "forecourt_owner";
/// The role that the service connects as.
pub(crate) const SERVICE: &str = "forecourt_service";

/// The cluster that the tests of this process share; never dropped, its watchdog removes it.
static SHARED: LazyLock<Shared> = LazyLock::new(|| on_own_thread(Shared::start));

/// Where the clusters are: in memory where there is enough of it, which makes a database ten times as fast.
static HOMES: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    if free_megabytes(memory).is_some_and(|free| free > 2000) { memory.to_owned() } else { std::env::temp_dir() }
});

/// Numbers for databases and directories.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// What a transaction runs that has the workspace `alpha` to itself, as whoever writes it.
pub(crate) const ALPHA_HELD: &str = "select version from intake.workspace_locks
    where workspace_id = (select id from workspaces where slug = 'alpha') for update";

/// A migrated database that is one test's own. It is dropped after the test.
pub(crate) struct TestDatabase {
    /// Connections to it as a superuser, for the runtime of this test: to look at it from outside, or to sabotage it.
    pub(crate) pool: PgPool,
    /// How to make more such connections to it.
    pub(crate) options: PgConnectOptions,
    /// Connections for a service, as the role that it has.
    pub(crate) service_pool: PgPool,
    /// How a service connects to it.
    pub(crate) service_options: PgConnectOptions,
    /// Its name.
    pub(crate) name: String,
    janitor: Option<mpsc::Sender<String>>,
}

/// An empty, migrated database.
pub(crate) async fn database() -> TestDatabase {
    // The first caller waits for the cluster, on a thread that may wait.
    let shared: &'static Shared = tokio::task::spawn_blocking(|| &*SHARED).await.unwrap();
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin = connect(&shared.server).await;
    let strategy = if shared.version >= 150_000 { "strategy file_copy" } else { "" };
    execute(&mut admin, format!("create database {name} owner {OWNER} template {TEMPLATE} {strategy}")).await;
    // What a database grants is not copied with it.
    execute(&mut admin, format!("revoke temporary on database {name} from public")).await;
    admin.close().await.unwrap();
    let database = TestDatabase::open(&shared.server, name, Some(shared.janitor.clone()));
    database.served_by(SERVICE)
}

impl TestDatabase {
    /// A database whose service is the superuser, too.
    fn open(server: &LocalPostgres, name: String, janitor: Option<mpsc::Sender<String>>) -> Self {
        let options = server.connect_options(&name);
        let (pool, service_pool) = (pool_of(&options), pool_of(&options));
        Self { pool, service_pool, service_options: options.clone(), options, name, janitor }
    }

    /// The same, and its service connects as this role.
    fn served_by(mut self, role: &str) -> Self {
        self.service_options = self.options.clone().username(role);
        self.service_pool = pool_of(&self.service_options);
        self
    }

    /// The same, and it belongs to the role that the tables are to belong to.
    async fn owned(self) -> Self {
        self.execute(MAKE_ROLES).await;
        let name = &self.name;
        self.execute(&format!("alter database \"{name}\" owner to {OWNER}; alter schema public owner to {OWNER}"))
            .await;
        self.served_by(OWNER)
    }

    /// Makes the tables, or brings them to this version, as their owner; from now on the service connects as a role that
    /// may not.
    pub(crate) async fn migrated(self) -> Self {
        // Those that a dump has left to a superuser.
        let owned = format!(
            "do $$ declare name text; begin
                for name in select format('alter %s %s owner to {OWNER}', case when relkind = 'S' then 'sequence'
                    else 'table' end, oid::regclass) from pg_class
                    where relnamespace::regnamespace::text in ('public', 'identity', 'intake') and relkind in ('r', 'p', 'S')
                    and not exists (select from pg_depend where objid = pg_class.oid and deptype in ('i', 'a'))
                loop execute name; end loop;
                for name in select nspname from pg_namespace where nspname in ('identity', 'intake')
                loop execute format('alter schema %I owner to {OWNER}', name); end loop;
            end $$"
        );
        self.execute(&owned).await;
        // What an operator does before the first start.
        let store = self.owner_store();
        store.migrate().await.unwrap();
        rereading::run(&store).await.unwrap();
        let serves = BTreeSet::from([Grant::Serves]);
        let granted = granting::give(&store, SERVICE, &serves, "the tests", false).await.unwrap();
        assert_eq!(granted.remarks, [] as [&str; 0]);
        store.close().await;
        self.served_by(SERVICE)
    }

    /// The tables as their owner reaches them.
    pub(crate) fn owner_store(&self) -> Store {
        Store::new(pool_of(&self.options.clone().username(OWNER)), 30)
    }

    /// The same database through connections of their own, as another process has it.
    pub(crate) fn beside(&self) -> Self {
        Self {
            pool: pool_of(&self.options),
            options: self.options.clone(),
            service_pool: pool_of(&self.service_options),
            service_options: self.service_options.clone(),
            name: self.name.clone(),
            janitor: None,
        }
    }

    /// Runs statements, to look at the database from outside or to sabotage it.
    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// The one value that a query returns.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await.unwrap()
    }

    /// A `DATABASE_URL` for it, to give to a service.
    pub(crate) fn url(&self) -> String {
        self.url_as(self.service_options.get_username())
    }

    /// A `DATABASE_URL` for it, for whoever dumps and restores it whole.
    pub(crate) fn url_of_superuser(&self) -> String {
        self.url_as(self.options.get_username())
    }

    /// A `DATABASE_URL` for it, for any user.
    pub(crate) fn url_as(&self, user: &str) -> String {
        let socket_dir = self.options.get_socket().unwrap().display().to_string();
        let (port, name) = (self.options.get_port(), &self.name);
        format!("postgres://{user}@localhost:{port}/{name}?host={}&sslmode=disable", socket_dir.replace('/', "%2F"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(janitor) = &self.janitor {
            let _gone_at_the_end = janitor.send(self.name.clone());
        }
    }
}

struct Shared {
    server: LocalPostgres,
    version: i32,
    janitor: mpsc::Sender<String>,
}

impl Shared {
    async fn start() -> Self {
        let server = LocalPostgres::start(throwaway_options()).await.unwrap();
        server.ensure_database(TEMPLATE).await.unwrap();
        let template = TestDatabase::open(&server, TEMPLATE.to_owned(), None).owned().await.migrated().await;
        template.pool.close().await;
        let mut admin = connect(&server).await;
        let version = sqlx::query_scalar("select current_setting('server_version_num')::int");
        let version = version.fetch_one(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        let (janitor, names) = mpsc::channel();
        let options = server.connect_options("postgres");
        std::thread::spawn(move || on_own_thread(async move || sweep(&options, &names).await));
        Self { server, version, janitor }
    }
}

/// Drops the databases of tests that are over, one after the other, beside the tests.
async fn sweep(options: &PgConnectOptions, names: &mpsc::Receiver<String>) {
    let mut admin = options.clone().disable_statement_logging().connect().await.unwrap();
    while let Ok(name) = names.recv() {
        execute(&mut admin, format!("drop database {name} with (force)")).await;
    }
}

/// A throwaway cluster that is one test's own, to be stopped, killed and started again.
pub(crate) struct OwnCluster {
    /// How it is started.
    pub(crate) options: Options,
    server: Option<LocalPostgres>,
}

/// Starts a cluster for one test.
pub(crate) async fn own_cluster() -> OwnCluster {
    own_cluster_with(throwaway_options()).await
}

/// Starts a cluster for one test, as it is said.
pub(crate) async fn own_cluster_with(options: Options) -> OwnCluster {
    let mut cluster = OwnCluster { options, server: None };
    cluster.start().await;
    cluster
}

impl OwnCluster {
    /// The server; it must not be stopped.
    pub(crate) fn server(&self) -> &LocalPostgres {
        self.server.as_ref().expect("the cluster is stopped")
    }

    /// A migrated database in it, the same one at each call. Its pool outlives a stop: it connects again after a start.
    pub(crate) async fn database(&self) -> TestDatabase {
        self.bare_database("forecourt").await.migrated().await
    }

    /// A database in it that has no tables when it is asked for first; its service connects as the owner, and makes them.
    pub(crate) async fn bare_database(&self, name: &str) -> TestDatabase {
        self.server().ensure_database(name).await.unwrap();
        TestDatabase::open(self.server(), name.to_owned(), None).owned().await
    }

    /// Stops the server in order; its data stays for the next start.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop_and_keep().await.unwrap();
        }
    }

    /// Starts it, at first or after a stop, at the same place.
    pub(crate) async fn start(&mut self) {
        self.server = Some(LocalPostgres::start(self.options.clone()).await.unwrap());
    }

    /// Kills the server without warning; it is started again by itself.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
    }

    /// Makes the server's main process stand still, as on a machine that is stuck: new connections wait.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Ends a freeze.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.server().pid());
        assert!(std::process::Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }
}

/// A durable cluster in a directory that the test removes: one that nobody has to put up with.
#[allow(dead_code, reason = "of the test binaries only one needs it")]
pub(crate) struct SafeServer(pub(crate) OwnCluster);

#[allow(dead_code, reason = "of the test binaries only one needs it")]
impl SafeServer {
    pub(crate) async fn start() -> Self {
        let options = Options { durability: Durability::Durable, ..throwaway_options() };
        Self(own_cluster_with(options).await)
    }
}

impl Drop for SafeServer {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0.options.data_dir);
    }
}

/// Options for a new cluster that is deleted when its server stops or this process dies.
pub(crate) fn throwaway_options() -> Options {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let home = HOMES.join(format!("forecourt-test-{}-{number}", std::process::id()));
    let path = std::env::vars_os().find_map(|(name, value)| (name == "PATH").then_some(value));
    let mut options = Options::new(home, Durability::Throwaway, path);
    // A copy of the programs from npm, where it takes one, serves later runs, too.
    options.binaries_dir = Some(binaries_dir());
    options.explicit_bin_dir = super::majors::programs_asked_for(&binaries_dir());
    options
}

/// The free space in a directory's file system; containers often have next to none in `/dev/shm`.
fn free_megabytes(dir: &Path) -> Option<u64> {
    let said =
        std::process::Command::new("df").arg("-Pk").arg(dir).stderr(std::process::Stdio::null()).output().ok()?;
    let table = String::from_utf8_lossy(&said.stdout).into_owned();
    let free: u64 = table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    said.status.success().then_some(free / 1024)
}

/// In the target folder; but what root keeps below its home, the server's account cannot reach.
pub(crate) fn binaries_dir() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if target.starts_with("/root") { Path::new("/var/lib/forecourt").to_owned() } else { target.to_owned() }
}

/// The two roles, once in a cluster.
const MAKE_ROLES: &str = "do $$ begin
    perform pg_advisory_xact_lock(1);
    if not exists (select from pg_roles where rolname = 'forecourt_owner') then create role forecourt_owner login; end if;
    if not exists (select from pg_roles where rolname = 'forecourt_service') then create role forecourt_service login; end if;
end $$";

fn pool_of(options: &PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(10));
    pool.connect_lazy_with(options.clone())
}

async fn connect(server: &LocalPostgres) -> PgConnection {
    server.connect_options("postgres").disable_statement_logging().connect().await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Runs something to its end on a thread and a runtime of its own.
fn on_own_thread<T: Send + 'static, F: Future<Output = T>>(work: impl FnOnce() -> F + Send + 'static) -> T {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work())
    };
    std::thread::spawn(run).join().unwrap()
}
