//! Erasing and exporting a person.

mod catalogue;
mod search;

use std::path::Path;
use std::process::Command;

use forecourt::domain::values::Email;
use forecourt::intake::due;
use forecourt::intake::erasure::{self, Mode, Order, Target};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::payloads::{VIN, car, with};
use crate::support::postgres::OwnCluster;
use crate::support::service::{SECRETS, credential_of_leadpro};
use crate::support::{
    CLUSTERS, LEADPRO, LEADS, TestService, a_lead, config_with, own_cluster, service, service_with, soon,
};
use search::Planted;

/// The address of who is erased.
const ADA: &str = "zqx.ada@example.com";

/// The tests' configuration with a spool, a deadline that an outage goes beyond soon, and LeadPro.
fn config() -> String {
    let config = config_with("hold_seconds = 120\ndeadline_ms = 1500");
    config.replace("max_bytes = 0", "max_bytes = 268435456\nmin_free_bytes = 0") + &credential_of_leadpro()
}

/// What a run of the program came to.
#[derive(Debug)]
struct Run {
    status: Option<i32>,
    out: String,
    error: String,
}

/// Runs the program over a database and a data directory.
async fn forecourt(database: &str, data_dir: &Path, words: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    let path = data_dir.join("forecourt.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    if !text.contains("allow_unsafe") {
        std::fs::write(&path, text + "\n[database]\nallow_unsafe = true\n").unwrap();
    }
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", data_dir);
    command.env("DATABASE_URL", database).args(words);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Run {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Who runs the tests.
fn acting() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn erase(service: &TestService, words: &[&str]) -> Run {
    forecourt(&service.database.url(), service.data_dir(), &[&["erase"], words].concat()).await
}

#[track_caller]
fn well(run: &Run) {
    assert_eq!(run.status, Some(0), "{run:?}");
}

/// A lead of hers in which every personal field has a value of its own.
fn lead_of_ada(planted: &mut Planted, id: i64) -> Value {
    let mut word = |hint: &str| planted.word(hint);
    json!({
        "id": id, "created": "2025-10-01T00:00:00Z", "updated_at": "2025-10-02T00:00:00Z", "dealership": { "id": 356 },
        "lead_cluster_id": 900, "category": "Subscription Enquiry", "item": { "vin": VIN },
        "location": { "location_name": "Dealer A" }, "comments": word("comments"),
        "prospect": {
            "email": ADA, "title": word("title"), "first_name": word("first"), "middle_name": word("middle"),
            "last_name": word("last"), "mobile_phone": "0412 987 123", "home_phone": "02 6298 7123",
            "dob": "07/03/1961", "postcode": word("postcode"), "business_name": word("business"),
            "employment_type": word("employment"), "living_situation": word("living"),
            "residency_status": word("residency"), "opt_in_to_marketing": true,
            "address": {
                "street": word("street"), "city": word("city"), "state": "NSW", "postcode": word("place"),
                "country": "Australia",
            },
        },
        "trade_in_data": { "rego": word("rego"), "make": word("make"), "title": word("trade") },
        "additional_details": {
            "subscription_plan": "Premium", "anything": word("anything"), "license_number": word("licence"),
            "license_card_number": word("card"), "license_expiry": "01/01/2031", "license_dob": "07/03/1961",
            "license_state": "NSW", "passport_number": word("passport"), "passport_country": "uk",
            "passport_expiry": "02/02/2032", "passport_dob": "07/03/1961",
        },
        "appointments": [{ "id": 800 + id, "starts_at": "2025-10-05T10:00:00", "note": word("note") }],
        "lead_events": [{
            "id": 700 + id, "event_type": "note", "description": word("described"), "followup_reason": word("why"),
            "created_at": "2025-10-01T00:00:00Z", "updated_at": "2025-10-01T00:00:00Z",
        }],
    })
}

/// A cluster with a lead of hers, one of somebody else, and events.
fn cluster_of_ada(planted: &mut Planted, cluster: i64, lead: i64) -> Value {
    let mut word = |hint: &str| planted.word(hint);
    json!({
        "id": cluster, "dealership_id": 356, "created": "2025-10-01T00:00:00Z", "modified": "2025-10-01T00:00:00Z",
        "contact": {
            "email": ADA.to_uppercase(), "first_name": word("contact"), "last_name": word("contacts"),
            "business_name": word("firm"), "mobile_phone": "0412 987 123", "postcode": word("post"),
        },
        "leads": [
            {
                "id": lead, "created": "2025-10-01T00:00:00Z", "modified": "2025-10-01T00:00:00Z",
                "comments": word("inside"),
                "prospect": { "email": ADA, "name": word("name"), "last_name": word("surname") },
            },
            {
                "id": lead + 1, "created": "2025-10-01T00:00:00Z", "modified": "2025-10-01T00:00:00Z",
                "comments": "stays", "prospect": { "email": "bob@example.org", "name": "Bob" },
            },
        ],
        "lead_events": [{
            "id": 600 + cluster, "event_type": "note", "description": word("event"),
            "created_at": "2025-10-01T00:00:00Z", "updated_at": "2025-10-01T00:00:00Z",
        }],
    })
}

/// A property enquiry of hers.
fn property_of_ada(planted: &mut Planted, id: i64, event: &str) -> Value {
    let mut word = |hint: &str| planted.word(hint);
    json!({ "event": event, "data": {
        "id": id, "type": "vendor", "source": "site", "first_name": word("pro"), "last_name": word("prolast"),
        "full_name": word("full"), "email": ADA, "phone": "07700 900 713", "address": word("home"),
        "postcode": word("code"), "message": word("message"), "meta": { "k": word("meta") },
        "questionnaire": [[word("question"), word("answer")]], "createdAt": "2025-10-01T00:00:00Z",
    }})
}

/// Everything that she ever sent, through every door, and what went wrong with some of it.
async fn plant(service: &TestService, planted: &mut Planted) {
    for value in [ADA, "412987123", "262987123", "7700900713", "1961-03-07", "07/03/1961"] {
        planted.value(value);
    }
    service.vehicle(&car(json!({}))).await.expect("applied", &[]);
    // Applied, with a booking; repeated; in a cluster with others; through LeadPro.
    let lead = lead_of_ada(planted, 1);
    assert_eq!(service.lead(&lead).await.outcome(), "applied");
    assert_eq!(service.lead(&lead).await.outcome(), "unchanged");
    assert_eq!(service.count("bookings").await, 1);
    assert_eq!(service.cluster(&cluster_of_ada(planted, 900, 1)).await.outcome(), "applied");
    let property = property_of_ada(planted, 5, "lead.created");
    assert_eq!(service.post_as("another-token-of-the-tests", LEADPRO, property.to_string()).await.outcome(), "applied");
    // An event that is not handled keeps its body.
    let ignored = property_of_ada(planted, 6, "lead.forgotten");
    assert_eq!(service.post_as("another-token-of-the-tests", LEADPRO, ignored.to_string()).await.outcome(), "ignored");
    // In a lead that was hers and is somebody else's now, in another cluster.
    assert_eq!(service.cluster(&cluster_of_ada(planted, 901, 30)).await.outcome(), "applied");
    let moved = with(
        lead_of_ada(planted, 30),
        json!({ "lead_cluster_id": 902, "updated_at": "2025-10-03T00:00:00Z", "prospect": null }),
    );
    let of_others = json!({ "prospect": { "email": "carol@example.net", "first_name": planted.word("carol") } });
    assert_eq!(service.lead(&with(moved, of_others)).await.outcome(), "applied");
    // A cluster that it was in, told anew without it and without an address.
    let left = json!({
        "modified": "2025-10-04T00:00:00Z", "leads": [],
        "contact": { "email": null, "first_name": planted.word("left") },
    });
    assert_eq!(service.cluster(&with(cluster_of_ada(planted, 901, 30), left)).await.outcome(), "applied");
    // Of no workspace, and unreadable.
    let unknown = with(lead_of_ada(planted, 40), json!({ "dealership": { "id": 999 } }));
    service.lead(&unknown).await.expect("rejected", &["dealership_unknown"]);
    let broken = format!("{{\"email\": \"{ADA}\", \"x\": \"{}\"", planted.word("broken"));
    assert_eq!(service.post(LEADS, broken).await.outcome(), "rejected");
    let by_phone = format!("call +61 412 987 123, {}", planted.word("byphone"));
    assert_eq!(service.post(CLUSTERS, by_phone).await.outcome(), "rejected");
    // At the wrong door, by somebody unknown, and at no door.
    let wrong = lead_of_ada(planted, 41);
    assert_eq!(service.vehicle(&wrong).await.outcome(), "rejected");
    service.post_as("a wrong secret", LEADS, lead_of_ada(planted, 42).to_string()).await;
    service.post("/webhooks/dealer-studio/laeds", lead_of_ada(planted, 43).to_string()).await;
    service.refusals_written().await;
    // Failed through a fault.
    let sabotage = "alter table leads add constraint sabotage check (external_id <> '77')";
    service.database.execute(sabotage).await;
    assert_eq!(service.lead(&lead_of_ada(planted, 77)).await.outcome(), "failed");
    service.database.execute("alter table leads drop constraint sabotage").await;
    // Others.
    assert_eq!(service.lead(&a_lead(500)).await.outcome(), "applied");
}

fn signal_all(cluster: &OwnCluster, name: &str) {
    let pid = cluster.server().pid();
    let kill = format!("kill -{name} {pid} $(ps -o pid= --ppid {pid})");
    assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
}

#[tokio::test]
async fn nothing_of_a_person_is_left_wherever_it_came_from() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &config()).await;
    let mut planted = Planted::default();
    plant(&service, &mut planted).await;
    // What arrives while Postgres is away waits in the spool.
    signal_all(&cluster, "STOP");
    let spooled = lead_of_ada(&mut planted, 60);
    assert_eq!(service.lead(&spooled).await.outcome(), "spooled");
    assert_eq!(service.cluster(&cluster_of_ada(&mut planted, 903, 61)).await.outcome(), "spooled");
    service.acceptor().close().await;
    signal_all(&cluster, "CONT");
    let before = planted.search(&service).await;
    assert!(before.finds.len() > 100, "they are planted: {before:?}");

    let run = erase(&service, &["--email", ADA, "--reason", "asked for it", "--dry-run"]).await;
    well(&run);
    assert!(run.out.contains("would be erased in persons") && run.out.ends_with("Nothing was changed.\n"), "{run:?}");
    assert_eq!(planted.search(&service).await.finds, before.finds, "a dry run changes nothing");

    well(&erase(&service, &["--email", ADA, "--reason", "asked for it"]).await);
    let service = service.stopped_and_started_with(&config()).await;
    soon("an empty spool", async || service.acceptor().spool().unwrap().depth().deliveries == 0).await;
    soon("a spool's file that begins anew", async || planted.search_files(service.data_dir()).finds.is_empty()).await;
    let after = planted.search(&service).await;
    println!(
        "{} values searched for in {} places before: {} finds",
        planted.count(),
        before.places,
        before.finds.len()
    );
    println!("{} values searched for in {} places after: {} finds", planted.count(), after.places, after.finds.len());
    assert_eq!(after.finds, Vec::<String>::new());

    // What was erased stays as rows that count, and others stay whole.
    let erased = service.table("external_id from leads where erased_at is not null order by 1").await;
    assert_eq!(erased, json!([["1"], ["30"], ["5"]]));
    assert_eq!(service.count("leads where external_id in ('60', '61') and contact_email is null").await, 2);
    assert_eq!(service.count("bookings where person_id is null").await, 2);
    // The other address of her lead was known by nothing else.
    let persons = service.table("email from persons order by 1").await;
    assert_eq!(persons, json!([["ada500@example.com"], ["bob@example.org"]]));
    assert_eq!(service.count("leads where comments = 'stays' and person_id is not null").await, 3);
    assert!(service.count("intake.deliveries where erased_at is not null and body_sha256 is null").await > 10);
    let orphans = "intake.bodies b where not exists (select from intake.deliveries d
        where d.workspace_id = b.workspace_id and (uuid_send(d.id) = b.body_key or d.body_sha256 = b.body_key))";
    assert_eq!(service.count(orphans).await, 0);
}

