//! What tests say of an answer, in few words.

use serde_json::{Value, json};

use super::Answer;

impl Answer {
    /// The outcome; nothing where there is none, as in a refusal.
    pub(crate) fn outcome(&self) -> &str {
        self.body["outcome"].as_str().unwrap_or_default()
    }

    /// The id of the delivery.
    pub(crate) fn id(&self) -> &str {
        self.body["delivery_id"].as_str().unwrap()
    }

    /// It is answered 200 with this outcome and with findings of just these codes, in this order.
    #[track_caller]
    pub(crate) fn expect(&self, outcome: &str, codes: &[&str]) {
        assert_eq!((self.status.as_u16(), self.outcome(), self.codes().as_slice()), (200, outcome, codes), "{self:?}");
    }

    /// Its reply says this; what is null here does not stand in it at all.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "its callers make the value on the spot")]
    pub(crate) fn expect_parts(&self, parts: Value) {
        for (part, said) in parts.as_object().unwrap() {
            assert_eq!(self.body.get(part), Some(said).filter(|said| !said.is_null()), "{part} of {self:?}");
        }
    }

    /// Its findings, each as its code and its path.
    pub(crate) fn findings(&self) -> Vec<(&str, &str)> {
        fn text(value: &Value) -> &str {
            value.as_str().unwrap_or_default()
        }
        let findings = self.body["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(&finding["code"]), text(&finding["path"]))).collect()
    }

    /// The paths of the findings with a code.
    pub(crate) fn paths(&self, code: &str) -> Vec<&str> {
        self.findings().into_iter().filter(|(found, _)| *found == code).map(|(_, path)| path).collect()
    }
}

/// What the reply to a cluster says of one kind.
pub(crate) fn counts(created: u32, updated: u32, unchanged: u32) -> Value {
    json!({ "created": created, "updated": updated, "unchanged": unchanged })
}

#[cfg(test)]
fn applied_with_a_finding() -> Answer {
    let body = json!({ "outcome": "applied", "lead": "created", "findings": [{ "code": "email_missing" }] });
    Answer { status: axum::http::StatusCode::OK, body }
}

#[test]
#[should_panic(expected = "email_missing")]
fn a_finding_that_is_not_expected_is_told() {
    applied_with_a_finding().expect("applied", &[]);
}

#[test]
#[should_panic(expected = "lead of")]
fn what_must_not_stand_in_a_reply_is_told() {
    let answer = applied_with_a_finding();
    answer.expect("applied", &["email_missing"]);
    answer.expect_parts(json!({ "person": null, "lead": null }));
}
