//! Tables, views and their columns as the catalogue has them, with an example of each column.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Row as _};

use crate::support::postgres::TestDatabase;

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) comment: String,
    pub(super) columns: Vec<Column>,
}

/// A column of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) comment: String,
}

impl Relation {
    /// Its name with its schema in front.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Column {
    /// Whether its comment says that only the service reads it.
    pub(super) fn is_of_the_service(&self) -> bool {
        self.comment.starts_with("Of the service") || self.comment.ends_with("read by the service only")
    }
}

/// The tables and views of schemas, partitions and the list of migrations apart, by schema as given and by name.
pub(super) async fn relations(database: &TestDatabase, schemas: &[&str]) -> Vec<Relation> {
    let query = "select n.nspname::text, c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
            array_agg(a.attname::text order by a.attnum), array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum),
            array_agg(coalesce(col_description(c.oid, a.attnum), '') order by a.attnum)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname = any($1) and c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname !~ '^_sqlx'
        group by n.nspname, c.oid, c.relname order by array_position($1, n.nspname::text), c.relname";
    let schemas: Vec<String> = schemas.iter().map(|schema| (*schema).to_owned()).collect();
    let rows = sqlx::query(query).bind(schemas).fetch_all(&database.pool).await.unwrap();
    let relations = rows.iter().map(|row| {
        let (names, kinds, comments): (Vec<String>, Vec<String>, Vec<String>) = (row.get(3), row.get(4), row.get(5));
        let columns = names.into_iter().zip(kinds).zip(comments);
        let columns = columns.map(|((name, kind), comment)| Column { name, kind: short(&kind), comment }).collect();
        Relation { schema: row.get(0), name: row.get(1), comment: row.get(2), columns }
    });
    relations.collect()
}

/// The types by the names that people write.
fn short(kind: &str) -> String {
    kind.replace("timestamp with time zone", "timestamptz").replace("timestamp without time zone", "timestamp")
}

/// What a column of a table may hold, by path of the table and name of the column.
pub(super) type Examples = BTreeMap<(String, String), String>;

/// An example of each column that has one: what is in the tables, and of what differs from run to run something like it.
pub(super) async fn examples(database: &TestDatabase, relations: &[Relation]) -> Examples {
    let mut examples = Examples::new();
    for relation in relations.iter().filter(|relation| relation.schema != "reporting") {
        let own = relation.columns.iter().filter(|column| !column.is_of_the_service());
        let (alike, differing): (Vec<&Column>, Vec<&Column>) = own.partition(|column| typical(column).is_none());
        let mut add = |column: &Column, example: String| {
            examples.insert((relation.path(), column.name.clone()), example);
        };
        for column in differing {
            add(column, typical(column).unwrap_or_default().to_owned());
        }
        let select = |column: &&Column| {
            format!(
                "(array_agg(\"{0}\"::text order by \"{0}\"::text collate \"C\") filter (where \"{0}\"::text not in ('', '[]', '{{}}')))[1]",
                column.name
            )
        };
        let select: Vec<String> = alike.iter().map(select).collect();
        if select.is_empty() {
            continue;
        }
        let query = format!("select array[{}] from {}", select.join(", "), relation.path());
        let found: Vec<Option<String>> =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&database.pool).await.unwrap();
        for (column, example) in alike.into_iter().zip(found) {
            if let Some(example) = example {
                add(column, example);
            }
        }
    }
    examples
}

/// An example for a column whose values differ from run to run: numbers of rows, times, what is counted until today.
fn typical(column: &Column) -> Option<&'static str> {
    let is_number = column.name == "id" || column.name.ends_with("_id");
    Some(match column.kind.as_str() {
        "timestamptz" => "2026-11-02 10:42:07+10",
        "timestamp" => "2026-11-02 10:42:07",
        "date" => "2026-11-02",
        "uuid" => "01993b5e-6f6e-7cc1-b0a4-3d1b0c7a9e11",
        "bytea" => "\\x7b226964223a317d",
        "double precision" => "1.8",
        "bigint" if column.name == "workspace_id" => "1",
        "bigint" if column.name == "dealership_id" => "356",
        "bigint" if is_number => "1042",
        "bigint" | "integer" | "numeric" if column.name.contains("days") || column.name.starts_with("minutes_to") => {
            "12"
        }
        _ => return None,
    })
}

/// The keys of each table as statements say them, by path of the table; foreign ones with the table that they refer to.
pub(super) type Keys = BTreeMap<String, Vec<(String, Option<String>)>>;

/// The primary, unique and foreign keys of all tables.
pub(super) async fn keys(database: &TestDatabase) -> Keys {
    let query = "select conrelid::regclass::oid::bigint, format('%s.%s', c.relnamespace::regnamespace, c.relname),
            pg_get_constraintdef(k.oid),
            (select format('%s.%s', f.relnamespace::regnamespace, f.relname) from pg_class f where f.oid = k.confrelid)
        from pg_constraint k join pg_class c on c.oid = k.conrelid
        where k.contype in ('p', 'u', 'f') and not c.relispartition
            and c.relnamespace::regnamespace::text in ('public', 'identity', 'intake') and c.relname !~ '^_sqlx'
        order by 2, position(k.contype::text in 'puf'), k.conname";
    let mut keys = Keys::new();
    for row in sqlx::query(query).fetch_all(&database.pool).await.unwrap() {
        keys.entry(row.get(1)).or_default().push((row.get(2), row.get(3)));
    }
    keys
}
