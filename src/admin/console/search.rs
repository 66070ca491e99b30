//! The search: whatever a person knows of something, and the story of what that names.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};

use crate::intake::story::{self, Event, Found, Key, Kind, Link, Standing, Story};
use crate::store::overview;

use super::codes;
use super::form::{self, Fields};
use super::moment::Moment;
use super::page::{self, Failure, Frame};
use super::sessions::Session;
use super::state::Console;

/// A story on its way into a page.
pub(super) struct StoryView {
    pub(super) story: Story,
    now: DateTime<Utc>,
}

impl StoryView {
    pub(super) fn new(story: Story, now: DateTime<Utc>) -> Self {
        Self { story, now }
    }

    /// A time in the zone of the story's workspace.
    pub(super) fn moment(&self, at: &DateTime<Utc>) -> Moment {
        let zone = self.story.workspace.as_ref().map(|workspace| workspace.timezone.as_str());
        Moment::of(*at, zone, self.now)
    }

    /// Where something is looked up.
    pub(super) fn link(&self, link: &Link) -> String {
        match link.kind {
            Kind::Delivery => format!("/deliveries/{}", link.key),
            Kind::Lead | Kind::Person | Kind::Vehicle | Kind::Cluster => {
                let workspace = self.story.workspace.as_ref().map(|workspace| workspace.slug.as_str());
                let fields =
                    [("kind", Some(link.kind.name())), ("q", Some(link.key.as_str())), ("workspace", workspace)];
                form::address("/search", &fields)
            }
        }
    }

    /// Where a lead is looked up.
    pub(super) fn lead_link(&self, external_id: &str) -> String {
        self.link(&Link { kind: Kind::Lead, key: external_id.to_owned() })
    }
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    stories: Vec<StoryView>,
    has_more: bool,
    near_misses: Vec<String>,
    workspaces: Vec<String>,
    workspace: String,
    kind: &'static str,
    is_usable: bool,
}

impl SearchPage {
    fn is_workspace(&self, slug: &str) -> bool {
        self.workspace == slug
    }
}

/// What a key names.
pub(super) async fn show(State(console): State<Console>, Extension(session): Extension<Session>, uri: Uri) -> Response {
    let fields = Fields::of_query(uri.query());
    let query = fields.get("q").trim().chars().take(400).collect();
    let frame = Frame { query, ..Frame::of(&session, "search") };
    page::or_failure(made(&console, frame.clone(), &fields).await, frame)
}

async fn made(console: &Console, frame: Frame, fields: &Fields) -> Result<Response, Failure> {
    let kind = Kind::named(fields.get("kind"));
    let key = match kind {
        Some(kind) => Key::of(kind, &frame.query),
        None => Key::parse(&frame.query),
    };
    let intake = console.intake().ok_or(Failure::NoTables)?;
    let (store, now) = (intake.store(), console.now());
    let _turn = console.turns().take(store.connections()).await.ok_or(Failure::Busy)?;
    let workspaces = overview::workspaces(store).await?;
    let workspace = fields.given("workspace").filter(|slug| workspaces.iter().any(|known| known == slug));
    let found = match &key {
        Some(key) => story::find(store, key, workspace, now).await.map_err(|error| match error {
            story::Error::NoSuchWorkspace(_) => Failure::NotFound("There is no such workspace.".to_owned()),
            story::Error::Store(error) => Failure::Store(error),
        })?,
        None => Found::default(),
    };
    let Found { stories, has_more, near_misses } = found;
    let page = SearchPage {
        is_usable: key.is_some(),
        stories: stories.into_iter().map(|story| StoryView::new(story, now)).collect(),
        has_more,
        near_misses,
        workspace: workspace.unwrap_or_default().to_owned(),
        workspaces,
        kind: kind.map_or("", Kind::name),
        frame,
    };
    Ok(page::html(StatusCode::OK, &page))
}
