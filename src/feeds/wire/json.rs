//! JSON that is kept: as sent but for what Postgres cannot hold, or put together from what was read.

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};

use crate::domain::values::{self, Json};

/// JSON made fit for keeping.
pub(super) struct Cleaned {
    pub(super) json: Json,
    /// Whether U+0000 was removed from a text or a name.
    pub(super) had_nul: bool,
}

/// All fields of an object.
pub(super) fn of_fields(fields: &Map<String, Value>) -> Cleaned {
    let mut had_nul = false;
    let cleaned = clean_fields(fields, &mut had_nul);
    Cleaned { json: Json::from_text(Value::Object(cleaned).to_string()), had_nul }
}

/// The fields that `is_apart` does not name, and those that it does, or that hold a field that it does, however deep;
/// the latter only where any of them says something.
pub(super) fn in_halves(fields: &Map<String, Value>, is_apart: impl Fn(&str) -> bool) -> (Cleaned, Option<Json>) {
    let mut had_nul = false;
    let cleaned = clean_fields(fields, &mut had_nul);
    let (apart, rest): (Map<_, _>, Map<_, _>) =
        cleaned.into_iter().partition(|(name, value)| is_apart(name) || holds(value, &is_apart));
    let says_something = |value: &Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
    let apart = apart.values().any(says_something).then(|| Json::from_text(Value::Object(apart).to_string()));
    (Cleaned { json: Json::from_text(Value::Object(rest).to_string()), had_nul }, apart)
}

/// Whether a field that `is_named` names stands somewhere in a value.
fn holds(value: &Value, is_named: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| is_named(name) || holds(value, is_named)),
        Value::Array(items) => items.iter().any(|item| holds(item, is_named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The items of a list.
pub(super) fn of_items(items: &[Value]) -> Cleaned {
    let mut had_nul = false;
    let cleaned = items.iter().map(|item| clean(item, &mut had_nul)).collect();
    Cleaned { json: Json::from_text(Value::Array(cleaned).to_string()), had_nul }
}

fn clean(value: &Value, had_nul: &mut bool) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => Value::Number(settled(number)),
        Value::String(text) => Value::String(clean_text(text, had_nul)),
        Value::Array(items) => items.iter().map(|item| clean(item, had_nul)).collect(),
        Value::Object(fields) => Value::Object(clean_fields(fields, had_nul)),
    }
}

fn clean_fields(fields: &Map<String, Value>, had_nul: &mut bool) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (clean_text(name, had_nul), clean(value, had_nul))).collect()
}

fn clean_text(text: &str, had_nul: &mut bool) -> String {
    *had_nul |= text.contains('\0');
    text.replace('\0', "")
}

/// The number in the form in which it comes back from `jsonb`, so that what is kept equals what was read: there a
/// zero has no sign, and a whole number no exponent.
pub(super) fn settled(number: &Number) -> Number {
    if number.as_f64() == Some(0.0) && number.is_f64() {
        return Number::from_f64(0.0).unwrap_or_else(|| number.clone());
    }
    let text = number.to_string();
    let whole = text.contains('e').then(|| values::decimal(&text)).flatten().filter(Decimal::is_integer);
    let parsed = whole.and_then(|whole| serde_json::from_str::<Number>(&whole.to_string()).ok());
    parsed.unwrap_or_else(|| number.clone())
}

/// An object that is put together from what was read; what is not there is left out.
#[derive(Debug, Default)]
pub struct Rebuilt(Map<String, Value>);

impl Rebuilt {
    /// Adds a field where there is a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Adds a number where there is one.
    #[must_use]
    pub fn with_number(self, name: &str, number: Option<Decimal>) -> Self {
        self.with(name, number.and_then(|number| serde_json::from_str::<Value>(&number.to_string()).ok()))
    }

    /// Adds an id, as a number where it is one.
    #[must_use]
    pub fn with_id(self, name: &str, id: Option<&str>) -> Self {
        self.with(
            name,
            id.map(|id| match id.parse::<i64>() {
                Ok(number) if number.to_string() == id => Value::from(number),
                Ok(_) | Err(_) => Value::from(id),
            }),
        )
    }

    /// Adds a value that is kept whole, where there is one.
    #[must_use]
    pub fn with_json(self, name: &str, json: Option<&Json>) -> Self {
        self.with(name, json.and_then(|json| serde_json::from_str::<Value>(json.as_str()).ok()))
    }

    /// The object; `None` where it holds nothing.
    #[must_use]
    pub fn into_json(self) -> Option<Json> {
        (!self.0.is_empty()).then(|| Json::from_text(Value::Object(self.0).to_string()))
    }
}
