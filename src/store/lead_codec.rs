//! How what the rules know of a lead is written in its row: dependencies, booking requests and the state of its
//! booking.

use crate::domain::ids::WorkspaceId;
use serde_json::Value;

use super::json_row;
use crate::domain::booking_request::{BookingRequest, Dependency};
use crate::domain::state::BookingState;
use crate::domain::values::{Email, StockNumber, Vin};

/// A dependency as it stands in the table: with its workspace before it, so that the index finds this workspace's
/// alone.
pub(super) fn dependency_text(workspace: WorkspaceId, dependency: &Dependency) -> String {
    match dependency {
        Dependency::Vin(vin) => format!("{workspace}/vin:{}", vin.as_str()),
        Dependency::Stock(number) => format!("{workspace}/stock:{}", number.as_str()),
        Dependency::Plan(name) => format!("{workspace}/plan:{name}"),
        Dependency::Location(name) => format!("{workspace}/location:{name}"),
        Dependency::Person(email) => format!("{workspace}/email:{}", email.as_str()),
    }
}

/// The dependency that stands in the table so.
pub(super) fn read_dependency(text: &str) -> Option<Dependency> {
    let (kind, value) = text.split_once('/')?.1.split_once(':')?;
    match kind {
        "vin" => Vin::stored(value).map(Dependency::Vin),
        "stock" => StockNumber::stored(value).map(Dependency::Stock),
        "plan" => Some(Dependency::Plan(value.to_owned())),
        "location" => Some(Dependency::Location(value.to_owned())),
        "email" => Email::stored(value).map(Dependency::Person),
        _ => None,
    }
}

/// The booking requests of a lead as an array; none for a lead that has only one, which its columns hold.
pub(super) fn write_booking_requests(booking_requests: &[BookingRequest]) -> Option<Value> {
    (booking_requests.len() > 1).then(|| booking_requests.iter().map(json_row::booking_request).collect())
}

/// The states with their names in the table.
const STATES: [(BookingState, &str); 3] = [
    (BookingState::NotRequested, "not_requested"),
    (BookingState::Created, "created"),
    (BookingState::Blocked, "blocked"),
];

/// The state of that name.
pub(super) fn read_state(name: &str) -> Option<BookingState> {
    STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
}

/// The state's name.
pub(super) fn state_name(state: BookingState) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).map_or("", |(_, name)| name)
}
