//! Columns by name: how groups of columns, versions and field versions are written in JSON. They are read in `stored`.
//!
//! Wide rows are read as `to_jsonb(row)`. Tables that are seldom written get one JSON array for each statement, which
//! Postgres takes apart by the table's own column names and types (`jsonb_populate_recordset`): a new column is one
//! field of its struct and one name in the statement. The others get lists, which cost Postgres less (see `lists`).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::booking_request::BookingRequest;
use crate::domain::columns::Scalar;
use crate::domain::facts::Source;
use crate::domain::version::{FieldVersions, Version};

/// A row, by column.
pub(super) type JsonRow = Map<String, Value>;

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
pub(super) fn writer(json_row: &mut JsonRow) -> impl FnMut(&'static str, Option<Scalar>) {
    |name, value| {
        if let Some(value) = value {
            json_row.insert(name.to_owned(), to_json(value));
        }
    }
}

/// A version as an array: both moments in microseconds, source, lead, arrival in microseconds.
pub(super) fn version(version: &Version) -> Value {
    let Version { at, tiebreak, source, lead, arrived_at } = version;
    json!([
        at.timestamp_micros(),
        tiebreak.timestamp_micros(),
        source_code(*source),
        lead.0,
        arrived_at.timestamp_micros()
    ])
}

/// Every source.
const SOURCES: [Source; 5] =
    [Source::Contact, Source::Cluster, Source::LeadFeed, Source::LeadCreated, Source::LeadUpdated];

/// The number that stands for a source.
pub(super) fn source_code(source: Source) -> i64 {
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

/// A booking request as an object: its version, and its columns under `said`.
pub(super) fn booking_request(booking_request: &BookingRequest) -> Value {
    let mut columns = JsonRow::new();
    booking_request.columns.visit(&mut writer(&mut columns));
    json!({ "at": version(&booking_request.at), "said": columns })
}

/// Field versions as an object: `n` the newest version, `a` the overrides.
pub(super) fn versions(versions: &FieldVersions) -> Value {
    let mut object = Map::new();
    if let Some(newest) = &versions.newest {
        object.insert("n".to_owned(), version(newest));
    }
    if !versions.overrides.is_empty() {
        let overrides = versions.overrides.iter().map(|(column, at)| (column.clone(), version(at)));
        object.insert("a".to_owned(), Value::Object(overrides.collect()));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stored::{read_versions, scalar as read_scalar};
    use super::*;
    use crate::domain::columns::Kind;
    use crate::domain::values::Json;
    use crate::domain::version::LeadOrder;
    use rust_decimal::Decimal;

    fn any_version() -> impl Strategy<Value = Version> {
        let micros = || {
            (-62_000_000_000_000_000_i64..250_000_000_000_000_000)
                .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
        };
        (micros(), micros(), "[0-9]{0,12}", micros()).prop_map(|(at, tiebreak, lead, arrived_at)| Version {
            at,
            tiebreak,
            source: Source::LeadFeed,
            lead: LeadOrder(lead),
            arrived_at,
        })
    }

    proptest! {
        #[test]
        fn versions_are_read_back_as_they_were_written(
            newest in prop::option::of(any_version()),
            overrides in prop::collection::btree_map("[a-z_]{1,12}", any_version(), 0..4),
        ) {
            let written = FieldVersions { newest, overrides };
            prop_assert_eq!(read_versions(&versions(&written)), Some(written));
        }

        #[test]
        fn scalars_are_read_back_as_they_were_written(
            text in "\\PC{0,20}", int in any::<i64>(), mantissa in any::<i64>(), scale in 0_u32..15, truth in any::<bool>(),
            version in any_version(),
        ) {
            for (scalar, kind) in [
                (Scalar::Text(text), Kind::Text),
                (Scalar::Int(int), Kind::Int),
                (Scalar::Decimal(Decimal::new(mantissa, scale)), Kind::Decimal),
                (Scalar::Bool(truth), Kind::Bool),
                (Scalar::Date(version.at.date_naive()), Kind::Date),
                (Scalar::Time(version.at), Kind::Time),
                (Scalar::Json(Json::from_text("{\"a\":[1,2.5,null]}".to_owned())), Kind::Json),
            ] {
                prop_assert_eq!(read_scalar(&to_json(scalar.clone()), kind), Some(scalar));
            }
        }
    }
}
