//! Rows as they were loaded. What is not as forecourt writes it is an error that names the table, the row and the
//! column: left out, it would be taken for missing, and overwritten.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value};

use super::json_row::source_of;
use crate::domain::booking_request::{BookingRequest, BookingRequestColumns};
use crate::domain::columns::{Kind, Misfit, Scalar};
use crate::domain::values::Json;
use crate::domain::version::{FieldVersions, LeadOrder, SourceTime, Version, Versioned, VersionedRef};

/// Why rows could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// A statement or the connection failed.
    #[error("the database refused or could not be reached")]
    Database(#[from] sqlx::Error),
    /// A row does not hold what belongs there.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A value in a table that cannot be read. It is named by its row's key, never by what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table} where {key} cannot be read: its column {column} does not hold what belongs there")]
pub struct Unreadable {
    table: &'static str,
    key: String,
    column: &'static str,
}

impl Unreadable {
    /// A column of a row of a table. The key is as SQL says it, and no value that is somebody's.
    pub(super) fn new(table: &'static str, key: String, column: &'static str) -> Self {
        Self { table, key, column }
    }
}

/// The row that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    table: &'static str,
    key: (&'static str, i64),
}

impl Place {
    /// The row of a table by the column that names it.
    pub(super) fn new(table: &'static str, column: &'static str, key: i64) -> Self {
        Self { table, key: (column, key) }
    }

    /// What is wrong with a column of it.
    pub(super) fn unreadable(&self, column: &'static str) -> Unreadable {
        let (name, key) = self.key;
        Unreadable::new(self.table, format!("{name} is {key}"), column)
    }

    /// A value of it, where one is there: as it was read, or else unreadable.
    pub(super) fn read<T, U>(
        &self,
        column: &'static str,
        value: Option<T>,
        read: impl FnOnce(T) -> Option<U>,
    ) -> Result<Option<U>, Unreadable> {
        value.map(|value| self.need(column, read(value))).transpose()
    }

    /// A value that must be there.
    pub(super) fn need<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Unreadable> {
        value.ok_or_else(|| self.unreadable(column))
    }

    /// A value with its version; where it is there, its arrival is, too.
    pub(super) fn timed<T>(
        &self,
        column: &'static str,
        value: Option<T>,
        at: Option<DateTime<Utc>>,
        arrived_at: Option<DateTime<Utc>>,
    ) -> Result<Option<Versioned<T>>, Unreadable> {
        match (value, arrived_at) {
            (Some(value), Some(arrived_at)) => Ok(Some(Versioned { value, at: SourceTime { at, arrived_at } })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(self.unreadable(column)),
        }
    }

    /// An object of columns that stands in a column of it.
    pub(super) fn within<'a>(&self, column: &'static str, json_row: &'a Value) -> Result<Stored<'a>, Unreadable> {
        self.need(column, json_row.as_object())?;
        Ok(Stored { place: *self, json_row, column: Some(column) })
    }
}

/// A row, or an object in one of its columns, by column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    place: Place,
    json_row: &'a Value,
    /// The column that holds the object.
    column: Option<&'static str>,
}

impl<'a> Stored<'a> {
    /// A row as `to_jsonb` gives it, named by one of its columns.
    pub(super) fn row(table: &'static str, key: &'static str, json_row: &'a Value) -> Result<Self, Unreadable> {
        let id = json_row.get(key).and_then(Value::as_i64);
        let place = Place::new(table, key, id.unwrap_or_default());
        place.need(key, id)?;
        Ok(Self { place, json_row, column: None })
    }

    /// The row's id.
    pub(super) fn id<T: From<i64>>(&self) -> T {
        T::from(self.place.key.1)
    }

    /// The id of another row, where it points to one.
    pub(super) fn pointer<T: From<i64>>(&self, column: &'static str) -> Result<Option<T>, Unreadable> {
        Ok(self.int(column)?.map(T::from))
    }

    /// What is wrong with a column.
    pub(super) fn unreadable(&self, column: &'static str) -> Unreadable {
        self.place.unreadable(self.column.unwrap_or(column))
    }

    /// A value, where there is one.
    pub(super) fn value(&self, column: &str) -> Option<&'a Value> {
        self.json_row.get(column).filter(|value| !value.is_null())
    }

    /// A value that must be there.
    pub(super) fn need<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Unreadable> {
        value.ok_or_else(|| self.unreadable(column))
    }

    /// A value as `read` reads it, where there is one.
    pub(super) fn read<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Unreadable> {
        self.value(column).map(|value| self.need(column, read(value))).transpose()
    }

    /// Each element of a list as `read` reads it; none where there is no list.
    pub(super) fn list<T, C: FromIterator<T>>(
        &self,
        column: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<C, Unreadable> {
        let list = self.read(column, Value::as_array)?.into_iter().flatten();
        list.map(|element| self.need(column, read(element))).collect()
    }

    /// A text.
    pub(super) fn text(&self, column: &'static str) -> Result<Option<String>, Unreadable> {
        self.read(column, |value| value.as_str().map(str::to_owned))
    }

    /// A text that must be there.
    pub(super) fn needed_text(&self, column: &'static str) -> Result<String, Unreadable> {
        self.text(column).and_then(|text| self.need(column, text))
    }

    /// A text as `parse` reads it.
    pub(super) fn parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Unreadable> {
        self.read(column, |value| value.as_str().and_then(parse))
    }

    /// A whole number.
    pub(super) fn int(&self, column: &'static str) -> Result<Option<i64>, Unreadable> {
        self.read(column, Value::as_i64)
    }

    /// A truth.
    pub(super) fn flag(&self, column: &'static str) -> Result<Option<bool>, Unreadable> {
        self.read(column, Value::as_bool)
    }

    /// A decimal.
    pub(super) fn decimal(&self, column: &'static str) -> Result<Option<Decimal>, Unreadable> {
        self.read(column, decimal)
    }

    /// A time.
    pub(super) fn instant(&self, column: &'static str) -> Result<Option<DateTime<Utc>>, Unreadable> {
        self.read(column, time)
    }

    /// A time that must be there.
    pub(super) fn needed_instant(&self, column: &'static str) -> Result<DateTime<Utc>, Unreadable> {
        self.instant(column).and_then(|at| self.need(column, at))
    }

    /// A day.
    pub(super) fn date(&self, column: &'static str) -> Result<Option<NaiveDate>, Unreadable> {
        self.read(column, date)
    }

    /// A day that must be there.
    pub(super) fn needed_date(&self, column: &'static str) -> Result<NaiveDate, Unreadable> {
        self.date(column).and_then(|day| self.need(column, day))
    }

    /// A version.
    pub(super) fn version(&self, column: &'static str) -> Result<Option<Version>, Unreadable> {
        self.read(column, read_version)
    }

    /// A version that must be there.
    pub(super) fn needed_version(&self, column: &'static str) -> Result<Version, Unreadable> {
        self.version(column).and_then(|version| self.need(column, version))
    }

    /// Field versions.
    pub(super) fn versions(&self, column: &'static str) -> Result<FieldVersions, Unreadable> {
        Ok(self.read(column, read_versions)?.unwrap_or_default())
    }

    /// What a row belongs to; it is there together with its version.
    pub(super) fn versioned_ref<T: From<i64>>(
        &self,
        column: &'static str,
        time: &'static str,
    ) -> Result<Option<VersionedRef<T>>, Unreadable> {
        match (self.pointer(column)?, self.version(time)?) {
            (Some(to), Some(at)) => Ok(Some(VersionedRef { to, at })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(self.unreadable(time)),
        }
    }

    /// An object of columns that stands in one of these.
    pub(super) fn within(&self, column: &'static str, json_row: &'a Value) -> Result<Self, Unreadable> {
        self.need(column, json_row.as_object())?;
        Ok(Self { column: Some(self.column.unwrap_or(column)), json_row, place: self.place })
    }

    /// A group of columns, for `from_columns`.
    pub(super) fn columns<T>(
        &self,
        from_columns: impl FnOnce(&mut dyn FnMut(&'static str, Kind) -> Result<Option<Scalar>, Misfit>) -> Result<T, Misfit>,
    ) -> Result<T, Unreadable> {
        let columns = from_columns(&mut reader(self.json_row));
        columns.map_err(|Misfit(column)| self.unreadable(column))
    }
}

/// A reader of columns.
fn reader(json_row: &Value) -> impl FnMut(&'static str, Kind) -> Result<Option<Scalar>, Misfit> {
    |column, kind| match json_row.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => scalar(value, kind).map(Some).ok_or(Misfit(column)),
    }
}

/// A scalar from JSON, by the column's type.
pub(super) fn scalar(value: &Value, kind: Kind) -> Option<Scalar> {
    match kind {
        Kind::Text => Some(Scalar::Text(value.as_str()?.to_owned())),
        Kind::Int => value.as_i64().map(Scalar::Int),
        Kind::Decimal => decimal(value).map(Scalar::Decimal),
        Kind::Bool => value.as_bool().map(Scalar::Bool),
        Kind::Date => date(value).map(Scalar::Date),
        Kind::Time => time(value).map(Scalar::Time),
        Kind::Json => Some(Scalar::Json(Json::from_text(value.to_string()))),
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok()).or_else(|| greatest(number.as_f64()?))
        }
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The greatest decimals are beyond the range of decimals once JSON has rounded them.
fn greatest(number: f64) -> Option<Decimal> {
    [Decimal::MAX, Decimal::MIN].into_iter().find(|decimal| decimal.to_f64() == Some(number))
}

/// A time as Postgres writes it in JSON: RFC 3339, but for years before the first and beyond 9999.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let (year, text) = far_year(text)?;
    Some(DateTime::parse_from_rfc3339(&text).ok()?.with_year(year)?.to_utc())
}

/// A day, likewise.
fn date(value: &Value) -> Option<NaiveDate> {
    let text = value.as_str()?;
    if let Ok(day) = text.parse() {
        return Some(day);
    }
    let (year, text) = far_year(text)?;
    text.parse::<NaiveDate>().ok()?.with_year(year)
}

/// The year of a text that RFC 3339 cannot say, and the text with another leap year in its place.
fn far_year(text: &str) -> Option<(i32, String)> {
    let (text, is_before) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
    let (text, sign) = text.strip_prefix('-').map_or((text, 1), |text| (text, -1));
    let (year, rest) = text.split_once('-')?;
    let year: i32 = year.parse().ok()?;
    Some((if is_before { 1 - year } else { sign * year }, format!("2000-{rest}")))
}

/// A version from its array.
pub(super) fn read_version(value: &Value) -> Option<Version> {
    let micros = |index: usize| value.get(index)?.as_i64().and_then(DateTime::from_timestamp_micros);
    Some(Version {
        at: micros(0)?,
        tiebreak: micros(1)?,
        source: source_of(value.get(2)?.as_i64()?)?,
        lead: LeadOrder(value.get(3)?.as_str()?.to_owned()),
        arrived_at: micros(4)?,
    })
}

/// A booking request from its object.
pub(super) fn read_booking_request(value: &Value) -> Option<BookingRequest> {
    let columns = value.get("said").filter(|columns| columns.is_object())?;
    let columns = BookingRequestColumns::from_columns(&mut reader(columns)).ok()?;
    Some(BookingRequest { at: read_version(value.get("at")?)?, columns })
}

/// Field versions from their object.
pub(super) fn read_versions(value: &Value) -> Option<FieldVersions> {
    let object = value.as_object()?;
    let newest = object.get("n").map(|newest| read_version(newest).ok_or(())).transpose().ok()?;
    let none = Map::new();
    let overrides = object.get("a").map_or(Some(&none), Value::as_object)?;
    let overrides = overrides.iter().map(|(column, at)| Some((column.clone(), read_version(at)?)));
    Some(FieldVersions { newest, overrides: overrides.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_days_of_any_year_are_read() {
        for (text, year, day) in [
            ("2025-10-03T06:10:08.5+00:00", 2025, "2025-10-03"),
            ("0001-12-31T23:00:00+00:00 BC", 0, "0001-12-31 BC"),
            ("0005-02-28T23:00:00+00:00 BC", -4, "0005-02-28 BC"),
            ("10000-01-01T09:59:59+00:00", 10_000, "10000-01-01"),
            ("+10000-01-01T09:59:59+00:00", 10_000, "+10000-01-01"),
            ("-0001-12-31T14:00:00+00:00", -1, "-0001-12-31"),
        ] {
            assert_eq!(time(&json!(text)).map(|time| time.year()), Some(year), "{text}");
            assert_eq!(date(&json!(day)).map(|day| day.year()), Some(year), "{day}");
        }
        for text in ["infinity", "", "yesterday", "2025-13-01", "2025-13-01T00:00:00Z"] {
            assert_eq!((time(&json!(text)), date(&json!(text))), (None, None), "{text}");
        }
    }

    #[test]
    fn the_greatest_decimals_survive_the_rounding_of_json() {
        for text in
            ["79228162514264337593543950335", "-79228162514264337593543950335", "0.0000000000000000000000000001"]
        {
            let number: Value = serde_json::from_str(text).unwrap();
            assert_eq!(decimal(&number), text.parse().ok(), "{text}");
        }
        assert_eq!(decimal(&json!(1e40)), None);
        assert_eq!(decimal(&json!("NaN")), None);
    }

    #[test]
    fn what_is_damaged_is_told_by_table_row_and_column_and_not_by_what_it_holds() {
        let row = json!({"id": 7, "email": "ada@example.com", "clocks": "ada", "said_at": [1], "waits_for": ["x", 5]});
        let row = Stored::row("persons", "id", &row).unwrap();
        let told = "persons where id is 7 cannot be read: its column clocks does not hold what belongs there";
        assert_eq!(row.versions("clocks").unwrap_err().to_string(), told);
        assert_eq!(row.version("said_at").unwrap_err(), row.unreadable("said_at"));
        assert_eq!(row.version("none").unwrap(), None);
        let texts: Result<Vec<&str>, Unreadable> = row.list("waits_for", Value::as_str);
        assert_eq!(texts.unwrap_err(), row.unreadable("waits_for"));
        assert!(row.int("email").is_err());
        for versions in
            [json!([]), json!({"n": null}), json!({"n": [1, 2]}), json!({"a": []}), json!({"a": {"title": 1}})]
        {
            assert_eq!(read_versions(&versions), None, "{versions}");
        }
        assert_eq!(read_versions(&json!({})), Some(FieldVersions::default()));
    }
}
