//! The claims of a signed token about the token itself (RFC 7519 §4.1). They are read as the payload is, which they
//! are: by its parser, and numbers also where they stand in a text.

use serde_json::Value;

use crate::domain::values;
use crate::feeds::json;

/// When a token may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenTimes {
    /// `exp`: until before then.
    pub expires: NumericDate,
    /// `nbf`: from then on.
    pub not_before: NumericDate,
}

/// A time that a claim gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumericDate {
    /// The claim is not there, is null, or is an empty text.
    Absent,
    /// In seconds since 1970, which may have a fraction.
    At(f64),
    /// Something is there that is no number, so that the time cannot be checked.
    Unusable,
}

/// When a token with these claims may be used; `None` where they are not JSON.
#[must_use]
pub fn token_times(claims: &[u8]) -> Option<TokenTimes> {
    let claims: Value = json::parse(claims).ok()?;
    let date = |name| claims.get(name).map_or(NumericDate::Absent, numeric_date);
    Some(TokenTimes { expires: date("exp"), not_before: date("nbf") })
}

fn numeric_date(value: &Value) -> NumericDate {
    let number = match value {
        Value::Null => return NumericDate::Absent,
        Value::String(text) if text.replace('\0', "").trim().is_empty() => return NumericDate::Absent,
        Value::Number(number) => number.as_f64(),
        Value::String(text) => values::decimal(&text.replace('\0', "")).and_then(|number| number.try_into().ok()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map_or(NumericDate::Unusable, NumericDate::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_wherever_the_payload_counts() {
        use NumericDate::{Absent, At, Unusable};
        for (claims, expires) in [
            ("{}", Some(Absent)),
            (r#"{"exp":null}"#, Some(Absent)),
            (r#"{"exp":" "}"#, Some(Absent)),
            (r#"{"exp":1700000000}"#, Some(At(1.7e9))),
            ("\u{feff}{\"exp\":1700000000}", Some(At(1.7e9))),
            (" \n{\"exp\" : 1700000000.25}", Some(At(1_700_000_000.25))),
            (r#"{"exp":"1700000000"}"#, Some(At(1.7e9))),
            (r#"{"exp":1,"exp":2}"#, Some(At(2.0))),
            (r#"{"exp":1,"exp":null}"#, Some(Absent)),
            (r#"{"\u0065xp":3}"#, Some(At(3.0))),
            (r#"{"exp":-5}"#, Some(At(-5.0))),
            (r#"{"exp":1e300}"#, Some(At(1e300))),
            (r#"{"exp":18446744073709551616}"#, Some(At(18_446_744_073_709_551_616.0))),
            (r#"{"exp":"tomorrow"}"#, Some(Unusable)),
            (r#"{"exp":true}"#, Some(Unusable)),
            (r#"{"exp":[1]}"#, Some(Unusable)),
            (r#"{"exp":{"at":1}}"#, Some(Unusable)),
            (r#"{"data":{"exp":1}}"#, Some(Absent)),
            (r#"[{"exp":1}]"#, Some(Absent)),
            (r#"{"exp":1e999}"#, None),
            ("\u{feff}\u{feff}{\"exp\":1}", None),
            ("not JSON", None),
        ] {
            assert_eq!(token_times(claims.as_bytes()).map(|times| times.expires), expires, "{claims}");
            let before = token_times(claims.replace("exp", "nbf").replace("\\u0065xp", "nbf").as_bytes());
            assert_eq!(before.map(|times| times.not_before), expires, "{claims}");
        }
    }
}
