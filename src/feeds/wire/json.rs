//! JSON that is kept: as sent but for what Postgres cannot hold, or put together from what was read.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

use rust_decimal::Decimal;
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use super::tree::{Fields, Value};
use crate::domain::values::text::trimmed;
use crate::domain::values::{self, Json};

/// JSON made fit for keeping.
pub(super) struct Cleaned {
    pub(super) json: Json,
    /// Whether U+0000 was removed from a text or a name.
    pub(super) had_nul: bool,
}

/// How many values are kept of one field at the most. What is loaded again from its row becomes `serde_json`'s values, of
/// which one can take 656 bytes.
pub(super) const MOST: usize = 10_000;

/// How many values there are in all.
fn count<'a>(values: impl Iterator<Item = &'a Value<'a>>) -> usize {
    let of = |value: &'a Value<'a>| match value {
        Value::Object(fields) => 1 + count(fields.values()),
        Value::Array(items) => 1 + count(items.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    };
    values.map(of).sum()
}

/// All fields of an object; nothing where there are too many values in them.
pub(super) fn of_fields(fields: &Fields<'_>) -> Option<Cleaned> {
    (count(fields.values()) <= MOST).then_some(())?;
    let had_nul = Cell::new(false);
    let fields = with_clean_names(fields, &had_nul);
    let json = written(&Kept { had_nul: &had_nul, value: &*fields });
    Some(Cleaned { json, had_nul: had_nul.get() })
}

/// The fields that `is_apart` does not name, and those that it does, or that hold a field that it does, however deep;
/// the latter only where any of them says something. Nothing where there are too many values in them.
pub(super) fn in_halves(fields: &Fields<'_>, is_apart: impl Fn(&str) -> bool) -> Option<(Cleaned, Option<Json>)> {
    (count(fields.values()) <= MOST).then_some(())?;
    let had_nul = Cell::new(false);
    let fields = with_clean_names(fields, &had_nul);
    let (apart, rest): (Vec<_>, Vec<_>) =
        fields.iter().partition(|(name, value)| is_apart(name) || holds(value, &is_apart));
    let is_silent = |text: &str| trimmed(&text.replace('\0', "")).is_empty();
    let says_something = |value: &Value<'_>| !value.is_null() && value.as_str().is_none_or(|text| !is_silent(text));
    let says_something = apart.iter().any(|(_, value)| says_something(value));
    let half = |fields: &Vec<_>| written(&Kept { had_nul: &had_nul, value: fields.as_slice() });
    let (rest, apart) = (half(&rest), half(&apart));
    Some((Cleaned { json: rest, had_nul: had_nul.get() }, says_something.then_some(apart)))
}

/// Whether a field that `is_named` names stands somewhere in a value.
fn holds(value: &Value<'_>, is_named: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| is_named(name) || holds(value, is_named)),
        Value::Array(items) => items.iter().any(|item| holds(item, is_named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The items of a list; nothing where there are too many values in them.
pub(super) fn of_items(items: &[Value<'_>]) -> Option<Cleaned> {
    (count(items.iter()) <= MOST).then_some(())?;
    let had_nul = Cell::new(false);
    let items: Cow<'_, [Value<'_>]> = if items.iter().any(has_unclean_names) {
        items.iter().map(|item| clean(item, &had_nul)).collect()
    } else {
        Cow::Borrowed(items)
    };
    let json = written(&Kept { had_nul: &had_nul, value: &*items });
    Some(Cleaned { json, had_nul: had_nul.get() })
}

/// A part of a body on its way into a text: as it was sent, but for what Postgres cannot hold.
struct Kept<'a, T: ?Sized> {
    value: &'a T,
    /// Set where U+0000 is left out.
    had_nul: &'a Cell<bool>,
}

/// The text of a part of a body.
fn written<T: ?Sized>(kept: &Kept<'_, T>) -> Json
where
    for<'a> Kept<'a, T>: Serialize,
{
    // Writing values of JSON to a text cannot fail.
    Json::from_text(serde_json::to_string(kept).unwrap_or_default())
}

impl Serialize for Kept<'_, Value<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, had_nul } = *self;
        match value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) if number.is_f64() => settled(number).serialize(serializer),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => serializer.serialize_str(&clean_text(text, had_nul)),
            Value::Array(items) => Kept { value: &**items, had_nul }.serialize(serializer),
            Value::Object(fields) => Kept { value: fields, had_nul }.serialize(serializer),
        }
    }
}

