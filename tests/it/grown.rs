//! The tables that tests and the benchmark fill by SQL are tables as the service writes them: nothing in them refers to what
//! is not there, and the service goes on from them.

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::grown::{self, Grown};
use crate::support::payloads::{car, lead, names};
use crate::support::{TestService, service};

/// A few thousand leads over three workspaces.
fn a_few() -> Grown {
    Grown { leads: 4_000, workspaces: 3, deliveries: 3, ..Grown::default() }
}

async fn fill(service: &TestService, grown: &Grown) {
    let mut connection = sqlx::PgConnection::connect_with(&service.database.options).await.unwrap();
    grown::fill(&mut connection, grown).await.unwrap();
    connection.close().await.unwrap();
}

/// The foreign keys that rows of theirs break.
const BROKEN: &str = "select coalesce(json_agg(name), '[]')::jsonb from (
    select c.conname as name, format('select not exists (select from %s a where not exists (select from %s b where %s) and %s)',
        c.conrelid::regclass, c.confrelid::regclass,
        (select string_agg(format('a.%I = b.%I', f.attname, t.attname), ' and ')
            from unnest(c.conkey, c.confkey) k (f, t)
            join pg_attribute f on f.attrelid = c.conrelid and f.attnum = k.f
            join pg_attribute t on t.attrelid = c.confrelid and t.attnum = k.t),
        (select string_agg(format('a.%I is not null', f.attname), ' and ')
            from unnest(c.conkey) k (f) join pg_attribute f on f.attrelid = c.conrelid and f.attnum = k.f)) as query
    from pg_constraint c where c.contype = 'f' and c.conparentid = 0
) keys where (xpath('/row/c/text()', query_to_xml('select (' || query || ') as c', false, true, '')))[1]::text <> 'true'";

#[tokio::test]
async fn what_grown_tables_refer_to_is_there() {
    let service = service().await;
    fill(&service, &a_few()).await;
    let broken: Value = service.database.value(BROKEN).await;
    assert_eq!(broken, json!([]));
    service.database.execute("set session_replication_role = replica; delete from persons").await;
    let broken: Value = service.database.value(BROKEN).await;
    assert!(broken.as_array().unwrap().len() >= 3, "{broken}");
}

#[tokio::test]
async fn each_table_grows_and_one_workspace_has_half_of_it() {
    let service = service().await;
    fill(&service, &a_few()).await;
    let spread = "(select count(*) as rows from leads group by workspace_id order by 1 desc) l";
    let spread: Vec<i64> =
        serde_json::from_value(service.database.value(&format!("select json_agg(rows)::jsonb from {spread}")).await)
            .unwrap();
    assert_eq!((spread.len(), spread.iter().sum()), (3, 4_000));
    assert!((1_500..2_500).contains(&spread[0]), "{spread:?}");
    for table in ["persons", "lead_clusters", "lead_events", "appointments", "trade_ins", "bookings", "listings"] {
        assert!(service.count(table).await > 0, "{table}");
    }
    assert_eq!(service.count("intake.deliveries").await, 12_000);
    let blocked = service.count("leads where booking_state = 'blocked'").await;
    assert!((80..240).contains(&blocked), "{blocked}");
}

#[tokio::test]
async fn grown_tables_are_the_same_each_time_but_for_ids_and_times() {
    let sum = "select md5(string_agg(l::text, '' order by external_id)) from (select external_id, sender, person_email, category,
        booking_state, booking_blockers, vin, status from leads) l";
    let (one, other) = (service().await, service().await);
    fill(&one, &a_few()).await;
    other.lead(&lead(json!({ "id": 5 }))).await;
    other.database.execute("delete from leads").await;
    fill(&other, &a_few()).await;
    assert_eq!(one.database.value::<String>(sum).await, other.database.value::<String>(sum).await);
}

#[tokio::test]
async fn the_service_goes_on_from_grown_tables() {
    let service = service().await;
    fill(&service, &a_few()).await;
    // A car arrives that a lead has waited for.
    let waiting = "from leads where booking_blockers = '{asset_not_found}' and dealership_id = 356
        and received_at > now() - interval '29 days' order by id limit 1";
    let row = service.row(&format!("select id, vin, external_id, contact_email {waiting}")).await;
    let answer = service.vehicle(&car(json!({ "Identification": names(row["vin"].as_str(), None) }))).await;
    assert_eq!(answer.body["outcome"], "applied", "{}", answer.body);
    let id = &row["id"];
    service.expect_row(&format!("leads where id = {id}"), json!({ "booking_state": "created" })).await;
    assert_eq!(service.count(&format!("bookings where lead_id = {id}")).await, 1);
    // The sender tells more of a lead, and of a car.
    let lead = lead(json!({
        "id": row["external_id"].as_str().unwrap().parse::<i64>().unwrap(), "comments": "more",
        "prospect": { "email": row["contact_email"] }, "item": { "vin": row["vin"] },
    }));
    let answer = service.lead(&lead).await;
    assert_eq!(
        (&answer.body["outcome"], &answer.body["lead"]),
        (&json!("applied"), &json!("updated")),
        "{}",
        answer.body
    );
    let known =
        "select identifier, vin from listings where dealership_id = 356 and identifier like '5%' order by id limit 1";
    let known = service.row(known).await;
    let answer = service
        .vehicle(&car(json!({
            "Identifier": known["identifier"].as_str().unwrap().parse::<i64>().unwrap(),
            "Identification": names(known["vin"].as_str(), None), "LastModifiedUtc": "2026-10-01T00:00:00Z",
        })))
        .await;
    assert_eq!(
        (&answer.body["outcome"], &answer.body["listing"]),
        (&json!("applied"), &json!("updated")),
        "{}",
        answer.body
    );
}
