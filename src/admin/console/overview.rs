//! The first page: the search field, and how everything stands.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};

use crate::store::overview::{self, BlockedCount, DeliveryFilter, ListedDelivery, Overview};

use super::codes;
use super::form::{self, NO_WORKSPACE};
use super::moment::Moment;
use super::page::{self, Failure, Frame};
use super::sessions::Session;
use super::state::Console;

/// So many of the newest deliveries are shown one by one.
const SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    overview: Overview,
    newest: Vec<ListedDelivery>,
    spool: Option<Spool>,
    now: DateTime<Utc>,
    most_blocked: i64,
    counted: i64,
}

/// A workspace and feed, with how many of its deliveries came to which outcome.
struct FeedRow {
    /// The workspace's slug; empty where there is none.
    workspace: String,
    feed: String,
    cells: Vec<OutcomeCell>,
}

/// How many came to an outcome, and where they are listed.
struct OutcomeCell {
    outcome: String,
    count: i64,
    link: String,
}

/// What waits on disk.
struct Spool {
    deliveries: u64,
    kilobytes: u64,
    oldest_seconds: u64,
}

/// The page.
pub(super) async fn show(State(console): State<Console>, Extension(session): Extension<Session>) -> Response {
    let frame = Frame::of(&session, "overview");
    page::or_failure(made(&console, frame.clone()).await, frame)
}

async fn made(console: &Console, frame: Frame) -> Result<Response, Failure> {
    let intake = console.intake().ok_or(Failure::NoTables)?;
    let store = intake.store();
    let _turn = console.turns().take(store.connections()).await.ok_or(Failure::Busy)?;
    let overview = overview::overview(store).await?;
    let mut newest = overview::deliveries(store, &DeliveryFilter::default()).await?.deliveries;
    newest.truncate(SHOWN);
    let now = console.now();
    let spool = console.acceptor().spool().map(|spool| {
        let depth = spool.depth();
        Spool { deliveries: depth.deliveries, kilobytes: depth.bytes / 1_024, oldest_seconds: depth.age(now) }
    });
    let (most_blocked, counted) = (overview::NEWEST_BLOCKED, overview.deliveries.iter().map(|one| one.count).sum());
    Ok(page::html(StatusCode::OK, &OverviewPage { frame, overview, newest, spool, now, most_blocked, counted }))
}

impl OverviewPage {
    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        Moment::of(*at, None, self.now)
    }

    /// The workspaces and feeds that deliveries came for, each with how many came to which outcome.
    fn by_feed(&self) -> Vec<FeedRow> {
        let mut rows: Vec<FeedRow> = Vec::new();
        for one in &self.overview.deliveries {
            let workspace = one.workspace.clone().unwrap_or_default();
            let fields = [
                ("workspace", Some(if workspace.is_empty() { NO_WORKSPACE } else { &workspace })),
                ("feed", Some(one.feed.as_str())),
                ("outcome", Some(one.outcome.as_str())),
            ];
            let link = form::address("/deliveries", &fields);
            let cell = OutcomeCell { outcome: one.outcome.clone(), count: one.count, link };
            match rows.last_mut() {
                Some(row) if row.workspace == workspace && row.feed == one.feed => row.cells.push(cell),
                Some(_) | None => rows.push(FeedRow { workspace, feed: one.feed.clone(), cells: vec![cell] }),
            }
        }
        rows
    }

    fn blocked_link(one: &BlockedCount) -> String {
        form::address("/blocked", &[("workspace", Some(&one.workspace)), ("reason", Some(&one.code))])
    }

    fn silent(&self) -> usize {
        self.overview.feeds.iter().filter(|feed| feed.silent_since.is_some()).count()
    }
}
