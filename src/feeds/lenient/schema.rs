//! What the payloads' fields are in JSON Schema: the types that the pages give. That more is accepted is not part of it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::field::{Field, Unread};
use super::kept::{AnyValue, Kept, KeptInHalves};
use super::kind;
use super::listed::Listed;
use super::nested::{List, Nested, OneOrMany};

/// The schema of a kind of fields.
pub trait Described {
    /// The documented type, not all that is accepted.
    fn schema() -> Schema;
}

macro_rules! described {
    ($($kind:ty: $schema:tt;)*) => {
        $(impl Described for $kind {
            fn schema() -> Schema {
                json_schema!($schema)
            }
        })*
    };
}

described! {
    kind::Text: { "type": ["string", "null"] };
    kind::Name: { "type": ["string", "null"], "maxLength": 255 };
    kind::Id: { "type": ["integer", "string", "null"] };
    kind::LongId: { "type": ["integer", "string", "null"] };
    kind::NumberId: { "type": ["integer", "string", "null"] };
    kind::Postcode: { "type": ["integer", "string", "null"] };
    kind::Amount: { "type": ["number", "string", "null"] };
    kind::Whole: { "type": ["number", "string", "null"] };
    kind::Flag: { "type": ["boolean", "null"] };
    kind::TextOrNumber: { "type": ["string", "number", "null"] };
    kind::Time: { "type": ["string", "null"], "format": "date-time" };
    kind::SendersTime: { "type": ["string", "null"], "format": "date-time" };
    kind::Date: { "type": ["string", "null"], "description": "A date as dd/mm/yyyy." };
    kind::BirthDate: { "type": ["string", "null"], "description": "A date as dd/mm/yyyy." };
    kind::Email: { "type": ["string", "null"], "format": "email" };
    kind::Phone: { "type": ["string", "integer", "null"] };
    kind::Country: { "type": ["string", "null"] };
    kind::Vin: { "type": ["string", "integer", "null"] };
    kind::StockNumber: { "type": ["string", "integer", "null"] };
    kind::Texts: { "type": ["array", "null"], "items": { "type": "string" } };
    kind::Anything: {};
}

impl<L: Listed> Described for kind::OneOf<L> {
    /// The documented values are examples: another is accepted, and noted.
    fn schema() -> Schema {
        json_schema!({ "type": ["string", "null"], "examples": L::VALUES })
    }
}

/// Implements `JsonSchema` for a type whose schema stands where it is used.
macro_rules! inline_schema {
    ($([$($generics:tt)*] $type:ty, $generator:ident => $schema:expr;)*) => {
        $(impl<$($generics)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })*
    };
}

inline_schema! {
    [K: Described] Field<'_, K>, _generator => K::schema();
    [K: Described] Unread<K>, _generator => K::schema();
    [] AnyValue, _generator => json_schema!({ "type": ["object", "array", "null"] });
    [T: JsonSchema] Nested<T>, generator => or_null(&generator.subschema_for::<T>());
    [T: JsonSchema] List<T>, generator => {
        json_schema!({ "type": ["array", "null"], "items": generator.subschema_for::<T>() })
    };
    [T: JsonSchema] OneOrMany<T>, generator => {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }, { "type": "null" }] })
    };
    [T: JsonSchema] Kept<T>, generator => T::json_schema(generator);
    [T: JsonSchema] KeptInHalves<T>, generator => T::json_schema(generator);
}

fn or_null(schema: &Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "null" }] })
}
