//! Silence: once a minute it is noted which dealerships were heard of, and who has fallen silent, or speaks again, is told in
//! the log and, where there is an address for it, by a POST.
//!
//! The rule is in [`crate::domain::silence`], what was accepted is counted by [`crate::intake`], and what is known stands in
//! `intake.dealership_feeds`, so that a restart begins nothing anew. Of several instances the one that changes the row tells.

mod alert;
mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::feed::Feed;
use crate::domain::ids::WorkspaceId;
use crate::domain::silence::{self, Change, DealershipFeed, FeedActivity};
use crate::domain::workspace::{DealershipId, Slug};
use crate::intake::complaints::Complaints;
use crate::intake::{Intake, WorkspaceRouter};
use crate::metrics::{Metrics, SilentSender};
use crate::store::rejected::{self, OfFingerprint};
use crate::store::{self, dealership_feeds};

pub use alert::Alert;
pub use outbox::{Outbox, Target};

/// How often it is looked who has fallen silent.
const PERIOD: Duration = Duration::from_mins(1);
/// After a process was killed, so much before its last look is read again at the least.
const RECALLED: TimeDelta = TimeDelta::hours(1);
/// A delivery that was begun before a look may be committed so much later.
const COMMIT: TimeDelta = TimeDelta::minutes(2);

/// From when on deliveries may wait in the spool, uncounted; none where it is empty.
pub type SpooledSince = Arc<dyn Fn() -> Option<DateTime<Utc>> + Send + Sync>;

/// How silence is watched.
#[derive(Clone)]
pub struct Settings {
    /// Longer between two looks nobody could hear the senders; five minutes, where a look is taken each minute.
    pub longest_pause: TimeDelta,
    /// From when on deliveries may wait in the spool.
    pub spooled_since: SpooledSince,
    /// Where it is posted what has changed, if anywhere.
    pub outbox: Option<Outbox>,
    /// Where the last look can be seen.
    pub metrics: Metrics,
}

impl Settings {
    /// Those of the service.
    #[must_use]
    pub fn new(spooled_since: SpooledSince, outbox: Option<Outbox>, metrics: Metrics) -> Self {
        Self { longest_pause: TimeDelta::minutes(5), spooled_since, outbox, metrics }
    }
}

/// How a dealership and feed stood at the last look.
struct Standing {
    /// The workspace's name in the configuration.
    workspace: Slug,
    /// The dealership; 0 for LeadPro.
    dealership: DealershipId,
    /// The feed.
    feed: Feed,
    /// Whether deliveries are expected.
    is_expected: bool,
    /// Whether it is silent.
    is_silent: bool,
    /// Arrival of the newest delivery.
    last_accepted_at: Option<DateTime<Utc>>,
}

/// Watches for silence.
#[derive(Clone)]
pub struct Silence {
    intake: Intake,
    settings: Settings,
    /// The configuration whose expectations are in the tables.
    applied: Arc<tokio::sync::Mutex<Option<Arc<WorkspaceRouter>>>>,
}

impl Silence {
    /// Watches what an intake accepts.
    #[must_use]
    pub fn new(intake: Intake, settings: Settings) -> Self {
        Self { intake, settings, applied: Arc::default() }
    }

