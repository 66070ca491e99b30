//! How what the rules know of a lead is written in its row: wants, wishes and the state of its booking.

use serde_json::Value;

use super::record;
use crate::domain::values::{Email, StockNumber, Vin};
use crate::domain::wish::{Want, Wish};
use crate::domain::world::BookingState;

/// A want as it stands in the table: with its workspace before it, so that the index finds this workspace's alone.
pub(super) fn want_text(workspace: i64, want: &Want) -> String {
    match want {
        Want::Vin(vin) => format!("{workspace}/vin:{}", vin.as_str()),
        Want::Stock(number) => format!("{workspace}/stock:{}", number.as_str()),
        Want::Plan(name) => format!("{workspace}/plan:{name}"),
        Want::Location(name) => format!("{workspace}/location:{name}"),
        Want::Person(email) => format!("{workspace}/email:{}", email.as_str()),
    }
}

/// The want that stands in the table so.
pub(super) fn read_want(text: &str) -> Option<Want> {
    let (kind, value) = text.split_once('/')?.1.split_once(':')?;
    match kind {
        "vin" => Vin::stored(value).map(Want::Vin),
        "stock" => StockNumber::stored(value).map(Want::Stock),
        "plan" => Some(Want::Plan(value.to_owned())),
        "location" => Some(Want::Location(value.to_owned())),
        "email" => Email::stored(value).map(Want::Person),
        _ => None,
    }
}

/// The wishes of a lead as an array; none for one that has said only one, which its columns hold.
pub(super) fn write_wishes(wishes: &[Wish]) -> Option<Value> {
    (wishes.len() > 1).then(|| wishes.iter().map(record::wish).collect())
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
