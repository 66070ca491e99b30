//! Fields that hold one value, by the type that a page gives them. What stands in one is kept as it is until it is read;
//! reading never fails: a value of another type is absent, and a finding.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer};

use super::kind::{self, Kind};
use super::listed::Listed;
use super::payload::Dropped;
use super::position::Position;
use super::scalar::Scalar;

/// A field of an object, read leniently as a value of kind `K`.
pub struct Field<'a, K> {
    sent: Scalar<'a>,
    kind: PhantomData<fn() -> K>,
}

/// A field that is documented as one of kind `K` and not read: what it holds is kept with the whole around it.
pub struct Unread<K>(PhantomData<fn() -> K>);

impl<K> Default for Unread<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, K> Deserialize<'de> for Unread<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Dropped::deserialize(deserializer).map(|Dropped| Self::default())
    }
}

impl<K: Kind> Field<'_, K> {
    /// Reads the field, which has that name in the object at that place.
    #[must_use]
    pub fn read(self, at: &Position<'_>, name: &'static str) -> K::Value {
        K::read(self.sent, at, name)
    }

    /// Whether anything was sent, of whatever type.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.sent.is_sent()
    }

    /// Whether neither a value nor anything else was sent but null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.sent == Scalar::Absent
    }
}

impl Field<'_, kind::Postcode> {
    /// Reads the postcode of an address that is in Australia, or is not.
    #[must_use]
    pub fn read_in(self, at: &Position<'_>, name: &'static str, in_australia: bool) -> Option<String> {
        kind::postcode(self.sent, at, name, in_australia)
    }
}

impl<'a> Field<'a, kind::Text> {
    /// Reads a text that is not kept.
    #[must_use]
    pub fn look(self, at: &Position<'_>, name: &'static str) -> Cow<'a, str> {
        kind::text(self.sent, at, name).unwrap_or_default()
    }
}

impl<'a, L: Listed> Field<'a, kind::OneOf<L>> {
    /// Reads a text that is not kept.
    #[must_use]
    pub fn look(self, at: &Position<'_>, name: &'static str) -> Cow<'a, str> {
        kind::one_of::<L>(self.sent, at, name).unwrap_or_default()
    }
}

impl<'a, K> Field<'a, K> {
    /// The same field, to be read as another kind: where what it is hangs on another field.
    #[must_use]
    pub fn as_kind<L>(self) -> Field<'a, L> {
        Field { sent: self.sent, kind: PhantomData }
    }
}

impl<K> Default for Field<'_, K> {
    fn default() -> Self {
        Self { sent: Scalar::Absent, kind: PhantomData }
    }
}

impl<'de, K> Deserialize<'de> for Field<'de, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer).map(|sent| Self { sent, kind: PhantomData })
    }
}

/// Of two spellings of one field, the one that was sent, with its name.
#[must_use]
pub fn either<'a, K: Kind>(
    first: (&'static str, Field<'a, K>),
    second: (&'static str, Field<'a, K>),
) -> (&'static str, Field<'a, K>) {
    if first.1.is_null() && !second.1.is_null() { second } else { first }
}

/// A text.
pub type Text<'a> = Field<'a, kind::Text>;
/// A text by which something is looked up.
pub type Name<'a> = Field<'a, kind::Name>;
/// A text of which the documented values are known.
pub type OneOf<'a, L> = Field<'a, kind::OneOf<L>>;
/// An id or a number of a document, as number or text.
pub type Id<'a> = Field<'a, kind::Id>;
/// An id that is a number.
pub type NumberId<'a> = Field<'a, kind::NumberId>;
/// A postcode, as number or text.
pub type Postcode<'a> = Field<'a, kind::Postcode>;
/// A number or an amount of money.
pub type Amount<'a> = Field<'a, kind::Amount>;
/// A whole number.
pub type Whole<'a> = Field<'a, kind::Whole>;
/// A truth value.
pub type Flag<'a> = Field<'a, kind::Flag>;
/// A text or a number.
pub type TextOrNumber<'a> = Field<'a, kind::TextOrNumber>;
/// A time with a zone.
pub type Time<'a> = Field<'a, kind::Time>;
/// A time of the sender's clock.
pub type SendersTime<'a> = Field<'a, kind::SendersTime>;
/// A date.
pub type Date<'a> = Field<'a, kind::Date>;
/// A date of birth.
pub type BirthDate<'a> = Field<'a, kind::BirthDate>;
/// An e-mail address.
pub type EmailAddress<'a> = Field<'a, kind::Email>;
/// A phone number.
pub type PhoneNumber<'a> = Field<'a, kind::Phone>;
/// A country.
pub type CountryName<'a> = Field<'a, kind::Country>;
/// A VIN.
pub type VinText<'a> = Field<'a, kind::Vin>;
/// A stock number.
pub type StockText<'a> = Field<'a, kind::StockNumber>;
