//! Numbers of JSON, as they are kept and compared.

use rust_decimal::Decimal;
use serde_json::Number;

use crate::domain::values;

/// The largest whole number up to which a double holds every one, 2 to the 53rd.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number that JSON held exactly, in digits.
pub(super) fn whole_number_text(number: &Number) -> Option<String> {
    if !number.is_f64() {
        return Some(number.to_string());
    }
    let exact = number.as_f64().is_some_and(|number| number.abs() <= EXACT);
    let whole = values::decimal(&number.to_string()).filter(|number| exact && number.is_integer());
    whole.map(|whole| whole.to_string())
}

/// The number; `None` where it has more digits than are kept.
pub(super) fn decimal(number: &Number) -> Option<Decimal> {
    match number.as_i64() {
        Some(whole) => Some(Decimal::from(whole)),
        None => values::decimal(&number.to_string()),
    }
}

/// The number in the form in which it comes back from `jsonb`, so that what is kept equals what was read: there a
/// zero has no sign, and a whole number no exponent.
pub(super) fn settled(number: Number) -> Number {
    if !number.is_f64() {
        return number;
    }
    if number.as_f64() == Some(0.0) {
        return Number::from_f64(0.0).unwrap_or(number);
    }
    let text = number.to_string();
    let whole = text.contains('e').then(|| values::decimal(&text)).flatten().filter(Decimal::is_integer);
    let parsed = whole.and_then(|whole| serde_json::from_str::<Number>(&whole.to_string()).ok());
    parsed.unwrap_or(number)
}
