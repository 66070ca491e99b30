//! Metrics: each moves when what it counts happens, and no payload can make a series.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use forecourt::domain::feed::Feed;
use forecourt::metrics::{NO_DEALERSHIP, SilentSender};
use serde_json::json;

use crate::support::program::Launch;
use crate::support::{
    CONFIG, INVENTORY, LEADPRO, LEADS, OTHER_TOKEN, Program, Scrape, TOKEN, a_lead, car, config_with,
    credential_of_leadpro, delivery, own_cluster, payloads, service, service_with, soon,
};

fn outcome(feed: &str, outcome: &str) -> String {
    format!("forecourt_deliveries_total{{feed=\"{feed}\",outcome=\"{outcome}\"}}")
}

fn refused(feed: &str, reason: &str) -> String {
    format!("forecourt_refused_total{{feed=\"{feed}\",reason=\"{reason}\"}}")
}

/// What is there from the start. Metrics without a series are not declared before they have one.
const NAMES: [&str; 18] = [
    "forecourt_batch_deliveries",
    "forecourt_bookings_total",
    "forecourt_build_info",
    "forecourt_commit_duration_seconds",
    "forecourt_deliveries_total",
    "forecourt_delivery_duration_seconds",
    "forecourt_findings_total",
    "forecourt_memory_bytes",
    "forecourt_memory_limit_bytes",
    "forecourt_postgres_up",
    "forecourt_refused_total",
    "forecourt_spool_bytes",
    "forecourt_spool_deliveries",
    "forecourt_spool_oldest_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

#[tokio::test]
async fn every_metric_is_declared_from_the_start_and_counters_begin_at_nought() {
    let service = service().await;
    let scrape = service.scrape().await;
    for name in NAMES {
        assert!(scrape.declared.contains(name), "{name} in {:#?}", scrape.declared);
    }
    for feed in Feed::ALL {
        for name in ["applied", "unchanged", "ignored", "rejected", "failed", "spooled"] {
            assert_eq!(scrape.count(&outcome(feed.name(), name)), 0);
        }
        assert_eq!(scrape.count(&refused(feed.name(), "unauthorized")), 0);
        assert_eq!(scrape.count(&format!("forecourt_delivery_duration_seconds_count{{feed=\"{}\"}}", feed.name())), 0);
    }
    assert_eq!(scrape.count("forecourt_findings_total{code=\"asset_not_found\"}"), 0);
    assert_eq!(scrape.count("forecourt_bookings_total{state=\"blocked\"}"), 0);
    let version = env!("CARGO_PKG_VERSION");
    assert!(scrape.of("forecourt_build_info").keys().any(|series| series.contains(&format!("version=\"{version}\""))));
    assert!(scrape.value("forecourt_memory_bytes") > 1e6 && scrape.value("forecourt_memory_limit_bytes") > 1e6);
    assert!(scrape.value("process_open_fds") > 2.0 && scrape.value("process_start_time_seconds") > 1.6e9);
    // Nothing is told of what nobody has looked at, or of what is not there.
    for name in
        ["forecourt_default_partition_rows", "forecourt_last_delivery_timestamp_seconds", "forecourt_sender_silent"]
    {
        assert!(scrape.of(name).is_empty(), "{name}");
    }
    assert!(!scrape.declared.contains("forecourt_spool_limit_bytes"), "these services have no spool");
}

#[tokio::test]
async fn a_delivery_is_counted_by_its_outcome_with_its_findings() {
    let service = service().await;
    let before = service.scrape().await;
    service.vehicle(&payloads::car(json!({}))).await.expect("applied", &[]);
    service.lead(&a_lead(1)).await.expect("applied", &[]);
    service.lead(&a_lead(1)).await.expect("unchanged", &[]);
    service.lead(&a_lead(2).dealership(999)).await.expect("rejected", &["dealership_unknown"]);
    service.post(LEADS, "no json").await.expect("rejected", &["body_unreadable"]);
    let after = service.scrape().await;
    let counted = after.since(&before, "forecourt_deliveries_total");
    let expected = [
        (outcome("inventory", "applied"), 1.0),
        (outcome("lead", "applied"), 1.0),
        (outcome("lead", "rejected"), 2.0),
        (outcome("lead", "unchanged"), 1.0),
    ];
    assert_eq!(counted, expected.iter().map(|(series, more)| (series.as_str(), *more)).collect());
    let findings = after.since(&before, "forecourt_findings_total");
    let expected =
        ["body_unreadable", "dealership_unknown"].map(|code| format!("forecourt_findings_total{{code=\"{code}\"}}"));
    assert_eq!(findings, expected.iter().map(|series| (series.as_str(), 1.0)).collect());
    assert_eq!(after.count("forecourt_delivery_duration_seconds_count{feed=\"lead\"}"), 4);
    assert_eq!(after.count("forecourt_delivery_duration_seconds_count{feed=\"inventory\"}"), 1);
    assert!(after.value("forecourt_delivery_duration_seconds_sum{feed=\"lead\"}") > 0.0);
    assert_eq!(after.count("forecourt_batch_deliveries_sum"), 5);
    assert_eq!(after.count("forecourt_batch_deliveries_count"), 5, "one after the other");
    assert_eq!(after.count("forecourt_commit_duration_seconds_count"), 5);
    assert!(after.value("forecourt_commit_duration_seconds_sum") > 0.0);
}

#[tokio::test]
async fn bookings_are_counted_whichever_delivery_makes_them() {
    let service = service().await;
    let states = async || {
        let scrape = service.scrape().await;
        ["created", "updated", "blocked"]
            .map(|state| scrape.count(&format!("forecourt_bookings_total{{state=\"{state}\"}}")))
    };
    let answer = service.lead(&payloads::lead(json!({}))).await;
    assert_eq!(answer.body["booking"], "blocked");
    assert_eq!(states().await, [0, 0, 1]);
    // The car brings the booking of the lead that waited for it.
    service.vehicle(&payloads::car(json!({}))).await.expect("applied", &[]);
    assert_eq!(service.count("bookings").await, 1);
    assert_eq!(states().await, [1, 0, 1]);
    let answer = service.lead(&payloads::lead(json!({"id": 2, "prospect": {"email": "bo@example.com"}}))).await;
    assert_eq!(answer.body["booking"], "created");
    assert_eq!(states().await, [2, 0, 1]);
    let other_plan = json!({ "subscription_plan": "Starter" });
    let newer = json!({ "updated_at": "2025-10-02T00:00:00Z", "additional_details": other_plan });
    assert_eq!(service.lead(&payloads::lead(newer)).await.body["booking"], "updated");
    assert_eq!(states().await, [2, 1, 1]);
}

#[tokio::test]
async fn a_delivery_that_fails_is_counted_and_again_once_it_is_applied() {
    let service = service().await;
    service.database.execute("alter table leads rename column comments to remarks").await;
    service.lead(&a_lead(1).comments("c")).await.expect("failed", &["internal_error"]);
    let failed = service.scrape().await;
    assert_eq!(failed.count(&outcome("lead", "failed")), 1);
    assert_eq!(failed.count("forecourt_findings_total{code=\"internal_error\"}"), 1);
    assert_eq!(failed.count("forecourt_batch_deliveries_count"), 0, "its batch was not committed");
    service.database.execute("alter table leads rename column remarks to comments").await;
    service.database.execute("update intake.deliveries set retry_at = now() - interval '1 second'").await;
    let retrying = tokio::spawn(forecourt::intake::due::run(service.intake().clone()));
    soon("applied", async || service.scrape().await.count(&outcome("lead", "applied")) == 1).await;
    retrying.abort();
    assert_eq!(service.scrape().await.count(&outcome("lead", "failed")), 1);
}

#[tokio::test]
async fn a_delivery_that_comes_once_more_out_of_the_spool_is_counted_once() {
    let service = service().await;
    let one = delivery(Feed::Lead, a_lead(1).bytes());
    service.acceptor().accept(one.clone()).await.unwrap();
    assert_eq!(service.scrape().await.count(&outcome("lead", "applied")), 1);
    // Whoever restarts knows nothing of it but what is in the tables.
    let service = service.restarted_with(CONFIG).await;
    service.acceptor().accept(one).await.unwrap();
    assert_eq!(service.count("intake.deliveries").await, 1);
    let scrape = service.scrape().await;
    assert!(scrape.of("forecourt_deliveries_total").values().all(|count| *count == 0.0), "{scrape:#?}");
}

#[tokio::test]
async fn refused_requests_are_counted_by_feed_and_reason() {
    let service = service_with(&config_with("body_limits = { lead = 1024 }")).await;
    let before = service.scrape().await;
    let ask = async |request: axum::http::request::Builder, body: String| {
        service.send(request.body(Body::from(body)).unwrap()).await.status.as_u16()
    };
    let post = |path: &str| Request::post(path).header("authorization", format!("Bearer {TOKEN}"));
    assert_eq!(ask(Request::post(LEADS), a_lead(1).to_string()).await, 401);
    assert_eq!(ask(Request::post(LEADPRO).header("x-api-key", "wrong"), "{}".to_owned()).await, 401);
    assert_eq!(ask(post(LEADS), "x".repeat(2_000)).await, 413);
    assert_eq!(ask(post(LEADS).header("x-padding", "x".repeat(40_000)), "{}".to_owned()).await, 431);
    assert_eq!(ask(post("/webhooks/dealer-studio/lead"), a_lead(1).to_string()).await, 404);
    assert_eq!(ask(Request::post("/oauth/token"), "grant_type=client_credentials".to_owned()).await, 401);
    // Nobody posts by these.
    assert_eq!(ask(Request::get("/favicon.ico"), String::new()).await, 404);
    assert_eq!(ask(Request::get(LEADS), String::new()).await, 405);
    let after = service.scrape().await;
    let counted = after.since(&before, "forecourt_refused_total");
    let expected = [
        refused("lead", "body_too_large"),
        refused("lead", "headers_too_large"),
        refused("lead", "unauthorized"),
        refused("leadpro_lead", "unauthorized"),
        refused("none", "no_door"),
        refused("none", "token"),
    ];
    assert_eq!(counted, expected.iter().map(|series| (series.as_str(), 1.0)).collect());
    assert_eq!(after.since(&before, "forecourt_deliveries_total").len(), 0, "none of these is a delivery");
}

#[tokio::test]
async fn a_thousand_dealerships_that_nobody_has_make_no_series() {
    let config = format!("{CONFIG}{}", credential_of_leadpro());
    let service = service_with(&config).await;
    let before = service.scrape().await;
    for id in 0..1_000 {
        service.lead(&a_lead(id).dealership(10_000 + id)).await.expect("rejected", &["dealership_unknown"]);
    }
    let after = service.scrape().await;
    assert_eq!(after.count(&outcome("lead", "rejected")), 1_000);
    let names = |scrape: &Scrape| scrape.series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));

    // Those that the configuration has are told apart, each once.
    for id in 0..10 {
        service.lead(&a_lead(id).dealership(356)).await.expect("applied", &[]);
        service.lead(&a_lead(100 + id).dealership(285)).await.expect("applied", &[]);
        service.post(INVENTORY, car(1).at(2).of(357).body().to_string()).await;
    }
    let lead = service.post_as(OTHER_TOKEN, LEADPRO, json!({"id": "l1", "email": "ada@example.com"}).to_string()).await;
    assert_eq!(lead.status, 200);
    let last = service.scrape().await;
    let senders: Vec<&str> = last.of("forecourt_last_delivery_timestamp_seconds").into_keys().collect();
    let series = |workspace: &str, dealership: i64, feed: &str| {
        format!(
            "forecourt_last_delivery_timestamp_seconds{{workspace=\"{workspace}\",dealership=\"{dealership}\",feed=\"{feed}\"}}"
        )
    };
    let expected = [
        series("alpha", 0, "leadpro_lead"),
        series("alpha", 356, "lead"),
        series("alpha", 357, "inventory"),
        series("beta", 285, "lead"),
    ];
    assert_eq!(senders, expected);
}

