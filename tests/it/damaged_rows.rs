//! Rows that somebody damaged: what touches one fails, says which it is, and is applied once it is mended.

use std::io::Write;
use std::sync::{Arc, Mutex};

use forecourt::intake::due;
use forecourt::store::due::RetryableRejections;
use serde_json::{Value, json};

use crate::support::payloads::{VIN, car, enquiry, lead, names};
use crate::support::{Answer, CONFIG, LEADPRO, OTHER_TOKEN, TestService, credential_of_leadpro, service, service_with};

/// What was logged on this thread, which is where a test's service runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn taken(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// A column, what it is damaged with, and the table and the column that the log names.
type Damage = (&'static str, &'static str, &'static str);

/// Puts something else into a column of every row.
async fn damage(service: &TestService, (table, column, bad): Damage) {
    service
        .database
        .execute(&format!("create table kept as select * from {table}; update {table} set {column} = {bad}"))
        .await;
}

async fn mend(service: &TestService, (table, column, _): Damage) {
    service
        .database
        .execute(&format!(
            "update {table} t set {column} = k.{column} from kept k
            where to_jsonb(t) - '{column}' = to_jsonb(k) - '{column}'; drop table kept;
            update intake.deliveries set retry_at = now() where retry_at is not null"
        ))
        .await;
}

/// Damages a column, posts what touches it and something else, mends it and lets the failed one be tried again.
async fn assert_told_and_applied(
    service: &TestService,
    log: &Log,
    (damaged, key): (Damage, &str),
    touching: impl AsyncFn(&TestService) -> Answer,
    other: i64,
) {
    let (table, column, _) = damaged;
    damage(service, damaged).await;
    log.taken();
    let elsewhere = json!({ "id": other, "prospect": { "email": format!("other{other}@example.com") } });
    let elsewhere = enquiry(elsewhere);
    let (failed, applied) = tokio::join!(touching(service), service.lead(&elsewhere));
    assert_eq!(failed.outcome(), "failed", "{damaged:?} {failed:?}");
    assert_eq!(failed.codes().last(), Some(&"internal_error"), "{damaged:?}");
    assert_eq!(applied.outcome(), "applied", "{damaged:?} {applied:?}");
    let logged = log.taken();
    let told = format!("{table} where {key} is ");
    let line = logged.lines().find(|line| line.contains(&told)).unwrap_or_else(|| panic!("{damaged:?}: {logged}"));
    assert!(line.contains(&format!("its column {column} ")) && line.contains("ERROR"), "{damaged:?}: {line}");
    assert!(!logged.contains("example.com"), "{logged}");

    mend(service, damaged).await;
    assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1, "{damaged:?}");
    let record = service.record(&failed).await;
    assert_eq!((&record["outcome"], &record["attempts"]), (&json!("applied"), &json!(2)), "{damaged:?} {record}");
}

/// A lead that touches a row of every table that leads have.
fn whole_lead(number: i64) -> Value {
    let details = json!({
        "subscription_plan": "Premium", "license_number": 123, "license_expiry": "10/10/2029",
        "license_dob": "10/10/1980", "passport_number": "PB1", "passport_country": "uk",
        "passport_expiry": "01/04/2030", "passport_dob": "01/04/1990",
    });
    lead(json!({
        "updated_at": format!("2025-10-01T00:{number:02}:00Z"),
        "comments": format!("number {number}"),
        "lead_cluster_id": 300,
        "prospect": {
            "dob": "10/10/1980",
            "address": { "street": "1 A St", "city": "B", "state": "QLD", "country": "Australia", "postcode": 4118 },
        },
        "trade_in_data": { "make": "subaru", "kms": number },
        "lead_events": [{ "id": 5, "event_type": "note", "updated_at": format!("2025-10-01T00:{number:02}:00Z") }],
        "appointments": [{ "id": 6, "starts_at": "2025-10-13T12:00:00", "status": format!("number {number}") }],
        "item": { "vin": VIN, "stock_number": "S1" },
        "additional_details": details,
    }))
}