/// Orders to erase her.
fn order(target: Target) -> Order {
    Order {
        id: Uuid::now_v7(),
        erased_at: chrono::DateTime::from(std::time::SystemTime::now()),
        target,
        workspace: None,
        reason: None,
        acted_by: "test".to_owned(),
    }
}

async fn erase_here(service: &TestService, target: Target) -> erasure::Erased {
    let journal = service.data_dir().join("erasures.log");
    erasure::erase(service.intake().store(), &order(target), Mode::Commit, Some(&journal)).await.unwrap()
}

fn ada() -> Target {
    Target::Address(Email::parse(ADA).unwrap())
}

#[tokio::test]
async fn what_was_received_between_an_order_and_its_doing_makes_the_person_anew() {
    let service = service().await;
    service.lead(&a_lead(1).email(ADA).comments("before")).await.expect("applied", &[]);
    let given = order(ada());
    service.lead(&a_lead(2).email(ADA).comments("after")).await.expect("applied", &[]);
    erasure::erase(service.intake().store(), &given, Mode::Commit, None).await.unwrap();
    due::round(service.intake(), &service.intake().router().retryable()).await.unwrap();
    let leads = service.table("external_id, comments from leads order by 1").await;
    assert_eq!(leads, json!([["1", null], ["2", "after"]]));
    assert_eq!(service.table("email from persons").await, json!([[ADA]]));
}

