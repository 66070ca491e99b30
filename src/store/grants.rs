//! Roles get exactly what the listing in `rights` says, and keep it: what was given is written down in
//! `intake.granted_roles`, and each migration gives it again in its own transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::PgConnection;

use super::error::Error;
use super::ownership;
use super::rights::{FUNCTIONS, Grant, RELATIONS, SCHEMAS};
use super::session;

/// Why a role was given nothing.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// It cannot be, and the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for GrantError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a role was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The statements, in their order.
    pub statements: Vec<String>,
    /// What the role may do beyond that, or not do in spite of it; one sentence each.
    pub remarks: Vec<String>,
}

/// Gives a role exactly these grants, in place of whatever it had from here before, and writes that down. It is the
/// caller's to commit, or to undo where nobody asked for more than to see it.
///
/// # Errors
/// When the role cannot be given them, or Postgres refuses or cannot be reached.
pub(super) async fn give(
    tx: &mut PgConnection,
    role: &str,
    grants: &BTreeSet<Grant>,
    acted_by: &str,
) -> Result<Granted, GrantError> {
    if !is_recorded(tx).await? {
        return Err(GrantError::Refused(
            "the tables are not of this version: run `forecourt migrate` first".to_owned(),
        ));
    }
    if let Some(user) = ownership::stranger(tx).await? {
        return Err(GrantError::Refused(format!("the user `{user}` does not own the tables: {}", ownership::BY_OWNER)));
    }
    if let Some(refusal) = refusal(tx, role, grants).await? {
        return Err(GrantError::Refused(refusal));
    }
    let there = There::look(tx).await?;
    for grant in grants {
        if let Some(schema) = grant.schema()
            && !there.schemas.contains(schema)
        {
            return Err(GrantError::Refused(format!(
                "this version has no schema `{schema}` yet, so there is nothing to read by `{grant}`: the tables are read \
                 by `tables`, and what arrived by `deliveries`"
            )));
        }
    }
    let statements = there.statements(role, grants);
    session::run(tx, &statements.join("; ")).await?;
    record(tx, role, grants, acted_by, statements.len()).await?;
    let remarks = remarks(tx, role, grants).await?;
    Ok(Granted { statements, remarks })
}

/// Gives every role again what it was given, for what has come since. One that is gone is passed over.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn give_again(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    if !is_recorded(tx).await? {
        return Ok(());
    }
    let rows = sqlx::query!(
        "-- once
        select role_name, may from intake.granted_roles order by role_name, may"
    );
    let mut roles: BTreeMap<String, BTreeSet<Grant>> = BTreeMap::new();
    for row in rows.fetch_all(&mut *tx).await? {
        roles.entry(row.role_name).or_default().extend(Grant::named(&row.may));
    }
    if roles.is_empty() {
        return Ok(());
    }
    let there = There::look(tx).await?;
    for (role, grants) in roles {
        if let Some(reason) = refusal(tx, &role, &grants).await? {
            tracing::warn!(reason, "a role keeps what it has, and gets nothing of what is new");
            continue;
        }
        session::run(tx, &there.statements(&role, &grants).join("; ")).await?;
    }
    Ok(())
}

/// Whether this database writes down what was given.
async fn is_recorded(tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // By name, because `to_regclass` fails where the schema may not be used.
    sqlx::query_scalar!(
        r#"-- once
        select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'intake' and c.relname = 'granted_roles') as "is_there!""#
    )
    .fetch_one(tx)
    .await
}

/// Why this role cannot be given this.
async fn refusal(tx: &mut PgConnection, role: &str, grants: &BTreeSet<Grant>) -> Result<Option<String>, sqlx::Error> {
    let found = sqlx::query!(
        r#"-- once
        select r.rolsuper as "is_superuser!",
            pg_has_role(r.oid, (select d.relowner from pg_class d where d.oid = 'intake.granted_roles'::regclass), 'member')
                as "is_owner!",
            exists (select from intake.granted_roles g where g.role_name = $1 and g.may = 'serves') as "serves!"
        from pg_roles r where r.rolname::text = $1"#,
        role,
    )
    .fetch_optional(tx)
    .await?;
    let Some(found) = found else {
        return Ok(Some(format!(
            "there is no role `{role}`: make it with `create role`, in which small and capital letters differ where the \
             name is quoted"
        )));
    };
    let reads = grants.iter().any(|grant| *grant != Grant::Serves);
    Ok(if found.is_superuser {
        Some(format!("the role `{role}` is a superuser, who may do everything whatever it is given: take another role"))
    } else if found.is_owner {
        Some(format!(
            "the role `{role}` owns the tables, or is a member of the role that does, and may do everything whatever it is \
             given: take another role"
        ))
    } else if found.serves && reads {
        Some(format!(
            "the role `{role}` is the service's, and reads what the service needs: take another role for a reader, or take \
             this one's rights away first with `forecourt grant {role} --reads none`"
        ))
    } else {
        None
    })
}

