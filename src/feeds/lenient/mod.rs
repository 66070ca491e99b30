//! Lenient serde types, of which the payloads are made: a value of the wrong type is absent and a finding with its path,
//! never an error of the whole.
//!
//! A payload is a tree of structs, one for each object of the sender's page, declared with [`payload!`] as
//! `"name on the page" => name here: Type`. Reading a body fills it, and fails only where the body is no JSON. A [`Field`]
//! holds whatever stands there; [`Nested`], [`List`] and [`Kept`] hold the objects and lists below. The conversion to facts
//! then takes the structs apart and reads each field as its type, at a [`Position`] that gives findings their path.

mod builder;
mod diagnostics;
mod field;
mod kept;
pub mod kind;
mod listed;
mod nested;
mod number;
mod payload;
mod position;
mod scalar;
mod schema;
mod tee;
mod writer;

pub use builder::{JsonBuilder, with_fields};
pub use diagnostics::Diagnostics;
pub use field::{
    Amount, BirthDate, CountryName, Date, EmailAddress, Field, Flag, Id, Name, NumberId, OneOf, PhoneNumber, Postcode,
    SendersTime, StockText, Text, TextOrNumber, Time, Unread, VinText, Whole, either,
};
pub use kept::{AnyValue, Kept, KeptInHalves};
pub use kind::{Kind, TextOrNumberValue, lone_id, phone, text_as_sent};
pub use listed::Listed;
pub use nested::{Items, List, Nested, OneOrMany};
pub use payload::{Dropped, Fields, Fill, Object, Unknown};
pub use position::Position;
pub use scalar::Scalar;
pub use schema::Described;

pub(in crate::feeds) use listed::listed;
pub(in crate::feeds) use payload::payload;

#[cfg(test)]
mod tests;
