//! The tables of the service as the catalogue has them: the one list that tests go through, so that a new table is in it.

use sqlx::{AssertSqlSafe, PgPool};

/// The schemas that people query: the business tables, and identity documents.
pub(crate) const BUSINESS: &str = "'public', 'identity'";
/// These and the record of deliveries.
pub(crate) const ALL: &str = "'public', 'identity', 'intake'";

/// A query for the tables of schemas, for `from`: their `oid`, their `name`, and their `path` with the schema in front. That
/// of the migrations is none of them, and neither are partitions.
pub(crate) fn listed(schemas: &str) -> String {
    format!(
        "(select oid, relname::text as name, format('%I.%I', relnamespace::regnamespace, relname) as path from pg_class
        where relnamespace::regnamespace::text in ({schemas}) and relkind in ('r', 'p') and not relispartition and relname !~ '^_sqlx')"
    )
}

/// The tables of schemas, each with its schema in front.
pub(crate) async fn tables(pool: &PgPool, schemas: &str) -> Vec<String> {
    let query = format!("select path from {} t order by path", listed(schemas));
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap()
}
