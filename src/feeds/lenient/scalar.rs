//! What stands in a field that holds one value, before it is read as the value of some type.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::payload::Dropped;
use crate::domain::values::text::is_format;

/// A value that is neither a list nor an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// A list or an object, of which nothing can be made.
    Unusable,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text; owned where an escape stands in it, and only then can it hold U+0000.
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// Whether anything was sent: any value but null and a text in which nothing is seen.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Text(text) => !is_blank(text),
            Self::Unusable | Self::Bool(_) | Self::Number(_) => true,
        }
    }
}

/// Whether nothing is left of a text that is cleaned.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c == '\0' || c.is_whitespace() || is_format(c))
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Absent)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(number).map_or(Scalar::Absent, Scalar::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Dropped.visit_seq(items).map(|Dropped| Scalar::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Dropped.visit_map(map).map(|Dropped| Scalar::Unusable)
    }
}