#[tokio::test]
async fn what_is_received_after_an_erasure_makes_the_person_anew() {
    let service = service().await;
    let lead = a_lead(1).email(ADA).comments("before");
    service.lead(&lead).await.expect("applied", &[]);
    erase_here(&service, ada()).await;
    assert_eq!(service.count("persons").await, 0);
    service.lead(&lead.comments("after")).await.expect("applied", &[]);
    service.expect_row("leads", json!({ "comments": "after", "contact_email": ADA })).await;
    service.expect_row("persons", json!({ "email": ADA, "first_name": "Ada" })).await;
    assert_eq!(service.count("leads where person_id is not null and erased_at is not null").await, 1);
    assert_eq!(service.count("intake.bodies").await, 1);
}

#[tokio::test]
async fn a_lead_is_erased_with_its_person_and_what_the_person_sent_beside_it() {
    let service = service().await;
    service.lead(&a_lead(1).email(ADA).comments("one")).await.expect("applied", &[]);
    service.lead(&a_lead(2).email(ADA).comments("two")).await.expect("applied", &[]);
    service.lead(&a_lead(3).comments("other")).await.expect("applied", &[]);
    erase_here(&service, Target::Lead("1".to_owned())).await;
    assert_eq!(
        service.table("external_id, comments from leads order by 1").await,
        json!([["1", null], ["2", null], ["3", "other"]])
    );
    assert_eq!(service.count("persons").await, 1);
    // One that nobody knows yet is erased before it comes: whatever was received until then.
    let erased = erase_here(&service, Target::Lead("99".to_owned())).await;
    assert_eq!(erased.counts["leads"], 0);
    assert!(service.count("intake.erasures").await > 0);
}

