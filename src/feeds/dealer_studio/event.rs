//! What happened to a lead or a cluster: e-mails, calls, notes, follow-ups (Dealer Studio's cluster page). The lead
//! page shows the same list, always empty.

use crate::domain::facts::{EventColumns, EventFacts};
use crate::domain::workspace::Locale;
use crate::feeds::wire::Object;

use super::keyed;

const TYPES: [&str; 5] = ["email", "phone", "sms", "test_drive", "note"];
const FOLLOWUP_STATUSES: [&str; 2] = ["pending", "completed"];

/// Reads `lead_events` of a lead or of a cluster.
pub(super) fn list(holder: &Object<'_>, locale: &Locale) -> Vec<EventFacts> {
    let events = holder.array("lead_events").into_iter().flatten();
    let events =
        keyed::entries(events, "event", |event| (event.senders_time("updated_at", locale), read(event, locale)));
    events.map(|(external_id, (modified_at, columns))| EventFacts { external_id, modified_at, columns }).collect()
}

fn read(event: &Object<'_>, locale: &Locale) -> EventColumns {
    EventColumns {
        event_type: event.word("event_type", &TYPES),
        description: event.text("description"),
        followup_status: event.word("followup_status", &FOLLOWUP_STATUSES),
        followup_reason: event.text("followup_reason"),
        followup_at: event.timestamp("followup_datetime"),
        followup_completed_at: event.timestamp("followup_completed_at"),
        external_service: event.text("external_service"),
        user_name: event.text("user_name"),
        source_created_at: event.senders_time("created_at", locale),
        deleted_at: event.timestamp("deleted_at"),
    }
}
