//! How what the rules know of a lead is written in its row: booking requests and the state of its booking.

use serde_json::Value;

use super::json_row;
use crate::domain::booking_request::BookingRequest;
use crate::domain::state::BookingState;

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
