//! A delivery: its story, its body as the payload that it is, and what may be done with it.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::intake::Intake;
use crate::intake::story::{self, Event, Key, Kind, Standing};
use crate::store::inspected::{self, InspectedDelivery};

use super::codes;
use super::form::Fields;
use super::moment::Moment;
use super::page::{self, Failure, Frame};
use super::payload::{self, Note, Shown, Token, View};
use super::search::StoryView;
use super::sessions::Session;
use super::state::Console;

/// So many findings are listed above the payload.
const MOST_FINDINGS: usize = 200;

/// What is shown beside what always is.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// What is searched for in the body.
    pub(super) find: String,
    /// Whether identity documents are shown.
    pub(super) shows_documents: bool,
    /// What was tried out, or done.
    pub(super) tried: Option<Tried>,
}

/// What came of a dry run, or of a replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    /// Whether nothing was written.
    pub(super) is_dry_run: bool,
    /// The outcome before.
    pub(super) before: String,
    /// The outcome that it came to, or would come to; none where nothing came of it in time.
    pub(super) outcome: Option<&'static str>,
    /// What became of each kind of row.
    pub(super) effects: Vec<(&'static str, String)>,
    /// The codes of findings that were not there before.
    pub(super) new_codes: Vec<&'static str>,
    /// The codes of findings that are gone.
    pub(super) gone_codes: Vec<String>,
    /// What proves, for a replay, that it was tried out.
    pub(super) proof: String,
    /// What else is to be said.
    pub(super) remark: &'static str,
}

impl Tried {
    /// With something else to be said, where there is anything.
    pub(super) fn with_remark(self, remark: &'static str) -> Self {
        Self { remark: if remark.is_empty() { self.remark } else { remark }, ..self }
    }
}

/// How the body is shown.
enum BodyView {
    /// As JSON.
    Payload(Shown),
    /// As text, because it is no JSON.
    Text(String),
    /// Not yet: it is no JSON, and may hold identity documents.
    MaskedText,
    /// Not at all, because it is too long.
    TooLong,
    /// There is none any more.
    Gone,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    delivery: InspectedDelivery,
    stories: Vec<StoryView>,
    notes: Vec<Note>,
    more_notes: usize,
    body: BodyView,
    extra: Extra,
    now: DateTime<Utc>,
}

impl DeliveryPage {
    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        Moment::of(*at, self.delivery.timezone.as_deref(), self.now)
    }

    fn kilobytes(&self) -> i32 {
        self.delivery.body_bytes.unwrap_or_default() / 1_024
    }

    fn most_kilobytes() -> i32 {
        inspected::MOST_BYTES / 1_024
    }
}

/// The page.
pub(super) async fn show(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let frame = Frame::of(&session, "deliveries");
    let find = Fields::of_query(uri.query()).get("find").chars().take(200).collect();
    let made = async {
        let intake = console.intake().ok_or(Failure::NoTables)?;
        let _turn = console.turns().take(intake.store().connections()).await.ok_or(Failure::Busy)?;
        render(&console, &intake, frame.clone(), &id, Extra { find, ..Extra::default() }).await
    };
    page::or_failure(made.await, frame)
}

/// The page with what is shown beside. Whoever calls it has a turn.
pub(super) async fn render(
    console: &Console,
    intake: &Intake,
    frame: Frame,
    id: &str,
    extra: Extra,
) -> Result<Response, Failure> {
    let (store, now) = (intake.store(), console.now());
    let found = match id.parse::<Uuid>() {
        Ok(id) => inspected::delivery(store, id).await?,
        Err(_no_id) => None,
    };
    let delivery = found.ok_or_else(|| Failure::NotFound("There is no delivery of this id.".to_owned()))?;
    let found = match Key::of(Kind::Delivery, id) {
        Some(key) => story::find(store, &key, None, now).await.unwrap_or_default(),
        None => story::Found::default(),
    };
    let stories = found.stories.into_iter().map(|story| StoryView::new(story, now)).collect();
    let mut notes = notes(&delivery.findings);
    let body = body(&delivery, &notes, &extra);
    let more_notes = notes.len().saturating_sub(MOST_FINDINGS);
    notes.truncate(MOST_FINDINGS);
    let page = DeliveryPage { frame, delivery, stories, notes, more_notes, body, extra, now };
    Ok(page::html(StatusCode::OK, &page))
}

/// What was found, numbered.
fn notes(findings: &Value) -> Vec<Note> {
    let text = |finding: &Value, name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let findings = findings.as_array().map(Vec::as_slice).unwrap_or_default();
    let numbered = findings.iter().enumerate().map(|(index, finding)| Note {
        number: index + 1,
        code: text(finding, "code"),
        path: text(finding, "path"),
        message: text(finding, "message"),
    });
    numbered.collect()
}

fn body(delivery: &InspectedDelivery, notes: &[Note], extra: &Extra) -> BodyView {
    let Some(body) = &delivery.body else {
        return if delivery.body_bytes.is_some() { BodyView::TooLong } else { BodyView::Gone };
    };
    let view = View { shows_documents: extra.shows_documents, find: &extra.find };
    match payload::shown(body, notes, &view) {
        Some(shown) => BodyView::Payload(shown),
        None if extra.shows_documents => BodyView::Text(String::from_utf8_lossy(body).into_owned()),
        None => BodyView::MaskedText,
    }
}