    /// Looks once a minute, for as long as the service runs.
    pub async fn run(self) {
        let complaints = Complaints::default();
        loop {
            if let Err(error) = self.round(self.intake.now()).await {
                let error = error.without_values();
                if let Some(left_out) = complaints.take(&error) {
                    tracing::warn!(error, left_out, "it could not be looked who has fallen silent: trying again");
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// One look: writes what was accepted, applies what a new configuration expects, and tells what has changed.
    ///
    /// # Errors
    /// When Postgres refuses or cannot be reached; what was told until then is noted.
    pub async fn round(&self, now: DateTime<Utc>) -> Result<Vec<Alert>, store::Error> {
        let router = self.intake.router();
        let configured = router.dealership_feeds();
        // Before anything is counted: what is in the spool now is counted in no row.
        let complete_until = (self.settings.spooled_since)().unwrap_or(now);
        self.apply(&router, &configured, now).await?;
        self.intake.write_activity(now).await;
        let (mut standings, mut told) = (Vec::new(), Vec::new());
        for (workspace, senders) in &configured {
            let look = Look { workspace: *workspace, senders, now, complete_until };
            told.extend(self.look(&look, &mut standings).await?);
        }
        self.measure(&standings);
        Ok(told)
    }

    /// Shows who is silent, and when each sender was last heard of, which after a start the process has not seen itself.
    fn measure(&self, standings: &[Standing]) {
        let metrics = &self.settings.metrics;
        for Standing { workspace, dealership, feed, last_accepted_at, .. } in standings {
            if let Some(at) = last_accepted_at {
                metrics.note_last_delivery(workspace, *dealership, *feed, *at);
            }
        }
        let expected = standings.iter().filter(|standing| standing.is_expected);
        let silent = expected.map(|Standing { workspace, dealership, feed, is_silent, .. }| SilentSender {
            workspace: workspace.clone(),
            dealership: *dealership,
            feed: *feed,
            is_silent: *is_silent,
        });
        metrics.set_silent_senders(silent.collect());
    }

    /// Waits until what was to be posted is posted, but not for long.
    pub async fn finish(&self) {
        if let Some(outbox) = &self.settings.outbox {
            outbox.finish().await;
        }
    }

    /// Brings what the configuration expects into the tables, at a start and after each reload. In between they hold what
    /// all instances go by.
    async fn apply(
        &self,
        router: &Arc<WorkspaceRouter>,
        configured: &BTreeMap<WorkspaceId, Vec<DealershipFeed>>,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let mut applied = self.applied.lock().await;
        if applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, router)) {
            return Ok(());
        }
        let store = self.intake.store();
        if applied.is_none() {
            let watched = dealership_feeds::watched_until(store).await?.unwrap_or(now);
            self.intake.recall_activity(watched.min(now - RECALLED) - COMMIT).await?;
            self.intake.write_activity(now).await;
        }
        let expecting = dealership_feeds::expecting(store).await?;
        let empty = Vec::new();
        for workspace in configured.keys().chain(expecting.iter().filter(|id| !configured.contains_key(id))) {
            let senders = configured.get(workspace).unwrap_or(&empty);
            self.expect(*workspace, senders, now).await?;
        }
        *applied = Some(Arc::clone(router));
        Ok(())
    }

    /// Brings what is expected of one workspace into the tables.
    async fn expect(
        &self,
        workspace: WorkspaceId,
        senders: &[DealershipFeed],
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let mut tx = self.intake.store().begin(None).await?;
        let mut known = dealership_feeds::load(&mut tx, workspace).await?;
        let day = silence::day(senders.first().map_or(chrono_tz::UTC, |sender| sender.timezone), now);
        for sender in senders.iter().filter(|sender| sender.every.is_some()) {
            if !known.iter().any(|activity| is_of(sender, activity)) {
                let (dealership, feed) = (sender.dealership, sender.feed);
                known.push(FeedActivity {
                    dealership,
                    feed,
                    last_accepted_at: None,
                    expected: None,
                    silent_since: None,
                });
            }
        }
        for activity in &known {
            let every = senders.iter().find(|sender| is_of(sender, activity)).and_then(|sender| sender.every);
            let Some(next) = activity.expecting(every, now) else { continue };
            dealership_feeds::expect(&mut tx, workspace, &next, day).await?;
            if activity.silent_since.is_some() && next.silent_since.is_none() {
                let (dealership, feed) = (activity.dealership, activity.feed.name());
                let workspace = workspace.get();
                tracing::info!(
                    workspace,
                    dealership,
                    feed,
                    "not silent any more: the configuration expects less of it"
                );
            }
        }
        if senders.iter().all(|sender| sender.every.is_none()) {
            dealership_feeds::end_watch(&mut tx, workspace).await?;
        }
        tx.commit().await
    }

    /// Looks at one workspace.
    async fn look(&self, look: &Look<'_>, standings: &mut Vec<Standing>) -> Result<Vec<Alert>, store::Error> {
        let Look { workspace, senders, now, complete_until } = *look;
        let Some(first) = senders.first() else { return Ok(Vec::new()) };
        let mut tx = self.intake.store().begin(None).await?;
        if senders.iter().any(|sender| sender.every.is_some()) {
            let before = dealership_feeds::watch(&mut tx, workspace, now).await?;
            let gap = before.and_then(|before| silence::gap(before, now, self.settings.longest_pause));
            if let Some(gap) = gap {
                dealership_feeds::leave_out(&mut tx, workspace, gap).await?;
            }
        }
        dealership_feeds::begin_day(&mut tx, workspace, silence::day(first.timezone, now)).await?;
        let mut told = Vec::new();
        for activity in dealership_feeds::load(&mut tx, workspace).await? {
            let Some(sender) = senders.iter().find(|sender| is_of(sender, &activity)) else { continue };
            let mut is_silent = activity.silent_since.is_some();
            if let Some(change) = activity.change(now, complete_until) {
                is_silent = matches!(change, Change::FellSilent { .. });
                told.extend(note(&mut tx, sender, &activity, change, now).await?);
            }
            standings.push(Standing {
                workspace: sender.slug.clone(),
                dealership: activity.dealership,
                feed: activity.feed,
                is_expected: activity.expected.is_some(),
                is_silent,
                last_accepted_at: activity.last_accepted_at,
            });
        }
        tx.commit().await?;
        for alert in &told {
            self.tell(alert);
        }
        Ok(told)
    }

    /// Tells of one change, once it is noted: the one place where whoever else wants to know is told.
    fn tell(&self, alert: &Alert) {
        alert.log();
        if let Some(outbox) = &self.settings.outbox {
            outbox.post(alert);
        }
    }
}

/// What one look at a workspace goes by.
#[derive(Clone, Copy)]
struct Look<'a> {
    workspace: WorkspaceId,
    senders: &'a [DealershipFeed],
    now: DateTime<Utc>,
    complete_until: DateTime<Utc>,
}

fn is_of(sender: &DealershipFeed, activity: &FeedActivity) -> bool {
    sender.dealership == activity.dealership && sender.feed == activity.feed
}

/// Notes a change; gives what is to be told of it, unless another instance has noted it before.
async fn note(
    tx: &mut store::Connection,
    sender: &DealershipFeed,
    activity: &FeedActivity,
    change: Change,
    now: DateTime<Utc>,
) -> Result<Option<Alert>, store::Error> {
    let workspace = sender.workspace;
    let Some(expected) = activity.expected else { return Ok(None) };
    let is_ours = match change {
        Change::FellSilent { since } => dealership_feeds::fall_silent(tx, workspace, activity, since).await?,
        Change::SpokeAgain { silent_since: _ } => dealership_feeds::speak_again(tx, workspace, activity).await?,
    };
    if !is_ours {
        return Ok(None);
    }
    let refused: Vec<OfFingerprint> = match change {
        Change::FellSilent { since: _ } => {
            let since = activity.last_accepted_at.unwrap_or(expected.since);
            rejected::by_fingerprint(tx, activity.feed, since).await?
        }
        Change::SpokeAgain { silent_since: _ } => Vec::new(),
    };
    Ok(Some(Alert::new(sender, activity, expected, change, refused, now)))
}