#[tokio::test]
async fn a_lead_that_made_no_person_is_erased_alone() {
    let service = service().await;
    let nameless = a_lead(1).comments("hers").with(json!({ "prospect": { "email": null } }));
    service.lead(&nameless).await;
    let born_wrong = a_lead(2).email(ADA).comments("his").with(json!({ "prospect": { "dob": "32/13/2000" } }));
    service.lead(&born_wrong).await;
    assert_eq!(service.count("persons").await, 0);
    erase_here(&service, Target::Lead("1".to_owned())).await;
    erase_here(&service, Target::Lead("2".to_owned())).await;
    // And once more, as after a restore.
    erase_here(&service, Target::Lead("2".to_owned())).await;
    assert_eq!(
        service.table("external_id, comments, contact_email from leads order by 1").await,
        json!([["1", null, null], ["2", null, null]])
    );
    assert_eq!(service.count("intake.bodies").await, 0);
}

#[tokio::test]
async fn what_a_lead_told_of_another_address_goes_and_what_others_told_of_it_stays() {
    let service = service().await;
    let of_ada = a_lead(1).email(ADA).comments("hers").with(json!({ "updated_at": "2025-10-03T07:00:00Z" }));
    service.lead(&of_ada).await.expect("applied", &[]);
    let changed = of_ada
        .email("bob@example.org")
        .with(json!({ "updated_at": "2025-10-03T08:00:00Z", "prospect": { "title": "Dr", "last_name": "Hers", "opt_in_to_marketing": true } }));
    service.lead(&changed).await.expect("applied", &[]);
    let consent = "marketing_opt_in, marketing_opt_in_at is null, marketing_opt_in_lead_id is null from persons
        where email = 'bob@example.org'";
    assert_eq!(service.table(consent).await, json!([[true, false, false]]));
    let of_bob = a_lead(2)
        .email("bob@example.org")
        .with(json!({ "created": "2025-10-04T00:00:00Z", "prospect": { "first_name": "Bob", "last_name": null } }));
    service.lead(&of_bob).await.expect("applied", &[]);
    let erased = erase_here(&service, ada()).await;
    assert_eq!(erased.other_addresses.len(), 1);
    // Of Bob what the erased lead told is gone, and what his own lead told stays.
    let persons = service.table("email, title, first_name, last_name from persons").await;
    assert_eq!(persons, json!([["bob@example.org", null, "Bob", null]]));
    assert_eq!(service.table(consent).await, json!([[null, true, true]]));
    let leads = service.table("external_id, contact_email, comments, person_id is null from leads order by 1").await;
    assert_eq!(leads, json!([["1", null, null, true], ["2", "bob@example.org", null, false]]));
    assert_eq!(service.count("intake.bodies").await, 1);
}

