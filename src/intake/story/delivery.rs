//! A delivery as it is told, out of its row: what it changed, and what was found. What a row holds that is not as
//! forecourt writes it is told as that, and hides nothing else.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::types::{Delivery, Effect, Finding, OtherBooking, Replay, Standing};
use crate::domain::finding::Code;
use crate::store::story::{DeliveryRow, LeadRow};

/// What stands in the way of bookings: the code, and how the path ends where it may mean something else elsewhere.
const BLOCKERS: [(&str, &str); 9] = [
    ("email_missing", ""),
    ("email_invalid", ""),
    ("date_invalid", "prospect.dob"),
    ("asset_not_given", ""),
    ("asset_not_found", ""),
    ("asset_archived", ""),
    ("location_not_found", ""),
    ("package_not_given", ""),
    ("package_not_found", ""),
];

/// What is told where a column cannot be read.
const UNREADABLE: &str = "cannot be read";

/// What else is told in the same story.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    /// Its leads.
    pub(super) leads: &'a [LeadRow],
    /// Its deliveries, the oldest first.
    pub(super) deliveries: &'a [DeliveryRow],
}

/// The delivery, as a part of a story.
pub(super) fn read(row: &DeliveryRow, told: Told<'_>) -> Delivery {
    let (effects, other_bookings) = changes(&row.changes);
    let mut findings: Vec<Finding> = match row.findings.as_ref().and_then(Value::as_array) {
        Some(findings) => findings.iter().map(|finding| read_finding(finding, row, told)).collect(),
        None => Vec::new(),
    };
    // Sorting is stable: within each kind they stand as they were noted.
    findings.sort_by_key(|finding| finding.blocker.is_none());
    let shown = u64::try_from(findings.len()).unwrap_or_default();
    Delivery {
        id: row.id,
        feed: row.feed.clone(),
        credential: row.credential.clone(),
        external_id: row.external_id.clone(),
        dealership_id: row.dealership_id,
        outcome: row.outcome.clone(),
        effects,
        other_bookings,
        findings,
        more_findings: u64::try_from(row.finding_count).unwrap_or_default().saturating_sub(shown),
        attempts: row.attempts,
        settled_at: row.settled_at,
        retry_at: row.retry_at,
        erased_at: row.erased_at,
        replays: row.replays.as_array().into_iter().flatten().filter_map(read_replay).collect(),
    }
}

fn changes(changes: &Value) -> (Vec<Effect>, Vec<OtherBooking>) {
    let Some(changes) = changes.as_object() else {
        return (vec![Effect { of: "changes".to_owned(), became: UNREADABLE.to_owned() }], Vec::new());
    };
    let mut effects = Vec::new();
    for (of, became) in changes.iter().filter(|(of, _)| *of != "other_bookings") {
        effects.push(Effect { of: of.clone(), became: in_words(became) });
    }
    (effects, changes.get("other_bookings").map(other_bookings).unwrap_or_default())
}

/// What became of a kind of row: a word, or how many became what, without those that nothing became of.
fn in_words(became: &Value) -> String {
    if let Some(word) = became.as_str() {
        return word.to_owned();
    }
    let Some(counts) = became.as_object() else { return UNREADABLE.to_owned() };
    let count = |name: &&str| counts.get(*name).and_then(Value::as_u64).filter(|count| *count > 0);
    let parts = ["created", "updated", "unchanged", "blocked"];
    let parts = parts.iter().filter_map(|name| Some(format!("{} {name}", count(name)?)));
    parts.collect::<Vec<String>>().join(", ")
}

fn other_bookings(by_effect: &Value) -> Vec<OtherBooking> {
    let mut bookings = Vec::new();
    for (became, leads) in by_effect.as_object().into_iter().flatten() {
        for lead in leads.as_array().into_iter().flatten().filter_map(Value::as_str) {
            bookings.push(OtherBooking { lead: lead.to_owned(), became: became.clone() });
        }
    }
    bookings
}

fn read_finding(finding: &Value, row: &DeliveryRow, told: Told<'_>) -> Finding {
    let text = |name: &str| finding.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = text("code").unwrap_or_else(|| UNREADABLE.to_owned());
    let path = text("path");
    let (meaning, remedy) = explain(&code);
    let blocker = standing(&code, path.as_deref(), row, told);
    Finding { message: text("message").unwrap_or_default(), code, path, meaning, remedy, blocker }
}

