//! Through PgBouncer: in session mode any, in transaction mode from 1.21 on.

use forecourt::store::{Demands, PutsUp, Store};
use futures_util::future::join_all;

use crate::session::{assert_same, config, deliver_everything, rows};
use crate::support::pooler::{self, Program};
use crate::support::program::Launch;
use crate::support::{CONFIG, TestService, database, left_out, own_cluster, service_with};

const DEMANDS: Demands = Demands { allow_unsafe: true, puts_up: PutsUp::Never };

/// The ways in which each program is to work.
fn ways() -> Vec<(Program, &'static str)> {
    let programs = pooler::programs();
    if programs.is_empty() {
        left_out("nothing goes through PgBouncer: `apt install pgbouncer`");
    }
    let transaction = programs.iter().find(|program| program.keeps_statements());
    if transaction.is_none() {
        println!("left out: no PgBouncer 1.21 or newer for transaction mode");
    }
    let transaction = transaction.cloned().map(|program| (program, "transaction"));
    programs.into_iter().map(|program| (program, "session")).chain(transaction).collect()
}

#[tokio::test]
async fn through_a_pooler_all_deliveries_make_the_rows_that_they_make_without() {
    let plain = service_with(&config()).await;
    deliver_everything(&plain).await;
    let expected = rows(&plain).await;
    for (program, mode) in ways() {
        let database = database().await;
        let pooler = program.start(&database, mode, "default_pool_size = 4\n").await;
        let address = pooler.address(&database);
        let service = TestService::connected(database, &address, &config()).await;
        deliver_everything(&service).await;
        assert_same(&rows(&service).await, &expected, &(mode, program.version));
    }
}

#[tokio::test]
async fn four_instances_at_once_on_an_empty_database_through_a_pooler_bring_up_its_tables_once() {
    let cluster = own_cluster().await;
    for (number, (program, mode)) in ways().into_iter().enumerate() {
        let database = cluster.bare_database(&format!("empty_{number}")).await;
        let pooler = program.start(&database, mode, "default_pool_size = 40\n").await;
        let address = pooler.address(&database);
        let starts = (0..4).map(|_| async {
            let store = Store::connect(address.clone(), 4, DEMANDS, 30).await?;
            store.migrate().await?;
            store.begin(None).await?.commit().await
        });
        for start in join_all(starts).await {
            start.unwrap();
        }
        let applied: i64 = database.value("select count(*) from public._sqlx_migrations").await;
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
        assert_eq!(usize::try_from(applied).unwrap(), files, "{mode} {:?}", program.version);
        let locks = "select count(*) from pg_locks where locktype = 'advisory'";
        assert_eq!(database.value::<i64>(locks).await, 0, "nothing stays locked");
    }
}

#[tokio::test]
async fn a_pooler_that_loses_prepared_statements_is_refused_in_one_sentence() {
    let Some(program) = pooler::programs().pop() else {
        return left_out("no PgBouncer is refused: `apt install pgbouncer`");
    };
    let database = database().await;
    let rest = if program.keeps_statements() { "max_prepared_statements = 0\n" } else { "" };
    let pooler = program.start(&database, "transaction", rest).await;
    let refusal = Store::connect(pooler.address(&database), 4, DEMANDS, 30).await.unwrap_err();
    assert!(!refusal.may_pass());
    let refusal = refusal.to_string();
    assert!(refusal.contains("use PgBouncer 1.21 or newer with max_prepared_statements"), "{refusal}");
    assert_eq!(refusal.lines().count(), 1);

    let pooler = program.start(&database, "statement", "").await;
    let refusal = Store::connect(pooler.address(&database), 4, DEMANDS, 30).await.unwrap_err();
    assert!(
        !refusal.may_pass() && refusal.without_values().contains("pool_mode = transaction or session"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_pooler_that_refuses_a_startup_parameter_ends_a_first_start_and_says_which() {
    let Some(program) = pooler::programs().pop() else {
        return left_out("no startup parameter is refused: `apt install pgbouncer`");
    };
    let database = database().await;
    let pooler = program.start(&database, "session", "").await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}&options=-c%20jit%3Doff", pooler.url(&database));
    let listen = ([127, 0, 0, 1], 0).into();
    let launch = Launch { database: &url, folder: folder.path(), config: CONFIG, listen, log: "info", first: "" };
    let mut start = crate::support::Program::spawn(&launch);
    assert!(!start.ended().success());
    start.wait_for("take `options` out of the database's address");
}
