//! The objects of a payload, and the macro that declares them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::diagnostics::MOST_UNKNOWN;

/// The names of an object's fields that no page lists.
#[derive(Default)]
pub struct Unknown<'a>(Vec<Cow<'a, str>>);

impl<'a> Unknown<'a> {
    /// Adds a name, unless there are as many as are kept of a whole payload.
    pub fn add(&mut self, name: Cow<'a, str>) {
        if self.0.len() < MOST_UNKNOWN {
            self.0.push(name);
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Cow::as_ref)
    }
}

/// A value that is gone over and dropped. It is not skipped: a skipped one may hold what is no JSON.
#[derive(Default)]
pub struct Dropped;

impl<'de> Deserialize<'de> for Dropped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Dropped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = map.next_entry()? {}
        Ok(self)
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

/// Reads the fields of one kind of object.
pub trait Fields<'de>: Default {
    /// Reads a field of that name into its place.
    ///
    /// # Errors
    /// Where the body is not JSON.
    fn read<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error>;
}

/// The visitor of an object, and of nothing else.
pub struct Object<T>(pub std::marker::PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(name) = map.next_key_seed(Name)? {
            object.read(name, &mut map)?;
        }
        Ok(object)
    }
}

/// Fills an object where it is, so that one as large as a whole payload is not moved; returns whether an object was there.
pub struct Fill<'p, T>(pub &'p mut T);

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<bool, A::Error> {
        Dropped.visit_seq(items).map(|Dropped| false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            self.0.read(name, &mut map)?;
        }
        Ok(true)
    }
}

/// Declares an object of a payload: each of the page's fields by its name there, with its type and a line about it.
///
/// What the macro adds to a derived `Deserialize` is what every payload must bear: of a name that is repeated the last
/// value counts, where derived code refuses the whole, and the names that no page lists are kept, in `unknown`. After
/// `free_form` comes an object that may hold any field, of which those are declared that are read.
macro_rules! payload {
    ($(#[$meta:meta])* $vis:vis struct $name:ident<$lt:lifetime> {
        $($(#[$field_meta:meta])* $wire:literal => $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Default, schemars::JsonSchema)]
        #[serde(default)]
        $vis struct $name<$lt> {
            $($(#[$field_meta])* #[serde(rename = $wire)] $vis $field: $type,)*
            /// The fields that the page does not list.
            #[schemars(skip)]
            $vis unknown: $crate::feeds::lenient::Unknown<$lt>,
        }

        $crate::feeds::lenient::payload!(@read $name<$lt> { $($wire => $field,)* } object, name => object.unknown.add(name));
    };
    (free_form $(#[$meta:meta])* $vis:vis struct $name:ident<$lt:lifetime> {
        $($(#[$field_meta:meta])* $wire:literal => $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Default, schemars::JsonSchema)]
        #[serde(default)]
        $vis struct $name<$lt> {
            $($(#[$field_meta])* #[serde(rename = $wire)] $vis $field: $type,)*
        }

        $crate::feeds::lenient::payload!(@read $name<$lt> { $($wire => $field,)* } _object, _name => ());
    };
    (@read $name:ident<$lt:lifetime> { $($wire:literal => $field:ident,)* } $object:ident, $other:ident => $add:expr) => {
        impl<$lt> $crate::feeds::lenient::Fields<$lt> for $name<$lt> {
            fn read<A: serde::de::MapAccess<$lt>>(
                &mut self,
                name: std::borrow::Cow<$lt, str>,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match &*name {
                    $($wire => self.$field = map.next_value()?,)*
                    _ => {
                        let ($object, $other) = (&mut *self, name);
                        $add;
                        let $crate::feeds::lenient::Dropped = map.next_value()?;
                    }
                }
                Ok(())
            }
        }

        impl<$lt> serde::Deserialize<$lt> for $name<$lt> {
            fn deserialize<D: serde::Deserializer<$lt>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map($crate::feeds::lenient::Object(std::marker::PhantomData))
            }
        }
    };
}

pub(in crate::feeds) use payload;