/// What of the listing is there.
struct There {
    /// Tables and views, each with its columns.
    tables: BTreeMap<String, Vec<String>>,
    sequences: BTreeSet<String>,
    functions: Vec<&'static str>,
    schemas: BTreeSet<String>,
    database: String,
}

impl There {
    async fn look(tx: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let listed: Vec<String> = RELATIONS.iter().map(|relation| relation.name.to_owned()).collect();
        let found = sqlx::query!(
            r#"-- once
            select n.nspname || '.' || c.relname as "name!", c.relkind = 'S' as "is_sequence!",
                array(select a.attname::text from pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as "columns!"
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname || '.' || c.relname = any($1)"#,
            &listed,
        )
        .fetch_all(&mut *tx)
        .await?;
        let (mut tables, mut sequences) = (BTreeMap::new(), BTreeSet::new());
        for row in found {
            if row.is_sequence {
                sequences.insert(row.name);
            } else {
                tables.insert(row.name, row.columns);
            }
        }
        let mut functions = Vec::new();
        for function in FUNCTIONS {
            let is_there = sqlx::query_scalar!(
                r#"-- once
                select to_regprocedure($1) is not null as "is_there!""#,
                *function
            );
            if is_there.fetch_one(&mut *tx).await? {
                functions.push(*function);
            }
        }
        let schemas = sqlx::query_scalar!(
            r#"-- once
            select nspname::text as "name!" from pg_namespace"#
        );
        let schemas = schemas.fetch_all(&mut *tx).await?.into_iter().collect();
        let database = sqlx::query_scalar!(
            r#"-- once
            select current_database()::text as "name!""#
        );
        Ok(Self { tables, sequences, functions, schemas, database: database.fetch_one(tx).await? })
    }

    /// What takes everything of the listing away from a role, and gives it these grants.
    fn statements(&self, role: &str, grants: &BTreeSet<Grant>) -> Vec<String> {
        let role = quoted(role);
        let mut statements = self.taking(&role);
        if grants.contains(&Grant::Serves) {
            statements.extend(self.serving(&role));
        }
        for grant in grants {
            statements.extend(self.reading(&role, *grant));
        }
        statements
    }

    fn taking(&self, role: &str) -> Vec<String> {
        let mut statements = Vec::new();
        let mut take = |kind: &str, names: Vec<&str>| {
            if !names.is_empty() {
                statements.push(format!("revoke all on {kind} {} from {role}", names.join(", ")));
            }
        };
        take("table", self.tables.keys().map(String::as_str).collect());
        take("sequence", self.sequences.iter().map(String::as_str).collect());
        take("function", self.functions.clone());
        let promised: Vec<&str> = Grant::ALL.iter().filter_map(|grant| grant.schema()).collect();
        let promised: Vec<&str> = promised.into_iter().filter(|schema| self.schemas.contains(*schema)).collect();
        take("all tables in schema", promised.clone());
        take("schema", SCHEMAS.iter().copied().chain(promised).collect());
        statements
    }

    /// What the service needs, and what nobody beside the owner may have then: to make tables, for the time of a session
    /// either.
    fn serving(&self, role: &str) -> Vec<String> {
        let mut statements = vec![
            format!("revoke temporary on database {} from public", quoted(&self.database)),
            "revoke create on schema public from public".to_owned(),
            format!("grant usage on schema {} to {role}", SCHEMAS.join(", ")),
        ];
        let mut by_rights: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for relation in RELATIONS.iter().filter(|relation| !relation.service.is_empty()) {
            if self.sequences.contains(relation.name) {
                statements.push(format!("grant {} on sequence {} to {role}", relation.service, relation.name));
            } else if self.tables.contains_key(relation.name) {
                by_rights.entry(relation.service).or_default().push(relation.name);
            }
        }
        for (rights, tables) in by_rights {
            statements.push(format!("grant {rights} on table {} to {role}", tables.join(", ")));
        }
        if !self.functions.is_empty() {
            statements.push(format!("grant execute on function {} to {role}", self.functions.join(", ")));
        }
        statements
    }

    fn reading(&self, role: &str, grant: Grant) -> Vec<String> {
        if let Some(schema) = grant.schema() {
            if !self.schemas.contains(schema) {
                return Vec::new();
            }
            return vec![
                format!("grant usage on schema {schema} to {role}"),
                format!("grant select on all tables in schema {schema} to {role}"),
            ];
        }
        let (mut whole, mut in_part, mut schemas) = (Vec::new(), Vec::new(), BTreeSet::new());
        for relation in RELATIONS {
            let readable = relation.readers.iter().find(|readable| readable.by == grant);
            let (Some(readable), Some(columns)) = (readable, self.tables.get(relation.name)) else { continue };
            schemas.extend(relation.name.split('.').next());
            let hidden = |column: &String| readable.without.contains(&column.as_str());
            if columns.iter().any(hidden) {
                let given: Vec<String> =
                    columns.iter().filter(|column| !hidden(column)).map(|column| quoted(column)).collect();
                in_part.push(format!("grant select ({}) on table {} to {role}", given.join(", "), relation.name));
            } else {
                whole.push(relation.name);
            }
        }
        let mut statements = Vec::new();
        if !schemas.is_empty() {
            let schemas: Vec<&str> = schemas.into_iter().collect();
            statements.push(format!("grant usage on schema {} to {role}", schemas.join(", ")));
        }
        if !whole.is_empty() {
            statements.push(format!("grant select on table {} to {role}", whole.join(", ")));
        }
        statements.extend(in_part);
        statements
    }
}

/// A name as an identifier that means it and nothing else.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes down what was given, and that it was.
async fn record(
    tx: &mut PgConnection,
    role: &str,
    grants: &BTreeSet<Grant>,
    acted_by: &str,
    statements: usize,
) -> Result<(), sqlx::Error> {
    let given: Vec<String> = grants.iter().map(|grant| grant.name().to_owned()).collect();
    sqlx::query!(
        "-- once
        delete from intake.granted_roles where role_name = $1",
        role
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "-- once
        insert into intake.granted_roles (role_name, may, granted_at)
        select $1, may, now() from unnest($2::text[]) as g (may)",
        role,
        &given,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "-- once
        insert into intake.actions (action, acted_at, acted_by, counts) values ('grant', now(), $1, $2)",
        acted_by,
        json!({ "given": given, "statements": statements }),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What is otherwise than the grants say, because of what others have given or not given.
async fn remarks(tx: &mut PgConnection, role: &str, grants: &BTreeSet<Grant>) -> Result<Vec<String>, sqlx::Error> {
    let mut remarks = Vec::new();
    let may = sqlx::query!(
        r#"-- once
        select has_database_privilege($1::name, current_database(), 'connect') as "connect!",
            has_database_privilege($1::name, current_database(), 'create') as "create_schemas!",
            has_database_privilege($1::name, current_database(), 'temporary') as "create_temporary!",
            has_schema_privilege($1::name, 'public', 'create') as "create_tables!",
            has_schema_privilege($1::name, 'public', 'usage') as "use_public!",
            current_database()::text as "database!""#,
        role as _,
    )
    .fetch_one(&mut *tx)
    .await?;
    let (name, database) = (quoted(role), quoted(&may.database));
    if !may.connect && !grants.is_empty() {
        remarks.push(format!("it may not connect: `grant connect on database {database} to {name}`"));
    }
    if grants.contains(&Grant::Serves) {
        if !may.use_public {
            remarks.push(format!("it may not use the schema public: `grant usage on schema public to {name}`"));
        }
        let creates = [
            (may.create_schemas, format!("schemas: `revoke create on database {database} from public, {name}`")),
            (
                may.create_temporary,
                format!("temporary tables: `revoke temporary on database {database} from public, {name}`"),
            ),
            (may.create_tables, format!("tables: `revoke create on schema public from public, {name}`")),
        ];
        let creates = creates.into_iter().filter(|(may, _)| *may);
        remarks.extend(creates.map(|(_, what)| format!("it may still make {what}, as their owner or a superuser")));
        return Ok(remarks);
    }
    let beyond = beyond(tx, role, grants).await?;
    if let Some(first) = beyond.first() {
        let others = if beyond.len() > 1 { format!(" and {} others", beyond.len() - 1) } else { String::new() };
        remarks.push(format!(
            "it reads more than that, by roles that it is a member of or by what everybody was given: {first}{others}"
        ));
    }
    Ok(remarks)
}

/// The tables, views and columns that a role reads and was not given: of identity documents and of what arrived all that
/// there are, and of the business tables those of the listing.
async fn beyond(tx: &mut PgConnection, role: &str, grants: &BTreeSet<Grant>) -> Result<Vec<String>, sqlx::Error> {
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for relation in RELATIONS {
        let mut by = relation.readers.iter().filter(|readable| grants.contains(&readable.by)).peekable();
        if by.peek().is_some() {
            names.push(relation.name.to_owned());
            let hidden = by.map(|readable| readable.without).min_by_key(|without| without.len()).unwrap_or_default();
            columns.extend(hidden.iter().map(|column| format!("{}.{column}", relation.name)));
        }
    }
    let listed: Vec<String> = RELATIONS.iter().map(|relation| relation.name.to_owned()).collect();
    sqlx::query_scalar!(
        r#"-- once
        with tables as (
            select c.oid, n.oid as schema, n.nspname || '.' || c.relname as name
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm')
                and (n.nspname in ('identity', 'intake') or n.nspname || '.' || c.relname = any($4))
        )
        select name as "name!" from tables
        where name <> all($2) and has_schema_privilege($1::name, schema, 'usage')
            and has_any_column_privilege($1::name, oid, 'select')
        union
        select t.name || '.' || a.attname from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0
        where not a.attisdropped and t.name || '.' || a.attname = any($3)
            and has_schema_privilege($1::name, t.schema, 'usage')
            and has_column_privilege($1::name, t.oid, a.attnum, 'select')
        order by 1"#,
        role as _,
        &names,
        &columns,
        &listed,
    )
    .fetch_all(tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there() -> There {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let tables = [
            ("public.leads", columns(&["id"])),
            ("intake.deliveries", columns(&["id", "body", "new \"one\""])),
            ("identity.passports", columns(&["number"])),
        ];
        There {
            tables: tables.into_iter().map(|(name, columns)| (name.to_owned(), columns)).collect(),
            sequences: BTreeSet::from(["public.row_ids".to_owned()]),
            functions: FUNCTIONS.to_vec(),
            schemas: BTreeSet::from(["public".to_owned()]),
            database: "a \"base\"".to_owned(),
        }
    }

    #[test]
    fn a_name_is_quoted_whatever_it_holds() {
        assert_eq!(quoted("bi"), "\"bi\"");
        assert_eq!(quoted("x\" to public; drop table leads; --"), "\"x\"\" to public; drop table leads; --\"");
    }

    #[test]
    fn what_is_not_there_is_not_granted_and_bodies_are_left_out() {
        let statements = there().statements("bi", &BTreeSet::from([Grant::Deliveries, Grant::Reporting]));
        let granted: Vec<&String> = statements.iter().filter(|statement| statement.starts_with("grant")).collect();
        assert_eq!(
            granted,
            [
                "grant usage on schema intake to \"bi\"",
                "grant select (\"id\", \"new \"\"one\"\"\") on table intake.deliveries to \"bi\""
            ]
        );
        assert!(statements[0].starts_with("revoke all on table identity.passports, intake.deliveries, "));
    }

    #[test]
    fn the_service_gets_no_more_than_the_listing_says() {
        let statements = there().statements("svc", &BTreeSet::from([Grant::Serves]));
        let granted = statements.iter().filter(|statement| statement.starts_with("grant")).cloned();
        assert_eq!(
            granted.collect::<Vec<_>>(),
            [
                "grant usage on schema public, identity, intake to \"svc\"",
                "grant usage on sequence public.row_ids to \"svc\"",
                "grant select, insert, update on table public.leads, identity.passports, intake.deliveries to \"svc\"",
                "grant execute on function intake.gather_statistics() to \"svc\""
            ]
        );
        assert!(statements.contains(&"revoke temporary on database \"a \"\"base\"\"\" from public".to_owned()));
    }
}