/// What a code means and what is to be done about it.
pub(super) fn explain(code: &str) -> (String, String) {
    Code::named(code).map_or_else(
        || ("This version of forecourt does not know this code.".to_owned(), String::new()),
        |code| (code.meaning().to_owned(), code.remedy().to_owned()),
    )
}

/// What became of a finding that stood in the way of a booking. Of a delivery of several leads it is not known which of
/// them it is about.
fn standing(code: &str, path: Option<&str>, row: &DeliveryRow, told: Told<'_>) -> Option<Standing> {
    let ends = BLOCKERS.iter().find(|(blocker, _)| *blocker == code)?.1;
    path.unwrap_or_default().ends_with(ends).then_some(())?;
    let asking: Vec<&LeadRow> = match row.feed.as_str() {
        "lead" | "leadpro_lead" => told.leads.iter().filter(|lead| is_of(row, lead)).collect(),
        "lead_cluster" => told.leads.iter().filter(|lead| lead.cluster == row.external_id).collect(),
        _ => Vec::new(),
    };
    let asking: Vec<&LeadRow> = asking.into_iter().filter(|lead| lead.booking_state != "not_requested").collect();
    match asking.as_slice() {
        [] => None,
        [lead] if lead.booking_blockers.iter().any(|blocker| blocker == code) => Some(Standing::Stands),
        [lead] => Some(Standing::Gone { by: mended(code, row, lead, told).or(lead.delivery_id) }),
        _ => Some(Standing::Unknown),
    }
}

/// Whether a delivery is of one lead, and this is the lead.
fn is_of(row: &DeliveryRow, lead: &LeadRow) -> bool {
    matches!(row.feed.as_str(), "lead" | "leadpro_lead") && row.external_id.as_ref() == Some(&lead.external_id)
}

/// The delivery since which this stands in the way no longer: of the vehicle, where the vehicle was missing; else of the lead.
fn mended(code: &str, row: &DeliveryRow, lead: &LeadRow, told: Told<'_>) -> Option<Uuid> {
    let own = mended_by_lead(code, row, lead, told.deliveries);
    // Of several leads it is not known whose vehicle a delivery is about.
    if !matches!(told.leads, [_]) {
        return own.map(|own| own.id);
    }
    let until = own.map(|own| own.received_at);
    let of_vehicle = told.deliveries.iter().filter(|later| {
        later.received_at > row.received_at && until.is_none_or(|until| later.received_at < until) && has_written(later)
    });
    let of_vehicle = match code {
        "asset_not_found" => of_vehicle.min_by_key(|later| later.received_at),
        "asset_archived" => of_vehicle.max_by_key(|later| later.received_at),
        _ => None,
    };
    of_vehicle.or(own).map(|by| by.id)
}

/// Whether a delivery made or changed a vehicle.
fn has_written(row: &DeliveryRow) -> bool {
    let became = row.changes.get("listing").and_then(Value::as_str);
    row.feed == "inventory" && matches!(became, Some("created" | "updated"))
}

/// The next delivery of the lead that asked for a booking and in which this stood in the way no longer.
fn mended_by_lead<'d>(
    code: &str,
    row: &DeliveryRow,
    lead: &LeadRow,
    deliveries: &'d [DeliveryRow],
) -> Option<&'d DeliveryRow> {
    let later = deliveries.iter().filter(|later| is_of(later, lead) && later.received_at > row.received_at);
    let asks = |later: &&DeliveryRow| later.changes.get("booking").is_some();
    let has = |later: &DeliveryRow| {
        let findings = later.findings.as_ref().and_then(Value::as_array).into_iter().flatten();
        findings.filter_map(|finding| finding.get("code")?.as_str()).any(|known| known == code)
    };
    later.filter(asks).find(|later| !has(later))
}

fn read_replay(replay: &Value) -> Option<Replay> {
    let at = replay.get("at")?.as_str()?.parse().ok()?;
    let outcome = |of: &str| Some(replay.get(of)?.get("outcome")?.as_str()?.to_owned());
    Some(Replay { at, before: outcome("before"), outcome: outcome("replay")? })
}

/// The leads whose bookings a delivery made that was not about them.
pub(super) fn healed(row: &DeliveryRow) -> BTreeSet<String> {
    let (_, bookings) = changes(&row.changes);
    bookings.into_iter().filter(|booking| booking.became == "created").map(|booking| booking.lead).collect()
}

/// The leads of which a delivery made or changed bookings without being about them.
pub(super) fn others(row: &DeliveryRow) -> Vec<String> {
    changes(&row.changes).1.into_iter().map(|booking| booking.lead).collect()
}
