//! Whether the user of a connection owns the tables, which is what migrations need: the service itself needs less.

use sqlx::PgConnection;

use super::error::Error;

/// What to do where somebody else owns the tables.
pub(super) const BY_OWNER: &str = "run `forecourt migrate` or `forecourt grant` as the user that does \
    (`database.migrations_url`, or another DATABASE_URL)";

/// The user of this connection, where it does not own the tables that are there and is not a member of the role that does.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn stranger(tx: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    // By name, because `to_regclass` fails where the schema may not be used.
    sqlx::query_scalar!(
        r#"-- once
        select current_user::text as "user!" where exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relname = '_sqlx_migrations' and not pg_has_role(c.relowner, 'usage')
        )"#
    )
    .fetch_optional(tx)
    .await
}

/// Why the user of this connection cannot migrate, whatever the migrations are.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn hindrance(tx: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let user = stranger(tx).await?;
    Ok(user.map(|user| format!("the user `{user}` does not own the tables and may not change them: {BY_OWNER}")))
}

/// What the user may not do and a migration does, one sentence each.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn missing_rights(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    let may = sqlx::query!(
        r#"-- once
        select has_database_privilege(current_database(), 'create') as "in_database!",
            has_schema_privilege('public', 'create') as "in_public!",
            (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind in ('r', 'p') and n.nspname in ('public', 'identity', 'intake')
                    and c.relowner = (select d.relowner from pg_class d join pg_namespace i on i.oid = d.relnamespace
                        where i.nspname = 'intake' and d.relname = 'deliveries')
                    and not pg_has_role(c.relowner, 'usage')
                order by 1 limit 1) as foreign_table,
            not exists (select from pg_namespace where nspname = 'intake') as "is_new!""#
    );
    let may = may.fetch_one(&mut *tx).await?;
    let user = user(tx).await?;
    let schemas = (may.is_new && !may.in_database).then(|| {
        format!(
            "the user `{user}` may not make schemas in the database, which the first migrations do: let it own the database \
             (`alter database ... owner to`)"
        )
    });
    let public = (!may.in_public).then(|| {
        format!(
            "the user `{user}` may not make tables in the schema public, which migrations do: let it own the database, or \
             `grant create on schema public to` it"
        )
    });
    let foreign = may.foreign_table.map(|table| {
        format!(
            "the user `{user}` does not own {table}, and migrations change tables: run `forecourt migrate` as their owner, or \
             make the user a member of that role"
        )
    });
    Ok([schemas, public, foreign].into_iter().flatten().collect())
}

/// The user of this connection.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub(super) async fn user(tx: &mut PgConnection) -> Result<String, Error> {
    Ok(sqlx::query_scalar!(r#"select current_user::text as "user!""#).fetch_one(tx).await?)
}
