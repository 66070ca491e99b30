//! Identity documents of a body are shown to whoever asks for them, and that is noted in `intake.actions` before.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use crate::store::actions::{self, Action, Counts};

use super::delivery::{self, Extra};
use super::page::{self, Failure, Frame};
use super::sessions::Session;
use super::state::Console;

/// The delivery's page with its documents.
pub(super) async fn show(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Response {
    let frame = Frame::of(&session, "deliveries");
    let made = async {
        let intake = console.intake().ok_or(Failure::NoTables)?;
        let store = intake.store();
        let _turn = console.turns().take(store.connections()).await.ok_or(Failure::Busy)?;
        let no_delivery = || Failure::NotFound("There is no delivery of this id.".to_owned());
        let uuid = id.parse::<Uuid>().map_err(|_no_id| no_delivery())?;
        let counts = [("deliveries".to_owned(), json!(1)), ("delivery_id".to_owned(), json!(uuid))];
        actions::record_alone(store, Action::ShowDocument, &session.acted_by(), Counts::from_iter(counts)).await?;
        let extra = Extra { shows_documents: true, ..Extra::default() };
        delivery::render(&console, &intake, frame.clone(), &id, extra).await
    };
    page::or_failure(made.await, frame)
}