#[tokio::test]
async fn an_erasure_says_by_fingerprints_what_was_erased_and_nothing_else() {
    let service = service().await;
    service.lead(&a_lead(1).email(ADA)).await.expect("applied", &[]);
    well(&erase(&service, &["--email", ADA, "--workspace", "alpha", "--reason", "asked"]).await);
    let rows = service.table("kind, workspace_id = 0, reason from intake.erasures order by 1, 2").await;
    let expected = json!([
        ["address", false, "asked"],
        ["address", true, "asked"],
        ["lead", false, "asked"],
        ["lead", true, "asked"]
    ]);
    assert_eq!(rows, expected);
    let action =
        service.row("select action, acted_by, counts from intake.actions where action = 'erase' limit 1").await;
    assert_eq!((&action["action"], &action["acted_by"]), (&json!("erase"), &json!(acting())));
    let log = std::fs::read_to_string(service.data_dir().join("erasures.log")).unwrap();
    assert_eq!(log.lines().count(), 4);
    assert!(!log.contains(ADA) && !log.contains("asked"), "{log}");
    assert_eq!(std::fs::read_dir(service.data_dir().join("erasures")).unwrap().count(), 0, "no order is left");
    let run = erase(&service, &["--email", ADA, "--workspace", "nowhere"]).await;
    assert_eq!(run.status, Some(2), "{run:?}");
    assert_eq!(std::fs::read_dir(service.data_dir().join("erasures")).unwrap().count(), 0, "no order is left");
    assert_eq!(erase(&service, &["--email", "nobody"]).await.status, Some(2));
    assert_eq!(erase(&service, &[]).await.status, Some(2));
    let told = erase(&service, &["--email", ADA, "--reason", &format!("{} asked", ADA.to_uppercase())]).await;
    assert!(told.status == Some(2) && told.error.contains("leave it out"), "{told:?}");
    let unknown = erase(&service, &["--email", "nobody@example.com", "--dry-run"]).await;
    assert!(unknown.out.contains("Nothing is known of whom that names"), "{unknown:?}");
}

