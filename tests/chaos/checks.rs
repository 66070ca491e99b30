//! The questions that end each scenario: is every acknowledged delivery there, once, with an outcome, and are the
//! tables those of a run without faults?

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use forecourt::domain::feed::Feed;
use futures_util::future::join_all;
use sqlx::FromRow;

use crate::harness::Harness;
use crate::scenario::telling;
use crate::sender::Sent;
use crate::support::{CONFIG, PATIENCE, TestService, service};
use crate::table::{self, Row};

/// What a scenario has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Every delivery that was posted.
    pub(crate) sent: Vec<Sent>,
    /// When the fault began and ended, where it is the answers in between that matter.
    pub(crate) fault: Option<(Instant, Instant)>,
    /// How many deliveries left the spool in a second.
    pub(crate) drained: Option<f64>,
}

/// A delivery as the database has it.
#[derive(Debug, FromRow)]
struct Stored {
    id: String,
    feed: String,
    body: Vec<u8>,
    outcome: Option<String>,
    attempts: i32,
}

const STORED: &str =
    "select id::text, feed, body, outcome, attempts from intake.deliveries_with_bodies order by received_at, id";

/// Waits until nothing is in the spool, stops the program, compares, and adds the figures to the table.
pub(crate) async fn prove(scenario: &str, mut harness: Harness, seen: Seen) {
    harness.drained().await;
    let ended = harness.stop();
    assert_eq!(ended.code(), Some(0), "the stop");
    Box::pin(compare(scenario, harness, seen)).await;
}

/// Compares, once whatever wrote is stopped and its spool empty, and adds the figures to the table.
pub(crate) async fn compare(scenario: &str, harness: Harness, seen: Seen) {
    let stored: Vec<Stored> = sqlx::query_as(STORED).fetch_all(&harness.database.pool).await.unwrap();
    let Seen { sent, fault, drained } = seen;
    let (lost, twice) = (lost(&sent, &stored), twice(&sent, &stored));
    let times = times(&sent, None);
    let in_fault = fault.map_or_else(|| times.clone(), |fault| self::times(&sent, Some(fault)));
    table::add(Row {
        scenario: scenario.to_owned(),
        deliveries: sent.len(),
        acknowledged: sent.iter().map(|sent| sent.acknowledged().count()).sum(),
        lost: lost.len(),
        twice: twice.len(),
        slowest: times.last().copied().unwrap_or_default(),
        p99: percentile(&in_fault, 99),
        drained,
    });
    assert!(lost.is_empty(), "lost: {:#?}", lost.iter().take(5).collect::<Vec<_>>());
    assert!(twice.is_empty(), "taken twice: {:#?}", twice.iter().take(5).collect::<Vec<_>>());
    let bound = harness.hold + PATIENCE / 2;
    assert!(sent.iter().all(|sent| sent.took() < bound), "an answer came after more than {bound:?}");
    assert!(times.len() > 10, "next to nothing was acknowledged: {:?}", sent.iter().take(5).collect::<Vec<_>>());
    assert_same_tables(&harness, &stored).await;
    harness.leave();
}

/// Where the service was there all the time, everything is answered 200.
#[track_caller]
pub(crate) fn assert_all_taken(sent: &[Sent]) {
    let not: Vec<_> = sent.iter().filter(|sent| sent.status() != Some(200)).take(5).collect();
    assert!(not.is_empty(), "not all are answered 200: {not:#?}");
}

/// What was acknowledged and is not stored as it was posted, with an outcome that means it was applied.
fn lost<'a>(sent: &'a [Sent], stored: &[Stored]) -> Vec<&'a Sent> {
    let by_id: BTreeMap<&str, &Stored> = stored.iter().map(|stored| (stored.id.as_str(), stored)).collect();
    let is_kept = |sent: &Sent, (id, told): (&str, &str)| {
        by_id.get(id).is_some_and(|stored| {
            let outcome = stored.outcome.as_deref().unwrap_or("none");
            let applied = ["applied", "unchanged"].contains(&outcome) && (told == "spooled" || told == outcome);
            applied && stored.body == telling(sent.number).body.as_bytes()
        })
    };
    sent.iter().filter(|sent| !sent.acknowledged().all(|acknowledged| is_kept(sent, acknowledged))).collect()
}

/// What is stored more often than it was posted, or was applied in more than one try.
fn twice<'a>(sent: &[Sent], stored: &'a [Stored]) -> Vec<&'a Stored> {
    let mut posted: BTreeMap<Vec<u8>, usize> =
        sent.iter().map(|sent| (telling(sent.number).body.into_bytes(), sent.tries.len())).collect();
    let mut ids = BTreeSet::new();
    let is_one_too_many = |stored: &&Stored| {
        let again = !ids.insert(stored.id.clone());
        let more = match posted.get_mut(&stored.body) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            Some(0) | None => true,
        };
        again || more || stored.attempts != 1
    };
    stored.iter().filter(is_one_too_many).collect()
}

/// How long the answers of 200 took, of what was posted within a time, in order.
fn times(sent: &[Sent], within: Option<(Instant, Instant)>) -> Vec<Duration> {
    let counts = |sent: &&Sent| within.is_none_or(|(start, end)| (start..end).contains(&sent.at));
    let answered = sent.iter().filter(counts).filter(|sent| sent.status() == Some(200));
    let mut times: Vec<Duration> = answered.map(Sent::took).collect();
    times.sort();
    times
}

/// The time within which so many of a hundred are.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A healthy service that hears what is stored must come to the same tables.
async fn assert_same_tables(harness: &Harness, stored: &[Stored]) {
    let healthy = service().await;
    for part in stored.chunks(256) {
        let posts = part.iter().map(|stored| {
            let feed = Feed::ALL.iter().find(|feed| feed.name() == stored.feed).unwrap();
            healthy.post(feed.path(), stored.body.clone())
        });
        for answer in join_all(posts).await {
            assert!(matches!(answer.body["outcome"].as_str(), Some("applied" | "unchanged")), "{answer:?}");
        }
    }
    let tried = TestService::over(harness.database.beside(), CONFIG).await;
    let (expected, found) = (content(&healthy).await, content(&tried).await);
    let differ = |these: &[String], those: &[String]| {
        let those: BTreeSet<&String> = those.iter().collect();
        these.iter().filter(|line| !those.contains(line)).take(5).cloned().collect::<Vec<_>>()
    };
    let (missing, surplus) = (differ(&expected, &found), differ(&found, &expected));
    assert!(expected.len() > 20, "the story left next to nothing: {expected:#?}");
    assert!(expected == found, "the tables differ; missing: {missing:#?}, instead: {surplus:#?}");
}

/// Every row, without the journal of what was seen when.
async fn content(service: &TestService) -> Vec<String> {
    let mut lines = service.content().await;
    lines.retain(|line| !line.starts_with("public.listing_changes "));
    lines.sort();
    lines
}
