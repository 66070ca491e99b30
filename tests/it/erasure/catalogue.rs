//! Every column is listed as personal or not, so that a later one cannot be forgotten.

use std::collections::BTreeSet;

use forecourt::domain::erasure::{OF_APPOINTMENTS, OF_CLUSTERS, OF_EVENTS, OF_LEADS};
use sqlx::AssertSqlSafe;

use crate::support::{ALL, database, listed};

/// The list, a line for each column: table, column, `personal` or `plain`, and why or how it is erased.
const LIST: &str = include_str!("../../../docs/personal-columns.tsv");

fn lines() -> Vec<[&'static str; 4]> {
    let lines = LIST.lines().skip(1);
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[tokio::test]
async fn every_column_is_listed_as_personal_or_not() {
    let database = database().await;
    let query = format!(
        "select t.path || E'\\t' || a.attname from {} t join pg_class c on c.oid = t.oid and not c.relispartition
        join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped",
        listed(ALL)
    );
    let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&database.pool).await.unwrap();
    let columns: BTreeSet<String> = columns.into_iter().collect();
    let listed: BTreeSet<String> = lines().iter().map(|[table, column, ..]| format!("{table}\t{column}")).collect();
    let missing: Vec<&String> = columns.difference(&listed).collect();
    let gone: Vec<&String> = listed.difference(&columns).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/personal-columns.tsv: {missing:#?}; no longer there: {gone:#?}"
    );
    for [table, column, kind, why] in lines() {
        assert!(["personal", "plain"].contains(&kind) && !why.trim().is_empty(), "{table} {column}");
    }
}

#[test]
fn the_list_says_of_the_senders_columns_what_the_rule_does() {
    for (table, erased, beside) in [
        ("leads", OF_LEADS, &["person_id", "person_email", "wishes", "waits_for"][..]),
        ("lead_clusters", OF_CLUSTERS, &["person_id", "person_email"]),
        ("lead_events", OF_EVENTS, &[]),
        ("appointments", OF_APPOINTMENTS, &[]),
    ] {
        let path = format!("public.{table}");
        let personal: BTreeSet<&str> = lines()
            .iter()
            .filter(|[of, _, kind, _]| *of == path && *kind == "personal")
            .map(|[_, column, ..]| *column)
            .collect();
        // Documents stand in a table of their own.
        let expected = erased.iter().chain(beside).filter(|column| **column != "documents").copied();
        assert_eq!(personal, expected.collect::<BTreeSet<_>>(), "{table}");
    }
}
