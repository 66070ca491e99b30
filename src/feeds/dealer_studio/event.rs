//! What happened to a lead or a cluster: e-mails, calls, notes, follow-ups (Dealer Studio's cluster page). The lead
//! page shows the same list, always empty.

use crate::domain::facts::{EventColumns, EventFacts};
use crate::feeds::lenient::{Id, List, OneOf, Position, SendersTime, Text, Time, listed, payload};

use super::by_id;

payload! {
    /// An entry of `lead_events`.
    pub struct EventPayload<'a> {
        /// ID of the lead event.
        "id" => id: Id<'a>,
        /// The same, in the other spelling.
        "Id" => capital_id: Id<'a>,
        /// Type of the event.
        "event_type" => event_type: OneOf<'a, EventType>,
        /// Description of the event.
        "description" => description: Text<'a>,
        /// When the event was made.
        "created_at" => created_at: SendersTime<'a>,
        /// When the event was last changed.
        "updated_at" => updated_at: SendersTime<'a>,
        /// Service from which the event was made.
        "external_service" => external_service: Text<'a>,
        /// When the event was deleted, if it was.
        "deleted_at" => deleted_at: Time<'a>,
        /// Reason for the follow-up.
        "followup_reason" => followup_reason: Text<'a>,
        /// Time of the follow-up.
        "followup_datetime" => followup_datetime: Time<'a>,
        /// Status of the follow-up.
        "followup_status" => followup_status: OneOf<'a, FollowupStatus>,
        /// When the follow-up was completed.
        "followup_completed_at" => followup_completed_at: Time<'a>,
        /// Who made the event.
        "user_name" => user_name: Text<'a>,
    }
}

listed! {
    /// Types of events.
    pub EventType = ["email", "phone", "sms", "test_drive", "note"];
    /// Statuses of follow-ups.
    pub FollowupStatus = ["pending", "completed"];
}

/// The facts of `lead_events` of a lead or of a cluster.
pub(super) fn list(events: List<Box<EventPayload<'_>>>, here: &Position<'_>) -> Vec<EventFacts> {
    let events = events.read(here).into_iter().flatten();
    let events = by_id::last_of_each(events.map(|(at, event)| facts(*event, &at)));
    let with_id = |(external_id, facts): (String, EventFacts)| EventFacts { external_id, ..facts };
    events.into_iter().map(with_id).collect()
}

/// The facts of an event, with its id, which is not among them yet.
fn facts(payload: EventPayload<'_>, at: &Position<'_>) -> Option<(String, EventFacts)> {
    let EventPayload {
        id,
        capital_id,
        event_type,
        description,
        created_at,
        updated_at,
        external_service,
        deleted_at,
        followup_reason,
        followup_datetime,
        followup_status,
        followup_completed_at,
        user_name,
        unknown,
    } = payload;
    at.note_unknown(&unknown);
    let modified_at = updated_at.read(at, "updated_at");
    let columns = EventColumns {
        event_type: event_type.read(at, "event_type"),
        description: description.read(at, "description"),
        followup_status: followup_status.read(at, "followup_status"),
        followup_reason: followup_reason.read(at, "followup_reason"),
        followup_at: followup_datetime.read(at, "followup_datetime"),
        followup_completed_at: followup_completed_at.read(at, "followup_completed_at"),
        external_service: external_service.read(at, "external_service"),
        user_name: user_name.read(at, "user_name"),
        source_created_at: created_at.read(at, "created_at"),
        deleted_at: deleted_at.read(at, "deleted_at"),
    };
    let external_id = by_id::own_id(id, capital_id, at, "event")?;
    Some((external_id, EventFacts { external_id: String::new(), modified_at, columns }))
}
