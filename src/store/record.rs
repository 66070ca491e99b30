//! Columns by name: how groups of columns, stamps and clocks stand in JSON between the rules and Postgres.
//!
//! Wide rows are read as `to_jsonb(row)`. Tables that are seldom written get one JSON array for each statement, which
//! Postgres takes apart by the table's own column names and types (`jsonb_populate_recordset`): a new column is one field of
//! its struct and one name in the statement. The others get lists, which cost Postgres less (see `lists`).

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::domain::columns::{Kind, Scalar};
use crate::domain::facts::Source;
use crate::domain::stamp::{Clocks, LeadOrder, Moment, Stamp, Tie, Timed};
use crate::domain::values::Json;
use crate::domain::wish::{Wish, WishColumns};

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

/// A scalar from JSON, by the column's type.
fn from_json(value: &Value, kind: Kind) -> Option<Scalar> {
    match kind {
        Kind::Text => Some(Scalar::Text(value.as_str()?.to_owned())),
        Kind::Int => value.as_i64().map(Scalar::Int),
        Kind::Decimal => decimal(value).map(Scalar::Decimal),
        Kind::Bool => value.as_bool().map(Scalar::Bool),
        Kind::Date => value.as_str()?.parse::<NaiveDate>().ok().map(Scalar::Date),
        Kind::Time => read_time(value).map(Scalar::Time),
        Kind::Json => (!value.is_null()).then(|| Scalar::Json(Json::from_text(value.to_string()))),
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            number.to_string().parse().ok().or_else(|| Decimal::from_scientific(&number.to_string()).ok())
        }
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read_time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.to_utc())
}

/// A writer of columns into a record, for `visit`; absent values are left out, which Postgres reads as null.
pub(super) fn writer(record: &mut Record) -> impl FnMut(&'static str, Option<Scalar>) {
    |name, value| {
        if let Some(value) = value {
            record.insert(name.to_owned(), to_json(value));
        }
    }
}

/// A reader of columns from a record, for `from_columns`.
pub(super) fn reader(record: &Value) -> impl FnMut(&'static str, Kind) -> Option<Scalar> {
    |name, kind| record.get(name).and_then(|value| from_json(value, kind))
}

/// A text of a record.
pub(super) fn text(record: &Value, name: &str) -> Option<String> {
    record.get(name)?.as_str().map(str::to_owned)
}

/// A whole number of a record.
pub(super) fn int(record: &Value, name: &str) -> Option<i64> {
    record.get(name)?.as_i64()
}

/// A small count of a record.
pub(super) fn int_u32(record: &Value, name: &str) -> Option<u32> {
    int(record, name)?.try_into().ok()
}

/// A truth of a record; absent is false.
pub(super) fn flag(record: &Value, name: &str) -> bool {
    record.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// A time of a record.
pub(super) fn instant(record: &Value, name: &str) -> Option<DateTime<Utc>> {
    record.get(name).and_then(read_time)
}

/// A day of a record.
pub(super) fn date(record: &Value, name: &str) -> Option<NaiveDate> {
    record.get(name)?.as_str()?.parse().ok()
}

/// A stamp as an array: both moments in microseconds, source, lead, arrival in microseconds.
pub(super) fn stamp(stamp: &Stamp) -> Value {
    let Stamp { at, then, source, lead, arrived_at } = stamp;
    json!([at.timestamp_micros(), then.timestamp_micros(), source_code(*source), lead.0, arrived_at.timestamp_micros()])
}

/// A stamp from its array.
pub(super) fn read_stamp(value: &Value) -> Option<Stamp> {
    let micros = |index: usize| value.get(index)?.as_i64().and_then(DateTime::from_timestamp_micros);
    Some(Stamp {
        at: micros(0)?,
        then: micros(1)?,
        source: source_of(value.get(2)?.as_i64()?)?,
        lead: LeadOrder(value.get(3)?.as_str()?.to_owned()),
        arrived_at: micros(4)?,
    })
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

fn source_of(code: i64) -> Option<Source> {
    SOURCES.into_iter().find(|source| source_code(*source) == code)
}

/// What a row belongs to, from its columns; it is there when its time is.
pub(super) fn read_tie(record: &Value, column: &str, time: &str) -> Option<Tie> {
    Some(Tie { to: int(record, column)?, at: read_stamp(record.get(time)?)? })
}

/// A wish as an object: when it was said, and what.
pub(super) fn wish(wish: &Wish) -> Value {
    let mut said = Record::new();
    wish.said.visit(&mut writer(&mut said));
    json!({ "at": stamp(&wish.at), "said": said })
}

/// A wish from its object.
pub(super) fn read_wish(value: &Value) -> Option<Wish> {
    let said = WishColumns::from_columns(&mut reader(value.get("said")?));
    Some(Wish { at: read_stamp(value.get("at")?)?, said })
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

/// Clocks from their object.
pub(super) fn read_clocks(value: Option<&Value>) -> Clocks {
    let Some(value) = value else { return Clocks::default() };
    let apart = value.get("a").and_then(Value::as_object);
    let apart = apart.into_iter().flatten().filter_map(|(column, at)| Some((column.clone(), read_stamp(at)?)));
    Clocks { newest: value.get("n").and_then(read_stamp), apart: apart.collect() }
}

/// Something said, from its columns; it is there when its arrival is.
pub(super) fn timed<T>(
    value: Option<T>,
    at: Option<DateTime<Utc>>,
    arrived_at: Option<DateTime<Utc>>,
) -> Option<Timed<T>> {
    Some(Timed { value: value?, at: Moment { at, arrived_at: arrived_at? } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            prop_assert_eq!(&read_clocks(Some(&clocks(&written))), &written);
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
                prop_assert_eq!(from_json(&to_json(scalar.clone()), kind), Some(scalar));
            }
        }
    }
}
