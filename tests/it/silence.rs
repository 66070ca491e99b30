//! Senders that fall silent and speak again: noted, logged, and posted once, whoever looks and however often.
//!
//! The clock is a value: deliveries arrive when a test says so, and whoever looks is told what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use forecourt::domain::delivery::Delivery;
use forecourt::domain::feed::Feed;
use forecourt::domain::silence::Change;
use forecourt::domain::workspace::Permitted;
use forecourt::metrics::Metrics;
use forecourt::silence::{Alert, Outbox, Settings, Silence, Target};
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::sink::{Answered, Posted, Sink};
use crate::support::{
    CONFIG, INVENTORY, Program, TestService, a_lead, car, credential_of_beta, database, delivery, service_with, soon,
};

/// Inventory at least every 26 hours and a lead within three days, of both dealerships of `alpha`.
fn config() -> String {
    CONFIG.replace("[356, 357]", "[356, 357]\nexpect = { inventory = \"26h\", lead = \"3d\" }")
}

/// Inventory of one dealership, and nothing else.
fn of_one() -> String {
    CONFIG.replace("[356, 357]", "[356]\nexpect = { inventory = \"26h\" }")
}

fn start() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// Somebody who looks, and for whom no pause is too long.
fn watching(service: &TestService) -> Silence {
    watching_with(service, None)
}

fn watching_with(service: &TestService, outbox: Option<Outbox>) -> Silence {
    let settings = Settings::new(Arc::new(|| None), outbox, Metrics::default());
    Silence::new(service.intake().clone(), Settings { longest_pause: TimeDelta::days(4_000), ..settings })
}

/// Posts a vehicle of a dealership that arrives then.
async fn vehicle(service: &TestService, dealership: i64, at: DateTime<Utc>) {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let body = car(NEXT.fetch_add(1, Ordering::Relaxed)).of(dealership).body().to_string();
    arrive(service, Delivery { received_at: at, ..delivery(Feed::Inventory, body) }).await;
}

async fn arrive(service: &TestService, delivery: Delivery) {
    service.acceptor().accept(delivery).await.unwrap();
}

/// What was told, in short.
fn told(alerts: &[Alert]) -> Vec<(i64, &'static str, &'static str, String)> {
    let one = |alert: &Alert| {
        let hours = (alert.silent_since() - start()).num_hours();
        (alert.sender.dealership, alert.sender.feed.name(), alert.kind(), format!("{hours}h"))
    };
    alerts.iter().map(one).collect()
}

async fn row(service: &TestService, dealership: i64, feed: &str) -> Value {
    let of = format!("dealership_id = {dealership} and feed = '{feed}'");
    service.row(&format!("select * from intake.dealership_feeds where {of}")).await
}

#[tokio::test]
async fn a_dealership_that_stops_falls_silent_once_and_is_told_once_when_it_speaks_again() {
    let service = service_with(&config()).await;
    let silence = watching(&service);
    assert_eq!(silence.round(start()).await.unwrap(), []);
    for dealership in [356, 357] {
        vehicle(&service, dealership, start() + hours(1)).await;
    }
    assert_eq!(silence.round(start() + hours(27)).await.unwrap(), [], "just in time");
    vehicle(&service, 357, start() + hours(27)).await;
    let silent = silence.round(start() + hours(28)).await.unwrap();
    assert_eq!(told(&silent), [(356, "inventory", "sender.silent", "27h".to_owned())]);
    assert_eq!(silent[0].sender.slug, "alpha");
    let known = row(&service, 356, "inventory").await;
    assert_eq!(known["silent_since"], json!("2026-10-02T03:00:00+00:00"));
    assert_eq!(known["last_accepted_at"], json!("2026-10-01T01:00:00+00:00"));
    assert_eq!(known["expected_every"], json!("26:00:00"));
    assert_eq!(known["expected_since"], json!("2026-10-01T00:00:00+00:00"));
    for later in 29..40 {
        assert_eq!(silence.round(start() + hours(later)).await.unwrap(), [], "it was told");
    }

    vehicle(&service, 356, start() + hours(40)).await;
    vehicle(&service, 357, start() + hours(40)).await;
    let again = silence.round(start() + hours(40)).await.unwrap();
    assert_eq!(told(&again), [(356, "inventory", "sender.speaking", "27h".to_owned())]);
    let known = row(&service, 356, "inventory").await;
    assert_eq!(
        (&known["silent_since"], &known["last_accepted_at"]),
        (&Value::Null, &json!("2026-10-02T16:00:00+00:00"))
    );
    assert_eq!(silence.round(start() + hours(41)).await.unwrap(), []);
}

