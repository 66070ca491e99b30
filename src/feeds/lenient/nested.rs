//! Fields that hold an object, or a list of objects.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::payload::Dropped;
use super::position::Position;
use crate::domain::finding::Code;

/// A field that holds an object.
#[derive(Default)]
pub enum Nested<T> {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// Something else than an object.
    Unusable,
    /// The object.
    Object(T),
}

/// A field that holds a list of objects.
#[derive(Default)]
pub enum List<T> {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// Something else than a list.
    Unusable,
    /// The list, with whatever else than objects is in it.
    Entries(Vec<Nested<T>>),
}

/// A field that holds an object or a list of objects.
#[derive(Default)]
pub enum OneOrMany<T> {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// Something else.
    Unusable,
    /// An object.
    One(T),
    /// A list, with whatever else than objects is in it.
    Many(Vec<Nested<T>>),
}

/// A field that holds a list of anything.
#[derive(Default)]
pub enum Items<T> {
    /// Nothing was sent, or `null`.
    #[default]
    Absent,
    /// Something else than a list.
    Unusable,
    /// The list.
    Entries(Vec<T>),
}

impl<T: Default> Nested<T> {
    /// The object that stands at a place; the empty one where there is none, with a finding where something else is there.
    #[must_use]
    pub fn read(self, here: &Position<'_>) -> T {
        match self {
            Self::Absent => T::default(),
            Self::Unusable => {
                here.note_type_here("an object");
                T::default()
            }
            Self::Object(object) => object,
        }
    }
}

impl<T> List<T> {
    /// The objects of the list that stands at a place, each with its own; what is no object is noted and left out. `None`
    /// where there is no list, with a finding where something else is there.
    #[must_use]
    pub fn read<'p>(self, here: &'p Position<'p>) -> Option<impl Iterator<Item = (Position<'p>, T)>> {
        match self {
            Self::Absent => None,
            Self::Unusable => {
                here.note_type_here("a list");
                None
            }
            Self::Entries(entries) => Some(objects(entries, here)),
        }
    }
}

impl<T> OneOrMany<T> {
    /// The objects that stand at a place, each with its own.
    pub fn read<'p>(self, here: &'p Position<'p>) -> impl Iterator<Item = (Position<'p>, T)> {
        let (one, many) = match self {
            Self::Absent => (None, Vec::new()),
            Self::Unusable => {
                here.note_type_here("a list");
                (None, Vec::new())
            }
            Self::One(object) => (Some((*here, object)), Vec::new()),
            Self::Many(entries) => (None, entries),
        };
        one.into_iter().chain(objects(many, here))
    }
}

impl<T> Items<T> {
    /// The entries of the list that stands at a place; none where there is none, with a finding where something else is
    /// there.
    #[must_use]
    pub fn read(self, here: &Position<'_>) -> Vec<T> {
        if matches!(self, Self::Unusable) {
            here.note_type_here("a list");
        }
        self.into_entries()
    }

    /// The entries; none where there is no list.
    #[must_use]
    pub fn into_entries(self) -> Vec<T> {
        match self {
            Self::Absent | Self::Unusable => Vec::new(),
            Self::Entries(entries) => entries,
        }
    }
}

fn objects<'p, T>(entries: Vec<Nested<T>>, list: &'p Position<'p>) -> impl Iterator<Item = (Position<'p>, T)> {
    entries.into_iter().enumerate().filter_map(|(position, entry)| {
        let here = list.entry(position);
        match entry {
            Nested::Object(object) => Some((here, object)),
            Nested::Absent => None,
            Nested::Unusable => {
                here.note_here(Code::FieldType, "expected an object; left out");
                None
            }
        }
    })
}

/// A shape of which a value is made where a body holds it, and which is unusable where the body holds something else.
trait Shape<'de>: Default {
    const UNUSABLE: Self;
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Dropped.visit_map(map).map(|Dropped| Self::UNUSABLE)
    }
    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        Dropped.visit_seq(items).map(|Dropped| Self::UNUSABLE)
    }
}

impl<'de, T: Deserialize<'de> + Default> Shape<'de> for Nested<T> {
    const UNUSABLE: Self = Self::Unusable;
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self::Object)
    }
}

impl<'de, T: Deserialize<'de> + Default> Shape<'de> for List<T> {
    const UNUSABLE: Self = Self::Unusable;
    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        entries(items).map(Self::Entries)
    }
}

impl<'de, T: Deserialize<'de> + Default> Shape<'de> for OneOrMany<T> {
    const UNUSABLE: Self = Self::Unusable;
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self::One)
    }
    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        entries(items).map(Self::Many)
    }
}

impl<'de, T: Deserialize<'de> + Default> Shape<'de> for Items<T> {
    const UNUSABLE: Self = Self::Unusable;
    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        entries(items).map(Self::Entries)
    }
}

fn entries<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut items: A) -> Result<Vec<T>, A::Error> {
    let mut entries = Vec::new();
    while let Some(entry) = items.next_element()? {
        entries.push(entry);
    }
    Ok(entries)
}

macro_rules! deserialize_shapes {
    ($($shape:ident)*) => {
        $(impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for $shape<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AnyShape(PhantomData))
            }
        })*
    };
}

deserialize_shapes!(Nested List OneOrMany Items);

struct AnyShape<S>(PhantomData<S>);

impl<'de, S: Shape<'de>> Visitor<'de> for AnyShape<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<S, E> {
        Ok(S::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<S, E> {
        Ok(S::UNUSABLE)
    }

    fn visit_i64<E>(self, _: i64) -> Result<S, E> {
        Ok(S::UNUSABLE)
    }

    fn visit_u64<E>(self, _: u64) -> Result<S, E> {
        Ok(S::UNUSABLE)
    }

    fn visit_f64<E>(self, _: f64) -> Result<S, E> {
        Ok(S::UNUSABLE)
    }

    fn visit_str<E>(self, _: &str) -> Result<S, E> {
        Ok(S::UNUSABLE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<S, A::Error> {
        S::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<S, A::Error> {
        S::object(map)
    }
}
