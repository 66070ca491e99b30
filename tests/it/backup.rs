//! Backups: what docs/backup.md says is done by its own commands, and the service goes on over what was restored.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::body::Body;
use axum::http::Request;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::upgrade;
use crate::support::postgres::{OWNER, OwnCluster, SERVICE, TestDatabase, own_cluster_with};
use crate::support::program::{Launch, exchange};
use crate::support::{
    ALL, Answer, CLUSTERS, CONFIG, INVENTORY, LEADPRO, LEADS, OTHER_TOKEN, Program, SECRETS, TOKEN, TestService,
    a_lead, car, credential, left_out, own_cluster, soon, tables, throwaway_options,
};

const PAGE: &str = include_str!("../../docs/backup.md");

/// The shell's lines of a section of the page, the first or a later block of them.
fn commands(section: &str, place: usize) -> &'static str {
    let section = PAGE.split(&format!("\n## {section}")).nth(1).unwrap().split("\n## ").next().unwrap();
    section.split("```sh\n").nth(place + 1).unwrap().split("```").next().unwrap()
}

/// The folder of the server's programs; none where it has no `pg_dump` beside it.
fn programs(cluster: &OwnCluster) -> Option<PathBuf> {
    let server = fs::read_link(format!("/proc/{}/exe", cluster.server().pid())).ok();
    let folder = server.and_then(|server| Some(server.parent()?.to_owned()));
    let folder = folder.filter(|folder| folder.join("pg_dump").exists() && folder.join("pg_basebackup").exists());
    if folder.is_none() {
        left_out("no backup is taken: the server's programs have no pg_dump beside them");
    }
    folder
}

/// A shell that has the programs of Postgres and ours, and the variables of the page.
struct Shell {
    path: String,
    variables: BTreeMap<&'static str, String>,
}

impl Shell {
    fn new(programs: &Path, folder: &Path, backup: &Path) -> Self {
        let ours = Path::new(env!("CARGO_BIN_EXE_forecourt")).parent().unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", programs.display(), ours.display());
        let mut shell = Self { path, variables: BTreeMap::new() };
        shell.set("FORECOURT_DATA_DIR", folder.display().to_string());
        shell.set("FORECOURT_CONFIG", folder.join("forecourt.toml").display().to_string());
        shell.set("BACKUP", backup.display().to_string());
        shell
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.variables.insert(name, value);
    }

    fn over(&mut self, database: &TestDatabase) {
        self.set("OWNER_URL", database.url_as(OWNER));
        self.set("DATABASE_URL", database.url_as(SERVICE));
    }

    fn run(&self, lines: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command.args(["-e", "-c", lines]).env_clear().env("PATH", &self.path).envs(SECRETS).envs(&self.variables);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{lines}\n{output:?}");
        output
    }
}

fn start(database: &str, folder: &Path, config: &str) -> Program {
    let listen = ([127, 0, 0, 1], 0).into();
    Program::launch(&Launch { database, folder, config, listen, log: "info", first: "" })
}

fn stop(mut program: Program) {
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

async fn drained(program: &Program) {
    soon("Postgres is there and the spool empty", async || {
        let ready = program.get("/readyz").await.body;
        ready["parts"]["postgres"] == "ok" && ready["spool"]["deliveries"] == 0
    })
    .await;
}

/// Posts, and gives the delivery's id.
async fn taken(program: &Program, path: &str, body: &Value) -> String {
    let answer = program.post_as(TOKEN, path, body.to_string()).await;
    id_of(&answer)
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["delivery_id"].as_str().unwrap().to_owned()
}

/// How often deliveries are stored, and as what.
async fn stored(database: &TestDatabase, ids: &[String]) -> Vec<String> {
    let query = format!(
        "select coalesce(jsonb_agg(outcome || ' ' || attempts order by received_at), '[]') from intake.deliveries
        where id::text = any('{{{}}}')",
        ids.join(",")
    );
    serde_json::from_value(database.value(&query).await).unwrap()
}

async fn counts(database: &TestDatabase) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in tables(&database.pool, ALL).await {
        let count = database.value(&format!("select count(*) from {table}")).await;
        counts.insert(table, count);
    }
    counts
}

