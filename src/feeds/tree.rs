//! A body as a tree of values that borrows from it.
//!
//! It takes a fraction of what `serde_json::Value` does: there a small object takes 640 bytes and every text is a copy,
//! here a field takes 56 bytes and a text is copied only where an escape stands in it. So what a body becomes is bounded
//! by the number of its values (see `feeds::scan`), which a sender cannot multiply.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

/// A value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Cow<'a, str>),
    /// A list.
    Array(Box<[Value<'a>]>),
    /// An object.
    Object(Fields<'a>),
}

/// The fields of an object, by name; of a name that is repeated the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields<'a>(Box<[(Cow<'a, str>, Value<'a>)]>);

impl<'a> Fields<'a> {
    fn of(mut fields: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        if !fields.is_sorted_by(|(one, _), (next, _)| one < next) {
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            // The sort keeps the order of equal names, and the first of them stays: it gets the value of the last.
            fields.dedup_by(|later, first| {
                let is_repeated = later.0 == first.0;
                if is_repeated {
                    std::mem::swap(later, first);
                }
                is_repeated
            });
        }
        Self(fields.into_boxed_slice())
    }

    /// The value of a field.
    #[must_use]
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let index = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// The fields with their values, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The names, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for Fields<'a> {
    fn from_iter<T: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(fields: T) -> Self {
        Self::of(fields.into_iter().collect())
    }
}

impl<'a> Value<'a> {
    /// The fields, where it is an object.
    #[must_use]
    pub(super) fn as_object(&self) -> Option<&Fields<'a>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items.into_boxed_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = access.next_key_seed(Name)? {
            fields.push((name, access.next_value()?));
        }
        Ok(Value::Object(Fields::of(fields)))
    }
}

/// The name of a field; `Cow` itself would copy it.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(text: &str) {
        let tree: Value<'_> = serde_json::from_str(text).unwrap();
        let reference: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&tree).unwrap(), reference.to_string(), "{text}");
    }

    #[test]
    fn a_field_is_small() {
        assert!(size_of::<(Cow<'_, str>, Value<'_>)>() <= 56);
    }

    #[test]
    fn of_a_repeated_name_the_last_counts_and_names_are_in_order() {
        same(r#"{"b":1,"a":2,"b":{"z":1,"y":[2,{}],"z":3},"a":null,"b\u0000":"\ud83d\ude00","b":4}"#);
        let tree: Value<'_> = serde_json::from_str(r#"{"b":1,"a":2,"b":3}"#).unwrap();
        let fields = tree.as_object().unwrap();
        assert_eq!(fields.get("b"), Some(&Value::Number(3.into())));
        assert_eq!(fields.get("c"), None);
        assert_eq!(fields.names().collect::<Vec<_>>(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn a_tree_is_what_serde_json_reads(names in proptest::collection::vec("[ab\"\\\\\u{0}é]{0,2}", 0..8), number in any::<f64>()) {
            let fields: Vec<String> =
                names.iter().map(|name| format!("{}:{}", serde_json::json!(name), serde_json::json!(number))).collect();
            same(&format!("[{{{}}},{}]", fields.join(","), serde_json::json!(names)));
        }
    }
}