impl Serialize for Kept<'_, [Value<'_>]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.value.iter().map(|value| Kept { value, had_nul: self.had_nul }))
    }
}

impl Serialize for Kept<'_, Fields<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.value.iter().map(|(name, value)| (name, Kept { value, had_nul: self.had_nul }));
        serializer.collect_map(fields)
    }
}

impl Serialize for Kept<'_, [(&str, &Value<'_>)]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.value.iter().map(|(name, value)| (name, Kept { value: *value, had_nul: self.had_nul }));
        serializer.collect_map(fields)
    }
}

/// Whether U+0000 stands in the name of a field, however deep. Without it two names can become one.
fn has_unclean_names(value: &Value<'_>) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_unclean_names(value)),
        Value::Array(items) => items.iter().any(has_unclean_names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The fields, copied where names have to be cleaned.
fn with_clean_names<'a>(fields: &'a Fields<'a>, had_nul: &Cell<bool>) -> Cow<'a, Fields<'a>> {
    if fields.iter().any(|(name, value)| name.contains('\0') || has_unclean_names(value)) {
        Cow::Owned(clean_fields(fields, had_nul))
    } else {
        Cow::Borrowed(fields)
    }
}

fn clean<'a>(value: &'a Value<'a>, had_nul: &Cell<bool>) -> Value<'a> {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| clean(item, had_nul)).collect()),
        Value::Object(fields) => Value::Object(clean_fields(fields, had_nul)),
        Value::String(text) => Value::String(Cow::Borrowed(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn clean_fields<'a>(fields: &'a Fields<'a>, had_nul: &Cell<bool>) -> Fields<'a> {
    fields.iter().map(|(name, value)| (clean_text(name, had_nul), clean(value, had_nul))).collect()
}

fn clean_text<'a>(text: &'a str, had_nul: &Cell<bool>) -> Cow<'a, str> {
    if !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    had_nul.set(true);
    Cow::Owned(text.replace('\0', ""))
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
pub struct Rebuilt(BTreeMap<String, Part>);

/// The value of a field that is put together.
#[derive(Debug)]
enum Part {
    Value(serde_json::Value),
    /// As it is kept: a list of any length need not become values again.
    Kept(Json),
}

impl Rebuilt {
    /// Begins with the fields of an object that is kept, where there is one.
    #[must_use]
    pub fn of(json: Option<&Json>) -> Self {
        let tree = json.and_then(|json| serde_json::from_str::<Value<'_>>(json.as_str()).ok());
        let fields = tree.as_ref().and_then(Value::as_object).into_iter().flat_map(Fields::iter);
        let kept = |value: &Value<'_>| Part::Kept(Json::from_text(serde_json::to_string(value).unwrap_or_default()));
        Self(fields.map(|(name, value)| (name.to_owned(), kept(value))).collect())
    }

    /// Adds a field where there is a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl Into<serde_json::Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), Part::Value(value.into()));
        }
        self
    }

    /// Adds a number where there is one.
    #[must_use]
    pub fn with_number(self, name: &str, number: Option<Decimal>) -> Self {
        self.with(name, number.and_then(|number| serde_json::from_str::<serde_json::Value>(&number.to_string()).ok()))
    }

    /// Adds an id, as a number where it is one.
    #[must_use]
    pub fn with_id(self, name: &str, id: Option<&str>) -> Self {
        self.with(
            name,
            id.map(|id| match id.parse::<i64>() {
                Ok(number) if number.to_string() == id => serde_json::Value::from(number),
                Ok(_) | Err(_) => serde_json::Value::from(id),
            }),
        )
    }

    /// Adds a value that is kept whole, where there is one.
    #[must_use]
    pub fn with_json(mut self, name: &str, json: Option<&Json>) -> Self {
        if let Some(json) = json {
            self.0.insert(name.to_owned(), Part::Kept(json.clone()));
        }
        self
    }

    /// The object; `None` where it holds nothing.
    #[must_use]
    pub fn into_json(self) -> Option<Json> {
        if self.0.is_empty() {
            return None;
        }
        let mut text = String::from("{");
        for (name, part) in self.0 {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::String(name).to_string());
            text.push(':');
            match part {
                Part::Value(value) => text.push_str(&value.to_string()),
                Part::Kept(json) => text.push_str(json.as_str()),
            }
        }
        text.push('}');
        Some(Json::from_text(text))
    }
}

/// How many bytes a value has when it is written without spaces.
pub(super) fn bytes(value: &Value<'_>) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0 += piece.len();
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Writing values of JSON to a counter cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}
