//! What tests say of rows: in few words, so that an expectation can be read beside the rows it is about.

use serde_json::{Map, Value};

use super::{Answer, TestService};

impl TestService {
    /// What a column, or an expression, is in the only row: `value("status", "listings where vin = 'X'")`.
    pub(crate) async fn value(&self, column: &str, from: &str) -> Value {
        self.row(&format!("select {column} as value from {from}")).await["value"].clone()
    }

    /// The rows of a query as a table: each the list of its values, in the order in which the query names the columns.
    /// The query goes without its `select`: `table("identifier, status from listings order by 1")`.
    pub(crate) async fn table(&self, query: &str) -> Value {
        let row = "select json_agg(value order by place)::jsonb from json_each(row_to_json(r)) with ordinality e(key, value, place)";
        let query = format!("select ({row}) from (select {query}) r");
        let rows: Vec<Value> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&self.database.pool).await.unwrap();
        rows.into()
    }

    /// There is one such row, and its columns hold what is named here; the others are not looked at.
    pub(crate) async fn expect_row(&self, from: &str, columns: Value) {
        let named: Vec<&str> = columns.as_object().unwrap().keys().map(String::as_str).collect();
        let row = self.row(&format!("select {} from {from}", named.join(", "))).await;
        assert_eq!(row, columns, "{from}");
    }

    /// The record of a delivery holds what is named here.
    pub(crate) async fn expect_record(&self, answer: &Answer, columns: Value) {
        assert_holds(&self.record(answer).await, columns);
    }
}

/// A row holds these values in these columns; the others are not looked at.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "its callers make the value on the spot")]
pub(crate) fn assert_holds(row: &Value, columns: Value) {
    let row = row.as_object().unwrap();
    let named: Map<String, Value> = columns
        .as_object()
        .unwrap()
        .keys()
        .map(|column| {
            (column.clone(), row.get(column).unwrap_or_else(|| panic!("no column {column}: {row:?}")).clone())
        })
        .collect();
    assert_eq!(Value::Object(named), columns);
}

#[test]
#[should_panic(expected = "no column b")]
fn what_is_no_column_is_not_taken_for_null() {
    assert_holds(&serde_json::json!({ "a": 1 }), serde_json::json!({ "b": null }));
}

#[test]
#[should_panic(expected = "assertion")]
fn another_value_does_not_hold() {
    assert_holds(&serde_json::json!({ "a": 1, "b": 2 }), serde_json::json!({ "a": 2 }));
}
