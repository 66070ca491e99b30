//! What is too old goes: once a day, at the start, and when the configuration says something else; or when a person asks.
//! Any number of processes may do so at once.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use tokio::time::sleep;

use super::Intake;
use crate::domain::ids::WorkspaceId;
use crate::domain::retention::{Retention, is_over, limit};
use crate::store::actions::{self, Action, Counts};
use crate::store::partitions::{self, Partition, Partitioned};
use crate::store::retention::{self, BODIES_IN_ROWS, ByAge, Documents, WaitedFor};
use crate::store::{self, Store, workspaces};

/// The pause between passes.
const DAY: Duration = Duration::from_hours(24);
/// The pause after a pass that did not come to its end.
const SOON: Duration = Duration::from_mins(10);
/// The pause between batches, in which others come first.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);
/// So many batches of each kind are let go in one pass at the most.
const MOST_BATCHES: usize = 400;

/// What has gone, or would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// What it is, as `intake.actions` names it.
    pub what: &'static str,
    /// The month of a partition, by its first day.
    pub month: Option<NaiveDate>,
    /// How many rows.
    pub rows: i64,
}

/// What a pass has let go.
#[derive(Debug, Default)]
pub struct Report {
    /// Kind by kind, and month by month.
    pub gone: Vec<Gone>,
    /// Whether more is left than one pass lets go.
    pub is_more_left: bool,
}

impl Report {
    fn note(&mut self, what: &'static str, month: Option<NaiveDate>, rows: i64) {
        match self.gone.iter_mut().find(|gone| gone.what == what && gone.month == month) {
            Some(gone) => gone.rows += rows,
            None if rows > 0 || month.is_some() => self.gone.push(Gone { what, month, rows }),
            None => {}
        }
    }

    fn note_documents(&mut self, documents: Documents) {
        let Documents { licences, passports, of_leads } = documents;
        for (what, rows) in [("driver_licences", licences), ("passports", passports), ("lead_documents", of_leads)] {
            self.note(what, None, rows);
        }
    }

    /// As `intake.actions` tells it: rows of each kind, and the months that were dropped.
    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for Gone { what, month, rows } in &self.gone {
            let before = counts.get(*what).and_then(serde_json::Value::as_i64).unwrap_or_default();
            counts.insert((*what).to_owned(), json!(before + rows));
            if let Some(month) = month {
                let months = counts.entry(format!("months_of_{what}")).or_insert_with(|| json!([]));
                if let Some(months) = months.as_array_mut() {
                    months.push(json!(month.format("%Y-%m").to_string()));
                }
            }
        }
        counts
    }

    /// Leaves a row of what has gone, if anything has.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached.
    pub async fn record(&self, store: &Store, acted_by: &str) -> Result<(), store::Error> {
        if self.gone.is_empty() {
            return Ok(());
        }
        actions::record_alone(store, Action::Retention, acted_by, self.counts()).await
    }
}

/// Lets go what is too old for as long as the service runs.
pub async fn run(intake: Intake, acted_by: String) {
    let mut retentions = intake.retentions();
    loop {
        let retention = *retentions.borrow_and_update();
        let pause = match round(&intake, &retention, &acted_by).await {
            Ok(report) if !report.is_more_left => DAY,
            Ok(_) => SOON,
            Err(error) => {
                let error = error.without_values();
                tracing::warn!(error, "what is too old could not be let go: trying again");
                SOON
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            changed = retentions.changed() => if changed.is_err() { return },
        }
    }
}

/// One pass, with its row in `intake.actions` and its line in the log; also where it did not come to its end.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn round(intake: &Intake, retention: &Retention, acted_by: &str) -> Result<Report, store::Error> {
    let mut report = Report::default();
    let passed = pass(intake.store(), retention, intake.now(), &mut report).await;
    if !report.gone.is_empty() {
        tracing::info!(gone = %serde_json::Value::Object(report.counts()), "what was too old has gone");
    }
    report.record(intake.store(), acted_by).await?;
    passed.map(|()| report)
}

/// Lets go what is too old, and notes it: first what is bounded, and at last whole months, which a long query of somebody else
/// may hold up.
///
/// # Errors
/// When Postgres refuses or cannot be reached; then the report tells what has gone before.
pub async fn pass(
    store: &Store,
    retention: &Retention,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), store::Error> {
    report.is_more_left = false;
    if let Some(before) = retention.documents_before(now) {
        for workspace in all_workspaces(store).await? {
            forget_documents(store, workspace, before, report).await?;
        }
    }
    if let Some(before) = retention.rejected_before(now) {
        delete(store, ByAge::Rejected, before, report).await?;
    }
    let waited_for = retention::waited_for(store).await?;
    let first_waited_for = waited_for.iter().map(|waited_for| waited_for.first).min();
    if let Some(before) = retention.bodies_before(now) {
        delete(store, ByAge::Bodies, limit(before, first_waited_for), report).await?;
        clear_bodies_in_rows(store, limit(before, first_waited_for), report).await?;
    }
    if let Some(before) = retention.deliveries_before(now) {
        delete(store, ByAge::Deliveries, limit(before, first_waited_for), report).await?;
    }
    for (of, before) in months_before(retention, now) {
        for partition in old_partitions(store, of, before, &waited_for).await? {
            if let Some(rows) = retention::drop(store, of, &partition).await? {
                report.note(of.name(), Some(partition.month), rows);
            }
        }
    }
    end_retries(store).await
}

