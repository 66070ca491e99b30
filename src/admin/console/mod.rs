//! The console: for the person who knows an address, a number or a plate and no SQL. One search field, the story of what it
//! finds, a delivery as it was sent with what was found in it, how everything stands, and the replay of a delivery.
//!
//! It is served on the admin listener alone, to whoever has logged in ([`login`]). What arrives from outside is hostile: every
//! value is escaped by the templates, no page has a script or a style of its own, and nothing is loaded from elsewhere
//! ([`page`]). A request that changes something proves that it comes from a page of ours ([`guard`]).
//!
//! It reads along indexes, within bounds of time and rows, and with a few connections ([`turns`]), so that no delivery
//! notices.

mod assets;
mod attempts;
mod codes;
mod deliveries;
mod delivery;
mod documents;
mod form;
mod guard;
mod json;
mod login;
mod masking;
mod moment;
mod overview;
mod page;
mod payload;
mod replay;
mod replays;
mod search;
mod sessions;
mod settings;
mod state;
mod turns;

use axum::routing::{get, post};
use axum::{Router, middleware};

pub use settings::ConsoleSettings;

use state::Console;

/// The console's routes, under its layers. A layer sees a request before those above it.
pub(super) fn routes(settings: ConsoleSettings) -> Router {
    let console = Console::new(settings);
    let signed_in = Router::new()
        .route("/", get(overview::show))
        .route("/search", get(search::show))
        .route("/deliveries", get(deliveries::show))
        .route("/blocked", get(deliveries::blocked))
        .route("/deliveries/{id}", get(delivery::show))
        .route("/deliveries/{id}/documents", post(documents::show))
        .route("/deliveries/{id}/dry-run", post(replay::try_out))
        .route("/deliveries/{id}/replay", post(replay::replay))
        .route("/logout", post(login::log_out))
        .route_layer(middleware::from_fn_with_state(console.clone(), guard::of_session));
    signed_in
        .route("/login", get(login::show).post(login::log_in))
        .route_layer(middleware::from_fn_with_state(console.clone(), guard::of_origin))
        .route("/assets/{name}", get(assets::serve))
        .layer(middleware::map_response(page::with_headers))
        .with_state(console)
}