/// Every relation and function with its owner and the rights on it, and which are partitions, within which bounds.
const SHAPE: &str = "select jsonb_agg(line order by line) from (
        select format('%s %s %s %s %s', c.oid::regclass, relkind, relowner::regrole, (
                select string_agg(format('%s=%s', grantee::regrole, privilege_type), ' ' order by grantee, privilege_type)
                from aclexplode(relacl) where grantee <> relowner), pg_get_expr(relpartbound, c.oid))
        from pg_class c where relnamespace::regnamespace::text in ('public', 'identity', 'intake')
        union all
        select format('%s.%s %s', attrelid::regclass, attname, (
            select string_agg(format('%s=%s', grantee::regrole, privilege_type), ' ' order by grantee, privilege_type)
            from aclexplode(attacl)))
        from pg_attribute a join pg_class c on c.oid = attrelid
        where attacl is not null and relnamespace::regnamespace::text in ('public', 'identity', 'intake')
        union all
        select format('%s %s %s', p.oid::regprocedure, proowner::regrole, (
            select string_agg(format('%s=%s', grantee::regrole, privilege_type), ' ' order by grantee, privilege_type)
            from aclexplode(proacl)))
        from pg_proc p where pronamespace::regnamespace::text in ('identity', 'intake')
    ) lines (line)";

/// The greatest id of any row that has one from the sequence.
const NEWEST_ROW: &str = "select greatest((select max(id) from leads), (select max(id) from persons),
    (select max(id) from listings), (select max(id) from lead_clusters), (select max(id) from bookings),
    (select max(id) from locations), (select max(id) from packages))";

/// Rows that nothing leaves behind: what is to be read anew is done at the upgrade, and old bodies go by retention only.
const EMPTY: [&str; 2] = ["intake.rereadings", "intake.retention_progress"];

/// The configuration of the dump's release, with an OAuth client, a sender that is expected, and time for Postgres.
fn every_kind() -> String {
    let config =
        upgrade::config("71a3cea").replace("[server]", "[spool]\nmin_free_bytes = 0\n[server]\ndeadline_ms = 500");
    let config = config.replace("[356, 3]", "[356, 3]\nexpect = { inventory = \"26h\" }");
    let rest = "secret_env = \"CLIENT_SECRET\"\nclient_id = \"studio\"\n";
    config + &credential("studio", "oauth_client", "[\"lead\"]", "\"all\"", rest)
}

async fn access_token(program: &Program) -> String {
    let secret = SECRETS.iter().find(|(name, _)| *name == "CLIENT_SECRET").unwrap().1;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("grant_type", "client_credentials"), ("client_id", "studio"), ("client_secret", secret)])
        .finish();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = program.post_with(&kind, "/oauth/token", form).await;
    answer.body["access_token"].as_str().unwrap().to_owned()
}

/// A lead of the dump's workspace `dealer-a`, of this id.
fn lead(id: i64) -> Value {
    a_lead(id).with(json!({"prospect": {"first_name": "Ann", "email": format!("backup{id}@example.com")}})).into()
}

/// Restores a dump into a database of another server by the page's commands, starts the service over it with a copy of the
/// data directory, and delivers.
async fn restored(other: &OwnCluster, name: &str, shell: &mut Shell, config: &str, expected: &Before) -> TestDatabase {
    let database = other.bare_database(name).await;
    let folder = tempfile::tempdir().unwrap();
    shell.set("FORECOURT_DATA_DIR", folder.path().display().to_string());
    shell.over(&database);
    shell.run(commands("Restore into another server", 0));
    let mut restored = counts(&database).await;
    // The one that gave the rights.
    *restored.get_mut("intake.actions").unwrap() -= 1;
    assert_eq!(restored, expected.counts, "{name}");
    assert_eq!(database.value::<Value>(SHAPE).await, expected.shape, "{name}");
    let newest: i64 = database.value(NEWEST_ROW).await;

    let mut program = start(&shell.variables["DATABASE_URL"], folder.path(), config);
    program.wait_for("postgres is ready");
    drained(&program).await;
    assert_eq!(stored(&database, &expected.spooled).await, ["applied 1", "applied 1"], "{name}: once, by its id");
    let new = taken(&program, LEADS, &lead(7_100_001)).await;
    let by_token = program.post_as(&expected.token, LEADS, lead(7_100_002).to_string()).await;
    let both = [new, id_of(&by_token)];
    program.post_as("a-wrong-secret-of-the-backup", LEADS, "{}").await;
    drained(&program).await;
    assert_eq!(stored(&database, &both).await, ["applied 1", "applied 1"], "{name}");
    let first: i64 = database.value("select min(id) from leads where external_id like '71000%'").await;
    assert!(first > newest, "{name}: {first} is not after {newest}");
    refused(&database, 2).await;
    let fingerprints = "select count(distinct fingerprint) from intake.rejected where body = '{}'";
    assert_eq!(database.value::<i64>(fingerprints).await, 1, "{name}: the key came along");
    stop(program);
    database
}

