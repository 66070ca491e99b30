//! What was posted beside a signed token, whose claims are the payload.

use serde_json::Value;

use crate::feeds::json;

/// The claims of a token that say nothing of the payload (RFC 7519 §4.1).
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Whether the posted body says what the claims say: the same values under the same names, in whatever order. A claim
/// about the token itself may be in both.
#[must_use]
pub fn says_the_same(claims: &[u8], posted: &[u8]) -> bool {
    let read = |bytes| json::parse(bytes).ok();
    let (Some(Value::Object(mut claims)), Some(Value::Object(mut posted))) = (read(claims), read(posted)) else {
        return claims == posted;
    };
    for name in REGISTERED {
        let (claim, field) = (claims.remove(name), posted.remove(name));
        if field.is_some() && claim != field {
            return false;
        }
    }
    claims == posted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_values_under_the_same_names_say_the_same() {
        let claims = br#"{"event":"x","data":{"id":1,"name":"\u00fc"},"iat":7}"#;
        for (posted, same) in [
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
            assert_eq!(says_the_same(claims, posted.as_bytes()), same, "{posted}");
        }
        assert!(says_the_same(b"not JSON", b"not JSON"));
        assert!(!says_the_same(b"not JSON", b"neither"));
    }
}
