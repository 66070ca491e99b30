//! The body posted beside a signed token, whose claims are the payload.

use super::json;
use super::tree::{Fields, Value};

/// The claims that are about the token and not the payload (RFC 7519 §4.1).
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Whether the posted body repeats the claims: the same values under the same names, in whatever order. A claim
/// about the token itself may be in both. A body that is many times larger than the claims is not parsed.
#[must_use]
pub fn matches_claims(claims: &[u8], body: &[u8]) -> bool {
    if body.len() / MOST_TIMES > claims.len() {
        return false;
    }
    let claims_tree = tree(claims);
    let Some(claims_fields) = claims_tree.as_ref().and_then(Value::as_object) else { return claims == body };
    let body_tree = tree(body);
    let Some(body_fields) = body_tree.as_ref().and_then(Value::as_object) else { return claims == body };
    let about_token = |name: &str| REGISTERED.contains(&name);
    let same_token = REGISTERED.iter().all(|name| {
        let field = body_fields.get(name);
        field.is_none() || field == claims_fields.get(name)
    });
    let rest = |fields: &'_ Fields<'_>| fields.names().filter(|name| !about_token(name)).count();
    let same = |(name, value): (&str, &Value<'_>)| about_token(name) || body_fields.get(name) == Some(value);
    same_token && rest(claims_fields) == rest(body_fields) && claims_fields.iter().all(same)
}

/// How many times longer the same can be when it is written with escapes and spaces.
const MOST_TIMES: usize = 16;

fn tree(body: &[u8]) -> Option<Value<'_>> {
    json::parse(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_values_under_the_same_names_say_the_same() {
        let claims = br#"{"event":"x","data":{"id":1,"name":"\u00fc"},"iat":7}"#;
        for (body, same) in [
            ("{\"data\": {\"name\":\"ü\", \"id\":1}, \"event\":\"x\"}", true),
            ("{\"event\":\"x\",\"data\":{\"id\":1,\"name\":\"ü\"},\"iat\":7}", true),
            ("\u{feff}{\"event\":\"x\",\"data\":{\"id\":1,\"name\":\"ü\"}}", true),
            ("{\"event\":\"x\",\"data\":{\"id\":1,\"name\":\"ü\"},\"iat\":8}", false),
            ("{\"event\":\"x\",\"data\":{\"id\":1,\"name\":\"u\"}}", false),
            ("{\"event\":\"x\",\"data\":{\"id\":\"1\",\"name\":\"ü\"}}", false),
            ("{\"event\":\"x\",\"data\":{\"id\":1,\"name\":\"ü\"},\"more\":null}", false),
            ("{\"event\":\"x\"}", false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(matches_claims(claims, body.as_bytes()), same, "{body}");
        }
        assert!(matches_claims(b"not JSON", b"not JSON"));
        assert!(!matches_claims(b"not JSON", b"neither"));
    }
}