#[tokio::test]
async fn a_late_retry_and_a_replay_bring_nothing_back() {
    let service = service().await;
    service.database.execute("alter table leads add constraint sabotage check (external_id <> '1')").await;
    let failed = service.lead(&a_lead(1).email(ADA).comments("secret")).await;
    failed.expect("failed", &["internal_error"]);
    service.database.execute("alter table leads drop constraint sabotage").await;
    // Read before the erasure, applied after it.
    let filter = forecourt::store::replay_filter::ReplayFilter {
        ids: vec![],
        feeds: vec![],
        since: None,
        until: chrono::DateTime::from(std::time::SystemTime::now()),
        outcomes: vec![],
        codes: vec![],
        workspace: None,
        of_no_door: false,
        addresses: vec![],
        fingerprints: vec![],
    };
    let store = service.intake().store();
    let start = forecourt::store::replay_filter::START;
    let read = forecourt::store::replay_filter::deliveries(store, &filter, start, 10).await.unwrap();
    let stored = read.into_iter().next().unwrap().stored.unwrap();
    erase_here(&service, ada()).await;
    let delivery = forecourt::domain::delivery::Delivery {
        permitted: forecourt::domain::workspace::Permitted::All,
        ..stored.delivery
    };
    let item = forecourt::intake::replay::ReplayItem { delivery, attempts: stored.attempts, is_unread: true };
    forecourt::intake::replay::replay(service.intake(), vec![item]).await;
    assert_eq!(service.count("persons").await, 0);
    assert_eq!(service.count("leads where contact_email is not null or comments is not null").await, 0);
    assert_eq!(service.count("intake.bodies").await, 0);
    service.expect_record(&failed, json!({ "outcome": "failed", "retry_at": null })).await;
}

#[tokio::test]
async fn an_instance_with_another_key_applies_nothing_where_somebody_was_erased() {
    let service = service_with(&config()).await;
    service.lead(&a_lead(1).email(ADA)).await.expect("applied", &[]);
    erase_here(&service, Target::Address(Email::parse("somebody@example.com").unwrap())).await;
    let other = service.beside(&config()).await;
    assert_eq!(other.lead(&a_lead(2).email(ADA)).await.outcome(), "spooled");
    assert_eq!(service.count("leads").await, 1);
    // It says so wherever somebody may look: of the one and of the other.
    let other_is = other.intake().store().probe().await.unwrap_err();
    assert_eq!((other_is.code(), other_is.without_values().contains("key_file")), ("erasure_key", true));
    service.intake().store().probe().await.unwrap();
    other.acceptor().close().await;
    assert_eq!(service.lead(&a_lead(3)).await.outcome(), "applied");
}

#[tokio::test]
async fn an_order_waits_while_postgres_is_away_and_is_done_by_the_service() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &config()).await;
    assert_eq!(service.lead(&a_lead(1).email(ADA)).await.outcome(), "applied");
    cluster.stop().await;
    let run = erase(&service, &["--email", ADA]).await;
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.error.contains("the order waits in the data directory") && run.error.lines().count() == 1, "{run:?}");
    let orders = || std::fs::read_dir(service.data_dir().join("erasures")).unwrap().count();
    assert_eq!(orders(), 1);
    cluster.start().await;
    let service_work = tokio::spawn(erasure::orders::run(service.intake().clone(), service.data_dir().to_owned()));
    soon("an order that is done", async || orders() == 0).await;
    service_work.abort();
    assert_eq!(service.count("persons").await, 0);
}

