//! A role is given what was named for it, or what the service needs, and the act is recorded.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::PgConnection;

use super::actions::{self, Action, Counts};
use super::grants::{There, is_recorded, quoted, refusal};
use super::rights::{Grant, RELATIONS};
use super::{Error, Store, grants, migrations, ownership, session};

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

/// Gives a role exactly these grants in place of whatever it had from here before, and writes that down; or undoes it at the
/// end, where it is only to be seen. Nobody migrates meanwhile.
///
/// # Errors
/// When the role cannot be given them, or Postgres refuses or cannot be reached.
pub async fn give(
    store: &Store,
    role: &str,
    grants: &BTreeSet<Grant>,
    acted_by: &str,
    only_show: bool,
) -> Result<Granted, GrantError> {
    let mut tx = store.begin(None).await?;
    migrations::lock(&mut tx).await?;
    let granted = give_in(&mut tx, role, grants, acted_by).await?;
    if only_show {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(granted)
}

/// Gives every role again what it was given, as each migration does: the listing may be another one since.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn give_again(store: &Store) -> Result<(), Error> {
    let mut tx = store.begin(None).await?;
    // That is the owner's to do.
    if ownership::stranger(&mut tx).await?.is_some() {
        return tx.rollback().await;
    }
    migrations::lock(&mut tx).await?;
    grants::give_again(&mut tx).await?;
    tx.commit().await
}

async fn give_in(
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
    write_down(tx, role, grants, acted_by, statements.len()).await?;
    let remarks = remarks(tx, role, grants).await?;
    Ok(Granted { statements, remarks })
}

/// Writes down what was given, and that it was.
async fn write_down(
    tx: &mut PgConnection,
    role: &str,
    grants: &BTreeSet<Grant>,
    acted_by: &str,
    statements: usize,
) -> Result<(), Error> {
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
    let counts = Counts::from_iter([("given".to_owned(), json!(given)), ("statements".to_owned(), json!(statements))]);
    actions::record(tx, Action::Grant, acted_by, counts).await
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

/// The tables, views and columns that a role reads and was not given: of identity documents, of what arrived and of the views
/// for reports all that there are, and of the business tables those of the listing.
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
    let not_given = Grant::ALL.iter().filter(|grant| !grants.contains(*grant)).filter_map(|grant| grant.schema());
    let schemas: Vec<String> = ["identity", "intake"].into_iter().chain(not_given).map(str::to_owned).collect();
    sqlx::query_scalar!(
        r#"-- once
        with tables as (
            select c.oid, n.oid as schema, n.nspname || '.' || c.relname as name
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm')
                and (n.nspname = any($5) or n.nspname || '.' || c.relname = any($4))
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
        &schemas,
    )
    .fetch_all(tx)
    .await
}
