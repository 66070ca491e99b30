//! Seven weeks of life in process, with the clock as a value: months are made and dropped, a sender falls silent and speaks
//! again, the service is restarted, and everything is let go whose time has come; beside another service that lives through
//! the same and keeps all.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use forecourt::domain::delivery::{Delivery, id_at};
use forecourt::domain::feed::Feed;
use forecourt::domain::retention::Retention;
use forecourt::domain::values::Email;
use forecourt::domain::workspace::Permitted;
use forecourt::intake::accept::{Acceptor, Timeouts};
use forecourt::intake::erasure::{self, Mode, Order, Target};
use forecourt::intake::{Answer, Intake, Settings, WorkspaceRouter, configuration, partitions, retention};
use forecourt::metrics::Metrics;
use forecourt::silence::{Settings as SilenceSettings, Silence};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{kept, time, with_documents};
use crate::support::db_snapshot::db_snapshot;
use crate::support::service::parsed;
use crate::support::{CONFIG, TestService, a_lead, car, delivery, service};

/// From the middle of January on.
const BEGIN: &str = "2026-01-20T00:00:00Z";
const DAYS: i64 = 50;

static CLOCK: AtomicI64 = AtomicI64::new(0);

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(CLOCK.load(Ordering::SeqCst)).unwrap()
}

fn config() -> String {
    CONFIG.replace("[356, 357]", "[356, 357]\nexpect = { inventory = \"26h\" }")
}

/// One of the two services, as it runs between two restarts.
struct Running {
    intake: Intake,
    acceptor: Acceptor,
    silence: Silence,
}

impl Running {
    /// A start, at the time that the clock says.
    async fn start(service: &TestService, limits: Retention) -> Self {
        let store = service.intake().store();
        let data_dir = tempfile::tempdir().unwrap();
        let config = parsed(&config(), data_dir.path());
        let applied = configuration::apply(store, &config.workspaces, clock()).await.unwrap();
        let router = WorkspaceRouter::new(config.workspaces, &applied, [("all".to_owned(), Permitted::All)].into());
        let hold = Duration::from_mins(10);
        let settings = Settings { hold, writers: 4, reading_bytes: 64 << 20, clock, metrics: Metrics::default() };
        let intake = Intake::new(store.clone(), router, settings);
        intake.set_retention(limits);
        let acceptor = Acceptor::new(None, Timeouts { deadline: hold, hold, max_held_bytes: usize::MAX });
        acceptor.open(intake.clone());
        let settings = SilenceSettings::new(Arc::new(|| None), None, Metrics::default());
        let silence = Silence::new(intake.clone(), SilenceSettings { longest_pause: TimeDelta::days(2), ..settings });
        Self { intake, acceptor, silence }
    }

    /// What comes, all at once.
    async fn take(&self, deliveries: &[Delivery]) {
        let answers = join_all(deliveries.iter().map(|delivery| self.acceptor.accept(delivery.clone()))).await;
        for answer in answers {
            assert!(matches!(answer.unwrap(), Answer::Applied(_)));
        }
    }

    /// What is done once a day; with what was told of silence.
    async fn daily(&self) -> Vec<&'static str> {
        partitions::round(&self.intake).await.unwrap();
        let report = retention::round(&self.intake, &self.intake.retention(), "the service").await.unwrap();
        assert!(!report.is_more_left);
        let alerts = self.silence.round(clock()).await.unwrap();
        alerts.iter().map(forecourt::silence::Alert::kind).collect()
    }
}

/// What comes on a day.
fn of_day(day: i64) -> Vec<Delivery> {
    let at = |hour: i64| time(BEGIN) + TimeDelta::days(day) + TimeDelta::hours(hour);
    let arrive = |hour: i64, feed: Feed, body: &Value| {
        let received_at = at(hour) + TimeDelta::microseconds(i64::from(u8::try_from(hour).unwrap()));
        Delivery { id: id_at(received_at), received_at, ..delivery(feed, body.to_string()) }
    };
    let mut all = vec![
        arrive(9, Feed::Lead, &with_documents(day)),
        arrive(10, Feed::Lead, &a_lead(1_000 + day / 3).comments(&format!("day {day}")).updated(&at(0).to_rfc3339())),
        arrive(11, Feed::Lead, &a_lead(2_000 + day).dealership(999)),
        arrive(
            12,
            Feed::LeadCluster,
            &json!({ "id": day, "dealership_id": 356, "modified": at(0).to_rfc3339(),
                "contact": { "email": format!("ada{day}@example.com") }, "leads": [{ "id": 3_000 + day, "created": at(0).to_rfc3339() }] }),
        ),
    ];
    // The vehicles of 356 come each day, save when it is silent; one of them changes.
    let is_silent = (12..17).contains(&day);
    for identifier in 1..=4_i64 {
        let vehicle = car(identifier).vin(usize::try_from(identifier).unwrap());
        let vehicle =
            if identifier == 1 { vehicle.with("LastModifiedUtc", json!(at(0).to_rfc3339())) } else { vehicle };
        if !is_silent {
            all.push(arrive(12 + identifier, Feed::Inventory, vehicle.body()));
        }
    }
    all.push(arrive(18, Feed::Inventory, car(50).of(357).vin(50).body()));
    all
}

/// The day on which somebody is erased who was heard of on the third.
const ERASED_ON: i64 = 20;
const ERASED: &str = "ada3@example.com";