#[tokio::test]
async fn one_that_never_began_is_silent_once_its_time_is_over_whatever_restarts_there_were() {
    let service = service_with(&config()).await;
    assert_eq!(watching(&service).round(start()).await.unwrap(), []);
    let service = service.restarted_with(&config()).await;
    assert_eq!(watching(&service).round(start() + hours(20)).await.unwrap(), []);
    let service = service.restarted_with(&config()).await;
    let silence = watching(&service);
    let silent = silence.round(start() + hours(26) + TimeDelta::seconds(1)).await.unwrap();
    let of = |dealership| (dealership, "inventory", "sender.silent", "26h".to_owned());
    assert_eq!(told(&silent), [of(356), of(357)], "leads have three days");
    assert_eq!(silent[0].last_accepted_at, None);
    // What was told once is not told anew by the next start.
    let service = service.restarted_with(&config()).await;
    let silence = watching(&service);
    assert_eq!(silence.round(start() + hours(30)).await.unwrap(), []);
    let silent = silence.round(start() + hours(73)).await.unwrap();
    assert_eq!(told(&silent).iter().map(|(_, feed, ..)| *feed).collect::<Vec<_>>(), ["lead", "lead"]);
}

#[tokio::test]
async fn time_in_which_no_service_ran_makes_nobody_silent() {
    let service = service_with(&of_one()).await;
    let careful = |service: &TestService| {
        let settings = Settings::new(Arc::new(|| None), None, Metrics::default());
        Silence::new(service.intake().clone(), settings)
    };
    careful(&service).round(start()).await.unwrap();
    vehicle(&service, 356, start()).await;
    careful(&service).round(start() + TimeDelta::minutes(4)).await.unwrap();
    // Down for two days and three hours; then every minute, or nearly so, somebody looks.
    let back = start() + hours(51);
    let service = service.restarted_with(&of_one()).await;
    assert_eq!(careful(&service).round(back).await.unwrap(), []);
    let silence = watching(&service);
    let until = hours(26) - TimeDelta::minutes(4);
    assert_eq!(silence.round(back + until).await.unwrap(), [], "26 hours in which it could have spoken");
    let silent = silence.round(back + until + TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(told(&silent).len(), 1, "{silent:?}");

    // A short stop, as for an upgrade, is no such time.
    let service = service.restarted_with(&of_one()).await;
    vehicle(&service, 356, start() + hours(100)).await;
    let silence = careful(&service);
    silence.round(start() + hours(100)).await.unwrap();
    silence.round(start() + hours(100) + TimeDelta::minutes(5)).await.unwrap();
    let counted_from = row(&service, 356, "inventory").await["counted_from"].clone();
    assert_eq!(counted_from, json!("2026-10-05T04:00:00+00:00"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_one_posts_and_their_counts_add_up() {
    let sink = Sink::answering(&[]);
    let first = service_with(&of_one()).await;
    let second = first.beside(&of_one()).await;
    let here = watching_with(&first, Some(outbox(&sink, None)));
    let there = watching_with(&second, Some(outbox(&sink, None)));
    here.round(start()).await.unwrap();
    for (service, minutes) in [(&first, 1), (&second, 2), (&first, 3), (&second, 4), (&second, 5)] {
        vehicle(service, 356, start() + TimeDelta::minutes(minutes)).await;
    }
    let soon_after = start() + TimeDelta::minutes(6);
    let (a, b) = tokio::join!(here.round(soon_after), there.round(soon_after));
    assert_eq!((a.unwrap(), b.unwrap()), (vec![], vec![]));
    let known = row(&first, 356, "inventory").await;
    assert_eq!(
        (&known["deliveries_today"], &known["last_accepted_at"]),
        (&json!(5), &json!("2026-10-01T00:05:00+00:00"))
    );

    let mut posts = 0;
    for day in [2, 4, 6] {
        for (kind, at) in [("sender.silent", 24 * day + 12), ("sender.speaking", 24 * day + 24)] {
            if kind == "sender.speaking" {
                vehicle(&second, 356, start() + hours(at)).await;
                // It is the other one that counted it, and either may tell.
                second.intake().write_activity(start() + hours(at)).await;
            }
            let (a, b) = tokio::join!(here.round(start() + hours(at)), there.round(start() + hours(at)));
            let all = [a.unwrap(), b.unwrap()].concat();
            assert_eq!(all.iter().map(Alert::kind).collect::<Vec<_>>(), [kind], "day {day}");
            posts += 1;
            soon("it is posted", async || sink.posted().len() >= posts).await;
            assert_eq!(sink.posted().last().unwrap().json()["type"], kind);
        }
    }
    here.finish().await;
    there.finish().await;
    assert_eq!(sink.posted().len(), posts);
}

#[tokio::test]
async fn refused_requests_are_no_word_of_the_sender_and_are_told_beside() {
    let service = service_with(&of_one()).await;
    // These arrive now, so that the look is in the days to come.
    let now = service.intake().now();
    let silence = watching(&service);
    vehicle(&service, 356, now - hours(1)).await;
    silence.round(now).await.unwrap();
    for secret in ["a-wrong-secret", "a-wrong-secret", "another-wrong-secret"] {
        let request = Request::post(INVENTORY).header("authorization", format!("Bearer {secret}"));
        let request = request.body(Body::from(car(1).body().to_string())).unwrap();
        assert_eq!(service.send(request).await.status.as_u16(), 401);
    }
    service.refusals_written().await;
    let silent = silence.round(now + hours(26)).await.unwrap();
    assert_eq!(silent.len(), 1);
    let payload = silent[0].payload();
    let refused = &payload["data"]["refused"];
    assert_eq!(refused["requests"], 3);
    let prints = refused["fingerprints"].as_array().unwrap();
    assert_eq!(prints.iter().map(|one| one["requests"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    let stored = service.row("select fingerprint from intake.rejected group by 1 having count(*) = 2").await;
    assert_eq!(prints[0]["fingerprint"], stored["fingerprint"]);
    let since: DateTime<Utc> = refused["since"].as_str().unwrap().parse().unwrap();
    assert!((since - now).num_seconds().abs() <= 120, "{since} {now}");
    assert_eq!(row(&service, 356, "inventory").await["deliveries_today"], 0, "the day is over, and they never counted");
    // Of another feed's nobody is told.
    let of_leads = CONFIG.replace("[356, 357]", "[356]\nexpect = { inventory = \"26h\", lead = \"1h\" }");
    service.reload(&of_leads).await;
    silence.round(now + hours(26)).await.unwrap();
    let silent = silence.round(now + hours(28)).await.unwrap();
    assert_eq!((silent.len(), &silent[0].payload()["data"]["refused"]), (1, &Value::Null));
}

#[tokio::test]
async fn whatever_is_stored_for_a_dealership_counts_and_what_is_not_its_own_does_not() {
    let config = format!("{}{}", config(), credential_of_beta());
    let service = service_with(&config).await;
    let silence = watching(&service);
    silence.round(start()).await.unwrap();
    let rows = async || {
        let heard =
            "dealership_id, feed, deliveries_today from intake.dealership_feeds where last_accepted_at is not null";
        let rows = service.rows(&format!("select {heard} order by 1, 2")).await;
        let of = |row: &Value| (row["dealership_id"].as_i64().unwrap(), row["deliveries_today"].as_i64().unwrap());
        rows.iter().map(of).collect::<Vec<_>>()
    };
    let at = |minutes: i64| start() + TimeDelta::minutes(minutes);
    let lead = |dealership: i64, id: i64| a_lead(id).dealership(dealership).bytes();
    // No workspace has it; this credential may not write for it; nothing can be read.
    arrive(&service, Delivery { received_at: at(1), ..delivery(Feed::Lead, lead(99, 1)) }).await;
    let permitted = Permitted::Only(["beta".to_owned()].into());
    arrive(&service, Delivery { received_at: at(2), permitted, ..delivery(Feed::Lead, lead(356, 2)) }).await;
    arrive(&service, Delivery { received_at: at(3), ..delivery(Feed::Lead, "{") }).await;
    silence.round(at(10)).await.unwrap();
    assert_eq!(rows().await, []);

    // One that fails is stored for it, and one that is unchanged.
    service.database.execute("alter table leads add constraint sabotage check (external_id <> '3')").await;
    arrive(&service, Delivery { received_at: at(11), ..delivery(Feed::Lead, lead(356, 3)) }).await;
    arrive(&service, Delivery { received_at: at(12), ..delivery(Feed::Lead, lead(357, 4)) }).await;
    arrive(&service, Delivery { received_at: at(13), ..delivery(Feed::Lead, lead(357, 4)) }).await;
    silence.round(at(20)).await.unwrap();
    assert_eq!(rows().await, [(356, 1), (357, 2)]);
    let newest = service.row("select id from intake.deliveries order by received_at desc limit 1").await;
    assert_eq!(row(&service, 357, "lead").await["last_delivery_id"], newest["id"]);
    // Tried again it is no other delivery.
    service.database.execute("alter table leads drop constraint sabotage").await;
    service.database.execute("update intake.deliveries set retry_at = now() where retry_at is not null").await;
    let retryable = service.intake().router().retryable();
    assert_eq!(forecourt::intake::due::round(service.intake(), &retryable).await.unwrap(), 1);
    silence.round(at(30)).await.unwrap();
    assert_eq!(rows().await, [(356, 1), (357, 2)]);
}

#[tokio::test]
async fn leadpro_and_what_names_no_dealership_are_counted_for_the_workspace_and_its_only_dealership() {
    let only = CONFIG.replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    let only = only.replace("[285]", "[285]\nexpect = { inventory = \"1d\", leadpro_lead = \"1d\" }");
    let service = service_with(&only).await;
    let silence = watching(&service);
    let permitted = || Permitted::Only(["beta".to_owned()].into());
    let body = json!({ "event": "lead.created", "data": { "id": 7, "email": "ada@example.com" } }).to_string();
    arrive(&service, Delivery { received_at: start(), permitted: permitted(), ..delivery(Feed::LeadPro, body) }).await;
    let fragment = json!({ "Identifier": 1, "SaleStatus": "WITHDRAWN" }).to_string();
    let fragment = Delivery { received_at: start(), permitted: permitted(), ..delivery(Feed::Inventory, fragment) };
    arrive(&service, fragment).await;
    silence.round(start()).await.unwrap();
    for (dealership, feed) in [(0, "leadpro_lead"), (285, "inventory")] {
        let known = row(&service, dealership, feed).await;
        assert_eq!(known["last_accepted_at"], json!("2026-10-01T00:00:00+00:00"), "{feed}");
        assert_eq!(known["deliveries_today"], 1, "{feed}");
    }
    let silent = silence.round(start() + hours(25)).await.unwrap();
    assert_eq!(
        told(&silent).iter().map(|(dealership, feed, ..)| (*dealership, *feed)).collect::<Vec<_>>(),
        [(0, "leadpro_lead"), (285, "inventory")]
    );
}

#[tokio::test]
async fn todays_deliveries_are_those_of_the_workspaces_day() {
    let service = service_with(&of_one()).await;
    let silence = watching(&service);
    // Midnight in Sydney, an hour before summer time.
    let midnight: DateTime<Utc> = "2026-10-01T14:00:00Z".parse().unwrap();
    let today = async || row(&service, 356, "inventory").await["deliveries_today"].as_i64().unwrap();
    for seconds in [-7_200, -60, -1] {
        vehicle(&service, 356, midnight + TimeDelta::seconds(seconds)).await;
    }
    silence.round(midnight - TimeDelta::milliseconds(1)).await.unwrap();
    assert_eq!(today().await, 3);
    silence.round(midnight).await.unwrap();
    assert_eq!(today().await, 0, "a new day, also where nothing comes");
    // One came at the last moment and is counted after it: it is of the day before.
    vehicle(&service, 356, midnight - TimeDelta::milliseconds(1)).await;
    vehicle(&service, 356, midnight).await;
    silence.round(midnight + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(today().await, 1);
    vehicle(&service, 356, midnight + hours(1)).await;
    silence.round(midnight + hours(23)).await.unwrap();
    assert_eq!(today().await, 2);
    silence.round(midnight + hours(24)).await.unwrap();
    assert_eq!(today().await, 0);
}

#[tokio::test]
async fn nobody_is_silent_whose_delivery_may_wait_in_the_spool() {
    let service = service_with(&of_one()).await;
    let spooled = Arc::new(AtomicI64::new(i64::MAX));
    let of_spool = Arc::clone(&spooled);
    let since = move || DateTime::from_timestamp(of_spool.load(Ordering::SeqCst), 0);
    let settings = Settings::new(Arc::new(since), None, Metrics::default());
    let settings = Settings { longest_pause: TimeDelta::days(4_000), ..settings };
    let silence = Silence::new(service.intake().clone(), settings);
    silence.round(start()).await.unwrap();
    spooled.store((start() + hours(10)).timestamp(), Ordering::SeqCst);
    assert_eq!(silence.round(start() + hours(27)).await.unwrap(), []);
    // What was in it is applied, as of its arrival.
    vehicle(&service, 356, start() + hours(10)).await;
    spooled.store(i64::MAX, Ordering::SeqCst);
    assert_eq!(silence.round(start() + hours(27)).await.unwrap(), []);
    assert_eq!(told(&silence.round(start() + hours(37)).await.unwrap())[0].3, "36h");
}

#[tokio::test]
async fn a_process_that_is_killed_before_it_has_written_its_counts_makes_nobody_silent() {
    let service = service_with(&of_one()).await;
    let now = service.intake().now();
    watching(&service).round(now - hours(1)).await.unwrap();
    vehicle(&service, 356, now - TimeDelta::minutes(30)).await;
    // As after `kill -9`: what was counted in memory is gone.
    let service = service.restarted_with(&of_one()).await;
    let silence = watching(&service);
    silence.round(now).await.unwrap();
    let newest = service.row("select id, received_at from intake.deliveries").await;
    let known = row(&service, 356, "inventory").await;
    assert_eq!((&known["last_accepted_at"], &known["last_delivery_id"]), (&newest["received_at"], &newest["id"]));
    assert_eq!(silence.round(now + hours(25)).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_not_expected_any_more_is_not_silent_and_nobody_is_told_that_it_speaks() {
    let service = service_with(&config()).await;
    let silence = watching(&service);
    silence.round(start()).await.unwrap();
    assert_eq!(silence.round(start() + hours(27)).await.unwrap().len(), 2);
    // More is given to one feed than has passed, less to the other.
    let other = config().replace("inventory = \"26h\", lead = \"3d\"", "inventory = \"2d\", lead = \"1d\"");
    service.reload(&other).await;
    let alerts = silence.round(start() + hours(28)).await.unwrap();
    assert_eq!(
        told(&alerts).iter().map(|(_, feed, kind, _)| (*feed, *kind)).collect::<Vec<_>>(),
        [("lead", "sender.silent"); 2]
    );
    let silent = "intake.dealership_feeds where silent_since is not null";
    assert_eq!(service.count(silent).await, 2);
    assert_eq!(row(&service, 356, "inventory").await["expected_since"], json!("2026-10-01T00:00:00+00:00"));
    // A configuration that says the same changes nothing.
    service.reload(&other).await;
    assert_eq!(silence.round(start() + hours(29)).await.unwrap(), []);
    assert_eq!(service.count(silent).await, 2);

    service.reload(CONFIG).await;
    assert_eq!(silence.round(start() + hours(90)).await.unwrap(), []);
    assert_eq!(
        service.count("intake.dealership_feeds where expected_every is not null or silent_since is not null").await,
        0
    );
    assert_eq!(service.count("intake.workspace_watches").await, 0);
    // A workspace that the file does not have any more expects nothing either.
    service.reload(&config()).await;
    silence.round(start() + hours(91)).await.unwrap();
    let beta = CONFIG.split("[[workspaces]]").enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| part);
    service.reload(&beta.collect::<Vec<_>>().join("[[workspaces]]")).await;
    assert_eq!(silence.round(start() + hours(300)).await.unwrap(), []);
    assert_eq!(service.count("intake.dealership_feeds where expected_every is not null").await, 0);
    // Expected again, it begins anew from when it was last heard of, or from now.
    service.reload(&config()).await;
    assert_eq!(silence.round(start() + hours(301)).await.unwrap(), []);
    assert_eq!(row(&service, 356, "lead").await["expected_since"], json!("2026-10-13T13:00:00+00:00"));
}

#[tokio::test]
async fn how_all_stand_can_be_seen_without_postgres() {
    let service = service_with(&of_one()).await;
    let settings = Settings::new(Arc::new(|| None), None, service.metrics().clone());
    let longest_pause = TimeDelta::days(4_000);
    let silence = Silence::new(service.intake().clone(), Settings { longest_pause, ..settings });
    assert_eq!(service.scrape().await.of("forecourt_sender_silent").len(), 0);
    arrive(&service, Delivery { received_at: start(), ..delivery(Feed::Lead, a_lead(1).bytes()) }).await;
    silence.round(start()).await.unwrap();
    silence.round(start() + hours(27)).await.unwrap();
    service.database.pool.close().await;
    let scrape = service.scrape().await;
    let inventory = r#"forecourt_sender_silent{workspace="alpha",dealership="356",feed="inventory"}"#;
    assert_eq!(scrape.of("forecourt_sender_silent").into_iter().collect::<Vec<_>>(), [(inventory, 1.0)]);
    let lead = r#"forecourt_last_delivery_timestamp_seconds{workspace="alpha",dealership="356",feed="lead"}"#;
    let last = scrape.of("forecourt_last_delivery_timestamp_seconds");
    let began = f64::from(u32::try_from(start().timestamp()).unwrap());
    assert_eq!(last.into_iter().collect::<Vec<_>>(), [(lead, began)]);
}

#[tokio::test]
async fn a_month_is_played_with_senders_that_stop_and_speak_and_a_service_that_restarts() {
    let mut service = service_with(&of_one().replace("[356]", "[356, 357]")).await;
    let mut silence = watching(&service);
    let mut all = Vec::new();
    for hour in 0..31 * 24 {
        let now = start() + hours(hour);
        let day = hour / 24;
        // At nine each morning; one dealership is away from the tenth day to the fourteenth, and on the twentieth.
        if hour % 24 == 9 {
            vehicle(&service, 357, now).await;
            if !(10..15).contains(&day) && day != 20 {
                vehicle(&service, 356, now).await;
            }
        }
        if hour % 50 == 49 {
            service.intake().finish().await;
            service = service.restarted_with(&of_one().replace("[356]", "[356, 357]")).await;
            silence = watching(&service);
        }
        all.extend(silence.round(now + TimeDelta::minutes(1)).await.unwrap());
    }
    let of = |kind, since: i64| (356, "inventory", kind, format!("{since}h"));
    let (first, second) = (9 * 24 + 9 + 26, 19 * 24 + 9 + 26);
    assert_eq!(
        told(&all),
        [
            of("sender.silent", first),
            of("sender.speaking", first),
            of("sender.silent", second),
            of("sender.speaking", second)
        ]
    );
    assert_eq!(all[1].at, start() + hours(15 * 24 + 9) + TimeDelta::minutes(1));
    assert!(matches!(all[1].change, Change::SpokeAgain { .. }));
}

// What is posted.

const KEY: &[u8] = b"a key of the tests, long enough";

fn outbox(sink: &Sink, key: Option<&[u8]>) -> Outbox {
    Outbox::open(target(sink, key)).unwrap()
}

fn target(sink: &Sink, key: Option<&[u8]>) -> Target {
    let pauses = vec![Duration::from_millis(10), Duration::from_millis(20)];
    let target = Target::new(sink.url(), sink.origin(), key.map(<[u8]>::to_vec), forecourt::intake::clock::now);
    Target { pauses, timeout: Duration::from_secs(20), ..target }
}

/// HMAC-SHA-256 as RFC 2104 writes it down.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[track_caller]
fn verify(posted: &Posted, key: &[u8]) {
    let (id, time) = (posted.header("webhook-id").unwrap(), posted.header("webhook-timestamp").unwrap());
    let signed = hmac_sha256(key, format!("{id}.{time}.{}", posted.body).as_bytes());
    assert_eq!(posted.header("webhook-signature").unwrap(), format!("v1,{}", STANDARD.encode(signed)));
    let age = forecourt::intake::clock::now().timestamp() - time.parse::<i64>().unwrap();
    assert!((0..600).contains(&age), "{age}");
}

/// A service whose dealership is silent after 27 hours, and who looks.
async fn about_to_be_silent(outbox: Outbox) -> (TestService, Silence) {
    let service = service_with(&of_one().replace("[356]", "[{ id = 356, name = \"Dealer A\" }]")).await;
    let silence = watching_with(&service, Some(outbox));
    vehicle(&service, 356, start()).await;
    silence.round(start()).await.unwrap();
    (service, silence)
}

#[tokio::test]
async fn what_is_posted_says_who_is_silent_and_is_signed_as_standard_webhooks_says() {
    let sink = Sink::answering(&[]);
    let (service, silence) = about_to_be_silent(outbox(&sink, Some(KEY))).await;
    silence.round(start() + hours(27)).await.unwrap();
    vehicle(&service, 356, start() + hours(28)).await;
    silence.round(start() + hours(28)).await.unwrap();
    soon("both are posted", async || sink.posted().len() == 2).await;
    silence.finish().await;
    let posted = sink.posted();
    assert_eq!(posted[0].line, "POST /hook/s3cret-path?token=s3cret-too HTTP/1.1");
    assert_eq!(posted[0].header("content-type"), Some("application/json"));
    for posted in &posted {
        verify(posted, KEY);
    }
    assert_ne!(posted[0].header("webhook-id"), posted[1].header("webhook-id"));
    let data = json!({
        "workspace": "alpha", "dealership": 356, "dealership_name": "Dealer A", "feed": "inventory",
        "expected_every_seconds": 93_600, "expected_since": "2026-10-01T00:00:00Z",
        "last_accepted_at": "2026-10-01T00:00:00Z", "silent_since": "2026-10-02T02:00:00Z", "refused": null,
    });
    let silent = json!({ "type": "sender.silent", "timestamp": "2026-10-02T03:00:00Z", "data": data });
    assert_eq!(posted[0].json(), silent);
    let again = posted[1].json();
    assert_eq!((&again["type"], &again["data"]["silent_since"]), (&json!("sender.speaking"), &data["silent_since"]));
    assert_eq!(again["data"]["last_accepted_at"], "2026-10-02T04:00:00Z");
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_tried_again_under_the_same_id_and_then_given_up() {
    let fails = [500, 302, 404].map(Answered::With);
    let sink = Sink::answering(&[fails.as_slice(), &[Answered::With(503)]].concat());
    let (service, silence) = about_to_be_silent(outbox(&sink, Some(KEY))).await;
    silence.round(start() + hours(27)).await.unwrap();
    soon("it is given up", async || sink.posted().len() == 3).await;
    vehicle(&service, 356, start() + hours(28)).await;
    silence.round(start() + hours(28)).await.unwrap();
    soon("the next one comes through", async || sink.posted().len() == 5).await;
    silence.finish().await;
    let posted = sink.posted();
    let ids: Vec<_> = posted.iter().map(|posted| posted.header("webhook-id").unwrap()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3] && ids[3] == ids[4], "{ids:?}");
    assert!(posted.iter().all(|posted| posted.line.starts_with("POST /hook/")), "no redirect is followed");
    for posted in &posted {
        verify(posted, KEY);
    }
    assert_eq!(posted[4].json()["type"], "sender.speaking");
}

#[tokio::test]
async fn an_address_that_never_answers_or_is_not_there_holds_nothing_up() {
    let sink = Sink::answering(&[Answered::Never; 10]);
    let slow = Target { timeout: Duration::from_mins(10), ..target(&sink, None) };
    let (service, silence) = about_to_be_silent(Outbox::open(slow).unwrap()).await;
    let began = Instant::now();
    silence.round(start() + hours(27)).await.unwrap();
    soon("it was posted", async || sink.posted().len() == 1).await;
    vehicle(&service, 356, start() + hours(28)).await;
    assert_eq!(silence.round(start() + hours(28)).await.unwrap().len(), 1);
    silence.finish().await;
    assert!(began.elapsed() < Duration::from_mins(5), "the POST goes on for longer");
    assert_eq!(sink.posted().len(), 1, "of one sender the first goes first");

    let nobody = Target::new("http://127.0.0.1:9/".to_owned(), String::new(), None, forecourt::intake::clock::now);
    let (_service, silence) = about_to_be_silent(Outbox::open(nobody).unwrap()).await;
    assert_eq!(silence.round(start() + hours(27)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_program_tells_in_its_log_and_by_a_post_and_a_stop_writes_what_was_counted() {
    let sink = Sink::answering(&[Answered::With(500)]);
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let secret = folder.path().join("alerts");
    std::fs::write(&secret, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
    let alerts = format!("[alerts]\nurl = \"{}\"\nsecret_file = \"alerts\"\n\n[spool]", sink.url());
    let config = of_one().replace("[spool]", &alerts);
    let known = "intake.dealership_feeds where feed = 'inventory' and expected_every is not null";
    let rows = async |of: &str| database.value::<i64>(&format!("select count(*) from {of}")).await;
    let mut program = Program::start(&database.url(), folder.path(), &config);
    program.wait_for("postgres is ready");
    soon("it is expected", async || rows(known).await == 1).await;
    let body = car(1).body().to_string();
    assert_eq!(program.post_as(crate::support::TOKEN, INVENTORY, body.clone()).await.status.as_u16(), 200);
    program.signal(Signal::TERM);
    program.ended();
    assert_eq!(rows(&format!("{known} and last_accepted_at is not null and deliveries_today = 1")).await, 1);

    // As if two days had passed in which somebody looked.
    database
        .execute(
            "update intake.dealership_feeds set counted_from = now() - interval '2 days';
            delete from intake.deliveries;",
        )
        .await;
    let mut program = Program::start(&database.url(), folder.path(), &config);
    let line = program.wait_for("a sender has fallen silent");
    for part in [" WARN ", "workspace=\"alpha\"", "dealership=356", "feed=\"inventory\"", "silent_since="] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let line = program.wait_for("an alert could not be posted");
    assert!(line.contains(&format!("to=\"{}\"", sink.origin())) && line.contains("it was answered 500"), "{line}");
    soon("it is posted in the end", async || sink.posted().len() == 2).await;
    sink.posted().iter().for_each(|posted| verify(posted, KEY));
    assert_eq!(sink.posted()[1].json()["data"]["workspace"], "alpha");
    program.signal(Signal::TERM);
    let log = program.whole_log();
    let secret = STANDARD.encode(KEY);
    assert!(log.iter().all(|line| !line.contains("s3cret") && !line.contains(&secret)), "{log:#?}");
    assert_eq!(log.iter().filter(|line| line.contains("a sender")).count(), 1, "{log:#?}");
}
