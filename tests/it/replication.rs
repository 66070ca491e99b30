//! Replication as docs/replication.md says it: another Postgres follows the business tables, and sees nothing of what the
//! service keeps for itself, of identity documents and of deliveries.

use forecourt::store::granting;
use forecourt::store::rights::Grant;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool};

use crate::support::payloads::{car, lead, names};
use crate::support::postgres::{OWNER, TestDatabase};
use crate::support::{CONFIG, TestService, left_out, own_cluster, soon};

/// The page whose statements are run.
const PAGE: &str = include_str!("../../docs/replication.md");

/// A block of SQL of the page.
fn statement(place: usize) -> String {
    let block = PAGE.split("```sql\n").nth(place + 1).unwrap().split("```").next().unwrap();
    // The blocks are indented below the numbers of the steps.
    block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

const PUBLICATION: usize = 0;
const TABLES: usize = 1;
const SUBSCRIPTION: usize = 2;

/// Makes the publication anew, as the owner of the tables.
async fn publish(database: &TestDatabase) -> Result<(), sqlx::Error> {
    let options = database.options.clone().username(OWNER).disable_statement_logging();
    let mut owner = options.connect().await?;
    let done = sqlx::raw_sql(AssertSqlSafe(statement(PUBLICATION))).execute(&mut owner).await.map(drop);
    owner.close().await?;
    done
}

/// A person with a licence, a car, a booking and what its sender said of it over time.
async fn deliver(service: &TestService, id: i64) {
    let of = |changes: Value| {
        crate::support::payloads::with(
            json!({ "id": id, "prospect": { "email": format!("ada{id}@example.com") } }),
            changes,
        )
    };
    let vin = crate::support::vin(usize::try_from(id).unwrap());
    let vehicle = json!({ "Identifier": 500 + id, "Identification": names(Some(&vin), None) });
    service.vehicle(&car(vehicle)).await.expect("applied", &[]);
    let documents = json!({ "license_number": "A1", "license_state": "NSW", "license_expiry": "01/01/2031", "license_dob": "07/03/1961" });
    let first = lead(of(json!({ "item": { "vin": vin }, "additional_details": documents })));
    service.lead(&first).await.expect("applied", &[]);
}

/// The tables and columns that are published.
async fn published(pool: &PgPool) -> Vec<(String, Vec<String>)> {
    let query = "select schemaname || '.' || tablename, attnames::text[] from pg_publication_tables
        where pubname = 'forecourt' order by 1";
    sqlx::query_as(query).fetch_all(pool).await.unwrap()
}

/// The rows of a table, each as JSON, with these columns.
async fn rows(pool: &PgPool, table: &str, columns: &[String]) -> Vec<Value> {
    let columns = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let query = format!("select to_jsonb(r) from (select {columns} from {table}) r order by 1");
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap()
}

/// Both sides hold the same in every table that is published.
async fn is_followed(database: &TestDatabase, warehouse: &TestDatabase, tables: &[(String, Vec<String>)]) -> bool {
    for (table, columns) in tables {
        if rows(&database.pool, table, columns).await != rows(&warehouse.pool, table, columns).await {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_postgres_follows_the_business_tables_and_nothing_else() {
    let (mut cluster, other) = (own_cluster().await, own_cluster().await);
    let version: i32 = cluster.database().await.value("select current_setting('server_version_num')::int").await;
    if version < 150_000 {
        let refused = publish(&cluster.database().await).await.unwrap_err().to_string();
        assert!(refused.contains("needs PostgreSQL 15"), "{refused}");
        left_out("nothing is replicated: this Postgres publishes whole tables only");
        return;
    }
    cluster.database().await.execute("alter system set wal_level = 'logical'").await;
    cluster.stop().await;
    cluster.start().await;
    let database = cluster.database().await;
    let service = TestService::over(database.beside(), CONFIG).await;
    deliver(&service, 1).await;

    database.execute("create role warehouse login replication").await;
    let store = database.owner_store();
    granting::give(&store, "warehouse", &[Grant::Tables].into(), "the tests", false).await.unwrap();
    store.close().await;
    publish(&database).await.unwrap();
    // A second time, as after an upgrade.
    publish(&database).await.unwrap();
    let tables = published(&database.pool).await;
    what_the_service_keeps_for_itself_is_left_out(&database, &tables).await;

    other.server().ensure_database("warehouse").await.unwrap();
    let warehouse = other.bare_database("warehouse").await;
    let made: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(statement(TABLES))).fetch_all(&database.pool).await.unwrap();
    warehouse.execute(&made.join("\n")).await;
    let socket = database.options.get_socket().unwrap().display().to_string();
    let to = format!("host={socket} port={} dbname={} user=warehouse", database.options.get_port(), database.name);
    let subscription = statement(SUBSCRIPTION);
    let given = subscription.split('\'').nth(1).unwrap().to_owned();
    warehouse.execute(&subscription.replace(&given, &to)).await;

    soon("the first copy", async || is_followed(&database, &warehouse, &tables).await).await;
    deliver(&service, 2).await;
    let erased = "update persons set first_name = 'Changed' where email = 'ada1@example.com'";
    database.execute(erased).await;
    soon("what changed since", async || is_followed(&database, &warehouse, &tables).await).await;
    assert_eq!(warehouse.value::<i64>("select count(*) from leads").await, 2);
    assert_eq!(warehouse.value::<i64>("select count(*) from bookings").await, 2);
    assert_eq!(warehouse.value::<i64>("select count(*) from persons where first_name = 'Changed'").await, 1);
    warehouse.execute("drop subscription forecourt").await;
}

/// Of the business tables each is there, with all of its columns but those of the service; of other schemas none is.
async fn what_the_service_keeps_for_itself_is_left_out(database: &TestDatabase, tables: &[(String, Vec<String>)]) {
    assert!(tables.iter().all(|(table, _)| table.starts_with("public.")), "{tables:?}");
    let names: Vec<&str> = tables.iter().map(|(table, _)| table.trim_start_matches("public.")).collect();
    for table in ["leads", "persons", "bookings", "listings", "lead_events", "appointments", "lead_changes"] {
        assert!(names.contains(&table), "{table}");
    }
    assert!(!names.contains(&"listing_sources"), "what listings are computed from is the service's");
    for (table, column) in [
        ("leads", "clocks"),
        ("leads", "wishes"),
        ("leads", "person_email"),
        ("persons", "clocks"),
        ("lead_clusters", "said_at"),
        ("listings", "word"),
        ("bookings", "wish"),
        ("locations", "name_key"),
    ] {
        let (_, columns) = tables.iter().find(|(name, _)| name.trim_start_matches("public.") == table).unwrap();
        assert!(!columns.iter().any(|known| known == column), "{table}.{column}");
        let exists = format!("select count(*) from {table} where {column} is null or {column} is not null");
        assert!(database.value::<i64>(&exists).await >= 0, "{table}.{column} is there to be left out");
    }
    let (_, of_leads) = tables.iter().find(|(name, _)| name == "public.leads").unwrap();
    for column in ["workspace_id", "id", "external_id", "status", "contact_email", "booking_state", "erased_at"] {
        assert!(of_leads.iter().any(|known| known == column), "{column}");
    }
}