const OF_LEADS: [(Damage, &str); 19] = [
    (("persons", "clocks", "'\"x\"'"), "id"),
    (("persons", "address_country", "'Nowhere'"), "id"),
    (("persons", "address_street", "null"), "id"),
    (("persons", "date_of_birth", "'infinity'"), "id"),
    (("identity.driver_licences", "expires_on", "'infinity'"), "person_id"),
    (("identity.passports", "country", "'Nowhere'"), "person_id"),
    (("leads", "clocks", "'[]'"), "id"),
    (("leads", "wishes", "'[1]'"), "id"),
    (("leads", "wishes", "'{}'"), "id"),
    (("leads", "booking_blockers", "array['x']"), "id"),
    (("leads", "membership", "null"), "id"),
    (("leads", "source_created_at", "'infinity'"), "id"),
    (("trade_ins", "clocks", "'{\"n\": 1}'"), "lead_id"),
    (("lead_clusters", "said_at", "'{}'"), "id"),
    (("lead_events", "said_at", "'1'"), "id"),
    (("appointments", "as_of", "'{}'"), "id"),
    (("bookings", "wish", "'{}'"), "lead_id"),
    (("locations", "reported", "'{}'"), "id"),
    (("locations", "configured", "'[]'"), "id"),
];

#[tokio::test]
async fn a_lead_whose_rows_are_damaged_fails_names_them_and_is_applied_once_they_are_mended() {
    let (service, log) = (service().await, Log::default());
    let _logging = log.begin();
    assert_eq!(service.vehicle(&car(json!({}))).await.outcome(), "applied");
    let first = service.lead(&whole_lead(0)).await;
    assert_eq!((&first.body["outcome"], &first.body["booking"]), (&json!("applied"), &json!("created")), "{first:?}");
    for ((damage, key), number) in OF_LEADS.into_iter().zip(1..) {
        // What says `membership` of a cluster is told by its own column.
        let touching = async |service: &TestService| service.lead(&whole_lead(number)).await;
        assert_told_and_applied(&service, &log, (damage, key), touching, 1_000 + number).await;
    }
    assert_eq!(service.count("leads").await, 1 + i64::try_from(OF_LEADS.len()).unwrap());
    assert_eq!((service.count("bookings").await, service.count("lead_clusters").await), (1, 1));
}

#[tokio::test]
async fn what_a_lead_waits_for_and_cannot_be_read_fails_the_lead() {
    let (service, log) = (service().await, Log::default());
    let _logging = log.begin();
    assert_eq!(service.lead(&whole_lead(0)).await.body["booking"], "blocked");
    service.database.execute("delete from intake.lead_dependencies where kind <> 'vin'").await;
    let damage = (("intake.lead_dependencies", "key", "' '"), "lead_id");
    let touching = async |service: &TestService| service.lead(&whole_lead(1)).await;
    assert_told_and_applied(&service, &log, damage, touching, 1_000).await;
}

const OF_VEHICLES: [(Damage, &str); 9] = [
    (("listing_identifiers", "status", "'x'"), "listing_id"),
    (("listing_identifiers", "word_arrived_at", "null"), "listing_id"),
    (("listing_identifiers", "vin", "' '"), "listing_id"),
    (("listings", "word", "'x'"), "id"),
    (("listings", "shows_vin", "' '"), "id"),
    (("listings", "stock_number", "' '"), "id"),
    (("listing_sources", "stock_number", "' '"), "listing_id"),
    (("listing_sources", "content", "'{}'"), "listing_id"),
    (("listing_sources", "content", "'{\"columns\": {\"year\": \"x\"}, \"packages\": []}'"), "listing_id"),
];

#[tokio::test]
async fn a_vehicle_whose_rows_are_damaged_fails_names_them_and_is_applied_once_they_are_mended() {
    let (service, log) = (service().await, Log::default());
    let _logging = log.begin();
    // Under two identifiers, so that the content of one may have to be shown again.
    let under = |identifier: i64, number: i64| {
        car(json!({
            "Identifier": identifier, "LastModifiedUtc": format!("2025-10-01T00:{number:02}:00Z"),
            "Description": format!("number {number}"), "Identification": names(Some(VIN), Some("S1")),
            "SubscriptionPricing": [{ "Name": "Gold", "DailyPrice": 46.9 }],
        }))
    };
    for identifier in [1, 2] {
        assert_eq!(service.vehicle(&under(identifier, 0)).await.outcome(), "applied");
    }
    for ((damage, key), number) in OF_VEHICLES.into_iter().zip(1..) {
        let touching = async |service: &TestService| service.vehicle(&under(1, number)).await;
        assert_told_and_applied(&service, &log, (damage, key), touching, 1_000 + number).await;
    }
    assert_eq!((service.count("listings").await, service.count("listing_sources").await), (1, 2));
}

