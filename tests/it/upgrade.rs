//! A database of each release comes to the newest version with all its rows, and then holds what a fresh one holds after
//! the same deliveries. `tests/upgrade/make` says what is in the dumps and how they were made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use forecourt::config::Config;
use forecourt::domain::delivery::{Body, Delivery};
use forecourt::domain::feed::Feed;
use forecourt::intake::{due, rereading};
use forecourt::store::due::RetryableRejections;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::io::AsyncReadExt as _;

use super::support::db_snapshot::{DbSnapshot, db_snapshot};
use super::support::payloads::{car, names};
use super::support::postgres::{OwnCluster, TestDatabase};
use super::support::service::parsed;
use super::support::{ALL, TestService, delivery, own_cluster, service_with, tables};

/// The releases of which there is a dump.
const RELEASES: [&str; 2] = ["9c06cd2", "71a3cea"];

/// Tables that a release fills only where it brings an older database to its version.
const FILLED_BY_UPGRADES: [&str; 2] = ["intake.actions", "intake.rereadings"];

fn folder(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(release)
}

async fn unpacked(path: &Path) -> Vec<u8> {
    let packed = std::fs::read(path).unwrap();
    let mut plain = Vec::new();
    GzipDecoder::new(packed.as_slice()).read_to_end(&mut plain).await.unwrap();
    plain
}

/// A database as the release left it, which belongs to a superuser.
pub(crate) async fn restored(cluster: &OwnCluster, release: &str) -> TestDatabase {
    let database = cluster.bare_database(&format!("release_{release}")).await;
    let dump = String::from_utf8(unpacked(&folder(release).join("dump.sql.gz")).await).unwrap();
    // The dump changes settings of its session, which must not be used for anything else.
    let mut session = PgConnection::connect_with(&database.options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(dump)).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
    database
}

/// The newest version over a database of a release and its spool, once nothing waits any more.
async fn upgraded(cluster: &OwnCluster, release: &str) -> TestService {
    upgraded_after(cluster, release, "").await
}

