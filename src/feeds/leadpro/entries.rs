//! Lists of LeadPro whose entries are no objects: they are kept whole, and their entries looked at.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};

use crate::domain::finding::Code;
use crate::domain::values;
use crate::feeds::lenient::{Dropped, Items, Position, Scalar};

/// `questionnaire`: whether each entry is a list of two texts.
#[derive(Default)]
pub struct Questionnaire(Items<IsPair>);

/// `hours`: texts, each an ISO 8601 date.
#[derive(Default)]
pub struct Hours(Items<IsDate>);

/// `meta`: any fields, each a text.
#[derive(Default)]
pub struct TextsByName(Dropped);

/// Whether an entry is a question with its answer.
#[derive(Default)]
struct IsPair(bool);

/// Whether an entry is an ISO 8601 date.
#[derive(Default)]
struct IsDate(bool);

impl Questionnaire {
    /// Notes the entries that are no pairs, of a list that stands at a place.
    pub(super) fn note(self, here: &Position<'_>) {
        let Self(items) = self;
        for (position, IsPair(is_pair)) in items.read(here).into_iter().enumerate() {
            if !is_pair {
                here.entry(position).note_here(Code::FieldType, "expected a list of two texts; kept as sent");
            }
        }
    }
}

impl Hours {
    /// Notes the entries that are no dates, of a list that stands at a place.
    pub(super) fn note(self, here: &Position<'_>) {
        let Self(items) = self;
        for (position, IsDate(is_date)) in items.into_entries().into_iter().enumerate() {
            if !is_date {
                here.entry(position).note_here(Code::DateInvalid, "not an ISO 8601 date; kept as sent");
            }
        }
    }
}

/// Whether it is a date as `yyyy-mm-dd`, with or without a time, in some zone or in none.
fn is_iso_8601(text: &str) -> bool {
    let is_date = !text.contains('/') && values::date(text).is_some();
    is_date || values::timestamp(text).is_some() || values::local_date_time(text).is_some()
}

impl<'de> Deserialize<'de> for IsPair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry: Items<Scalar<'de>> = Items::deserialize(deserializer)?;
        let entries = entry.into_entries();
        Ok(Self(entries.len() == 2 && entries.iter().all(|entry| matches!(entry, Scalar::Text(_)))))
    }
}

impl<'de> Deserialize<'de> for IsDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Scalar::deserialize(deserializer)?;
        Ok(Self(matches!(entry, Scalar::Text(text) if is_iso_8601(&text))))
    }
}

macro_rules! delegate {
    ($($name:ident: $schema:tt;)*) => {
        $(impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Deserialize::deserialize(deserializer).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })*
    };
}

delegate! {
    Questionnaire: {
        "type": ["array", "null"],
        "items": { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 }
    };
    Hours: { "type": ["array", "null"], "items": { "type": "string" } };
    TextsByName: { "type": "object", "additionalProperties": { "type": "string" } };
}
