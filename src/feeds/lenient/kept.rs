//! Objects and lists that are kept whole, and read in the same pass: while a value is read, its text is written, as it
//! is sent but for what Postgres cannot hold. Names are in order, and of a name that is repeated the last counts, so that
//! equal values have equal texts.

use serde::de::{Deserialize, Deserializer};

use super::nested::{List, Nested, OneOrMany};
use super::position::Position;
use super::scalar::Scalar;
use super::tee::Tee;
use super::writer::{MOST, Shape, Writer};
use crate::domain::finding::Code;
use crate::domain::values::Json;

/// A field that is kept whole, with what is read of it.
#[derive(Default)]
pub struct Kept<T> {
    json: KeptJson,
    value: T,
}

/// A free-form object of which the fields of identity documents are kept apart, with what is read of it.
#[derive(Default)]
pub struct KeptInHalves<T> {
    json: KeptJson,
    value: T,
}

/// A value of any shape, of which nothing is read.
#[derive(Default)]
pub enum AnyValue {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// A text, a number or a truth value.
    Scalar,
    /// An object or a list.
    ObjectOrList,
}

/// The text of what was read.
#[derive(Default)]
struct KeptJson {
    /// An object or a list; nothing where it is neither.
    shape: Option<Shape>,
    text: String,
    /// The fields that are kept apart, where they are anything but empty.
    apart: Option<String>,
    /// Values, the whole not counted.
    values: usize,
    had_nul: bool,
    /// The length of the text as it would be with what was taken out of it.
    bytes: usize,
    /// Whether each field, or entry, is a text.
    holds_only_texts: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut writer = Writer::new(None);
        let value = T::deserialize(Tee { inner: deserializer, writer: &mut writer })?;
        Ok(Self { json: KeptJson::of(writer), value })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for KeptInHalves<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut writer = Writer::new(Some(crate::feeds::identity::is_identity_key));
        let value = T::deserialize(Tee { inner: deserializer, writer: &mut writer })?;
        Ok(Self { json: KeptJson::of(writer), value })
    }
}

impl KeptJson {
    fn of(writer: Writer) -> Self {
        let Some(shape) = writer.shape() else { return Self::default() };
        let (values, had_nul, bytes) = (writer.values() - 1, writer.had_nul(), writer.bytes());
        let holds_only_texts = writer.holds_only_texts();
        let (text, apart) = writer.into_halves();
        Self { shape: Some(shape), text, apart, values, had_nul, bytes, holds_only_texts }
    }

    /// What is kept, and what is kept apart, of an object or list that stands at a place.
    fn kept(self, shape: Shape, here: &Position<'_>) -> (Option<Json>, Option<Json>) {
        if self.shape != Some(shape) {
            return (None, None);
        }
        if self.values > MOST {
            let message = format!("more than {MOST} JSON values; not kept beside the body");
            here.note_here(Code::FieldType, &message);
            return (None, None);
        }
        if self.had_nul {
            here.note_nul_here();
        }
        (Some(Json::from_text(self.text)), self.apart.map(Json::from_text))
    }
}

impl<T> Kept<T> {
    /// How many bytes an object or a list has when it is written as JSON without spaces; nought for anything else.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.json.bytes
    }

    /// A list that is kept, with what was read of it.
    #[must_use]
    pub fn read_list(self, here: &Position<'_>) -> (Option<Json>, T) {
        (self.json.kept(Shape::List, here).0, self.value)
    }
}

impl<T> Kept<Nested<T>> {
    /// An object that is kept, and the object for reading.
    #[must_use]
    pub fn read(self, here: &Position<'_>) -> (Option<Json>, T)
    where
        T: Default,
    {
        let (json, _) = self.json.kept(Shape::Object, here);
        (json, self.value.read(here))
    }
}

impl<T> Kept<List<T>> {
    /// A list that is kept, and its objects for reading.
    pub fn read<'p>(self, here: &'p Position<'p>) -> (Option<Json>, impl Iterator<Item = (Position<'p>, T)>) {
        let (json, _) = self.json.kept(Shape::List, here);
        (json, self.value.read(here).into_iter().flatten())
    }
}

impl<T> Kept<OneOrMany<T>> {
    /// An object or a list that is kept, and its objects for reading.
    pub fn read<'p>(self, here: &'p Position<'p>) -> (Option<Json>, impl Iterator<Item = (Position<'p>, T)>) {
        let shape = self.json.shape.unwrap_or(Shape::List);
        let (json, _) = self.json.kept(shape, here);
        (json, self.value.read(here))
    }
}

impl Kept<AnyValue> {
    /// An object or a list of any content.
    #[must_use]
    pub fn read(self, here: &Position<'_>) -> Option<Json> {
        if matches!(self.value, AnyValue::Scalar) {
            here.note_type_here("an object or a list");
        }
        let shape = self.json.shape?;
        self.json.kept(shape, here).0
    }
}

impl<T: Default> KeptInHalves<Nested<T>> {
    /// The object: without the fields of identity documents; those alone, if any of them is filled; and for reading.
    #[must_use]
    pub fn read(self, here: &Position<'_>) -> (Option<Json>, Option<Json>, T) {
        let value = self.value.read(here);
        let (rest, apart) = self.json.kept(Shape::Object, here);
        (rest, apart, value)
    }

    /// How many bytes it has when it is written as JSON without spaces.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.json.bytes
    }

    /// Whether each field of it holds a text.
    #[must_use]
    pub fn holds_only_texts(&self) -> bool {
        self.json.shape != Some(Shape::Object) || self.json.holds_only_texts
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Scalar::deserialize(deserializer)?;
        Ok(match value {
            Scalar::Absent => Self::Absent,
            Scalar::Unusable => Self::ObjectOrList,
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_) => Self::Scalar,
        })
    }
}