/// Waits until so many of the refused requests are kept.
async fn refused(database: &TestDatabase, count: i64) {
    let query = "select count(*) from intake.rejected where body = '{}'";
    soon("the refused request is kept", async || database.value::<i64>(query).await == count).await;
}

/// What there was when a dump was taken.
struct Before {
    counts: BTreeMap<String, i64>,
    shape: Value,
    spooled: Vec<String>,
    token: String,
}

/// One delivery of each feed, a request that is refused, and a reload; gives an access token.
async fn one_of_each(program: &mut Program) -> String {
    let token = access_token(program).await;
    for (status, updated_at) in [("New", "2025-10-04T00:00:00Z"), ("Lost", "2025-10-05T00:00:00Z")] {
        let mut lead = lead(7_000_001);
        lead["lead_status_option"] = json!({"name": status});
        lead["updated_at"] = json!(updated_at);
        taken(program, LEADS, &lead).await;
    }
    taken(program, INVENTORY, car(7_000_002).body()).await;
    let cluster_of =
        json!({"id": 7_000_003, "dealership_id": 356, "contact": {"email": "backup@example.com"}, "leads": []});
    taken(program, CLUSTERS, &cluster_of).await;
    let property = json!({"event": "lead.created", "data": {"id": 7_000_004, "full_name": "Ruth Amble"}});
    id_of(&program.post_as(OTHER_TOKEN, LEADPRO, property.to_string()).await);
    program.post_as("a-wrong-secret-of-the-backup", LEADS, "{}").await;
    program.signal(Signal::HUP);
    program.wait_for("configuration reloaded");
    drained(program).await;
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_and_a_copy_of_the_data_directory_make_the_same_service_on_another_server() {
    let mut cluster = own_cluster().await;
    let Some(programs) = programs(&cluster) else { return };
    let database = upgrade::restored(&cluster, "71a3cea").await.migrated().await;
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = every_kind();
    let mut shell = Shell::new(&programs, folder.path(), backup.path());
    shell.over(&database);
    let mut program = start(&database.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    drained(&program).await;
    let token = one_of_each(&mut program).await;
    refused(&database, 1).await;
    shell.run("forecourt erase --email backup@example.com");

    // Two deliveries come while Postgres is away, and are in the spool when the data directory is copied.
    cluster.stop().await;
    let mut spooled = Vec::new();
    for id in [7_000_010, 7_000_011] {
        spooled.push(taken(&program, LEADS, &lead(id)).await);
    }
    stop(program);
    let (copy, dump) = commands("The order", 0).split_once('\n').unwrap();
    shell.run(copy);
    cluster.start().await;
    assert_eq!(stored(&database, &spooled).await, [] as [&str; 0]);
    shell.run(dump);
    let early = Before {
        counts: counts(&database).await,
        shape: database.value(SHAPE).await,
        spooled: spooled.clone(),
        token: token.clone(),
    };
    let empty: Vec<&String> = early.counts.iter().filter(|(_, count)| **count == 0).map(|(table, _)| table).collect();
    assert_eq!(empty, EMPTY, "a kind of row that no backup was tried with");

    let other = own_cluster().await;
    let early = restored(&other, "early", &mut shell, &config, &early).await;

    // They move to the tables between the copy of the data directory and the dump.
    let mut program = start(&database.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    drained(&program).await;
    stop(program);
    shell.over(&database);
    shell.run(dump);
    let (counts, shape) = (counts(&database).await, database.value(SHAPE).await);
    let late = restored(&other, "late", &mut shell, &config, &Before { counts, shape, spooled, token }).await;

    // All three hold the same in the end.
    let mut program = start(&database.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    for id in [7_100_001, 7_100_002] {
        taken(&program, LEADS, &lead(id)).await;
    }
    drained(&program).await;
    stop(program);
    let expected = content(&database, &config).await;
    assert_eq!(content(&early, &config).await, expected);
    assert_eq!(content(&late, &config).await, expected);
}

async fn content(database: &TestDatabase, config: &str) -> Vec<String> {
    let mut lines = TestService::over(database.beside(), config).await.content().await;
    lines.sort();
    lines
}

/// The tests' configuration with a spool, which is used early.
fn with_spool() -> String {
    CONFIG.replace("deadline_ms = 60000", "deadline_ms = 500").replace("max_bytes = 0", "min_free_bytes = 0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_private_postgres_moves_to_ones_own_by_the_commands_of_the_page() {
    let other = own_cluster().await;
    let Some(programs) = programs(&other) else { return };
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut shell = Shell::new(&programs, folder.path(), backup.path());
    let config = with_spool();
    let mut program = start("", folder.path(), &config);
    program.wait_for("postgres is ready");
    taken(&program, LEADS, &a_lead(1).into()).await;
    drained(&program).await;
    shell.run(commands("The private Postgres", 0));
    stop(program);

    let database = other.bare_database("forecourt").await;
    shell.over(&database);
    shell.run(commands("The private Postgres", 1));
    let mut program = start(&shell.variables["DATABASE_URL"], folder.path(), &config);
    program.wait_for("postgres is ready");
    taken(&program, LEADS, &a_lead(2).into()).await;
    drained(&program).await;
    assert_eq!(database.value::<i64>("select count(*) from leads").await, 2);
    assert_eq!(database.value::<i64>("select count(*) from intake.deliveries where outcome = 'applied'").await, 2);
    stop(program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_private_postgres_moves_to_ones_own_under_load_and_nothing_is_lost() {
    let other = own_cluster().await;
    let Some(programs) = programs(&other) else { return };
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut shell = Shell::new(&programs, folder.path(), backup.path());
    let (config, database) = (with_spool(), other.bare_database("forecourt").await);
    shell.over(&database);
    let mut program = start("", folder.path(), &config);
    program.wait_for("postgres is ready");
    let mut told: Vec<(String, String)> = Vec::new();
    for id in 0..5 {
        let answer = program.post_as(TOKEN, LEADS, a_lead(id).to_string()).await;
        told.push((id_of(&answer), answer.outcome().to_owned()));
    }
    // As `systemctl stop` does, it waits for the end, in which the private Postgres ends.
    let pid = program.pid().as_raw_nonzero();
    let ended = folder.path().join("postgres/cluster/postmaster.pid");
    let stop = format!("{{ kill -TERM {pid}; while [ -e '{}' ]; do sleep 0.05; done; }}", ended.display());
    let command = commands("To one's own Postgres under load", 0);
    assert!(command.contains("systemctl stop forecourt"));
    let command = command.replace("systemctl stop forecourt", &stop);
    let moving = tokio::task::spawn_blocking(move || shell.run(&command));
    let mut next = 5;
    while !moving.is_finished() {
        // What nobody answers any more was not taken.
        let lead = a_lead(next).to_string();
        let request = Request::post(LEADS).header("authorization", format!("Bearer {TOKEN}")).body(Body::from(lead));
        let posted = tokio::spawn(exchange(program.address, request.unwrap()));
        if let Ok(Ok(answer)) = posted.await {
            told.push((id_of(&answer), answer.outcome().to_owned()));
            next += 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    moving.await.unwrap();
    assert_eq!(program.ended().code(), Some(0));
    let spooled = told.iter().filter(|(_, outcome)| outcome == "spooled").count();
    assert!(spooled > 0, "something came meanwhile: {told:?}");

    let mut program = start(&database.url_as(SERVICE), folder.path(), &config);
    program.wait_for("postgres is ready");
    let answer = program.post_as(TOKEN, LEADS, a_lead(1_000).to_string()).await;
    told.push((id_of(&answer), answer.outcome().to_owned()));
    drained(&program).await;
    let ids: Vec<String> = told.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(stored(&database, &ids).await, vec!["applied 1"; ids.len()], "each is there, once");
    assert_eq!(database.value::<i64>("select count(*) from leads").await, i64::try_from(told.len()).unwrap());
    self::stop(program);
}

/// Gives all files of a folder to whoever has another one, as the server asks for.
fn give(folder: &Path, like: &Path) {
    let owner = fs::metadata(like).unwrap();
    let whom = format!("{}:{}", owner.uid(), owner.gid());
    assert!(Command::new("chown").args(["-R", &whom]).arg(folder).status().unwrap().success());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

/// What the page sets a setting of Postgres to, with this folder in the place of the page's.
fn setting(name: &str, archive: &Path) -> String {
    let line = PAGE.lines().find(|line| line.starts_with(name)).unwrap();
    let value = line.split_once(" = ").unwrap().1.split("    #").next().unwrap().trim().to_owned();
    value.replace("/backup/wal", &archive.display().to_string())
}

/// Has a server archive its log from now on, as the page says. Gives the folder.
async fn archiving(cluster: &mut OwnCluster, database: &TestDatabase) -> PathBuf {
    let home = cluster.options.data_dir.join("postgres");
    let archive = home.join("archive");
    fs::create_dir(&archive).unwrap();
    give(&archive, &home.join("cluster"));
    for name in ["wal_level", "archive_mode", "archive_command", "archive_timeout"] {
        database.execute(&format!("alter system set {name} = {}", setting(name, &archive))).await;
    }
    cluster.stop().await;
    cluster.start().await;
    archive
}

/// A server of its own, brought to a moment from a base backup and the archive of another one.
async fn brought_to(moment: &str, backup: &Path, archive: &Path, other: &OwnCluster) -> OwnCluster {
    let options = throwaway_options();
    let home = options.data_dir.join("postgres/cluster");
    fs::create_dir_all(home.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-R").arg(backup.join("base")).arg(&home).status().unwrap().success());
    let (command, action) = (setting("restore_command", archive), setting("recovery_target_action", archive));
    let told =
        format!("restore_command = {command}\nrecovery_target_time = '{moment}'\nrecovery_target_action = {action}\n");
    let settings = home.join("postgresql.auto.conf");
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + &told).unwrap();
    fs::write(home.join("recovery.signal"), "").unwrap();
    give(&home, &other.options.data_dir.join("postgres/cluster"));
    let server = own_cluster_with(options).await;
    let mut connection = PgConnection::connect_with(&server.server().connect_options("postgres")).await.unwrap();
    soon("the recovery is over", async || {
        let is_over = sqlx::query_scalar("select not pg_is_in_recovery()");
        is_over.fetch_one(&mut connection).await.unwrap()
    })
    .await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_brought_to_a_moment_and_what_came_later_is_posted_from_the_damaged_one() {
    let mut cluster = own_cluster().await;
    let Some(programs) = programs(&cluster) else { return };
    let database = cluster.database().await;
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = archiving(&mut cluster, &database).await;

    let mut shell = Shell::new(&programs, folder.path(), backup.path());
    let replication = database.url_as("forecourt").replace(&format!("/{}?", database.name), "/?");
    shell.set("REPLICATION_URL", replication);
    let config = with_spool();
    let mut program = start(&database.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    let mut ids = vec![taken(&program, LEADS, &a_lead(1).into()).await];
    drained(&program).await;
    shell.run(commands("To a moment", 0));
    ids.push(taken(&program, LEADS, &a_lead(2).into()).await);
    drained(&program).await;
    let moment: String = database.value("select clock_timestamp()::text").await;
    ids.push(taken(&program, LEADS, &a_lead(3).into()).await);
    drained(&program).await;
    assert_eq!(stored(&database, &ids).await.len(), 3);
    let last: String = database.value("select pg_walfile_name(pg_switch_wal())").await;
    let archived = format!("select coalesce(last_archived_wal >= '{last}', false) from pg_stat_archiver");
    soon("the log is archived", async || database.value::<bool>(&archived).await).await;
    // While the recovery goes on, deliveries come and are spooled.
    stop(program);
    let mut program = start("postgres://nobody@127.0.0.1:1/none", folder.path(), &config);
    program.wait_for("postgres is away");
    ids.push(taken(&program, LEADS, &a_lead(4).into()).await);
    stop(program);

    let server = brought_to(&moment, backup.path(), &archive, &cluster).await;
    let anew = server.database().await;

    let mut program = start(&anew.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    drained(&program).await;
    let gone = std::slice::from_ref(&ids[2]);
    assert_eq!(stored(&anew, gone).await, [] as [&str; 0], "what came after the moment is gone");
    assert_eq!(stored(&anew, &ids).await, ["applied 1", "applied 1", "applied 1"], "and nothing else");
    let again = PAGE.split("```sql\n").nth(1).unwrap().split(';').next().unwrap();
    let again = again.replace("2026-11-26 21:25:00+00", &moment);
    let rows: Value = database.value(&format!("select jsonb_agg(to_jsonb(r)) from ({again}) r")).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 1, "the damaged database still has it");
    let answer = program.post_as(TOKEN, LEADS, rows[0]["body"].as_str().unwrap().to_owned()).await;
    assert_eq!(answer.status, 200);
    taken(&program, LEADS, &a_lead(5).into()).await;
    drained(&program).await;
    assert_eq!(anew.value::<i64>("select count(distinct external_id) from leads").await, 5);
    stop(program);
}