#[tokio::test]
async fn an_order_that_cannot_be_done_holds_up_none_that_came_after_it() {
    let service = service_with(&config()).await;
    service.lead(&a_lead(1).email(ADA)).await.expect("applied", &[]);
    let of_nowhere = Order { workspace: Some("nowhere".to_owned()), ..order(ada()) };
    erasure::orders::keep(service.data_dir(), &of_nowhere).unwrap();
    let run = erase(&service, &["--email", ADA]).await;
    well(&run);
    assert!(run.error.contains("an order to erase cannot be done and waits on"), "{run:?}");
    assert_eq!(service.count("persons").await, 0);
    assert_eq!(erasure::orders::waiting(service.data_dir()), [of_nowhere]);
}

#[tokio::test]
async fn erasures_are_done_over_on_a_database_that_was_restored() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &config()).await;
    let mut planted = Planted::default();
    plant(&service, &mut planted).await;
    let Some(dumped) = search::dump(&service.database).await else { return };
    well(&erase(&service, &["--email", ADA]).await);
    let log = service.data_dir().join("erasures.log");

    let restored = cluster.bare_database("restored").await;
    let (url, file) = (restored.url_of_superuser(), service.data_dir().join("dump.sql"));
    std::fs::write(&file, dumped).unwrap();
    let path = file.clone();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(search::program("psql"))
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(path)
            .arg(url)
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(file).unwrap();
    let before = planted.search_tables(&restored).await;
    assert!(before.finds.len() > 100, "{before:?}");

    let run = forecourt(&restored.url(), service.data_dir(), &["erase", "--again", log.to_str().unwrap()]).await;
    well(&run);
    let after = planted.search_tables(&restored).await;
    println!(
        "{} places of a restored database: {} finds before, {} after",
        after.places,
        before.finds.len(),
        after.finds.len()
    );
    assert_eq!(after.finds, Vec::<String>::new());
    let run = forecourt(&restored.url(), service.data_dir(), &["erase", "--again", log.to_str().unwrap()]).await;
    assert!(run.out.contains("there was nothing to do"), "{run:?}");
}

#[tokio::test]
async fn an_export_has_all_that_is_known_of_a_person_and_of_nobody_else() {
    let service = service_with(&config()).await;
    let mut planted = Planted::default();
    plant(&service, &mut planted).await;
    let run = forecourt(&service.database.url(), service.data_dir(), &["export", "--email", &ADA.to_uppercase()]).await;
    well(&run);
    let known: Value = serde_json::from_str(&run.out).unwrap();
    let alpha = &known["workspaces"]["alpha"];
    let count = |table: &str| alpha[table].as_array().map_or(0, Vec::len);
    for table in ["persons", "identity.driver_licences", "identity.passports", "bookings"] {
        assert_eq!(count(table), 1, "{table}: {known}");
    }
    for table in ["trade_ins", "lead_events", "appointments", "lead_clusters", "identity.lead_documents"] {
        assert!(count(table) > 0, "{table}: {known}");
    }
    assert_eq!(count("leads"), 2, "{known}");
    assert_eq!(alpha["leads_of_other_addresses_by_now"], 1);
    assert!(count("deliveries") >= 7, "{known}");
    assert_eq!(alpha["other_addresses_of_these_leads"], json!(["carol@example.net"]));
    assert!(known["deliveries_of_no_workspace"].as_array().unwrap().len() >= 3, "{known}");
    assert!(known["workspaces"].get("beta").is_none(), "{known}");
    assert!(!run.out.contains("bob@example.org") && !run.out.contains("ada500@example.com"), "{known}");
    assert!(!run.out.contains("clocks"), "{known}");
    assert_eq!(service.count("intake.actions where action = 'export' and acted_by <> ''").await, 1);
}
