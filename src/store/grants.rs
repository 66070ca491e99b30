//! The statements by which roles get exactly what the listing in `rights` says; and that they keep it: what was given is
//! written down in `intake.granted_roles`, and each migration gives it again in its own transaction.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::rights::{FUNCTIONS, Grant, RELATIONS, SCHEMAS};
use super::session;

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
pub(super) async fn is_recorded(tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
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
pub(super) async fn refusal(
    tx: &mut PgConnection,
    role: &str,
    grants: &BTreeSet<Grant>,
) -> Result<Option<String>, sqlx::Error> {
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
pub(super) struct There {
    /// Tables and views, each with its columns.
    tables: BTreeMap<String, Vec<String>>,
    sequences: BTreeSet<String>,
    functions: Vec<&'static str>,
    pub(super) schemas: BTreeSet<String>,
    database: String,
}

impl There {
    pub(super) async fn look(tx: &mut PgConnection) -> Result<Self, sqlx::Error> {
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
    pub(super) fn statements(&self, role: &str, grants: &BTreeSet<Grant>) -> Vec<String> {
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
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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
            functions: vec!["intake.gather_statistics()"],
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
                "grant select, insert, update on table public.leads to \"svc\"",
                "grant select, insert, update, delete on table identity.passports, intake.deliveries to \"svc\"",
                "grant execute on function intake.gather_statistics() to \"svc\""
            ]
        );
        assert!(statements.contains(&"revoke temporary on database \"a \"\"base\"\"\" from public".to_owned()));
    }
}