#[tokio::test]
async fn a_property_whose_row_is_damaged_fails_its_lead() {
    let (service, log) = (service_with(&format!("{CONFIG}{}", credential_of_leadpro())).await, Log::default());
    let _logging = log.begin();
    let post = async |service: &TestService, name: &str| {
        let data = json!({ "id": 1, "full_name": name, "email": "ann@example.com", "type": "swap" });
        let body = json!({ "event": "lead.updated", "data": data });
        service.post_as(OTHER_TOKEN, LEADPRO, body.to_string()).await
    };
    assert_eq!(post(&service, "Ann Bell").await.outcome(), "applied");
    let damage = (("property_enquiries", "clocks", "'[]'"), "lead_id");
    assert_told_and_applied(&service, &log, damage, async |service| post(service, "Ann Bells").await, 1_000).await;
}

#[tokio::test]
async fn a_record_that_is_damaged_fails_its_retry_and_is_written_anew() {
    let (service, log) = (service().await, Log::default());
    let _logging = log.begin();
    service.database.execute("alter table leads rename column comments to hidden").await;
    let failed = service.lead(&enquiry(json!({}))).await;
    assert_eq!(failed.outcome(), "failed");
    service.database.execute("alter table leads rename column hidden to comments").await;
    for (column, bad) in [("findings", "'[{\"code\": \"x\"}]'"), ("changes", "'[]'")] {
        log.taken();
        service.database.execute(&format!("update intake.deliveries set {column} = {bad}, retry_at = now()")).await;
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
        let logged = log.taken();
        let id = failed.id();
        let told = format!("intake.deliveries where id is '{id}' cannot be read: its column {column} ");
        assert!(logged.contains(&told), "{logged}");
    }
    service.database.execute("update intake.deliveries set retry_at = now()").await;
    assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
    service.expect_record(&failed, json!({ "outcome": "applied", "attempts": 4 })).await;
}

#[tokio::test]
async fn a_service_starts_although_a_row_that_its_configuration_touches_is_damaged() {
    let log = Log::default();
    let service = service().await;
    let _logging = log.begin();
    let waiting = lead(json!({ "additional_details": { "subscription_plan": "Gold" } }));
    assert_eq!(service.vehicle(&car(json!({}))).await.outcome(), "applied");
    assert_eq!(service.lead(&waiting).await.body["booking"], "blocked");
    let damaged = ("leads", "clocks", "'[]'");
    damage(&service, damaged).await;
    log.taken();
    let with_gold = CONFIG.replace("\"Starter\"]", "\"Starter\", \"Gold\"]");
    service.reload(&with_gold).await;
    let logged = log.taken();
    assert!(logged.contains("leads where id is ") && logged.contains("alpha"), "{logged}");
    assert_eq!(service.count("packages where name = 'Gold'").await, 0);
    mend(&service, damaged).await;
    service.reload(&with_gold).await;
    assert_eq!((service.count("packages where name = 'Gold'").await, service.count("bookings").await), (1, 1));
}

#[tokio::test]
async fn a_batch_for_which_too_few_ids_were_reserved_fails_and_writes_nothing() {
    let first = service().await;
    // More exact than Postgres's own, and gives none: whoever reserves ids gets none. Those at hand go with the process.
    first
        .database
        .execute(
            "create function generate_series(integer, bigint) returns setof bigint language sql
            as 'select 1::bigint where false'",
        )
        .await;
    // On connections of its own, whose statements are not known yet.
    let service = first.beside(CONFIG).await;
    let log = Log::default();
    let _logging = log.begin();
    let failed = service.lead(&enquiry(json!({}))).await;
    failed.expect("failed", &["internal_error"]);
    assert!(log.taken().contains("not loaded: Id"));
    assert_eq!((service.count("leads").await, service.count("persons").await), (0, 0));
    service.database.execute("drop function generate_series(integer, bigint)").await;
    service.database.execute("update intake.deliveries set retry_at = now()").await;
    assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
    assert_eq!(service.record(&failed).await["outcome"], "applied");
    assert_eq!(service.count("leads where id > 0").await, 1);
}
