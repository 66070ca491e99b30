//! A workspace is written by one transaction at a time, in any number of processes, and who waits for one costs no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forecourt::domain::ids::WorkspaceId;
use forecourt::intake::due;
use forecourt::store::due::RetryableRejections;
use forecourt::store::{Error, Store};
use futures_util::future::join_all;
use sqlx::Connection as _;
use tokio::time::sleep;

use crate::support::postgres::{ALPHA_HELD, TestDatabase};
use crate::support::{
    CONFIG, LEADS, Program, TOKEN, TestService, a_lead, config_with, database, service, service_with, soon,
};

/// A try that is over soon.
const SHORT: Duration = Duration::from_millis(50);

async fn id(database: &TestDatabase, slug: &str) -> WorkspaceId {
    database.value::<i64>(&format!("select id from workspaces where slug = '{slug}'")).await.into()
}

async fn version(database: &TestDatabase, workspace: WorkspaceId) -> i64 {
    database.value(&format!("select version from intake.workspace_locks where workspace_id = {workspace}")).await
}

/// Somebody who has `alpha` until the transaction ends, on a connection of their own.
async fn somebody(database: &TestDatabase) -> sqlx::PgConnection {
    let mut somebody = sqlx::PgConnection::connect_with(&database.options).await.unwrap();
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    sqlx::query(ALPHA_HELD).execute(&mut somebody).await.unwrap();
    somebody
}

async fn let_go(mut somebody: sqlx::PgConnection) {
    sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
}

#[tokio::test]
async fn a_workspace_is_had_by_one_transaction_at_a_time_which_raises_its_version() {
    let service = service().await;
    let (alpha, beta) = (id(&service.database, "alpha").await, id(&service.database, "beta").await);
    let (one, other) =
        (Store::new(service.database.pool.clone(), 30), Store::new(service.database.beside().pool.clone(), 30));
    let before = version(&service.database, alpha).await;
    let tx = one.begin(Some(alpha)).await.unwrap();
    assert_eq!(tx.workspace_version(), Some(before + 1));
    assert!(matches!(other.try_begin(Some(alpha), SHORT).await, Err(Error::Locked)));
    let beside = other.try_begin(Some(beta), SHORT).await.unwrap();
    beside.rollback().await.unwrap();
    let waiting = tokio::spawn(async move { other.begin(Some(alpha)).await });
    sleep(SHORT).await;
    tx.commit().await.unwrap();
    let next = waiting.await.unwrap().unwrap();
    assert_eq!(next.workspace_version(), Some(before + 2));
    next.rollback().await.unwrap();
    assert_eq!(version(&service.database, alpha).await, before + 1, "what is undone has raised nothing");
    assert_eq!(one.begin(None).await.unwrap().workspace_version(), None);
    service.lead(&a_lead(1)).await;
    assert_eq!(version(&service.database, alpha).await, before + 2);
}