/// What a pass would let go.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn preview(store: &Store, retention: &Retention, now: DateTime<Utc>) -> Result<Vec<Gone>, store::Error> {
    let mut report = Report::default();
    if let Some(before) = retention.documents_before(now) {
        for workspace in all_workspaces(store).await? {
            report.note_documents(retention::count_documents(store, workspace, before).await?);
        }
    }
    if let Some(before) = retention.rejected_before(now) {
        report.note(name(ByAge::Rejected), None, retention::count_older(store, ByAge::Rejected, before).await?);
    }
    let waited_for = retention::waited_for(store).await?;
    let first_waited_for = waited_for.iter().map(|waited_for| waited_for.first).min();
    if let Some(before) = retention.bodies_before(now) {
        let before = limit(before, first_waited_for);
        report.note(name(ByAge::Bodies), None, retention::count_older(store, ByAge::Bodies, before).await?);
        if has_first(store).await? {
            report.note(BODIES_IN_ROWS, None, retention::count_bodies_in_rows(store, before).await?);
        }
    }
    if let Some(before) = retention.deliveries_before(now) {
        let before = limit(before, first_waited_for);
        report.note(name(ByAge::Deliveries), None, retention::count_older(store, ByAge::Deliveries, before).await?);
    }
    for (of, before) in months_before(retention, now) {
        for partition in old_partitions(store, of, before, &waited_for).await? {
            report.note(of.name(), Some(partition.month), retention::count(store, of, &partition).await?);
        }
    }
    Ok(report.gone)
}

/// What has months, and before when these are too old.
fn months_before(retention: &Retention, now: DateTime<Utc>) -> impl Iterator<Item = (Partitioned, DateTime<Utc>)> {
    let bodies = retention.bodies_before(now).map(|before| (Partitioned::Bodies, before));
    let deliveries = retention.deliveries_before(now).map(|before| (Partitioned::Deliveries, before));
    [bodies, deliveries].into_iter().flatten()
}

async fn old_partitions(
    store: &Store,
    of: Partitioned,
    before: DateTime<Utc>,
    waited_for: &[WaitedFor],
) -> Result<Vec<Partition>, store::Error> {
    let is_waited_for = |partition: &Partition| {
        waited_for.iter().any(|waited_for| {
            waited_for.month == partition.month || partition.is_first && waited_for.month < partition.month
        })
    };
    let mut partitions = partitions::list(store, of).await?;
    partitions.retain(|partition| is_over(partition.month, before, is_waited_for(partition)));
    Ok(partitions)
}

async fn has_first(store: &Store) -> Result<bool, store::Error> {
    let partitions = partitions::list(store, Partitioned::Deliveries).await?;
    Ok(partitions.iter().any(|partition| partition.is_first))
}

async fn all_workspaces(store: &Store) -> Result<Vec<WorkspaceId>, store::Error> {
    let mut tx = store.begin(None).await?;
    let workspaces = workspaces::load(&mut tx).await?.into_iter().map(|stored| stored.id).collect();
    tx.commit().await?;
    Ok(workspaces)
}

fn name(what: ByAge) -> &'static str {
    match what {
        ByAge::Deliveries => "deliveries_without_month",
        ByAge::Bodies => "bodies_without_month",
        ByAge::Rejected => "rejected",
    }
}

async fn forget_documents(
    store: &Store,
    workspace: WorkspaceId,
    before: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), store::Error> {
    for _ in 0..MOST_BATCHES {
        let deleted = retention::delete_documents(store, workspace, before).await?;
        if deleted.total() == 0 {
            return Ok(());
        }
        report.note_documents(deleted);
        sleep(BATCH_INTERVAL).await;
    }
    report.is_more_left = true;
    Ok(())
}

async fn delete(store: &Store, what: ByAge, before: DateTime<Utc>, report: &mut Report) -> Result<(), store::Error> {
    for _ in 0..MOST_BATCHES {
        let deleted = retention::delete(store, what, before).await?;
        report.note(name(what), None, deleted);
        if deleted < retention::BATCH {
            return Ok(());
        }
        sleep(BATCH_INTERVAL).await;
    }
    report.is_more_left = true;
    Ok(())
}

/// The deliveries from before there were months have their bodies in their rows, which stay longer.
async fn clear_bodies_in_rows(store: &Store, before: DateTime<Utc>, report: &mut Report) -> Result<(), store::Error> {
    let partitions = partitions::list(store, Partitioned::Deliveries).await?;
    let Some(first) = partitions.iter().find(|partition| partition.is_first) else { return Ok(()) };
    let before = before.min(crate::domain::retention::end_of(first.month));
    for _ in 0..MOST_BATCHES {
        let Some(cleared) = retention::clear_bodies_in_rows(store, before).await? else { return Ok(()) };
        report.note(BODIES_IN_ROWS, None, cleared);
        sleep(BATCH_INTERVAL).await;
    }
    report.is_more_left = true;
    Ok(())
}

/// What cannot be tried again for want of its body is not due any more.
async fn end_retries(store: &Store) -> Result<(), store::Error> {
    for _ in 0..MOST_BATCHES {
        let ended = retention::end_retries(store).await?;
        if ended > 0 {
            tracing::warn!(deliveries = ended, "deliveries are not tried again: their bodies were erased or let go");
        }
        if ended < retention::BATCH {
            break;
        }
    }
    Ok(())
}
