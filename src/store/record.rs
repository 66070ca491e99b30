//! Columns by name: how groups of columns, stamps and clocks are written in JSON. They are read in `stored`.
//!
//! Wide rows are read as `to_jsonb(row)`. Tables that are seldom written get one JSON array for each statement, which
//! Postgres takes apart by the table's own column names and types (`jsonb_populate_recordset`): a new column is one field of
//! its struct and one name in the statement. The others get lists, which cost Postgres less (see `lists`).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::columns::Scalar;
use crate::domain::facts::Source;
use crate::domain::stamp::{Clocks, Stamp};
use crate::domain::wish::Wish;

/// A row, by column.
pub(super) type Record = Map<String, Value>;

/// A scalar in JSON. Decimals are texts, so that no digit is lost.
pub(super) fn to_json(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Text(value) => Value::String(value),
        Scalar::Int(value) => Value::from(value),
        Scalar::Decimal(value) => Value::String(value.to_string()),
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Date(value) => Value::String(value.to_string()),
        Scalar::Time(value) => time(value),
        Scalar::Json(value) => serde_json::from_str(value.as_str()).unwrap_or(Value::Null),
    }
}

/// A time in JSON.
pub(super) fn time(value: DateTime<Utc>) -> Value {
    Value::String(value.to_rfc3339())
}

/// A writer of columns into a record, for `visit`; absent values are left out, which Postgres reads as null.
pub(super) fn writer(record: &mut Record) -> impl FnMut(&'static str, Option<Scalar>) {
    |name, value| {
        if let Some(value) = value {
            record.insert(name.to_owned(), to_json(value));
        }
    }
}

/// A stamp as an array: both moments in microseconds, source, lead, arrival in microseconds.
pub(super) fn stamp(stamp: &Stamp) -> Value {
    let Stamp { at, then, source, lead, arrived_at } = stamp;
    json!([at.timestamp_micros(), then.timestamp_micros(), source_code(*source), lead.0, arrived_at.timestamp_micros()])
}

/// Every source.
const SOURCES: [Source; 5] =
    [Source::Contact, Source::Cluster, Source::LeadFeed, Source::LeadCreated, Source::LeadUpdated];

/// The number that stands for a source.
fn source_code(source: Source) -> i64 {
    match source {
        Source::Contact => 1,
        Source::Cluster => 2,
        Source::LeadFeed => 3,
        Source::LeadCreated => 4,
        Source::LeadUpdated => 5,
    }
}

/// The source that a number stands for.
pub(super) fn source_of(code: i64) -> Option<Source> {
    SOURCES.into_iter().find(|source| source_code(*source) == code)
}

/// A wish as an object: when it was said, and what.
pub(super) fn wish(wish: &Wish) -> Value {
    let mut said = Record::new();
    wish.said.visit(&mut writer(&mut said));
    json!({ "at": stamp(&wish.at), "said": said })
}

/// Clocks as an object: `n` the newest time, `a` the times apart from it.
pub(super) fn clocks(clocks: &Clocks) -> Value {
    let mut object = Map::new();
    if let Some(newest) = &clocks.newest {
        object.insert("n".to_owned(), stamp(newest));
    }
    if !clocks.apart.is_empty() {
        let apart = clocks.apart.iter().map(|(column, at)| (column.clone(), stamp(at)));
        object.insert("a".to_owned(), Value::Object(apart.collect()));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stored::{read_clocks, scalar as read_scalar};
    use super::*;
    use crate::domain::columns::Kind;
    use crate::domain::stamp::LeadOrder;
    use crate::domain::values::Json;
    use rust_decimal::Decimal;

    fn any_stamp() -> impl Strategy<Value = Stamp> {
        let micros = || {
            (-62_000_000_000_000_000_i64..250_000_000_000_000_000)
                .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
        };
        (micros(), micros(), "[0-9]{0,12}", micros()).prop_map(|(at, then, lead, arrived_at)| Stamp {
            at,
            then,
            source: Source::LeadFeed,
            lead: LeadOrder(lead),
            arrived_at,
        })
    }

    proptest! {
        #[test]
        fn clocks_are_read_back_as_they_were_written(
            newest in prop::option::of(any_stamp()),
            apart in prop::collection::btree_map("[a-z_]{1,12}", any_stamp(), 0..4),
        ) {
            let written = Clocks { newest, apart };
            prop_assert_eq!(read_clocks(&clocks(&written)), Some(written));
        }

        #[test]
        fn scalars_are_read_back_as_they_were_written(
            text in "\\PC{0,20}", int in any::<i64>(), mantissa in any::<i64>(), scale in 0_u32..15, truth in any::<bool>(),
            stamp in any_stamp(),
        ) {
            for (scalar, kind) in [
                (Scalar::Text(text), Kind::Text),
                (Scalar::Int(int), Kind::Int),
                (Scalar::Decimal(Decimal::new(mantissa, scale)), Kind::Decimal),
                (Scalar::Bool(truth), Kind::Bool),
                (Scalar::Date(stamp.at.date_naive()), Kind::Date),
                (Scalar::Time(stamp.at), Kind::Time),
                (Scalar::Json(Json::from_text("{\"a\":[1,2.5,null]}".to_owned())), Kind::Json),
            ] {
                prop_assert_eq!(read_scalar(&to_json(scalar.clone()), kind), Some(scalar));
            }
        }
    }
}
