//! How what the rules know of a lead is written in its row: booking requests and the state of its booking.

use chrono::DateTime;
use serde_json::{Value, json};

use super::json_row::{self, source_code, source_of};
use crate::domain::booking_request::BookingRequest;
use crate::domain::lead_history::{LeadHistory, Point, ValueTime, WATCHED};
use crate::domain::state::BookingState;

/// The booking requests of a lead as an array; none for a lead that has only one, which its columns hold.
pub(super) fn write_booking_requests(booking_requests: &[BookingRequest]) -> Option<Value> {
    (booking_requests.len() > 1).then(|| booking_requests.iter().map(json_row::booking_request).collect())
}

/// A moment as one number, in the order of moments: eight times the microseconds, and the source.
fn write_moment(moment: ValueTime) -> i64 {
    moment.at.timestamp_micros().saturating_mul(8).saturating_add(source_code(moment.source))
}

fn read_moment(number: i64) -> Option<ValueTime> {
    let at = DateTime::from_timestamp_micros(number.div_euclid(8))?;
    Some(ValueTime { at, source: source_of(number.rem_euclid(8))? })
}

/// The history of a lead as an object: of each column an array of values, each with the moments at which it was told
/// before another one was. None for a lead that has none.
pub(super) fn write_history(history: &LeadHistory) -> Option<Value> {
    let columns = history.0.iter().map(|(column, points)| {
        let mut runs: Vec<Vec<Value>> = Vec::new();
        for Point { moment, value } in points {
            let moment = json!(write_moment(*moment));
            match runs.last_mut() {
                Some(run) if run.first().and_then(Value::as_str) == Some(value) => run.push(moment),
                Some(_) | None => runs.push(vec![json!(value), moment]),
            }
        }
        ((*column).to_owned(), json!(runs))
    });
    (!history.0.is_empty()).then(|| Value::Object(columns.collect()))
}

/// The history from its object.
pub(super) fn read_history(value: &Value) -> Option<LeadHistory> {
    let mut history = LeadHistory::default();
    for (column, runs) in value.as_object()? {
        let column = WATCHED.into_iter().find(|known| known == column)?;
        let points = history.0.entry(column).or_default();
        for run in runs.as_array()? {
            let (value, moments) = run.as_array()?.split_first()?;
            for moment in moments {
                let moment = read_moment(moment.as_i64()?)?;
                points.push(Point { moment, value: value.as_str()?.to_owned() });
            }
        }
    }
    Some(history)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::facts::Source;

    proptest! {
        #[test]
        fn a_history_is_read_back_as_it_was_written(
            points in prop::collection::btree_map(-62_000_000_000_000_000_i64..250_000_000_000_000_000, ("[a-c]", any::<bool>()), 2..9),
        ) {
            let point = |(micros, (value, of_cluster)): (i64, (String, bool))| {
                let source = if of_cluster { Source::Cluster } else { Source::LeadUpdated };
                Point { moment: ValueTime { at: DateTime::from_timestamp_micros(micros).unwrap(), source }, value }
            };
            let points: Vec<Point> = points.into_iter().map(point).collect();
            let written = LeadHistory([("status", points.clone()), ("lead_cluster_id", points)].into());
            prop_assert_eq!(read_history(&write_history(&written).unwrap()), Some(written));
        }
    }

    #[test]
    fn a_lead_without_history_has_none_written_and_what_is_damaged_is_not_read() {
        assert_eq!(write_history(&LeadHistory::default()), None);
        for damaged in
            [json!([]), json!({"comments": []}), json!({"status": [["new", 7]]}), json!({"status": [[1, 9]]})]
        {
            assert_eq!(read_history(&damaged), None, "{damaged}");
        }
    }
}