#[tokio::test]
async fn a_try_that_was_in_vain_costs_no_connection() {
    let service = service().await;
    let alpha = id(&service.database, "alpha").await;
    let somebody = somebody(&service.database).await;
    let store = Store::new(service.database.beside().pool.clone(), 30);
    let backend = async || -> i32 {
        let mut tx = store.begin(None).await.unwrap();
        let backend = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        backend
    };
    let before = backend().await;
    for _ in 0..5 {
        assert!(matches!(store.try_begin(Some(alpha), SHORT).await, Err(Error::Locked)));
    }
    assert_eq!(backend().await, before);
    let_go(somebody).await;
    let tx = store.begin(Some(alpha)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_workspace_has_its_row_and_one_that_has_lost_it_gets_it_back() {
    let service = service().await;
    let without = "workspaces w where not exists (select from intake.workspace_locks l where l.workspace_id = w.id)";
    assert_eq!((service.count("workspaces").await, service.count(without).await), (2, 0));
    service.database.execute("delete from intake.workspace_locks").await;
    assert_eq!(service.lead(&a_lead(1)).await.outcome(), "applied");
    assert_eq!(service.count(without).await, 1);
    // A new one has it before anything is written to it.
    let more = CONFIG.replace(
        "[[credentials]]",
        "[[workspaces]]\nslug = \"gamma\"\nname = \"Gamma\"\ndealerships = [900]\n\n[[credentials]]",
    );
    service.reload(&more).await;
    assert_eq!((service.count("workspaces").await, service.count(without).await), (3, 0));
}

#[tokio::test]
async fn the_row_that_is_written_with_every_batch_stays_in_its_page() {
    let service = service().await;
    let (store, alpha) = (Store::new(service.database.pool.clone(), 30), id(&service.database, "alpha").await);
    let pages = "select (pg_relation_size('intake.workspace_locks') + pg_relation_size('intake.workspace_locks_pkey'))
        / current_setting('block_size')::bigint";
    let mut sizes = vec![service.database.value::<i64>(pages).await];
    // What else begins on the server holds on to old versions for a while; without that the row has room where it is.
    while sizes.len() < 20 && !sizes.windows(2).skip(1).any(|pair| pair[0] == pair[1]) {
        for _ in 0..1_500 {
            store.begin(Some(alpha)).await.unwrap().commit().await.unwrap();
        }
        sizes.push(service.database.value::<i64>(pages).await);
    }
    assert!(sizes.len() < 20, "{sizes:?}");
}

/// A spool that is used after a second, so that what is behind a lock goes there.
fn spooling() -> String {
    config_with("hold_seconds = 120\ndeadline_ms = 3000").replace("max_bytes = 0", "max_bytes = 268435456")
}

async fn drained(service: &TestService) {
    soon("an empty spool", async || service.acceptor().spool().unwrap().depth().deliveries == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_that_somebody_holds_for_long_costs_no_other_anything() {
    let service = service_with(&spooling()).await;
    let somebody = somebody(&service.database).await;
    let is_over = AtomicBool::new(false);
    // What is spooled is tried again and again meanwhile, and more comes.
    let of_alpha = async {
        for turn in 0..3 {
            let leads: Vec<_> = (0..40).map(|id| a_lead(100 * turn + id)).collect();
            for answer in join_all(leads.iter().map(|lead| service.lead(lead))).await {
                assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &"spooled".into()));
            }
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let of_beta = async {
        let mut applied = 0;
        while !is_over.load(Ordering::Relaxed) {
            let answer = service.lead(&a_lead(1_000 + applied).dealership(285)).await;
            assert_eq!(answer.body["outcome"], "applied", "after {applied}");
            applied += 1;
            sleep(Duration::from_millis(20)).await;
        }
        applied
    };
    let ((), applied) = tokio::join!(of_alpha, of_beta);
    assert!(applied > 10, "{applied}");
    assert_eq!(service.count("leads").await, applied);
    let_go(somebody).await;
    drained(&service).await;
    assert_eq!(service.count("leads").await, applied + 120);
    // Nothing of it was held against the deliveries.
    let others = "intake.deliveries where outcome <> 'applied' or attempts <> 1";
    assert_eq!(service.count(others).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_of_a_workspace_that_is_held_takes_no_turn_of_another() {
    let service = service_with(&spooling()).await;
    // More than one round tries, and all of it older than what is due of beta; and one of a feed of a later version.
    let leads: Vec<_> = (0..201).map(a_lead).collect();
    join_all(leads.iter().map(|lead| service.lead(lead))).await;
    service.lead(&a_lead(1_000).dealership(285)).await;
    service.lead(&a_lead(1_001).dealership(285)).await;
    for change in [
        "update intake.deliveries set outcome = 'failed', retry_at = received_at",
        "update intake.deliveries set feed = 'of_tomorrow' where id = (select id from intake.deliveries order by id desc limit 1)",
    ] {
        service.database.execute(change).await;
    }
    let somebody = somebody(&service.database).await;
    assert_eq!(service.lead(&a_lead(2_000)).await.outcome(), "spooled");
    let round = async || due::round(service.intake(), &RetryableRejections::default()).await.unwrap();
    assert_eq!(round().await, 1);
    assert_eq!(service.count("intake.deliveries where outcome = 'unchanged' and attempts = 2").await, 1);
    let_go(somebody).await;
    drained(&service).await;
    assert_eq!(round().await, 200);
    assert_eq!((round().await, round().await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_what_has_no_workspace_is_held_for_long_the_workspaces_are_written() {
    let service = service_with(&spooling()).await;
    let mut somebody = service.database.pool.begin().await.unwrap();
    let held = "select version from intake.workspace_locks where workspace_id = 0 for update";
    sqlx::query(held).execute(&mut *somebody).await.unwrap();
    for turn in 0..3 {
        let leads: Vec<_> = (0..20).map(|id| a_lead(100 * turn + id).dealership(999)).collect();
        for answer in join_all(leads.iter().map(|lead| service.lead(lead))).await {
            assert_eq!(answer.body["outcome"], "spooled");
        }
        for id in 0..5 {
            let answer = service.lead(&a_lead(1_000 + 10 * turn + id).dealership(285)).await;
            assert_eq!(answer.body["outcome"], "applied", "{turn} {id}");
        }
    }
    somebody.rollback().await.unwrap();
    drained(&service).await;
    assert_eq!(service.count("intake.deliveries where workspace_id = 0 and outcome = 'rejected'").await, 60);
}

#[tokio::test]
async fn a_workspace_that_somebody_holds_keeps_no_start_and_no_reload_from_the_others() {
    let service = service().await;
    let somebody = somebody(&service.database).await;
    let more = CONFIG
        .replace("[\"Premium\", \"Starter\"]", "[\"Premium\", \"Gold\"]")
        .replace("packages = [\"Premium\"]", "packages = [\"Premium\", \"Silver\"]");
    service.reload(&more).await;
    assert_eq!(service.count("packages where name = 'Silver' and active").await, 1);
    let again = service.beside(&more).await;
    assert_eq!(again.lead(&a_lead(1).dealership(285)).await.outcome(), "applied");
    assert_eq!(service.count("packages where name = 'Gold'").await, 0);
    let retrying = tokio::spawn(forecourt::intake::due::run(again.intake().clone()));
    let_go(somebody).await;
    soon("the packages of alpha", async || service.count("packages where name = 'Gold' and active").await == 1).await;
    assert_eq!(service.count("packages where name = 'Starter' and active").await, 0);
    retrying.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_on_one_workspace_the_busy_one_leaves_the_other_its_turns() {
    let busy = service().await;
    let other = busy.beside(CONFIG).await;
    let is_over = AtomicBool::new(false);
    let crowd = (0..24).map(|number| {
        let (busy, is_over) = (&busy, &is_over);
        async move {
            let mut sent = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(busy.lead(&a_lead(1_000 * number + sent)).await.outcome(), "applied");
                sent += 1;
            }
            sent
        }
    });
    let quiet = async {
        for id in 0..20 {
            assert_eq!(other.lead(&a_lead(1_000_000 + id)).await.outcome(), "applied");
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let (sent, ()) = tokio::join!(join_all(crowd), quiet);
    assert_eq!(busy.count("leads").await, sent.iter().sum::<i64>() + 20);
    assert_eq!(busy.count("intake.deliveries where attempts <> 1").await, 0);
}

/// Fifty workspaces, each with the dealership of its number.
fn fifty() -> String {
    let workspace = |number: i64| {
        format!("\n[[workspaces]]\nslug = \"w{number}\"\nname = \"W{number}\"\ndealerships = [{number}]\n")
    };
    let credential = CONFIG.split("[[credentials]]").nth(1).unwrap();
    let before = CONFIG.split("[[workspaces]]").next().unwrap();
    let all: String = (1..=50).map(workspace).collect();
    format!("{before}\n[database]\nmax_connections = 10\n{all}\n[[credentials]]{credential}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_workspaces_in_two_processes_are_written_over_twenty_connections() {
    let (database, folders) = (database().await, [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let programs = folders.each_ref().map(|folder| Program::start(&database.url(), folder.path(), &fifty()));
    let is_over = AtomicBool::new(false);
    let load = async {
        // Each lead comes to both processes, and all of them at once.
        let posts = (0..500).flat_map(|id: i64| {
            programs.each_ref().map(|program| async move {
                let lead = a_lead(id).dealership(1 + id % 50);
                let answer = program.post_as(TOKEN, LEADS, lead.bytes()).await;
                assert!(["applied", "unchanged"].contains(&answer.outcome()), "{answer:?}");
            })
        });
        join_all(posts).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let most = async {
        let mut most = 0;
        while !is_over.load(Ordering::Relaxed) {
            let connected = "select count(*) from pg_stat_activity
                where datname = current_database() and application_name = 'forecourt'";
            most = most.max(database.value::<i64>(connected).await);
            sleep(Duration::from_millis(5)).await;
        }
        most
    };
    let ((), most) = tokio::join!(load, most);
    assert!((2..=20).contains(&most), "{most}");
    let counts = "select array[(select count(*) from leads), (select count(distinct workspace_id) from leads),
        (select count(*) from intake.deliveries), (select count(*) from intake.deliveries where attempts <> 1)]";
    assert_eq!(database.value::<Vec<i64>>(counts).await, [500, 50, 1_000, 0]);
}
