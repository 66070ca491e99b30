//! Writes refused requests in the background, and reports now and then what could not be kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::shared::{Queued, Shared};
use crate::store::rejected::{self, Refused};
use crate::store::{self, Store};

/// So many requests are written together at the most.
const BATCH: usize = 128;
/// The pause after a batch: the next one gathers, and refused requests do not keep Postgres busy.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause before another try when Postgres is away.
const AWAY: Duration = Duration::from_secs(1);
/// How often it is reported what could not be kept.
const PERIOD: Duration = Duration::from_mins(1);
/// So many senders are named in one report.
const NAMED: usize = 5;

/// Writes what is queued for as long as the service runs.
pub(super) async fn write(shared: Arc<Shared>, store: Store, mut queue: mpsc::Receiver<Queued>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (refused, room): (Vec<_>, Vec<_>) = batch.drain(..).map(|Queued { refused, room }| (refused, room)).unzip();
        write_batch(&shared, &store, &refused).await;
        drop((refused, room));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes a batch, however long Postgres is away. Where it is refused each request is written alone, so that one that
/// cannot be stored costs itself only.
async fn write_batch(shared: &Shared, store: &Store, refused: &[Refused]) {
    if write_patiently(shared, store, refused).await.is_ok() {
        return;
    }
    for one in refused {
        if let Err(error) = write_patiently(shared, store, std::slice::from_ref(one)).await {
            shared.dropped.not_written.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(error = error.without_values(), "a refused request could not be written");
        }
    }
}

async fn write_patiently(shared: &Shared, store: &Store, refused: &[Refused]) -> Result<(), store::Error> {
    loop {
        let written = rejected::save(store, refused, shared.settings.bounds).await;
        match written {
            Err(error) if error.is_transient() => tokio::time::sleep(AWAY).await,
            done => return done,
        }
    }
}

/// Reports once a minute what was not kept or not logged.
pub(super) async fn report(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        report_dropped(&shared);
        report_left_out(&shared);
    }
}

fn report_dropped(shared: &Shared) {
    let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
    let dropped = &shared.dropped;
    let (over_rate, too_many_at_once) = (take(&dropped.over_rate), take(&dropped.too_many_at_once));
    let (queue_full, not_written) = (take(&dropped.queue_full), take(&dropped.not_written));
    let without_body = take(&dropped.without_body);
    if over_rate + too_many_at_once + queue_full + not_written + without_body > 0 {
        tracing::warn!(
            of_no_door = shared.settings.bounds.of_no_door.then_some(true),
            over_rate,
            too_many_at_once,
            queue_full,
            not_written,
            without_body,
            "refused requests were not kept, or without their body"
        );
    }
}

fn report_left_out(shared: &Shared) {
    let now = (shared.settings.clock)();
    shared.addresses.lock().unwrap_or_else(PoisonError::into_inner).forget(now);
    let (mut left_out, in_all) = {
        let mut lines = shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        (lines.0.forget(now), lines.1.forget(now))
    };
    left_out.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest = left_out.split_off(left_out.len().min(NAMED));
    for ((feed, address), left_out) in left_out {
        let remote_address = address.map(tracing::field::display);
        tracing::warn!(feed = feed.name(), remote_address, left_out, "refused: more of the same");
    }
    let left_out: u64 = rest.iter().map(|(_, count)| count).chain(in_all.iter().map(|((), count)| count)).sum();
    if left_out > 0 {
        tracing::warn!(left_out, "refused: more, from other senders");
    }
}
