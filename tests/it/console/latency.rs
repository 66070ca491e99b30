//! How long the console's answers take on large tables while deliveries come in, and whether those notice.
//!
//! `FORECOURT_TEST=long cargo test --release --test it console::latency -- --nocapture` measures it on 1,000,000 leads and
//! 3,000,000 deliveries with 500 deliveries a second; otherwise the same runs at a small size, and nothing is said of times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Visitor;
use crate::support::grown::{self, Grown};
use crate::support::postgres::own_cluster;
use crate::support::{CONFIG, CONSOLE, TestService, a_lead, unique};

struct Extent {
    leads: u64,
    deliveries_per_second: u64,
    searches: usize,
    quiet_seconds: u64,
}

fn extent() -> Extent {
    let is_long = std::env::vars_os().any(|(name, value)| name == "FORECOURT_TEST" && value == "long");
    if is_long {
        Extent { leads: 1_000_000, deliveries_per_second: 500, searches: 200, quiet_seconds: 30 }
    } else {
        Extent { leads: 2_000, deliveries_per_second: 20, searches: 3, quiet_seconds: 1 }
    }
}

/// The share of times that are not longer, of a hundred.
fn percentile(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort();
    times[(times.len() * of_hundred / 100).min(times.len() - 1)]
}

/// Posts so many leads a second for a while, whoever answers; how long each took.
async fn post(service: &TestService, per_second: u64, until: impl Future<Output = ()>) -> Vec<Duration> {
    let mut ticks = interval(Duration::from_micros(1_000_000 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut posting, mut until) = (JoinSet::new(), Box::pin(until));
    let router = service.router();
    loop {
        tokio::select! {
            () = &mut until => break,
            _ = ticks.tick() => {
                let (router, id) = (router.clone(), 50_000_000 + unique());
                posting.spawn(async move {
                    let began = Instant::now();
                    let request = axum::http::Request::post(crate::support::LEADS)
                        .header("authorization", format!("Bearer {}", crate::support::TOKEN))
                        .body(axum::body::Body::from(a_lead(id).bytes())).unwrap();
                    let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK);
                    began.elapsed()
                });
            }
        }
    }
    posting.join_all().await
}

/// What is searched for, each by a query that gives some of them.
const KEYS: [(&str, &str); 7] = [
    ("e-mail", "select email from persons"),
    ("lead", "select external_id from leads"),
    ("VIN", "select vin from leads where vin is not null"),
    ("stock number", "select stock_number from listings where stock_number is not null"),
    ("cluster", "select external_id from lead_clusters"),
    ("phone", "select mobile_phone from persons where mobile_phone is not null"),
    ("delivery", "select id::text from intake.deliveries"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_answer_while_deliveries_come_in() {
    let Extent { leads, deliveries_per_second, searches, quiet_seconds } = extent();
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, &format!("{CONFIG}{CONSOLE}")).await;
    let service = Arc::new(service);
    let mut connection = PgConnection::connect_with(&service.database.options).await.unwrap();
    grown::fill(&mut connection, &Grown { leads, deliveries: 3, ..Grown::default() }).await.unwrap();
    connection.close().await.unwrap();
    service.database.execute("vacuum analyze").await;
    forecourt::store::statistics::gather(service.intake().store()).await.unwrap();

    let quiet = tokio::time::sleep(Duration::from_secs(quiet_seconds));
    let mut alone = post(&service, deliveries_per_second, quiet).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let posting = tokio::spawn({
        let service = Arc::clone(&service);
        async move { post(&service, deliveries_per_second, async { ended.await.unwrap_or_default() }).await }
    });
    let mut visitor = Visitor::logged_in(&service).await;
    let mut slowest = Duration::ZERO;
    for (name, query) in KEYS {
        let sample = format!(
            "select json_agg(k) from (select * from ({query} limit 20000) f (k) order by md5(k) limit {searches}) s"
        );
        let keys: Option<serde_json::Value> = service.database.value(&sample).await;
        let keys = keys.unwrap_or_else(|| json!([]));
        let mut times = Vec::new();
        for key in keys.as_array().unwrap() {
            let q: String = form_urlencoded::byte_serialize(key.as_str().unwrap().as_bytes()).collect();
            times.push(timed(&mut visitor, &format!("/search?q={q}")).await);
        }
        tell(name, &mut times, &mut slowest);
    }
    for (name, path) in
        [("overview", "/"), ("list", "/deliveries?outcome=failed"), ("nothing", "/search?q=nothing-has-this")]
    {
        let mut times = Vec::new();
        for _ in 0..searches {
            times.push(timed(&mut visitor, path).await);
        }
        tell(name, &mut times, &mut slowest);
    }
    end.send(()).unwrap();
    let mut beside = posting.await.unwrap();
    for (when, times) in [("alone", &mut alone), ("beside the console", &mut beside)] {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        println!("{} deliveries {when}: p50 {p50:?}, p99 {p99:?}", times.len());
    }
    println!("slowest p99 of a page: {slowest:?}");
}

async fn timed(visitor: &mut Visitor, path: &str) -> Duration {
    let began = Instant::now();
    let page = visitor.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
    began.elapsed()
}

fn tell(name: &str, times: &mut [Duration], slowest: &mut Duration) {
    if times.is_empty() {
        println!("{name}: none to be searched for");
        return;
    }
    let (p50, p99) = (percentile(times, 50), percentile(times, 99));
    *slowest = p99.max(*slowest);
    println!("{name}: p50 {p50:?}, p99 {p99:?} of {}", times.len());
}