/// What operators do on a day, in both services.
async fn acts_of_operators(day: i64, services: [&TestService; 2]) {
    if day != ERASED_ON {
        return;
    }
    for service in services {
        let order = Order {
            id: uuid::Uuid::now_v7(),
            erased_at: clock(),
            target: Target::Address(Email::parse(ERASED).unwrap()),
            workspace: None,
            reason: None,
            acted_by: "test".to_owned(),
        };
        erasure::erase(service.intake().store(), &order, Mode::Commit, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_weeks_with_retention_lose_nothing_that_is_to_be_kept() {
    let limits = kept(Some(20), Some(10), Some(15));
    let (living, keeping) = (service().await, service().await);
    CLOCK.store(time(BEGIN).timestamp_micros(), Ordering::SeqCst);
    let mut one = Running::start(&living, limits).await;
    let mut other = Running::start(&keeping, Retention::default()).await;
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    for day in 0..DAYS {
        let begins = time(BEGIN) + TimeDelta::days(day);
        CLOCK.store((begins + TimeDelta::minutes(1)).timestamp_micros(), Ordering::SeqCst);
        told.push((day, one.daily().await));
        other.daily().await;
        acts_of_operators(day, [&living, &keeping]).await;
        if day % 10 == 7 {
            one.intake.finish().await;
            one = Running::start(&living, limits).await;
            other = Running::start(&keeping, Retention::default()).await;
        }
        CLOCK.store((begins + TimeDelta::hours(20)).timestamp_micros(), Ordering::SeqCst);
        let deliveries = of_day(day);
        one.take(&deliveries).await;
        other.take(&deliveries).await;
        sent.extend(deliveries);
    }
    CLOCK.store((time(BEGIN) + TimeDelta::days(DAYS)).timestamp_micros(), Ordering::SeqCst);
    told.push((DAYS, one.daily().await));

    silence_was_told_once(&told);
    for service in [&living, &keeping] {
        assert_eq!(service.count(&format!("persons where email = '{ERASED}'")).await, 0);
        assert_eq!(service.count("leads where erased_at is not null").await, 1);
    }
    what_is_kept_is_there(&living, &sent, limits).await;
    // What is made of the deliveries is the same, identity documents aside.
    for slug in ["alpha", "beta"] {
        let (mut with, mut without) = (db_snapshot(&living, slug).await, db_snapshot(&keeping, slug).await);
        for table in ["driver_licences", "passports", "lead_documents"] {
            let (with, without) = (with.remove(table).unwrap(), without.remove(table).unwrap());
            assert!(with.iter().all(|row| without.contains(row)), "{slug} {table}");
        }
        assert_eq!(with, without, "{slug}");
    }
    assert_eq!(keeping.count("intake.deliveries").await, i64::try_from(sent.len()).unwrap());
}

fn silence_was_told_once(told: &[(i64, Vec<&'static str>)]) {
    let told: Vec<_> = told.iter().flat_map(|(day, kinds)| kinds.iter().map(|kind| (*day, *kind))).collect();
    assert_eq!(
        told.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(),
        ["sender.silent", "sender.speaking"],
        "{told:?}"
    );
    assert!((13..=14).contains(&told[0].0) && (18..=19).contains(&told[1].0), "{told:?}");
}

/// Every delivery within its time is there, and so is its body; no month is there whose time is over.
async fn what_is_kept_is_there(service: &TestService, sent: &[Delivery], limits: Retention) {
    let now = clock();
    let (deliveries, bodies) = (limits.deliveries_before(now).unwrap(), limits.bodies_before(now).unwrap());
    let (mut kept, mut whole) = (0, 0);
    for delivery in sent {
        let row = format!(
            "select sha256(body) = body_sha256 as good from intake.deliveries_with_bodies
            where id = '{}' and received_at >= '2026-01-01'",
            delivery.id
        );
        let rows = service.rows(&row).await;
        if delivery.received_at >= deliveries {
            assert_eq!(rows.len(), 1, "{}", delivery.received_at);
            kept += 1;
        }
        if delivery.received_at >= bodies {
            assert_eq!(rows, [json!({ "good": true })], "{}", delivery.received_at);
            whole += 1;
        }
    }
    assert!(kept > 150 && whole > 80, "{kept} {whole}");
    // 50 days after the 20th of January it is the 11th of March.
    assert_eq!(service.count("intake.deliveries where received_at < '2026-02-01'").await, 0);
    assert_eq!(service.count("intake.bodies where received_month < '2026-03-01'").await, 0);
    for (table, is_there) in [
        ("deliveries_2026_01", false),
        ("bodies_2026_02", false),
        ("deliveries_2026_02", true),
        ("bodies_2026_05", true),
    ] {
        let found: bool = service.database.value(&format!("select to_regclass('intake.{table}') is not null")).await;
        assert_eq!(found, is_there, "{table}");
    }
    assert_eq!(service.count("intake.deliveries_default").await, 0);
    for table in super::DOCUMENTS {
        let old = format!("{table} where received_at < '{}'", limits.documents_before(now).unwrap());
        assert_eq!(service.count(&old).await, 0, "{table}");
        assert!(service.count(table).await > 10, "{table}");
    }
    let months = "counts from intake.actions where action = 'retention' and counts ? 'months_of_deliveries'";
    assert_eq!(service.table(months).await[0][0]["months_of_deliveries"], json!(["2026-01"]));
}
