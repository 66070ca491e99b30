//! Lists: deliveries by outcome, feed and workspace, and the leads of a workspace that are blocked for a reason.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::feed::Feed;
use crate::domain::finding::Code;
use crate::store::overview::{self, BlockedLead, DeliveryFilter, DeliveryList};

use super::codes;
use super::form::{self, Fields, NO_WORKSPACE};
use super::moment::Moment;
use super::page::{self, Failure, Frame};
use super::sessions::Session;
use super::state::Console;

/// The outcomes that can be asked for.
const OUTCOMES: [&str; 5] = ["applied", "unchanged", "ignored", "rejected", "failed"];

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    filter: DeliveryFilter,
    list: DeliveryList,
    workspaces: Vec<String>,
    feeds: Vec<&'static str>,
    older: Option<String>,
    now: DateTime<Utc>,
}

impl DeliveriesPage {
    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        Moment::of(*at, None, self.now)
    }

    fn is_outcome(&self, outcome: &str) -> bool {
        self.filter.outcome.as_deref() == Some(outcome)
    }

    fn is_feed(&self, feed: &str) -> bool {
        self.filter.feed.as_deref() == Some(feed)
    }

    fn is_workspace(&self, workspace: &str) -> bool {
        self.filter.workspace.as_deref() == Some(workspace)
    }
}

/// Deliveries, the newest first.
pub(super) async fn show(State(console): State<Console>, Extension(session): Extension<Session>, uri: Uri) -> Response {
    let frame = Frame::of(&session, "deliveries");
    page::or_failure(deliveries(&console, frame.clone(), &Fields::of_query(uri.query())).await, frame)
}

async fn deliveries(console: &Console, frame: Frame, fields: &Fields) -> Result<Response, Failure> {
    let asked = |name: &str| fields.given(name).map(str::to_owned);
    let workspace = asked("workspace");
    let filter = DeliveryFilter {
        outcome: asked("outcome"),
        feed: asked("feed"),
        workspace: workspace.map(|slug| if slug == NO_WORKSPACE { String::new() } else { slug }),
        before: fields.given("before").and_then(|text| text.parse().ok()),
    };
    let intake = console.intake().ok_or(Failure::NoTables)?;
    let store = intake.store();
    let _turn = console.turns().take(store.connections()).await.ok_or(Failure::Busy)?;
    let list = overview::deliveries(store, &filter).await?;
    let workspaces = overview::workspaces(store).await?;
    let older = list.older.map(|older| {
        let before = older.to_rfc3339_opts(SecondsFormat::Micros, true);
        let fields = [
            ("outcome", filter.outcome.as_deref()),
            ("feed", filter.feed.as_deref()),
            ("workspace", filter.workspace.as_deref().map(|slug| if slug.is_empty() { NO_WORKSPACE } else { slug })),
            ("before", Some(before.as_str())),
        ];
        form::address("/deliveries", &fields)
    });
    let feeds = Feed::ALL.iter().map(|feed| feed.name()).collect();
    let now = console.now();
    Ok(page::html(StatusCode::OK, &DeliveriesPage { frame, filter, list, workspaces, feeds, older, now }))
}

#[derive(Template)]
#[template(path = "blocked.html")]
struct BlockedPage {
    frame: Frame,
    workspace: String,
    code: String,
    leads: Vec<BlockedLead>,
    most: i64,
    now: DateTime<Utc>,
}

impl BlockedPage {
    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        Moment::of(*at, None, self.now)
    }

    fn link(&self, lead: &BlockedLead) -> String {
        let fields =
            [("kind", Some("lead")), ("q", Some(lead.external_id.as_str())), ("workspace", Some(&self.workspace))];
        form::address("/search", &fields)
    }
}

/// The leads of a workspace that are blocked for a reason, the newest first.
pub(super) async fn blocked(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    uri: Uri,
) -> Response {
    let frame = Frame::of(&session, "overview");
    page::or_failure(blocked_leads(&console, frame.clone(), &Fields::of_query(uri.query())).await, frame)
}

async fn blocked_leads(console: &Console, frame: Frame, fields: &Fields) -> Result<Response, Failure> {
    let code = Code::named(fields.get("reason"))
        .ok_or_else(|| Failure::NotFound("There is no such reason for which a lead is blocked.".to_owned()))?;
    let intake = console.intake().ok_or(Failure::NoTables)?;
    let store = intake.store();
    let _turn = console.turns().take(store.connections()).await.ok_or(Failure::Busy)?;
    let workspace = fields.get("workspace").to_owned();
    let leads = overview::blocked_leads(store, &workspace, code.name()).await?;
    let (code, most, now) = (code.name().to_owned(), overview::NEWEST_BLOCKED, console.now());
    Ok(page::html(StatusCode::OK, &BlockedPage { frame, workspace, code, leads, most, now }))
}
