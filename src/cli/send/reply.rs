//! A reply of the service, in one line.

use serde_json::Value;

/// The effects in the order in which they are shown; others follow.
const EFFECTS: &[&str] = &["person", "lead", "lead_cluster", "listing", "booking"];
/// What a reply holds beside its effects.
const OTHERS: &[&str] = &["delivery_id", "outcome", "findings", "error"];

/// `200 applied; person created, booking blocked; asset_not_found`.
pub(super) fn line(status: u16, body: &[u8]) -> String {
    let Ok(Value::Object(reply)) = serde_json::from_slice(body) else {
        return format!("{status} (the reply is not JSON)");
    };
    let outcome = reply.get("outcome").or_else(|| reply.get("error")).and_then(Value::as_str).unwrap_or("no outcome");
    let known = EFFECTS.iter().filter_map(|name| reply.get_key_value(*name));
    let more = reply.iter().filter(|(name, _)| !EFFECTS.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()));
    let effects: Vec<String> = known.chain(more).map(|(name, value)| format!("{name} {}", effect(value))).collect();
    let findings = reply.get("findings").and_then(Value::as_array).into_iter().flatten();
    let codes: Vec<&str> = findings.filter_map(|finding| finding.get("code")?.as_str()).collect();
    let parts = [format!("{status} {outcome}"), effects.join(", "), codes.join(", ")];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    // What a stranger's service says must not steer the terminal.
    parts.join("; ").replace(char::is_control, "?")
}

/// A word, or counts: `created 3, updated 1`.
fn effect(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Object(counts) => {
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            counts.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_told_in_one_line() {
        let cases = [
            (
                200,
                r#"{"delivery_id":"x","outcome":"applied","booking":"blocked","lead":"created","person":"created",
                    "findings":[{"code":"asset_not_found","message":"m"},{"code":"vin_unusual"}]}"#,
                "200 applied; person created, lead created, booking blocked; asset_not_found, vin_unusual",
            ),
            (200, r#"{"outcome":"unchanged","findings":[]}"#, "200 unchanged"),
            (
                200,
                r#"{"outcome":"applied","lead_cluster":"created","lead":{"created":3,"updated":1}}"#,
                "200 applied; lead created 3 updated 1, lead_cluster created",
            ),
            (401, r#"{"error":"unauthorized"}"#, "401 unauthorized"),
            (200, "{\"outcome\":\"a\\u001b[31m\\n\"}", "200 a?[31m?"),
            (404, "<html>", "404 (the reply is not JSON)"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(line(status, body.as_bytes()), expected);
        }
    }
}
