//! A deserializer that writes the text of whatever passes through it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::writer::{Last, Shape, Writer};

/// A deserializer whose values are written.
pub(super) struct Tee<'w, D> {
    pub(super) inner: D,
    pub(super) writer: &'w mut Writer,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(TeeVisitor { visitor, writer: self.writer })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct TeeVisitor<'w, V> {
    visitor: V,
    writer: &'w mut Writer,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TeeVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.writer.write_literal("null", Last::Null);
        self.visitor.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<V::Value, E> {
        self.writer.write_literal(if truth { "true" } else { "false" }, Last::Other);
        self.visitor.visit_bool(truth)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<V::Value, E> {
        self.writer.write_number(number.into());
        self.visitor.visit_i64(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<V::Value, E> {
        self.writer.write_number(number.into());
        self.visitor.visit_u64(number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<V::Value, E> {
        match Number::from_f64(number) {
            Some(number) => self.writer.write_number(number),
            None => self.writer.write_literal("null", Last::Null),
        }
        self.visitor.visit_f64(number)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<V::Value, E> {
        self.writer.write_escaped(text);
        self.visitor.visit_str(text)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.writer.write_plain(text);
        self.visitor.visit_borrowed_str(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        let Self { visitor, writer } = self;
        writer.begin(Shape::List);
        let value = visitor.visit_seq(TeeItems { inner: items, writer: &mut *writer })?;
        writer.end(Shape::List);
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { visitor, writer } = self;
        writer.begin(Shape::Object);
        let first = writer.fields_so_far();
        let value = visitor.visit_map(TeeFields { inner: map, writer: &mut *writer })?;
        writer.end_fields(first);
        writer.end(Shape::Object);
        Ok(value)
    }
}

struct TeeItems<'w, A> {
    inner: A,
    writer: &'w mut Writer,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for TeeItems<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(TeeSeed { seed, writer: &mut *self.writer })
    }
}

struct TeeFields<'w, A> {
    inner: A,
    writer: &'w mut Writer,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TeeFields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(TeeName { seed, writer: &mut *self.writer })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.inner.next_value_seed(TeeSeed { seed, writer: &mut *self.writer })?;
        self.writer.end_field();
        Ok(value)
    }
}

struct TeeSeed<'w, S> {
    seed: S,
    writer: &'w mut Writer,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for TeeSeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Tee { inner: deserializer, writer: self.writer })
    }
}

/// The name of a field on its way past.
struct TeeName<'w, T> {
    seed: T,
    writer: &'w mut Writer,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for TeeName<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(TeeName { seed: deserializer, writer: self.writer })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for TeeName<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.seed.deserialize_str(TeeNameVisitor { visitor, writer: self.writer })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct TeeNameVisitor<'w, V> {
    visitor: V,
    writer: &'w mut Writer,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TeeNameVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<V::Value, E> {
        self.writer.begin_field(name, false);
        self.visitor.visit_str(name)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<V::Value, E> {
        self.writer.begin_field(name, true);
        self.visitor.visit_borrowed_str(name)
    }
}
