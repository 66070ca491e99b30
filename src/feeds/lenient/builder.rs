//! Objects that are put together from what was read.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::kind::TextOrNumberValue;
use crate::domain::values::Json;

/// An object on its way into its text; what is absent is left out. Names are given in their order and need no escape, so
/// that equal objects have equal texts.
#[derive(Debug, Default)]
pub struct JsonBuilder {
    text: String,
    #[cfg(debug_assertions)]
    last: &'static str,
}

impl JsonBuilder {
    /// Writes a field's name, with the comma before it.
    fn field(&mut self, name: &'static str) {
        #[cfg(debug_assertions)]
        {
            assert!(self.last < name, "{name} stands behind {}", self.last);
            self.last = name;
        }
        if self.text.is_empty() {
            self.text.reserve(128);
        }
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    /// Adds a text, where there is one.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.field(name);
            self.push_text(text);
        }
        self
    }

    fn push_text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            // A text can be written as JSON.
            self.text.push_str(&serde_json::to_string(text).unwrap_or_default());
        } else {
            self.text.push('"');
            self.text.push_str(text);
            self.text.push('"');
        }
    }

    /// Adds a whole number.
    #[must_use]
    pub fn whole(mut self, name: &'static str, number: Option<i64>) -> Self {
        if let Some(number) = number {
            self.field(name);
            // Writing to a text cannot fail.
            let _ = write!(self.text, "{number}");
        }
        self
    }

    /// Adds a number, where there is one.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: Option<Decimal>) -> Self {
        let Some(number) = number else { return self };
        if number.is_integer()
            && let Ok(whole) = i64::try_from(number)
        {
            return self.whole(name, Some(whole));
        }
        // As a double, which is what JSON holds.
        if let Ok(number) = serde_json::from_str::<serde_json::Number>(&number.to_string()) {
            self.field(name);
            let _ = write!(self.text, "{number}");
        }
        self
    }

    /// Adds an id, as a number where it is one.
    #[must_use]
    pub fn id(self, name: &'static str, id: Option<&str>) -> Self {
        match id.map(str::parse::<i64>) {
            Some(Ok(number)) if id == Some(&*number.to_string()) => self.whole(name, Some(number)),
            Some(Ok(_) | Err(_)) | None => self.text(name, id),
        }
    }

    /// Adds a text or a number.
    #[must_use]
    pub fn text_or_number(mut self, name: &'static str, value: Option<&TextOrNumberValue>) -> Self {
        match value {
            None => self,
            Some(TextOrNumberValue::Text(text)) => self.text(name, Some(text)),
            Some(TextOrNumberValue::Number(number)) => {
                self.field(name);
                let _ = write!(self.text, "{number}");
                self
            }
        }
    }

    /// Adds what is kept whole.
    #[must_use]
    pub fn json(mut self, name: &'static str, json: Option<&Json>) -> Self {
        if let Some(json) = json {
            self.field(name);
            self.text.push_str(json.as_str());
        }
        self
    }

    /// The object; `None` where it holds nothing.
    #[must_use]
    pub fn into_json(mut self) -> Option<Json> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push('}');
        Some(Json::from_text(self.text))
    }
}

/// An object that is kept, with fields in addition; one that is there already gets the new value.
#[must_use]
pub fn with_fields(kept: Option<Json>, fields: &[(&'static str, Option<&str>)]) -> Option<Json> {
    if fields.iter().all(|(_, value)| value.is_none()) {
        return kept;
    }
    let kept = kept.map(|kept| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(kept.as_str()));
    let mut object = kept.and_then(Result::ok).unwrap_or_default();
    for (name, value) in fields {
        if let Some(value) = value {
            object.insert((*name).to_owned(), (*value).into());
        }
    }
    Some(Json::from_text(serde_json::Value::from(object).to_string()))
}
