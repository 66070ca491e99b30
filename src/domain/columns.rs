//! Groups of optional columns that are declared once: merged by the rules, and written and read by name in `store`.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::values::Json;

/// The value of one column, for whoever writes or reads columns by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `text`
    Text(String),
    /// `bigint`
    Int(i64),
    /// `numeric`
    Decimal(Decimal),
    /// `boolean`
    Bool(bool),
    /// `date`
    Date(NaiveDate),
    /// `timestamptz`
    Time(DateTime<Utc>),
    /// `jsonb`
    Json(Json),
}

/// The type of a column, so that a value can be read back without guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `text`
    Text,
    /// `bigint`
    Int,
    /// `numeric`
    Decimal,
    /// `boolean`
    Bool,
    /// `date`
    Date,
    /// `timestamptz`
    Time,
    /// `jsonb`
    Json,
}

/// The name of a column whose value is not of the column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// A type that a column can have.
pub trait Column: Clone + PartialEq + Sized {
    /// The column's type.
    const KIND: Kind;
    /// The value for writing.
    fn to_scalar(&self) -> Scalar;
    /// The value as read; `None` where the scalar is of another kind.
    fn from_scalar(scalar: Scalar) -> Option<Self>;
    /// The value as whoever writes lists of columns sends it.
    type SqlParam<'a>
    where
        Self: 'a;
    /// The value for a list.
    fn sql_param(&self) -> Self::SqlParam<'_>;
}

macro_rules! column_types {
    ($($type:ty => $kind:ident, $sql_param:ty, $to_sql_param:expr;)*) => {
        $(impl Column for $type {
            const KIND: Kind = Kind::$kind;
            fn to_scalar(&self) -> Scalar {
                Scalar::$kind(self.clone())
            }
            fn from_scalar(scalar: Scalar) -> Option<Self> {
                if let Scalar::$kind(value) = scalar { Some(value) } else { None }
            }
            type SqlParam<'a> = $sql_param;
            fn sql_param(&self) -> Self::SqlParam<'_> {
                $to_sql_param(self)
            }
        })*
    };
}

column_types! {
    String => Text, &'a str, String::as_str;
    i64 => Int, i64, i64::clone;
    Decimal => Decimal, Decimal, Decimal::clone;
    bool => Bool, bool, bool::clone;
    NaiveDate => Date, NaiveDate, NaiveDate::clone;
    DateTime<Utc> => Time, DateTime<Utc>, DateTime::clone;
    Json => Json, &'a str, Json::as_str;
}

/// What a merge decides on: a column for which a value came in.
#[derive(Clone, Copy, Debug)]
pub struct FieldUpdate {
    /// The column's name.
    pub column: &'static str,
    /// Whether the column has a value already.
    pub non_null: bool,
    /// Whether that is the incoming one.
    pub equal: bool,
}

/// A group of optional columns that can be merged one by one.
pub trait Columns: Default {
    /// Takes over each incoming value that `decide` lets through; a column for which none came in stays.
    fn merge_from(&mut self, incoming: Self, decide: &mut dyn FnMut(FieldUpdate) -> bool);
    /// The names of the columns that have a value.
    fn non_null(&self) -> Vec<&'static str>;
}

/// Declares a struct of optional columns, and implements [`Columns`] for it.
macro_rules! columns {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: Option<$type>,)* }

        impl $crate::domain::columns::Columns for $name {
            fn merge_from(&mut self, incoming: Self, decide: &mut dyn FnMut($crate::domain::columns::FieldUpdate) -> bool) {
                $(if incoming.$field.is_some() && decide($crate::domain::columns::FieldUpdate {
                    column: stringify!($field),
                    non_null: self.$field.is_some(),
                    equal: self.$field == incoming.$field,
                }) {
                    self.$field = incoming.$field;
                })*
            }

            fn non_null(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() { names.push(stringify!($field)); })*
                names
            }
        }
    };
}

/// Makes a struct declared with [`columns!`] readable and writable by column name; every field is a [`Column`].
macro_rules! scalar_columns {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $crate::domain::columns::columns! {
            $(#[$meta])* pub struct $name { $($(#[$field_meta])* $field: $type,)* }
        }

        impl $name {
            /// Calls `write` with each column's name and value.
            pub fn visit(&self, write: &mut dyn FnMut(&'static str, Option<$crate::domain::columns::Scalar>)) {
                use $crate::domain::columns::Column as _;
                $(write(stringify!($field), self.$field.as_ref().map(|value| value.to_scalar()));)*
            }

            /// Makes the group from what `read` gives for each column's name and kind.
            ///
            /// # Errors
            /// With the name of a column whose value is not of its type.
            pub fn from_columns(
                read: &mut dyn FnMut(
                    &'static str,
                    $crate::domain::columns::Kind,
                ) -> Result<Option<$crate::domain::columns::Scalar>, $crate::domain::columns::Misfit>,
            ) -> Result<Self, $crate::domain::columns::Misfit> {
                use $crate::domain::columns::{Column, Misfit};
                Ok(Self {
                    $($field: match read(stringify!($field), <$type as Column>::KIND)? {
                        Some(scalar) => {
                            Some(<$type as Column>::from_scalar(scalar).ok_or(Misfit(stringify!($field)))?)
                        }
                        None => None,
                    },)*
                })
            }
        }
    };
}

/// Makes a struct declared with [`scalar_columns!`] writable as lists too: one for each column, of the values of many
/// rows.
macro_rules! listed_columns {
    ($(#[$meta:meta])* pub struct $name:ident listed as $lists:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $crate::domain::columns::scalar_columns! {
            $(#[$meta])* pub struct $name { $($(#[$field_meta])* $field: $type,)* }
        }

        /// The same columns of many rows: a list of values for each.
        #[derive(Debug, Default)]
        pub struct $lists<'a> {
            $($(#[$field_meta])* pub $field: Vec<Option<<$type as $crate::domain::columns::Column>::SqlParam<'a>>>,)*
        }

        impl<'a> $lists<'a> {
            /// Adds a row.
            pub fn push(&mut self, row: &'a $name) {
                use $crate::domain::columns::Column;
                $(self.$field.push(row.$field.as_ref().map(Column::sql_param));)*
            }
        }
    };
}

pub(crate) use {columns, listed_columns, scalar_columns};