/// The same, after some statements before the upgrade.
async fn upgraded_after(cluster: &OwnCluster, release: &str, statements: &str) -> TestService {
    let database = restored(cluster, release).await;
    database.execute(statements).await;
    let data_dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(data_dir.path().join("spool")).unwrap();
    let spool = unpacked(&folder(release).join("deliveries.redb.gz")).await;
    std::fs::write(data_dir.path().join("spool/deliveries.redb"), spool).unwrap();
    let database = database.migrated().await;
    let service = TestService::with_data(database, &config(release), data_dir).await;
    assert!(service.acceptor().spool().unwrap().depth().deliveries > 0, "the spool of {release} holds deliveries");
    let waiting = async {
        while service.acceptor().spool().unwrap().depth().deliveries > 0
            || service.count("intake.deliveries where outcome = 'failed' or retry_at is not null").await > 0
        {
            due::round(service.intake(), &RetryableRejections::default()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("what was spooled or failed is applied");
    service
}

pub(crate) fn config(release: &str) -> String {
    std::fs::read_to_string(folder(release).join("forecourt.toml")).unwrap()
}

/// What came to a database, oldest first, as if it came now.
async fn deliveries(database: &TestDatabase, config: &Config) -> Vec<Delivery> {
    let query = "select received_at, feed, credential, content_type, body, posted_body
        from intake.deliveries_with_bodies order by received_at, id";
    let rows = sqlx::query(query).fetch_all(&database.pool).await.unwrap();
    let again = |row: &sqlx::postgres::PgRow| {
        let name: String = row.get("credential");
        let credential = config.credentials.iter().find(|credential| credential.name == name).unwrap();
        Delivery {
            received_at: row.get("received_at"),
            permitted: credential.permitted.clone(),
            credential: name,
            content_type: row.get("content_type"),
            posted_body: row.get::<Option<Vec<u8>>, _>("posted_body").map(Body::from),
            ..delivery(Feed::named(row.get("feed")).unwrap(), row.get::<Vec<u8>, _>("body"))
        }
    };
    rows.iter().map(again).collect()
}

async fn deliver(service: &TestService, deliveries: &[Delivery]) {
    for delivery in deliveries {
        // Of the same body, and with an id of its own.
        let again = Delivery { id: uuid::Uuid::now_v7(), ..delivery.clone() };
        service.acceptor().accept(again).await.unwrap();
    }
}

/// What each workspace of the configuration holds.
async fn pictures(service: &TestService, config: &Config) -> Vec<(String, DbSnapshot)> {
    let mut pictures = Vec::new();
    for workspace in &config.workspaces {
        let slug = workspace.slug.clone();
        let mut snapshot = db_snapshot(service, &slug).await;
        // What leads were before is kept from the version on that keeps it.
        snapshot.remove("lead_changes");
        pictures.push((slug, snapshot));
    }
    pictures
}

fn assert_equal(left: &[(String, DbSnapshot)], right: &[(String, DbSnapshot)], what: &str) {
    let mut differing = Vec::new();
    for ((workspace, left), (_, right)) in left.iter().zip(right) {
        for (table, rows) in left {
            let only = |rows: &[Value], others: &[Value]| -> Vec<Value> {
                rows.iter().filter(|row| !others.contains(row)).cloned().collect()
            };
            let (expected, found) = (only(rows, &right[table]), only(&right[table], rows));
            for at in 0..expected.len().max(found.len()) {
                let difference = difference(expected.get(at), found.get(at));
                differing.push(format!("{table} of {workspace}: {difference}"));
            }
        }
    }
    assert!(differing.is_empty(), "{what}:\n{}", differing.join("\n"));
}

/// The columns in which two rows differ, as expected and as found, beside the names of both.
fn difference(expected: Option<&Value>, found: Option<&Value>) -> String {
    let (Some(Value::Object(expected)), Some(Value::Object(found))) = (expected, found) else {
        return format!("expected {expected:?}, found {found:?}");
    };
    let columns = expected.iter().filter(|(column, value)| found.get(*column) != Some(*value));
    let columns: Vec<String> =
        columns.map(|(column, value)| format!("{column}: expected {value}, found {:?}", found.get(column))).collect();
    let named = |row: &serde_json::Map<String, Value>| {
        ["external_id", "identifier", "email", "name"].iter().find_map(|name| row.get(*name)).cloned()
    };
    format!("{:?} and {:?}: {}", named(expected), named(found), columns.join(", "))
}

#[tokio::test]
async fn a_dump_has_rows_in_every_table_of_its_release_and_keeps_them() {
    let cluster = own_cluster().await;
    for release in RELEASES {
        let database = restored(&cluster, release).await;
        let mut counts = Vec::new();
        for table in tables(&database.pool, ALL).await {
            let count: i64 = database.value(&format!("select count(*) from {table}")).await;
            assert!(count > 0 || FILLED_BY_UPGRADES.contains(&table.as_str()), "{table} of {release} is empty");
            counts.push((table, count));
        }
        let no_workspace = "update intake.deliveries set workspace_id = null
            where id = (select id from intake.deliveries order by received_at limit 1)";
        database.execute(no_workspace).await;
        forecourt::store::migrate(&database.pool).await.unwrap();
        assert!(counts.len() > 20, "{counts:?}");
        for (table, count) in &counts {
            let now: i64 = database.value(&format!("select count(*) from {table}")).await;
            assert_eq!(now, *count, "{table} of {release}");
        }
        // What was delivered before is the first part as it was, with its bodies, and has a workspace or 0.
        let moved =
            "select count(*) from intake.deliveries where tableoid::regclass::text !~ 'deliveries_until_[0-9_]+$'";
        assert_eq!(database.value::<i64>(moved).await, 0, "{release}");
        let wrong =
            "select count(*) from intake.deliveries_with_bodies where sha256(body) is distinct from body_sha256";
        assert_eq!(database.value::<i64>(wrong).await, 0, "{release}");
        let unassigned = "select count(*) from intake.deliveries where workspace_id = 0";
        assert!(database.value::<i64>(unassigned).await > 0, "{release}");
        assert_eq!(database.value::<i64>("select count(*) from intake.bodies").await, 0, "{release}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_database_holds_what_a_fresh_one_holds_after_the_same_deliveries() {
    let cluster = own_cluster().await;
    for release in RELEASES {
        let text = config(release);
        let folder = tempfile::tempdir().unwrap();
        let config = parsed(&text, folder.path());
        let old = upgraded(&cluster, release).await;
        let deliveries = deliveries(&old.database, &config).await;
        let fresh = service_with(&text).await;
        deliver(&fresh, &deliveries).await;
        let expected = pictures(&fresh, &config).await;
        assert_equal(&expected, &pictures(&old, &config).await, "as it was left");
        deliver(&old, &deliveries).await;
        assert_equal(&expected, &pictures(&old, &config).await, "after the same once more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_read_anew_once_and_a_second_time_would_change_nothing() {
    let cluster = own_cluster().await;
    let old = upgraded(&cluster, "9c06cd2").await;
    let folder = tempfile::tempdir().unwrap();
    let config = parsed(&config("9c06cd2"), folder.path());
    let before = pictures(&old, &config).await;
    let counted = "select (counts ->> 'persons_rekeyed')::int as rekeyed, (counts ->> 'persons_merged')::int as merged,
        (counts ->> 'vehicles_freed')::int as freed, (counts ->> 'deliveries_read_anew')::int > 0 as reread
        from intake.actions a join workspaces w on w.id = (counts ->> 'workspace_id')::bigint
        where action = 'values_read_anew' and slug = 'dealer-a'";
    let counts = serde_json::json!({ "rekeyed": 1, "merged": 2, "freed": 1, "reread": true });
    assert_eq!(old.row(counted).await, counts);
    // What was marked was heard again, and is told in its record; what was applied stays so.
    let told = "intake.deliveries where jsonb_array_length(replays) > 0 and retry_at is null and outcome = 'applied'";
    assert!(old.count(told).await > 0);
    rereading::run(old.intake().store()).await.unwrap();
    assert_eq!(old.rows(counted).await.len(), 1, "nothing is left to do");

    old.database.execute("insert into intake.rereadings (workspace_id) select id from workspaces").await;
    rereading::run(&old.database.owner_store()).await.unwrap();
    while old.count("intake.deliveries where retry_at is not null").await > 0 {
        due::round(old.intake(), &RetryableRejections::default()).await.unwrap();
    }
    assert_equal(&before, &pictures(&old, &config).await, "read anew once more");
}

/// A lead as 9c06cd2 left it, which asks for a booking of a car that was not there: at a place that is, and where none is
/// named.
const WAITED: &str = r"
    with own as (
        select w.id as w, w.id || '/' as own, p.id as person, p.email from workspaces w
        cross join lateral (select id, email from persons p where p.workspace_id = w.id order by id limit 1) p
        where slug = 'dealer-a'
    ), asked as (
        select *, jsonb_build_array(1759276800000000, 1759276800000000, 3, '', 1759276800000000) as at,
            jsonb_build_object('dealership_id', 356, 'category', 'Subscription Enquiry', 'requested_plan', 'Premium',
                'vin', 'WAITEDFOR00000001', 'location_name', 'Dealer A', 'contact_email', email) as said
        from own
    )
    insert into leads (workspace_id, id, sender, external_id, person_id, person_email, subscription_plan, booking_state,
        booking_blockers, dealership_id, category, vin, requested_plan, location_name, contact_email, received_at,
        updated_at, source_modified_at, clocks, wishes, waits_for)
    select w, nextval('row_ids'), 'dealer_studio', 'waited', person, email, 'Premium', 'blocked',
        array['asset_not_found', 'location_not_found'], 356, 'Subscription Enquiry', 'WAITEDFOR00000001', 'Premium',
        'Dealer A', email, now(), now(), '2025-10-01', jsonb_build_object('n', at),
        jsonb_build_array(jsonb_build_object('at', at, 'said', said)),
        array[own || 'vin:WAITEDFOR00000001', own || 'plan:Premium', own || 'location:dealer a', own || 'email:' || email,
            own || 'plan:' || repeat('much too long', 300)]
    from asked";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_waited_before_the_upgrade_is_booked_by_the_car_that_arrives_after_it() {
    let cluster = own_cluster().await;
    let service = upgraded_after(&cluster, "9c06cd2", WAITED).await;
    let lead = "(select id from leads where external_id = 'waited')";
    let pending = format!("select kind, key from intake.lead_dependencies where lead_id = {lead} order by kind");
    let pending = service.rows(&pending).await;
    let kinds: Vec<&str> = pending.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["any_location", "location", "package", "person", "vin"]);
    assert_eq!((&pending[1]["key"], &pending[4]["key"]), (&"dealer a".into(), &"WAITEDFOR00000001".into()));

    let names = names(Some("WAITEDFOR00000001"), None);
    let car = car(serde_json::json!({ "Identifier": 909_090, "Identification": names }));
    service.acceptor().accept(delivery(Feed::Inventory, car.to_string())).await.unwrap();
    assert_eq!(service.count(&format!("bookings where lead_id = {lead}")).await, 1);
    assert_eq!(service.count(&format!("intake.lead_dependencies where lead_id = {lead}")).await, 0);
    assert_eq!(service.count("leads where external_id = 'waited' and booking_state = 'created'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_version_writes_while_the_tables_are_upgraded_is_not_missed() {
    let cluster = own_cluster().await;
    let database = restored(&cluster, "71a3cea").await;
    // Somebody reads deliveries for long, so that what changes them waits in the midst of the migrations.
    let mut reader = database.pool.begin().await.unwrap();
    sqlx::query("select from intake.deliveries limit 1").execute(&mut *reader).await.unwrap();
    let pool = database.pool.clone();
    let upgrade = tokio::spawn(async move { forecourt::store::migrate(&pool).await });
    let begun = "select to_regclass('intake.workspace_locks') is not null";
    while !database.value::<bool>(begun).await {
        assert!(!upgrade.is_finished(), "the reader holds it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    database.execute(WAITED).await;
    reader.rollback().await.unwrap();
    upgrade.await.unwrap().unwrap();
    let pending = "select count(*) from intake.lead_dependencies d join leads l on l.id = d.lead_id
        where external_id = 'waited'";
    assert_eq!(database.value::<i64>(pending).await, 5);
}