#[tokio::test]
async fn the_time_of_a_senders_last_delivery_moves_and_is_kept_through_a_reload() {
    let service = service().await;
    let series = "forecourt_last_delivery_timestamp_seconds{workspace=\"alpha\",dealership=\"356\",feed=\"lead\"}";
    service.lead(&a_lead(1)).await.expect("applied", &[]);
    let first = service.scrape().await.value(series);
    let now = forecourt::intake::clock::now().timestamp();
    assert!((first - f64::from(i32::try_from(now).unwrap())).abs() < 600.0, "{first} {now}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    service.lead(&a_lead(2)).await.expect("applied", &[]);
    let second = service.scrape().await.value(series);
    assert!(second > first);
    // One that was received before does not turn it back.
    let mut earlier = delivery(Feed::Lead, a_lead(3).bytes());
    earlier.received_at -= chrono::TimeDelta::hours(1);
    service.acceptor().accept(earlier).await.unwrap();
    assert_eq!(service.scrape().await.value(series).to_bits(), second.to_bits());
    service.reload(&CONFIG.replace("[356, 357]", "[356, 358]")).await;
    assert_eq!(service.scrape().await.value(series).to_bits(), second.to_bits());
    service.reload(&CONFIG.replace("[356, 357]", "[357, 358]")).await;
    assert!(service.scrape().await.of("forecourt_last_delivery_timestamp_seconds").is_empty());
}

#[tokio::test]
async fn what_others_find_out_is_told_as_they_last_said_it() {
    let service = service().await;
    let metrics = service.metrics();
    let sender =
        |dealership, feed, is_silent| SilentSender { workspace: "alpha".to_owned(), dealership, feed, is_silent };
    metrics.set_silent_senders(vec![sender(356, Feed::Lead, true), sender(NO_DEALERSHIP, Feed::LeadPro, false)]);
    metrics.set_default_partition_rows(7);
    let long_ago = "2026-01-02T03:04:05.5Z".parse().unwrap();
    metrics.note_last_delivery("alpha", 356, Feed::Inventory, long_ago);
    metrics.note_last_delivery("gone", 356, Feed::Inventory, long_ago);
    let scrape = service.scrape().await;
    let silent = |dealership: i64, feed: &str| {
        format!("forecourt_sender_silent{{workspace=\"alpha\",dealership=\"{dealership}\",feed=\"{feed}\"}}")
    };
    assert_eq!((scrape.count(&silent(356, "lead")), scrape.count(&silent(0, "leadpro_lead"))), (1, 0));
    assert_eq!(scrape.count("forecourt_default_partition_rows"), 7);
    let last = scrape.of("forecourt_last_delivery_timestamp_seconds");
    assert_eq!(last.into_values().collect::<Vec<_>>(), [1_767_323_045.5]);
    metrics.set_silent_senders(vec![sender(356, Feed::Lead, false)]);
    let scrape = service.scrape().await;
    assert_eq!(scrape.of("forecourt_sender_silent").into_values().collect::<Vec<_>>(), [0.0]);
}

#[tokio::test]
async fn an_outage_shows_in_what_is_spooled_and_whether_postgres_is_up() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config_with("hold_seconds = 120\ndeadline_ms = 500").replace("[spool]\nmax_bytes = 0", "");
    let config = format!("{config}\n[admin]\nlisten = \"127.0.0.1:0\"\n");
    let listen = ([127, 0, 0, 1], 0).into();
    let url = database.url();
    let mut program = Program::launch(&Launch {
        database: &url,
        folder: folder.path(),
        config: &config,
        listen,
        log: "info",
        first: "",
    });
    let admin = program.admin_address();
    program.wait_for("postgres is ready");
    let scrape = async || Scrape::of_address(admin).await;
    soon("up", async || scrape().await.count("forecourt_postgres_up") == 1).await;
    let ordinary = scrape().await;
    assert_eq!(ordinary.count("forecourt_spool_deliveries"), 0);
    assert_eq!(ordinary.count("forecourt_spool_limit_bytes"), 1 << 30);
    assert!(ordinary.count("forecourt_spool_disk_free_bytes") > 0);

    cluster.stop().await;
    program.post_as(TOKEN, LEADS, a_lead(1).bytes()).await.expect("spooled", &[]);
    soon("down", async || scrape().await.count("forecourt_postgres_up") == 0).await;
    soon("old", async || scrape().await.count("forecourt_spool_oldest_seconds") >= 2).await;
    let away = scrape().await;
    assert_eq!((away.count("forecourt_spool_deliveries"), away.count(&outcome("lead", "spooled"))), (1, 1));
    assert!(away.count("forecourt_spool_bytes") > 0);
    assert_eq!(away.count(&outcome("lead", "applied")), 0);
    assert_eq!(away.count("forecourt_delivery_duration_seconds_count{feed=\"lead\"}"), 1);

    cluster.start().await;
    program.wait_for("the spool is empty again");
    soon("up again", async || scrape().await.count("forecourt_postgres_up") == 1).await;
    let back = scrape().await;
    assert_eq!((back.count(&outcome("lead", "spooled")), back.count(&outcome("lead", "applied"))), (1, 1));
    assert_eq!((back.count("forecourt_spool_deliveries"), back.count("forecourt_spool_oldest_seconds")), (0, 0));
    assert!(back.value("process_cpu_seconds_total") >= ordinary.value("process_cpu_seconds_total"));
}
